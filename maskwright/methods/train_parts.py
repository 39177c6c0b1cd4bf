"""Learn to see body parts in pictures alone, from masks that joints and outlines made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from maskwright.errors import EmptyResultError
from maskwright.types import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from maskwright.models.weights import ModelRecord, TrainedSegmenter
    from maskwright.training.fit import Plan
    from maskwright.training.pictures import Collection

    Report = Callable[[int, int, Mapping[str, Any]], None]


@dataclass(frozen=True)
class TrainParts:
    """A segmenter of body parts that sees the whole picture at once, learned from part masks.

    A leg is a front leg because of where the head is, so pictures are not cut: each is seen `side` pixels long,
    whatever its size, and borders are that coarse. `predict` shows it whole pictures; no joints are needed
    then. Mirrored pictures exchange the classes whose names say left and right. Pixels nobody knows count nowhere,
    and `confidence` says what the confidence of a mask does: "weight" its pixels, become a "soft" target, or
    "ignore".

    A share `held_out` of the pictures is scored on, every `score_every` steps; learning ends after `steps`, or when
    `patience` scores in a row brought nothing. `width` is the number of channels of the U-Net at half of `side`.
    """

    side: int = 192
    width: int = 24
    class_names: tuple[str, ...] = ()
    loss: Literal["ce", "dice", "focal", "ce_dice", "focal_dice"] = "ce_dice"
    confidence: Literal["weight", "soft", "ignore"] = "ignore"
    least_confidence: float = 0.0
    steps: int = 800
    batch: int = 8
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    average: float = 0.98
    mirror: bool = True
    scale: float = 0.25
    colour: float = 0.25
    split: Literal["site", "picture", "none"] = "picture"
    held_out: float = 0.1
    score_every: int = 50
    patience: int = 8
    random_state: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("side", "width", "steps", "batch", "score_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is 1 or more")
        for name in ("held_out", "least_confidence", "average"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is between 0 and 1")
        for name in ("scale", "colour", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it is 0 or more")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it is above 0")

    def __call__(self, samples: Sequence[Sample]) -> TrainedSegmenter:
        return self.learn(samples)

    def learn(
        self, samples: Sequence[Sample], *, checkpoint: Path | None = None, report: Report | None = None
    ) -> TrainedSegmenter:
        """As a call; goes on from `checkpoint`, a file, if it is there, and writes it now and then."""
        from maskwright.models.weights import TrainedSegmenter
        from maskwright.training.fit import fit
        from maskwright.training.parts import HeldOutPictures, WholeCutter
        from maskwright.training.pictures import gather_pictures
        from maskwright.training.records import checkpoint_key, with_story
        from maskwright.training.semantic import Objective
        from maskwright.training.splits import divide

        collection = gather_pictures(samples, self.class_names)
        division = divide(
            collection, how=self.split, fraction=self.held_out, random_state=self.random_state, block_px=self.side
        )
        cutter = WholeCutter(
            collection, division, self._side, self.batch, self.scale, self.colour, self.mirror, self.least_confidence,
            self.random_state,
        )  # fmt: skip
        if not cutter.pictures:
            raise EmptyResultError("train_parts: every picture is held out; expected one to learn from; lower held_out")
        record, network = self._network(collection)
        held_out = HeldOutPictures(record, collection, division, self._side)
        fitted = fit(
            network, cutter.batch_of, Objective(record, self.loss, self.confidence), self._plan(),
            score_of=held_out if held_out.pictures else None, checkpoint=checkpoint, key=checkpoint_key(self, samples),
            report=report,
        )  # fmt: skip
        told = with_story(
            record, "train_parts", self, pictures=len(collection.pictures), held_out=division.told(), fitted=fitted,
            scored=bool(held_out.pictures),
        )  # fmt: skip
        return TrainedSegmenter(told, fitted.state, device=self.device, precision=self.precision)

    @property
    def _side(self) -> int:
        """The side, a multiple of what the network needs."""
        return max(1, round(self.side / 16)) * 16

    def _network(self, collection: Collection) -> tuple[ModelRecord, nn.Module]:
        import torch

        from maskwright.models.networks import network_of
        from maskwright.models.weights import ModelRecord
        from maskwright.training.windows import statistics

        torch.manual_seed(self.random_state)
        classes = sum(map(bool, collection.class_names))
        architecture = {
            "kind": "whole_window", "bands": collection.bands, "classes": classes, "width": self.width,
            "side": self._side,
        }  # fmt: skip
        mean, std = statistics(collection)
        return ModelRecord(architecture, collection.class_names, mean, std), network_of(architecture)

    def _plan(self) -> Plan:
        from maskwright.training.fit import Plan

        return Plan(
            self.steps, self.learning_rate, weight_decay=self.weight_decay, average=self.average,
            score_every=self.score_every, patience=self.patience, checkpoint_every=self.score_every,
            random_state=self.random_state, device=self.device, precision=self.precision,
            warm_up=min(20, max(self.steps // 10, 1)),
        )  # fmt: skip
