"""Chains of methods, made from the calls of a recipe or from a model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.errors import InputError
from maskwright.io.resized import resized
from maskwright.io.texts import read_json
from maskwright.methods import catalogue
from maskwright.pipelines.fingerprints import content_hash, method_fingerprint
from maskwright.pipelines.freed_memory import keep_freed_memory
from maskwright.pipelines.gather import Collection
from maskwright.pipelines.ground import ground_of
from maskwright.pipelines.in_pieces import Pieces
from maskwright.pipelines.learning import learn, read_stored
from maskwright.pipelines.ledger import Input, Ledger, file_hash
from maskwright.pipelines.making import Chain, Part
from maskwright.pipelines.recipe import USUAL_WINDOW, MethodCall, Predict, Recipe
from maskwright.types import Hint, Image, Mask, Sample

STRIP_BYTES = 256 << 20
"""What the scores of a strip of windows may take; half as much where they are resampled, for then all are held."""

SAME_SIZE = 0.02
"""Pixels on the ground this much larger or smaller than those a model was trained on are shown to it as they are."""


def labelling_chain(recipe: Recipe, collection: Collection, device: str = "auto") -> Chain:
    """The labelers and refiners of a recipe; a labeler that has to learn first learns from the whole collection."""
    labelers = tuple(_labeler(call, collection, device) for call in recipe.label)
    return Chain(labelers, recipe.fuse, refiners(recipe, device))


def refiners(recipe: Recipe, device: str = "auto", of: Literal["labels", "predictions"] = "labels") -> tuple[Part, ...]:
    """The refiners of a recipe that mend labels, or what models predict, in order."""
    if recipe.refine_what not in ("all", of):
        return ()
    return tuple(Part(call.method, make(call, device)) for call in recipe.refine)


def make(call: MethodCall, device: str = "auto", class_names: Sequence[str] = ()) -> Any:
    """The method of a call; one that runs on a device gets the device of the run, unless its settings name one.

    A learner with the setting `class_names` gets those of the run the same way. A method that needs weights (it has
    `check_parts`) is asked whether they are here, so that this is told once and not for every picture.
    """
    fields = {each.name for each in dataclasses.fields(catalogue.find_method(call.method))}
    settings = dict(call.settings)
    if "device" in fields:
        settings.setdefault("device", device)
    if "class_names" in fields and any(class_names):
        settings.setdefault("class_names", tuple(class_names))
    method = catalogue.make_method(call.method, settings)
    if hasattr(method, "check_parts"):
        method.check_parts()
    return method


def predicting_chain(
    model: Any, told: Mapping[str, str], predict: Predict, after: tuple[Part, ...], threads: int = 1
) -> Chain:
    """What a trained model says, window by window, and then the refiners.

    `told` is what stories say of the model: its path and its sha256. `threads` batches are computed side by side. Where
    `predict` names no window it is that of `usual_windows`.
    """
    weights, inputs = told["sha256"], {"model": dict(told)}
    if not hasattr(model, "class_names"):
        return Chain((Part("predict", model, inputs, weights, {}),), None, after)
    settings = dataclasses.asdict(predict if predict.window is not None else usual_windows(model, predict))
    part = Part("predict", Predicted(model, **settings, threads=threads), inputs, weights, settings)
    return Chain((part,), None, after, needs_hints=False)


def usual_windows(model: Any, predict: Predict) -> Predict:
    """`predict` with the window for a model where nobody names one: none (the whole picture) for one that `sees_whole`
    pictures, `window_px` for one that says so, sharing half at most, else `USUAL_WINDOW`."""
    if getattr(model, "sees_whole", False):
        return predict
    if (own := getattr(model, "window_px", None)) is not None:
        return dataclasses.replace(predict, window=own, overlap=min(predict.overlap, own // 2))
    return dataclasses.replace(predict, window=USUAL_WINDOW)


@dataclass(frozen=True, eq=False)
class Predicted:
    """A segmenter as a labeler: led over the picture in windows, with no need of hints.

    A picture whose pixels on the ground differ from those the segmenter was trained on (`pixel_m`) by more than
    `SAME_SIZE` is shown to it resampled. Without a `window` the picture is one. `threads` batches are computed side by
    side; it decides about time only.
    """

    segmenter: Any
    window: int | None = USUAL_WINDOW
    overlap: int = 64
    batch: int = 1
    threads: int = 1

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:  # noqa: ARG002
        from maskwright.tiled import assemble

        return assemble(self.predict_pieces(image, None), image, image.grid.window)

    def predict_pieces(self, image: Image, extent: Window | None, piece: int | None = None) -> Pieces:
        """What it says of an extent, one piece after the other; `piece` as in `tiled.predict_pieces`.

        Without one, strips are as wide as `STRIP_BYTES` of scores allow, and at least as two windows: where one
        column of strips meets the next, windows are computed twice.
        """
        from maskwright.tiled import predict_pieces

        seen = at_trained_size(image, getattr(self.segmenter, "pixel_m", None))
        window, overlap = self.window, self.overlap
        if window is None:
            window, overlap, piece = _whole(seen), 0, max(piece or 0, *seen.grid.shape)
        if piece is None:
            allowed = STRIP_BYTES if seen is image else STRIP_BYTES // 2
            piece = max(math.isqrt(allowed // (4 * len(self.segmenter.class_names))), 2 * window)
        keep_freed_memory()
        with getattr(self.segmenter, "one_thread", nullcontext)():
            yield from predict_pieces(
                self.segmenter, image, window=window, overlap=overlap, batch=self.batch, extent=extent, piece=piece,
                seen=seen, threads=self.threads,
            )  # fmt: skip


def _whole(image: Image) -> int:
    """The side of a window that holds a picture; one that is too large to be held in memory is an InputError."""
    from maskwright.tiled import MOST_PIXELS

    height, width = image.grid.shape
    if height * width > MOST_PIXELS:
        raise InputError(
            f"the picture has {height} x {width} pixels and the model sees whole pictures; expected at most "
            f"{MOST_PIXELS / 1e6:.0f} million pixels; make it smaller, borders are coarser than its pixels anyway"
        )
    return max(height, width)


def at_trained_size(image: Image, pixel_m: float | None) -> Image:
    """The picture with pixels of `pixel_m` metres; itself where that is unknown or near enough."""
    ground = None if pixel_m is None else ground_of(image.grid)
    if ground is None or pixel_m is None:
        return image
    scales = [math.hypot(*step) / pixel_m for step in (ground.row_m, ground.col_m)]
    if all(abs(scale - 1) <= SAME_SIZE for scale in scales):
        return image
    height, width = (max(1, round(size * scale)) for size, scale in zip(image.grid.shape, scales, strict=True))
    return resized(image, height, width)


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A segmenter in a model folder: read when it is first used, and sent to workers as no more than its path."""

    folder: Path

    @property
    def pixel_m(self) -> float | None:
        """The side in metres of the pixels it was trained on, where it says so."""
        size: float | None = getattr(self.segmenter, "pixel_m", None)
        return size

    @property
    def sees_whole(self) -> bool:
        """Whether each window has to hold a whole picture; from model.json where there is one."""
        if (told := self._told) is not None:
            architecture = told.get("architecture")
            return isinstance(architecture, dict) and architecture.get("kind") == "whole_window"
        return bool(getattr(self.segmenter, "sees_whole", False))

    @property
    def window_px(self) -> int | None:
        """The side of the windows it is to be shown where nobody names another; from model.json where there is one."""
        told = self._told
        own = getattr(self.segmenter, "window_px", None) if told is None else told.get("window_px")
        return own if isinstance(own, int) and own > 0 else None

    @property
    def _told(self) -> dict[str, Any] | None:
        """What model.json says, where there is one."""
        path = self.folder / "model.json"
        return told if path.is_file() and isinstance(told := read_json(path), dict) else None

    def one_thread(self) -> AbstractContextManager[None]:
        """Within it a call computes in one thread, so that calls side by side don't stand in each other's way."""
        alone: AbstractContextManager[None] = getattr(self.segmenter, "one_thread", nullcontext)()
        return alone

    @cached_property
    def segmenter(self) -> Any:
        return read_stored(self.folder)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Its classes, from model.json where there is one: whoever only hands out work needs no network in memory."""
        if (self.folder / "model.json").is_file() and (told := read_json(self.folder / "model.json")):
            return tuple(told["class_names"]) if "class_names" in told else tuple(self.segmenter.class_names)
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
        if not hasattr(learned, "class_names"):
            return learned
        return Predicted(learned, **dataclasses.asdict(usual_windows(learned, Predict())))

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        mask: Mask = self.speaker(image, hints, class_names)
        return mask


@dataclass(frozen=True, eq=False)
class StoredLabeler:
    """A labeler that was learned and lies in a folder: read when it is first used, sent to workers as its path."""

    folder: Path

    @cached_property
    def labeler(self) -> Any:
        return read_stored(self.folder)

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        mask: Mask = self.labeler(image, hints, class_names)
        return mask

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.folder,)


class StoredWindowLabeler(StoredLabeler):
    """One that can label any window of a picture as it would label the whole."""

    def label_window(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window) -> Mask:
        mask: Mask = self.labeler.label_window(image, hints, class_names, window)
        return mask


def learned_first(chain: Chain, ledger: Ledger, place: str = "learned") -> Chain:
    """The chain after every labeler that learns from the whole collection has done so, once for all pictures.

    What it learned is kept in the output folder, below `place`, and read from there when the same is asked again; its
    hash stands in every story as the weights of the step. A learner without `load` learns where it is used.
    """
    labelers = tuple(_learned(part, number, ledger, place) for number, part in enumerate(chain.labelers, start=1))
    return dataclasses.replace(chain, labelers=labelers)


def _learned(part: Part, number: int, ledger: Ledger, place: str) -> Part:
    taught = part.method
    if not isinstance(taught, Taught) or not hasattr(taught.learner, "load"):
        return part
    stage = f"{place}/{number}-{part.name}"
    folder = ledger.folder / stage
    learned = learn(part.name, taught.learner, taught.samples, ledger, stage, folder)
    ledger.note_inputs([Input(stage, learned.sha256, folder)])
    inputs = {**part.inputs, "learned": {"path": stage, "sha256": learned.sha256}}
    return dataclasses.replace(part, method=stored_labeler(folder), inputs=inputs, weights=learned.sha256)


def stored_labeler(folder: Path) -> StoredLabeler:
    """The labeler of a folder, which labels window by window if it can."""
    stored = StoredLabeler(folder)
    return StoredWindowLabeler(folder) if hasattr(stored.labeler, "label_window") else stored


def _labeler(call: MethodCall, collection: Collection, device: str) -> Part:
    method = make(call, device)
    if catalogue.stage_of(type(method)) == "labeler":
        return Part(call.method, method)
    pictures = [[each.name, file_hash(each.image_path), collection.hints.get(each.name)] for each in collection.samples]
    told = method_fingerprint(call.method, method)
    taught = content_hash([told, pictures, collection.classes])
    samples = {"count": len(pictures), "sha256": taught}
    return Part(call.method, Taught(method, collection.samples), {"samples": samples}, taught, told["settings"])
