"""Curves of runs: where they are read from, what each quantity gives, smoothing, tables, drawings."""
from __future__ import annotations

import csv
import io
import math

import pytest

from netdef.errors import NetdefError
from netdef.solvers.chart import chart
from netdef.solvers.curves import curves, quantities, read_run_records, to_csv, usual
from netdef.solvers.figure import draw
from netdef.solvers.metrics import encode

RECORDS = [
    {"kind": "test", "net": 0, "iter": 0, "outputs": {"accuracy": 0.1, "loss": 2.0}, "seconds": 0.5},
    {"kind": "train", "iter": 0, "lr": 0.1, "loss": 4.0, "smoothed_loss": 4.0, "outputs": {"loss": 4.0}, "grad_norm": 9.0,
     "seconds": 1.0},
    {"kind": "train", "iter": 10, "lr": 0.01, "loss": 2.0, "smoothed_loss": 3.0, "outputs": {"loss": 2.0},
     "grad_norm": 8.0, "seconds": 2.0},
    {"kind": "test", "net": 0, "iter": 10, "outputs": {"accuracy": 0.5, "loss": math.nan}, "seconds": 2.5},
]


def save(folder, records=RECORDS):
    folder.mkdir(exist_ok=True)
    (folder / "metrics.jsonl").write_bytes(b"".join(encode(dict(r)) for r in records))
    return folder


@pytest.fixture
def run(tmp_path):
    return read_run_records(save(tmp_path / "a"))


def values(run, name, **options):
    return {c.name: [v for _, _, v in c.points] for c in curves(run, name, **options)}


def test_quantities(run):
    assert quantities([run]) == ["loss", "accuracy", "lr", "gradient"] and usual([run]) == ["loss", "accuracy", "lr"]
    assert values(run, "lr") == {"lr": [0.1, 0.01]} and values(run, "gradient") == {"gradient": [9.0, 8.0]}
    assert values(run, "accuracy") == {"test 0 accuracy": [0.1, 0.5]}
    loss = values(run, "loss")
    assert loss["train loss (raw)"] == [4.0, 2.0] and loss["train loss"] == [4.0, 3.0]
    assert loss["test 0 loss"][0] == 2.0 and math.isnan(loss["test 0 loss"][1])
    (curve,) = curves(run, "accuracy")
    assert curve.xy("iteration") == [(0, 0.1), (10, 0.5)] and curve.xy("seconds") == [(0.5, 0.1), (2.5, 0.5)]


def test_smoothing_is_an_unbiased_running_mean(run):
    assert values(run, "loss", smooth=0.5)["train loss"] == pytest.approx([4.0, (0.5 * 0.5 * 4 + 0.5 * 2) / 0.75])


def test_raw_is_left_out_where_it_is_the_same(tmp_path):
    records = [dict(r, smoothed_loss=r["loss"]) if r["kind"] == "train" else r for r in RECORDS]
    assert list(values(read_run_records(save(tmp_path / "b", records)), "loss")) == ["test 0 loss", "train loss"]


def test_what_was_done_twice_counts_once(tmp_path):
    again = [dict(RECORDS[2], loss=7.0, smoothed_loss=6.0), RECORDS[3]]
    run = read_run_records(save(tmp_path / "b", [*RECORDS, dict(RECORDS[1], iter=20), *again]))
    assert [r["iter"] for r in run.records] == [0, 0, 10, 10]
    assert values(run, "loss")["train loss (raw)"] == [4.0, 7.0]


def test_places(tmp_path):
    save(tmp_path / "a")
    assert read_run_records(tmp_path / "a/metrics.jsonl").label == str(tmp_path / "a")
    (tmp_path / "train.log").write_text("Iteration 5, loss = 0.5\n")
    assert read_run_records(tmp_path / "train.log").records[0]["iter"] == 5
    with pytest.raises(NetdefError, match="holds metrics.jsonl, this one does not; there are .*a"):
        read_run_records(tmp_path)
    with pytest.raises(NetdefError, match="did you mean 'train.log'"):
        read_run_records(tmp_path / "tarin.log")


def test_a_table(run):
    rows = list(csv.DictReader(io.StringIO(to_csv([run, run], ["accuracy", "lr"]))))
    assert len(rows) == 8 and rows[1] == {"run": run.label, "curve": "test 0 accuracy", "iteration": "10", "seconds": "2.5",
                                          "value": "0.5"}


def test_a_chart_puts_points_where_they_belong():
    drawn = chart([("up", [(1, 1), (2, 10), (3, 100)])], width=5, height=3, log_y=True, title="t").splitlines()
    assert drawn[0] == "t" and drawn[1] == "       100 |   .*" or drawn[1] == "       100 |    *"
    assert drawn[2][11:].strip(". |") == "*" and drawn[2].index("*") == 14
    assert drawn[3].startswith("         1 |*") and "1   3" in drawn[5] and drawn[6].strip() == "* up"


def test_a_chart_of_what_cannot_be_drawn():
    assert "no finite value" in chart([("a", [(1, math.nan)])])
    assert "cannot be drawn: 2" in chart([("a", [(1, 1), (2, math.inf), (3, -1)])], log_y=True)
    assert "* a" in chart([("a", [(1, 5), (2, 5)])]) and "* a" in chart([("a", [(0, 0)])])


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_figure(run, tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"f.{ending}"
    draw([run], ["loss", "accuracy"], path, log=["x", "loss"])
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(magic)
    draw([run, run], ["loss", "lr"], path, axis="seconds", smooth=0.5)


def test_a_figure_without_matplotlib_or_of_another_kind(run, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(NetdefError, match="needs the package matplotlib.*--text"):
        draw([run], ["loss"], tmp_path / "f.png")
    with pytest.raises(NetdefError, match="ends in .png, .svg, .pdf"):
        draw([run], ["loss"], tmp_path / "f.gif")
    assert not list(tmp_path.glob("f.*"))
