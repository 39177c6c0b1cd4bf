"""Joints, boxes or points of animals become their outline: animal here, background there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline, find_outlines, match_outlines
from maskwright.anatomy.refusals import check_places
from maskwright.arrays.colour_scale import to_bytes_scale
from maskwright.arrays.connected import components
from maskwright.arrays.figure import figure_from_box, figure_from_joints, figure_from_points
from maskwright.arrays.posture import CORE, Sticks, sticks_of
from maskwright.errors import InputError
from maskwright.io.classes import Classes
from maskwright.seeds import find_seeds
from maskwright.types import UNKNOWN, Hint, Image, Instances, Keypoints, Mask, Points, Step

if TYPE_CHECKING:
    from maskwright.models.foreground import Prompt

Scores = NDArray[np.float32]
BESIDE = 0.04  # a point beside an animal takes so much around it, in lengths of its trunk
CLASSES = Classes(("background", "animal"), ("#000000", "#ee7733"))


@dataclass(frozen=True)
class Foreground:
    """Find the animals around their joints, in their boxes or under points: class "animal", the rest "background".

    Outlines that are given win: Masks and Instances among the hints are taken as they are, an Instance that fills its
    box counts as a box. Every other animal is found by itself: around its joints (those with a score of at least
    `visible`), inside its box where it has one, and by points otherwise, those of the background class lying beside it.
    Joints of other animals in the picture are not part of it.

    Without a `model` the figure is cut out by where a body may be, colours and edges, learnt from this picture alone.
    `model` may name a SAM, SAM 2 or EdgeTAM (folder, checkpoint or known name), which is told box, joints and points;
    or a salient-object network as an .onnx file (BiRefNet, U2-Net, RMBG-2.0: mind its licence), which is told nothing
    and takes what catches the eye, cut to the boxes and to what touches joints where there are any.

    A pixel is animal where its probability is above `threshold` (0.2 for such networks is PAW-ViT's). Confidence is the
    probability of the class given; 1 on outlines that were given. Pixels without data are unknown. The classes of the
    mask are "background", else id 0, and "animal", else the first other one.
    """

    model: str = ""
    threshold: float = 0.5
    visible: float = 0.05
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}; expected a fraction between 0 and 1; try 0.5")

    @property
    def own_classes(self) -> Classes:
        """The classes of the masks this makes, unless it is told others."""
        return CLASSES

    def check_parts(self) -> None:
        """Whether the network it names is on this disk; asked before anything is written."""
        if self.model.lower().endswith(".onnx"):
            is_there = Path(self.model).expanduser().is_file()
        else:
            from maskwright.models.pretrained import find_model

            is_there = not self.model or find_model(self.model).exists()
        if not is_there:
            raise InputError(
                f"model is {self.model!r}, which is not there; expected an .onnx file, a folder of weights or a known "
                "name; `maskwright models list` names them"
            )

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        names = class_names or CLASSES.names
        background, animal = _two_classes(names)
        for hint in hints:
            if isinstance(hint, Keypoints):
                seen = _seen(hint, self.visible)
                check_places(dict(zip(seen.names, zip(seen.rows, seen.cols, strict=True), strict=True)), image.grid)
        asked = _ask(image, hints, names, background, self.visible)
        if not (asked.given or asked.animals or self.model.lower().endswith(".onnx")):
            raise InputError(
                f"no joint with a score of at least {self.visible:g}, box, outline or point on an animal; expected "
                "one; add keypoints, lower `visible`, or name a network as model=FILE.onnx"
            )
        scores = np.zeros(image.grid.shape, np.float32)
        weights = self._find(image, asked, scores)
        for outline in asked.given:
            scores[outline.window.slices][outline.pixels] = 1
        is_animal = scores > self.threshold
        if not is_animal.any() and np.asarray(image.valid, bool).any():
            raise InputError(
                f"no pixel is animal with a probability above {self.threshold:g}; expected some; do the hints belong "
                "to this picture? lower `threshold`, or give an outline"
            )
        class_ids = np.where(is_animal, animal, background).astype(np.uint8)
        confidence = np.where(is_animal, scores, 1 - scores).astype(np.float32)
        hidden = ~np.asarray(image.valid, bool)
        class_ids[hidden], confidence[hidden] = UNKNOWN, 0
        return Mask(class_ids, names, image.grid, confidence, (Step.of(self, weights=weights),))

    def _find(self, image: Image, asked: _Asked, scores: Scores) -> str | None:
        """Probability of animal into `scores`, and the hash of the weights that were asked."""
        pixels, valid = np.asarray(image.pixels), np.asarray(image.valid, bool)
        if not self.model:
            for each in _cut_out(pixels, valid, asked):
                np.maximum(scores, each, out=scores)
            return None
        shown = to_bytes_scale(pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, 2), valid)
        seen = np.where(valid[..., None], np.nan_to_num(shown), 0).clip(0, 255).round().astype(np.uint8)
        from maskwright.models.foreground import figures_by_sam, load_salient

        if self.model.lower().endswith(".onnx"):
            network = load_salient(self.model, self.device)
            np.maximum(scores, _kept(network(seen), asked, self.threshold), out=scores)
            return network.sha256
        from maskwright.models.sam import load_sam

        sam = load_sam(self.model, self.device)
        for each in figures_by_sam(sam, seen, [_prompt(one, asked, image) for one in asked.animals]):
            np.maximum(scores, each, out=scores)
        return sam.sha256


@dataclass(frozen=True, eq=False)
class _Animal:
    """One animal to find: its joints (none for one known by its box or by points alone) and its box."""

    names: tuple[str, ...]
    places: NDArray[np.float64]
    box: tuple[int, int, int, int] | None = None
    by_points: bool = False

    @property
    def sticks(self) -> Sticks:
        return sticks_of(self.places[:, 0], self.places[:, 1], self.names)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Outlines that were given, animals to find, and places (n, 2) that are not animal."""

    given: tuple[Outline, ...]
    animals: tuple[_Animal, ...]
    beside: NDArray[np.float64]


def _two_classes(names: tuple[str, ...]) -> tuple[int, int]:
    """The ids of background and animal."""
    background = names.index("background") if "background" in names else 0
    others = [index for index, name in enumerate(names) if name and index != background]
    if not others or not names[background]:
        raise InputError(f"the classes are {list(names)}; expected background and animal; leave them out")
    return background, names.index("animal") if "animal" in names else others[0]


def _ask(image: Image, hints: Sequence[Hint], names: tuple[str, ...], background: int, visible: float) -> _Asked:
    """What the hints say and ask for."""
    outlines = find_outlines(image.grid, [each for each in hints if isinstance(each, Mask | Instances)])
    joints = [_seen(each, visible) for each in hints if isinstance(each, Keypoints)]
    joints = [each for each in joints if each.names]
    boxed = [each for each in outlines if each.is_box]
    matched = match_outlines(joints, outlines)
    animals = [_by_joints(each, box) for each, box in zip(joints, matched, strict=True) if box is None or box.is_box]
    used = {id(each) for each in matched}
    nowhere = np.empty((0, 2))
    animals += [_Animal((), nowhere, _box(each)) for each in boxed if id(each) not in used]
    beside = nowhere
    if any(isinstance(each, Points) and len(each) for each in hints):
        seeds = find_seeds(image.grid, hints, names)
        places, is_beside = np.stack([seeds.rows, seeds.cols], axis=1), seeds.class_ids == background
        beside = places[is_beside]
        if not is_beside.all():
            animals.append(_Animal((), places[~is_beside], by_points=True))
    return _Asked(tuple(each for each in outlines if not each.is_box), tuple(animals), beside)


def _seen(animal: Keypoints, visible: float) -> Keypoints:
    """The joints of an animal that have a place and enough score."""
    kept = np.flatnonzero(np.isfinite(animal.rows) & np.isfinite(animal.cols) & (animal.scores >= visible))
    names = tuple(animal.names[index] for index in kept)
    return Keypoints(names, animal.rows[kept], animal.cols[kept], animal.scores[kept], animal.object_id)


def _box(outline: Outline) -> tuple[int, int, int, int]:
    top, left, bottom, right = outline.window
    return top, left, bottom, right


def _by_joints(animal: Keypoints, box: Outline | None) -> _Animal:
    places = np.stack([animal.rows, animal.cols], axis=1)
    return _Animal(animal.names, places, None if box is None else _box(box))


def _cut_out(pixels: NDArray[np.generic], valid: NDArray[np.bool_], asked: _Asked) -> Iterator[Scores]:
    """The figure of every animal, without weights."""
    for animal in asked.animals:
        rows, cols = animal.places.T
        if animal.by_points:
            places = np.concatenate([animal.places, asked.beside])
            is_figure = np.arange(len(places)) < len(rows)
            yield figure_from_points(pixels, places[:, 0], places[:, 1], is_figure, valid=valid)
        elif animal.names:
            rest = [each.sticks for each in asked.animals if each.names and each is not animal]
            rest += [_disc(place, BESIDE * animal.sticks.length) for place in asked.beside]
            inside = valid if animal.box is None else valid & _filled(valid.shape, animal.box)
            yield figure_from_joints(pixels, rows, cols, names=animal.names, valid=inside, others=rest)
        elif animal.box is not None:
            yield figure_from_box(pixels, animal.box, valid=valid)


def _disc(place: NDArray[np.float64], radius: float) -> Sticks:
    """A place that is not the animal, as a stick without length whose core has a radius."""
    return replace(sticks_of(place[:1], place[1:]), radii=np.array([radius / CORE]))


def _filled(shape: tuple[int, ...], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    inside = np.zeros(shape, bool)
    inside[box[0] : box[2], box[1] : box[3]] = True
    return inside


def _prompt(animal: _Animal, asked: _Asked, image: Image) -> Prompt:
    """What a SAM is told of an animal: its joints, the joints of others and the points beside it, and its box."""
    from maskwright.models.foreground import Prompt

    others = [each.places for each in asked.animals if each is not animal]
    beside = np.concatenate([*others, asked.beside])
    box = animal.box
    if box is None and animal.names:
        box = _box_around(animal.sticks, image.grid.shape)
    return Prompt(animal.places, beside, box)


def _box_around(sticks: Sticks, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of the body around the joints, within the picture."""
    places = np.concatenate([sticks.starts, sticks.ends, *sticks.hulls])
    low = np.clip(np.floor(places.min(axis=0) - sticks.margin), 0, np.array(shape) - 1).astype(int).tolist()
    high = np.clip(np.ceil(places.max(axis=0) + sticks.margin) + 1, np.array(low) + 1, shape).astype(int).tolist()
    return low[0], low[1], high[0], high[1]


def _kept(scores: Scores, asked: _Asked, threshold: float) -> Scores:
    """Of what catches the eye, what touches joints or lies in boxes; all of it where nothing was asked for."""
    if not asked.animals:
        return scores
    wanted = np.zeros(scores.shape, bool)
    labels = components(scores > threshold, neighbours=8, ignore=None).labels
    for animal in asked.animals:
        inside = np.ones(scores.shape, bool) if animal.box is None else _filled(scores.shape, animal.box)
        if len(animal.places):
            rows, cols = np.clip(np.rint(animal.places), 0, np.array(scores.shape) - 1).astype(int).T
            inside &= np.isin(labels, labels[rows, cols])
        wanted |= inside
    return np.where(wanted, scores, np.float32(0))
