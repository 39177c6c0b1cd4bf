"""Arrays as one line of numbers: compiled loops over a row are quickest where they know that it lies in one piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def flat_rows(array: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, int]]:
    """An array (channels, height, width) as a line of numbers, and the steps in it to the next channel and row.

    A view, for any part of an array of that order; rows that do not lie in one piece are copied. Of any dtype; an
    empty array gives an empty line.

    >>> line, (channel, row) = flat_rows(np.arange(24).reshape(2, 3, 4)[:, 1:, 2:])
    >>> line.tolist(), channel, row
    ([6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23], 12, 4)
    """
    size = array.itemsize
    if array.strides[2] != size or min(array.strides) < 0 or any(step % size for step in array.strides):
        array = np.ascontiguousarray(array)
    steps = array.strides[0] // size, array.strides[1] // size
    if not array.size:
        return array.reshape(-1), steps
    channels, height, width = array.shape
    length = (channels - 1) * steps[0] + (height - 1) * steps[1] + width
    return np.lib.stride_tricks.as_strided(array, (length,), (size,), writeable=array.flags.writeable), steps
