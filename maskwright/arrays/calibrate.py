"""Make confidences mean what they say: of all pixels that claim 0.8, eight in ten should be right."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, isotonic_regression
from scipy.special import log_softmax, softmax


class Isotonic(NamedTuple):
    """A rising curve through (claimed, measured) points, both (n,) in rising order of `claimed`."""

    claimed: NDArray[np.float64]
    measured: NDArray[np.float64]

    def __call__(self, confidence: NDArray[Any]) -> NDArray[np.float32]:
        """Confidences of any shape, read off the curve; flat beyond its ends, nan stays nan."""
        return np.interp(np.asarray(confidence, np.float64), self.claimed, self.measured).astype(np.float32)


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
    weighted mean. Entries with a nan, or without weight, are left out; nothing left is a ValueError.

    >>> curve = isotonic([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    >>> curve.measured.tolist(), curve(np.array([0.0, 0.25, 0.35])).tolist()
    ([0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.75])
    """
    claim, right, weight = _flat(confidence, correct, weights)
    if not claim.size:
        raise ValueError("a calibration curve needs at least one confidence with a weight")
    levels, where = np.unique(claim, return_inverse=True)
    mass = np.bincount(where, weight)
    mean = np.bincount(where, weight * right) / mass
    fitted = np.asarray(isotonic_regression(mean, weights=mass).x)
    keep = np.ones(len(levels), bool)
    keep[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return Isotonic(levels[keep], fitted[keep])


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
    known = (truth >= 0) & (truth < logits.shape[1])
    values, ids = np.asarray(logits, np.float64)[known], truth[known].astype(np.intp)
    if not len(ids):
        raise ValueError("a temperature needs at least one pixel whose class is known")
    if np.isnan(values).any() or np.isposinf(values).any():
        raise ValueError("logits are numbers or -inf; got nan or +inf")
    values = np.maximum(values, -1e6)
    values -= values.max(axis=1, keepdims=True)
    named = values[np.arange(len(ids)), ids].mean()

    def slope(sharpness: float) -> float:
        """Derivative of the mean negative log likelihood by 1 / temperature: it rises, and is 0 at the minimum."""
        return float((softmax(sharpness * values, axis=1) * values).sum(axis=1).mean() - named)

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
    logits = np.log(np.maximum(np.asarray(scores, np.float64), 1e-300))
    softened: NDArray[np.float32] = np.exp(log_softmax(logits / degree, axis=0)).astype(np.float32)
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
    claim, right, weight = _flat(confidence, correct, weights)
    if bins < 1 or (claim < 0).any() or (claim > 1).any():
        raise ValueError(f"confidences lie in 0..1 and bins is 1 or more; got {bins} bins")
    where = np.minimum((claim * bins).astype(np.intp), bins - 1)
    mass, claimed, measured = (
        np.bincount(where, each, minlength=bins).astype(np.float64) for each in (weight, weight * claim, weight * right)
    )
    empty = np.full(bins, np.nan)
    return Reliability(
        np.divide(claimed, mass, where=mass > 0, out=empty.copy()),
        np.divide(measured, mass, where=mass > 0, out=empty.copy()),
        mass,
    )


def _flat(
    confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Confidence, truth and weight as three flat float64 arrays without nan and without weight 0."""
    claim, right = (np.asarray(each, np.float64).ravel() for each in (confidence, correct))
    weight = np.ones_like(claim) if weights is None else np.asarray(weights, np.float64).ravel()
    if not claim.shape == right.shape == weight.shape:
        raise ValueError(f"one truth and weight per confidence; got {claim.size}, {right.size} and {weight.size}")
    if (weight < 0).any() or np.isinf(claim).any() or np.isinf(right).any() or np.isinf(weight).any():
        raise ValueError("confidences, truths and weights are finite, and weights 0 or more")
    used = ~(np.isnan(claim) | np.isnan(right)) & (weight > 0)
    return claim[used], right[used], weight[used]
