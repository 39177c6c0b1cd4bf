"""What a camera above the ground sees of it, and how sure of a class several frames make a tile they overlap.

Ground coordinates are metres north and east of the camera; footprints are convex, (4, 2) each.
"""

from __future__ import annotations

from math import tan
from typing import Any

import numpy as np
from numpy.typing import NDArray


def footprints(
    attitudes: NDArray[Any], *, fov_across_deg: float = 94.4, fov_along_deg: float = 122.6
) -> NDArray[np.float64]:
    """Corners of each frame's footprint, float64 (n, 4, 2) metres north and east of the camera.

    `attitudes` (n, 4) are track, pitch and roll in degrees and altitude in metres. The rays of a pinhole camera,
    (+-tan(along / 2), +-tan(across / 2), -1), are turned by roll about north, pitch about east and track about the
    vertical, then meet the ground. A frame of which a corner looks above the horizon, or that is not above the ground,
    has nan corners. The default angles are those of the published survey's camera.

    >>> footprints(np.array([[0.0, 0, 0, 1.0]]), fov_across_deg=90, fov_along_deg=90)[0].round(9).tolist()
    [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]]
    """
    along, across = tan(np.radians(fov_along_deg) / 2), tan(np.radians(fov_across_deg) / 2)
    rays = np.array([[along, across, -1], [along, -across, -1], [-along, -across, -1], [-along, across, -1]])
    track, pitch, roll = np.radians(np.asarray(attitudes, np.float64)[:, :3]).T
    turned = np.einsum("nij,kj->nki", _turn(track, pitch, roll), rays)
    altitude = np.asarray(attitudes, np.float64)[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        corners: NDArray[np.float64] = turned[..., :2] * (altitude[:, None] / -turned[..., 2])[..., None]
    corners[(turned[..., 2] >= 0).any(axis=1) | ~(altitude > 0)] = np.nan
    return corners


def clip_to_box(corners: NDArray[Any], low: tuple[float, float], high: tuple[float, float]) -> NDArray[np.float64]:
    """The part of a convex polygon (n, 2) that lies in the box from `low` to `high`, as (m, 2); none is (0, 2).

    >>> clip_to_box(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), (1, -5), (9, 1)).tolist()
    [[1.0, 1.0], [1.0, 0.0], [2.0, 0.0], [2.0, 1.0]]
    """
    part = np.asarray(corners, np.float64)
    for axis in (0, 1):
        for limit, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            part = _clip(part, sign * (part[:, axis] - limit))
    return part


def area(corners: NDArray[Any]) -> float:
    """The area of a polygon (n, 2) whose border does not cross itself.

    >>> area(np.array([[0.0, 0], [0, 2], [3, 2], [3, 0]]))
    6.0
    """
    first, second = np.asarray(corners, np.float64).T
    return float(abs(first @ np.roll(second, -1) - second @ np.roll(first, -1)) / 2)


def covered_share(parts: list[NDArray[np.float64]], low: tuple[float, float], high: tuple[float, float]) -> float:
    """The share of a box that convex polygons cover together, counted on 64 x 64 places in it.

    >>> half = np.array([[0.0, 0], [1, 0], [1, 2], [0, 2]])
    >>> covered_share([half, half], (0, 0), (2, 2))
    0.5
    """
    ticks = (np.arange(64) + 0.5) / 64
    north, east = np.meshgrid(*(low[i] + ticks * (high[i] - low[i]) for i in (0, 1)), indexing="ij")
    covered = np.zeros(north.shape, bool)
    for part in parts:
        covered |= _inside(part, north, east)
    return float(covered.mean())


def combine(scores: NDArray[Any], shares: NDArray[Any]) -> NDArray[np.float64]:
    """How likely each class is in a tile, float64 (classes,): 1 - product over frames of (1 - score * share).

    `scores` (frames, classes) are probabilities, or 1 and 0 for present and absent; `shares` (frames,) say how much of
    each footprint lies in the tile. A score of nan is left out; a class that no frame looked at is nan.

    >>> combine(np.array([[0.8], [0.4]]), np.array([0.5, 0.5])).round(6), combine(np.ones((2, 1)), np.full(2, 0.5))
    (array([0.52]), array([0.75]))
    """
    misses = 1 - np.asarray(scores, np.float64) * np.asarray(shares, np.float64)[:, None]
    unseen = np.isnan(misses).all(axis=0)
    likely: NDArray[np.float64] = np.where(unseen, np.nan, 1 - np.where(np.isnan(misses), 1, misses).prod(axis=0))
    return likely


def _turn(track: NDArray[Any], pitch: NDArray[Any], roll: NDArray[Any]) -> NDArray[np.float64]:
    """Rz(track) Ry(pitch) Rx(roll) of each frame, (n, 3, 3)."""

    def about(axis: int, angle: NDArray[Any]) -> NDArray[np.float64]:
        turn = np.zeros((len(angle), 3, 3))
        first, second = [(1, 2), (2, 0), (0, 1)][axis]
        turn[:, axis, axis] = 1
        turn[:, first, first] = turn[:, second, second] = np.cos(angle)
        turn[:, second, first] = np.sin(angle)
        turn[:, first, second] = -np.sin(angle)
        return turn

    return about(2, track) @ about(1, pitch) @ about(0, roll)


def _clip(corners: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a convex polygon where `height` of its corners, linear between them, is 0 or more."""
    kept: list[NDArray[np.float64]] = []
    for index in range(len(corners)):
        here, there = height[index - 1], height[index]
        if (here >= 0) != (there >= 0):
            kept.append(corners[index - 1] + (corners[index] - corners[index - 1]) * (here / (here - there)))
        if there >= 0:
            kept.append(corners[index])
    return np.array(kept).reshape(-1, 2)


def _inside(corners: NDArray[np.float64], north: NDArray[np.float64], east: NDArray[np.float64]) -> NDArray[np.bool_]:
    sides = [
        (end[0] - start[0]) * (east - start[1]) - (end[1] - start[1]) * (north - start[0])
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    if not sides:
        return np.zeros(north.shape, bool)
    stack = np.stack(sides)
    return np.asarray((stack >= 0).all(axis=0) | (stack <= 0).all(axis=0))
