"""Joints and an outline become body parts: every pixel of the animal takes the part whose joints are nearest."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.canvas import Canvas
from maskwright.anatomy.doubts import Doubt, Doubter
from maskwright.anatomy.outlines import Outline, cropped, find_outlines, match_outlines
from maskwright.anatomy.parity import is_of, parity_shares
from maskwright.anatomy.refusals import animals_by, check_outline, check_parts, check_places
from maskwright.anatomy.seeds import PartSeeds, joined, part_seeds, visible_joints
from maskwright.anatomy.spread import Parts, spread_parts
from maskwright.anatomy.stability import Stability, stability
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.profiles import BACKGROUND, Profile, read_profile
from maskwright.types import UNKNOWN, Hint, Image, Keypoints, Mask, Step

_log = logging.getLogger(__name__)

DECIDING = 0.1
"""A joint that alone decides this share of its animal's pixels is named in the story."""


@dataclass(frozen=True)
class KeypointParts:
    """Each pixel of an animal takes the body part whose joints, or points between them, are nearest inside the outline.

    `profile` is the name of a skeleton or a YAML file: which joints there are, their regions, what lies between them.
    Outlines come from Masks or Instances among the hints, one animal per object; with a box or nothing, `foreground`
    "joints" finds the animal around its joints, "given" makes that an error. Where outlines overlap, a pixel belongs to
    the animal with the nearest joint.

    Default mode: distances are lengths of ways inside the outline (`distance` "geodesic", 8 neighbours, diagonal
    steps sqrt 2) or straight ("euclidean"), at the picture's own size. A joint takes part everywhere when its score is
    at least `visible` (none: the profile's). Sizes are fractions of the square root of the outline's area: points along
    links lie at most `spacing_fraction` apart, a joint at most `snap_fraction` outside moves onto the outline and one
    farther is dropped. A pixel is unknown where two regions are equally near, by less than `band_px`, where the nearest
    joint is farther than `reach_fraction`, and where no way leads. `derive` places trunk joints that the vocabulary
    lacks by the outline.

    Joints are held against each other before they are believed: one too far outside the outline, one farther from the
    others than the profile's `lengths` allow, and pairs whose left and right look exchanged, where those are two
    regions, are named in the story and `doubted` "left_out", with their links; "used" names them only.

    Confidence is how often a pixel with such distances had the right part on toy animals: more where the next part is
    much farther, less where leaving out one joint would bring it near or change the part, and less far from joints. It
    is 1 on the background.

    Mode "parity" gives the masks of PAW-ViT's program on its `grid`, one animal per picture, spread over the picture.

    Paper: Ribeiro Neto et al., An improved architecture for part-based animal re-identification through semantic
    segmentation distillation, WACV 2026; its masks: profile=quadruped5, mode=parity.
    """

    profile: str | Path = "quadruped5"
    mode: Literal["default", "parity"] = "default"
    foreground: Literal["joints", "given"] = "joints"
    distance: Literal["geodesic", "euclidean"] = "geodesic"
    visible: float | None = None
    band_px: float = 1.0
    reach_fraction: float = 0.75
    spacing_fraction: float = 0.05
    snap_fraction: float = 0.15
    derive: bool = True
    doubted: Literal["left_out", "used"] = "left_out"
    grid: tuple[int, int] = (64, 64)
    asks_for_pixels: ClassVar[bool] = True  # an animal with an outline needs no colours

    def __post_init__(self) -> None:
        for name, low in (("band_px", 0.0), ("reach_fraction", 0.0), ("snap_fraction", 0.0)):
            if not getattr(self, name) >= low:
                raise InputError(f"{name} is {getattr(self, name)}; expected {low:g} or more; leave it out")
        for name in ("band_px", "snap_fraction"):
            if math.isinf(getattr(self, name)):
                raise InputError(f"{name} is {getattr(self, name)}; expected a number; leave it out")
        if self.visible is not None and not math.isfinite(self.visible):
            raise InputError(f"visible is {self.visible}; expected a score such as 0.5; leave it out")
        if not 0 < self.spacing_fraction <= 1:
            raise InputError(f"spacing_fraction is {self.spacing_fraction}; expected above 0, at most 1; try 0.05")
        if min(self.grid) < 1:
            raise InputError(f"grid is {self.grid}; expected a height and a width of at least 1; try [64, 64]")
        if str(self.profile).lower().endswith((".yaml", ".yml")):
            object.__setattr__(self, "profile", Path(self.profile))  # a file's content counts, not its name alone
        _ = self._profile

    @cached_property
    def _profile(self) -> Profile:
        return read_profile(self.profile)

    @property
    def own_classes(self) -> Classes:
        """The classes of the masks this makes, unless it is told others: background and the profile's regions."""
        return self._profile.classes

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        names = class_names or self.own_classes.names
        ids = self._ids(names)
        given = [hint for hint in hints if isinstance(hint, Keypoints)]
        if not given:
            raise InputError("no joints for this picture; expected keypoints; add them or leave the picture out")
        if self.mode == "parity":
            class_ids, confidence, told = self._parity(image, hints, given, ids)
        else:
            class_ids, confidence, told = self._default(image, hints, given, ids)
        if not image.is_all_valid:
            holes = ~np.asarray(image.valid, bool)
            class_ids[holes], confidence[holes] = UNKNOWN, 0
        return Mask(class_ids, names, image.grid, confidence, (_step(self, told),))

    def _ids(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """The class id of each region of the profile, and of the background last."""
        profile = self._profile
        table = []
        for region in (*profile.regions, BACKGROUND):
            into = profile.merge.get(region, region)
            if into != "unknown" and into not in names:
                raise UnknownNameError("class", into, names, where=f"profile {profile.name}")
            table.append(UNKNOWN if into == "unknown" else names.index(into))
        return np.array(table, np.uint8)

    @property
    def _visible(self) -> float:
        return self._profile.visible if self.visible is None else self.visible

    def _default(
        self, image: Image, hints: Sequence[Hint], given: Sequence[Keypoints], ids: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[dict[str, Any]]]:
        profile = self._profile
        views = animals_by(profile, given)
        animals = [each for each in views if visible_joints(each, profile, self._visible)]
        for each in animals:
            check_places(visible_joints(each, profile, self._visible), image.grid)
        if not animals:
            raise InputError(
                f"no joint has a place and a score of at least {self._visible:g}; expected one; lower `visible` or "
                "mark some"
            )
        canvas = Canvas(image.grid.shape, ids)
        told: list[dict[str, Any]] = []
        outlines = find_outlines(image.grid, hints)
        groups = self._groups(image, outlines, animals)
        for outline in outlines:
            if not outline.is_box and outline.area and not any(outline is each for each, _ in groups):
                canvas.hide(outline)
                told.append({"used": 0, "outline_px": outline.area})
        for outline, group in groups:
            size = _size(outline, len(group))
            snap = self.snap_fraction * size
            doubts = [self._doubts(animal, outline, snap) for animal in group]
            seeds = [self._seeds(*each, outline, size) for each in zip(group, doubts, strict=True)]
            together = joined(seeds)
            parts = spread_parts(
                together, outline, snap=snap,
                reach={profile.regions.index(region): most * size for region, most in profile.reach.items()},
                is_straight=self.distance == "euclidean",
            )  # fmt: skip
            if (parts.nearest.labels < 0).all():
                raise InputError(
                    "no joint of an animal lies in or near its outline; expected some; do joints and outline belong to "
                    "the same picture, are x and y swapped?"
                )
            stable = stability(together, outline, snap=snap)
            reach = self.reach_fraction * size
            canvas.paint(outline, parts, stable.firmness, size, profile.odds, self.band_px, reach)
            doubted = [each for some in doubts for each in some]
            told.append(_told(seeds, parts, outline, doubted, self._left_out(doubted), stable))
        check_parts(canvas.class_ids, ids, max(len(visible_joints(each, profile, self._visible)) for each in animals))
        return canvas.class_ids, canvas.confidence, told

    @cached_property
    def _doubter(self) -> Doubter:
        return Doubter(self._profile)

    def _doubts(self, animal: Keypoints, outline: Outline, snap: float) -> tuple[Doubt, ...]:
        joints = visible_joints(animal, self._profile, self._visible)
        doubts = self._doubter.doubts(joints, outline, snap=snap)
        check_outline(joints, doubts)
        return doubts

    def _trusted(self, animal: Keypoints) -> dict[str, tuple[float, float]]:
        """The joints of an animal that are seen and believed as long as nobody knows its outline."""
        joints = visible_joints(animal, self._profile, self._visible)
        left_out = self._left_out(self._doubter.doubts(joints))
        return {name: place for name, place in joints.items() if name not in left_out}

    def _left_out(self, doubts: Sequence[Doubt]) -> set[str]:
        """The joints that are not used. Left and right of one region may be exchanged: it stays the same."""
        region_of, other = self._profile.region_of, self._profile.mirrored
        return {
            joint
            for joint, why, *_ in (doubts if self.doubted == "left_out" else ())
            if why != "side" or region_of[joint] != region_of[other(joint)]
        }

    def _seeds(self, animal: Keypoints, doubts: Sequence[Doubt], outline: Outline, size: float) -> PartSeeds:
        return part_seeds(
            animal, outline, self._profile, visible=self._visible, spacing=max(1.0, self.spacing_fraction * size),
            derive=self.derive, left_out=self._left_out(doubts),
        )  # fmt: skip

    def _groups(
        self, image: Image, outlines: Sequence[Outline], animals: Sequence[Keypoints]
    ) -> list[tuple[Outline, list[Keypoints]]]:
        """Outlines with the animals that share them."""
        matched = match_outlines(animals, outlines)
        groups: list[tuple[Outline, list[Keypoints]]] = []
        for animal, outline in zip(animals, matched, strict=True):
            if outline is None or outline.is_box:
                if outlines and outline is None and not any(each.is_box for each in outlines):
                    raise InputError(
                        "no joint of an animal lies inside an outline; expected some; do joints and outlines belong to "
                        "the same picture, are x and y swapped?"
                    )
                outline = self._foreground(image, animal, animals, outline)
            same = [group for each, group in groups if each is outline]
            if same:
                same[0].append(animal)
            else:
                groups.append((outline, [animal]))
        return groups

    def _foreground(
        self, image: Image, animal: Keypoints, animals: Sequence[Keypoints], box: Outline | None
    ) -> Outline:
        """The figure around an animal's joints, inside its box where one is given."""
        if self.foreground == "given":
            found = "only a box" if box is not None else "no outline"
            raise InputError(
                f"{found} for an animal; expected a mask or a polygon as foreground=given says; add it, or set "
                "foreground=joints"
            )
        from maskwright.arrays.figure import figure_from_joints
        from maskwright.arrays.posture import sticks_of

        profile, places = self._profile, self._trusted(animal)
        rest = (self._trusted(each) for each in animals if each is not animal)
        others = [sticks_of(*_places(each), tuple(each), _bones(tuple(each), profile)) for each in rest if each]
        valid = np.asarray(image.valid, bool)
        if box is not None:
            inside = np.zeros(valid.shape, bool)
            inside[box.window.slices] = box.pixels
            valid = valid & inside
        rows, cols = _places(places)
        names = tuple(places)
        scores = figure_from_joints(
            np.asarray(image.pixels), rows, cols, names=names, bones=_bones(names, profile), valid=valid, others=others
        )
        outline = cropped((scores > 0.5) & valid)
        if not outline.area:
            raise InputError("no figure was found around the joints; expected one; give an outline or a mask")
        return outline

    def _parity(
        self, image: Image, hints: Sequence[Hint], given: Sequence[Keypoints], ids: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[dict[str, Any]]]:
        shares = self._shares(image, hints, given)
        profile = self._profile
        kept = [i for i, region in enumerate((*profile.regions, BACKGROUND)) if region not in profile.merge]
        height, width = image.grid.shape
        rows = np.arange(height) * self.grid[0] // height
        cols = np.arange(width) * self.grid[1] // width
        at = np.ix_(rows, cols)
        return ids[kept][shares.argmax(axis=0)][at], shares.max(axis=0).astype(np.float32)[at], []

    def shares(self, image: Image, hints: Sequence[Hint]) -> NDArray[np.float64]:
        """Parity's own answer (regions + 1, grid height, grid width): background last, n equal regions 1/n each."""
        return self._shares(image, hints, [hint for hint in hints if isinstance(hint, Keypoints)])

    def _shares(self, image: Image, hints: Sequence[Hint], given: Sequence[Keypoints]) -> NDArray[np.float64]:
        profile = self._profile
        replacing = profile.replace[0]
        others = [each for each in given if is_of(each, profile, replacing)] if len(given) > 1 else []
        mine = [each for each in given if not any(each is other for other in others)]
        if len(mine) != 1 or len(others) > 1:
            raise InputError(
                f"{len(given)} animals in a picture; mode=parity takes one, and maybe its joints by {replacing}; "
                "set mode=default"
            )
        outlines = find_outlines(image.grid, hints)
        if not outlines:
            raise InputError("no outline for this picture; mode=parity takes it from a mask or a polygon; add it")
        foreground = np.zeros(image.grid.shape)
        for each in outlines:
            foreground[each.window.slices] = np.maximum(foreground[each.window.slices], each.pixels)
        animal, other = (self._one_view(each) for each in (mine[0], others[0] if others else None))
        assert animal is not None
        return parity_shares(animal, other, foreground, profile, visible=self._visible, grid=self.grid)

    def _one_view(self, animal: Keypoints | None) -> Keypoints | None:
        return None if animal is None else self._profile.animals_of(animal)[0]


def _places(joints: Mapping[str, tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = np.array(list(joints.values())).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _size(outline: Outline, animals: int) -> float:
    return math.sqrt(outline.area / max(animals, 1))


def _bones(names: Sequence[str], profile: Profile) -> list[tuple[int, int]] | None:
    links = [each for each in profile.links if each.first in names and each.second in names]
    return [(names.index(each.first), names.index(each.second)) for each in links] or None


def _told(
    seeds: Sequence[PartSeeds],
    parts: Parts,
    outline: Outline,
    doubts: Sequence[Doubt],
    left_out: Collection[str],
    stable: Stability,
) -> dict[str, Any]:
    """What a story says of an animal's joints."""
    for each in doubts:
        _log.info("the joint %s is doubted: %s", each.joint, each.why)
    outside = sum(each.why == "outside" and each.joint in left_out for each in doubts)
    return {
        "used": sum(int(each.is_joint.sum()) for each in seeds) - parts.dropped,
        "snapped": parts.snapped,
        "dropped": parts.dropped + outside,
        "doubted": [{"joint": each.joint, "why": each.why, "x": each.col, "y": each.row} for each in doubts],
        "left_out": sorted(left_out),
        "deciding": {name: round(share, 3) for name, share in stable.shares.items() if share >= DECIDING},
        "points": sum(int((~each.is_joint).sum()) for each in seeds) - parts.left_out,
        "points_outside": parts.left_out,
        "derived": sorted({name for each in seeds for name in each.derived}),
        "outline_px": outline.area,
    }


def _step(method: KeypointParts, told: list[dict[str, Any]]) -> Step:
    step = Step.of(method)
    return Step(step.name, step.settings, step.weights, {"joints": told} if told else {})
