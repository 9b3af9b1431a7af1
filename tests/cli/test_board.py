"""`netdef board`, from the command line."""
from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")


@contextmanager
def started(folder, *arguments) -> Iterator[tuple[subprocess.Popen, str]]:
    """A command that serves, and its URL."""
    process = subprocess.Popen([sys.executable, "-m", "netdef.cli.main", *map(str, arguments)], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        url = ""
        while not url and (line := process.stdout.readline()):
            url = (re.search(r"http://127\.0\.0\.1:\d+/", line) or [""])[0]
        yield process, url
    finally:
        process.kill()
        process.communicate()


def data(url: str):
    """What a page gets."""
    with urllib.request.urlopen(f"{url}data", timeout=20) as answer:
        return json.load(answer)


def test_lists_runs_until_it_is_stopped(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("train", "builtin:mlp", "--set", "max_iter=20", "--set", "display=10").status == 0
    with started(tmp_path, "board") as (process, url):
        (found,) = data(url)["runs"]
        assert found["name"] == "runs/mlp/1" and found["state"] == "finished" and found["iteration"] == 20
        one = data(f"{url}run/0/")
        assert one["frames"][0]["iteration"] == 20 and one["curves"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0 and process.stderr.read() == ""


def test_a_run_of_another_process_grows_and_ends_by_ctrl_c(tmp_path):
    with started(tmp_path, "train", "builtin:mlp", "--serve", "--run-dir", "run", "--set", "max_iter=10000000") as (one, live), \
            started(tmp_path, "board", "run") as (_, board):
        for _ in range(2):
            assert data(live)["status"]["state"] == "training" == data(board)["runs"][0]["state"]
        before = data(board)["runs"][0]["iteration"]
        while data(board)["runs"][0]["iteration"] == before:
            assert one.poll() is None
        assert data(f"{board}run/0/")["frames"], "the film is read meanwhile"
        one.send_signal(signal.SIGINT)
        out, err = one.communicate(timeout=20)
        assert one.returncode == 0 and "stopped after" in out and "again:  netdef board run" in out and err == ""
        assert data(board)["runs"][0]["state"] == "stopped"


def test_bad_input(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "there is no folder 'runs' here" in run("board").err
    missing = run("board", "emty")
    assert missing.status == 1 and "no file or directory 'emty'; did you mean 'empty'?" in missing.err
    none = run("board", "empty")
    assert none.status == 1 and "empty: error: no run lies here" in none.err
    (tmp_path / "empty/metrics.jsonl").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = run("board", "empty", "--port", port)
        assert busy.status == 1 and f"port {port} is taken" in busy.err
        busy = run("train", "builtin:mlp", "--serve", port, "--run-dir", "run")
        assert busy.status == 1 and f"port {port} is taken" in busy.err and not (tmp_path / "run").exists()
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    lacking = run("board", "empty")
    assert lacking.status == 1 and "pip install netdef[serve]" in lacking.err
    lacking = run("train", "builtin:mlp", "--serve")
    assert lacking.status == 1 and "pip install netdef[serve]" in lacking.err


@pytest.mark.parametrize(("arguments", "words"), [
    (("--serve", "0.0.0.0:80"), "127.0.0.1 only"), (("--serve=evil",), "expected a port"), (("--serve", "70000"), "70000"),
    (("--serve", "--fast-dev-run"), "--serve shows a whole training")])
def test_bad_ports(run, arguments, words):
    done = run("train", "builtin:mlp", *arguments)
    assert done.status == 2 and words in done.err


@pytest.mark.parametrize("arguments", [("--serve", "builtin:mlp"), ("builtin:mlp", "--serve"), ("builtin:mlp", "--serve", "0"),
                                       ("--serve", "localhost:0", "builtin:mlp"), ("--serve", "--seed", "3", "builtin:mlp")])
def test_the_port_may_be_left_out(run, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = run("train", *arguments, "--set", "max_iter=3", "--html", "page.html")
    assert done.status == 0 and "live:   http://127.0.0.1:" in done.out and (tmp_path / "page.html").is_file()
    assert "again:  netdef board runs/mlp/1" in done.out


def test_a_recipe_has_no_page(run, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("stages:\n  - one: {solver: 'builtin:mlp'}\n")
    done = run("train", recipe, "--serve")
    assert done.status == 2 and "--serve is about one solver" in done.err
