"""WindowData: foreground and background windows of pictures, as R-CNN is trained."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdef.data.images import read_image
from netdef.data.reader import Job
from netdef.data.transforms import Transformer
from netdef.data.windows import Cut, WindowFile, Windows, cut_out, place, read_windows
from netdef.errors import DataError, FieldError
from netdef.layers import feeding
from netdef.layers.base import Inferred, LayerSpec, exactly
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.image_data import ImageData
from netdef.layers.registry import register
from netdef.rng import Stream

SHARE = Constraint(low=0, high=1)
MODES = ("warp", "square")


class Peeked(NamedTuple):
    """The window file, what is put before its paths, and the transform (of which the mean is used here)."""

    file: WindowFile
    folders: tuple[str, ...]
    transformer: Transformer


@register("WindowData")
class WindowData(feeding.Feeding):
    r"""Cuts windows out of pictures and resizes them to squares: first those of the background, then of the foreground.

    Formula: y = (x - mean) * scale of each window, perhaps mirrored; 0 where it reaches beyond the picture.

    Shapes: no bottoms; tops (batch_size, 3, crop_size, crop_size), colours in the order blue, green, red, and labels
    (batch_size). crop_size, mean_file or mean_value and mirror are those of ``transform_param``, ``scale`` is not. The
    mean image's centre is subtracted.

    Numerical care: of each batch floor(batch_size * fg_fraction) windows are foreground, the last ones. Windows are drawn
    with replacement, uniformly, by seed, layer name and number of the pass. A window with an overlap of at least
    fg_threshold is foreground, below bg_threshold it is background with label 0, between them it is left out.
    ``context_pad`` and ``crop_mode: "square"`` grow the window around its centre before it is cut.

    Source: BVLC Caffe, window_data_layer; R-CNN (Girshick et al. 2014).

    Example::

        layer { name: "rois" type: "WindowData" top: "data" top: "label" transform_param { crop_size: 227 mirror: true }
                window_data_param { source: "windows.txt" batch_size: 64 context_pad: 16 } }
    """

    options_field = "window_data_param"
    tops = exactly(2)
    constraints = {"batch_size": positive(required=True), "fg_threshold": SHARE, "bg_threshold": SHARE,
                   "fg_fraction": SHARE, "context_pad": not_negative()}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        if not o.source:
            raise spec.error("missing; expected a window file", "source")
        if o.crop_mode not in MODES:
            raise spec.error(f"expected {' or '.join(MODES)}, got '{o.crop_mode}'", "crop_mode")
        if o.bg_threshold > o.fg_threshold:
            raise spec.error(f"expected at most fg_threshold ({o.fg_threshold:g}), got {o.bg_threshold:g}", "bg_threshold")
        self.size: int = spec.message.transform_param.crop_size
        if not self.size:
            raise FieldError(f"{spec.who}: transform_param: crop_size: missing; expected the side of the windows in pixels",
                             where=spec.span("transform_param"))
        if 2 * o.context_pad >= self.size:
            raise spec.error(f"expected less than half of crop_size ({self.size}), got {o.context_pad}", "context_pad")
        self.mirror: bool = spec.message.transform_param.mirror
        self.foreground = int(np.float32(self.batch_size) * np.float32(o.fg_fraction))
        self._files: dict[int, bytes] = {}  # with cache_images

    @classmethod
    def peek(cls, spec: LayerSpec) -> Peeked:
        """Read the window file and the mean. Raises FieldError located at the option that is wrong."""
        o = spec.options
        with feeding.about(spec, "source", spec.option_span("source")):
            path = feeding.found_path(spec, o.source)
            file = read_windows(path, o.fg_threshold, o.bg_threshold)
        with feeding.about(spec, "transform_param", spec.span("transform_param")):
            transformer = feeding.transformer_of(spec)
            if transformer.mean is not None:
                _check_mean(transformer.mean, transformer.crop_size)
            if transformer.mean_values.size not in (0, 1, 3):
                raise DataError(f"expected 1 or 3 mean_value (one for each channel), got {transformer.mean_values.size}")
        return Peeked(file, ImageData._folders(spec, path), transformer)

    def infer(self, bottom_shapes):
        n, file = self.batch_size, self.spec.peeked.file
        for wanted, windows, name in ((self.foreground, file.foreground, "fg_threshold"),
                                      (n - self.foreground, file.background, "bg_threshold")):
            if wanted and not len(windows.rows):
                kind = "foreground" if name == "fg_threshold" else "background"
                raise self.spec.error(f"a batch has {wanted} windows of the {kind}, and '{file.path}' has none", name)
        return Inferred(tops=[(n, 3, self.size, self.size), (n,)])

    def make_batch(self, job: Job) -> list[np.ndarray]:
        """See Feeding."""
        file = self.spec.peeked.file
        data = np.zeros((self.batch_size, 3, self.size, self.size), self.dtype)
        labels = np.empty(self.batch_size, self.dtype)
        numbers, flips = self._draws(job)
        for item, number in enumerate(numbers):
            windows = self._kind(item)
            self._put(file, windows, int(number), bool(flips[item]), data[item])
            labels[item] = windows.rows[number, 1]
        return [data, labels]

    def record_at(self, item):
        """The line of the window file that names the window."""
        if self._job is None:
            return None
        return int(self._kind(item).lines[self._draws(self._job)[0][item]])

    def close(self):
        super().close()
        self._files.clear()

    def state(self):
        return {}

    def set_state(self, state):
        self._job = None

    def _kind(self, item: int) -> Windows:
        file = self.spec.peeked.file
        return file.foreground if item >= self.batch_size - self.foreground else file.background

    def _draws(self, job: Job) -> tuple[np.ndarray, np.ndarray]:
        """Which window each item is, of its kind, and which ones are mirrored."""
        stream = Stream(job.seed, self.name, job.iteration)
        counts = np.array([max(1, len(self._kind(item).rows)) for item in range(self.batch_size)])
        numbers = stream.integers(0, 1 << 32, (self.batch_size,)) % counts
        flips = stream.bernoulli(0.5, (self.batch_size,)) & self.mirror
        return numbers, flips

    def _put(self, file: WindowFile, windows: Windows, number: int, mirror: bool, out: np.ndarray) -> None:
        """One window into ``out`` (3, size, size), which is 0."""
        picture, _, *box = (int(v) for v in windows.rows[number])
        where = f"{file.path}:{windows.lines[number]}"
        image = self._image(file, picture)
        o = self.options
        try:
            cut = place((box[0], box[1], box[2], box[3]), image.shape[0], image.shape[1], self.size, o.context_pad,
                        o.crop_mode == "square", mirror)
        except ValueError as error:
            raise DataError(str(error), where=where) from error
        part = cut_out(image, cut, mirror)
        rows, columns = slice(cut.down, cut.down + cut.height), slice(cut.right, cut.right + cut.width)
        out[:, rows, columns] = (part - self._mean(cut)) * out.dtype.type(o.scale)

    def _mean(self, cut: Cut) -> np.ndarray:
        transformer: Transformer = self.spec.peeked.transformer
        if transformer.mean is None:
            values = transformer.mean_values if transformer.mean_values.size else np.zeros(1, np.float32)
            return values.reshape(-1, 1, 1)
        spare = (transformer.mean.shape[2] - self.size) // 2
        top, left = spare + cut.down, spare + cut.right
        return transformer.mean[:, top: top + cut.height, left: left + cut.width]

    def _image(self, file: WindowFile, number: int) -> np.ndarray:
        """A picture (H, W, 3). Raises DataError that names the line of the window file."""
        picture, found = file.pictures[number], self._files.get(number)
        folders = self.spec.peeked.folders
        error: DataError | None = None
        for source in [found] if found is not None else dict.fromkeys(folder + picture.path for folder in (*folders, "")):
            try:
                if found is None and self.options.cache_images:
                    with open(source, "rb") as opened:
                        self._files[number] = source = opened.read()
                return read_image(source)
            except OSError as e:
                error = error or DataError(f"cannot read the picture: {e.strerror or e}", where=str(source))
            except DataError as e:
                error = error or e
        assert error is not None
        name = f" '{folders[0]}{picture.path}'"
        raise DataError(f"{error.message}{name}", where=f"{file.path}:{picture.line}", hint=error.hint) from error


def _check_mean(mean: np.ndarray, size: int) -> None:
    if mean.shape[0] != 3 or mean.shape[1] != mean.shape[2] or mean.shape[1] < size:
        raise DataError(f"expected a square mean image of 3 channels and at least {size} pixels a side, got "
                        f"{'x'.join(map(str, mean.shape))}")
