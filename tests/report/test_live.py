"""The live view without a browser: what a run leaves, what the server answers, and that training never suffers."""
from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from netdef.errors import NetdefError
from netdef.report.live import RunView
from netdef.report.training import TrainingPage
from netdef.solvers import events as e
from netdef.solvers.rundir import RunDirectory
from netdef.solvers.solver import Solver

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from netdef.report import serve  # noqa: E402
from netdef.report.board import Board  # noqa: E402
from netdef.report.runserver import RunServer  # noqa: E402


def fetch(url: str, **headers: str) -> tuple[int, Any, Any]:
    """Status, text and headers of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def strict(text: str) -> Any:
    """JSON without the words that only Python knows."""
    def refuse(word: str) -> Any:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def train(folder, listener=lambda event: None, overrides=("max_iter=200",), live=True, snapshot=None):
    """The small perceptron on the spiral, recorded as `netdef train --serve` does it."""
    with Solver("builtin:mlp", seed=2, overrides=["display=20", *overrides]) as solver, \
            RunDirectory(solver, folder, snapshot) as run:
        if snapshot:
            solver.restore(snapshot)
        run.begin(["netdef", "train"])
        page = TrainingPage(solver, None, "a test", False, run.folder, live=live)
        page.pace.due = 0.0
        solver.listen(listener)
        try:
            solver.solve()
        finally:
            page.write([], run.folder)


@pytest.fixture
def every(monkeypatch):
    """Frames are taken as if the clock ran fast: about each tenth iteration."""
    from netdef.report.training import Pace

    monkeypatch.setattr(Pace, "__call__", lambda self, iteration: iteration in self.ends or iteration % 10 == 0)


def test_data_grow_while_it_trains(tmp_path, every):
    before = threading.enumerate()
    server = RunServer()
    seen: list[Any] = []

    def look(event: e.Event) -> None:
        if isinstance(event, e.Updated) and event.iter in (25, 105, 195):
            status, text, headers = fetch(f"{server.url}data")
            data = strict(text)
            after, key = data["keep"][-1], data["key"]
            seen.append((status, data, strict(fetch(f"{server.url}data?key={key}&since={after}")[1])))
            assert fetch(f"{server.url}data", **{"If-None-Match": headers["ETag"]})[0] == 304

    folder = tmp_path / "run"
    with Solver("builtin:mlp", seed=2, overrides=["display=20", "max_iter=200"]) as solver, \
            RunDirectory(solver, folder) as run:
        run.begin(["netdef"])
        page = TrainingPage(solver, None, "a test", False, run.folder, live=True)
        solver.listen(look)
        server.begin(run.folder)
        assert "netdefReport" in fetch(server.url)[1]
        solver.solve()
        page.write([], run.folder)
    assert strict(fetch(f"{server.url}data")[1])["status"]["state"] == "finished"
    server.close()
    assert [s[1]["status"]["state"] for s in seen] == ["training"] * 3
    assert [s[1]["status"]["iteration"] for s in seen] == [21, 101, 191]
    assert [len(s[1]["frames"]) for s in seen] == [3, 11, 20] and seen[0][1]["frames"][0]["tops"]
    lengths = [len(next(c for c in s[1]["curves"] if c["name"] == "train loss")["points"]) for s in seen]
    assert lengths == [2, 6, 10]
    for _, full, more in seen:
        assert more["head"] is None and more["frames"] == [] and more["keep"] == full["keep"]
    assert [t for t in threading.enumerate() if t not in before] == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url, timeout=2)


def test_only_newer_frames_are_sent(tmp_path, every):
    train(tmp_path / "run")
    view = RunView(tmp_path / "run")
    view.update()
    full = strict(view.data())
    part = strict(view.data(full["key"], 100))
    assert [f["iteration"] for f in part["frames"]] == [i for i in full["keep"] if i > 100]
    assert len(strict(view.data("another", 100))["frames"]) == len(full["keep"])


def test_of_many_frames_some_stay(tmp_path, every):
    train(tmp_path / "run", overrides=("max_iter=500",))
    view = RunView(tmp_path / "run")
    view.update()
    keep = strict(view.data())["keep"]
    assert 12 < len(keep) <= 32 and keep[0] == 0 and keep[-1] == 499 and keep == sorted(set(keep))


def test_a_resume_takes_the_place_of_what_it_does_anew(tmp_path, every):
    run = tmp_path / "run"
    train(run, overrides=("max_iter=100", "snapshot=50"))
    view = RunView(run)
    view.update()
    first = strict(view.data())
    assert first["keep"][-1] == 99 and first["status"]["state"] == "finished"
    train(run, overrides=("max_iter=60", "base_lr=0.01"), snapshot=run / "mlp_iter_50.solverstate")
    view.update()
    again = strict(view.data(first["key"], 99))
    assert again["key"] != first["key"] and again["head"] is not None, "the page must begin anew"
    assert again["keep"] == [0, 10, 20, 30, 40, 50, 59] == [f["iteration"] for f in again["frames"]]
    assert again["status"]["iteration"] == 60 and max(p[0] for c in again["curves"] for p in c["points"]) <= 60


def test_a_resume_without_a_film_ends_the_film(tmp_path, every):
    run = tmp_path / "run"
    train(run, overrides=("max_iter=100", "snapshot=50"))
    head = json.loads((run / "film.jsonl").read_text().partition("\n")[0])
    with Solver("builtin:mlp", overrides=["max_iter=60", "display=20"]) as solver, \
            RunDirectory(solver, None, run / "mlp_iter_50.solverstate") as directory:
        solver.restore(run / "mlp_iter_50.solverstate")
        directory.begin(["netdef"])
        solver.solve()
    told = json.loads((run / "run.json").read_text())
    told["starts"][1]["started"] = "2100-01-01T00:00:00+00:00"  # the clock of the first one is past its second
    (run / "run.json").write_text(json.dumps(told))
    view = RunView(run)
    view.update()
    data = strict(view.data())
    assert data["keep"] == [0, 10, 20, 30, 40] and head["head"]["iteration"] == 0
    assert data["status"]["iteration"] == 60 and data["status"]["state"] == "finished"


def test_lines_that_are_broken_or_half_written(tmp_path, every):
    run = tmp_path / "run"
    train(run)
    for name in ("metrics.jsonl", "film.jsonl"):
        with open(run / name, "a", encoding="utf-8") as file:
            file.write('nonsense {\n[1, 2]\n{"kind": "test", "iter": 3}\n{"kind": "train", "it')
    view = RunView(run)
    view.update()
    data = strict(view.data())
    assert len(data["frames"]) == 21 and data["status"]["iteration"] == 200
    assert data["status"]["notes"] == ["3 lines of metrics.jsonl cannot be read"]
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('er": 220, "loss": "NaN", "smoothed_loss": 0.5}\n')
    version = view.version
    assert view.update() > version and view.status()["iteration"] == 220 and view.status()["loss"] == "NaN"
    assert strict(view.data())["status"]["loss"] == "NaN"


def test_without_a_film_the_weights_are_shown(tmp_path):
    with Solver("builtin:mlp", seed=2, overrides=["max_iter=40"]) as solver, RunDirectory(solver, tmp_path / "run") as run:
        run.begin(["netdef"])
        solver.solve()
    view = RunView(tmp_path / "run")
    view.update()
    data = strict(view.data())
    (frame,) = data["frames"]
    assert frame["iteration"] == 40 and all(p["data"]["hist"] for p in frame["params"].values()) and frame["tops"] == {}
    assert len(frame["params"]) == 6 and data["curves"] and "max_iter: 40" in data["config"]["solver.prototxt"]


@pytest.mark.parametrize("files", [{}, {"run.json": "{"}, {"solver.prototxt": 'net: "'},
                                   {"solver.prototxt": 'net: "no.prototxt"'},
                                   {"film.jsonl": '{"frame": {"iteration": 3}}\n{"head": 3}\n'}])
def test_a_damaged_directory_is_still_shown(tmp_path, files):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train", "iter": 5, "loss": 1.5, "smoothed_loss": 1.5}\n')
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    view = RunView(tmp_path)
    view.update()
    data = strict(view.data())
    assert data["status"]["state"] == "stopped" and data["head"]["layers"] and data["status"]["notes"]


def test_the_params_are_the_same_to_the_bit(tmp_path, every):
    train(tmp_path / "live")
    with Solver("builtin:mlp", seed=2, overrides=["display=20", "max_iter=200"]) as solver, \
            RunDirectory(solver, tmp_path / "plain") as run:
        run.begin(["netdef"])
        solver.solve()
    one, two = ((tmp_path / name / "mlp_iter_200.caffemodel").read_bytes() for name in ("live", "plain"))
    assert one == two


@pytest.fixture
def served(tmp_path):
    """A server of a folder with one run in it."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one/metrics.jsonl").write_text('{"kind": "train", "iter": 5, "loss": 1.5, "smoothed_loss": 1.5}\n')
    bound = serve.bind()
    server = serve.Server(serve.app(Board([tmp_path]).routes(), bound.getsockname()[1]), bound)
    yield server
    server.close()


@pytest.mark.parametrize(("host", "status"), [
    ("127.0.0.1:PORT", 200), ("localhost:PORT", 200), ("LOCALHOST:PORT", 200), ("[::1]:PORT", 200), ("127.0.0.1", 403),
    ("evil.example", 403), ("evil.example:PORT", 403), ("127.0.0.1:1", 403), ("localhost.evil.example:PORT", 403), ("", 403)])
def test_only_its_own_names_are_answered(served, host, status):
    port = served.url.rstrip("/").rpartition(":")[2]
    for path in ("", "data", "run/0/", "run/0/data", "nothing"):
        got, text, headers = fetch(served.url + path, Host=host.replace("PORT", port))
        assert got == (404 if path == "nothing" and status == 200 else status)
        assert status == 200 or "own address only" in text
        assert "Access-Control-Allow-Origin" not in headers


def test_what_is_not_there_and_what_is_not_allowed(served):
    assert fetch(f"{served.url}run/7/data")[0] == 404 and fetch(f"{served.url}run/x/")[0] == 404
    assert fetch(f"{served.url}run/../../etc/passwd")[0] == 404
    link = http.client.HTTPConnection(*served.url[7:-1].split(":"))
    link.request("POST", "/data", "x")
    assert link.getresponse().status == 405
    link.close()
    assert strict(fetch(f"{served.url}run/0/data?key=%00&since=9999999999999999999999")[1])["status"]["iteration"] == 5


def test_other_addresses_and_taken_ports_are_refused():
    with pytest.raises(NetdefError, match=r"expected 127\.0\.0\.1, got '0\.0\.0\.0'"):
        serve.bind(0, "0.0.0.0")
    bound = serve.bind()
    assert bound.getsockname()[0] == "127.0.0.1"
    with pytest.raises(NetdefError, match="is taken"):
        RunServer(bound.getsockname()[1])
    bound.close()


def test_without_the_packages(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(NetdefError, match="needs the package uvicorn") as found:
        RunServer()
    assert "pip install netdef[serve]" in str(found.value)


def test_a_server_that_fails_does_not_end_the_training(tmp_path, every, monkeypatch, caplog):
    import uvicorn

    def fail(self, sockets=None) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(uvicorn.Server, "run", fail)
    server = RunServer()
    train(tmp_path / "run", lambda event: server.begin(tmp_path / "run") if isinstance(event, e.Started) else None)
    server.close()
    assert (tmp_path / "run/mlp_iter_200.caffemodel").is_file() and "no longer served" in caplog.text


def test_a_full_disk_ends_the_film_and_not_the_training(tmp_path, every, caplog):
    from netdef.report.filmfile import FilmFile

    film = FilmFile(tmp_path, {"layers": []}, 0)
    film.write({"frame": {"iteration": 0}})
    whole = film.path.read_bytes()
    real = film._file

    class Full:
        """Takes three bytes, and no more."""

        def __init__(self) -> None:
            self.taken = 0

        def write(self, data: bytes) -> int:
            if self.taken:
                raise OSError(28, "No space left on device")
            self.taken = real.write(data[:3])
            return self.taken

        def truncate(self, end: int) -> None:
            real.truncate(end)

        def close(self) -> None:
            real.close()

    film._file = Full()
    film.write({"frame": {"iteration": 1}})
    film.write({"frame": {"iteration": 2}})
    film.close()
    assert film.path.read_bytes() == whole and caplog.text.count("No space left") == 1


def test_new_runs_appear_on_the_board(tmp_path):
    board = Board([tmp_path])
    assert strict(board.data()) == {"runs": []}
    for name in ("b/2", "b/10", "a/1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").write_text("")
        board.update()
    runs = strict(board.data())["runs"]
    assert [(r["id"], r["name"]) for r in runs] == [(i, str(tmp_path / n)) for i, n in enumerate(("b/2", "b/10", "a/1"))]
