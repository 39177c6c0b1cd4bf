"""Rough masks to masks that end where things end, without any weights: learned from each picture and its own mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.appearance import appearance_scores, told_apart
from maskwright.arrays.colour_scale import to_bytes_scale
from maskwright.arrays.depths import squared_depths
from maskwright.arrays.features import pixel_features
from maskwright.arrays.recompose import overlap
from maskwright.arrays.soften import soften
from maskwright.arrays.spread import spread_scores
from maskwright.arrays.windows import Window, grow, shift, split
from maskwright.errors import GridError, InputError, UnknownNameError
from maskwright.types import UNKNOWN, Image, Mask, Step, named_classes

WINDOW_PX = 1024
MARGIN_PX = 96
WHOLE_PIXELS = 1 << 21
LEAST = 1e-3
LEAST_APART = 0.3
"""Where looks tell classes apart less than this (0 is chance, 1 is always right), borders stay where they are."""

Ids = NDArray[np.uint8]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class RefineWithEdges:
    """Borders move to where the picture changes: what each class looks like is learned from the rough mask itself.

    A rough mask is wrong mostly near its borders. So a pixel is the more trusted the deeper it lies in its class (up to
    `trust_px`), random trees learn from trusted pixels what each class looks like at several scales, and judge only
    pixels they have not learned from. That, and how far inside or outside the rough region a pixel is (a logistic curve
    whose width is `slack_px`), gives scores, which then spread over the picture with a `pull` of each pixel to its own;
    they stop at edges. `rounds` times, each from the mask of the last.

    `classes` names those whose borders may move, the first of which wins where two are equally sure; all when left out.
    A pixel that a class gives up goes to the surest other one. Where a class would keep less than `least_overlap` of
    itself (intersection over union), it stays as it was. A mask of one class stays as it is. Unknown pixels stay
    unknown, unless `fill_unknown`; where the picture has no data nothing is known, whatever the mask says.

    Confidence is the share of the class among the scores; it is not calibrated. Pictures of more than 2 megapixels are
    refined in windows of 1024 pixels with 96 around them, each with its own looks, so results near window borders may
    differ a little from those of the whole.

    NOT covered: objects that touch (classes are refined, not objects), and things whose colours and grain are those of
    their surroundings. There a mask is smoothed at best, and loses thin parts at worst.
    """

    classes: tuple[str, ...] = ()
    trust_px: float = 3.0
    slack_px: float = 3.0
    pull: float = 0.03
    rounds: int = 1
    least_overlap: float = 0.3
    fill_unknown: bool = False
    random_state: int = 0

    def __post_init__(self) -> None:
        for name in ("trust_px", "slack_px", "pull"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise InputError(f"{name} is {value}; expected a number above 0; leave it out for the default")
        if not 0 <= self.least_overlap <= 1:
            raise InputError(f"least_overlap is {self.least_overlap}; expected a fraction from 0 to 1; try 0.3")
        if self.rounds < 1:
            raise InputError(f"rounds is {self.rounds}; expected 1 or more; leave it out for the default")

    def __call__(self, image: Image, mask: Mask) -> Mask:
        if image.grid.shape != mask.grid.shape:
            raise GridError(
                f"the picture has {image.grid.height} x {image.grid.width} pixels and the mask {mask.grid.height} x "
                f"{mask.grid.width}; a mask lies on its picture's pixels; refine the picture it was made from"
            )
        order = self._order(mask.class_names)
        class_ids = np.full(mask.grid.shape, UNKNOWN, np.uint8)
        confidence = np.zeros(mask.grid.shape, np.float32)
        for inner, wide in _windows(image.grid.window):
            part = image.crop(wide)
            ids, sure = self._refined(part, mask.class_ids[wide.slices], order)
            here = shift(inner, wide.top, wide.left).slices
            class_ids[inner.slices], confidence[inner.slices] = ids[here], sure[here]
        return mask.after(Step.of(self), class_ids, confidence)

    def _order(self, class_names: tuple[str, ...]) -> tuple[int, ...]:
        """Ids of the classes that may change, by priority."""
        known = {name: class_id for class_id, name in named_classes(class_names).items()}
        for name in self.classes:
            if name not in known:
                raise UnknownNameError("class", name, known, where="refine_with_edges.classes")
        return tuple(known[name] for name in self.classes) or tuple(known.values())

    def _refined(self, image: Image, rough: Ids, order: tuple[int, ...]) -> tuple[Ids, Scores]:
        """Class ids and confidence of one window."""
        valid = np.asarray(image.valid, bool)
        class_ids = np.where(valid, rough, np.uint8(UNKNOWN))
        here = valid if self.fill_unknown else class_ids != UNKNOWN
        present = tuple(int(each) for each in np.unique(class_ids[class_ids != UNKNOWN]))
        movable = tuple(each for each in order if each in present)
        if len(present) < 2 or not movable:
            return class_ids, (class_ids != UNKNOWN).astype(np.float32)
        pixels = to_bytes_scale(np.asarray(image.pixels), valid)
        pixels = np.where(np.isfinite(pixels), pixels, 0) if pixels.dtype.kind == "f" else pixels
        features, soft = pixel_features(pixels, valid=valid), soften(pixels, 1.0, valid)
        sure = np.zeros(class_ids.shape, np.float32)
        for _ in range(self.rounds):
            scores = self._scores(features, soft, class_ids, present, here)
            class_ids, sure = self._decided(scores, class_ids, present, movable, here)
        return class_ids, sure

    def _scores(
        self, features: NDArray[Any], soft: NDArray[Any], class_ids: Ids, present: tuple[int, ...],
        here: NDArray[np.bool_],
    ) -> Scores:  # fmt: skip
        """Scores of the present classes: looks times place, spread over the picture; 0 where nobody may know."""
        depth = np.stack([signed_depth(class_ids == each) for each in present])
        number = np.full(256, -1, np.int32)
        number[list(present)] = np.arange(len(present))
        trust = np.minimum(np.maximum(depth.max(axis=0), 0) / np.float32(self.trust_px), 1) ** 2 + np.float32(0.02)
        looks = appearance_scores(
            features, number[class_ids], len(present), weights=trust, random_state=self.random_state
        )
        looks, apart = told_apart(looks, number[class_ids], np.where(here, trust, np.float32(0)))
        place = _log_place(depth / np.float32(2 * self.slack_px))
        if apart < LEAST_APART:
            return _shares_of(place, here)
        said = np.float32(apart**2) * np.log(np.maximum(looks, LEAST)) + place
        return spread_scores(soft, _shares_of(said, here), pull=min(self.pull / apart, 1.0))

    def _decided(
        self, scores: Scores, class_ids: Ids, present: tuple[int, ...], movable: tuple[int, ...],
        here: NDArray[np.bool_],
    ) -> tuple[Ids, Scores]:  # fmt: skip
        """The surest class of each pixel, after classes that changed too much or may not change were put back."""
        total = scores.sum(axis=0)
        shares = np.divide(scores, total, out=np.zeros_like(scores), where=total > 0)
        held: set[int] = set()
        while True:
            result = _claimed(shares, class_ids, present, movable, held, here)
            lost = {
                each for each in movable if each not in held
                and overlap(class_ids == each, (result == each) & (class_ids != UNKNOWN)) < self.least_overlap
            }  # fmt: skip
            if not lost:
                break
            held |= lost
        place = np.searchsorted(present, np.minimum(result, present[-1]))
        sure = np.take_along_axis(shares, place[None], axis=0)[0]
        return result, np.where(result == UNKNOWN, np.float32(0), np.clip(sure, 0, 1)).astype(np.float32)


def signed_depth(region: NDArray[np.bool_]) -> Scores:
    """How deep a pixel lies in a region (above 0) or how far outside (below 0), in pixels to the border, float32.

    The picture's edge is no border. A region that is empty or everywhere is infinitely far or deep: 1e6.

    >>> signed_depth(np.array([[False, False, True, True]]))
    array([[-1.5, -0.5,  0.5,  1.5]], dtype=float32)
    """
    if region.all() or not region.any():
        return np.full(region.shape, 1e6 if region.any() else -1e6, np.float32)
    away = np.sqrt(squared_depths(region.astype(np.uint8), edge_is_outside=False)) - 0.5
    return np.where(region, away, -away).astype(np.float32)


def _shares_of(said: Scores, here: NDArray[np.bool_]) -> Scores:
    """Logarithms (classes, height, width) as shares that sum to 1; 0 where nobody may know."""
    powers = np.exp(said - said.max(axis=0))
    return np.where(here, powers / powers.sum(axis=0), np.float32(0))


def _log_place(depth: Scores) -> Scores:
    """How likely each class is by place alone, as a logarithm; two classes make a logistic curve."""
    top = depth.max(axis=0)
    place: Scores = np.maximum(depth - top, np.float32(-20))
    return place


def _claimed(
    shares: Scores, class_ids: Ids, present: tuple[int, ...], movable: tuple[int, ...], held: set[int],
    here: NDArray[np.bool_],
) -> Ids:  # fmt: skip
    """Every class where it is the surest; held classes keep exactly what they had, others trade with movable ones."""
    claims = shares.copy()
    fixed = ~np.isin(class_ids, [*movable, UNKNOWN])
    for number, each in enumerate(present):
        if each in held:
            claims[number] = np.where(class_ids == each, np.float32(2), np.float32(-1))
        elif each not in movable:
            claims[number][fixed & (class_ids != each)] = -1
    first = [present.index(each) for each in (*movable, *sorted(set(present) - set(movable)))]
    best = np.asarray(present, np.uint8)[np.asarray(first)[claims[first].argmax(axis=0)]]
    return np.where(here, best, np.uint8(UNKNOWN))


def _windows(whole: Window) -> Iterator[tuple[Window, Window]]:
    """What is written, and what is looked at for it: the picture at once, or windows of a big one with a margin."""
    if whole.height * whole.width <= WHOLE_PIXELS:
        yield whole, whole
        return
    for inner in split(whole, WINDOW_PX):
        yield inner, grow(inner, MARGIN_PX, whole)
