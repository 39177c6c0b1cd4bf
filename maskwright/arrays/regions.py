"""Regions of a picture of class ids: components, holes, small islands, outlines, boxes.

All classes are done in one pass, so the time hardly depends on how many there are. Regions are numbered from 0 in
row-major order of their first pixel; -1 stands on pixels of no region. The passes carry state from row to row and
therefore use one thread; they release the GIL, so pictures can be done side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.connected import (
    NOBODY,
    Components,
    check_neighbours,
    components,
    number_regions,
    whole_numbers,
)

__all__ = [
    "Components",
    "Touching",
    "areas",
    "boxes",
    "components",
    "fill_holes",
    "outlines",
    "remove_islands",
    "small_islands",
    "touching",
]


STRIP = 1 << 17
"""Pixels whose borders are listed at a time; bounds the memory above input and output."""


class Touching(NamedTuple):
    """Pairs of regions that share a border, first < second, in ascending order, and how many pixel sides long it is."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    lengths: NDArray[np.int64]


def areas(labels: ArrayLike, count: int | None = None) -> NDArray[np.int64]:
    """Pixels of each region: int64 (count,); numbers below 0 are no region.

    >>> areas([[0, 0, -1], [1, 0, -1]])
    array([3, 1])
    """
    labels = whole_numbers(labels)
    count = _count_of(labels, count)
    if HAS_NUMBA:
        return _areas_compiled(labels, count)
    total = np.zeros(count, np.int64)
    for row in labels:
        total += np.bincount(row[row >= 0].astype(np.int64), minlength=count)
    return total


def boxes(labels: ArrayLike, count: int | None = None) -> NDArray[np.int64]:
    """Bounding box of each region: int64 (count, 4), top, left, bottom, right, the last two excluded.

    A number nobody bears has the empty box 0, 0, 0, 0. Numbers below 0 are no region.

    >>> boxes([[-1, 0, 0], [2, -1, 0]])
    array([[0, 1, 2, 3],
           [0, 0, 0, 0],
           [1, 0, 2, 1]])
    """
    labels = whole_numbers(labels)
    count = _count_of(labels, count)
    return _boxes_compiled(labels, count) if HAS_NUMBA else _boxes_plain(labels, count)


def outlines(class_ids: ArrayLike, *, ignore: int | None = NOBODY) -> NDArray[np.bool_]:
    """Pixels that have a side in common with a pixel of another class: bool (height, width).

    Pixels equal to `ignore` are no outline and make none; with `ignore=None` they are a class like any other. The
    picture's edge is no outline.

    >>> outlines([[1, 1, 1, 2], [1, 1, 255, 255]]).astype(int)
    array([[0, 0, 1, 1],
           [0, 0, 0, 0]])
    """
    ids = whole_numbers(class_ids)
    found = np.zeros(ids.shape, bool)
    known = None if ignore is None else ids != ignore
    for before, after in _SIDES:
        differs = ids[before] != ids[after]
        if known is not None:
            differs &= known[before]
            differs &= known[after]
        found[before] |= differs
        found[after] |= differs
    return found


def touching(labels: ArrayLike, *, neighbours: int = 4) -> Touching:
    """Which regions share a border, and how long it is in pixel sides (with 8, corners count too).

    Every number is a region here, -1 too, so that a border with no region can be seen.

    >>> touching([[0, 0, 1], [2, 0, 1]])
    Touching(first=array([0, 0]), second=array([1, 2]), lengths=array([2, 2]))
    """
    labels = whole_numbers(labels)
    check_neighbours(neighbours)
    found = [_pairs(labels[:0], neighbours)]
    rows = max(1, STRIP // max(1, labels.shape[1]))
    found += [_pairs(labels[top : top + rows + 1], neighbours, rows) for top in range(0, labels.shape[0], rows)]
    keys, inverse = np.unique(np.concatenate([each for each, _ in found]), return_inverse=True)
    lengths = np.zeros(len(keys), np.int64)
    np.add.at(lengths, inverse, np.concatenate([each for _, each in found]))
    return Touching((keys - 1) >> 32, (keys - 1) & 0xFFFFFFFF, lengths)


def fill_holes(
    class_ids: ArrayLike,
    *,
    max_area_px: float = np.inf,
    neighbours: int = 8,
    ignore: int | None = NOBODY,
    classes: Iterable[int] | None = None,
) -> NDArray[Any]:
    """Give holes the class that surrounds them, for all classes or for those in `classes`.

    A hole of a class is a connected set of pixels of anything else, `ignore` included, that does not reach the
    picture's edge and has at most `max_area_px` pixels. Where regions connect over 8 `neighbours` holes connect over
    sides only, and the other way round. `ignore` surrounds nothing (with None it is a class). Of holes within holes
    the larger wins, of equal ones the lowest class id; a spot of the surrounding class inside its own hole stays.

    >>> fill_holes([[1, 1, 1, 2], [1, 255, 1, 2], [1, 1, 1, 2]])
    array([[1, 1, 1, 2],
           [1, 1, 1, 2],
           [1, 1, 1, 2]])
    """
    ids = whole_numbers(class_ids)
    if ids.size == 0:
        return ids.copy()
    labels, count, class_of = number_regions(ids, 12 - neighbours, None, np.int16)
    border = touching(labels, neighbours=12 - neighbours)
    on_edge = _on_edge(labels, count)
    sizes = areas(labels, count)
    wanted = None if classes is None else set(classes)
    result, largest = class_of.copy(), np.zeros(count, np.int64)
    for class_id in np.unique(class_of):
        if class_id != ignore and (wanted is None or class_id in wanted):
            hole_size = _hole_sizes(class_of == class_id, border, sizes, on_edge)
            takes = (hole_size <= max_area_px) & (hole_size > largest)
            result[takes], largest[takes] = class_id, hole_size[takes]
    filled = ids.copy()
    if not np.array_equal(result, class_of):
        _look_up(result, labels, filled)
    return filled


def small_islands(
    class_ids: ArrayLike, min_area_px: float, *, neighbours: int = 8, ignore: int | None = NOBODY
) -> NDArray[np.bool_]:
    """Pixels of regions that have fewer than `min_area_px` pixels: bool (height, width); `ignore` is no region.

    >>> small_islands([[1, 1, 2], [1, 1, 1]], 2).astype(int)
    array([[0, 0, 1],
           [0, 0, 0]])
    """
    labels, count, _ = number_regions(class_ids, neighbours, ignore, np.int16)
    found = np.zeros(labels.shape, bool)
    if count:
        _look_up(areas(labels, count) < min_area_px, labels, found)
    return found


def remove_islands(
    class_ids: ArrayLike,
    min_area_px: float,
    *,
    neighbours: int = 8,
    ignore: int | None = NOBODY,
    into: int | None = None,
) -> NDArray[Any]:
    """Take away regions of fewer than `min_area_px` pixels.

    Their pixels become `into`, or without it the class they share the longest border with (sides; ties to the lowest
    class id). `ignore` and other islands do not count as neighbours, but an island that only touches islands follows
    once those have found a class; one that touches nothing else keeps its class.

    >>> remove_islands([[1, 1, 2], [1, 1, 1], [3, 3, 3]], 2)
    array([[1, 1, 1],
           [1, 1, 1],
           [3, 3, 3]])
    >>> remove_islands([[1, 1, 2], [1, 1, 1], [3, 3, 3]], 2, into=255)
    array([[  1,   1, 255],
           [  1,   1,   1],
           [  3,   3,   3]])
    """
    ids = whole_numbers(class_ids)
    labels, count, class_of = number_regions(ids, neighbours, ignore, np.int16)
    small = areas(labels, count) < min_area_px
    if not small.any():
        return ids.copy()
    if into is not None:
        result = class_of.copy()
        result[small] = into
    else:
        result = _neighbour_classes(class_of, small, touching(labels))
    kept = ids.copy()
    _look_up(result, labels, kept)
    return kept


_ALL, _HEAD, _TAIL = slice(None), slice(None, -1), slice(1, None)
_SIDES = (((_ALL, _HEAD), (_ALL, _TAIL)), ((_HEAD, _ALL), (_TAIL, _ALL)))
_CORNERS = (((_HEAD, _HEAD), (_TAIL, _TAIL)), ((_HEAD, _TAIL), (_TAIL, _HEAD)))


def _pairs(labels: NDArray[Any], neighbours: int, rows: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of numbers that meet in a strip, one number each, and how often; its last row belongs to the next strip."""
    pairs = [np.zeros(0, np.int64)]
    for before, after in _SIDES if neighbours == 4 else _SIDES + _CORNERS:
        one, other = labels[before], labels[after]
        if before[0] == _ALL:
            one, other = one[:rows], other[:rows]
        differs = one != other
        one, other = one[differs].astype(np.int64), other[differs].astype(np.int64)
        pairs.append((np.minimum(one, other) << 32) + (np.maximum(one, other) + 1))
    keys, lengths = np.unique(np.concatenate(pairs), return_counts=True)
    return keys, lengths.astype(np.int64)


def _count_of(labels: NDArray[Any], count: int | None) -> int:
    most = max(0, int(labels.max()) + 1) if labels.size else 0
    if count is not None and most > count:
        raise ValueError(f"count is {count} but the labels go up to {most - 1}; pass count={most} or leave it out")
    return most if count is None else count


@compiled
def _areas_compiled(labels: NDArray[Any], count: int) -> NDArray[np.int64]:  # pragma: no cover - compiled
    height, width = labels.shape
    total = np.zeros(count, np.int64)
    for row in range(height):
        start = 0
        for col in range(1, width + 1):
            if col == width or labels[row, col] != labels[row, start]:
                if labels[row, start] >= 0:
                    total[labels[row, start]] += col - start
                start = col
    return total


def _look_up(values: NDArray[Any], labels: NDArray[Any], result: NDArray[Any]) -> None:
    """values[labels] into `result` but where the label is -1, without an index of 8 bytes a pixel."""
    if HAS_NUMBA:
        _paint(result, values, labels)
        return
    for source, target in zip(labels, result, strict=True):
        np.copyto(target, values[source], where=source >= 0)


@compiled
def _paint(result: NDArray[Any], values: NDArray[Any], labels: NDArray[Any]) -> None:  # pragma: no cover - compiled
    height, width = labels.shape
    for row in range(height):
        for col in range(width):
            if labels[row, col] >= 0:
                result[row, col] = values[labels[row, col]]


def _on_edge(labels: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    on_edge = np.zeros(count, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        on_edge[side] = True
    return on_edge


def _hole_sizes(
    wall: NDArray[np.bool_], border: Touching, sizes: NDArray[np.int64], on_edge: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Area of the hole each region lies in when the regions of `wall` are taken out; 0 where it lies in none."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    open_ = ~(wall[border.first] | wall[border.second])
    links = (border.first[open_], border.second[open_])
    graph = coo_array((np.ones(len(links[0]), np.int8), links), shape=(len(wall), len(wall)))
    count, group = connected_components(graph, directed=False)
    group_size = np.bincount(group, weights=sizes, minlength=count).astype(np.int64)
    group_size[group[on_edge & ~wall]] = 0
    size = group_size[group]
    size[wall] = 0
    return _with_enclosed_walls(size, wall & ~on_edge, border)


def _with_enclosed_walls(size: NDArray[np.int64], wall: NDArray[np.bool_], border: Touching) -> NDArray[np.int64]:
    """A wall with holes on all sides stands in the largest of them: what is filled around it leaves it alone."""
    walls = np.concatenate([border.first, border.second])
    besides = np.concatenate([border.second, border.first])
    here = wall[walls]
    largest, enclosed = np.zeros_like(size), wall.copy()
    np.maximum.at(largest, walls[here], size[besides[here]])
    enclosed[walls[here & (size[besides] == 0)]] = False
    return np.where(enclosed, largest, size)


def _neighbour_classes(class_of: NDArray[Any], small: NDArray[np.bool_], border: Touching) -> NDArray[Any]:
    """The class each small region takes over from its neighbours, in rounds from the kept regions inwards."""
    known = border.first >= 0
    one = np.concatenate([border.first[known], border.second[known]])
    other = np.concatenate([border.second[known], border.first[known]])
    lengths = np.tile(border.lengths[known], 2)
    result, waiting = class_of.copy(), small.copy()
    while (ready := waiting[one] & ~waiting[other]).any():
        islands, classes = one[ready], result[other[ready]]
        pairs, inverse = np.unique(np.stack([islands, classes.astype(np.int64)]), axis=1, return_inverse=True)
        shared = np.bincount(inverse.ravel(), weights=lengths[ready])
        order = np.lexsort((-pairs[1], shared))  # the last writer wins: longest border, then lowest class
        result[pairs[0][order]] = pairs[1][order].astype(result.dtype)
        waiting[islands] = False
    return result


def _boxes_plain(labels: NDArray[Any], count: int) -> NDArray[np.int64]:
    from scipy import ndimage

    result = np.zeros((count, 4), np.int64)
    found = ndimage.find_objects(np.maximum(labels.astype(np.int64), -1) + 1, max_label=count) if labels.size else []
    for index, box in enumerate(found):
        if box is not None:
            result[index] = box[0].start, box[1].start, box[0].stop, box[1].stop
    return result


@compiled
def _boxes_compiled(labels: NDArray[Any], count: int) -> NDArray[np.int64]:  # pragma: no cover - compiled
    height, width = labels.shape
    result = np.zeros((count, 4), np.int64)
    for row in range(height):
        col = 0
        while col < width:
            label, start = labels[row, col], col
            while col < width and labels[row, col] == label:
                col += 1
            if label >= 0:
                box = result[label]
                if box[2] == 0:
                    box[0], box[1] = row, start
                box[1] = min(box[1], start)
                box[2] = row + 1
                box[3] = max(box[3], col)
    return result
