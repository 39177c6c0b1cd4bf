"""Counts that add up over pictures, pieces and machines: confusion, region overlaps, boundary hits and bands.

Everything is int64 and exact; scores are made of sums of these counts elsewhere. Confusion deals rows to threads;
overlaps and boundaries take a few milliseconds a picture and use one, releasing the GIL: do pictures side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.blocks import blocks
from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.connected import NOBODY, whole_numbers
from maskwright.arrays.id_pairs import count_pairs
from maskwright.arrays.windows import Window, grow, shift, split

STRIP = 1 << 20
"""Pixels counted at a time, which bounds the memory for inputs that must be copied."""


def confusion(
    predicted: ArrayLike,
    truth: ArrayLike,
    class_count: int,
    *,
    ignore: int = NOBODY,
    into: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> NDArray[np.int64]:
    """Pixels of each true class (rows) by predicted class (columns): int64 (class_count, class_count + 1).

    Both inputs have one shape and hold ids 0..class_count - 1 or `ignore` (at least class_count). Pixels whose truth is
    `ignore` are left out; the last column counts those whose truth is known and whose prediction is `ignore`. `into` is
    added to and returned, for streaming over a folder. The counts do not depend on `threads`, which take strips of a
    million pixels as they become free: with two, time nearly halves where both find a core. Fewer than two strips are
    counted by one.

    >>> confusion([[0, 1, 1, 255]], [[0, 0, 1, 1]], 2)
    array([[1, 1, 0],
           [0, 1, 1]])
    """
    predicted, truth = _pair(predicted, truth)
    if not 1 <= class_count <= min(ignore, NOBODY):
        raise ValueError(f"class_count is from 1 to the ignored id {ignore}; got {class_count}")
    if into is not None and (into.shape != (class_count, class_count + 1) or into.dtype != np.int64):
        raise ValueError(
            f"into is int64 {(class_count, class_count + 1)}; got {into.dtype} {into.shape}; leave it out to begin"
        )
    pairs = count_pairs(truth, predicted, class_count, ignore=ignore, threads=threads)
    if pairs[class_count + 1 :].any() or pairs[:, class_count + 1 :].any():
        _check_ids(predicted, class_count, ignore, "predicted")
        _check_ids(truth, class_count, ignore, "true")
    classes = pairs[1 : class_count + 1]
    known = np.concatenate([classes[:, 1 : class_count + 1], classes[:, :1]], axis=1)
    if into is None:
        return known
    into += known
    return into


def region_overlaps(
    first: ArrayLike, second: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which regions of two label pictures share pixels, and how many: (number in first, in second, pixels), each (m,).

    Only pairs that meet are listed, ascending by first, then second. Numbers below 0 are no region.

    >>> region_overlaps([[0, 0, 1, -1]], [[5, 5, 5, 5]])
    (array([0, 1]), array([5, 5]), array([2, 1]))
    """
    one, other = _pair(first, second)
    keys, pixels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for part in blocks(one.shape, STRIP // 8):  # sorting takes several times 8 bytes for each pixel
        inside = (one[part] >= 0) & (other[part] >= 0)
        key = (one[part][inside].astype(np.int64) << 32) + other[part][inside]
        found, counts = np.unique(key, return_counts=True)
        keys.append(found)
        pixels.append(counts)
    found, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.zeros(len(found), np.int64)
    np.add.at(total, inverse, np.concatenate(pixels))
    return found >> 32, found & 0xFFFFFFFF, total


def boundary_hits(
    predicted: ArrayLike,
    truth: ArrayLike,
    class_count: int,
    tolerance_px: float,
    *,
    ignore: int = NOBODY,
    inside: Window | None = None,
) -> NDArray[np.int64]:
    """How many boundary pixels of each class have a partner in the other mask: int64 (class_count, 4).

    Columns: predicted boundary pixels that lie at most `tolerance_px` (between pixel centres) from a true one of the
    same class, all predicted ones, true ones that lie so near a predicted one, all true ones. A boundary pixel of a
    class has a side in common with another class; the picture's edge is no boundary. Where the truth is `ignore`
    nothing is a boundary and nothing makes one; a predicted `ignore` elsewhere is a class of its own. Only pixels in
    `inside` are counted, so that pieces with `boundary_margin` pixels around them add up to the whole exactly.

    >>> boundary_hits([[0, 0, 0, 1, 1, 1]], [[0, 0, 1, 1, 1, 1]], 2, tolerance_px=1)
    array([[1, 1, 1, 1],
           [1, 1, 1, 1]])
    """
    if not 0 <= tolerance_px < np.inf:
        raise ValueError(f"tolerance_px is a number from 0 up; got {tolerance_px}")
    predicted, truth = _pair(predicted, truth)
    inside = inside or Window(0, 0, *predicted.shape)
    hits = np.zeros((class_count, 4), np.int64)
    for wide, part in _with_margin(inside, boundary_margin(tolerance_px), predicted.shape):
        hits += _hits(predicted[wide.slices], truth[wide.slices], class_count, tolerance_px, ignore, part)
    return hits


def boundary_bands(
    predicted: ArrayLike,
    truth: ArrayLike,
    class_count: int,
    width_px: int,
    *,
    ignore: int = NOBODY,
    inside: Window | None = None,
    edge_is_boundary: bool = True,
) -> NDArray[np.int64]:
    """Overlap of the bands along the boundaries of each class: int64 (class_count, 3).

    Columns: pixels in the band of both masks, in the predicted band, in the true band. The band of a class are its
    pixels with a pixel of another class among the (2 * width_px + 1)^2 around them; beyond the picture's edge lies
    another class unless `edge_is_boundary` is False. This is what eroding each class `width_px` times by 3 x 3 leaves
    off. Where the truth is `ignore` nothing belongs to a band and nothing makes one. Only pixels in `inside` are
    counted; a piece needs `width_px` pixels around it.

    >>> boundary_bands([[0, 0, 0, 1, 1, 1]], [[0, 0, 1, 1, 1, 1]], 2, 1, edge_is_boundary=False)
    array([[0, 1, 1],
           [0, 1, 1]])
    """
    if width_px < 1:
        raise ValueError(f"a band is at least 1 px wide; got width_px {width_px}")
    predicted, truth = _pair(predicted, truth)
    inside = inside or Window(0, 0, *predicted.shape)
    bands = np.zeros((class_count, 3), np.int64)
    for wide, part in _with_margin(inside, width_px, predicted.shape):
        frame = shift(Window(0, 0, *predicted.shape), wide.top, wide.left) if edge_is_boundary else None
        bands += _bands(predicted[wide.slices], truth[wide.slices], class_count, width_px, ignore, part, frame)
    return bands


def boundary_margin(tolerance_px: float) -> int:
    """Pixels a piece needs around it so that `boundary_hits` inside it are those of the whole picture."""
    return int(tolerance_px) + 1


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    one, other = whole_numbers(first), whole_numbers(second)
    if one.shape != other.shape:
        raise ValueError(f"both are one shape; got {one.shape} and {other.shape}")
    return one, other


def _check_ids(ids: NDArray[Any], class_count: int, ignore: int, whose: str) -> None:
    found = np.unique(np.concatenate([np.unique(ids[part]) for part in blocks(ids.shape, STRIP)]))
    wrong = [int(each) for each in found if each >= class_count and each != ignore]
    if wrong:
        raise ValueError(
            f"{whose} ids {wrong} are not among 0..{class_count - 1} or {ignore}; "
            "count with more classes or mend the mask"
        )


def _edge_classes(ids: NDArray[Any], hidden: NDArray[np.bool_], class_count: int) -> NDArray[np.uint8]:
    """The class of each boundary pixel, 255 elsewhere."""
    classes = _classes(ids, class_count)
    inner = np.ones(ids.shape, bool)
    everything, head, tail = slice(None), slice(None, -1), slice(1, None)
    some = hidden.any()
    for before, after in (((everything, head), (everything, tail)), ((head, everything), (tail, everything))):
        alike = classes[before] == classes[after]
        if some:
            alike |= hidden[before] | hidden[after]
        inner[before] &= alike
        inner[after] &= alike
    classes |= np.negative(inner.view(np.uint8))  # 255 where inner
    return classes


def _with_margin(inside: Window, margin: int, shape: tuple[int, ...]) -> list[tuple[Window, Window]]:
    """Strips of `inside` with a margin around them, and where the strip lies in that; bounds the memory."""
    if inside.height < 1 or inside.width < 1:
        return []
    rows = max(1, (STRIP // 4) // inside.width, margin)
    wide = [(grow(strip, margin, Window(0, 0, *shape)), strip) for strip in split(inside, (rows, inside.width))]
    return [(around, shift(strip, around.top, around.left)) for around, strip in wide]


def _hits(
    predicted: NDArray[Any], truth: NDArray[Any], class_count: int, tolerance_px: float, ignore: int, inside: Window
) -> NDArray[np.int64]:
    hidden = truth == ignore
    ours, theirs = (_edge_classes(ids, hidden, class_count) for ids in (predicted, truth))
    count = _hits_compiled if HAS_NUMBA else _hits_plain
    offsets = _offsets(tolerance_px)
    found = [count(here, there, offsets, class_count, *inside) for here, there in ((ours, theirs), (theirs, ours))]
    return np.concatenate(found, axis=1)


def _bands(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    class_count: int,
    width_px: int,
    ignore: int,
    inside: Window,
    frame: Window | None,
) -> NDArray[np.int64]:
    hidden = truth == ignore
    ours, theirs = (_band_classes(ids, hidden, class_count, width_px, frame) for ids in (predicted, truth))
    count = _bands_compiled if HAS_NUMBA else _bands_plain
    return count(ours[inside.slices], theirs[inside.slices], class_count)


def _offsets(tolerance_px: float) -> NDArray[np.int64]:
    """Steps (row, col) of at most `tolerance_px`, nearest first."""
    reach = int(tolerance_px)
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squares = rows**2 + cols**2
    order = np.argsort(squares, axis=None, kind="stable")
    order = order[squares.ravel()[order] <= tolerance_px**2]
    return np.stack([rows.ravel()[order], cols.ravel()[order]], axis=1).astype(np.int64)


def _hits_plain(
    here: NDArray[np.uint8],
    there: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    class_count: int,
    top: int,
    left: int,
    bottom: int,
    right: int,
) -> NDArray[np.int64]:
    from scipy import ndimage

    most = (offsets**2).sum(axis=1).max()
    counts = np.zeros((class_count, 2), np.int64)
    for class_id in range(class_count):
        own, other = np.zeros(here.shape, bool), there == class_id
        own[top:bottom, left:right] = here[top:bottom, left:right] == class_id
        counts[class_id, 1] = own.sum()
        if own.any() and other.any():
            nearest = ndimage.distance_transform_edt(~other, return_distances=False, return_indices=True)
            steps = nearest[:, own].astype(np.int64) - np.stack(np.nonzero(own))
            counts[class_id, 0] = ((steps**2).sum(axis=0) <= most).sum()
    return counts


@compiled
def _hits_compiled(
    here: NDArray[np.uint8],
    there: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    class_count: int,
    top: int,
    left: int,
    bottom: int,
    right: int,
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    height, width = here.shape
    counts = np.zeros((class_count, 2), np.int64)
    for row in range(top, bottom):
        for col in range(left, right):
            class_id = here[row, col]
            if class_id == 255:
                continue
            counts[class_id, 1] += 1
            for step in range(len(offsets)):
                at_row, at_col = row + offsets[step, 0], col + offsets[step, 1]
                if 0 <= at_row < height and 0 <= at_col < width and there[at_row, at_col] == class_id:
                    counts[class_id, 0] += 1
                    break
    return counts


def _band_classes(
    ids: NDArray[Any], hidden: NDArray[np.bool_], class_count: int, width_px: int, frame: Window | None
) -> NDArray[np.uint8]:
    """The class of each pixel in a band, 255 elsewhere: the least and the greatest id around it differ."""
    import cv2

    if ids.size == 0:
        return np.zeros(ids.shape, np.uint8)
    low = _classes(ids, class_count)
    high = low
    if hidden.any():  # the greatest value stands aside for the least, and the other way round
        low, high = np.where(hidden, np.uint8(NOBODY), low), np.where(hidden, np.uint8(0), low)
    square = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    least = cv2.erode(low, square, borderType=cv2.BORDER_CONSTANT, borderValue=NOBODY)
    most = cv2.dilate(high, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    inner = least == most
    if frame is not None:  # within width_px of the picture's edge, whose place in this piece the frame says
        inner[: max(0, frame.top + width_px)], inner[max(0, frame.bottom - width_px) :] = False, False
        inner[:, : max(0, frame.left + width_px)], inner[:, max(0, frame.right - width_px) :] = False, False
    low |= np.negative(inner.view(np.uint8))  # 255 where inner
    return low


def _classes(ids: NDArray[Any], class_count: int) -> NDArray[np.uint8]:
    """A copy as uint8 with everything that is no class as 255."""
    if ids.dtype == np.uint8:
        result = ids.copy()
        result[ids >= class_count] = NOBODY
        return result
    return np.where((ids < 0) | (ids >= class_count), NOBODY, ids).astype(np.uint8)


def _bands_plain(ours: NDArray[np.uint8], theirs: NDArray[np.uint8], class_count: int) -> NDArray[np.int64]:
    columns = (ours[ours == theirs], ours.ravel(), theirs.ravel())
    return np.stack([np.bincount(each, minlength=NOBODY + 1)[:class_count] for each in columns], axis=1)


@compiled
def _bands_compiled(
    ours: NDArray[np.uint8], theirs: NDArray[np.uint8], class_count: int
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    height, width = ours.shape
    counts = np.zeros((256, 3), np.int64)
    for row in range(height):
        for col in range(width):
            one, other = ours[row, col], theirs[row, col]
            if one == 255 and other == 255:
                continue
            counts[one, 1] += 1
            counts[other, 2] += 1
            if one == other:
                counts[one, 0] += 1
    return counts[:class_count].copy()
