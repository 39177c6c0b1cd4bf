"""Each pixel takes the class of the point with the shortest way to it, where a change of colour makes ways longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_bytes_scale
from maskwright.arrays.seeds import geodesic_distance
from maskwright.arrays.soften import soften
from maskwright.errors import InputError
from maskwright.seeds import find_seeds
from maskwright.types import UNKNOWN, Hint, Image, Mask, Step


@dataclass(frozen=True)
class GeodesicPoint:
    """Each pixel takes the class of its nearest point by ways on which a change of colour counts as distance.

    A step costs sqrt((1 - w) * length^2 + w * colour difference^2) with w = `colour_weight`: length in pixels, colours
    on a scale of 0..255 whatever the picture's dtype (8 and 16 bit by their full range, floating pictures from their
    least to their greatest value). With w = 0 it is the distance over `neighbours` (4 or 8), with w = 1 only colour
    counts. Noise makes every way long, so the picture is softened first by a Gaussian of `soften_px` (0: not at all);
    on photographs that helps more than any weight.

    Pixels farther than `reach` stay unknown, and so do pixels without data, which no way crosses; a point on such a
    pixel says nothing. Of equally near classes the lowest id wins; of several points on one pixel the first counts, and
    a pixel with a point always has that point's class.

    Confidence is (rival - nearest) / (rival + nearest), from the distances to the nearest class and to the next one:
    1 on a point or without a rival, 0 half way between two classes.

    After Criminisi, Sharp and Blake (ECCV 2008), computed exactly instead of by raster scans.
    """

    colour_weight: float = 0.9
    reach: float = inf
    neighbours: Literal[4, 8] = 8
    soften_px: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.colour_weight <= 1:
            raise InputError(f"colour_weight is {self.colour_weight}; expected a fraction from 0 to 1; try 0.9")
        if not self.reach >= 0:
            raise InputError(f"reach is {self.reach}; expected 0 or more; leave it out for no limit")
        if not 0 <= self.soften_px < inf:
            raise InputError(f"soften_px is {self.soften_px}; expected 0 or more; 2 suits most photographs")
        if self.neighbours not in (4, 8):
            raise InputError(f"neighbours is {self.neighbours}; expected 4 or 8; 8 follows slanted edges better")

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        labels = find_seeds(image.grid, hints, class_names).labels(image.grid.shape)
        valid = np.asarray(image.valid, bool)
        labels[~valid] = -1
        pixels = soften(to_bytes_scale(np.asarray(image.pixels), valid), self.soften_px, valid)
        class_ids, nearest, rival = self._two_nearest(pixels, labels, ~valid)
        known = np.isfinite(nearest) & (nearest <= self.reach)
        with np.errstate(invalid="ignore"):
            apart = np.where(np.isinf(rival), np.float32(1), (rival - nearest) / (rival + nearest))
        apart = np.where(labels >= 0, np.float32(1), np.nan_to_num(apart))
        kept = np.where(labels >= 0, labels, class_ids)
        answer: NDArray[np.uint8] = np.where(known, kept, UNKNOWN).astype(np.uint8)
        confidence = np.where(known, apart, np.float32(0)).astype(np.float32)
        return Mask(answer, class_names, image.grid, confidence, (Step.of(self),))

    def _two_nearest(
        self, pixels: NDArray[np.generic], labels: NDArray[np.int32], barriers: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        """The nearest class of every pixel, how far it is, and how far the next one is."""
        class_ids = np.full(labels.shape, UNKNOWN, np.int32)
        nearest, rival = (np.full(labels.shape, np.inf, np.float32) for _ in range(2))
        for class_id in np.unique(labels[labels >= 0]):
            distance = geodesic_distance(
                pixels,
                labels == class_id,
                colour_weight=self.colour_weight,
                neighbours=self.neighbours,
                barriers=barriers,
            )
            closer = distance < nearest
            np.minimum(rival, np.maximum(distance, nearest), out=rival)
            np.copyto(class_ids, class_id, where=closer)
            np.minimum(nearest, distance, out=nearest)
        return class_ids, nearest, rival
