"""What the points of one picture say of its other pixels, by four ways of being near: place, way, walk and looks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.forest import grow_forest
from maskwright.arrays.pool import log_scores
from maskwright.arrays.seeds import geodesic_distance, nearest_seed, random_walk
from maskwright.arrays.soften import soften

WITNESSES = ("place", "way", "walk", "looks")

Logs = NDArray[np.float32]


def witness_logs(
    pixels: NDArray[Any],
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    count: int,
    *,
    valid: NDArray[np.bool_],
    where: NDArray[np.intp] | None = None,
    trees: int = 40,
    random_state: int = 0,
) -> Logs:
    """Logarithms of how likely each class is by each of WITNESSES: float32 (4, count, n) at places `where`.

    `pixels` (height, width, channels) on a scale of 0..255, `features` (height, width, any), `labels` (height, width)
    0..count-1 at points and negative elsewhere, every class at least once. `where` are flat places, all when left out.
    "place" goes by the distance to a class's nearest point, "way" by the shortest way over the softened picture, "walk"
    by a random walk over it, and "looks" by random trees that learned from the points of this picture alone.
    """
    flat = np.arange(labels.size) if where is None else where
    soft = soften(pixels, 1.5, valid)
    away, ways = np.full((2, count, len(flat)), np.inf, np.float32)
    for class_id in range(count):
        rows, cols = np.nonzero(labels == class_id)
        away[class_id] = nearest_seed(labels.shape, rows, cols)[1].ravel()[flat]
        ways[class_id] = geodesic_distance(soft, labels == class_id, barriers=~valid).ravel()[flat]
    walk = random_walk(soft / np.float32(255), labels, count, region=valid).reshape(count, -1)[:, flat]
    walk = np.where(walk.sum(axis=0) > 0, walk, np.float32(1 / count))
    places = np.flatnonzero(labels.ravel() >= 0)
    rows_of = features.reshape(-1, features.shape[2])
    ids = labels.ravel()[places]
    weights = 1 / np.bincount(ids, minlength=count)[ids]
    forest = grow_forest(
        rows_of[places], ids, count, weights=weights, leaf_size=1, trees=trees, random_state=random_state
    )
    looks = forest(rows_of if where is None else rows_of[flat]).T
    return np.stack([log_scores(each) for each in (_nearness(away), _nearness(ways), walk, looks)])


def _nearness(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores that fall with the square of the distance to each class; where no class can be reached, all the same."""
    near = 1 / (distance + np.float32(0.5)) ** 2
    total = near.sum(axis=0)
    reached = total > 0
    return np.where(reached, near / np.where(reached, total, np.float32(1)), np.float32(1 / len(distance)))
