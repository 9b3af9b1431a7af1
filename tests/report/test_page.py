"""The page's value and text: numbers, pictures, frames as the net runs and from recordings, names that are HTML."""
from __future__ import annotations

import base64
import json
import math

import numpy as np
import pytest

import netdef
from netdef.debug.recording import Recorder
from netdef.errors import NetdefError
from netdef.report.collect import MOST_POINTS, VERSION, Run, page_data, plain_curve
from netdef.report.film import Film, spread
from netdef.report.judge import Judge
from netdef.report.meter import Meter, frame_of
from netdef.report.numbers import BINS, numbers_of
from netdef.report.page import check_place, render
from netdef.report.pictures import BAD, Size, activations, filters, size_for
from netdef.runtime.watch import rms
from netdef.solvers.solver import Solver


def levels(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def value(net, frames, label="A"):
    return page_data(net.plan, [Run(label, "", frames)])


# numbers ------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_numpy():
    x = np.random.default_rng(0).normal(2, 3, (7, 11)).astype(np.float32)
    x[0, :5] = 0
    found = numbers_of(x)
    assert found["count"] == 77 and found["zeros"] == pytest.approx(5 / 77, rel=1e-3) and "bad" not in found
    for name, expected in {"mean": x.mean(), "std": x.std(), "min": x.min(), "max": x.max(), "rms": rms(x)}.items():
        assert found[name] == pytest.approx(float(expected), rel=1e-3), name
    counts = (levels(found["hist"]).astype(float) / 255) ** 2
    exact, _ = np.histogram(x, BINS)
    np.testing.assert_allclose(counts, exact / exact.max(), atol=0.02)


def test_numbers_of_what_is_not_finite():
    found = numbers_of(np.array([1.0, np.nan, 3.0, np.inf]))
    assert (found["bad"], found["mean"], found["min"], found["max"]) == (0.5, 2, 1, 3)
    assert "min" not in numbers_of(np.full(3, np.nan)) and numbers_of(np.full(3, np.nan))["bad"] == 1
    assert numbers_of(np.zeros((0, 4)))["count"] == 0
    assert numbers_of(np.full(9, 2.5))["hist"] == "" and numbers_of(np.full(9, 2.5))["std"] == 0
    huge = numbers_of(np.array([3e38, -3e38], np.float32))
    assert huge["rms"] == pytest.approx(3e38) and json.dumps(huge, allow_nan=False)


def test_a_rare_value_is_in_the_histogram():
    x = np.zeros(1_000_000, np.float32)
    x[-1], x[123_457] = 5, -1
    shown = levels(numbers_of(x)["hist"])
    assert shown[0] > 0 and shown[-1] > 0 and shown.max() == 255 and (shown == 0).sum() == BINS - 3


# pictures -----------------------------------------------------------------------------------------------------


def test_pictures_of_activations_and_filters():
    data = np.zeros((2, 3, 4, 6), np.float32)
    data[0, 0, 1, 2], data[0, 1, 0, 0], data[0, 1, 3, 5] = 7, np.nan, -1
    found = activations(data, Size())
    shown = levels(found["bytes"]).reshape(found["planes"], found["height"], found["width"])
    assert shown.shape == (3, 4, 6) and shown[0, 1, 2] == 254 and shown[0, 0, 0] == 0
    assert shown[1, 0, 0] == BAD and shown[1, 3, 5] == 0 and set(shown[2].flat) == {127}
    weight = np.zeros((5, 2, 3, 3), np.float32)
    weight[0, 0, 0, 0], weight[4, 1, 2, 2] = -2, 1
    found = filters(weight, Size())
    shown = levels(found["bytes"]).reshape(10, 9)
    assert (found["kind"], found["reach"], found["total"]) == ("signed", 2, 10)
    assert shown[0, 0] == 0 and shown[0, 1] == 127 and shown[9, 8] == 190
    assert filters(np.ones((5, 2, 1, 1)), Size()) is None and activations(np.ones((5, 2)), Size()) is None
    colour = filters(np.random.default_rng(0).normal(size=(30, 3, 5, 5)), Size())
    assert colour["kind"] == "colour" and len(levels(colour["bytes"])) == colour["planes"] * 75


def test_pictures_stay_within_the_budget():
    for count in (1, 30, 400, 6000):
        size = size_for(count)
        assert count * size.bytes < 4_500_000 and size.side >= 8
        big = activations(np.ones((1, 64, 200, 150), np.float32), size)
        assert big["planes"] * big["width"] * big["height"] <= size.bytes


# frames -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lived(chain, solver_of):
    """A solver after three iterations with the frames that were taken of them."""
    with Solver(str(solver_of(chain(12))), seed=1) as solver:
        film = Film(solver, lambda iteration: True)
        solver.listen(film)
        solver.step(3)
        yield solver, film


def test_frames_of_a_training(lived):
    solver, film = lived
    assert [f["iteration"] for f in film.frames] == [0, 1, 2]
    run = film.run("A")
    assert [p[0] for p in run.curves[0]["points"]] == [0, 1, 2] and run.findings == []
    data = value(solver.net, film.frames)
    assert data["version"] == VERSION and json.dumps(data, allow_nan=False)
    names = [layer["name"] for layer in data["layers"]]
    conv = data["layers"][names.index("conv0")]
    param = film.frames[-1]["params"][str(conv["params"][0]["id"])]
    assert 0 < param["ratio"] < 0.5 and {"data", "diff", "update", "picture", "diff_picture"} <= set(param)
    assert not solver.net.hooks.of("after_forward"), "a meter at rest must leave no hook"


def test_versions_of_a_blob_changed_in_place_have_numbers_of_their_own(lived):
    solver, film = lived
    data = value(solver.net, film.frames)
    tops = {layer["name"]: film.frames[0]["tops"][str(layer["tops"][0]["value"])] for layer in data["layers"]}
    assert tops["conv0"]["data"]["min"] < 0 <= tops["relu0"]["data"]["min"]
    assert tops["conv0"]["diff"]["zeros"] > tops["relu0"]["diff"].get("zeros", 0)
    blobs = {layer["name"]: layer["tops"][0]["blob"] for layer in data["layers"]}
    assert (blobs["conv0"], blobs["relu0"]) == ("conv0", "conv0@relu0")


def test_frames_agree_with_recordings(chain, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(chain(12).replace('bottom: "conv0" top: "conv0"', 'bottom: "conv0" top: "r0"'))
    net = netdef.Net(str(path), phase="TRAIN", seed=5)
    meter, recorder = Meter(net), Recorder(net)
    meter.begin()
    net.forward()
    net.backward()
    meter.before_update()
    recording = recorder.take(0)
    live, recorded = meter.frame(0, net.loss), frame_of(net.plan, recording)
    assert live["params"] == recorded["params"] and live["layers"].keys() == recorded["layers"].keys()
    replaced = {v.id for v in net.plan.description.values if v.replaces is not None}
    last = {v.replaces for v in net.plan.description.values if v.replaces is not None}
    compared = 0
    for key, top in live["tops"].items():
        if int(key) not in last and key in recorded["tops"]:
            assert top["data"] == recorded["tops"][key]["data"]
        if int(key) not in replaced | last and "diff" in top:
            assert top["diff"] == recorded["tops"][key]["diff"]
            compared += 1
    assert compared > 3


def test_edges_carry_their_own_gradient(lived):
    """conv1 and sum1 both read conv0@relu0: two edges, and what they carry is summed above."""
    solver, film = lived
    plan, frame = solver.net.plan, film.frames[0]
    readers = [v for v in plan.description.values if len(v.readers) == 2 and v.id in plan.with_gradient][0]
    one, two = (float(frame["edges"][f"{layer}:{bottom}"]) for layer, bottom in readers.readers)
    total = float(frame["tops"][str(readers.id)]["diff"]["rms"])
    assert one != two and abs(one - two) < total < one + two


def test_spread():
    assert spread(0, 5) == [0, 1, 2, 3, 4] and spread(0, 1) == [0]
    long = spread(100, 10_000)
    assert long[0] == 100 and long[-1] == 9_999 and len(long) == 12


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    found = plain_curve("loss", "loss", [(i, float(i)) for i in range(12_345)])["points"]
    assert len(found) <= MOST_POINTS + 1 and found[0] == [0, 0] and found[-1][0] == 12_344
    assert plain_curve("loss", "loss", [(0, math.nan)])["points"] == [[0, "NaN"]]


# findings -----------------------------------------------------------------------------------------------------


def test_a_training_that_fails_is_explained_and_shown(chain, solver_of):
    with Solver(str(solver_of(chain(12), "debug_info: false")), overrides=["base_lr=1e30"], seed=1) as solver:
        film = Film(solver, {0}.__contains__)
        solver.listen(film)
        with np.errstate(all="ignore"):
            solver.step(4)
        film.finish()
    assert [f["iteration"] for f in film.frames] == [0, 1], "the first one that failed is taken though nobody asked"
    assert film.frames[1]["loss"] == "NaN"
    found = film.run("A").findings
    assert found[0]["cause"] == "learning rate" and found[0]["iteration"] == 1 and found[0]["meaning"]
    assert json.dumps(value(solver.net, film.frames), allow_nan=False)


def test_a_net_alone_is_judged(chain, tmp_path):
    text = chain(12).replace('num_output: 3 weight_filler { type: "xavier" }', "num_output: 3")
    (tmp_path / "net.prototxt").write_text(text)
    net = netdef.Net(str(tmp_path / "net.prototxt"), phase="TRAIN", seed=5)
    meter, judge = Meter(net), Judge(net)
    meter.begin()
    net.forward()
    net.backward()
    meter.before_update()
    judge.gradients_ready(0, meter.look)
    judge.updated(0, net.loss, meter.look)
    assert {f.cause for f in judge.findings()} == {"zero filler"}


# the page -----------------------------------------------------------------------------------------------------


def test_names_are_text_and_nothing_else(chain, tmp_path, page_of, data_of):
    evil = "</script><script>alert(1)</script><!--&amp;@@SCRIPT@@"
    page = page_of(chain(8, name=evil).replace('name: "relu0"', 'name: "<img src=x onerror=alert(2)>"'), tmp_path, 1)
    text = page.read_text("utf-8")
    assert text.count("<script") == 2 and "alert(1)" in text and "<img" not in text
    data = data_of(page)
    assert data["title"] == evil and data["layers"][2]["name"].startswith("<img")


def test_the_page_asks_for_nothing(chain, tmp_path, page_of):
    text = page_of(chain(8), tmp_path, 2).read_text("utf-8")
    assert "default-src 'none'" in text and "connect-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "@@" not in text


def test_an_empty_page_waits_for_a_script():
    text = render(None, "window.extra = 1;")
    assert "window.extra = 1;" in text and "connect-src 'self'" in text and 'id="data">null<' in text


def test_places_that_cannot_be(tmp_path):
    with pytest.raises(NetdefError, match="got a folder"):
        check_place(tmp_path)
    with pytest.raises(NetdefError, match="there is no folder"):
        check_place(tmp_path / "nowhere" / "page.html")
    check_place(tmp_path / "page.html")


def test_150_layers_and_ten_recordings_stay_small(deep, data_of):
    data = data_of(deep)
    assert len(data["layers"]) == 150 and len(data["runs"][0]["frames"]) == 10
    assert deep.stat().st_size < 10_000_000
