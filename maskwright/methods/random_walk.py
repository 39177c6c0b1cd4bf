"""Each pixel takes the class whose points a random walk from it most probably meets first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_bytes_scale
from maskwright.arrays.seeds import random_walk
from maskwright.errors import InputError
from maskwright.seeds import find_seeds
from maskwright.types import UNKNOWN, Hint, Image, Mask, Step


@dataclass(frozen=True)
class RandomWalk:
    """Each pixel takes the class whose points a random walk from it most probably meets first.

    Walks avoid changes of colour, the more so the greater `beta` (as scikit-image's `random_walker` defines it; the
    picture's own contrast is divided out, so bit depth does not matter). Confidence is the probability of the class;
    of equally probable classes the lowest id wins. `tolerance` is how exact probabilities are.

    Pixels without data, and those no point can be reached from, stay unknown; a point on a pixel without data says
    nothing. Of several points on one pixel the first counts.

    After Grady, "Random walks for image segmentation" (PAMI 2006), where beta is 90 on grey values.
    """

    beta: float = 130.0
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if not (isfinite(self.beta) and self.beta >= 0):
            raise InputError(f"beta is {self.beta}; expected 0 or more; try 130")
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance is {self.tolerance}; expected a fraction above 0; try 0.001")

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        labels = find_seeds(image.grid, hints, class_names).labels(image.grid.shape)
        valid = np.asarray(image.valid, bool)
        pixels = to_bytes_scale(np.asarray(image.pixels), valid)
        used, seen = np.unique(labels[valid & (labels >= 0)]), np.full(labels.shape, -1, np.int32)
        for place, class_id in enumerate(used):
            seen[labels == class_id] = place
        if not len(used):
            return self._mask(image, np.zeros((1, *labels.shape), np.float32), np.array([UNKNOWN]), class_names)
        fractions = pixels.astype(np.float32) / np.float32(255)
        scores = random_walk(fractions, seen, len(used), beta=self.beta, tolerance=self.tolerance, region=valid)
        return self._mask(image, scores, used, class_names)

    def _mask(
        self, image: Image, scores: NDArray[np.float32], used: NDArray[Any], class_names: tuple[str, ...]
    ) -> Mask:
        confidence = scores.max(axis=0)
        class_ids = np.where(confidence > 0, used[scores.argmax(axis=0)], UNKNOWN).astype(np.uint8)
        return Mask(class_ids, class_names, image.grid, confidence, (Step.of(self),))
