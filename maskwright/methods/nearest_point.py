"""Each pixel takes the class of its nearest point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.seeds import nearest_seed
from maskwright.arrays.windows import Window
from maskwright.errors import InputError
from maskwright.seeds import Seeds, find_seeds
from maskwright.types import UNKNOWN, Hint, Image, Mask, Step

STRIP_PIXELS = 1 << 21


@dataclass(frozen=True)
class NearestPoint:
    """Each pixel takes the class of its nearest point; beyond `reach_px` it stays unknown.

    Of equally near points the first one counts, so of two points on one pixel the first has it. A point without data
    under it still speaks for the pixels around it. Pixels without data are unknown.

    Confidence is (rival - nearest) / (rival + nearest) * 2^(-nearest / spacing): `nearest` is the distance to the
    nearest point and `rival` to the nearest point of another class, so it is 1 on a point and 0 half way between two
    classes; it halves with every `spacing` = sqrt(pixels / points), the typical distance between points, as one goes
    away. Distances are in pixels.

    Each pixel depends on all points and nothing else, so `label_window` gives any window of a picture of any size
    exactly as the whole picture would have it.
    """

    reach_px: float = inf
    asks_for_pixels: ClassVar[bool] = True  # and never does

    def __post_init__(self) -> None:
        if not self.reach_px >= 0:
            raise InputError(f"reach_px is {self.reach_px}; expected 0 or more; leave it out for no limit")

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        return self.label_window(image, hints, class_names, image.grid.window)

    def label_window(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window) -> Mask:
        """The mask of one window of the picture, equal to that part of the whole picture's mask."""
        seeds = find_seeds(image.grid, hints, class_names)
        spacing = sqrt(image.grid.height * image.grid.width / len(seeds))
        class_ids = np.full((window.height, window.width), UNKNOWN, np.uint8)
        confidence = np.zeros(class_ids.shape, np.float32)
        for strip in _strips(window):
            valid = np.asarray(image.valid[strip.slices], bool)
            rows = slice(strip.top - window.top, strip.bottom - window.top)
            class_ids[rows], confidence[rows] = self._label_strip(strip, valid, seeds, spacing)
        return Mask(class_ids, class_names, image.grid.crop(window), confidence, (Step.of(self),))

    def _label_strip(
        self, strip: Window, valid: NDArray[np.bool_], seeds: Seeds, spacing: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        index, nearest = _nearest(strip, seeds, valid)
        known = nearest <= self.reach_px if self.reach_px < inf else index >= 0
        class_ids = np.where(known, seeds.class_ids[index], np.uint8(UNKNOWN))
        rival = _rival(strip, seeds, class_ids)
        with np.errstate(invalid="ignore"):
            apart = np.where(np.isinf(rival), 1.0, (rival - nearest) / (rival + nearest))
            confidence = np.nan_to_num(apart) * np.exp2(-nearest / spacing)
        return class_ids, np.where(known, confidence, 0.0)


def _nearest(strip: Window, seeds: Seeds, region: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    shape, origin = (strip.height, strip.width), (strip.top, strip.left)
    return nearest_seed(shape, seeds.rows, seeds.cols, region=region, origin=origin)


def _rival(strip: Window, seeds: Seeds, class_ids: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How far each pixel is from the nearest point of another class than its own; inf where there is none."""
    rival = np.full(class_ids.shape, inf)
    for class_id in np.unique(class_ids[class_ids != UNKNOWN]):
        other, mine = seeds.class_ids != class_id, class_ids == class_id
        others = Seeds(seeds.rows[other], seeds.cols[other], seeds.class_ids[other])
        rival[mine] = _nearest(strip, others, mine)[1][mine]
    return rival


def _strips(window: Window) -> Iterator[Window]:
    """The window in bands of rows small enough to hold a few numbers per pixel."""
    height = max(1, STRIP_PIXELS // window.width)
    for top in range(window.top, window.bottom, height):
        yield Window(top, window.left, min(top + height, window.bottom), window.right)
