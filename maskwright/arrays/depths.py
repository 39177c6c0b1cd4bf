"""How deep pixels lie inside their region, exactly, and the inner and outer points that follow from it.

All regions are measured at once, in two passes whose time does not depend on how many there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.connected import whole_numbers
from maskwright.arrays.regions import boxes
from maskwright.arrays.windows import Window

FAR = 2**40
"""Stands for "no other pixel in this column"; larger than the square of any distance in a picture."""


def squared_depths(labels: ArrayLike, *, ignore: int | None = None, edge_is_outside: bool = True) -> NDArray[np.int64]:
    """Squared distance in px from each pixel to the nearest pixel of another number: int64 (height, width), exact.

    The picture's edge counts as outside (the first pixel beyond it), unless `edge_is_outside` is False. Pixels equal to
    `ignore` get 0. A picture of one number without edge has no other pixel: -1 everywhere.

    >>> squared_depths([[1, 1, 1, 1, 2], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    array([[1, 1, 1, 1, 1],
           [1, 4, 4, 2, 1],
           [1, 1, 1, 1, 1]])
    """
    ids = whole_numbers(labels)
    if ids.size == 0:
        return np.zeros(ids.shape, np.int64)
    measure = _depths_compiled if HAS_NUMBA else _depths_plain
    depths = measure(ids.view(np.uint8) if ids.dtype == bool else ids, edge_is_outside)
    if ignore is not None:
        depths[ids == ignore] = 0
    return depths


def inner_points(labels: ArrayLike, count: int | None = None) -> NDArray[np.int64]:
    """The pixel deepest inside each region: int64 (count, 2), row and column.

    Deepest is farthest (Euclidean, exact) from any other pixel and from the picture's edge; of equal ones the first
    in row-major order. A number nobody bears gets (-1, -1). Numbers below 0 are no region.

    >>> inner_points([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]])
    array([[1, 1],
           [0, 3]])
    """
    labels = whole_numbers(labels)
    depths = squared_depths(labels).ravel()
    flat = labels.ravel()
    if count is None:
        count = int(flat.max()) + 1 if flat.size else 0
    best = _deepest_compiled(flat, depths, count) if HAS_NUMBA else _deepest_plain(flat, depths, count)
    points = np.stack(np.divmod(best, max(1, labels.shape[1])), axis=1)
    points[best < 0] = -1
    return points


def inner_point(region: ArrayLike) -> tuple[int, int] | None:
    """Row and column of the pixel deepest inside a region (bool); None for an empty one. Ties as in `inner_points`.

    >>> inner_point([[True, True, True, False]] * 3)
    (1, 1)
    """
    region = np.asarray(region, bool)
    if not region.any():
        return None
    row, col = inner_points(region.astype(np.int8) - 1, 1)[0]
    return int(row), int(col)


def outer_point(region: ArrayLike) -> tuple[int, int] | None:
    """Row and column of the pixel outside a region, but inside its box, that is farthest from it.

    Euclidean, exact; of equal ones the first in row-major order. None when the region is empty or fills its box.

    >>> outer_point([[True, False, False], [True, False, False], [True, True, True]])
    (0, 2)
    """
    region = np.asarray(region, bool)
    if not region.any():
        return None
    box = Window(*(int(side) for side in boxes(region.astype(np.int8) - 1, 1)[0]))
    inside = region[box.slices]
    if inside.all():
        return None
    depths = np.where(inside, 0, squared_depths(inside, edge_is_outside=False))
    row, col = np.unravel_index(int(depths.argmax()), depths.shape)
    return box.top + int(row), box.left + int(col)


def _depths_plain(ids: NDArray[Any], edge_is_outside: bool) -> NDArray[np.int64]:
    """One distance transform per number, in its box and the pixels around it: nothing nearer lies farther out."""
    from scipy import ndimage

    result = np.full(ids.shape, -1, np.int64)
    numbers, inverse = np.unique(ids, return_inverse=True)
    parts = np.pad(inverse.reshape(ids.shape) + 1, 1)
    for index, box in enumerate(ndimage.find_objects(parts, max_label=len(numbers))):
        rows, cols = (slice(side.start - 1, side.stop + 1) for side in box)
        if not edge_is_outside:
            rows, cols = (
                slice(max(1, s.start), min(n - 1, s.stop)) for s, n in zip((rows, cols), parts.shape, strict=True)
            )
        region = parts[rows, cols] == index + 1
        if not region.all():
            near = ndimage.distance_transform_edt(region, return_distances=False, return_indices=True)
            squared = ((near - np.indices(region.shape)).astype(np.int64) ** 2).sum(axis=0)
            at_row, at_col = np.nonzero(region)
            result[at_row + rows.start - 1, at_col + cols.start - 1] = squared[region]
    return result


@compiled
def _depths_compiled(ids: NDArray[Any], edge: bool) -> NDArray[np.int64]:  # pragma: no cover - compiled
    """Columns first, then along each row the lower envelope of parabolas inside every run of one number."""
    height, width = ids.shape
    depths = _column_steps(ids, edge)
    centres = np.empty(width + 2, np.int64)
    heights = np.empty(width + 2, np.int64)
    begins = np.empty(width + 2, np.int64)
    for row in range(height):
        stop = 0
        while stop < width:
            start = stop
            while stop < width and ids[row, stop] == ids[row, start]:
                stop += 1
            first = start - 1 if (start > 0 or edge) else start
            last = stop if (stop < width or edge) else stop - 1
            size = 0
            for col in range(first, last + 1):
                value = depths[row, col] if start <= col < stop else 0
                if value < FAR:
                    size = _add_parabola(centres, heights, begins, size, col, value * value)
            part = 0
            for col in range(start, stop):
                while part + 1 < size and begins[part + 1] <= col:
                    part += 1
                depths[row, col] = (col - centres[part]) ** 2 + heights[part] if size > 0 else -1
    return depths


@compiled
def _column_steps(ids: NDArray[Any], edge: bool) -> NDArray[np.int64]:  # pragma: no cover - compiled
    """Steps up or down to the nearest pixel of another number in the same column, FAR where there is none."""
    height, width = ids.shape
    steps = np.empty((height, width), np.int64)
    steps[0] = 1 if edge else FAR
    for row in range(1, height):
        for col in range(width):
            same = ids[row, col] == ids[row - 1, col]
            steps[row, col] = min(steps[row - 1, col] + 1, FAR) if same else 1
    if edge:
        steps[height - 1] = 1
    for row in range(height - 2, -1, -1):
        for col in range(width):
            below = steps[row + 1, col] + 1 if ids[row, col] == ids[row + 1, col] else 1
            steps[row, col] = min(steps[row, col], below)
    return steps


@compiled
def _add_parabola(
    centres: NDArray[np.int64], heights: NDArray[np.int64], begins: NDArray[np.int64], size: int, col: int, height: int
) -> int:  # pragma: no cover - compiled
    """Put height + (x - col)^2 behind the lower envelope, dropping parabolas it hides; the envelope's new size."""
    begin = -2
    while size > 0:
        rise = height + col * col - heights[size - 1] - centres[size - 1] ** 2
        begin = rise // (2 * (col - centres[size - 1])) + 1  # first whole column where the new one is lower
        if begin > begins[size - 1]:
            break
        size -= 1
    centres[size], heights[size] = col, height
    begins[size] = begin if size > 0 else -2
    return size + 1


def _deepest_plain(flat: NDArray[Any], depths: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    best = np.full(count, -1, np.int64)
    order = np.lexsort((-np.arange(flat.size), depths))  # the last writer wins: deepest, then first in the picture
    order = order[flat[order] >= 0]
    best[flat[order]] = order
    return best


@compiled
def _deepest_compiled(
    flat: NDArray[Any], depths: NDArray[np.int64], count: int
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    best = np.full(count, -1, np.int64)
    for pixel in range(flat.size):
        label = flat[pixel]
        if label >= 0 and (best[label] < 0 or depths[pixel] > depths[best[label]]):
            best[label] = pixel
    return best
