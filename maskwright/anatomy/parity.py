"""The 64 x 64 masks of PAW-ViT's mask generation, from joints by name and a profile that holds its tables."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.part_grid import GridPoints, grid_parts, link_middles, path_points, replaced
from maskwright.io.profiles import Profile, plain
from maskwright.types import Keypoints

_log = logging.getLogger(__name__)


def parity_points(
    animal: Keypoints, other: Keypoints | None, foreground: NDArray[np.floating], profile: Profile, visible: float
) -> GridPoints:
    """All points of an animal: its joints in the profile's order, some replaced by those of another vocabulary, the
    middles of links, and points along the tail inside the foreground (height, width; 0..1)."""
    joints = list(profile.joints)
    points = _points(animal, joints, profile)
    if other is not None:
        pairs = [(joints.index(each), joints.index(each)) for each in profile.replace[1] if each in other.names]
        points = replaced(points, _points(other, joints, profile), pairs)
    points.scores[[joints.index(each) for each in profile.ignore]] = 0
    regions = profile.regions
    links = [(joints.index(a), joints.index(b), regions.index(region)) for a, b, region in profile.links]
    points = link_middles(points, links, visible=visible)
    for way in profile.paths:
        start, goal = joints.index(way.start), joints.index(way.goal)
        points, has_way = path_points(points, foreground, start, goal, way.points, visible=visible)
        if not has_way:
            _log.warning("no way inside the foreground from %s to %s; no points along it", way.start, way.goal)
    return points


def parity_shares(
    animal: Keypoints,
    other: Keypoints | None,
    foreground: NDArray[np.floating],
    profile: Profile,
    *,
    visible: float,
    grid: tuple[int, int] = (64, 64),
) -> NDArray[np.float64]:
    """Shares (regions + 1, grid height, grid width): the profile's regions that are not merged away, then background.

    A region merged into another adds to it; into "background" or "unknown", to the background.
    """
    points = parity_points(animal, other, foreground, profile, visible)
    shares = grid_parts(points, foreground, len(profile.regions), visible=visible, grid=grid)
    order = [*profile.regions, "background"]
    for region, into in profile.merge.items():
        shares[order.index(into if into in order else "background")] += shares[order.index(region)]
    return shares[[i for i, region in enumerate(order) if region not in profile.merge]]


def is_of(animal: Keypoints, profile: Profile, vocabulary: str) -> bool:
    """Whether every name of an animal is one of a vocabulary's."""
    names = {plain(each) for each in profile.vocabularies.get(vocabulary, {})}
    return bool(names) and all(plain(each) in names for each in animal.names)


def _points(animal: Keypoints, joints: list[str], profile: Profile) -> GridPoints:
    rows, cols, scores = (np.zeros(len(joints)) for _ in range(3))
    at = {name: i for i, name in enumerate(animal.names)}
    for k, joint in enumerate(joints):
        if joint in at and np.isfinite(animal.rows[at[joint]] + animal.cols[at[joint]]):
            rows[k], cols[k] = animal.rows[at[joint]], animal.cols[at[joint]]
            scores[k] = animal.scores[at[joint]]
    labels = np.array([profile.regions.index(profile.joints[each]) for each in joints], np.int64)
    return GridPoints(cols, rows, scores, labels)
