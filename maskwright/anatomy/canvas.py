"""The class ids and the confidence of a picture, filled animal by animal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline
from maskwright.anatomy.spread import Parts
from maskwright.arrays.paths import Nearest
from maskwright.io.profiles import Odds
from maskwright.types import UNKNOWN


class Canvas:
    """The picture's class ids and confidence, filled animal by animal; the nearest animal has each pixel."""

    def __init__(self, shape: tuple[int, int], ids: NDArray[np.uint8]) -> None:
        self.ids = ids
        self.class_ids = np.full(shape, ids[-1], np.uint8)
        self.confidence = np.ones(shape, np.float32)
        self.distance: NDArray[np.float32] | None = None  # of a second animal on: nan is where none is
        self.first: tuple[Outline, NDArray[np.float32]] | None = None

    def hide(self, outline: Outline) -> None:
        """Nobody knows the parts of an outline: it is an animal that has no joints. Those with joints lie over it."""
        here, at = outline.pixels, outline.window.slices
        self.class_ids[at][here], self.confidence[at][here] = UNKNOWN, 0

    def paint(
        self,
        outline: Outline,
        parts: Parts,
        firmness: NDArray[np.float32],
        size: float,
        odds: Odds,
        band_px: float,
        reach_px: float,
    ) -> None:
        """Lay the parts of an outline over what is there, where their joints are nearer.

        Of `size` pixels is the animal, `firmness` (height, width) of the outline's window how firmly its pixels keep
        their part (`anatomy.stability`), `odds` the profile's, by which confidence is told.
        """
        inside = np.flatnonzero(outline.pixels)
        labels, distance, rival = parts.nearest
        nearest = Nearest(labels.ravel()[inside], distance.ravel()[inside], rival.ravel()[inside])
        confidence = confidence_of(nearest, firmness.ravel()[inside], size, odds)
        class_ids = _decided(nearest, self.ids, band_px, reach_px)
        np.putmask(confidence, class_ids == UNKNOWN, 0)
        if self.first is None:
            self.first = outline, nearest.distance
        else:
            self._contest(outline, nearest.distance, class_ids, confidence)
        here, at = outline.pixels, outline.window.slices
        self.class_ids[at][here], self.confidence[at][here] = class_ids, confidence

    def _contest(
        self,
        outline: Outline,
        distance: NDArray[np.float32],
        class_ids: NDArray[np.uint8],
        confidence: NDArray[np.float32],
    ) -> None:
        """Let pixels (n,) of an outline that are nearer to an animal painted before stay as they are; in place."""
        here, at = outline.pixels, outline.window.slices
        if self.distance is None and self.first is not None:
            self.distance = np.full(self.class_ids.shape, np.nan, np.float32)
            self.distance[self.first[0].window.slices][self.first[0].pixels] = self.first[1]
        assert self.distance is not None
        before, current = self.distance[at][here], self.class_ids[at][here]
        tied = (distance == before) & (class_ids != current)
        class_ids[tied], confidence[tied] = UNKNOWN, 0
        loses = distance > before
        class_ids[loses], confidence[loses] = current[loses], self.confidence[at][here][loses]
        self.distance[at][here] = np.fmin(distance, before)


def confidence_of(nearest: Nearest, firmness: NDArray[np.float32], size: float, odds: Odds) -> NDArray[np.float32]:
    """How probably pixels (n,) have their part: 1 / (1 + exp(-x)), x = even + margin * m + firm * f - far * d.

    m is (rival - near) / (rival + near), 1 without a rival; f is `firmness`, the same when that joint is left out which
    matters most; d is how far the nearest point is, in sizes of the animal (square roots of its area, in pixels).
    """
    near, rival = nearest.distance, nearest.rival
    with np.errstate(invalid="ignore"):
        margin = (rival - near) / np.maximum(rival + near, np.float32(1e-6))
    np.putmask(margin, np.isinf(rival), 1)
    margin *= np.float32(-odds.margin)
    margin -= np.float32(odds.firm) * firmness
    margin += near * np.float32(odds.far / size)
    margin -= np.float32(odds.even)
    np.exp(margin, out=margin)
    margin += 1
    sure: NDArray[np.float32] = np.reciprocal(margin, out=margin)
    return sure


def _decided(nearest: Nearest, ids: NDArray[np.uint8], band_px: float, reach_px: float) -> NDArray[np.uint8]:
    """Class ids (n,) of the pixels of an outline, unknown where nobody can say."""
    regions, near, rival = nearest
    with np.errstate(invalid="ignore"):
        apart = rival - near
    class_ids = ids[regions]
    np.putmask(class_ids, ~((regions >= 0) & (near <= reach_px) & (apart > 0) & (apart >= band_px)), UNKNOWN)
    return class_ids
