"""What a part segmenter learns by: whole pictures at one size, mirrored with left and right exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from maskwright.arrays.counts import confusion
from maskwright.metrics.overlap import Overlap
from maskwright.models.weights import ModelRecord
from maskwright.training.augment import Draw, draw, plain
from maskwright.training.pictures import Collection, Labelled
from maskwright.training.semantic import given
from maskwright.training.splits import Division
from maskwright.training.windows import Batch, cut
from maskwright.types import UNKNOWN

_NOTHING_HELD = Division("none")
JITTER = 0.12
"""How far the middle of a picture moves, as a share of its longer side."""


def exchanged_sides(class_names: Sequence[str]) -> NDArray[np.uint8]:
    """The class each id (256,) becomes in a mirrored picture: left and right change places where both have a class.

    >>> exchanged_sides(("body", "left_ear", "right_ear"))[:4].tolist()
    [0, 2, 1, 3]
    """
    table = np.arange(256, dtype=np.uint8)
    for class_id, name in enumerate(class_names):
        words = ["right" if word == "left" else "left" if word == "right" else word for word in name.split("_")]
        if name and (other := "_".join(words)) in class_names:
            table[class_id] = class_names.index(other)
    return table


@dataclass(frozen=True, eq=False)
class WholeCutter:
    """Batches of whole pictures, `side` pixels square; all that is chance follows from (random_state, step).

    Beyond a picture its pixels are mirrored and nobody knows their class, as when a window is larger than a picture.
    """

    collection: Collection
    division: Division
    side: int
    batch: int
    scale: float = 0.25
    colour: float = 0.25
    turned: bool = True
    least_confidence: float = 0.0
    random_state: int = 0

    @cached_property
    def pictures(self) -> tuple[Labelled, ...]:
        """Those that are learned from."""
        return tuple(each for each in self.collection.pictures if each.name not in self.division.names)

    @cached_property
    def exchanged(self) -> NDArray[np.uint8]:
        return exchanged_sides(self.collection.class_names)

    def batch_of(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """The share of one of `ranks` processes in the batch of a step."""
        windows = [self._window(step, index) for index in range(rank, self.batch * ranks, ranks)]
        return Batch(*(np.stack(each) for each in zip(*windows, strict=True)))

    def _window(self, step: int, index: int) -> Batch:
        random = np.random.default_rng([self.random_state, step, index])
        picture = self.pictures[int(random.integers(len(self.pictures)))]
        longer = max(picture.window.height, picture.window.width)
        chance = draw(
            random, picture.bands, turns="small" if self.turned else "none", scale=self.scale, colour=self.colour,
            step=longer / self.side,
        )  # fmt: skip
        moved = random.uniform(-JITTER, JITTER, 2) * longer
        window = whole(picture, chance, self.side, self.least_confidence, (float(moved[0]), float(moved[1])))
        if np.linalg.det(chance.matrix) < 0:
            return window._replace(class_ids=self.exchanged[window.class_ids])
        return window


def whole(
    picture: Labelled, chance: Draw, side: int, least_confidence: float = 0.0, moved: tuple[float, float] = (0.0, 0.0)
) -> Batch:
    """One picture as chance shows it, `side` pixels square."""
    place = picture.window
    row, col = (place.top + place.bottom - 1) / 2 + moved[0], (place.left + place.right - 1) / 2 + moved[1]
    return cut(picture, _NOTHING_HELD, chance, row, col, side, least_confidence)


@dataclass(frozen=True, eq=False)
class HeldOutPictures:
    """Scores a network on whole held-out pictures: "score" is the mean IoU at the size it sees."""

    record: ModelRecord
    collection: Collection
    division: Division
    side: int

    @cached_property
    def pictures(self) -> tuple[Labelled, ...]:
        return tuple(each for each in self.collection.pictures if each.name in self.division.names)

    def __call__(self, network: nn.Module, device: torch.device) -> dict[str, Any]:
        names, class_ids = self.record.class_names, np.array(self.record.class_ids, np.uint8)
        counts = np.zeros((len(names), len(names) + 1), np.int64)
        for picture in self.pictures:
            longer = max(picture.window.height, picture.window.width)
            window: tuple[Any, ...] = whole(picture, plain(picture.bands, longer / self.side), self.side)
            batch = Batch(*(each[None] for each in window))
            said = class_ids[network(given(batch, self.record, device)).float().argmax(dim=1).cpu().numpy()]
            counts += confusion(said[0], batch.class_ids[0], len(names), ignore=UNKNOWN)
        scores = Overlap(names).scores(counts)
        iou = {name: value for name, value in scores["iou"].items() if np.isfinite(value)}
        mean = scores["mean_iou"] if np.isfinite(scores["mean_iou"]) else 0.0
        return {"score": mean, "pixel_accuracy": scores["pixel_accuracy"], "iou": iou}
