from __future__ import annotations

import pytest

from netdef.config.load import load_net, parse_text_message
from netdef.errors import ConfigError
from netdef.graph.build import build
from netdef.graph.deploy import deploy
from netdef.graph.differences import compare

DATA = """name: n
layers:
  - data: {DummyData: {shape: [{dim: [4, 3, 8, 8]}, {dim: 4}]}, top: [data, label], include: {phase: TEST}}
  - data: {DummyData: {shape: [{dim: [4, 3, 9, 9]}, {dim: 4}]}, top: [data, label], include: {phase: TRAIN}}
  - ip: {InnerProduct: {num_output: 3, weight_filler: {type: xavier}}, bottom: data,
         param: [{lr_mult: 1, name: w}, {decay_mult: 0}]}
"""


def derived(text, **options):
    return deploy(parse_text_message(text, "n.yaml", "NetParameter"), **options)


def kinds(made):
    return [(m.name, m.type) for m in made.message.layer]


def test_a_classifier():
    made = derived(DATA + "  - drop: {Dropout: {}, top: ip}\n  - acc: {Accuracy: {}, bottom: [ip, label]}\n"
                   "  - loss: {SoftmaxWithLoss: {axis: 1}, bottom: [ip, label], loss_weight: 2}\nforce_backward: true\n")
    assert kinds(made) == [("data", "Input"), ("ip", "InnerProduct"), ("drop", "Dropout"), ("prob", "Softmax")]
    data, ip, _, prob = made.message.layer
    assert list(data.input_param.shape[0].dim) == [1, 3, 8, 8] and list(data.top) == ["data"]
    assert not ip.inner_product_param.HasField("weight_filler")
    assert [[f.name for f, _ in p.ListFields()] for p in ip.param] == [["name"], []] and ip.param[0].name == "w"
    assert prob.softmax_param.HasField("axis") and not prob.loss_weight and not made.message.force_backward
    assert made.left_out == ("acc (Accuracy): it only reports",)
    assert build(made.message, "TEST").description.outputs == ("prob",)
    assert kinds(derived(DATA + "  - drop: {Dropout: {}, top: ip}\n  - l: {HingeLoss: {}, bottom: [ip, label]}\n",
                         dropout=False)) == [("data", "Input"), ("ip", "InnerProduct")]


@pytest.mark.parametrize(("loss", "output"), [
    ("SigmoidCrossEntropyLoss: {}", ("prob", "Sigmoid")), ("EuclideanLoss: {}", None), ("InfogainLoss: {}", ("prob", "Softmax")),
    ("FocalLoss: {mode: SIGMOID}", ("prob", "Sigmoid")), ("FocalLoss: {}", ("prob", "Softmax"))])
def test_losses(loss, output):
    made = derived(DATA + f"  - loss: {{{loss}, bottom: [ip, label]}}\n")
    assert kinds(made)[2:] == ([output] if output else [])


def test_batch_and_given_shapes():
    text = DATA + "  - loss: {SoftmaxWithLoss: {}, bottom: [ip, label]}\n"
    dims = [list(derived(text, **o).message.layer[0].input_param.shape[0].dim) for o in (
        {"batch": 7}, {"shapes": {"data": (5, 3, 2, 2)}}, {"shapes": {"data": (5, 3, 2, 2)}, "batch": 2})]
    assert dims == [[7, 3, 8, 8], [5, 3, 2, 2], [2, 3, 2, 2]]


def test_data_that_are_not_here():
    text = ("layers:\n  - d: {Data: {source: nowhere, batch_size: 64}, top: [data, label]TRANSFORM}\n"
            "  - ip: {InnerProduct: {num_output: 3}, bottom: data}\n  - l: {SoftmaxWithLoss: {}, bottom: [ip, label]}\n")
    with pytest.raises(ConfigError, match=r"n.yaml:2:5.*the shape of 'data' is not known.*--assume data=1,C,H,W"):
        derived(text.replace("TRANSFORM", ""))
    transform = ", transform_param: {crop_size: 9, mean_value: [1, 2, 3], scale: 0.5, mirror: true}"
    made = derived(text.replace("TRANSFORM", transform))
    assert made.expects == ("data: 1 x 3 x 9 x 9; cropped to 9 x 9 at the centre, then mean 1, 2, 3 taken off "
                            "(channel by channel), then multiplied by 0.5",)
    assert "3 channels" in made.notes[0]


def test_auxiliary_classifiers_go_and_other_tasks_stay():
    heads = DATA + ("  - side: {InnerProduct: {num_output: 2}, bottom: ip}\n"
                    "  - aux: {SoftmaxWithLoss: {}, bottom: [side, label], loss_weight: WEIGHT}\n"
                    "  - score: {InnerProduct: {num_output: 2}, bottom: ip}\n"
                    "  - loss: {SoftmaxWithLoss: {}, bottom: [score, label]}\n")
    made = derived(heads.replace("WEIGHT", "0.3"))
    assert [n for n, _ in kinds(made)] == ["data", "ip", "score", "prob"]
    assert any(t.startswith("aux (SoftmaxWithLoss): an auxiliary loss") for t in made.left_out)
    both = derived(heads.replace("WEIGHT", "1"))
    assert [n for n, _ in kinds(both)] == ["data", "ip", "side", "side_prob", "score", "score_prob"]


def test_what_only_serves_labels_goes():
    made = derived(DATA + "  - scaled: {Power: {scale: 2}, bottom: label}\n  - quiet: {Silence: {}, bottom: scaled}\n"
                   "  - target: {Flatten: {}, bottom: data}\n  - loss: {EuclideanLoss: {}, bottom: [ip, target]}\n")
    assert [n for n, _ in kinds(made)] == ["data", "ip"]


def test_data_and_loss_of_train_where_test_has_none():
    lines = DATA.splitlines(keepends=True)
    made = derived("".join([*lines[:2], *lines[3:]])
                   + "  - loss: {SoftmaxWithLoss: {}, bottom: [ip, label], include: {phase: TRAIN}}\n")
    assert kinds(made)[-1] == ("prob", "Softmax") and len(made.notes) == 2


def test_a_detector_predicts_what_its_detection_output_makes():
    made = derived("""name: n
layers:
  - data: {DummyData: {shape: [{dim: [2, 8]}, {dim: [2, 4]}, {dim: [1, 2, 8]}, {dim: [1, 1, 1, 8]}]},
           top: [loc, conf, prior, truth]}
  - loss: {MultiBoxLoss: {num_classes: 2}, bottom: [loc, conf, prior, truth], include: {phase: TRAIN}}
  - found: {DetectionOutput: {num_classes: 2}, bottom: [loc, conf, prior], include: {phase: TEST}}
  - mAP: {DetectionEvaluate: {num_classes: 2}, bottom: [found, truth], include: {phase: TEST}}
""")
    assert kinds(made) == [("data", "Input"), ("found", "DetectionOutput")] and not made.notes


def test_an_output_that_is_there_already_is_kept():
    made = derived(DATA + "  - out: {Softmax: {}}\n  - acc: {Accuracy: {}, bottom: [out, label]}\n"
                   "  - loss: {SoftmaxWithLoss: {}, bottom: [ip, label]}\n  - best: {ArgMax: {}, bottom: ip}\n")
    assert [n for n, _ in kinds(made)] == ["data", "ip", "out", "best"]


def test_nothing_to_predict():
    with pytest.raises(ConfigError, match="nothing is predicted"):
        derived("layers:\n  - data: {DummyData: {shape: {dim: 4}}}\n")


@pytest.mark.parametrize(("train", "theirs", "batch"), [
    ("bvlc_alexnet", "bvlc_alexnet", 10), ("bvlc_reference_caffenet", "bvlc_reference_caffenet", 10),
    ("bvlc_googlenet", "bvlc_googlenet", 10), ("finetune_flickr_style", "finetune_flickr_style", 10)])
def test_is_the_published_deploy_net(train, theirs, batch, shared):
    """Rates and fillers that people left in, and nothing else, differ."""
    folder = shared / "prototxt"
    made = deploy(folder / f"BVLC+caffe__models__{train}__train_val.prototxt", batch)
    wanted = load_net(folder / f"BVLC+caffe__models__{theirs}__deploy.prototxt")
    found = compare(parse_text_message(str(made.message), "made.prototxt", "NetParameter"), wanted, "made", "theirs")
    paths = {f.path for _, fields in found.layers for f in fields}
    assert all("lr_mult" in p or "decay_mult" in p or "_filler" in p for p in paths)
    assert not (found.only_a or found.only_b or found.renamed or found.shapes)
