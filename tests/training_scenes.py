"""Pictures to learn from in seconds: the class of a pixel is its colour, and grain lies over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image

from maskwright.io.masks import read_mask, write_mask
from maskwright.types import UNKNOWN, Grid, Mask, Points, Sample

CLASS_NAMES = ("", "coral", "sand")


def make_samples(
    folder: Path, count: int = 4, *, size: tuple[int, int] = (48, 80), known: float = 1.0, crs: str | None = None
) -> list[Sample]:
    """`count` pictures with bright, bluish coral on dark sand; a share `known` of each mask is known."""
    samples = []
    for number in range(count):
        random = np.random.default_rng(number)
        truth = np.full(size, 2, np.uint8)
        top, left = random.integers(4, size[0] // 2), random.integers(4, size[1] // 2)
        truth[top : top + size[0] // 3, left : left + size[1] // 3] = 1
        pixels = np.where(truth[..., None] == 1, (120, 150, 200), (90, 80, 60)) + random.normal(0, 12, (*size, 3))
        image_path = folder / "pics" / f"p{number}.png"
        image_path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(image_path)
        truth[random.random(size) >= known] = UNKNOWN
        grid = Grid(*size) if crs is None else Grid(*size, (0.5, 0, 300.0 + 100 * number, 0, -0.5, 900.0), crs)
        mask_path = folder / "masks" / f"p{number}.png"
        write_mask(mask_path, Mask(truth, CLASS_NAMES, grid))
        samples.append(Sample(f"p{number}", image_path, mask_paths=(mask_path,)))
    return samples


def pointed(samples: Sequence[Sample], count: int = 4) -> list[Sample]:
    """The samples with `count` points of each class instead of their masks."""
    made = []
    for number, sample in enumerate(samples):
        truth = read_mask(sample.mask_paths[0]).class_ids
        random = np.random.default_rng(number)
        places = np.concatenate([random.permutation(np.argwhere(truth == each))[:count] for each in (1, 2)])
        points = Points(places[:, 0].astype(float), places[:, 1].astype(float), truth[places[:, 0], places[:, 1]])
        made.append(replace(sample, mask_paths=(), hints=(points,)))
    return made
