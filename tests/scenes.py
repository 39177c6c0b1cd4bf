"""Tiny pictures with known answers, and light stand-ins for heavy parts: five lines each, no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, Points, Step

CLASS_NAMES = ("sand", "coral")


@dataclass
class BrightIsCoral:
    """Segmenter: coral where the first channel is bright, as surely as it is bright; keeps the shapes it saw."""

    class_names: tuple[str, ...] = CLASS_NAMES
    seen: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        self.seen.append(pixels.shape)
        coral = pixels[..., 0].astype(np.float32) / 255
        return np.stack([1 - coral, coral], axis=1)


@dataclass
class WindowShade:
    """Segmenter whose answer depends on where a pixel lies in its window, so that any other window or order shows."""

    class_names: tuple[str, ...] = CLASS_NAMES

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        count, height, width, _ = pixels.shape
        place = np.arange(height * width, dtype=np.float32).reshape(height, width) / (height * width)
        coral = (place + pixels[..., 0].astype(np.float32) / 300 + np.float32(0.01) * count) / 3
        return np.stack([1 - coral, coral], axis=1)


@dataclass(frozen=True)
class NearestByHand:
    """Labeler: the class of the nearest point by brute force; nobody knows where the picture has no data."""

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        ids = np.full(image.grid.shape, UNKNOWN, np.uint8)
        rows, cols = np.indices(ids.shape)
        for hint in hints:
            if isinstance(hint, Points) and len(hint):
                squares = (rows[..., None] - hint.rows) ** 2 + (cols[..., None] - hint.cols) ** 2
                ids = hint.class_ids[squares.argmin(axis=-1)]
        ids = np.where(np.asarray(image.valid), ids, UNKNOWN).astype(np.uint8)
        return Mask(ids, class_names, image.grid, None, (Step.of(self),))


@dataclass(frozen=True)
class KeepAll:
    """Refiner: leaves every class where it was."""

    def __call__(self, image: Image, mask: Mask) -> Mask:
        return mask.after(Step.of(self), mask.class_ids.copy())


def reef() -> tuple[Image, Mask, Points]:
    """20 x 60: a bright block of coral (rows 5..14, columns 40..54) on dark sand, and one point in each."""
    truth = np.zeros((20, 60), np.uint8)
    truth[5:15, 40:55] = 1
    pixels = np.where(truth[..., None] == 1, 220, 30).astype(np.uint8).repeat(3, axis=2)
    points = Points(np.array([10.0, 9.0]), np.array([5.0, 47.0]), np.array([0, 1], np.uint8))
    return Image(pixels), Mask(truth, CLASS_NAMES), points


def noise(height: int, width: int, *, random_state: int = 0, nodata_fraction: float = 0.0) -> Image:
    """Random 8-bit RGB on a grid in metres, with part of it missing."""
    random = np.random.default_rng(random_state)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    valid = random.random((height, width)) >= nodata_fraction
    return Image(pixels, Grid(height, width, (0.5, 0, 300.0, 0, -0.5, 900.0), "EPSG:32740"), valid)
