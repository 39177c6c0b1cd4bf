"""Regions combined and compared run by run, never unpacked: union, intersection, shared pixels, IoU with crowds.

One thread; counting shared pixels, which takes longest, releases the GIL, so that pictures can be done side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.encode import EMPTY, Region, from_runs, spans

AT_ONCE = 1 << 15
"""About so many runs are merged at a time: those of a band of columns, which none of them leaves."""


def merge(regions: Sequence[Region], *, intersect: bool = False) -> Region:
    """The union of all regions, or what they all share; none at all gives the empty region.

    >>> from maskwright.arrays.encode import encode
    >>> a, b = encode([[1, 1, 0]]), encode([[0, 1, 1]])
    >>> merge([a, b]).box, merge([a, b], intersect=True).box
    (Window(top=0, left=0, bottom=1, right=3), Window(top=0, left=1, bottom=1, right=2))
    """
    if not regions:
        return EMPTY
    height, least = max(max(region.box.bottom for region in regions), 1), len(regions) if intersect else 1
    starts, ends, offsets = spans(regions, height)
    edges = np.linspace(0, max(region.box.right for region in regions), -(-len(starts) // AT_ONCE) + 1).astype(np.int64)
    cuts = np.stack([a + np.searchsorted(starts[a:b], edges * height) for a, b in pairwise(offsets)], axis=1)
    toggles = [np.zeros(0, starts.dtype)]
    for firsts, lasts in pairwise(cuts):
        mine = [slice(a, b) for a, b in zip(firsts, lasts, strict=True)]
        begins, stops = (np.concatenate([each[part] for part in mine]) for each in (starts, ends))
        toggles.append(_merged(begins, stops, least))
    flips = np.concatenate(toggles)
    return from_runs(flips[0::2], flips[1::2], height)


def _merged(starts: NDArray[Any], ends: NDArray[Any], least: int) -> NDArray[Any]:
    """Where to begin and to end for pixels in at least so many of several regions, given all their runs."""
    positions = np.concatenate([starts, ends])
    order = np.argsort(positions, kind="stable")
    depth = np.cumsum(np.repeat([1, -1], len(starts))[order])
    settled = np.append(positions[order][1:] != positions[order][:-1], True)[: len(order)]
    positions, depth = positions[order][settled], depth[settled]
    inside = depth >= least
    return np.asarray(positions[np.flatnonzero(inside != np.concatenate([[False], inside])[: len(inside)])])


def intersections(
    a: Sequence[Region], b: Sequence[Region], index_a: NDArray[Any], index_b: NDArray[Any]
) -> NDArray[np.int64]:
    """How many pixels a[index_a[k]] and b[index_b[k]] share, for each k.

    >>> from maskwright.arrays.encode import encode
    >>> intersections([encode([[1, 1, 0]])], [encode([[0, 1, 1]])], np.array([0]), np.array([0]))
    array([1])
    """
    height = max([1, *(region.box.bottom for region in (*a, *b))])
    starts_a, ends_a, offsets_a = spans(a, height)
    starts_b, ends_b, offsets_b = spans(b, height)
    shared = np.zeros(len(index_a), np.int64)
    count = _shared_pixels if HAS_NUMBA else _shared_pixels_plainly
    count(starts_a, ends_a, offsets_a, starts_b, ends_b, offsets_b, index_a, index_b, shared)
    return shared


def iou(a: Sequence[Region], b: Sequence[Region], crowd: ArrayLike | None = None) -> NDArray[np.float64]:
    """Shared pixels of each region of `a` with each of `b` over all their pixels: float64 (len(a), len(b)) in [0, 1].

    Where `crowd[j]` is true, b[j] stands for many objects and the divisor is the area of the region of `a` alone.
    Two empty regions share 0.

    >>> from maskwright.arrays.encode import encode
    >>> iou([encode([[1, 1, 0, 0]])], [encode([[0, 1, 1, 1]]), encode([[0, 0, 1, 1]])])
    array([[0.25, 0.  ]])
    """
    crowded = np.zeros(len(b), bool) if crowd is None else np.asarray(crowd, bool)
    result = np.zeros((len(a), len(b)))
    boxes_a = np.array([region.box for region in a], np.int64).reshape(-1, 4)
    boxes_b = np.array([region.box for region in b], np.int64).reshape(-1, 4)
    index_a, index_b = meeting_boxes(boxes_a, boxes_b)
    shared = intersections(a, b, index_a, index_b)
    areas_a = np.array([region.area for region in a], np.int64)
    areas_b = np.array([region.area for region in b], np.int64)
    union = areas_a[index_a] + np.where(crowded[index_b], 0, areas_b[index_b] - shared)
    result[index_a, index_b] = shared / np.maximum(union, 1)
    return result


def meeting_boxes(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which boxes (n, 4) of `a` share a pixel with which of `b` (m, 4): indices of both, by a, then by b.

    >>> meeting_boxes(np.array([[0, 0, 2, 2]]), np.array([[2, 0, 3, 2], [1, 1, 9, 9]]))
    (array([0]), array([1]))
    """
    meet = (a[:, None, 0] < b[:, 2]) & (b[:, 0] < a[:, None, 2])
    meet &= (a[:, None, 1] < b[:, 3]) & (b[:, 1] < a[:, None, 3])
    first, second = np.nonzero(meet)
    return first, second


@compiled
def _shared_pixels(
    starts_a: NDArray[Any],
    ends_a: NDArray[Any],
    offsets_a: NDArray[Any],
    starts_b: NDArray[Any],
    ends_b: NDArray[Any],
    offsets_b: NDArray[Any],
    index_a: NDArray[Any],
    index_b: NDArray[Any],
    shared: NDArray[Any],
) -> None:
    for k in range(len(index_a)):
        i, stop_i = offsets_a[index_a[k]], offsets_a[index_a[k] + 1]
        j, stop_j = offsets_b[index_b[k]], offsets_b[index_b[k] + 1]
        total = 0
        while i < stop_i and j < stop_j:
            total += max(0, min(ends_a[i], ends_b[j]) - max(starts_a[i], starts_b[j]))
            if ends_a[i] < ends_b[j]:
                i += 1
            else:
                j += 1
        shared[k] = total


def _shared_pixels_plainly(
    starts_a: NDArray[np.int64],
    ends_a: NDArray[np.int64],
    offsets_a: NDArray[np.int64],
    starts_b: NDArray[np.int64],
    ends_b: NDArray[np.int64],
    offsets_b: NDArray[np.int64],
    index_a: NDArray[np.intp],
    index_b: NDArray[np.intp],
    shared: NDArray[np.int64],
) -> None:
    for k, (a, b) in enumerate(zip(index_a, index_b, strict=True)):
        own, other = slice(offsets_a[a], offsets_a[a + 1]), slice(offsets_b[b], offsets_b[b + 1])
        if own.stop == own.start or other.stop == other.start:
            continue
        start, end = starts_b[other], ends_b[other]
        filled = np.cumsum(end - start)
        shared[k] = (
            _pixels_before(ends_a[own], start, end, filled) - _pixels_before(starts_a[own], start, end, filled)
        ).sum()


def _pixels_before(
    positions: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], filled: NDArray[np.int64]
) -> NDArray[np.int64]:
    run = np.searchsorted(start, positions, side="right") - 1
    within = filled[run] - np.maximum(end[run] - positions, 0)
    return np.where(run < 0, 0, within)
