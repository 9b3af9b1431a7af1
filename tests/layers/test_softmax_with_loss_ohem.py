"""SoftmaxWithLossOHEM against a plain loop; and R-FCN's training head, where it picks the hard regions."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, GraphError, ShapeError
from netdef.testing import check_layer
from netdef.testing.case import LayerCheckError


def reference(mode="VALID", ignore=None, fixed=1):
    def loss(x, labels):
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        each = np.zeros(labels.shape)
        places = [(0, *place) if x.ndim == 2 else place for place in np.ndindex(*x.shape[2:])]
        valid = 0
        for n in range(len(x)):
            for i, place in enumerate(places):
                label = labels.reshape(len(x), -1)[n, i]
                if label != ignore:
                    each.reshape(len(x), -1)[n, i] = -np.log(p[(n, int(label), *(place if x.ndim > 2 else ()))])
                    valid += 1
        divisor = {"VALID": valid, "FULL": labels.size, "BATCH_SIZE": len(x), "NONE": 1, "PRE_FIXED": fixed}[mode]
        return [np.array(each.sum() / max(1, divisor)), p, each]
    return loss


MAP = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 2], [2, 0]]], float)


@pytest.mark.parametrize("mode", ["VALID", "FULL", "BATCH_SIZE", "NONE", "PRE_FIXED"])
@pytest.mark.parametrize("ignore", [None, 1])
def test_battery(mode, ignore):
    text = f"normalization: {mode} pre_fixed_normalizer: 5 {'' if ignore is None else f'ignore_label: {ignore}'}"
    for shape, labels in (((4, 3), np.array([2.0, 0, 1, 1])), ((3, 3, 2, 2), MAP)):
        report = check_layer(f'type: "SoftmaxWithLossOHEM" loss_param {{ {text} }}', [shape, labels],
                             reference(mode, ignore, 5), tops=3)
        assert {"values", "gradients", "batches"} <= set(report.passed)


def test_labels_of_four_axes_and_fewer_tops():
    labels = np.array([2.0, 0, 1, 1]).reshape(4, 1, 1, 1)
    check_layer('type: "SoftmaxWithLossOHEM"', [(4, 3), labels], reference(), tops=3)
    check_layer('type: "SoftmaxWithLossOHEM"', [(4, 3), labels], lambda x, y: reference()(x, y)[0])


def test_as_many_labels_as_scores_are_no_shares():
    with pytest.raises(ShapeError, match="expected one label for each of the 2 places"):
        check_layer('type: "SoftmaxWithLossOHEM"', [(2, 3), (2, 3)])


def test_refused():
    with pytest.raises(FieldError, match="loss_param { label_smoothing } has no meaning in this type"):
        check_layer('type: "SoftmaxWithLossOHEM" loss_param { label_smoothing: 0.1 }', [(2, 3), np.zeros(2)])
    with pytest.raises(LayerCheckError, match="expected a whole number from 0 to 2, got 3"):
        check_layer('type: "SoftmaxWithLossOHEM"', [(2, 3), np.array([3.0, 0])])


# The head of R-FCN's training net with online hard example mining: 3 classes, 2 kinds of boxes (class-agnostic), 3x3 bins.
RFCN = '''name: "rfcn_ohem"
layer { name: "data" type: "Input" top: "conv" top: "rois" top: "labels" top: "bbox_targets" top: "bbox_inside_weights"
        top: "bbox_outside_weights" input_param { shape { dim: 2 dim: 4 dim: 9 dim: 9 } shape { dim: 6 dim: 5 }
        shape { dim: 6 dim: 1 dim: 1 dim: 1 } shape { dim: 6 dim: 8 dim: 1 dim: 1 } shape { dim: 6 dim: 8 dim: 1 dim: 1 }
        shape { dim: 6 dim: 8 dim: 1 dim: 1 } } }
layer { name: "rfcn_cls" type: "Convolution" bottom: "conv" top: "rfcn_cls"
        convolution_param { num_output: 27 kernel_size: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "rfcn_bbox" type: "Convolution" bottom: "conv" top: "rfcn_bbox"
        convolution_param { num_output: 72 kernel_size: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "psroipooled_cls_rois" type: "PSROIPooling" bottom: "rfcn_cls" bottom: "rois" top: "psroipooled_cls_rois"
        psroi_pooling_param { spatial_scale: 0.0625 output_dim: 3 group_size: 3 } }
layer { name: "ave_cls_score_rois" type: "Pooling" bottom: "psroipooled_cls_rois" top: "cls_score"
        pooling_param { pool: AVE kernel_size: 3 stride: 3 } }
layer { name: "psroipooled_loc_rois" type: "PSROIPooling" bottom: "rfcn_bbox" bottom: "rois" top: "psroipooled_loc_rois"
        psroi_pooling_param { spatial_scale: 0.0625 output_dim: 8 group_size: 3 } }
layer { name: "ave_bbox_pred_rois" type: "Pooling" bottom: "psroipooled_loc_rois" top: "bbox_pred"
        pooling_param { pool: AVE kernel_size: 3 stride: 3 } }
layer { name: "per_roi_loss_cls" type: "SoftmaxWithLossOHEM" bottom: "cls_score" bottom: "labels" top: "temp_loss_cls"
        top: "temp_prob_cls" top: "per_roi_loss_cls" loss_weight: 0 loss_weight: 0 loss_weight: 0
        propagate_down: false propagate_down: false }
layer { name: "per_roi_loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "bbox_targets"
        bottom: "bbox_inside_weights" top: "temp_loss_bbox" top: "per_roi_loss_bbox" loss_weight: 0 loss_weight: 0
        propagate_down: false propagate_down: false propagate_down: false }
layer { name: "per_roi_loss" type: "Eltwise" bottom: "per_roi_loss_cls" bottom: "per_roi_loss_bbox" top: "per_roi_loss"
        propagate_down: false propagate_down: false }
layer { name: "annotator_detector" type: "BoxAnnotatorOHEM" bottom: "rois" bottom: "per_roi_loss" bottom: "labels"
        bottom: "bbox_inside_weights" top: "labels_ohem" top: "bbox_loss_weights_ohem"
        box_annotator_ohem_param { roi_per_img: 2 ignore_label: -1 }
        propagate_down: false propagate_down: false propagate_down: false propagate_down: false }
layer { name: "silence" type: "Silence" bottom: "bbox_outside_weights" bottom: "temp_loss_cls" bottom: "temp_prob_cls"
        bottom: "temp_loss_bbox" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels_ohem" top: "loss_cls" loss_weight: 1
        loss_param { ignore_label: -1 } propagate_down: true propagate_down: false }
layer { name: "accuracy" type: "Accuracy" bottom: "cls_score" bottom: "labels_ohem" top: "accuracy"
        accuracy_param { ignore_label: -1 } }
layer { name: "loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "bbox_targets" bottom: "bbox_loss_weights_ohem"
        top: "loss_bbox" loss_weight: 1 loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 4 }
        propagate_down: true propagate_down: false propagate_down: false }
'''


def rfcn():
    net = netdef.Net(parse_text_message(RFCN, "rfcn.prototxt", "NetParameter"), phase="TRAIN", dtype="float64", seed=3)
    random = np.random.default_rng(1)
    rois = np.array([[i, 16 * x, 8 * x, 16 * x + 70, 8 * x + 60] for i in (0, 1) for x in (0, 1, 3)], float)
    weights = np.zeros((6, 8, 1, 1))
    labels = np.array([0.0, 1, 2, 2, 0, 1])
    weights[labels > 0, 4:] = 1
    net.forward(conv=random.normal(size=(2, 4, 9, 9)), rois=rois, labels=labels.reshape(6, 1, 1, 1),
                bbox_targets=random.normal(size=(6, 8, 1, 1)) * 2 * weights, bbox_inside_weights=weights,
                bbox_outside_weights=weights)
    return net


def test_rfcn_trains_on_the_hardest_regions():
    net = rfcn()
    net.backward()
    value = {name: net.blobs[name].data for name in net.blobs}
    score, box = value["cls_score"].reshape(6, 3), value["bbox_pred"].reshape(6, 8)
    hard = [reference("NONE")(score, value["labels"].reshape(6))[2]]
    d = (box - value["bbox_targets"].reshape(6, 8)) * value["bbox_inside_weights"].reshape(6, 8)
    hard.append(np.where(np.abs(d) < 1, d * d / 2, np.abs(d) - 0.5).sum(1))
    np.testing.assert_allclose(value["per_roi_loss"].ravel(), sum(hard))
    kept = [sorted(np.argsort(-sum(hard)[3 * i: 3 * i + 3])[:2] + 3 * i) for i in (0, 1)]
    kept = np.concatenate(kept)
    assert np.flatnonzero(value["labels_ohem"].ravel() >= 0).tolist() == kept.tolist()
    assert value["loss_cls"] == pytest.approx(hard[0][kept].mean())
    assert value["loss_bbox"] == pytest.approx(hard[1][kept].sum() / 4)
    left = sorted({*range(6)} - {*kept})
    assert not net.blobs["cls_score"].diff[left].any() and net.blobs["cls_score"].diff[kept].any()
    assert all(net.params[name][0].diff.any() for name in ("rfcn_cls", "rfcn_bbox"))


def test_a_gradient_through_the_annotator_is_refused():
    text = RFCN.replace('ignore_label: -1 }\n        propagate_down: false', 'ignore_label: -1 }\n        propagate_down: true')
    assert text != RFCN
    with pytest.raises(GraphError, match="BoxAnnotatorOHEM"):
        netdef.Net(parse_text_message(text, "rfcn.prototxt", "NetParameter"), phase="TRAIN")
