"""Predictor: pictures and numbers in, answers out."""
from __future__ import annotations

import warnings

import numpy as np
import pytest

from netdef import Predictor, Preprocessing
from netdef.data.images import read_image
from netdef.errors import DataError, NetdefError
from netdef.predict.rows import Item
from netdef.runtime.net import Net


def test_pictures_are_told_apart(tiny, pictures):
    predictor = Predictor(*tiny, labels=["blue", "green", "red"])
    answers = predictor.predict([pictures])
    assert [a.classes[0].label for a in answers] == ["blue", "green", "red"]
    assert [a.source for a in answers] == [str(p) for p in sorted(pictures.iterdir())]
    assert answers[0].classes[0].score == pytest.approx(np.exp(2) / (np.exp(2) + 2), rel=1e-5)
    assert Predictor(*tiny, Preprocessing(channel_order="RGB"))(pictures / "2_red.png").classes[0].index == 0


def test_an_array_is_as_good_as_a_file(tiny, pictures):
    predictor = Predictor(*tiny)
    path = pictures / "1_green.png"
    assert predictor(read_image(path)).classes == predictor(path).classes


def test_batches_do_not_matter(tiny, pictures):
    alone = [c.score for a in Predictor(*tiny, batch=1).predict([pictures]) for c in a.classes]
    for batch in (None, 2, 3, 50):
        assert [c.score for a in Predictor(*tiny, batch=batch).predict([pictures]) for c in a.classes] == pytest.approx(alone)


def test_ten_crops_are_averaged(tiny):
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, :4, 0] = 200  # blue on the left, green on the right
    picture[:, 4:, 1] = 200
    predictor = Predictor(*tiny, Preprocessing(oversample=True, keep_size=True, crop_size=4), batch=3)
    left, middle = np.array([2, 0, 0]), np.array([1, 1, 0])
    soft = [np.exp(v) / np.exp(v).sum() for v in (left, left[[1, 0, 2]], left, left[[1, 0, 2]], middle)]
    assert predictor(picture).outputs["prob"] == pytest.approx(np.mean(soft, axis=0), rel=1e-5)


def test_views_of_several_pictures_in_one_batch(tiny, pictures):
    ten = Preprocessing(oversample=True, resize=(6, 8), crop_size=4)
    alone = Predictor(*tiny, ten, batch=1).predict([pictures])
    together = Predictor(*tiny, ten, batch=30).predict([pictures])
    assert [a.classes[0].index for a in together] == [0, 1, 2]
    for one, other in zip(alone, together, strict=True):
        assert other.outputs["prob"] == pytest.approx(one.outputs["prob"])


def test_a_net_that_works_at_its_own_size_alone(tmp_path):
    """Hard-wired batch sizes are found out, and batches filled up."""
    (tmp_path / "net.yaml").write_text("""
layers:
  - x: {Input: {shape: {dim: [2, 4]}}}
  - y: {Reshape: {shape: {dim: [2, 2, 2]}}}
""")
    predictor = Predictor(tmp_path / "net.yaml")
    items = [Item(str(i), {"x": np.full((1, 4), i, np.float32)}) for i in range(5)]
    assert [float(a.outputs["y"].mean()) for a in predictor.stream(items)] == [0, 1, 2, 3, 4]
    with pytest.raises(NetdefError):
        list(Predictor(tmp_path / "net.yaml", batch=5).stream(items))


def test_a_train_net_is_deployed(small):
    predictor = Predictor(*small)
    assert list(predictor.inputs) == ["data"] and predictor.task.kind == "classify"
    with Net(small[0], weights=small[1]) as net:
        net.forward()
        score = net.blobs["score"].data
        first = predictor.values(data=net.blobs["data"].data[0])
    assert first.outputs[predictor.task.outputs[0]] == pytest.approx(np.exp(score[0]) / np.exp(score[0]).sum(), rel=1e-5)


def test_a_caffemodel_is_a_net(small, tmp_path):
    with Net(*small[:1], weights=small[1]) as net:
        net.save(tmp_path / "whole.caffemodel")
    answer = Predictor(tmp_path / "whole.caffemodel").values(data=[0.1, 0.2])
    assert answer.classes == Predictor(*small).values(data=[0.1, 0.2]).classes


def test_the_net_is_frozen(tiny):
    predictor = Predictor(*tiny)
    assert predictor.net.freeze and "mean" not in predictor.net.blobs
    assert "mean" in Predictor(*tiny, keep="all").net.blobs


def test_further_inputs_stay_the_same(tmp_path):
    (tmp_path / "net.yaml").write_text("""
layers:
  - x: {Input: {shape: {dim: [1, 2]}}}
  - scale: {Input: {shape: {dim: [1, 2]}}}
  - y: {Eltwise: {operation: PROD}, bottom: [x, scale]}
""")
    predictor = Predictor(tmp_path / "net.yaml")
    predictor.fix(scale=[2, 3])
    assert list(predictor.inputs) == ["x"]
    items = [Item("", {"x": np.array([[k, 1]], np.float32)}) for k in range(3)]
    assert [a.outputs["y"].tolist() for a in predictor.stream(items)] == [[0, 3], [2, 3], [4, 3]]
    with pytest.raises(NetdefError, match="expected 2 values, got 1"):
        predictor.fix(scale=1)
    with pytest.raises(NetdefError, match="no input 'skale'; did you mean 'scale'"):
        predictor.fix(skale=1)


def test_several_labels(tiny, pictures):
    answer = Predictor(*tiny, decode="cumulative=0.8")(pictures / "0_blue.png")
    assert [c.index for c in answer.classes] == [0, 1]
    with pytest.raises(DataError, match="blue.png: error: cumulative: expected probabilities"):
        Predictor(*tiny, decode="cumulative=0.8", output="score", task="classify")(pictures / "0_blue.png")


def boxes_of(tmp_path, rows):
    """A net that finds the same boxes in any picture."""
    values = ", ".join(str(float(v)) for row in rows for v in row)
    (tmp_path / "boxes.yaml").write_text(f"""
layers:
  - data: {{Input: {{shape: {{dim: [1, 3, 4, 4]}}}}}}
  - found: {{Parameter: {{shape: {{dim: [1, 1, {len(rows)}, 7]}}}}}}
  - quiet: {{Silence: {{}}, bottom: data}}
""")
    net = Net(tmp_path / "boxes.yaml")
    net.params["found"][0].data[...] = np.array([float(v) for v in values.split(",")]).reshape(1, 1, -1, 7)
    net.save(tmp_path / "boxes.npz")
    return tmp_path / "boxes.yaml", tmp_path / "boxes.npz"


def test_boxes_are_in_pixels_of_the_picture(tmp_path):
    found = boxes_of(tmp_path, [[0, 1, 0.6, 0, 0, 0.5, 0.5], [0, 2, 0.9, 0.25, 0.5, 1, 1], [0, 1, 0.4, 0, 0, 1, 1],
                                [1, 1, 0.99, 0, 0, 1, 1], [0, -1, 0.9, 0, 0, 0, 0]])
    picture = np.zeros((10, 20, 3), np.uint8)
    boxes = Predictor(*found, task="detect", labels=["none", "cat", "dog"], batch=1)(picture).boxes
    assert [(b.label, round(b.score, 3), b.corners) for b in boxes] == [("dog", 0.9, (5, 5, 20, 10)), ("cat", 0.6, (0, 0, 10, 5))]
    boxes = Predictor(*found, Preprocessing(shorter_side=4), task="detect", batch=1)(picture).boxes
    assert boxes[0].corners == (7.5, 5.0, 15.0, 10.0)  # the crop is the middle 10 of 20 columns
    with pytest.raises(DataError, match="the net found class 2, there are 2 labels"):
        Predictor(*found, task="detect", labels=["none", "cat"], batch=1)(picture)


def test_boxes_of_several_pictures_in_one_batch(tmp_path):
    found = boxes_of(tmp_path, [[k, k, 0.9, 0, 0, 1, 1] for k in range(3)])
    predictor = Predictor(*found, task="detect", batch=3)
    items = [predictor.item(np.zeros((10 * (k + 1), 10, 3), np.uint8), str(k)) for k in range(3)]
    answers = list(predictor.stream(items))
    assert [[(b.index, b.corners) for b in a.boxes] for a in answers] == [[(k, (0, 0, 10, 10 * (k + 1)))] for k in range(3)]


def test_said_before_anything_runs(tiny, tmp_path, caplog):
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="labels.txt: error: expected 3 labels, for the classes of 'prob', got 2"):
        Predictor(*tiny, labels=tmp_path / "labels.txt")
    Predictor(tiny[0])
    assert "runs without weights" in caplog.text
    np.savez(tmp_path / "other.npz", **{"nobody/0": np.zeros(3)})
    Predictor(tiny[0], tmp_path / "other.npz")
    assert "no file has params for score" in caplog.text


def test_nan_is_said(tiny, pictures, caplog):
    predictor = Predictor(*tiny, Preprocessing(scale=(1e38,)))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = predictor(pictures / "0_blue.png")
    assert np.isnan(answer.outputs["prob"]).any() and "the net's output holds NaN" in caplog.text
    assert answer.as_dict()["classes"][-1]["score"] is None


def test_wrong_inputs(tiny, pictures, tmp_path):
    (tmp_path / "rows.yaml").write_text("layers: [{x: {Input: {shape: {dim: [1, 2]}}}}, {y: {Power: {}}}]")
    with pytest.raises(NetdefError, match=r"expected one input for pictures, \(N, C, H, W\); the net's inputs are x \(N, 2\)"):
        Predictor(tmp_path / "rows.yaml").predict([pictures])
    with pytest.raises(DataError, match="no such picture"):
        Predictor(*tiny).predict([pictures / "9.png"])
