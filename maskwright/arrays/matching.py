"""Detections matched to truth as COCO does it, and precision at fixed recalls from what was matched.

Rules (all of them matter for equal numbers): detections of one class are taken by falling score, equal scores in the
order given; each takes the free object it overlaps most, of equal overlaps the later one; an ignored object is only
taken when no other is good enough; a crowd may be taken many times; who takes an ignored object, or takes nothing and
has an area outside the range, counts neither for nor against. One thread: who is free depends on who came before;
matching releases the GIL, so that pictures can be done side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import compiled

THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
"""The overlaps at which a detection counts as found, averaged over by `ap`."""
RECALLS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
"""The recalls at which precision is read off."""
COCO_SIGMAS: NDArray[np.float64] = (
    np.array([0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89])
    / 10.0
)
"""How far people place the 17 body points of COCO apart, as fractions of an object's size."""


def rank_by_score(class_ids: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Order by class, then falling score (equal ones as given), and each one's rank in its class from 0.

    >>> rank_by_score(np.array([2, 1, 2]), np.array([.5, .1, .9]))
    (array([1, 2, 0]), array([0, 0, 1]))
    """
    order = np.lexsort((-scores, class_ids))
    ordered = class_ids[order]
    return order, np.arange(len(order)) - np.searchsorted(ordered, ordered, side="left")


def match(
    pairs: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    truth_ignored: NDArray[np.bool_],
    truth_crowd: NDArray[np.bool_],
    detection_outside: NDArray[np.bool_],
    thresholds: ArrayLike = THRESHOLDS,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which detections found something and which do not count: two bool arrays (detections, ranges, thresholds).

    `pairs` are (detection, truth, overlap) of all that may match, ascending by detection, then truth; detections
    are numbered by falling score. `truth_ignored` (ranges, truths) and `detection_outside` (ranges, detections) say
    it per area range.

    >>> found, ignored = match((np.array([0]), np.array([0]), np.array([.7])), np.zeros((1, 1), bool),
    ...                        np.zeros(1, bool), np.zeros((1, 2), bool), [.5, .75])
    >>> found[:, 0].tolist(), bool(ignored.any())
    ([[True, False], [False, False]], False)
    """
    levels = np.minimum(np.asarray(thresholds, np.float64), 1 - 1e-10)
    ranges, detections = detection_outside.shape
    first = np.searchsorted(pairs[0], np.arange(detections + 1))
    found = np.zeros((detections, ranges, len(levels)), bool)
    ignored = np.zeros_like(found)
    _match(first, pairs[1], pairs[2], truth_ignored, truth_crowd, detection_outside, levels, found, ignored)
    return found, ignored


def box_iou(a: NDArray[Any], b: NDArray[Any], crowd: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Overlap of boxes given as top, left, height, width (n, 4) and (m, 4): float64 (n, m) in [0, 1].

    Height and width instead of bottom and right, because that is what files hold and a rounding bit can turn a match.
    Where `crowd[j]`, the divisor is the area of a alone.

    >>> box_iou(np.array([[0, 0, 2, 4]]), np.array([[0, 2, 2, 4]]), np.array([False])).round(3)
    array([[0.333]])
    """
    a, b = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)
    tall = np.minimum(a[..., 0] + a[..., 2], b[:, 0] + b[:, 2]) - np.maximum(a[..., 0], b[:, 0])
    wide = np.minimum(a[..., 1] + a[..., 3], b[:, 1] + b[:, 3]) - np.maximum(a[..., 1], b[:, 1])
    meet = (tall > 0) & (wide > 0)
    shared = wide * tall
    own = a[..., 2] * a[..., 3]
    union = np.where(crowd, own, own + b[:, 2] * b[:, 3] - shared)
    overlap: NDArray[np.float64] = np.divide(shared, union, out=np.zeros(meet.shape), where=meet)
    return overlap


def keypoint_similarity(
    detected: NDArray[Any], truth: NDArray[Any], areas: NDArray[Any], extents: NDArray[Any], sigmas: NDArray[Any]
) -> NDArray[np.float64]:
    """Object keypoint similarity of detections (n, k, 3) with truths (m, k, 3), float64 (n, m) in [0, 1].

    The last axis is row, column, visibility; only points visible in the truth count. A truth without any is compared
    by how far a detection's points lie outside its box `extents` (m, 4: top, left, height, width) doubled each way.

    >>> one = np.array([[[5., 5., 2.]]])
    >>> keypoint_similarity(one, one, np.array([9.]), np.zeros((1, 4)), np.array([.1]))
    array([[1.]])
    """
    result = np.zeros((len(detected), len(truth)))
    spreads = (np.asarray(sigmas) * 2) ** 2
    for index, (points, area, (top, left, height, width)) in enumerate(zip(truth, areas, extents, strict=True)):
        seen = points[:, 2] > 0
        if seen.any():
            rows, cols = detected[..., 0] - points[:, 0], detected[..., 1] - points[:, 1]
        else:
            rows = _beyond(detected[..., 0], top - height, top + height * 2)
            cols = _beyond(detected[..., 1], left - width, left + width * 2)
            seen = np.ones_like(seen)
        error = (cols**2 + rows**2) / spreads / (area + np.spacing(1)) / 2
        result[:, index] = np.exp(-error[:, seen]).sum(axis=1) / seen.sum()
    return result


def precision_at_recalls(
    found: NDArray[np.bool_], ignored: NDArray[np.bool_], positives: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision at the 101 recalls (thresholds, 101) and the last recall (thresholds,) of one class.

    `found` and `ignored` are (detections, thresholds) by falling score; `positives` is the number of objects to
    find, at least one. Precision is made to never rise with recall first; a recall never reached has precision 0.

    >>> curve, recall = precision_at_recalls(np.array([[True], [False]]), np.zeros((2, 1), bool), 2)
    >>> curve[0, [0, 50, 51]], recall
    (array([1., 1., 0.]), array([0.5]))
    """
    hits = np.cumsum((found & ~ignored).T, axis=1, dtype=np.float64)
    misses = np.cumsum((~found & ~ignored).T, axis=1, dtype=np.float64)
    curve = np.zeros((found.shape[1], len(RECALLS)))
    if not len(found):
        return curve, np.zeros(found.shape[1])
    precision = hits / (misses + hits + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / positives
    for level in range(found.shape[1]):
        where = np.searchsorted(recall[level], RECALLS, side="left")
        reached = where < len(found)
        curve[level, reached] = precision[level, where[reached]]
    return curve, recall[:, -1]


def _beyond(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    return np.maximum(0, low - values) + np.maximum(0, values - high)


@compiled
def _match(
    first: NDArray[Any],
    truths: NDArray[Any],
    overlaps: NDArray[Any],
    truth_ignored: NDArray[Any],
    truth_crowd: NDArray[Any],
    detection_outside: NDArray[Any],
    levels: NDArray[Any],
    found: NDArray[Any],
    ignored: NDArray[Any],
) -> None:
    taken = np.zeros(len(truth_crowd), np.bool_)
    for area in range(found.shape[1]):
        for level in range(found.shape[2]):
            taken[:] = False
            for detection in range(found.shape[0]):
                best = levels[level]
                chosen = -1
                for second_best in (False, True):  # ignored objects only when nothing else is good enough
                    for pair in range(first[detection], first[detection + 1]):
                        truth = truths[pair]
                        if truth_ignored[area, truth] != second_best or overlaps[pair] < best:
                            continue
                        if truth_crowd[truth] or not taken[truth]:
                            best = overlaps[pair]
                            chosen = truth
                    if chosen >= 0:
                        break
                if chosen >= 0:
                    taken[chosen] = True
                    found[detection, area, level] = True
                    ignored[detection, area, level] = truth_ignored[area, chosen]
                else:
                    ignored[detection, area, level] = detection_outside[area, detection]
