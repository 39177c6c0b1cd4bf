"""The places that stand for each part of one animal: its joints, points between them, joints its outline tells."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline
from maskwright.arrays.paths import middle_way
from maskwright.arrays.skeletons import along_trunk, between, farthest_behind
from maskwright.arrays.starts import place_on_grid
from maskwright.io.profiles import Link, Profile, Way
from maskwright.types import Keypoints

Place = tuple[float, float]

EXTENT = 1 / 3
TAIL_SHARE = 0.85
LEAST_TAIL = 0.2


@dataclass(frozen=True, eq=False)
class PartSeeds:
    """Places (n,) of an animal in picture pixels, the index of the region each stands for, and which are joints.

    `owners` (n, 2) are the joints without which a place would not be there, as indices of `names`: of a joint twice
    itself, of a point on a link or path its two ends. `derived` joints came from the outline.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    regions: NDArray[np.int16]
    is_joint: NDArray[np.bool_]
    owners: NDArray[np.int16]
    names: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


def visible_joints(animal: Keypoints, profile: Profile, visible: float) -> dict[str, Place]:
    """The joints of an animal, by the profile's names, that have a place and a score of at least `visible`."""
    used = np.isfinite(animal.rows) & np.isfinite(animal.cols) & (animal.scores >= visible)
    rows, cols = place_on_grid(animal.rows), place_on_grid(animal.cols)
    return {
        name: (float(rows[i]), float(cols[i]))
        for i, name in enumerate(animal.names)
        if used[i] and name not in profile.ignore
    }


def part_seeds(
    animal: Keypoints,
    outline: Outline,
    profile: Profile,
    *,
    visible: float,
    spacing: float,
    derive: bool,
    left_out: Collection[str] = (),
) -> PartSeeds:
    """Everything that stands for a part of an animal with this outline.

    Joints that the animal's vocabulary lacks, and those `left_out`, come from the outline where the profile says how
    and `derive` is set; one that is named but not seen is not derived. Points lie along links at most `spacing` pixels
    apart, where both joints are there, and along paths inside the outline.
    """
    joints = {name: at for name, at in visible_joints(animal, profile, visible).items() if name not in left_out}
    more = derived_joints(joints, set(animal.names) - set(left_out), outline, profile) if derive else {}
    places = {**joints, **more}
    names = tuple(places)
    index = {name: i for i, name in enumerate(profile.regions)}
    parts = [(place, index[profile.region_of[name]], name, name) for name, place in places.items()]
    for link in (*profile.links, *profile.more_links):
        along = _along_link(link, places, profile, spacing)
        parts += [(place, index[link.region], link.first, link.second) for place in along]
    for way in profile.paths:
        along = _along_way(way, places, outline, spacing)
        parts += [(place, index[way.region], way.start, way.goal) for place in along]
    table = np.array([place for place, *_ in parts]).reshape(-1, 2)
    number = {name: i for i, name in enumerate(names)}
    owners = [(number.get(first, number.get(last, -1)), number[last]) for *_, first, last in parts]
    return PartSeeds(
        table[:, 0], table[:, 1], np.array([each for _, each, *_ in parts], np.int16),
        np.array([first == last and first in joints for *_, first, last in parts], bool),
        np.array(owners, np.int16).reshape(-1, 2), names, tuple(more),
    )  # fmt: skip


def _along_link(link: Link, places: Mapping[str, Place], profile: Profile, spacing: float) -> list[Place]:
    region_of = profile.region_of
    if link.first not in places or link.second not in places:
        return []
    ends = region_of[link.first] == link.region, region_of[link.second] == link.region
    extent = profile.extent.get(link.region, EXTENT)
    found = between(places[link.first], places[link.second], spacing=spacing, ends=ends, extent=extent)
    return [(float(row), float(col)) for row, col in place_on_grid(found)]


def _along_way(way: Way, places: Mapping[str, Place], outline: Outline, spacing: float) -> list[Place]:
    """Points along the tail, from its end to shortly before the body, by the joints between that are there."""
    stops = [each for each in (way.start, *way.through, way.goal) if each in places]
    if way.goal not in places or len(stops) < 2:
        return []
    origin = np.array([outline.window.top, outline.window.left])
    found: list[Place] = []
    for first, last in itertools.pairwise(stops):
        start, goal = np.array(places[first]) - origin, np.array(places[last]) - origin
        count = max(2, int(np.ceil(np.hypot(*(goal - start)) / spacing)))
        most = TAIL_SHARE if last == way.goal else 1.0
        way_places = middle_way(outline.pixels, start, goal, np.arange(1, count + 1) / count * most) + origin
        found += [(float(row), float(col)) for row, col in way_places]
    return found


def derived_joints(
    joints: Mapping[str, Place], named: set[str], outline: Outline, profile: Profile
) -> dict[str, Place]:
    """Joints that nobody named, placed by the outline as the profile says; those it cannot tell are left out."""
    rule = profile.derive
    if rule is None or not all(each in joints for each in rule.axis):
        return {}
    origin = np.array([outline.window.top, outline.window.left])
    axis = (np.array(joints[rule.axis[0]]) - origin, np.array(joints[rule.axis[1]]) - origin)
    below = np.array([joints[each] for each in rule.below if each in joints]).reshape(-1, 2) - origin
    found: dict[str, Place | None] = {}
    for joint, edge, at in rule.places:
        if joint not in named:
            found[joint] = along_trunk(outline.pixels, axis, below, edge, at)  # type: ignore[arg-type]
    if rule.farthest_behind and rule.farthest_behind not in named:
        least = LEAST_TAIL * float(np.hypot(*(axis[1] - axis[0])))
        found[rule.farthest_behind] = farthest_behind(outline.pixels, axis, least=least)
    top, left = float(origin[0]), float(origin[1])
    return {name: (place[0] + top, place[1] + left) for name, place in found.items() if place is not None}


def joined(seeds: Sequence[PartSeeds]) -> PartSeeds:
    """The seeds of several animals as one."""
    before = np.cumsum([0, *(len(each.names) for each in seeds)])
    return PartSeeds(
        np.concatenate([each.rows for each in seeds]),
        np.concatenate([each.cols for each in seeds]),
        np.concatenate([each.regions for each in seeds]),
        np.concatenate([each.is_joint for each in seeds]),
        np.concatenate([each.owners + n for each, n in zip(seeds, before.astype(np.int16), strict=False)]),
        tuple(name for each in seeds for name in each.names),
        tuple(dict.fromkeys(name for each in seeds for name in each.derived)),
    )
