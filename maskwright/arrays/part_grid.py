"""Parts on a small grid exactly as PAW-ViT's mask generation makes them, tables given: for reproducing its masks.

Everything here keeps that program's rules where ours differ: whole-number pixel indices, the picture squashed onto the
grid, one point in the middle of each link whether or not it lies inside, and distances that cross gaps.
Paper: Ribeiro Neto et al., "An improved architecture for part-based animal re-identification through semantic
segmentation distillation" (WACV 2026).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.paths import route

INSIDE = 0.2
EPSILON = 1e-8


class GridPoints(NamedTuple):
    """Points with a label each: columns and rows in picture pixels, scores, labels; joints first, then added ones."""

    cols: NDArray[np.float64]
    rows: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]


def link_middles(points: GridPoints, links: Sequence[tuple[int, int, int]], *, visible: float) -> GridPoints:
    """The points and, for each link (joint, joint, label) of two whose scores exceed `visible`, its middle, score 1.

    >>> points = GridPoints(np.array([0.0, 4.0]), np.zeros(2), np.ones(2), np.array([0, 1]))
    >>> link_middles(points, [(0, 1, 5)], visible=0.5).cols.tolist()
    [0.0, 4.0, 2.0]
    """
    drawn = [each for each in links if points.scores[each[0]] > visible and points.scores[each[1]] > visible]
    first, second, labels = (np.array([each[k] for each in drawn], np.int64) for k in range(3))
    cols = (points.cols[first] + points.cols[second]) / 2
    rows = (points.rows[first] + points.rows[second]) / 2
    return _joined(points, cols, rows, labels)


def path_points(
    points: GridPoints, foreground: NDArray[np.floating], start: int, goal: int, count: int, *, visible: float
) -> tuple[GridPoints, bool]:
    """The points and `count` more on the shortest way inside a foreground (height, width) between two joints.

    Joints are cut to whole pixels; one outside moves to the nearest pixel inside. The new points have the label of
    `start`. False where both joints are visible and no way joins them.
    """
    if not (points.scores[start] > visible and points.scores[goal] > visible):
        return points, True
    inside = foreground > INSIDE
    if not inside.any():
        return points, False
    ends = [_inside_pixel(foreground, inside, int(points.rows[k]), int(points.cols[k])) for k in (start, goal)]
    way = route(inside, *ends)
    if len(way) < 2:
        return points, False
    steps = np.array([k * (len(way) - 1) // (count + 1) for k in range(1, count + 1)], np.int64)
    label = np.full(count, points.labels[start])
    return _joined(points, way[steps, 1].astype(float), way[steps, 0].astype(float), label), True


def _inside_pixel(foreground: NDArray[np.floating], inside: NDArray[np.bool_], row: int, col: int) -> tuple[int, int]:
    height, width = inside.shape
    if 0 <= row < height and 0 <= col < width and foreground[row, col] >= INSIDE and inside[row, col]:
        return row, col
    rows, cols = np.nonzero(inside)
    best = int(np.argmin((rows - row) ** 2 + (cols - col) ** 2))
    return int(rows[best]), int(cols[best])


def grid_parts(
    points: GridPoints,
    foreground: NDArray[np.floating],
    label_count: int,
    *,
    visible: float,
    grid: tuple[int, int] = (64, 64),
) -> NDArray[np.float64]:
    """Shares (label_count + 1, grid height, grid width) of every label and, last, of the background.

    Inside the foreground (height, width; at least 0.2 at the pixel a grid cell begins in) a cell belongs to the label
    of its nearest point with a score of at least `visible`; n labels that are equally near share it, each with
    1 / (n + 1e-8). With no visible point at all, all labels do.
    """
    high, wide = grid
    height, width = foreground.shape
    rows = (np.arange(high) * height / high).astype(int)
    cols = (np.arange(wide) * width / wide).astype(int)
    sampled = foreground[np.ix_(rows, cols)]
    distance = np.full((label_count, high, wide), np.inf)
    i, j = np.indices((high, wide), sparse=True)
    for k in np.flatnonzero(points.scores >= visible):
        away = np.sqrt((i - points.rows[k] / height * high) ** 2 + (j - points.cols[k] / width * wide) ** 2)
        mine = distance[points.labels[k]]
        np.minimum(mine, away, out=mine)
    nearest = distance == distance.min(axis=0)
    shares = nearest / (nearest.sum(axis=0) + EPSILON)
    outside = sampled < INSIDE
    shares[:, outside] = 0
    return np.concatenate([shares, outside[None].astype(np.float64)])


def replaced(points: GridPoints, other: GridPoints, pairs: ArrayLike) -> GridPoints:
    """The points with the places and scores of some of another set: `pairs` (n, 2) of indices (own, other)."""
    own, theirs = np.asarray(pairs, np.int64).reshape(-1, 2).T
    cols, rows, scores = points.cols.copy(), points.rows.copy(), points.scores.copy()
    cols[own], rows[own], scores[own] = other.cols[theirs], other.rows[theirs], other.scores[theirs]
    return GridPoints(cols, rows, scores, points.labels)


def _joined(points: GridPoints, cols: NDArray[np.float64], rows: NDArray[np.float64], labels: ArrayLike) -> GridPoints:
    return GridPoints(
        np.concatenate([points.cols, cols]),
        np.concatenate([points.rows, rows]),
        np.concatenate([points.scores, np.ones(len(cols))]),
        np.concatenate([points.labels, np.asarray(labels, np.int64)]),
    )
