"""Make confidences mean what they say: of all pixels that claim 0.8, eight in ten should be right.

Pixels are taken a block at a time. One thread: sorting, pooling and root finding each wait for what came before, and
the rest is bound by memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, isotonic_regression
from scipy.special import log_softmax, softmax

from maskwright.arrays.blocks import AT_ONCE, blocks

FEW, SPANS, SAMPLE = 1 << 18, 16, 1 << 12
"""More confidences than FEW are fitted in so many spans, as a sample of them lies."""


class Isotonic(NamedTuple):
    """A rising curve through (claimed, measured) points, both (n,) in rising order of `claimed`."""

    claimed: NDArray[np.float64]
    measured: NDArray[np.float64]

    def __call__(self, confidence: NDArray[Any]) -> NDArray[np.float32]:
        """Confidences of any shape, read off the curve; flat beyond its ends, nan stays nan."""
        claims = np.asarray(confidence)
        read = np.empty(claims.shape, np.float32)
        for block in blocks(claims.shape):
            read[block] = np.interp(np.asarray(claims[block], np.float64), self.claimed, self.measured)
        return read


class Reliability(NamedTuple):
    """How right pixels were, by what they claimed: arrays (bins,), nan for an empty bin, and the total weight each."""

    claimed: NDArray[np.float64]
    measured: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of claim and truth, weighted; nan without any pixel."""
        used = self.weight > 0
        if not used.any():
            return float("nan")
        return float(np.average(np.abs(self.claimed - self.measured)[used], weights=self.weight[used]))


def isotonic(confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None = None) -> Isotonic:
    """The rising curve that fits right-or-wrong best, in least squares (pool adjacent violators, exact).

    `confidence`, `correct` (booleans or 0..1) and `weights` are (n,). Equal confidences are one point with their
    weighted mean. Entries with a nan, or without weight, are left out; nothing left is a ValueError. Many are fitted
    a span of confidences at a time, and what comes of the spans together: that gives the same curve, and some
    seven bytes are held for each *different* confidence instead of 90.

    >>> curve = isotonic([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    >>> curve.measured.tolist(), curve(np.array([0.0, 0.25, 0.35])).tolist()
    ([0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.75])
    """
    parts = [_steps(*_pooled(_within(span, _entries(confidence, correct, weights)))) for span in _spans(confidence)]
    steps = _joined(_Steps(*map(np.concatenate, zip(*parts, strict=True))))
    if not len(steps.first):
        raise ValueError("a calibration curve needs at least one confidence with a weight")
    claimed, measured = np.stack([steps.first, steps.last], axis=1).ravel(), np.repeat(steps.measured, 2)
    keep = np.ones(len(claimed), bool)
    keep[1:-1] = (measured[1:-1] != measured[:-2]) | (measured[1:-1] != measured[2:])
    keep[1:] &= claimed[1:] != claimed[:-1]
    return Isotonic(claimed[keep], measured[keep])


def temperature(
    logits: NDArray[Any], truth: NDArray[np.integer[Any]], *, coldest: float = 1e-2, hottest: float = 1e2
) -> float:
    """The one number to divide logits by so that their softmax claims what it keeps (least negative log likelihood).

    `logits` (n, classes), for probabilities their logarithm; `truth` (n,) class ids, those outside 0..classes-1
    (255 is unknown) left out. The likelihood is convex in 1 / temperature, so its one minimum is found to 1e-9;
    where it lies outside `coldest`..`hottest` (a model never or always wrong) that end is returned. No pixel to learn
    from, or logits that are nan or +inf, is a ValueError.

    >>> logits = np.log(np.array([[0.9, 0.1]] * 10))
    >>> sure = 1 / temperature(logits, np.array([0] * 7 + [1] * 3))
    >>> round(float(0.9**sure / (0.9**sure + 0.1**sure)), 6)
    0.7
    """
    named, count = 0.0, 0
    for values, ids in _known(logits, truth):
        named, count = named + float(values[np.arange(len(ids)), ids].sum()), count + len(ids)
    if not count:
        raise ValueError("a temperature needs at least one pixel whose class is known")

    def slope(sharpness: float) -> float:
        """Derivative of the negative log likelihood by 1 / temperature: it rises, and is 0 at the minimum."""
        parts = (softmax(sharpness * values, axis=1) * values for values, _ in _known(logits, truth))
        return (sum(float(part.sum()) for part in parts) - named) / count

    if slope(1 / hottest) >= 0:
        return hottest
    if slope(1 / coldest) <= 0:
        return coldest
    return 1 / float(brentq(slope, 1 / hottest, 1 / coldest, xtol=1e-12, rtol=1e-10))


def at_temperature(scores: NDArray[Any], degree: float) -> NDArray[np.float32]:
    """Class probabilities (classes, height, width) made softer (`degree` > 1) or sharper (< 1); they sum to 1.

    The order of classes never changes. Pixels with a nan stay nan.

    >>> at_temperature(np.array([[[0.8]], [[0.2]]]), 2.0).round(3).ravel().tolist()
    [0.66..., 0.33...]
    """
    if not degree > 0:
        raise ValueError(f"a temperature is above 0; got {degree}")
    if not scores.size:
        return scores.astype(np.float32)
    softened = np.empty(scores.shape, np.float32)
    for block in blocks(scores.shape[1:], AT_ONCE // len(scores)):
        part = (slice(None), *block)
        logits = np.log(np.maximum(np.asarray(scores[part], np.float64), 1e-300))
        softened[part] = np.exp(log_softmax(logits / degree, axis=0))
    return softened


def reliability(
    confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None = None, *, bins: int = 10
) -> Reliability:
    """What was claimed and what was true, in `bins` equal steps of confidence from 0 to 1.

    A confidence on a border belongs to the upper bin, 1 to the last. Entries with a nan are left out; a confidence
    outside 0..1 is a ValueError.

    >>> table = reliability([0.95, 0.95, 0.15], [True, False, False])
    >>> table.measured[[1, 9]].tolist(), round(table.error, 4)
    ([0.0, 0.5], 0.35)
    """
    if bins < 1:
        raise ValueError(f"bins is 1 or more; got {bins}")
    mass, claimed, measured = np.zeros((3, bins))
    for claim, right, weight in _entries(confidence, correct, weights):
        if (claim < 0).any() or (claim > 1).any():
            raise ValueError(f"confidences lie in 0..1; got {claim.min()}..{claim.max()}")
        where = np.minimum((claim * bins).astype(np.intp), bins - 1)
        for total, each in ((mass, weight), (claimed, weight * claim), (measured, weight * right)):
            total += np.bincount(where, each, minlength=bins)
    empty = np.full(bins, np.nan)
    return Reliability(
        np.divide(claimed, mass, where=mass > 0, out=empty.copy()),
        np.divide(measured, mass, where=mass > 0, out=empty.copy()),
        mass,
    )


Entries = Iterable[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]


class _Steps(NamedTuple):
    """A curve in steps: from which confidence to which each one goes, how high it is and what weight it has."""

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    measured: NDArray[np.float64]
    mass: NDArray[np.float64]


def _spans(confidence: ArrayLike) -> list[tuple[float, float]]:
    """Spans of confidences from a number up to another, with some as many entries each; one where they are few."""
    claims = np.asarray(confidence).ravel()
    some = np.asarray(claims[:: max(1, len(claims) // SAMPLE)], np.float64)
    some = some[np.isfinite(some)]
    count = SPANS if len(claims) > FEW and len(some) else 1
    inner = np.unique(np.quantile(some, np.arange(1, count) / count)) if count > 1 else np.zeros(0)
    return list(pairwise([-np.inf, *inner, np.inf]))


def _within(span: tuple[float, float], entries: Entries) -> Entries:
    for claim, right, weight in entries:
        inside = (claim >= span[0]) & (claim < span[1])
        yield claim[inside], right[inside], weight[inside]


def _steps(levels: NDArray[np.float64], mass: NDArray[np.float64], hits: NDArray[np.float64]) -> _Steps:
    return _joined(_Steps(levels, levels, hits / mass, mass))


def _joined(steps: _Steps) -> _Steps:
    """The rising steps that fit steps best: those that fall are pooled, and it makes no difference which are first."""
    if not len(steps.first):
        return steps
    found = isotonic_regression(steps.measured, weights=steps.mass)
    starts = found.blocks[:-1]
    weights = found.weights.copy()  # a part of an array as long as the steps were
    return _Steps(steps.first[starts], steps.last[found.blocks[1:] - 1], found.x[starts], weights)


def _pooled(
    entries: Entries,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Each different confidence once, ascending, with the weight of all its entries and of the right ones."""
    pooled, waiting = (np.zeros(0), np.zeros(0), np.zeros(0)), []
    for claim, right, weight in entries:
        waiting.append(_pool(claim, weight, weight * right))
        if sum(len(each[0]) for each in waiting) > max(len(pooled[0]), 4 * AT_ONCE):
            pooled, waiting = _pool(*map(np.concatenate, zip(pooled, *waiting, strict=True))), []
    return _pool(*map(np.concatenate, zip(pooled, *waiting, strict=True)))


def _pool(
    claim: NDArray[np.float64], mass: NDArray[np.float64], hits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    levels, where = np.unique(claim, return_inverse=True)
    masses, found = (np.bincount(where, each, minlength=len(levels)) for each in (mass, hits))
    return levels, masses.astype(np.float64), found.astype(np.float64)


def _known(logits: NDArray[Any], truth: NDArray[Any]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]]:
    """Logits below their pixel's largest, and class ids, of pixels whose class is known, a block at a time."""
    for block in blocks(truth.shape, AT_ONCE // max(1, logits.shape[1])):
        known = (truth[block] >= 0) & (truth[block] < logits.shape[1])
        values, ids = np.asarray(logits[block], np.float64)[known], truth[block][known].astype(np.intp)
        if np.isnan(values).any() or np.isposinf(values).any():
            raise ValueError("logits are numbers or -inf; got nan or +inf")
        if len(ids):
            values = np.maximum(values, -1e6)
            yield values - values.max(axis=1, keepdims=True), ids


def _entries(
    confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Confidence, truth and weight in float64, without nan and without weight 0, a block at a time."""
    claims, rights = (np.asarray(each).ravel() for each in (confidence, correct))
    given = np.broadcast_to(1.0, claims.shape) if weights is None else np.asarray(weights).ravel()
    if not claims.shape == rights.shape == given.shape:
        raise ValueError(f"one truth and weight per confidence; got {claims.size}, {rights.size} and {given.size}")
    for block in blocks(claims.shape):
        claim, right, weight = (np.asarray(each[block], np.float64) for each in (claims, rights, given))
        if (weight < 0).any() or np.isinf(claim).any() or np.isinf(right).any() or np.isinf(weight).any():
            raise ValueError("confidences, truths and weights are finite, and weights 0 or more")
        used = ~(np.isnan(claim) | np.isnan(right)) & (weight > 0)
        yield claim[used], right[used], weight[used]
