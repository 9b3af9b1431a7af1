"""tools/bench_worker.py, bench_race.py, bench_tables.py: processes that fail in every way, turns, shifts, and the tables."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Scripts of tools/ import each other by name."""
    monkeypatch.syspath_prepend(str(TOOLS))


def worker(script, patience=20.0, **env):
    import bench_worker

    return bench_worker.Worker([sys.executable, "-c", script], env, patience)


SERVE = f"""
import sys, time, os
sys.path.insert(0, {str(TOOLS)!r})
from bench_worker import Ready, serve
"""


def test_a_worker_runs_and_stops():
    made = worker(SERVE + "print('noise'); sys.exit(serve(lambda: Ready(lambda: time.sleep(0.001), 0, 7_000_000)))")
    assert made.why == "" and made.ready["plan_mb"] == 7 and made.ready["first_s"] >= 0.001 and made.ready["compiled"] == 0
    assert 0.001 <= made.run(3) < 1 and len(made.times) == 3
    made.stop()
    assert made._process.returncode == 0


@pytest.mark.parametrize("script, why", [
    (SERVE + "def make(): raise RuntimeError('\\n no compiler \\n more of it')\nsys.exit(serve(make))",
     "RuntimeError: no compiler"),
    (SERVE + "sys.exit(serve(lambda: Ready(lambda: 1 / 0, 0)))", "ZeroDivisionError: division by zero"),
    ("import sys; sys.exit('cannot begin')", "cannot begin"),
    ("import os; os.abort()", "ended by signal 6"),
    ("import os; os.kill(os.getpid(), 9)", "ended by signal 9 (out of memory?)"),
    ("pass", "ended with status 0"),
])
def test_why_a_worker_does_not_work(script, why):
    made = worker(script)
    made.stop()
    assert made.why == why and not made.ready


def test_patience():
    made = worker("import time; time.sleep(60)", patience=0.3)
    made.stop()
    assert made.why == "no answer within 0.3 s"


def test_once_ends_behind_the_first_step():
    done = subprocess.run([sys.executable, "-c", SERVE + "serve(lambda: Ready(lambda: print('step'), 0), once=True)"],
                          input="2\n", capture_output=True, text=True, check=True)
    assert done.stdout.count("step\n") == 1


def starts(log, **scripts):
    """Workers that write their name into a file with every turn they run."""
    turn = "serve(lambda: Ready(lambda: None, 0), timed=lambda ready, n: [open({0!r}, 'a').write({1!r}) and 0.25] * n)"
    return {name: lambda name=name, script=script: worker(SERVE + (script or turn.format(str(log), name)))
            for name, script in scripts.items()}


def test_turns_alternate_and_a_death_ends_one_alone(tmp_path):
    import bench_race

    log = tmp_path / "log"
    dies = ("turns = []\nserve(lambda: Ready(lambda: None, 0), "
            "timed=lambda ready, n: turns.append(1) or [.1] if len(turns) < 2 else os._exit(3))")
    found = bench_race.in_turns(starts(log, a="", b="", dies=dies, never="sys.exit('absent')"), 1.5, 3)
    assert log.read_text() == "ab" + "ab" * 3  # once to count, then in turns
    assert found["a"].times == [0.25] * 6 and found["a"].shift == 1
    assert found["dies"].why == "ended with status 3" and found["dies"].times == []
    assert found["never"].why == "absent"


def test_one_that_hangs_in_its_turn_is_given_up():
    import bench_race

    hangs = ("turns = []\nserve(lambda: Ready(lambda: None, 0), "
             "timed=lambda ready, n: turns.append(1) or time.sleep(60 * (len(turns) > 1)) or [1.0])")
    found = bench_race.in_turns({"hangs": lambda: worker(SERVE + hangs, patience=3.0)}, 0.1, 3)
    assert found["hangs"].why == "no answer within 3 s" and found["hangs"].times == []


def test_shifts_where_memory_is_short(tmp_path, monkeypatch):
    import bench_race

    monkeypatch.setattr(bench_race, "available_bytes", lambda: 1)
    log = tmp_path / "log"
    found = bench_race.in_turns(starts(log, a="", b=""), 0.5, 2)
    assert log.read_text() == "aaabbb" and [o.shift for o in found.values()] == [1, 2]


def test_a_worker_that_compiled_is_started_again(monkeypatch):
    import bench_race

    class Fake:
        made = 0

        def __init__(self):
            Fake.made += 1
            self.ready, self.why, self.times = {"compiled": int(Fake.made == 1)}, "", []

        def run(self, count):
            self.times += [1.0] * count
            return 1.0

        def stop(self):
            pass

    found = bench_race.in_turns({"a": Fake}, 2, 1)
    assert Fake.made == 2 and found["a"].ready == {"compiled": 0} and found["a"].times == [1.0, 1.0]


def test_chosen(monkeypatch):
    import bench_race

    monkeypatch.setattr(bench_race.importlib.util, "find_spec", lambda name: name in ("numba", "cv2") or None)
    there, missing = bench_race.chosen([])
    assert [c.label for c in there] == ["netdef", "netdef tuned", "OpenCV", "OpenCV tuned"]
    assert missing[0] == "torch: not installed (no module torch)" and missing[-1] == "pycaffe: not installed (no module caffe)"
    assert bench_race.chosen(["netdef tuned", "OpenCV"])[1] == []
    assert [c.label for c in bench_race.chosen(["netdef tuned", "torch"], files=True)[0]] == ["netdef tuned"]


def test_commands():
    import bench_race

    tuned = bench_race.CONTENDERS[1]
    line = bench_race.command_of(tuned, bench_race.Target("lenet", 64), "latency", 2)
    assert line[2:] == ["netdef", "lenet", "infer", "--batch", "1", "--threads", "2"]
    line = bench_race.command_of(tuned, bench_race.Target("face", 0, ("a.prototxt", "b.caffemodel")), "infer", 1)
    assert line[2:] == ["netdef", "a.prototxt", "infer", "--weights", "b.caffemodel", "--threads", "1"]


def outcome(ms, **ready):
    import bench_race

    return bench_race.Outcome([ms / 1e3, ms * 3 / 1e3], {"peak_mb": 50.0, "plan_mb": 20.0, "first_s": 12.3, **ready})


def example():
    import bench_race

    return {"lenet": {"netdef": outcome(10), "netdef tuned": outcome(8), "torch": outcome(20), "torch tuned": outcome(12),
                      "torch channels_last": outcome(16, peak_mb=100.0),
                      "torch.compile": bench_race.Outcome([], {}, "no compiler")},
            "vgg16": {"netdef": outcome(10), "torch": outcome(40), "torch.compile": outcome(30)._replace(shift=2)}}


def test_times_and_notes():
    import bench_tables as tables

    rows, head = tables.times(example(), ["netdef", "torch.compile"], {"lenet": "lenet (64)", "vgg16": "vgg16 (4)"}, min)
    assert head == ["net (batch)", "netdef", "torch.compile"]
    assert rows == [["lenet (64)", "10 (50)", "does not work"], ["vgg16 (4)", "10 (50)", "30 (50)"]]
    assert tables.notes(example()) == [
        "lenet: torch.compile does not work: no compiler",
        "compiling is not in torch.compile's times; seconds until its first steps were done: vgg16: 12",
        "memory did not hold all at once; these ran behind the others: vgg16: torch.compile"]


def test_ratios():
    import bench_tables as tables

    rows, head = tables.ratios({1: example(), 2: {"lenet": example()["lenet"]}}, min)
    assert head == ["net", "torch (1)", "torch (2)", "torch best (1)", "torch best (2)", "torch.compile (1)",
                    "torch.compile best (1)"]
    assert rows[0] == ["lenet", "1.60", "1.60", "1.50", "1.50", "-", "-"]
    assert rows[1] == ["vgg16", "4.00", "-", "4.00", "-", "3.00", "3.00"]
    assert rows[2] == ["geometric mean", "2.53", "1.60", "2.45", "1.50", "3.00", "3.00"]
    assert tables.ratios({1: {"lenet": {"torch": outcome(1)}}}, min) is None


def test_memory():
    import bench_tables as tables

    rows, head = tables.memory(example(), ["netdef", "torch", "torch channels_last"])
    assert head == ["net", "plan MB", "netdef grown MB", "grown / plan", "torch / netdef", "torch channels_last / netdef"]
    assert rows == [["lenet", "20", "50", "2.50", "1.00", "2.00"], ["vgg16", "20", "50", "2.50", "1.00", "-"]]
    assert tables.memory({"lenet": {"torch": outcome(1)}}, ["torch"]) is None


def test_latency_is_a_median():
    import bench_race

    assert bench_race.Options().pick("infer")([1, 2, 9]) == 1
    assert bench_race.Options().pick("latency")([1, 2, 9]) == bench_race.Options(median=True).pick("train")([1, 2, 9]) == 2
