"""DetectionEvaluate: boxes found against true boxes, for the mean average precision."""
from __future__ import annotations

import numpy as np

from netdef.config import paths
from netdef.errors import ConfigError, DataError
from netdef.kernels.reference.boxes import box_overlaps
from netdef.layers.base import Inferred, Layer, LayerSpec, exactly
from netdef.layers.constraints import Constraint, positive
from netdef.layers.detections import FOUND, TRUTH, check_rows, read_truth
from netdef.layers.registry import register

Array = np.ndarray

WARP = 1  # ResizeParameter.Resize_mode
ROW = 5  # picture, class, score, right, wrong


@register("DetectionEvaluate")
class DetectionEvaluate(Layer):
    r"""Says of each box found whether it is right, and counts the true boxes; a test makes the mean average precision of it.

    Formula: the boxes of one image and class, best score first, each go to the true box that they overlap most; they are
    right if the overlap (intersection over union) is at least ``overlap_threshold`` and no better box had the same one,
    else wrong. Boxes that go to a difficult true box count neither way where ``evaluate_difficult_gt`` is false.

    Shapes: found (1, 1, K, 7) from DetectionOutput; true boxes (1, 1, G, 8). Top: (1, 1, R, 5): for each class but the
    background a row (-1, class, number of true boxes, -1, -1), then one for each box found (image, class, score, right,
    wrong); R is known only after forward. There is no gradient.

    Numerical care: the solver and `netdef test` do not average these rows but gather them over all batches of a test and
    give one number, the mean over the classes of the average precision; ``ap_version`` of the solver says by which rule.
    With ``name_size_file`` overlaps are counted in whole pixels, sides as last - first + 1; the order of the pictures must
    be that of the file; with several pictures a batch, each needs a box found.

    Source: SSD's Caffe (weiliu89/caffe, branch ssd), whose files give its options number 205; Everingham et al., The PASCAL
    Visual Object Classes Challenge, IJCV 2010.

    Example::

        layer { name: "found" type: "DummyData" top: "found" dummy_data_param { shape { dim: 1 dim: 1 dim: 1 dim: 7 }
                data_filler { type: "values" values: [0, 2, 0.9, 0.1, 0.2, 0.5, 0.5] } } }
        layer { name: "truth" type: "DummyData" top: "truth" dummy_data_param { shape { dim: 1 dim: 1 dim: 1 dim: 8 }
                data_filler { type: "values" values: [0, 2, 0, 0.1, 0.2, 0.6, 0.5, 0] } } }
        layer { name: "eval" type: "DetectionEvaluate" bottom: "found" bottom: "truth" top: "eval"
                detection_evaluate_param { num_classes: 3 evaluate_difficult_gt: false } }
    """

    options_field = "detection_evaluate_param"
    bottoms = exactly(2)
    differentiable = False
    backward_reads = frozenset()
    dynamic = True
    constraints = {"num_classes": positive(required=True), "overlap_threshold": Constraint(0, 1, low_open=True)}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        self.classes = [c for c in range(o.num_classes) if c != o.background_label_id]
        if spec.has("resize_param") and o.resize_param.resize_mode != WARP:
            raise spec.error("expected resize_mode WARP, got another", "resize_param")
        self.sizes = self._read_sizes() if o.name_size_file else []
        self.cursor = 0  # pictures seen so far

    def _read_sizes(self) -> list[tuple[float, float]]:
        """(height, width) of each picture. Raises FieldError."""
        try:
            path = paths.resolve(self.options.name_size_file, self.spec.located.file)
            lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            sizes = [(float(words[-2]), float(words[-1])) for words in lines]
        except ConfigError as e:
            raise self.spec.error(e.message, "name_size_file", e.hint) from e
        except (OSError, ValueError, IndexError) as e:
            raise self.spec.error(f"expected a text file with lines 'name height width': {e}", "name_size_file") from e
        if not sizes:
            raise self.spec.error("the file is empty", "name_size_file")
        return sizes

    def infer(self, bottom_shapes):
        for i, width in enumerate((FOUND, TRUTH)):
            check_rows(self.spec, tuple(bottom_shapes[i]), i, width)
        return Inferred(tops=[(1, 1, len(self.classes) + bottom_shapes[0][-2], ROW)])

    def forward(self, ctx, bottoms, params, tops):
        o = self.options
        truth = read_truth(self.spec, bottoms[1].data, 1, o.num_classes, o.background_label_id)
        found = bottoms[0].data.reshape(-1, FOUND)
        images = np.unique(found[:, 0])  # also of rows that say that nothing was found
        found = found[found[:, 1] != -1]
        wrong = found[~np.isin(found[:, 1], self.classes)]
        if len(wrong):
            raise DataError(f"{self.spec.who}: detections '{self.spec.message.bottom[0]}': expected classes from 0 to "
                            f"{o.num_classes - 1} other than the background {o.background_label_id}, got {wrong[0, 1]:g}",
                            where=self.spec.span("bottom", 0))
        rows = []
        counted = truth.label if o.evaluate_difficult_gt else truth.label[~truth.difficult]
        for c in self.classes:
            rows.append(np.array([[-1, c, (counted == c).sum(), -1, -1]], float))
        for image in images:
            size = self._size()
            for c in np.unique(found[found[:, 0] == image, 1]):
                own = found[(found[:, 0] == image) & (found[:, 1] == c)]
                own = own[np.argsort(-own[:, 2], kind="stable")]
                hers = truth.where((truth.item == image) & (truth.label == c))
                rows.append(np.column_stack((own[:, :3], self._judge(own[:, 3:], hers.boxes, hers.difficult, size))))
        made = np.concatenate(rows) if rows else np.empty((0, ROW))
        tops[0].reshape(1, 1, len(made), ROW)
        tops[0].data[...] = made

    def _size(self) -> tuple[float, float] | None:
        """Height and width of the next picture, where they are known."""
        if not self.sizes:
            return None
        self.cursor += 1
        return self.sizes[(self.cursor - 1) % len(self.sizes)]

    def _judge(self, found: Array, truths: Array, difficult: Array, size: tuple[float, float] | None) -> Array:
        """(K, 2) right and wrong of boxes (K, 4), best first, of one image and class."""
        judged = np.tile((0.0, 1.0), (len(found), 1))
        if not len(truths):
            return judged
        if size is not None:  # whole pixels: as the last one counts, sides are one longer
            scale = np.array((size[1], size[0], size[1], size[0]))
            one = np.array((0, 0, 1, 1))
            found, truths = np.clip(found, 0, 1) * scale + one, np.clip(truths, 0, 1) * scale + one
        overlap = np.empty((len(found), len(truths)), found.dtype)
        box_overlaps(found, truths.astype(found.dtype, copy=False), overlap)
        taken = set()
        for i, j in enumerate(overlap.argmax(axis=1)):
            if overlap[i, j] < self.options.overlap_threshold:
                continue
            if difficult[j] and not self.options.evaluate_difficult_gt:
                judged[i] = 0
            elif j not in taken:
                judged[i] = 1, 0
                taken.add(j)
        return judged

    def state(self):
        return {"cursor": self.cursor}

    def set_state(self, state):
        self.cursor = int(state["cursor"])
