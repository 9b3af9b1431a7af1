"""Predictor: a trained net, what its pictures need, and what its outputs mean."""
from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netdef.config.load import load_net
from netdef.data.images import find_images, read_image
from netdef.data.labels import check_count, read_labels
from netdef.data.preprocessing import Placed, Preprocessing
from netdef.errors import DataError, NetdefError, did_you_mean, warn
from netdef.graph.build import build
from netdef.predict.batches import Batches
from netdef.predict.choose import find_preprocessing
from netdef.predict.decode import Decode
from netdef.predict.opening import Paths, files_of, open_net, with_inputs
from netdef.predict.result import Box, Guess, Prediction
from netdef.predict.rows import Item, Shapes
from netdef.predict.task import find_task

_DEFAULTS = {"classify": Decode(top=5), "detect": Decode(threshold=0.5)}


class Predictor:
    """A trained net that answers.

    ``net``            path of a net or of a .caffemodel that holds one, or a NetParameter message; of a net with data
                       layers the deploy net is taken
    ``weights``        a weights file or several; a .caffemodel as ``net`` brings its own
    ``preprocessing``  a Preprocessing, the path of one, or None to look for it (see ``find_preprocessing``)
    ``labels``         names of the classes: a list or a label file; None takes that of the preprocessing, if any
    ``task``           "classify", "detect", "regress" or "raw"; None goes by the net's outputs
    ``output``         a blob to take in place of the net's outputs
    ``decode``         which classes count: a Decode or a text such as "cumulative=0.95"
    ``batch``          items in one pass; None takes the net's own batch size
    ``keep``           "all" keeps every blob after a pass, to be looked at in ``predictor.net``

    ``shapes``         for a net with data layers whose data are not here: the shape of each input, (N, C, H, W)

    Raises ConfigError, WeightsError, DataError, and NetdefError where the task does not fit the outputs.

    >>> import netdef
    >>> predictor = netdef.Predictor("deploy.prototxt", "lenet.caffemodel")              # doctest: +SKIP
    >>> predictor("seven.png").classes[0]                                                # doctest: +SKIP
    Guess(index=7, score=0.9998, label='')
    >>> predictor.values(x=[0.3, 0.5]).outputs["y"]                                      # doctest: +SKIP
    """

    def __init__(self, net: Any, weights: Paths | None = None, preprocessing: Preprocessing | str | None = None,
                 labels: Sequence[str] | str | os.PathLike[str] | None = None, task: str | None = None,
                 output: str | None = None, decode: Decode | str | None = None, batch: int | None = None,
                 keep: str | None = None, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
        files = files_of(net, weights)
        located = load_net(net)
        self.preprocessing = (preprocessing if isinstance(preprocessing, Preprocessing)
                              else find_preprocessing(located, files, preprocessing))
        label_file = "" if labels is not None else self.preprocessing.label_file
        if isinstance(labels, (str, os.PathLike)):
            label_file = os.fspath(labels)
        self.labels = read_labels(label_file) if label_file else None if labels is None else [str(x) for x in labels]  # type: ignore[union-attr]
        plan = build(with_inputs(located, shapes), "TEST")
        self.task = find_task(plan, None if self.labels is None else len(self.labels), task, output)
        if self.labels is not None and self.task.classes is not None:
            check_count(self.labels, self.task.classes, f"the classes of '{self.task.outputs[0]}'", label_file)
        own = set(self.task.outputs) <= set(plan.description.outputs)
        self.net = open_net(plan, files, keep or ("outputs" if own else "all"))
        self.decode = Decode.parse(decode) if isinstance(decode, str) else decode or self._default_decode()
        self.fixed: dict[str, np.ndarray] = {}
        self._batches = Batches(self.net, self.task.outputs, batch, by_image=self.task.kind == "detect")

    def _default_decode(self) -> Decode:
        return Decode(threshold=0.5) if self.task.several else _DEFAULTS.get(self.task.kind, Decode())

    # what goes in ---------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> Shapes:
        """The shape of one item of each input, without those that were fixed."""
        return {name: self.net.blobs[name].shape[1:] for name in self.net.inputs if name not in self.fixed}

    def fix(self, **values: Any) -> None:
        """Give inputs values that stay the same for all items, such as ``im_info``; of the blob's shape, or one item's."""
        for name, value in values.items():
            if name not in self.net.inputs:
                raise NetdefError(f"the net has no input '{name}'", hint=did_you_mean(name, self.net.inputs))
            shape = self.net.blobs[name].shape
            array = np.asarray(value, np.float32)
            if array.size != math.prod(shape[1:]):
                raise NetdefError(f"input '{name}': expected {math.prod(shape[1:])} values, got {array.size}")
            self.fixed[name] = array.reshape(1, *shape[1:])

    @property
    def picture_input(self) -> str:
        """The input that takes pictures: the one with the axes batch, channels, height, width. Raises NetdefError."""
        found = [name for name, shape in self.inputs.items() if len(shape) == 3]
        if len(found) != 1:
            shapes = ", ".join(f"{n} ({', '.join(map(str, ('N', *s)))})" for n, s in self.inputs.items())
            raise NetdefError(f"expected one input for pictures, (N, C, H, W); the net's inputs are {shapes}",
                              hint="give values with --input, --csv or --npz")
        return found[0]

    def items(self, pictures: Iterable[str | os.PathLike[str]]) -> Iterator[Item]:
        """Picture files, and the pictures in folders, as items. Raises DataError."""
        name = self.picture_input
        self._need_only(name)
        for path in find_images(os.fspath(p) for p in pictures):
            picture = read_image(path, self.preprocessing.reads_color(self.inputs[name][0]))
            yield self._item(path, picture, name, path)

    def item(self, picture: np.ndarray, source: str = "picture") -> Item:
        """An array, uint8 (H, W, 3) in the order blue, green, red or (H, W, 1), as an item."""
        return self._item(source, picture if picture.ndim == 3 else picture[:, :, None], self.picture_input)

    def _item(self, source: str, picture: np.ndarray, name: str, path: str = "") -> Item:
        values, placed = self.preprocessing.apply(picture, self._batches.declared[name][1:], source)
        return Item(source, {name: values}, placed, path)

    def _need_only(self, name: str) -> None:
        others = [n for n in self.inputs if n != name]
        if others:
            raise NetdefError(f"the net has another input, '{others[0]}' of shape {self.inputs[others[0]]} an item",
                              hint=f"give it with --input {others[0]}=...")

    # what comes out -------------------------------------------------------------------------------------------

    def __call__(self, picture: str | os.PathLike[str] | np.ndarray) -> Prediction:
        """The answer for one picture: a file, or an array as ``item`` takes."""
        return next(self.stream([self.item(picture)] if isinstance(picture, np.ndarray) else self.items([picture])))

    def predict(self, pictures: Iterable[str | os.PathLike[str]]) -> list[Prediction]:
        """The answers for several picture files or folders of them."""
        return list(self.stream(self.items(pictures)))

    def values(self, **inputs: Any) -> Prediction:
        """The answer for one item whose values are given by input, as they are: no preprocessing touches them."""
        made = {n: np.asarray(v, np.float32).reshape(1, *self.inputs[n]) for n, v in inputs.items()}
        return next(self.stream([Item("input", made)]))

    def stream(self, items: Iterable[Item]) -> Iterator[Prediction]:
        """The answers for items, in their order, batch by batch as the items come. Raises DataError, NumericalError."""
        for item, outputs in self._batches.run(items, self.fixed):
            yield self._answer(item, outputs)

    def _answer(self, item: Item, outputs: Mapping[str, np.ndarray]) -> Prediction:
        if self.task.kind == "detect":
            rows = outputs[self.task.outputs[0]]
            return Prediction(item.source, "detect", outputs, boxes=tuple(self._boxes(rows, item.placed)))
        if any(np.isnan(value).any() for value in outputs.values()):
            warn("the net's output holds NaN", item.source, "are these the right weights and preprocessing?")
        if self.task.kind != "classify":
            return Prediction(item.source, self.task.kind, outputs)
        scores = outputs[self.task.outputs[0]].reshape(-1)
        try:
            best = self.decode(scores)
        except DataError as error:
            error.where = error.where or item.source
            raise
        return Prediction(item.source, "classify", outputs,
                          tuple(Guess(i, float(scores[i]), self._label(i)) for i in best))

    def _boxes(self, rows: np.ndarray, placed: Placed | None) -> Iterator[Box]:
        """Rows [image, class, score, left, top, right, bottom] as boxes, best first."""
        rows = rows.reshape(-1, 7)
        for at in self.decode(rows[:, 2]):
            _, index, score, *corners = (float(v) for v in rows[at])
            left, top, right, bottom = corners
            if placed is not None:
                left, top = placed.to_picture(left, top)
                right, bottom = placed.to_picture(right, bottom)
            yield Box(int(index), score, (left, top, right, bottom), self._label(int(index)))

    def _label(self, index: int) -> str:
        if self.labels is None:
            return ""
        if not 0 <= index < len(self.labels):
            raise DataError(f"the net found class {index}, there are {len(self.labels)} labels (from 0)")
        return self.labels[index]
