"""Metrics as JSON lines: what is in them, strict readers, kills, resumes, full disks."""
from __future__ import annotations

import errno
import json
import math

import numpy as np
import pytest

import netdef
from netdef.errors import NetdefError
from netdef.solvers import events as e
from netdef.solvers.metrics import CUT, METRICS, Metrics, encode, plain, read_metrics

TEXT = 'test_iter: 1 test_interval: 2 display: 2 average_loss: 3 max_iter: 4 snapshot_prefix: "s" snapshot: 2 '


def strict(line: str):
    """JSON as the standard has it."""
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(line, parse_constant=refuse)


def train(squares, tmp_path, text=TEXT, solve=True, **options):
    solver = squares(text, **options)
    metrics = Metrics(solver, tmp_path)
    solver.listen(metrics)
    if solve:
        solver.solve()
    return solver, metrics


def test_one_record_for_each_display_and_each_test(squares, tmp_path):
    seen = []
    solver, metrics = train(squares, tmp_path, solve=False)
    solver.listen(lambda event: seen.append(event))
    solver.solve()
    records = read_metrics(tmp_path / METRICS)
    assert [(r["kind"], r["iter"]) for r in records] == [
        ("test", 0), ("train", 0), ("test", 2), ("train", 2), ("train", 4), ("test", 4)]
    displayed = [event for event in seen if isinstance(event, e.Displayed)]
    ready = {event.iter: event.loss for event in seen if isinstance(event, e.GradientsReady)}
    train_records = [r for r in records if "lr" in r]
    assert [r["smoothed_loss"] for r in train_records] == [d.loss for d in displayed]
    assert [r["loss"] for r in train_records] == [ready[0], ready[2]]
    assert train_records[1]["smoothed_loss"] == pytest.approx(sum(ready[i] for i in (0, 1, 2)) / 3)
    assert train_records[0]["lr"] == displayed[0].lr
    tested = [event for event in seen if isinstance(event, e.Tested)]
    assert [r["outputs"]["loss"] for r in records if r["kind"] == "test"] == [t.outputs[0].value for t in tested]
    assert records[0]["net"] == 0
    seconds = [r["seconds"] for r in records]
    assert seconds == sorted(seconds) and seconds[0] >= 0


def test_gradient_norms_are_those_of_the_update(squares, tmp_path):
    solver, metrics = train(squares, tmp_path, "display: 1 iter_size: 2", solve=False)
    norms = []

    def listen(event):
        if isinstance(event, e.GradientsReady):
            norms.append(math.sqrt(sum(float((p.diff.astype(np.float64) ** 2).sum()) for p in solver.net.params["ip"])) / 2)

    solver.listen(listen)
    solver.step(2)
    records = read_metrics(tmp_path / METRICS)
    assert [r["grad_norm"] for r in records] == pytest.approx(norms)
    assert [r["grad_norms"] for r in records] == [{"ip": pytest.approx(n)} for n in norms]


def test_numbers_that_json_lacks(tmp_path):
    record = {"kind": "train", "iter": 1, "loss": math.nan, "outputs": {"a": [math.inf, 1.5], "b": -math.inf}}
    (tmp_path / "m.jsonl").write_bytes(encode(record))
    line = (tmp_path / "m.jsonl").read_text()
    assert strict(line)["outputs"] == {"a": ["Infinity", 1.5], "b": "-Infinity"}
    (read,) = read_metrics(tmp_path / "m.jsonl")
    assert math.isnan(read["loss"]) and read["outputs"] == record["outputs"]


def test_outputs_with_several_numbers_are_lists():
    assert plain([e.Output("a", 1.0), e.Output("b", 2.0), e.Output("b", 3.0)]) == {"a": 1.0, "b": [2.0, 3.0]}


def test_every_line_is_there_at_once(squares, tmp_path):
    """A kill loses nothing that was told."""
    solver, _ = train(squares, tmp_path, solve=False)
    solver.step(1)
    assert len((tmp_path / METRICS).read_text().splitlines()) == 2


def test_a_resume_cuts_back_and_doubles_nothing(squares, tmp_path):
    train(squares, tmp_path)[1].close()
    later = [dict(r, seconds=r["seconds"] + 1000) for r in read_metrics(tmp_path / METRICS)]
    (tmp_path / METRICS).write_bytes(b"".join(map(encode, later)))
    whole = [{k: v for k, v in r.items() if k != "seconds"} for r in read_metrics(tmp_path / METRICS)]
    with open(tmp_path / METRICS, "ab") as file:
        file.write(b'{"kind": "train", "it')  # what a kill leaves
    train(squares, tmp_path, snapshot="s_iter_2.solverstate")
    again = read_metrics(tmp_path / METRICS)
    assert [{k: v for k, v in r.items() if k not in ("seconds", "smoothed_loss")} for r in again] == [
        {k: v for k, v in r.items() if k != "smoothed_loss"} for r in whole], "and the numbers are the same"
    seconds = [r["seconds"] for r in again]
    assert seconds == sorted(seconds) and seconds[-1] > 1000, "they go on"
    assert [r["iter"] for r in read_metrics(tmp_path / CUT)] == [2, 2, 4, 4]


def test_a_full_disk_does_not_end_the_training(squares, tmp_path, caplog):
    solver, metrics = train(squares, tmp_path, "display: 1", solve=False)
    solver.step(1)
    real, full = metrics._file, [True]

    class Full:
        def write(self, data):
            if not full[0]:
                return real.write(data)
            if len(data) > 10:
                return real.write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(real, name)

    metrics._file = Full()
    solver.step(2)
    full[0] = False
    solver.step(1)
    metrics.close()
    assert [r["iter"] for r in read_metrics(tmp_path / METRICS)] == [0, 3], "no half line stays between whole ones"
    assert caplog.text.count("No space left on device") == 1 and "2 records are missing" in caplog.text


@pytest.mark.parametrize("text", ['{"kind": "train"}\n', "[1]\n", "no json\n{}", '{"kind": "x", "iter": 1}\n'])
def test_what_is_no_record_is_named_by_its_line(tmp_path, text):
    path = tmp_path / METRICS
    path.write_text('{"kind": "train", "iter": 1}\n' + text)
    with pytest.raises(NetdefError, match=r"metrics.jsonl:2: error: expected a record of metrics"):
        read_metrics(path)


def test_places_that_cannot_be_written(squares, tmp_path):
    (tmp_path / METRICS).mkdir()
    with pytest.raises(netdef.NetdefError):
        Metrics(squares(), tmp_path)
