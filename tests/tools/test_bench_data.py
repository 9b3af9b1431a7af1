"""tools/bench_data.py, bench_pictures.py, bench_startup.py: what they read, and what they say where something is absent."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Scripts of tools/ import each other by name."""
    monkeypatch.syspath_prepend(str(TOOLS))


def test_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    import bench_pictures

    path = bench_pictures.write_pictures(tmp_path / "p", 300, 240, 3, classes=2)
    assert path.read_text() == "0000.jpg 0\n0001.jpg 1\n0002.jpg 0\n"
    with image.open(tmp_path / "p" / "0001.jpg") as file:
        pixels = np.asarray(file).astype(float)
    assert pixels.shape == (240, 300, 3) and 30 < pixels.std() < 70
    neighbours = np.corrcoef(pixels[:, :-1].ravel(), pixels[:, 1:].ravel())[0, 1]
    assert neighbours > 0.8  # as in photographs; of plain noise it is 0


def test_noise_of_small_shapes():
    import bench_pictures

    made = bench_pictures.noise(np.random.default_rng(0), (1, 7, 1, 1))
    assert made.shape == (1, 7, 1, 1) and np.isfinite(made).all()


@pytest.mark.parametrize("kind", ["images", "encoded", "loader"])
def test_a_reader_gives_batches(kind, tmp_path):
    pytest.importorskip("PIL")
    pytest.importorskip({"encoded": "lmdb", "loader": "torch"}.get(kind, "numpy"))
    import bench_data
    import bench_pictures

    path = bench_pictures.write_pictures(tmp_path / "p", 240, 230, 5)
    if kind == "encoded":
        bench_data._netdef("-q", "data", "make", str(tmp_path / "db"), "--from", str(path), "--encoded", "same")
        path = tmp_path / "db"
    command = [sys.executable, str(TOOLS / "bench_data.py"), kind, str(path), "--workers", "2"]
    done = subprocess.run(command, input="2\n\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ready, times = done.stdout.splitlines()
    assert ready.startswith("ready ") and len(json.loads(times)) == 1 and json.loads(times)[0] > 0


def test_the_loaders_pictures_are_netdefs(tmp_path, monkeypatch):
    """Crops as large as the picture leave only the mirror to chance."""
    pytest.importorskip("PIL")
    import bench_data
    import bench_pictures

    path = bench_pictures.write_pictures(tmp_path / "p", 227, 227, 2)
    net = tmp_path / "net.prototxt"
    net.write_text(f'layer {{ name: "data" type: "ImageData" top: "data" top: "label" image_data_param {{ source: "{path}" '
                   f"batch_size: 2 }} {bench_data._transform().replace('mirror: true', '')} }}")
    import netdef

    with netdef.Net(str(net), phase="TRAIN") as made:
        made.forward()
        want, labels = made.blobs["data"].data, made.blobs["label"].data
        dataset = bench_data.Pictures(path)
        for k in range(len(dataset)):
            got, label = dataset[k]
            assert label == labels[k] and got.dtype == np.float32
            got = got[::-1]  # red first, blue first
            assert any(np.abs(got[:, :, ::way] - want[k]).max() < 1e-3 for way in (1, -1))


def test_batches_that_were_read_ahead_do_not_count(monkeypatch):
    import bench_data
    from bench_worker import Ready

    now, steps = [0.0], []

    def step():
        steps.append(1)
        now[0] += 0.0 if len(steps) <= 5 else 1.0

    monkeypatch.setattr(bench_data.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(bench_data.time, "sleep", lambda seconds: steps.append(seconds))
    assert bench_data._timed(Ready(step, 0), 3, 1) == [1.0] and steps == [1] * 8 + [5.0]


def test_data_without_pillow(monkeypatch, capsys):
    import bench
    import bench_data

    monkeypatch.setattr(bench_data.importlib.util, "find_spec", lambda name: None)
    assert bench.main(["--data", "--threads", "1"]) == 0
    assert "--data needs lmdb and Pillow (pip install netdef[data]); not installed: lmdb, PIL" in capsys.readouterr().out


@pytest.mark.slow
def test_data_from_end_to_end(monkeypatch, capsys):
    pytest.importorskip("PIL")
    pytest.importorskip("lmdb")
    import bench_data
    import bench_report
    from bench_race import Options

    real = bench_data.importlib.util.find_spec
    monkeypatch.setattr(bench_data.importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))
    monkeypatch.setattr(bench_data, "SIZES", ((256, 256),))
    report = bench_report.Report(["x"])
    bench_data.run([1], Options(0.01, 1), report, 8)
    out = capsys.readouterr().out
    assert "| read / trained   |" in out and "PyTorch: not installed" in out and "| 256x256, 1 worker |" in out
    assert set(report.raw["data"]) == {"digits", "256x256 1"}


def test_once():
    import bench_startup

    cpu, wall = bench_startup.once([sys.executable, "-c", "import time; time.sleep(0.2)"], {})
    assert 0 < cpu < wall and wall > 0.2
    with pytest.raises(bench_startup.Failed, match="^no compiler$"):
        bench_startup.once([sys.executable, "-c", "print('failed no compiler'); raise SystemExit(1)"], {})


def test_startup(monkeypatch, capsys):
    """Cold once with empty caches, warm as often as is said with the same ones; torch is here and does not work."""
    import bench_report
    import bench_startup

    calls = []

    def once(command, env):
        calls.append((command[2:4], dict(env)))
        if "torch" in command:
            raise bench_startup.Failed("no such thing")
        if env:
            assert Path(env["NETDEF_CACHE_DIR"]).is_dir()
        return 0.5, 1.25

    monkeypatch.setattr(bench_startup, "once", once)
    monkeypatch.setattr(bench_startup.importlib.util, "find_spec", lambda name: name == "torch")
    bench_startup.run(["lenet"], 2, 1, bench_report.Report(["x"]))
    out = capsys.readouterr().out
    caches = [env["NETDEF_CACHE_DIR"] for command, env in calls if command[0] == "netdef"]
    assert len(caches) == 3 and len(set(caches)) == 1
    assert "torch, lenet: until its first training step is done, warm: does not work: no such thing" in out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines() if line.startswith("| ")]
    assert ["netdef, lenet: until its first training step is done, cold", "0.50", "1.25", "1"] in rows
    assert ["netdef, lenet: until its first training step is done, warm", "0.50", "1.25", "2"] in rows
    assert ["torch, lenet: until its first training step is done, warm", "does not work", "-", "2"] in rows
