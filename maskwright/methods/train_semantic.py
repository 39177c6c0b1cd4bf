"""Learn a segmenter from masks, points or both: the student of every recipe that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from maskwright.errors import EmptyResultError, InputError
from maskwright.types import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from maskwright.models.weights import ModelRecord, TrainedSegmenter
    from maskwright.training.augment import Turns
    from maskwright.training.fit import Plan
    from maskwright.training.pictures import Collection
    from maskwright.training.semantic import Objective
    from maskwright.training.splits import Division
    from maskwright.training.windows import Cells, Cutter

    Report = Callable[[int, int, Mapping[str, Any]], None]

RATES = {"unet": 3e-3, "segformer": 3e-4, "smp": 1e-3}
PRETRAINED_RATE = 6e-5


@dataclass(frozen=True)
class TrainSemantic:
    """A network that gives each pixel a class, learned from masks in which any pixel may be unknown, or from points.

    `network` is "unet" (small, from scratch; `width` its channels), "segformer" (`backbone`: a folder, a known name
    such as mit-b0, or a shape b0..b5 or tiny from scratch) or "smp" (`backbone` and `decoder` by the names of
    segmentation-models-pytorch, `encoder_weights` a file). Nothing is downloaded.

    `loss` mixes; pixels nobody knows count nowhere. `confidence` says what the confidence of a mask does: "weight" its
    pixels, become a "soft" target, or "ignore"; below `least_confidence` a pixel is unknown. `affinity` counts how much
    look-alike neighbours that nobody named disagree (it helps few points where colour tells classes apart). `balance` 1
    draws classes as often as they occur, 0 equally often.

    With `spread`, pictures with points and no mask get soft labels of what looks like the points of all pictures, up to
    the edges (training.spread_points); "auto" does so where there are no masks at all and few points. With
    `point_weight` points beside masks have a loss of their own, which counts so much; with 0 each is a pixel like any
    other. `light` "relative" shows the network each window in its own light, "both" as it is and so, for photographs.

    Of several masks of a picture the "first" that knows a pixel counts; with `several_masks` "agree", a pixel of which
    two say different things is unknown.

    `turns`, `scale` and `colour` are chance (training.augment); "auto" turns pictures that lie on Earth by any angle
    and others by up to 15 degrees. `split` and `held_out` say what scores are measured on (training.splits): never on
    windows beside those learned from. Learning ends after `steps`, or when `patience` scores in a row brought nothing.

    Paper: Xie et al. 2021, "SegFormer". The published reef system's training is network=segformer backbone=mit-b0
    loss=dice turns=none colour=0.25 scale=0 learning_rate=1e-5 batch=16 crop=512.
    """

    network: Literal["unet", "segformer", "smp"] = "unet"
    backbone: str = ""
    decoder: str = "unet"
    encoder_weights: Path | None = None
    width: int = 24
    class_names: tuple[str, ...] = ()
    loss: Literal["ce", "dice", "focal", "ce_dice", "focal_dice"] = "ce_dice"
    class_weights: Literal["none", "balanced"] = "none"
    confidence: Literal["weight", "soft", "ignore"] = "weight"
    least_confidence: float = 0.0
    several_masks: Literal["first", "agree"] = "first"
    affinity: float = 1.0
    spread: Literal["auto"] | bool = "auto"
    point_weight: float = 0.0
    light: Literal["as_it_is", "relative", "both"] = "as_it_is"
    balance: float = 0.5
    steps: int = 500
    crop: int = 160
    batch: int = 8
    learning_rate: float | None = None
    weight_decay: float = 0.01
    average: float = 0.98
    turns: Literal["auto", "none", "small", "right", "any"] = "auto"
    scale: float = 0.25
    colour: float = 0.25
    split: Literal["auto", "block", "site", "picture", "none"] = "auto"
    held_out: float = 0.2
    block_px: int = 512
    score_every: int = 50
    patience: int = 8
    start: Path | None = None
    random_state: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "crop", "batch", "width", "block_px", "score_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is 1 or more")
        for name in ("held_out", "least_confidence", "average", "balance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is between 0 and 1")
        for name in ("affinity", "point_weight", "scale", "colour", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it is 0 or more")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it is above 0, or left out for the network's own")

    def __call__(self, samples: Sequence[Sample]) -> TrainedSegmenter:
        return self.learn(samples)

    def learn(
        self, samples: Sequence[Sample], *, checkpoint: Path | None = None, report: Report | None = None
    ) -> TrainedSegmenter:
        """As a call; goes on from `checkpoint`, a file, if it is there, and writes it now and then.

        `report(step, steps, line)` is called whenever a line of the history is there.
        """
        from maskwright.models.weights import TrainedSegmenter
        from maskwright.training.fit import fit
        from maskwright.training.pictures import gather_pictures
        from maskwright.training.records import checkpoint_key, with_story
        from maskwright.training.semantic import HeldOut
        from maskwright.training.splits import divide
        from maskwright.training.spread_points import are_few, spread_points

        collection = gather_pictures(samples, self.class_names, agreed=self.several_masks == "agree")
        division = divide(
            collection, how=self.split, fraction=self.held_out, random_state=self.random_state, block_px=self.block_px
        )
        spread = are_few(collection) if self.spread == "auto" else self.spread
        taught = spread_points(collection, division, random_state=self.random_state) if spread else collection
        cells = self._cells(taught, division)
        record, network = self._network(collection)
        held_out = HeldOut(record, collection, division, 2 * self.crop)
        fitted = fit(
            network,
            self._cutter(taught, division, cells).batch_of,
            self._objective(record, cells),
            self._plan(record),
            score_of=held_out if held_out.places else None,
            checkpoint=checkpoint,
            key=checkpoint_key(self, samples),
            report=report,
        )
        told = with_story(
            record, "train_semantic", self, pictures=len(collection.pictures), held_out=division.told(), fitted=fitted,
            scored=bool(held_out.places),
        )  # fmt: skip
        return TrainedSegmenter(told, fitted.state, device=self.device, precision=self.precision)

    def _cells(self, collection: Collection, division: Division) -> Cells:
        """Where may be learned."""
        from maskwright.training.windows import count_cells

        cells = count_cells(collection, division, least_confidence=self.least_confidence)
        if not cells.by_class.any():
            raise EmptyResultError(
                f"train_semantic: no pixel is left to learn from in {len(collection.pictures)} pictures; expected "
                "masks with known pixels; lower least_confidence or held_out, or look at the masks"
            )
        return cells

    def _network(self, collection: Collection) -> tuple[ModelRecord, nn.Module]:
        """The network to start from, and the record it will be kept with."""
        import torch

        from maskwright.models.networks import new_network
        from maskwright.models.weights import ModelRecord
        from maskwright.training.windows import statistics

        if self.start is not None:
            return self._started(self.start, collection)
        torch.manual_seed(self.random_state)
        classes = sum(map(bool, collection.class_names))
        made = new_network(
            self.network, collection.bands, classes, width=self.width, backbone=self.backbone, decoder=self.decoder,
            encoder_weights=self.encoder_weights, light=self.light,
        )  # fmt: skip
        mean, std = statistics(collection)
        record = ModelRecord(
            made.architecture, collection.class_names, mean, std, collection.pixel_m,
            window_px=self._window_px(made.architecture), origin=made.origin, licence=made.licence,
        )  # fmt: skip
        return record, made.network

    def _started(self, folder: Path, collection: Collection) -> tuple[ModelRecord, nn.Module]:
        """The network of a model folder, if it has the same classes and bands."""
        from maskwright.models.networks import network_of
        from maskwright.models.weights import read_model

        model = read_model(folder, "cpu")
        if (model.class_names, model.record.bands) != (collection.class_names, collection.bands):
            raise InputError(
                f"{folder}: knows {model.class_names} in {model.record.bands} bands; the pictures have "
                f"{collection.class_names} in {collection.bands}; leave start out to learn from scratch"
            )
        network = network_of(model.record.architecture)
        network.load_state_dict(model.state)
        told = dataclasses.replace(
            model.record, pixel_m=collection.pixel_m, window_px=self._window_px(model.record.architecture),
            origin=str(folder.name),
        )  # fmt: skip
        return told, network

    def _window_px(self, architecture: Mapping[str, Any]) -> int | None:
        """A network that sees each window in its own light is to be shown windows of the size it learned from."""
        return self.crop if architecture["kind"] == "relative" else None

    def _cutter(self, collection: Collection, division: Division, cells: Cells) -> Cutter:
        from maskwright.training.windows import Cutter

        above: Turns = "any"
        turns = {
            each.name: self.turns if self.turns != "auto" else above if each.pixel_m is not None else "small"
            for each in collection.pictures
        }
        return Cutter(
            collection, division, cells, self.crop, self.batch, turns, self.scale, self.colour, self.balance,
            self.least_confidence, self.random_state,
        )  # fmt: skip

    def _objective(self, record: ModelRecord, cells: Cells) -> Objective:
        from maskwright.training.semantic import Objective, balanced_weights

        weights = balanced_weights(cells.by_class, record.class_ids) if self.class_weights == "balanced" else None
        return Objective(record, self.loss, self.confidence, self.affinity, self.point_weight, weights)

    def _plan(self, record: ModelRecord) -> Plan:
        from maskwright.training.fit import Plan

        rate = self.learning_rate or (PRETRAINED_RATE if record.licence else RATES[self.network])
        return Plan(
            self.steps, rate, weight_decay=self.weight_decay, average=self.average, score_every=self.score_every,
            patience=self.patience, checkpoint_every=self.score_every, random_state=self.random_state,
            device=self.device, precision=self.precision, warm_up=min(20, max(self.steps // 10, 1)),
        )  # fmt: skip
