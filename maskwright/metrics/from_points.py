"""How good a mask is, and how much each class covers, by points somebody named: no full truth needed.

Points must have been placed without looking at the mask, at random or on a regular grid, for the numbers to speak of
the whole picture. Weights of points are counted as many points would be.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.estimate import Estimate, assisted_share, iou, share
from maskwright.errors import InputError
from maskwright.metrics.intervals import bootstrap, bootstrap_counts
from maskwright.types import UNKNOWN, Mask, Points, named_classes


@dataclass(frozen=True)
class PointOverlap:
    """Scores of masks against points: accuracy, IoU and cover, tallied per picture and added up."""

    class_names: tuple[str, ...]

    def tally(self, predicted: Mask, points: Points) -> NDArray[np.float64]:
        """What one picture adds: float64 (classes + 1, classes + 1).

        Row t, column p: weight of the points of class t where the mask says p, the last column for UNKNOWN. The last
        row: how many pixels of the mask have each class, or are unknown. Points of class UNKNOWN are left out; a
        point outside the picture or of a class without a number here is an InputError naming the point.
        """
        count = len(self.class_names)
        rows, cols = _pixels_of(points, predicted)
        said = np.minimum(predicted.class_ids[rows, cols], count).astype(np.intp)
        _check_classes(points, count)
        used = points.class_ids != UNKNOWN
        weights = np.ones(len(points)) if points.weights is None else points.weights
        place = points.class_ids[used].astype(np.intp) * (count + 1) + said[used]
        table = np.bincount(place, weights[used], minlength=count * (count + 1)).reshape(count, count + 1)
        pixels = np.bincount(np.minimum(predicted.class_ids, count).ravel(), minlength=count + 1)
        return np.vstack([table, pixels]).astype(np.float64)

    def scores(self, tally: NDArray[np.float64]) -> dict[str, Any]:
        """Scores of summed tallies, without intervals.

        `pixel_accuracy` and per class `iou` and `dice` as `evaluate` defines them, over points; `mean_iou` averages
        the classes that points have named. `cover` is the share of points per class, `cover_by_map` the map's own
        share mended by the mistakes the points found. nan where nothing is known.
        """
        counts, pixels = tally[:-1], tally[-1]
        hits, truth = np.diagonal(counts), counts.sum(axis=1)
        said = counts[:, :-1].sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            ious, dices = hits / (truth + said - hits), 2 * hits / (truth + said)
            covers = truth / truth.sum()
            mended = pixels[:-1] / pixels.sum() + (truth - said) / truth.sum()
            accuracy = float(np.float64(hits.sum()) / truth.sum())
        mean = float(ious[truth > 0].mean()) if (truth > 0).any() else float("nan")
        by_class = {"iou": ious, "dice": dices, "cover": covers, "cover_by_map": mended}
        return {
            "pixel_accuracy": accuracy,
            "mean_iou": mean,
            **{name: self._named(values) for name, values in by_class.items()},
        }

    def _named(self, values: NDArray[np.float64]) -> dict[str, float]:
        return {name: float(values[class_id]) for class_id, name in named_classes(self.class_names).items()}


def score_points(
    tallies: Sequence[NDArray[np.float64]],
    class_names: tuple[str, ...],
    *,
    sites: Sequence[Hashable | None] | None = None,
    draws: int = 1000,
    random_state: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """The scores of `PointOverlap` over all pictures, each as {"value", "low", "high"}, and `points` and `pictures`.

    With two or more pictures (or sites) the intervals are bootstrapped by picture (or site). A single picture has no
    spread between pictures, so its intervals are those of independent points: Wilson's for shares, the difference
    estimator's for `cover_by_map`, a bootstrap of its points for `mean_iou` and `dice`. `intervals` says which was
    done. Nothing to score, no tallies or no points, is a ValueError.
    """
    if not tallies or not any(each[:-1].any() for each in tallies):
        raise ValueError("there is no point with a known class to score the masks with")
    metric = PointOverlap(class_names)
    places = list(range(len(tallies))) if sites is None else [k if s is None else s for k, s in enumerate(sites)]
    alone = len(set(places)) < 2
    if alone:
        scores = _one_picture(np.sum(tallies, axis=0), metric, draws, random_state, level)
    else:
        scores = bootstrap(tallies, metric.scores, sites=sites, draws=draws, random_state=random_state, level=level)
    by = "point" if alone else "picture" if sites is None else "site"
    return {
        **scores,
        "points": _count(sum(float(each[:-1].sum()) for each in tallies)),
        "pictures": len(tallies),
        "intervals": by,
    }


def _one_picture(
    total: NDArray[np.float64], metric: PointOverlap, draws: int, random_state: int, level: float
) -> dict[str, Any]:
    """Intervals for independent points: drawn anew, and replaced by closed forms where there is one."""

    def scores(counts: NDArray[np.float64]) -> dict[str, Any]:
        return metric.scores(np.vstack([counts, total[-1:]]))

    drawn = bootstrap_counts(total[:-1], scores, draws=draws, random_state=random_state, level=level)
    return {**drawn, **_closed(total, metric, level)}


def _closed(total: NDArray[np.float64], metric: PointOverlap, level: float) -> dict[str, Any]:
    """Intervals for independent points, where there is a closed form."""
    counts, pixels = total[:-1], total[-1]
    points, hits = counts.sum(), np.diagonal(counts)
    missed, invented = counts.sum(axis=1) - hits, counts[:, :-1].sum(axis=0) - hits
    truth = counts.sum(axis=1)
    estimates = {
        "iou": iou(counts, level=level),
        "cover": share(truth, points, level=level),
        "cover_by_map": assisted_share(pixels[:-1] / pixels.sum(), missed, invented, points, level=level),
    }
    named = named_classes(metric.class_names)
    accuracy = _record(share(hits.sum(), points, level=level))
    return {
        "pixel_accuracy": accuracy,
        **{key: {name: _record(each, k) for k, name in named.items()} for key, each in estimates.items()},
    }


def _record(estimate: Estimate, index: int | None = None) -> dict[str, float]:
    parts = [float(each if index is None else each[index]) for each in estimate]
    return dict(zip(("value", "low", "high"), parts, strict=True))


def _pixels_of(points: Points, predicted: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    outside = np.flatnonzero(~predicted.grid.holds(points.rows, points.cols))
    if outside.size:
        first = int(outside[0])
        row, col = float(points.rows[first]), float(points.cols[first])
        swapped = bool(predicted.grid.holds(np.array([col]), np.array([row]))[0])
        raise InputError(
            f"point {first + 1} at x={col:g}, y={row:g} lies outside the mask of {predicted.grid.width} x "
            f"{predicted.grid.height} pixels; {'are x and y swapped?' if swapped else 'move or remove it'}"
        )
    return points.pixels


def _check_classes(points: Points, count: int) -> None:
    wrong = np.flatnonzero((points.class_ids >= count) & (points.class_ids != UNKNOWN))
    if wrong.size:
        first = int(wrong[0])
        raise InputError(
            f"point {first + 1} has class id {points.class_ids[first]}; ids go from 0 to {count - 1} here; "
            "add the class to the classes or mend the point"
        )


def _count(value: float) -> int | float:
    """Whole where it is whole: weights may make it a fraction."""
    return int(value) if float(value).is_integer() else float(value)
