"""What a user's Python layer gets in its hands: blobs as pycaffe shows them."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdef.blob import Blob


class UserBlob:
    """A blob with pycaffe's names: ``data``, ``diff``, ``shape``, ``num`` and so on, ``reshape(*sizes)``."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob

    @property
    def data(self) -> np.ndarray:
        """The values; write into them: ``top[0].data[...] = x``."""
        return self.blob.data

    @data.setter
    def data(self, values: np.ndarray) -> None:
        raise AttributeError("a blob's data is its memory and cannot be replaced; write data[...] = values")

    @property
    def diff(self) -> np.ndarray:
        """The gradient; write into it: ``bottom[0].diff[...] = dx``."""
        return self.blob.diff

    @diff.setter
    def diff(self, values: np.ndarray) -> None:
        raise AttributeError("a blob's diff is its memory and cannot be replaced; write diff[...] = values")

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self.blob.shape

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.blob.count

    @property
    def num(self) -> int:
        """Size of axis 0; 1 where there is none."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """Size of axis 1; 1 where there is none."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """Size of axis 2; 1 where there is none."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """Size of axis 3; 1 where there is none."""
        return self._legacy(3)

    def reshape(self, *sizes: int) -> None:
        """Give the blob another shape; ``reshape(*shape)`` or ``reshape(2, 3)``."""
        self.blob.reshape(*sizes)

    def _legacy(self, axis: int) -> int:
        return self.shape[axis] if axis < len(self.shape) else 1

    def __repr__(self) -> str:
        return f"<blob '{self.blob.name}' {self.shape}>"


class UserBlobs:
    """``self.blobs`` of a Python layer: its params, a list that ``add_blob`` makes longer in ``setup``."""

    def __init__(self) -> None:
        self._items: list[UserBlob] = []
        self._closed = False

    def add_blob(self, *sizes: int) -> None:
        """Add a param of this shape, zeros at first; what ``setup`` writes into its data is where training begins.

        Raises RuntimeError after ``setup``.
        """
        if self._closed:
            raise RuntimeError("blobs.add_blob: a layer's params are made in setup, and their number is fixed then")
        self._items.append(UserBlob(Blob(f"blob{len(self._items)}", tuple(sizes))))

    def close(self) -> None:
        """From now on the number of params is fixed."""
        self._closed = True

    def __getitem__(self, index: int) -> UserBlob:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[UserBlob]:
        return iter(self._items)


def stand_ins(shapes: list[tuple[int, ...]], stem: str, dtype: str | np.dtype = "float32") -> list[UserBlob]:
    """Blobs of zeros of these shapes, for calls outside of a pass."""
    return [UserBlob(Blob(f"{stem}{i}", tuple(shape), dtype)) for i, shape in enumerate(shapes)]
