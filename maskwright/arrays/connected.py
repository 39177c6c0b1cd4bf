"""Connected regions of equal class, numbered for all classes in one pass over runs of equal pixels.

The pass carries state from row to row and therefore uses one thread; it releases the GIL, so that several pictures can
be done side by side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled

NOBODY = 255
"""The id of pixels nobody knows, which belong to no region unless a caller says otherwise."""


class Components(NamedTuple):
    """Region number of each pixel (int32, -1 outside), how many regions there are, and the class of each."""

    labels: NDArray[np.int32]
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody asks of a record
    class_of: NDArray[Any]


def components(class_ids: ArrayLike, *, neighbours: int = 8, ignore: int | None = NOBODY) -> Components:
    """Number the connected regions of equal class, all classes at once.

    `class_ids` is (height, width) of any integer dtype or bool; pixels equal to `ignore` belong to no region and get
    -1, with `ignore=None` they are a class like any other. `neighbours` is 4 (sides) or 8 (sides and corners). Regions
    are numbered from 0 in row-major order of their first pixel. An empty picture has no regions.

    >>> labels, count, class_of = components([[1, 1, 2], [255, 2, 3]])
    >>> labels
    array([[ 0,  0,  1],
           [-1,  1,  2]], dtype=int32)
    >>> count, class_of
    (3, array([1, 2, 3]))
    """
    return number_regions(class_ids, neighbours, ignore, np.int32)


def number_regions(class_ids: ArrayLike, neighbours: int, ignore: int | None, least: type) -> Components:
    """As `components`, with labels in the smallest signed dtype from `least` up that counts so many regions.

    >>> number_regions([[1, 1, 2]], 8, 255, np.int16).labels
    array([[0, 0, 1]], dtype=int16)
    """
    ids = whole_numbers(class_ids)
    check_neighbours(neighbours)
    if ids.size == 0:
        return Components(np.zeros(ids.shape, least), 0, ids.reshape(-1)[:0].copy())
    work = ids.view(np.uint8) if ids.dtype == bool else ids
    skips, skipped = _ignored(work, ignore)
    if HAS_NUMBA:
        rows, starts, parents, count = _join_runs(np.ascontiguousarray(work), neighbours == 8, skips, skipped)
        labels: NDArray[Any] = np.empty(ids.shape, _dtype_for(count, least))
        first = np.empty(count, np.int64)
        _number(rows, starts, parents, labels, first)
    else:
        labels, count, first = _components_plain(np.ascontiguousarray(work), neighbours == 8, skips, skipped)
        labels = labels.astype(_dtype_for(count, least), copy=False)
    return Components(labels, int(count), ids[np.divmod(first, ids.shape[1])])


def _dtype_for(count: int, least: type) -> type:
    return least if count <= np.iinfo(least).max else np.int32


def whole_numbers(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 2:
        raise ValueError(f"ids are (height, width); got shape {array.shape}")
    if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"ids are whole numbers; got {array.dtype}")
    return array


def check_neighbours(neighbours: int) -> None:
    if neighbours not in (4, 8):
        raise ValueError(f"neighbours is 4 or 8; got {neighbours}")


def _ignored(ids: NDArray[Any], ignore: int | None) -> tuple[bool, Any]:
    """Whether any pixel can equal `ignore`, and `ignore` in the array's own dtype."""
    info = np.iinfo(ids.dtype)
    skips = ignore is not None and info.min <= ignore <= info.max
    return skips, ids.dtype.type(ignore if skips else 0)


def _components_plain(
    ids: NDArray[Any], corners: bool, skips: bool, skipped: Any
) -> tuple[NDArray[np.int32], int, NDArray[np.int64]]:
    from scipy import ndimage

    labels = np.full(ids.shape, -1, np.int32)
    count = 0
    for class_id in np.unique(ids):
        if not (skips and class_id == skipped):
            part, found = ndimage.label(ids == class_id, np.ones((3, 3)) if corners else None)
            inside = part > 0
            labels[inside] = part[inside] + (count - 1)
            count += found
    used, first = np.unique(labels, return_index=True)
    first = first[used >= 0].astype(np.int64)
    order = np.argsort(first)
    rank = np.full(count + 1, -1, np.int32)
    rank[order] = np.arange(count, dtype=np.int32)
    return rank[labels], count, first[order]


@compiled
def _join_runs(
    ids: NDArray[Any], corners: bool, skips: bool, skipped: Any
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], int]:  # pragma: no cover - compiled
    """Runs of equal class in each row, joined to those above by union-find; a root is its region's first run.

    Gives what `_runs` gives, the parent of each run, and how many roots there are.
    """
    width = ids.shape[1]
    rows, starts = _runs(ids)
    parents = np.arange(rows[-1]).astype(np.int32)
    for row in range(len(rows) - 1):
        above = rows[row - 1] if row > 0 else 0
        for run in range(rows[row], rows[row + 1]):
            left, right = starts[run], starts[run + 1] if run + 1 < rows[row + 1] else width
            class_id = ids[row, left]
            if skips and class_id == skipped:
                parents[run] = -1
                continue
            while above + 1 < rows[row] and starts[above + 1] + corners <= left:
                above += 1
            other = above
            while other < rows[row] and starts[other] < right + corners:
                if ids[row - 1, starts[other]] == class_id:
                    _join(parents, run, other)
                other += 1
    count = 0
    for run in range(len(parents)):
        count += parents[run] == run
    return rows, starts, parents, count


@compiled
def _runs(ids: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:  # pragma: no cover - compiled
    """Number of the first run of each row (height + 1), and the column where each run starts."""
    height, width = ids.shape
    rows = np.zeros(height + 1, np.int64)
    for row in range(height):
        changes = 1
        for col in range(1, width):
            changes += ids[row, col] != ids[row, col - 1]
        rows[row + 1] = rows[row] + changes
    starts = np.empty(rows[height] + 1, np.int32)
    for row in range(height):
        run = rows[row]
        starts[run] = 0
        for col in range(1, width):  # written always, kept when the class changes: no branch to guess
            starts[run + 1] = col
            run += ids[row, col] != ids[row, col - 1]
    return rows, starts


@compiled
def _join(parents: NDArray[np.int32], one: int, other: int) -> None:  # pragma: no cover - compiled
    while parents[one] != one:
        parents[one] = parents[parents[one]]
        one = parents[one]
    while parents[other] != other:
        parents[other] = parents[parents[other]]
        other = parents[other]
    if one < other:
        parents[other] = one
    else:
        parents[one] = other


@compiled
def _number(
    rows: NDArray[np.int64],
    starts: NDArray[np.int32],
    parents: NDArray[np.int32],
    labels: NDArray[Any],
    first: NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Paint the runs with their region's number, and note where it begins; a parent numbered n is written as -2 - n."""
    count, width = 0, labels.shape[1]
    for row in range(len(rows) - 1):
        for run in range(rows[row], rows[row + 1]):
            right = starts[run + 1] if run + 1 < rows[row + 1] else width
            if parents[run] == run:
                first[count] = row * width + starts[run]
                parents[run] = -2 - count
                count += 1
            elif parents[run] >= 0:
                parents[run] = parents[parents[run]]
            labels[row, starts[run] : right] = max(-1, -2 - parents[run])
