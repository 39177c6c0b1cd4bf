"""Boxes of animals, or of other things, by RT-DETR, RT-DETRv2 or D-FINE through transformers.

Not covered: pictures cut into windows (each is seen whole, at the size the network was trained on), prompts by text,
and suppressing two boxes of one animal: these networks are trained to give one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from maskwright.errors import InputError, UnknownNameError
from maskwright.models.pretrained import load_pretrained, read_config
from maskwright.models.processors import Precision, autocast, choose_device, choose_precision

KINDS = {
    "rt_detr": "RTDetrForObjectDetection",
    "rt_detr_v2": "RTDetrV2ForObjectDetection",
    "d_fine": "DFineForObjectDetection",
}
ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe")
"""The animals of COCO."""


class Boxes(NamedTuple):
    """What was found in one picture, surest first: boxes (n, 4) as top, left, bottom, right, scores and names (n,)."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """Which things are looked for ("animals", "all", or names with commas) and how sure of one is sure enough."""

    things: str = "animals"
    least_score: float = 0.3
    batch: int = 4
    precision: Precision = "float32"


@dataclass(frozen=True, eq=False)
class Detector:
    """Ask it with pictures uint8 (height, width, 3), red first; it says what is in each."""

    network: Any
    labels: tuple[str, ...]
    size: tuple[int, int]
    colours: tuple[NDArray[np.float32], NDArray[np.float32]]
    sha256: str
    path: Path
    how: Finding = Finding()
    device: str = "auto"

    @classmethod
    def of(cls, model: str | Path, how: Finding, *, device: str = "auto") -> Detector:
        """The detector of known weights, such as "dfine-small", or of a folder."""
        choose_device(device)
        found = load_pretrained(model, KINDS)
        size, colours = _preparation(found.folder)
        made = cls(found.network, found.labels, size, colours, found.sha256, found.folder, how, device)
        _wanted(found.labels, how.things, found.folder)
        return made

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Boxes]:
        """What is in each picture; each query of the network is one box, with the wanted class it is surest of."""
        found: list[Boxes] = []
        for start in range(0, len(pictures), self.how.batch):
            some = pictures[start : start + self.how.batch]
            logits, boxes = self._ask(torch.cat([self._prepared(each) for each in some]))
            found += [self._read(*each) for each in zip(logits, boxes, (one.shape for one in some), strict=True)]
        return found

    def _prepared(self, pixels: NDArray[np.uint8]) -> Tensor:
        mean, std = self.colours
        values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float()
        resized = interpolate(values, self.size, mode="bilinear", antialias=True).round() / 255
        return (resized - torch.from_numpy(mean)[:, None, None]) / torch.from_numpy(std)[:, None, None]

    def _ask(self, given: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        device = choose_device(self.device)
        with torch.inference_mode(), autocast(device, choose_precision(self.how.precision, device)):
            told = self._module(given.to(device))
        return told.logits.float().cpu().numpy(), told.pred_boxes.float().cpu().numpy()

    @cached_property
    def _module(self) -> Any:
        return self.network.to(choose_device(self.device))

    def _read(self, logits: NDArray[np.float32], boxes: NDArray[np.float32], shape: tuple[int, ...]) -> Boxes:
        """Boxes as (middle x, middle y, width, height) in shares of the picture become rows and columns."""
        wanted = np.array(_wanted(self.labels, self.how.things, self.path))
        scores = 1 / (1 + np.exp(-logits[:, wanted].astype(np.float64)))
        kept = np.flatnonzero(scores.max(axis=1) >= self.how.least_score)
        kept = kept[np.argsort(-scores[kept].max(axis=1), kind="stable")]
        middle_x, middle_y, wide, high = boxes[kept].astype(np.float64).T
        sides = np.stack([middle_y - high / 2, middle_x - wide / 2, middle_y + high / 2, middle_x + wide / 2], axis=1)
        height, width = shape[:2]
        inside = np.clip(sides, 0, 1) * (height, width, height, width)
        names = tuple(self.labels[wanted[each]] for each in scores[kept].argmax(axis=1))
        has_area = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
        names = tuple(name for name, ok in zip(names, has_area, strict=True) if ok)
        return Boxes(inside[has_area], scores[kept].max(axis=1)[has_area], names)


def _preparation(folder: Path) -> tuple[tuple[int, int], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The size pictures are given at, and mean and deviation of colours in 0..1, as the folder says or as published."""
    told = read_config(folder, "preprocessor_config.json") if (folder / "preprocessor_config.json").is_file() else {}
    size = told.get("size") or {}
    if told.get("do_pad") or not {"height", "width"} >= set(size):
        raise InputError(
            f"{folder / 'preprocessor_config.json'}: pictures are padded, or sized as {size}; expected a fixed height "
            "and width, as RT-DETR and D-FINE have them; correct the file"
        )
    mean, std = (told["image_mean"], told["image_std"]) if told.get("do_normalize") else ([0.0] * 3, [1.0] * 3)
    shape = int(size.get("height", 640)), int(size.get("width", 640))
    return shape, (np.array(mean, np.float32), np.array(std, np.float32))


def _wanted(labels: tuple[str, ...], things: str, where: Path) -> list[int]:
    """The channels of the things that are looked for."""
    if things == "all":
        return list(range(len(labels)))
    if things == "animals":
        found = [index for index, label in enumerate(labels) if label in ANIMALS]
        if not found:
            raise InputError(
                f"{where}: knows none of the animals of COCO, but {', '.join(labels[:8])}; expected some; name what "
                "to look for, or look for all"
            )
        return found
    for name in things.split(","):
        if name.strip() not in labels:
            raise UnknownNameError("class of the detector", name.strip(), labels, where=str(where))
    return [labels.index(name.strip()) for name in things.split(",")]
