"""How deep pixels lie inside their region, exactly, and the inner and outer points that follow from it.

All regions are measured at once, in two passes whose time does not depend on how many there are. One thread: columns
and rows wait for each other; the passes release the GIL, so that pictures can be done side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.connected import whole_numbers
from maskwright.arrays.windows import Window

NONE = -1
"""Stands for "no other pixel in this column" among steps."""


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
    work = ids.view(np.uint8) if ids.dtype == bool else ids
    if HAS_NUMBA:
        depths = np.empty(ids.shape, np.int64)
        _depths_compiled(work, _room(ids), edge_is_outside, depths)
    else:
        depths = _depths_plain(work, edge_is_outside)
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
    if count is None:
        count = int(labels.max()) + 1 if labels.size else 0
    best = _deepest(labels.view(np.uint8) if labels.dtype == bool else labels, count, True)
    points = np.stack(np.divmod(best, max(1, labels.shape[1])), axis=1)
    points[best < 0] = -1
    return points


def inner_point(region: ArrayLike) -> tuple[int, int] | None:
    """Row and column of the pixel deepest inside a region (bool); None for an empty one. Ties as in `inner_points`.

    >>> inner_point([[True, True, True, False]] * 3)
    (1, 1)
    """
    region = np.asarray(region, bool)
    box = _box(region)
    if box is None:
        return None
    row, col = divmod(int(_deepest(region[box.slices].view(np.uint8), 2, True)[1]), box.width)
    return box.top + row, box.left + col


def outer_point(region: ArrayLike) -> tuple[int, int] | None:
    """Row and column of the pixel outside a region, but inside its box, that is farthest from it.

    Euclidean, exact; of equal ones the first in row-major order. None when the region is empty or fills its box.

    >>> outer_point([[True, False, False], [True, False, False], [True, True, True]])
    (0, 2)
    """
    region = np.asarray(region, bool)
    box = _box(region)
    if box is None:
        return None
    inside = region[box.slices]
    if inside.all():
        return None
    row, col = divmod(int(_deepest(inside.view(np.uint8), 2, False)[0]), box.width)
    return box.top + row, box.left + col


def _box(region: NDArray[np.bool_]) -> Window | None:
    """The least box that holds a region; None for an empty one."""
    rows, cols = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    return Window(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1) if len(rows) else None


def _deepest(labels: NDArray[Any], count: int, edge: bool) -> NDArray[np.int64]:
    """Flat place of the deepest pixel of each number, -1 where nobody bears it."""
    if HAS_NUMBA and labels.size:
        return np.asarray(_deepest_compiled(labels, _room(labels), edge, count))
    return _deepest_plain(labels.ravel(), squared_depths(labels, edge_is_outside=edge).ravel(), count)


def _room(ids: NDArray[Any]) -> NDArray[Any]:
    """Where steps along columns are counted: no wider than the picture's height needs."""
    return np.empty(ids.shape, np.int16 if len(ids) < np.iinfo(np.int16).max else np.int32)


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
def _depths_compiled(
    ids: NDArray[Any], steps: NDArray[Any], edge: bool, depths: NDArray[np.int64]
) -> None:  # pragma: no cover - compiled
    """Columns first, then along each row the lower envelope of parabolas inside every run of one number."""
    _column_steps(ids, edge, steps)
    room = np.empty((3, ids.shape[1] + 2), np.int64)
    for row in range(len(ids)):
        _depths_of_row(ids[row], steps[row], edge, room, depths[row])


@compiled
def _depths_of_row(
    ids: NDArray[Any], steps: NDArray[Any], edge: bool, room: NDArray[np.int64], depths: NDArray[np.int64]
) -> None:  # pragma: no cover - compiled
    width, stop = len(ids), 0
    centres, heights, begins = room[0], room[1], room[2]
    while stop < width:
        start = stop
        while stop < width and ids[stop] == ids[start]:
            stop += 1
        first = start - 1 if (start > 0 or edge) else start
        last = stop if (stop < width or edge) else stop - 1
        size = 0
        for col in range(first, last + 1):
            value = np.int64(steps[col]) if start <= col < stop else np.int64(0)
            if value != NONE:
                size = _add_parabola(centres, heights, begins, size, col, value * value)
        part = 0
        for col in range(start, stop):
            while part + 1 < size and begins[part + 1] <= col:
                part += 1
            depths[col] = (col - centres[part]) ** 2 + heights[part] if size > 0 else -1


@compiled
def _column_steps(ids: NDArray[Any], edge: bool, steps: NDArray[Any]) -> None:  # pragma: no cover - compiled
    """Steps up or down to the nearest pixel of another number in the same column, NONE where there is none."""
    height, width = ids.shape
    steps[0] = 1 if edge else NONE
    for row in range(1, height):
        for col in range(width):
            above = steps[row - 1, col]
            same = ids[row, col] == ids[row - 1, col]
            steps[row, col] = (NONE if above == NONE else above + 1) if same else 1
    if edge:
        steps[height - 1] = 1
    for row in range(height - 2, -1, -1):
        for col in range(width):
            below, here = steps[row + 1, col], steps[row, col]
            if ids[row, col] != ids[row + 1, col]:
                steps[row, col] = 1
            elif below != NONE and (here == NONE or below + 1 < here):
                steps[row, col] = below + 1


@compiled
def _add_parabola(
    centres: NDArray[np.int64], heights: NDArray[np.int64], begins: NDArray[np.int64], size: int, col: int, height: Any
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
    labels: NDArray[Any], steps: NDArray[Any], edge: bool, count: int
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    """Depths are needed a row at a time only."""
    _column_steps(labels, edge, steps)
    height, width = labels.shape
    room, depths = np.empty((3, width + 2), np.int64), np.empty(width, np.int64)
    best, deepest = np.full(count, -1, np.int64), np.full(count, -2, np.int64)
    for row in range(height):
        _depths_of_row(labels[row], steps[row], edge, room, depths)
        for col in range(width):
            label = labels[row, col]
            if label >= 0 and depths[col] > deepest[label]:
                best[label], deepest[label] = row * width + col, depths[col]
    return best
