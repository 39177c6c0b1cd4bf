"""Arrays that lie somewhere else: only the rows and columns that are asked for are read or computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window


class Slab:
    """An array (height, width, ...) indexed as numpy would: slices, steps and whole numbers, rows and columns first.

    A kind of slab says its `shape` and `dtype`, and gives the part inside a window.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def dtype(self) -> np.dtype[Any]:
        raise NotImplementedError

    def _part(self, window: Window) -> NDArray[Any]:
        raise NotImplementedError

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        if any(each is Ellipsis for each in keys):
            at = next(i for i, each in enumerate(keys) if each is Ellipsis)
            keys = (*keys[:at], *[slice(None)] * (len(self.shape) - len(keys) + 1), *keys[at + 1 :])
        rows, row_rest = _span(keys[0] if keys else slice(None), self.shape[0])
        cols, col_rest = _span(keys[1] if len(keys) > 1 else slice(None), self.shape[1])
        if len(rows) and len(cols):
            part = self._part(Window(rows.start, cols.start, rows.stop, cols.stop))
        else:
            part = np.empty((len(rows), len(cols), *self.shape[2:]), self.dtype)
        picked: NDArray[Any] = part[:, col_rest][row_rest] if len(keys) < 3 else part[:, col_rest, keys[2]][row_rest]
        return picked

    def __array__(self, dtype: Any = None, /, *, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("pixels that lie elsewhere cannot become an array without a copy")
        return np.asarray(self[:, :], dtype)


class Deferred(Slab):
    """An array that is read whole when somebody first asks for a part of it, and kept then."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[], NDArray[Any]]) -> None:
        self._shape, self._dtype, self._read = shape, dtype, read
        self._array: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def _part(self, window: Window) -> NDArray[Any]:
        if self._array is None:
            self._array = self._read()
        return self._array[window.slices]


def _span(key: Any, size: int) -> tuple[range, Any]:
    """The rows (or columns) to read for an index, and the index to apply to what was read."""
    if isinstance(key, slice):
        wanted = range(size)[key]
        if len(wanted) == 0:
            return range(0), slice(None)
        low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
        return range(low, high + 1), slice(None, None, wanted.step)
    if isinstance(key, int | np.integer):
        at = range(size)[int(key)]
        return range(at, at + 1), 0
    raise TypeError(f"pixels in a file are read by slices and whole numbers; got {key!r}; use np.asarray first")
