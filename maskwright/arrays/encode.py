"""Run lengths: one object's pixels written small, and read back without loss; COCO's counts and text both ways.

One thread: each run is found after the one before. Functions that run long release the GIL, so that objects can be done
side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.run_text import counts_text, text_counts
from maskwright.arrays.runs import box_of_runs, cancel, count_spans, fill_spans, find_changes, runs_in_box
from maskwright.arrays.windows import Window

__all__ = [
    "EMPTY",
    "Region",
    "counts_text",
    "decode",
    "encode",
    "from_counts",
    "from_runs",
    "from_toggles",
    "label_regions",
    "paint",
    "spans",
    "text_counts",
    "to_counts",
]


@dataclass(frozen=True, eq=False)
class Region:
    """One object's pixels as run lengths inside its own bounding box; nothing outside the box is stored.

    `counts` (uint32) are run lengths in column-major order inside `box`, background first, as COCO counts them.
    An empty region has an empty box and no counts.
    """

    box: Window
    counts: NDArray[np.uint32]

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """The region inside its box, bool (box.height, box.width).

        >>> Region(Window(2, 3, 4, 6), np.array([1, 4, 1], np.uint32)).pixels.astype(int)
        array([[0, 1, 1],
               [1, 1, 0]])
        """
        inside = np.arange(len(self.counts)) % 2 == 1
        height, width = max(self.box.height, 0), max(self.box.width, 0)
        return np.repeat(inside, self.counts).reshape(width, height).T

    @property
    def area(self) -> int:
        """How many pixels the region has."""
        return int(self.counts[1::2].sum(dtype=np.int64))


AT_ONCE = 1 << 18
"""Run lengths that are unpacked together."""
EMPTY = Region(Window(0, 0, 0, 0), np.zeros(0, np.uint32))
"""The region without a pixel."""


def encode(mask: ArrayLike) -> Region:
    """The region of all true pixels of `mask` (height, width), in its tight box; any dtype, not zero is true.

    Column-major arrays are read in place, others are cropped to the box first. An array without a true pixel gives
    the empty region.

    >>> encode([[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0]])
    Region(box=Window(top=1, left=1, bottom=3, right=3), counts=array([1, 3], dtype=uint32))
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"a mask is (height, width); got shape {mask.shape}")
    mask = mask if mask.dtype == np.bool_ else mask != 0
    if mask.size and mask.flags.f_contiguous:
        return from_toggles(_changes(mask.T.reshape(-1)), mask.shape[0], mask.size)
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return EMPTY
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    cols = np.flatnonzero(mask[top:bottom].any(axis=0))
    left, right = int(cols[0]), int(cols[-1]) + 1
    flat = np.ascontiguousarray(mask[top:bottom, left:right].T).reshape(-1)
    changes = _changes(flat)
    counts = np.empty(len(changes) + 1, np.uint32)
    counts[0], counts[-1] = changes[0], flat.size - int(changes[-1])
    np.subtract(changes[1:], changes[:-1], out=counts[1:-1], casting="unsafe")
    return Region(Window(top, left, bottom, right), counts)


def decode(region: Region, height: int, width: int) -> NDArray[np.bool_]:
    """The region as bool (height, width); it must lie inside.

    >>> decode(encode([[0, 0, 0], [0, 1, 1]]), 2, 3).astype(int)
    array([[0, 0, 0],
           [0, 1, 1]])
    """
    mask = np.zeros((height, width), bool)
    _check_inside(region, height, width)
    mask[region.box.slices] = region.pixels
    return mask


def paint(class_ids: NDArray[np.uint8], region: Region, class_id: int | np.integer) -> None:
    """Write `class_id` into the pixels of `region`, in place; the region must lie inside (height, width).

    >>> class_ids = np.zeros((3, 5), np.uint8)
    >>> paint(class_ids, Region(Window(1, 1, 3, 4), np.array([1, 4, 1], np.uint32)), 7)
    >>> class_ids
    array([[0, 0, 0, 0, 0],
           [0, 0, 7, 7, 0],
           [0, 7, 7, 0, 0]], dtype=uint8)
    """
    class_ids[region.box.slices][region.pixels] = class_id


def label_regions(labels: NDArray[Any], *, background: int = 0) -> tuple[NDArray[np.int64], tuple[Region, ...]]:
    """Every label of an integer map (height, width) as a region, in one pass: (labels ascending, their regions).

    Pixels of `background` belong to nobody. A label in several pieces is one region.

    >>> ids, regions = label_regions(np.array([[0, 7, 7], [3, 0, 7]]))
    >>> ids.tolist(), [region.area for region in regions]
    ([3, 7], [1, 3])
    """
    height = labels.shape[0]
    flat = np.ascontiguousarray(labels.T).reshape(-1)
    breaks = flat[1:] != flat[:-1]
    breaks[height - 1 :: max(height, 1)] = True
    starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])[: flat.size]
    ends = np.append(starts[1:], flat.size)[: len(starts)]
    owner = flat[starts]
    keep = owner != background
    starts, ends, owner = starts[keep], ends[keep], owner[keep]
    order = np.argsort(owner, kind="stable")
    ids, first = np.unique(owner[order], return_index=True)
    cuts = np.append(first, len(order)).tolist()
    starts, ends = starts[order], ends[order]
    regions = tuple(from_runs(starts[a:b], ends[a:b], height) for a, b in pairwise(cuts))
    return ids.astype(np.int64), regions


def from_runs(starts: NDArray[Any], ends: NDArray[Any], height: int) -> Region:
    """The region of ascending, separate runs start..end (last excluded), counted down the columns of a picture.

    Runs may touch, and may go on from the foot of one column to the head of the next.

    >>> from_runs(np.array([5, 9]), np.array([7, 10]), 4)
    Region(box=Window(top=1, left=1, bottom=3, right=3), counts=array([0, 3, 1], dtype=uint32))
    """
    if not len(starts):
        return EMPTY
    if HAS_NUMBA:
        box = box_of_runs(starts, ends, height)
        found = np.empty(2 * len(starts) + 1, np.uint32)
        found.resize(runs_in_box(starts, ends, height, box, found), refcheck=False)
        return Region(Window(*box), found)
    return _from_runs_plainly(starts, ends, height)


def _from_runs_plainly(starts: NDArray[Any], ends: NDArray[Any], height: int) -> Region:
    first_col, first_row = np.divmod(starts, height)
    last_col, last_row = np.divmod(ends - 1, height)
    left, right = int(first_col[0]), int(last_col[-1]) + 1
    top, bottom = int(first_row.min()), int(last_row.max()) + 1
    if (first_col != last_col).any():
        top, bottom = 0, height
    tall = bottom - top
    toggles = np.empty(2 * len(starts) + 2, np.int64)
    toggles[0], toggles[-1] = 0, tall * (right - left)
    toggles[1:-1:2] = (first_col - left) * tall + (first_row - top)
    toggles[2:-1:2] = (last_col - left) * tall + (last_row - top) + 1
    counts = np.diff(toggles)
    if not counts[2:-1:2].all():  # runs that touch inside the box are one
        counts = np.diff(_without_touching(toggles, counts))
    return Region(Window(top, left, bottom, right), (counts if counts[-1] else counts[:-1]).astype(np.uint32))


def from_counts(counts: ArrayLike, height: int, width: int) -> Region:
    """The region that COCO run lengths of a whole picture describe; ValueError unless they fill it exactly.

    >>> from_counts([4, 2, 1, 1], 2, 4)
    Region(box=Window(top=0, left=2, bottom=2, right=4), counts=array([0, 2, 1, 1], dtype=uint32))
    """
    lengths = np.asarray(counts)
    toggles = np.cumsum(lengths, dtype=np.int64)
    total = int(toggles[-1]) if len(toggles) else 0
    if lengths.ndim != 1 or (lengths < 0).any() or total != height * width:
        raise ValueError(f"the run lengths cover {total} pixels; expected {height} x {width} = {height * width}")
    return from_toggles(toggles, height, height * width)


def from_toggles(toggles: NDArray[Any], height: int, total: int) -> Region:
    """The region whose membership flips at each ascending position; equal positions cancel, those past `total` count
    for nothing.

    >>> from_toggles(np.array([1, 3, 3, 4]), 3, 6).counts.tolist()
    [1, 3, 2]
    """
    if len(toggles) and toggles[-1] >= total:
        toggles = toggles[: np.searchsorted(toggles, total)]
    if len(toggles) > 1 and not (flips := toggles[1:] != toggles[:-1]).all():
        toggles = _without_pairs(toggles, flips, total)
    if len(toggles) % 2:
        toggles = np.append(toggles, np.asarray(total, toggles.dtype))
    return from_runs(toggles[0::2], toggles[1::2], height)


def _without_pairs(toggles: NDArray[Any], flips: NDArray[np.bool_], total: int) -> NDArray[Any]:
    if HAS_NUMBA:
        kept = np.empty(len(toggles), np.uint32 if total < 2**32 else np.int64)
        kept.resize(cancel(toggles, kept), refcheck=False)
        return kept
    first = np.flatnonzero(np.concatenate([[True], flips]))
    times = np.diff(np.append(first, len(toggles)))
    return np.asarray(toggles[first[times % 2 == 1]])


def to_counts(region: Region, height: int, width: int) -> NDArray[np.uint32]:
    """COCO run lengths of the whole picture (height, width), background first; the inverse of `from_counts`.

    >>> to_counts(Region(Window(0, 2, 2, 4), np.array([0, 2, 1, 1], np.uint32)), 2, 4)
    array([4, 2, 1, 1], dtype=uint32)
    """
    _check_inside(region, height, width)
    starts, ends, _ = spans([region], height)
    toggles = np.empty(2 * len(starts) + 2, np.int64)
    toggles[0], toggles[-1], toggles[1:-1:2], toggles[2:-1:2] = 0, height * width, starts, ends
    counts = np.diff(toggles)
    if not counts[2:-1:2].all():
        counts = np.diff(_without_touching(toggles, counts))
    return (counts if counts[-1] or len(counts) == 1 else counts[:-1]).astype(np.uint32)


def spans(regions: Sequence[Region], height: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Runs start..end of every region, counted down the columns of a picture of `height`: (starts, ends, offsets).

    Starts and ends are int32 where pixels can be counted so, else int64.

    Region k owns starts[offsets[k]:offsets[k + 1]], ascending. A run may touch the next one.

    >>> spans([encode([[0, 1, 1], [0, 1, 0]])], 2)
    (array([2, 4], dtype=int32), array([4, 5], dtype=int32), array([0, 2]))
    """
    sizes = np.array([len(region.counts) for region in regions], np.int64)
    boxes = np.array([region.box for region in regions], np.int64).reshape(-1, 4)
    narrow = not len(boxes) or height * int(boxes[:, 3].max()) < 2**31
    if not HAS_NUMBA:
        starts, ends, offsets = _spans_plainly(_joined(regions), np.concatenate([[0], np.cumsum(sizes)]), boxes, height)
        return (starts.astype(np.int32), ends.astype(np.int32), offsets) if narrow else (starts, ends, offsets)
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // AT_ONCE)) + 1
    groups = [slice(a, b) for a, b in pairwise([0, *cuts.tolist(), len(regions)])]
    offsets, whole = np.zeros(len(regions) + 1, np.int64), _joined(regions) if len(groups) == 1 else None
    for group in groups:
        counts = _joined(regions[group]) if whole is None else whole
        count_spans(counts, sizes[group], boxes[group], offsets[1:][group])
    offsets = np.cumsum(offsets)
    starts, ends = np.empty((2, offsets[-1]), np.int32 if narrow else np.int64)
    for group in groups:
        counts, first = _joined(regions[group]) if whole is None else whole, offsets[group.start]
        fill_spans(counts, sizes[group], boxes[group], height, starts[first:], ends[first:])
    return starts, ends, offsets


def _joined(regions: Sequence[Region]) -> NDArray[np.uint32]:
    return np.concatenate([np.zeros(0, np.uint32), *(region.counts for region in regions)])


def _check_inside(region: Region, height: int, width: int) -> None:
    top, left, bottom, right = region.box
    if min(top, left) < 0 or bottom > height or right > width:
        raise ValueError(f"{region.box} does not lie inside {height} x {width} pixels")


def _without_touching(toggles: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    keep = np.ones(len(toggles), bool)
    ends = 2 + 2 * np.flatnonzero(counts[2:-1:2] == 0)
    keep[ends] = keep[ends + 1] = False
    return toggles[keep]


def _changes(flat: NDArray[np.bool_]) -> NDArray[Any]:
    """Where contiguous pixels differ from the one before; the one before the first is False."""
    bytes_ = flat.view(np.uint8)
    if not HAS_NUMBA:
        changed = np.flatnonzero(bytes_[1:] != bytes_[:-1]) + 1
        return np.concatenate([[0], changed]) if flat.size and flat[0] else changed
    words = bytes_[: flat.size // 8 * 8].view(np.uint64)
    positions = np.empty(flat.size, np.uint32 if flat.size < 2**32 else np.int64)  # unwritten, it takes no memory
    positions.resize(find_changes(bytes_, words, positions), refcheck=False)
    return positions


def _spans_plainly(
    counts: NDArray[np.uint32], edges: NDArray[np.int64], boxes: NDArray[np.int64], height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    owner = np.repeat(np.arange(len(boxes)), np.diff(edges))
    after = np.cumsum(counts, dtype=np.int64)
    before = after - counts
    base = np.concatenate([before, [0]])[edges[:-1]]
    inside = ((np.arange(len(counts)) - edges[owner]) % 2 == 1) & (counts > 0)
    owner = owner[inside]
    start, end = before[inside] - base[owner], after[inside] - base[owner]
    tall = boxes[owner, 2] - boxes[owner, 0]
    times = (end - 1) // tall - start // tall + 1
    run = np.repeat(np.arange(len(owner)), times)
    col = (start // tall)[run] + np.arange(len(run)) - np.repeat(np.cumsum(times) - times, times)
    owner, tall = owner[run], tall[run]
    shift = (boxes[owner, 1] + col) * height + boxes[owner, 0] - col * tall
    starts, ends = np.maximum(start[run], col * tall) + shift, np.minimum(end[run], (col + 1) * tall) + shift
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(boxes)))])
    return starts, ends, offsets
