"""Several opinions about the same pixels become one, with UNKNOWN where nobody knows or two opinions are equal.

Masks are stacked as class ids (opinions, height, width) with 255 for unknown, scores as (classes, height, width) with
nan where a class was never looked at. Work is done a block of pixels at a time in float64. Nothing here scales with
more threads: every step is bound by memory, not by arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.blocks import blocks, quantiles

UNKNOWN_ID = 255
SAME = 1e-9
"""Two sums of weights that differ by less than this share of the larger are a tie: they differ by rounding only."""


def score_quantiles(
    scores: NDArray[Any] | Sequence[NDArray[Any]], *, low: float = 0.01, high: float = 0.99
) -> NDArray[np.float64]:
    """What each class calls low and high: (classes, 2) quantiles over all given score maps, nan left out.

    `scores` is one array (classes, ...) or several with the same first axis (one per survey), pooled class by class.
    Quantiles are linearly interpolated. A class without any number has (nan, nan); infinite scores are a ValueError.

    >>> score_quantiles(np.array([[0, 0.2, 0.4, 0.6, 0.8, 1]])).round(4).tolist()
    [[0.01, 0.99]]
    """
    maps = [scores] if isinstance(scores, np.ndarray) else [np.asarray(each) for each in scores]
    if not maps or len({len(each) for each in maps}) != 1:
        raise ValueError(f"score maps need one same number of classes; got {[each.shape[:1] for each in maps]}")
    return np.array([_quantiles([each[k] for each in maps], low, high) for k in range(len(maps[0]))]).reshape(-1, 2)


def quantile_stretch(
    scores: NDArray[Any], quantiles: ArrayLike | None = None, *, floor: float = 0.1
) -> NDArray[np.float32]:
    """Scores (classes, ...) brought to 0..1 class by class, so that a shy class can win where it is strongest.

    v' = clip((v - q1) / (max(q99 - q1, floor) + 1e-6), 0, 1), nan stays nan. `quantiles` (classes, 2) come from
    `score_quantiles`; without them those of `scores` are taken. `floor`, in units of score, keeps a class that is
    almost never seen from turning a trace of evidence into certainty; 0 is the plain stretch without that guard.
    A class whose quantiles are nan becomes nan. The result is float32.

    >>> print(quantile_stretch(np.array([[0, 0.2, 0.4, 0.6, 0.8, 1]])).round(3))
    [[0. 0.194 0.398 0.602 0.806 1. ]]
    >>> rare = np.array([[0.0, 0.01, 0.2]])
    >>> print(quantile_stretch(rare, [[0.0, 0.0]]).round(3), quantile_stretch(rare, [[0.0, 0.0]], floor=0).round(3))
    [[0. 0.1 1. ]] [[0. 1. 1.]]
    """
    pairs = score_quantiles(scores) if quantiles is None else np.asarray(quantiles, np.float64)
    if pairs.shape != (len(scores), 2):
        raise ValueError(f"{len(scores)} classes need quantiles of shape ({len(scores)}, 2); got {pairs.shape}")
    if floor < 0:
        raise ValueError(f"floor is a span of scores, 0 or more; got {floor}")
    stretched = np.empty(scores.shape, np.float32)
    for out, band, (low, high) in zip(stretched, scores, pairs, strict=True):
        for block in blocks(band.shape):
            value = (np.asarray(band[block], np.float64) - low) / (max(high - low, floor) + 1e-6)
            out[block] = np.clip(value, 0, 1)
    return stretched


def fuse_scores(
    scores: NDArray[Any],
    *,
    confidence: Literal["margin", "share"] = "margin",
    least: float = 0.0,
    tolerance: float = 1e-6,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The class with the highest score at each pixel, and how sure that is.

    `scores` (classes, height, width) are 0 or more, class k in channel k; nan means the class was not looked at and
    is passed over. UNKNOWN, with confidence 0: no number at all, a best score not above `least`, or two classes whose
    best scores differ by no more than `tolerance`. Confidence, float32 in 0..1, is either the `margin`
    (best - second) / best or the `share` best / sum of all; a single class with evidence has 1.
    No classes at all give UNKNOWN everywhere; more than 255, or +inf, is a ValueError.

    >>> nan = np.nan
    >>> ids, sure = fuse_scores(np.array([[[0.8, 0.5, nan, nan, 0.0]], [[0.2, 0.5, 0.3, nan, 0.0]]]))
    >>> ids.tolist(), sure.tolist()
    ([[0, 255, 1, 255, 255]], [[0.75, 0.0, 1.0, 0.0, 0.0]])
    """
    if scores.ndim != 3 or len(scores) > UNKNOWN_ID:
        raise ValueError(f"scores are (classes, height, width) with at most 255 classes; got shape {scores.shape}")
    ids, sure = np.empty(scores.shape[1:], np.uint8), np.empty(scores.shape[1:], np.float32)
    for block in blocks(ids.shape):
        ids[block], sure[block] = _fuse(scores[(slice(None), *block)], confidence, least, tolerance)
    return ids, sure


def _fuse(
    scores: NDArray[Any], confidence: Literal["margin", "share"], least: float, tolerance: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """`fuse_scores` of a block of pixels."""
    best, second, total = (np.zeros(scores.shape[1:]) for _ in range(3))
    ids = np.full(scores.shape[1:], UNKNOWN_ID, np.uint8)
    for class_id, band in enumerate(scores):
        value = np.nan_to_num(np.asarray(band, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        if np.isposinf(value).any():
            raise ValueError(f"scores are finite or nan; class {class_id} has an infinite one")
        _climb(best, second, ids, value, class_id)
        total += np.maximum(value, 0)
    unknown = (best <= least) | (best - second <= tolerance)
    rest = best - second if confidence == "margin" else best
    sure = np.divide(rest, best if confidence == "margin" else total, where=~unknown, out=np.zeros_like(best))
    ids[unknown] = UNKNOWN_ID
    return ids, sure


def legacy_argmax(scores: NDArray[Any], *, first_id: int = 1) -> NDArray[np.uint8]:
    """The published rule, for comparing with old maps: argmax + `first_id`, ties to the lowest, nan wins its pixel.

    `scores` are (classes, height, width); 255 only where all classes are nan. Use `fuse_scores` for new maps: here
    pixels without any evidence become the first class, and a class that was not looked at beats all others.

    >>> legacy_argmax(np.array([[[0.0, 0.2, np.nan]], [[0.0, np.nan, np.nan]]])).tolist()
    [[1, 2, 255]]
    """
    ids = np.empty(scores.shape[1:], np.uint8)
    for block in blocks(ids.shape):
        part = scores[(slice(None), *block)]
        ids[block] = (np.argmax(part, axis=0) + first_id).astype(np.uint8)
        ids[block][np.isnan(part).all(axis=0)] = UNKNOWN_ID
    return ids


def vote(
    masks: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], weights: ArrayLike | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The class most opinions name at each pixel, and the share of the votes cast that it got.

    `masks` are class ids (opinions, height, width); UNKNOWN does not vote. `weights` are one number per opinion (n,)
    or one per pixel (n, height, width), such as confidences; nan and weights of 0 or less do not vote. A tie, or no
    vote at all, is UNKNOWN. The share is float32 in 0..1; in a tie it is that of either winner, 0 without votes.

    >>> ids, share = vote(np.array([[[1, 1, 255]], [[1, 2, 255]], [[2, 255, 255]]], np.uint8))
    >>> ids.tolist(), share.round(2).tolist()
    ([[1, 255, 255]], [[0.67..., 0.5, 0.0]])
    """
    stack = _stack(masks)
    shares = np.ones(len(stack)) if weights is None else np.asarray(weights)
    if shares.shape not in (stack.shape[:1], stack.shape):
        raise ValueError(
            f"weights are one per opinion {stack.shape[:1]} or per pixel {stack.shape}; got {shares.shape}"
        )
    ids, sure = np.empty(stack.shape[1:], np.uint8), np.empty(stack.shape[1:], np.float32)
    for block in blocks(ids.shape):
        part = (slice(None), *block)
        ids[block], sure[block] = _vote(stack[part], _weights(shares if shares.ndim == 1 else shares[part]))
    return ids, sure


def _vote(stack: NDArray[np.uint8], shares: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """`vote` of a block of pixels."""
    best, second, total = (np.zeros(stack.shape[1:]) for _ in range(3))
    ids = np.full(stack.shape[1:], UNKNOWN_ID, np.uint8)
    for class_id in np.unique(stack):
        if class_id == UNKNOWN_ID:
            continue
        votes = np.zeros_like(best)
        for mask, share in zip(stack, shares, strict=True):
            votes += (mask == class_id) * share
        _climb(best, second, ids, votes, int(class_id))
        total += votes
    ids[(best <= 0) | (best - second <= SAME * best)] = UNKNOWN_ID
    return ids, np.divide(best, total, where=total > 0, out=np.zeros_like(best))


def agreement(masks: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The share of pairs of opinions that say the same at each pixel, among those who know it.

    `masks` are class ids (opinions, height, width). The result is float32 in 0..1; nan where fewer than two know.

    >>> agreement(np.array([[[1, 1, 1]], [[1, 2, 255]], [[1, 2, 255]]], np.uint8)).round(2).tolist()
    [[1.0, 0.33..., nan]]
    """
    stack = _stack(masks)
    shares = np.empty(stack.shape[1:], np.float32)
    for block in blocks(shares.shape):
        shares[block] = _agreement(stack[(slice(None), *block)])
    return shares


def _agreement(stack: NDArray[np.uint8]) -> NDArray[np.float64]:
    """`agreement` of a block of pixels."""
    known = (stack != UNKNOWN_ID).sum(axis=0).astype(np.float64)
    same = np.zeros(stack.shape[1:])
    for class_id in np.unique(stack):
        if class_id != UNKNOWN_ID:
            count = (stack == class_id).sum(axis=0)
            same += count * (count - 1)
    pairs = known * (known - 1)
    return _share(same, pairs)


def average(scores: NDArray[Any] | Sequence[NDArray[Any]], weights: ArrayLike | None = None) -> NDArray[np.float32]:
    """The weighted mean of several score maps, nan left out.

    `scores` are (opinions, classes, height, width), `weights` (opinions,), 0 or more. Where every opinion with a
    weight is nan the result is nan. No opinions at all are a ValueError.

    >>> average(np.array([[[[0.2, np.nan]]], [[[0.8, 0.5]]]]), [1, 3]).round(2).tolist()
    [[[0.6499..., 0.5]]]
    """
    if not len(scores):
        raise ValueError("an average needs at least one score map")
    shares = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(scores),) or not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError(f"{len(scores)} score maps need as many finite weights, 0 or more; got {shares.tolist()}")
    maps = [np.asarray(each) for each in scores]
    mean = np.empty(maps[0].shape, np.float32)
    for block in blocks(mean.shape):
        mean[block] = _average([each[block] for each in maps], shares)
    return mean


def _average(maps: Sequence[NDArray[Any]], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """`average` of a block of numbers."""
    total = np.zeros(maps[0].shape)
    weight = np.zeros_like(total)
    for each, share in zip(maps, shares, strict=True):
        known = ~np.isnan(each)
        total += np.where(known, each, 0) * share
        weight += known * share
    return _share(total, weight)


def priority(masks: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Each pixel from the first opinion that knows it; UNKNOWN where none does.

    >>> priority(np.array([[[255, 1]], [[2, 2]]], np.uint8)).tolist()
    [[2, 1]]
    """
    stack = _stack(masks)
    ids = np.full(stack.shape[1:], UNKNOWN_ID, np.uint8)
    for mask in stack[::-1]:
        np.copyto(ids, mask, where=mask != UNKNOWN_ID)
    return ids


def _climb(
    best: NDArray[np.float64], second: NDArray[np.float64], ids: NDArray[np.uint8], value: NDArray[Any], class_id: int
) -> None:
    """Let one more class compete: keep the best value, the second best and the id of the best, in place."""
    wins = value > best
    np.maximum(second, np.minimum(best, value), out=second)
    np.maximum(best, value, out=best)
    ids[wins] = class_id


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """part / whole, nan where the whole is 0."""
    shares: NDArray[np.float64] = np.full(part.shape, np.nan)
    return np.divide(part, whole, where=whole > 0, out=shares)


def _quantiles(bands: Sequence[NDArray[Any]], low: float, high: float) -> NDArray[np.float64]:
    values = np.concatenate([band.ravel() for band in bands])
    if values.dtype.kind == "f" and any(np.isinf(values[block]).any() for block in blocks(values.shape)):
        raise ValueError("scores are finite or nan; got an infinite one")
    return quantiles(values, (low, high))


def _stack(masks: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if not len(masks):
        raise ValueError("fusing needs at least one mask")
    stack = masks if isinstance(masks, np.ndarray) else np.stack([np.asarray(mask) for mask in masks])
    if stack.ndim != 3 or stack.dtype != np.uint8:
        raise ValueError(f"masks are uint8 (opinions, height, width); got {stack.dtype} {stack.shape}")
    return stack


def _weights(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Weights as numbers from 0 up; nan is none."""
    shares = np.asarray(weights, np.float64)
    if np.isposinf(shares).any():
        raise ValueError("weights are finite; got an infinite one")
    return np.maximum(np.nan_to_num(shares, nan=0.0), 0)
