"""What a segmenter learns by and is scored by: batches of windows to a loss, held-out windows to IoU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskwright.arrays.counts import confusion
from maskwright.metrics.overlap import Overlap
from maskwright.models.weights import ModelRecord, normalise
from maskwright.training import losses
from maskwright.training.pictures import POINT, SPREAD, Collection, Labelled
from maskwright.training.splits import Division
from maskwright.training.windows import Batch, scored_batch, scored_windows
from maskwright.types import UNKNOWN

MOST_SCORED = 48
LossName = Literal["ce", "dice", "focal", "ce_dice", "focal_dice"]


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a batch of windows under a network. `class_weights` has one number for each named class, or is None.

    With a `point_weight` points beside masks have a mean of their own, which counts so much: a few of them would be
    lost among the pixels of masks. With 0 a point is a pixel like any other. Labels spread from points are soft
    targets, whatever `confidence` says, and beside them points count at least 1.

    `affinity` counts the disagreement of look-alike neighbours (`losses.affinity`), which needs no labels.
    """

    record: ModelRecord
    loss: LossName = "ce_dice"
    confidence: Literal["weight", "soft", "ignore"] = "weight"
    affinity: float = 0.0
    point_weight: float = 0.0
    class_weights: tuple[float, ...] | None = None

    @cached_property
    def channels(self) -> NDArray[np.uint8]:
        """From class id to channel of the network."""
        channels = np.full(256, UNKNOWN, np.uint8)
        channels[list(self.record.class_ids)] = np.arange(len(self.record.class_ids))
        return channels

    def __call__(self, network: nn.Module, batch: Batch, device: torch.device) -> Tensor:
        pixels = given(batch, self.record, device)
        logits = network(pixels).float()
        confidence = None if self.confidence == "ignore" else torch.from_numpy(batch.confidence).to(device)
        ids = torch.from_numpy(self.channels[batch.class_ids]).to(device)
        count = len(self.record.class_ids)
        shares, weights = losses.shares_of(ids, count, confidence, soft=self.confidence == "soft")
        told_by = torch.from_numpy(batch.told_by).to(device)
        own = self.point_weight
        if (told_by == SPREAD).any():
            own = max(own, 1.0)
            sure = torch.from_numpy(batch.confidence).to(device)
            soft, known = losses.shares_of(ids, count, sure, soft=True)
            shares = torch.where((told_by == SPREAD)[:, None], soft, shares)
            weights = torch.where(told_by == SPREAD, known, weights)
        total = self._supervised_apart(logits, shares, weights, told_by == POINT, own)
        if self.affinity:
            valid = torch.from_numpy(batch.valid).to(device)
            total = total + self.affinity * losses.affinity(logits, pixels.float(), valid=valid, known=weights > 0)
        return total

    def _supervised_apart(
        self, logits: Tensor, shares: Tensor, weights: Tensor, named: Tensor, point_weight: float
    ) -> Tensor:
        """The loss of what masks, or look-alikes, say and, with its own weight, that of the points in it."""
        if not point_weight or not ((weights > 0) & ~named).any():
            return self._supervised(logits, shares, weights)
        of_points = self._supervised(logits, shares, weights * named)
        return self._supervised(logits, shares, weights * ~named) + point_weight * of_points

    def _supervised(self, logits: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
        by_class = None if self.class_weights is None else logits.new_tensor(self.class_weights)
        total = logits.new_zeros(())
        if "ce" in self.loss.split("_"):
            total = total + losses.cross_entropy(logits, shares, weights, by_class)
        if "focal" in self.loss:
            total = total + losses.focal(logits, shares, weights, by_class)
        if "dice" in self.loss:
            total = total + losses.soft_dice(logits, shares, weights)
        return total


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores a network on held-out windows: "score" is the mean IoU, "iou" that of each class.

    They compare with the labels that training was given, which may be wrong or sparse.
    """

    record: ModelRecord
    collection: Collection
    division: Division
    size: int

    @cached_property
    def places(self) -> list[tuple[Labelled, float, float]]:
        return scored_windows(self.collection, self.division, self.size, MOST_SCORED)

    def __call__(self, network: nn.Module, device: torch.device) -> dict[str, Any]:
        names, class_ids = self.record.class_names, np.array(self.record.class_ids, np.uint8)
        counts = np.zeros((len(names), len(names) + 1), np.int64)
        for place in self.places:
            batch = scored_batch(self.collection, self.division, place, self.size)
            logits = network(given(batch, self.record, device)).float()
            said = class_ids[logits.argmax(dim=1).cpu().numpy()]
            counts += confusion(said[0], batch.class_ids[0], len(names), ignore=UNKNOWN)
        scores = Overlap(names).scores(counts)
        iou = {name: value for name, value in scores["iou"].items() if np.isfinite(value)}
        mean = scores["mean_iou"] if np.isfinite(scores["mean_iou"]) else 0.0
        doubt = float(1 / np.sqrt(max(counts.sum(), 1)))  # two standard errors of a share of that many pixels
        return {"score": mean, "doubt": doubt, "pixel_accuracy": scores["pixel_accuracy"], "iou": iou}


def given(batch: Batch, record: ModelRecord, device: torch.device) -> Tensor:
    """What a network is given: normalised pixels in the light that chance gave them."""
    pixels = normalise(batch.pixels, record.mean, record.std)
    gain, offset = (torch.from_numpy(each)[:, :, None, None] for each in (batch.gain, batch.offset))
    return (pixels * gain + offset).to(device).contiguous(memory_format=torch.channels_last)


def balanced_weights(by_class: NDArray[np.int64], class_ids: tuple[int, ...]) -> tuple[float, ...]:
    """One weight per named class, larger for rare ones (1 / sqrt of its share), 1 on average over pixels.

    >>> [round(each, 3) for each in balanced_weights(np.array([0, 900, 100]), (1, 2))]
    [0.833, 2.5]
    """
    counts = by_class[list(class_ids)].astype(np.float64)
    weights = 1 / np.sqrt(np.maximum(counts, 1) / max(counts.sum(), 1))
    return tuple((weights / ((weights * counts).sum() / max(counts.sum(), 1))).tolist())
