"""Shares estimated from a sample of points, with intervals that hold what they promise.

All functions work on counts, so they take a whole table at once: arrays broadcast, and results have that shape. One
thread: a table of counts is small.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from maskwright.arrays.blocks import blocks


class Estimate(NamedTuple):
    """A value and the ends of its interval: numbers or arrays of one shape, nan where nothing is known."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def share(
    hits: ArrayLike, trials: ArrayLike, *, level: float = 0.95, method: Literal["wilson", "exact"] = "wilson"
) -> Estimate:
    """The share of hits among independent trials, in 0..1.

    `wilson` covers `level` on average over true shares; `exact` (Clopper-Pearson) never covers less, and is wider.
    Counts may be fractions (weighted points); 0 trials give nan for the value and (0, 1) for the interval.

    >>> [round(float(each), 4) for each in share(8, 10)]
    [0.8, 0.4902, 0.9433]
    >>> [round(float(each), 4) for each in share(0, 10, method="exact")]
    [0.0, 0.0, 0.3085]
    """
    hit, count = _counts(hits, trials)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = hit / count
        low, high = _wilson(value, count, level) if method == "wilson" else _clopper_pearson(hit, count, level)
    return Estimate(value, np.where(count > 0, low, 0.0), np.where(count > 0, high, 1.0))


def stratified_share(hits: ArrayLike, trials: ArrayLike, sizes: ArrayLike, *, level: float = 0.95) -> Estimate:
    """The share over a whole area that was sampled stratum by stratum.

    `hits` and `trials` are (..., strata); `sizes` (strata,) say how much of the area each stratum is (pixels, m2).
    The value is the sum of size share * hits / trials. The interval is Wilson's with the number of simple random
    trials that would know as much; a stratum's own variance is taken at (hits + 1) / (trials + 2), so that a stratum
    without hits does not claim certainty. A stratum of size > 0 without trials gives nan and (0, 1).

    >>> [round(float(each), 3) for each in stratified_share([9, 1], [10, 10], [1, 3])]
    [0.3, 0.159, 0.494]
    """
    hit, count = _counts(hits, trials)
    size = np.asarray(sizes, np.float64)
    if size.shape != hit.shape[-1:] or (size < 0).any() or not size.sum() > 0:
        raise ValueError(f"sizes are one positive number per stratum; got {size.tolist()} for {hit.shape[-1:]} strata")
    part = size / size.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(part > 0, hit / count, 0.0)
        value = (part * each).sum(axis=-1)
        smooth = (hit + 1) / (count + 2)
        variance = (np.where(part > 0, part**2 * smooth * (1 - smooth) / count, 0.0)).sum(axis=-1)
        middle = (part * smooth).sum(axis=-1)
        low, high = _wilson(value, middle * (1 - middle) / variance, level)
    known = np.isfinite(value)
    return Estimate(value, np.where(known, low, 0.0), np.where(known, high, 1.0))


def assisted_share(
    mapped: ArrayLike, missed: ArrayLike, invented: ArrayLike, trials: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """The share of a class over a whole map, mended by what randomly placed points say about the map's mistakes.

    `mapped` is the share the map gives the class, over all of its pixels. Of `trials` points, `missed` have the class
    where the map has not, `invented` have not where the map has. The value (difference estimator) is
    mapped + (missed - invented) / trials, unbiased however wrong the map is and sharper the better it is. The
    interval adds half a point to each kind of outcome (Agresti and Min 2005), so a map without a seen mistake does
    not claim certainty; its ends are kept in 0..1. 0 trials give nan and (0, 1).

    >>> [round(float(each), 4) for each in assisted_share(0.3, 4, 2, 100)]
    [0.32, 0.2689, 0.3703]
    """
    share_of_map = np.asarray(mapped, np.float64)
    more, count = _counts(missed, trials)
    less, _ = _counts(invented, trials)
    if ((more + less) > count).any():
        raise ValueError("missed and invented points together are no more than all trials")
    total = count + 2
    shift = (more - less) / total
    spread = np.sqrt(((more + less + 1) / total - shift**2) / total) * _z(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = share_of_map + (more - less) / count
    middle = share_of_map + shift
    low, high = np.clip(middle - spread, 0, 1), np.clip(middle + spread, 0, 1)
    return Estimate(value, np.where(count > 0, low, 0.0), np.where(count > 0, high, 1.0))


def cover(class_ids: NDArray[np.integer[Any]], class_count: int, *, level: float = 0.95) -> Estimate:
    """How much of an area each class covers, from the classes of randomly placed points: arrays (class_count,).

    Wilson's interval for each class by itself. Ids of `class_count` and more (255 is unknown) are left out.

    >>> cover(np.array([0, 0, 0, 1]), 2).value.tolist()
    [0.75, 0.25]
    """
    counts = np.zeros(class_count, np.int64)
    for block in blocks(class_ids.shape):
        part = class_ids[block]
        counts += np.bincount(part[part < class_count].astype(np.intp), minlength=class_count)
    return share(counts, counts.sum(), level=level)


def iou(counts: NDArray[Any], *, level: float = 0.95) -> Estimate:
    """Intersection over union of each class, from a confusion at randomly placed points: arrays (classes,).

    `counts` are (classes, classes or more), truth in rows; further columns (a prediction of unknown) are misses. Of
    the points that lie in truth or prediction of the class, each lies in both with probability IoU, independently:
    so it is a share, with Wilson's interval. A class no point has seen is nan with (0, 1).

    >>> iou(np.array([[6, 2, 0], [2, 10, 0]])).value.tolist()
    [0.6, 0.714...]
    """
    hits = np.diagonal(counts)
    return share(hits, counts.sum(axis=1) + counts[:, : len(counts)].sum(axis=0) - hits, level=level)


def resampled_weights(
    count: int, draws: int, *, sites: Sequence[Hashable] | None = None, random_state: int = 0
) -> NDArray[np.int64]:
    """How often each of `count` things is drawn when whole sites are drawn with replacement: (draws, count).

    Without `sites` each thing is its own site. Every row draws as many sites as there are. The same random state
    gives the same weights, whatever the names of the sites.

    >>> resampled_weights(3, 2, sites=["a", "a", "b"]).shape
    (2, 3)
    """
    if sites is not None and len(sites) != count:
        raise ValueError(f"{count} things need {count} sites; got {len(sites)}")
    order = {site: index for index, site in enumerate(dict.fromkeys(range(count) if sites is None else sites))}
    if not order:
        return np.zeros((draws, 0), np.int64)
    rng = np.random.default_rng(random_state)
    drawn = rng.multinomial(len(order), np.full(len(order), 1 / len(order)), size=draws)
    of = range(count) if sites is None else sites
    return drawn[:, [order[site] for site in of]]


def percentile_interval(
    draws: NDArray[np.float64], sites: int, *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of a bootstrap interval from draws (draws, ...), widened as few sites need it.

    The plain 2.5 and 97.5 percentiles cover too little with few sites; they are moved out as Student's t and the
    factor sqrt(n / (n - 1)) ask (Hesterberg 2015, expanded percentile). nan draws are left out; fewer than two sites
    know nothing of the spread and give nan.

    >>> low, high = percentile_interval(np.linspace(0, 1, 1001), 1000)
    >>> round(float(low), 3), round(float(high), 3)
    (0.025, 0.975)
    """
    if sites < 2 or not len(draws):
        nothing = np.full(draws.shape[1:], np.nan)
        return nothing, nothing.copy()
    reach = np.sqrt(sites / (sites - 1)) * stats.t.ppf(0.5 + level / 2, sites - 1)
    tail = float(stats.norm.cdf(-reach))
    known = np.isfinite(draws).any(axis=0)
    ends = np.nanquantile(np.where(known, draws, 0.0), (tail, 1 - tail), axis=0)
    low, high = np.where(known, ends, np.nan)
    return low, high


def _wilson(
    value: NDArray[np.float64], count: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    z2 = _z(level) ** 2
    middle = (value + z2 / (2 * count)) / (1 + z2 / count)
    spread = np.sqrt(z2 * (value * (1 - value) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    low = np.where(value <= 0, 0.0, np.maximum(middle - spread, 0))
    return low, np.where(value >= 1, 1.0, np.minimum(middle + spread, 1))


def _clopper_pearson(
    hits: NDArray[np.float64], trials: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tail = (1 - level) / 2
    misses = trials - hits
    low = np.where(hits > 0, stats.beta.ppf(tail, np.maximum(hits, 1e-300), misses + 1), 0.0)
    return low, np.where(misses > 0, stats.beta.ppf(1 - tail, hits + 1, np.maximum(misses, 1e-300)), 1.0)


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level is between 0 and 1, such as 0.95; got {level}")
    return float(stats.norm.ppf(0.5 + level / 2))


def _counts(hits: ArrayLike, trials: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hit, count = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(trials, np.float64))
    if not ((hit >= 0) & (hit <= count) & np.isfinite(count)).all():
        raise ValueError("counts are finite, 0 or more, and no more hits than trials")
    return hit, count
