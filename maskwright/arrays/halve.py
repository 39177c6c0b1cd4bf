"""Pictures at half the size, for overviews: class ids by majority, numbers by average; "no data" has no vote."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.windows import Window


def halved_ids(class_ids: NDArray[np.uint8], *, nodata: int | None = None) -> NDArray[np.uint8]:
    """The most frequent id of each 2 x 2 pixels of uint8 (height, width): ((height + 1) // 2, (width + 1) // 2).

    Of equally frequent ids the first in reading order wins, so an overview holds no id that its picture does not.
    `nodata` is given only where all four have it. At an odd edge the pixels that are there decide. One thread: it
    takes as long as reading the array.

    >>> halved_ids(np.uint8([[1, 2, 9], [2, 2, 9], [3, 4, 5]]), nodata=9)
    array([[2, 9],
           [3, 5]], dtype=uint8)
    """
    _checked(class_ids)
    nobody = -1 if nodata is None else nodata
    if HAS_NUMBA:
        return _ids_compiled(class_ids, nobody, _half_of(class_ids))
    votes = np.stack([_quarter(class_ids, row, col, -1) for row in (0, 1) for col in (0, 1)])
    counts = np.stack([(votes == each).sum(axis=0) for each in votes])
    counts[(votes < 0) | (votes == nobody)] = 0
    best: NDArray[np.uint8] = np.take_along_axis(votes, counts.argmax(axis=0)[None], axis=0)[0].astype(np.uint8)
    return best


def halved_numbers(values: NDArray[Any], *, nodata: float | None = None) -> NDArray[Any]:
    """The average of each 2 x 2 pixels of (height, width), of any real dtype, which the result keeps.

    Pixels that are `nodata` or nan do not count; where all are, the result is the first of them. Whole numbers are
    rounded, halves up. At an odd edge the pixels that are there count. One thread: it takes as long as reading.

    >>> halved_numbers(np.uint8([[10, 20, 7], [10, 21, 8]]))
    array([[15,  8]], dtype=uint8)
    >>> halved_numbers(np.float32([[1, 3], [-9, np.nan]]), nodata=-9)
    array([[2.]], dtype=float32)
    """
    _checked(values)
    nothing = np.nan if nodata is None else float(nodata)
    whole = values.dtype.kind in "iu"
    if HAS_NUMBA:
        if values.dtype == np.uint8 and nodata is None:
            return _bytes_compiled(values, _half_of(values))
        return _numbers_compiled(values, nothing, whole, _half_of(values))
    parts = np.stack([_quarter(values, row, col, np.nan) for row in (0, 1) for col in (0, 1)])
    counts = ~np.isnan(parts) & (parts != nothing)
    number = counts.sum(axis=0)
    mean = np.where(counts, parts, 0.0).sum(axis=0) / np.maximum(number, 1)
    half: NDArray[Any] = np.where(number > 0, np.floor(mean + 0.5) if whole else mean, values[::2, ::2])
    return half.astype(values.dtype)


def half_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) of the half of a picture.

    >>> half_shape((5, 8))
    (3, 4)
    """
    return (shape[0] + 1) // 2, (shape[1] + 1) // 2


def half_window(window: Window, shape: tuple[int, int]) -> Window | None:
    """Where the half of a window lies in the half of a picture; None where some 2 x 2 pixels are only partly in it.

    >>> half_window(Window(2, 0, 5, 4), (5, 8)), half_window(Window(2, 0, 5, 4), (6, 8))
    (Window(top=1, left=0, bottom=3, right=2), None)
    """
    if window.top % 2 or window.left % 2:
        return None
    if (window.bottom % 2 and window.bottom < shape[0]) or (window.right % 2 and window.right < shape[1]):
        return None
    return Window(window.top // 2, window.left // 2, (window.bottom + 1) // 2, (window.right + 1) // 2)


def _checked(array: NDArray[Any]) -> None:
    if array.ndim != 2 or not array.size:
        raise ValueError(f"an array (height, width) with pixels can be halved; got {array.shape}")


def _half_of(array: NDArray[Any]) -> NDArray[Any]:
    return np.empty(half_shape(array.shape), array.dtype)


def _quarter(array: NDArray[Any], row: int, col: int, absent: float) -> NDArray[Any]:
    """Every other pixel from (row, col) on, float64 or int16, with `absent` beyond an odd edge."""
    part = array[row::2, col::2]
    kind = np.float64 if np.isnan(absent) else np.int16
    full = np.full(_half_of(array).shape, absent, kind)
    full[: part.shape[0], : part.shape[1]] = part
    return full


@compiled
def _ids_compiled(
    ids: NDArray[np.uint8], nobody: int, half: NDArray[np.uint8]
) -> NDArray[np.uint8]:  # pragma: no cover - compiled
    height, width = ids.shape
    for row in range(half.shape[0]):
        below = min(2 * row + 1, height - 1)
        for col in range(half.shape[1]):
            right = min(2 * col + 1, width - 1)
            first, second = ids[2 * row, 2 * col], ids[2 * row, right]
            third, fourth = ids[below, 2 * col], ids[below, right]
            if first == second and third == fourth and first == third:
                half[row, col] = first
                continue
            best, most = nobody, 0
            for one in range(4):
                if (one % 2 == 1 and right == 2 * col) or (one > 1 and below == 2 * row):
                    continue
                mine = (first, second, third, fourth)[one]
                if mine == nobody:
                    continue
                # What lies beyond an odd edge repeats both of what is there: the order of counts stays the same.
                count = int(mine == first) + int(mine == second) + int(mine == third) + int(mine == fourth)
                if count > most:
                    best, most = mine, count
            half[row, col] = best
    return half


@compiled
def _bytes_compiled(values: NDArray[np.uint8], half: NDArray[np.uint8]) -> NDArray[np.uint8]:  # pragma: no cover
    """As `_numbers_compiled`, where every pixel counts: what lies beyond an odd edge repeats what is there."""
    height, width = values.shape
    for row in range(half.shape[0]):
        above, below = values[2 * row], values[min(2 * row + 1, height - 1)]
        for col in range(width // 2):
            left, right = int(above[2 * col]) + int(below[2 * col]), int(above[2 * col + 1]) + int(below[2 * col + 1])
            half[row, col] = (left + right + 2) >> 2
        if width % 2:
            half[row, width // 2] = (int(above[width - 1]) + int(below[width - 1]) + 1) >> 1
    return half


@compiled
def _numbers_compiled(
    values: NDArray[Any], nothing: float, whole: bool, half: NDArray[Any]
) -> NDArray[Any]:  # pragma: no cover - compiled
    height, width = values.shape
    for row in range(half.shape[0]):
        for col in range(half.shape[1]):
            total, number = 0.0, 0
            for y in range(2 * row, min(2 * row + 2, height)):
                for x in range(2 * col, min(2 * col + 2, width)):
                    value = float(values[y, x])
                    if value == nothing or np.isnan(value):
                        continue
                    total += value
                    number += 1
            if number == 0:
                half[row, col] = values[2 * row, 2 * col]
            elif whole:
                half[row, col] = np.floor(total / number + 0.5)
            else:
                half[row, col] = total / number
    return half
