"""Pictures with boxes in a folder laid out as that of PASCAL VOC: Annotations/NAME.xml, JPEGImages/NAME.jpg,
ImageSets/Main/SPLIT.txt with a NAME a line.

Source: Everingham et al., The PASCAL Visual Object Classes Challenge; corners are divided by the picture's size, as SSD's
Caffe does when it makes its databases.
"""
from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import numpy as np

from netdef.data.boxes import Boxes
from netdef.data.images import read_image
from netdef.errors import DataError, did_you_mean

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocFolder:
    """The pictures of one split, in the order of its list, and their boxes, all read when it is made.

    ``classes`` are the names of classes 1, 2, ...; ``empty`` counts boxes without area, which are left out. Raises
    DataError, which names the file, for whatever is missing or malformed.
    """

    def __init__(self, folder: str | os.PathLike[str], split: str, classes: Sequence[str]) -> None:
        self.folder = os.fspath(folder)
        self.classes = {name: number for number, name in enumerate(classes, 1)}
        self.empty = 0
        self.names = self._list(split)
        self.boxes = [self._boxes(name) for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def most(self) -> int:
        """The number of boxes of the picture that has most."""
        return max(len(b.label) for b in self.boxes)

    def picture(self, index: int) -> np.ndarray:
        """Picture ``index`` as uint8 (H, W, 3), blue green red. Raises DataError that names the file and the record."""
        stem = os.path.join(self.folder, "JPEGImages", self.names[index])
        found = next((stem + s for s in SUFFIXES if os.path.exists(stem + s)), stem + SUFFIXES[0])
        try:
            return read_image(found)
        except DataError as error:
            error.notes = (*error.notes, f"record {index} ('{self.names[index]}') of the list")
            raise

    def _list(self, split: str) -> list[str]:
        path = os.path.join(self.folder, "ImageSets", "Main", f"{split}.txt")
        try:
            with open(path, encoding="utf-8") as file:
                names = [words[0] for words in (line.split() for line in file) if words]
        except (OSError, UnicodeDecodeError) as error:
            home = os.path.dirname(path)
            known = sorted(n[:-4] for n in os.listdir(home) if n.endswith(".txt")) if os.path.isdir(home) else []
            text = getattr(error, "strerror", None) or str(error)
            lists = f"there are: {', '.join(known)}" if known else "the folder needs Annotations, JPEGImages, ImageSets/Main"
            raise DataError(f"cannot read the list of pictures: {text}", where=path,
                            hint=did_you_mean(split, known) or lists) from error
        if not names:
            raise DataError("the list of pictures is empty", where=path)
        return names

    def _boxes(self, name: str) -> Boxes:
        path = os.path.join(self.folder, "Annotations", f"{name}.xml")
        try:
            root = ElementTree.parse(path).getroot()
        except OSError as error:
            raise DataError(f"cannot read the annotation: {error.strerror or error}", where=path) from error
        except ElementTree.ParseError as error:
            raise DataError(f"the annotation is no XML: {error}", where=path) from error
        width, height = (self._number(root, f"size/{side}", path) for side in ("width", "height"))
        if min(width, height) <= 0:
            raise DataError(f"expected a size of at least one pixel, got {width:g} x {height:g}", where=path)
        label, corners, difficult = [], [], []
        for thing in root.iter("object"):
            box = np.array([self._number(thing, f"bndbox/{corner}", path) for corner in _CORNERS])
            number = self._label(thing, path)
            if (box[:2] >= box[2:]).any():
                self.empty += 1
                continue
            label.append(number)
            corners.append(box / (width, height, width, height))
            difficult.append((thing.findtext("difficult") or "0").strip() == "1")
        return Boxes(np.array(label, np.int64), np.arange(len(label)), np.array(corners).reshape(-1, 4),
                     np.array(difficult, bool))

    def _label(self, thing: ElementTree.Element, path: str) -> int:
        name = (thing.findtext("name") or "").strip()
        if name not in self.classes:
            raise DataError(f"a box has the class '{name}', which is not among class_name", where=path,
                            hint=did_you_mean(name, self.classes) or f"known are {', '.join(self.classes)}")
        return self.classes[name]

    @staticmethod
    def _number(element: ElementTree.Element, tag: str, path: str) -> float:
        text = element.findtext(tag)
        try:
            value = float(text or "")
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise DataError(f"expected a number as {tag} of <{element.tag}>, got '{text or ''}'", where=path)
        return value
