"""How far a score could lie from what was measured: bootstrap by picture, or by site where pictures have one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.estimate import percentile_interval, resampled_weights

Item = TypeVar("Item")
FRACTIONS = (float, np.floating)
BATCH = 64
"""Draws worked on at once: the resampled tallies of a batch are held, not those of all draws."""


def bootstrap(
    tallies: Sequence[ArrayLike],
    scores: Callable[[NDArray[Any]], Mapping[str, Any]],
    *,
    sites: Sequence[Hashable | None] | None = None,
    weights: ArrayLike | None = None,
    draws: int = 1000,
    random_state: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Every score of the summed tallies with the ends of its interval: {"mean_iou": {"value", "low", "high"}}.

    `tallies` are arrays of one shape, one per picture; `scores` takes their sum and gives numbers by name. A mapping
    inside (scores per class) keeps its shape; whole numbers (counts) come back as they are. Whole sites are drawn with
    replacement where `sites` (one per picture; None is a site of its own) are given, otherwise pictures. `weights`
    multiply tallies. Fewer than two sites say nothing about the spread: `low` and `high` are nan. The same input and
    random state give the same numbers. No tallies are a ValueError.

    >>> tallies = [np.array([8, 10]), np.array([5, 10])]
    >>> bootstrap(tallies, lambda tally: {"accuracy": float(tally[0] / tally[1]), "pixels": int(tally[1])})
    {'accuracy': {'value': 0.65, 'low': 0.5, 'high': 0.8}, 'pixels': 20}
    """
    table = _table(tallies, weights)
    picture_sites = _own_sites(sites, len(table))
    drawn = resampled_weights(len(table), draws, sites=picture_sites, random_state=random_state)
    used = table.any(axis=0)

    def score(share: NDArray[Any]) -> Mapping[str, Any]:
        tally = np.zeros(used.shape, share.dtype)
        tally[used] = share
        return scores(tally.reshape(np.shape(tallies[0])))

    def redrawn() -> list[NDArray[np.float64]]:
        rows = []
        for start in range(0, draws, BATCH):
            sums = drawn[start : start + BATCH].astype(table.dtype) @ table[:, used]
            rows += [_numbers(score(each)) for each in sums]
        return rows

    return _with_intervals(score(table[:, used].sum(axis=0)), redrawn, len(set(picture_sites)), level)


def bootstrap_items(
    items: Sequence[Item],
    scores: Callable[[Sequence[Item]], Mapping[str, Any]],
    *,
    sites: Sequence[Hashable | None] | None = None,
    draws: int = 200,
    random_state: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Like `bootstrap` for scores that are no function of a sum (average precision): they take the list of pictures.

    Each draw calls `scores` with the pictures drawn, some of them several times, in the order of `items`.

    >>> bootstrap_items([1.0, 3.0], lambda drawn: {"median": float(np.median(drawn))})
    {'median': {'value': 2.0, 'low': 1.0, 'high': 3.0}}
    """
    if not items:
        raise ValueError("an interval needs at least one picture")
    picture_sites = _own_sites(sites, len(items))
    drawn = resampled_weights(len(items), draws, sites=picture_sites, random_state=random_state)

    def redrawn() -> list[NDArray[np.float64]]:
        return [_numbers(scores([items[k] for k in np.repeat(np.arange(len(items)), row).tolist()])) for row in drawn]

    return _with_intervals(scores(items), redrawn, len(set(picture_sites)), level)


def bootstrap_counts(
    counts: NDArray[Any],
    scores: Callable[[NDArray[np.float64]], Mapping[str, Any]],
    *,
    draws: int = 1000,
    random_state: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Like `bootstrap` for independent things that were counted in cells (points in a confusion): things are drawn.

    `counts` of any shape, 0 or more, at least one above 0; fractions (weighted things) are kept in their proportion.

    >>> bootstrap_counts(np.array([3, 3]), lambda each: {"share": float(each[0] / each.sum())}, draws=200)
    {'share': {'value': 0.5, 'low': 0.0, 'high': 1.0}}
    """
    total = float(counts.sum())
    number = max(round(total), 1)
    drawn = np.random.default_rng(random_state).multinomial(number, counts.ravel() / total, size=draws)

    def redrawn() -> list[NDArray[np.float64]]:
        return [_numbers(scores(row.reshape(counts.shape) * (total / number))) for row in drawn]

    return _with_intervals(scores(counts.astype(np.float64)), redrawn, number, level)


def _with_intervals(
    scores: Mapping[str, Any], redrawn: Callable[[], list[NDArray[np.float64]]], sites: int, level: float
) -> dict[str, Any]:
    """The scores, each number with the interval of its place in the rows of redrawn numbers."""
    rows = np.array(redrawn() if sites > 1 else []).reshape(-1, len(_numbers(scores)))
    low, high = percentile_interval(rows, sites, level=level)
    ends = iter(zip(low.tolist(), high.tolist(), strict=True))

    def dressed(part: Mapping[str, Any]) -> dict[str, Any]:
        return {name: dressed(each) if isinstance(each, Mapping) else ended(each) for name, each in part.items()}

    def ended(value: Any) -> Any:
        if not isinstance(value, FRACTIONS):
            return value
        first, last = next(ends)
        return {"value": float(value), "low": first, "high": last}

    return dressed(scores)


def _numbers(scores: Mapping[str, Any]) -> NDArray[np.float64]:
    """All fractional numbers of (nested) scores, in order; counts and words are left out."""
    found: list[float] = []
    for each in scores.values():
        if isinstance(each, Mapping):
            found += _numbers(each).tolist()
        elif isinstance(each, FRACTIONS):
            found.append(float(each))
    return np.array(found, np.float64)


def _table(tallies: Sequence[ArrayLike], weights: ArrayLike | None) -> NDArray[Any]:
    """Tallies as rows (pictures, counts), multiplied by weights."""
    arrays = [np.asarray(each) for each in tallies]
    shapes = {each.shape for each in arrays}
    if len(shapes) != 1:
        raise ValueError(f"an interval needs at least one picture, with tallies of one shape; got {sorted(shapes)}")
    table = np.stack([each.ravel() for each in arrays])
    if weights is not None:
        factors = np.asarray(weights, np.float64)
        if factors.shape != (len(arrays),) or not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(f"{len(arrays)} pictures need as many finite weights, 0 or more; got {factors.shape}")
        return table * factors[:, None]
    return table if np.issubdtype(table.dtype, np.floating) else table.astype(np.int64)


def _own_sites(sites: Sequence[Hashable | None] | None, count: int) -> list[Hashable]:
    """One site per picture; a picture without one is its own."""
    if sites is None:
        return list(range(count))
    if len(sites) != count:
        raise ValueError(f"{count} pictures need {count} sites; got {len(sites)}")
    return [("picture", index) if site is None else ("site", site) for index, site in enumerate(sites)]
