"""Chains of methods, made from the calls of a recipe or from a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.methods import catalogue
from maskwright.pipelines.fingerprints import content_hash, method_fingerprint
from maskwright.pipelines.gather import Collection
from maskwright.pipelines.in_pieces import PIECE_PX, Pieces
from maskwright.pipelines.learning import read_stored
from maskwright.pipelines.ledger import file_hash
from maskwright.pipelines.making import Chain, Part
from maskwright.pipelines.recipe import MethodCall, Predict, Recipe
from maskwright.types import Hint, Image, Mask, Sample


def labelling_chain(recipe: Recipe, collection: Collection, device: str = "auto") -> Chain:
    """The labelers and refiners of a recipe; a labeler that has to learn first learns from the whole collection."""
    labelers = tuple(_labeler(call, collection, device) for call in recipe.label)
    return Chain(labelers, recipe.fuse, refiners(recipe, device))


def refiners(recipe: Recipe, device: str = "auto") -> tuple[Part, ...]:
    """The refiners of a recipe, in order."""
    return tuple(Part(call.method, make(call, device)) for call in recipe.refine)


def make(call: MethodCall, device: str = "auto", class_names: Sequence[str] = ()) -> Any:
    """The method of a call; one that runs on a device gets the device of the run, unless its settings name one.

    A learner with the setting `class_names` gets those of the run the same way.
    """
    fields = {each.name for each in dataclasses.fields(catalogue.find_method(call.method))}
    settings = dict(call.settings)
    if "device" in fields:
        settings.setdefault("device", device)
    if "class_names" in fields and any(class_names):
        settings.setdefault("class_names", tuple(class_names))
    return catalogue.make_method(call.method, settings)


def predicting_chain(model: Any, told: Mapping[str, str], predict: Predict, after: tuple[Part, ...]) -> Chain:
    """What a trained model says, window by window, and then the refiners.

    `told` is what stories say of the model: its path and its sha256.
    """
    weights, inputs = told["sha256"], {"model": dict(told)}
    if not hasattr(model, "class_names"):
        return Chain((Part("predict", model, inputs, weights, {}),), None, after)
    settings = dataclasses.asdict(predict)
    part = Part("predict", Predicted(model, **settings), inputs, weights, settings)
    return Chain((part,), None, after, needs_hints=False)


@dataclass(frozen=True, eq=False)
class Predicted:
    """A segmenter as a labeler: led over the picture in windows, with no need of hints."""

    segmenter: Any
    window: int = 512
    overlap: int = 64
    batch: int = 4

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:  # noqa: ARG002
        from maskwright.tiled import predict_mask

        window, overlap, batch = self.window, self.overlap, self.batch
        return predict_mask(self.segmenter, image, window=window, overlap=overlap, batch=batch, piece=PIECE_PX)

    def predict_pieces(self, image: Image, extent: Window | None, piece: int) -> Pieces:
        """The same of an extent, one piece after the other."""
        from maskwright.tiled import predict_pieces

        window, overlap, batch = self.window, self.overlap, self.batch
        return predict_pieces(
            self.segmenter, image, window=window, overlap=overlap, batch=batch, extent=extent, piece=piece
        )


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A segmenter in a model folder: read when it is first used, and sent to workers as no more than its path."""

    folder: Path

    @cached_property
    def segmenter(self) -> Any:
        return read_stored(self.folder)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.segmenter.class_names)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self.segmenter(pixels)
        return scores

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredModel, (self.folder,)


@dataclass(frozen=True, eq=False)
class Taught:
    """A learner as a labeler: it learns from all samples before the first picture, once, and then speaks of each."""

    learner: Any
    samples: tuple[Sample, ...]

    @cached_property
    def speaker(self) -> Any:
        """What the learner gave: a labeler, or a segmenter led over the picture."""
        learned = self.learner(self.samples)
        return Predicted(learned) if hasattr(learned, "class_names") else learned

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        mask: Mask = self.speaker(image, hints, class_names)
        return mask


def _labeler(call: MethodCall, collection: Collection, device: str) -> Part:
    method = make(call, device)
    if catalogue.stage_of(type(method)) == "labeler":
        return Part(call.method, method)
    pictures = [[each.name, file_hash(each.image_path), collection.hints.get(each.name)] for each in collection.samples]
    told = method_fingerprint(call.method, method)
    taught = content_hash([told, pictures, collection.classes])
    samples = {"count": len(pictures), "sha256": taught}
    return Part(call.method, Taught(method, collection.samples), {"samples": samples}, taught, told["settings"])
