"""Joints and an outline become body parts: every pixel of the animal takes the part whose joints are nearest."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline, cropped, find_outlines, match_outlines
from maskwright.anatomy.parity import is_of, parity_shares
from maskwright.anatomy.seeds import PartSeeds, joined, part_seeds, visible_joints
from maskwright.anatomy.spread import Parts, spread_parts
from maskwright.arrays.paths import Nearest
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.profiles import BACKGROUND, Profile, read_profile
from maskwright.types import UNKNOWN, Hint, Image, Keypoints, Mask, Step

_log = logging.getLogger(__name__)


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

    Confidence is (rival - nearest) / (rival + nearest) * 2^(-nearest / (reach / 2)): how much nearer the part is than
    the next one, halved with every half reach from its joints; 1 on the background.

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
    grid: tuple[int, int] = (64, 64)

    def __post_init__(self) -> None:
        for name, low in (("band_px", 0.0), ("reach_fraction", 0.0), ("snap_fraction", 0.0)):
            if not getattr(self, name) >= low:
                raise InputError(f"{name} is {getattr(self, name)}; expected {low:g} or more; leave it out")
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
        hidden = ~np.asarray(image.valid, bool)
        class_ids[hidden], confidence[hidden] = UNKNOWN, 0
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
        views = [each for animal in given for each in profile.animals_of(animal)]
        animals = [each for each in views if visible_joints(each, profile, self._visible)]
        if not animals:
            raise InputError(
                f"no joint has a place and a score of at least {self._visible:g}; expected one; lower `visible` or "
                "mark some"
            )
        canvas = _Canvas(image.grid.shape, ids)
        told = []
        for outline, group in self._groups(image, hints, animals):
            size = _size(outline, len(group))
            seeds = [self._seeds(animal, outline, size) for animal in group]
            parts = spread_parts(
                joined(seeds), outline, snap=self.snap_fraction * size,
                reach={profile.regions.index(region): most * size for region, most in profile.reach.items()},
                is_straight=self.distance == "euclidean",
            )  # fmt: skip
            if (parts.nearest.labels < 0).all():
                raise InputError(
                    "no joint of an animal lies in or near its outline; expected some; do joints and outline belong to "
                    "the same picture, are x and y swapped?"
                )
            canvas.paint(outline, parts, self.band_px, self.reach_fraction * size)
            told.append(_told(seeds, parts, outline))
        return canvas.class_ids, canvas.confidence, told

    def _seeds(self, animal: Keypoints, outline: Outline, size: float) -> PartSeeds:
        spacing = max(1.0, self.spacing_fraction * size)
        return part_seeds(
            animal, outline, self._profile, visible=self._visible, spacing=spacing, derive=self.derive
        )  # fmt: skip

    def _groups(
        self, image: Image, hints: Sequence[Hint], animals: Sequence[Keypoints]
    ) -> list[tuple[Outline, list[Keypoints]]]:
        """Outlines with the animals that share them; outlines that have no animal come last, with none."""
        outlines = find_outlines(image.grid, hints)
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

        profile, places = self._profile, visible_joints(animal, self._profile, self._visible)
        rest = (visible_joints(each, profile, self._visible) for each in animals if each is not animal)
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


class _Canvas:
    """The picture's class ids and confidence, filled animal by animal; the nearest animal has each pixel."""

    def __init__(self, shape: tuple[int, int], ids: NDArray[np.uint8]) -> None:
        self.ids = ids
        self.class_ids = np.full(shape, ids[-1], np.uint8)
        self.confidence = np.ones(shape, np.float32)
        self.distance = np.full(shape, np.nan, np.float32)  # nan is where no animal is

    def paint(self, outline: Outline, parts: Parts, band_px: float, reach_px: float) -> None:
        here, at = outline.pixels, outline.window.slices
        labels, distance, rival = parts.nearest
        nearest = Nearest(labels[here], distance[here], rival[here])
        class_ids, confidence = _decide(nearest, self.ids, band_px, reach_px)
        before, current = self.distance[at][here], self.class_ids[at][here]
        loses = nearest.distance > before
        tied = (nearest.distance == before) & (class_ids != current)
        class_ids[tied], confidence[tied] = UNKNOWN, 0
        if loses.any():
            class_ids = np.where(loses, current, class_ids)
            confidence = np.where(loses, self.confidence[at][here], confidence)
        self.class_ids[at][here], self.confidence[at][here] = class_ids, confidence
        self.distance[at][here] = np.fmin(nearest.distance, before)


def _decide(
    nearest: Nearest, ids: NDArray[np.uint8], band_px: float, reach_px: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Class ids and confidence (n,) of the pixels of an outline, unknown where nobody can say."""
    regions, near, rival = nearest
    with np.errstate(invalid="ignore"):
        apart = rival - near
        sure = apart / np.maximum(rival + near, np.float32(1e-6))
    sure[np.isinf(rival)] = 1
    if reach_px > 0 and math.isfinite(reach_px):
        sure *= np.exp2(near * np.float32(-2 / reach_px))
    class_ids = ids[regions]
    unknown = ~((regions >= 0) & (near <= reach_px) & (apart > 0) & (apart >= band_px))
    class_ids[unknown] = UNKNOWN
    sure[class_ids == UNKNOWN] = 0
    return class_ids, sure


def _places(joints: Mapping[str, tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = np.array(list(joints.values())).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _size(outline: Outline, animals: int) -> float:
    return math.sqrt(outline.area / max(animals, 1))


def _bones(names: Sequence[str], profile: Profile) -> list[tuple[int, int]] | None:
    links = [each for each in profile.links if each.first in names and each.second in names]
    return [(names.index(each.first), names.index(each.second)) for each in links] or None


def _told(seeds: Sequence[PartSeeds], parts: Parts, outline: Outline) -> dict[str, Any]:
    """What a story says of an animal's joints."""
    if parts.dropped:
        _log.info("%d joints lie too far outside the outline and are dropped", parts.dropped)
    return {
        "used": sum(int(each.is_joint.sum()) for each in seeds) - parts.dropped,
        "snapped": parts.snapped,
        "dropped": parts.dropped,
        "points": sum(int((~each.is_joint).sum()) for each in seeds) - parts.left_out,
        "points_outside": parts.left_out,
        "derived": sorted({name for each in seeds for name in each.derived}),
        "outline_px": outline.area,
    }


def _step(method: KeypointParts, told: list[dict[str, Any]]) -> Step:
    step = Step.of(method)
    return Step(step.name, step.settings, step.weights, {"joints": told} if told else {})
