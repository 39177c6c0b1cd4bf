"""A whole plug-in package, found through its entry points: a labeler, a refiner and a learner.

They know nothing but the public types, so they also stand in for heavy parts in the tests of the pipelines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.encode import encode
from maskwright.types import UNKNOWN, Hint, Image, Instances, Mask, Sample, Step


@dataclass(frozen=True)
class BrightIsFirst:
    """Pixels brighter than `threshold` (mean over channels, the file's own units) take the first named class."""

    threshold: float = 128.0

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        if not any(class_names):
            raise ValueError(f"class_names {class_names!r} name no class; give at least one")
        first = next(class_id for class_id, name in enumerate(class_names) if name)
        bright = np.asarray(image.pixels).mean(axis=2) > self.threshold
        class_ids = np.where(bright & np.asarray(image.valid), first, UNKNOWN).astype(np.uint8)
        return Mask(class_ids, class_names, image.grid, history=(Step.of(self),))


@dataclass(frozen=True)
class BrightObject:
    """All pixels brighter than `threshold` are one object of the first named class."""

    threshold: float = 128.0

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Instances:
        mask = BrightIsFirst(self.threshold)(image, hints, class_names)
        region = mask.class_ids != UNKNOWN
        ids = np.unique(mask.class_ids[region]).astype(np.uint8)
        regions = tuple(encode(region) for _ in ids)
        return Instances(regions, ids, np.ones(len(ids), np.float32), class_names, image.grid, (Step.of(self),))


@dataclass(frozen=True)
class ForgetTop:
    """The topmost `rows` rows become unknown."""

    rows: int = 1

    def __call__(self, image: Image, mask: Mask) -> Mask:
        class_ids = mask.class_ids.copy()
        class_ids[: self.rows] = UNKNOWN
        return mask.after(Step.of(self), class_ids, mask.confidence)


@dataclass(frozen=True)
class MeanColour:
    """Learns the mean colour of each class from masks; pixels then take the class of the nearest mean."""

    sharpness: float = 0.1

    def __call__(self, samples: Sequence[Sample]) -> MeanColourSegmenter:
        from maskwright.io.images import read_image
        from maskwright.io.masks import read_mask

        sums: dict[int, NDArray[np.float64]] = {}
        names: tuple[str, ...] = ()
        for sample in samples:
            pixels, mask = np.asarray(read_image(sample.image_path).pixels, float), read_mask(sample.mask_paths[0])
            names = max(names, mask.class_names, key=len)
            for class_id in np.unique(mask.class_ids[mask.class_ids != UNKNOWN]).tolist():
                here = pixels[mask.class_ids == class_id]
                total = np.append(here.sum(axis=0), len(here))
                sums[class_id] = sums.get(class_id, 0) + total
        means = {class_id: (total[:-1] / total[-1]).tolist() for class_id, total in sums.items()}
        return MeanColourSegmenter(names, means, self.sharpness)

    def load(self, folder: Path) -> MeanColourSegmenter:
        told = json.loads((folder / "model.json").read_text())
        means = {int(class_id): mean for class_id, mean in told["means"].items()}
        return MeanColourSegmenter(tuple(told["classes"]), means, told["sharpness"])


@dataclass(frozen=True)
class MeanColourSegmenter:
    """What MeanColour learned: `means` is class id -> mean colour."""

    class_names: tuple[str, ...]
    means: dict[int, list[float]]
    sharpness: float

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        scores = np.zeros((len(pixels), len(self.class_names), *pixels.shape[1:3]))
        for class_id, mean in self.means.items():
            apart = np.abs(pixels.astype(float) - mean).mean(axis=3)
            scores[:, class_id] = np.exp(-self.sharpness * apart) + 1e-9
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

    def save(self, folder: Path) -> None:
        told = {"classes": self.class_names, "means": self.means, "sharpness": self.sharpness}
        (folder / "model.json").write_text(json.dumps(told, sort_keys=True))
