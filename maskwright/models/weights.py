"""A trained segmenter as a folder: model.safetensors, model.json, README.md; read, written, verified, exported.

model.json says everything the weights need to be used again: architecture, classes, bands, how pixels are normalised,
the size of a pixel on the ground, how it was trained, what it scored, and the licence of what it grew from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskwright.errors import FormatError, InputError
from maskwright.io.outputs import write_atomically
from maskwright.io.texts import read_json
from maskwright.models.cards import model_card
from maskwright.models.inference import folded, ready
from maskwright.models.networks import network_of
from maskwright.models.processors import (
    Precision,
    autocast,
    choose_device,
    choose_precision,
    torch_threads,
)

WEIGHTS, RECORD, CARD, ONNX = "model.safetensors", "model.json", "README.md", "model.onnx"
FORMAT = 1


@dataclass(frozen=True)
class ModelRecord:
    """What model.json holds besides the hash of the weights.

    `class_names[id]` names a class, "" an id nobody uses: the network has one channel for each named class, in order.
    Pixels are normalised per band as (pixel - mean) / std in the units of the file. `pixel_m` is the side of a pixel
    on the ground in metres where training pictures lay on Earth. `window_px` is the side of the windows it is to be
    shown, where what it says depends on all of a window. `training` is the story, `scores` were measured on what was
    held out.
    """

    architecture: Mapping[str, Any]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pixel_m: float | None = None
    window_px: int | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        if not any(self.class_names):
            raise ValueError(f"class_names {self.class_names!r} name no class; a model has at least one")
        if not self.mean or len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError(f"mean and std are one number per band, std above 0; got {self.mean} and {self.std}")

    @property
    def bands(self) -> int:
        return len(self.mean)

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The id of each channel of the network."""
        return tuple(class_id for class_id, name in enumerate(self.class_names) if name)


class TrainedSegmenter:
    """A network as a segmenter: pixels (n, height, width, bands) in the file's units to class scores that sum to 1.

    A channel whose id has no name scores 0. Any size of picture will do: it is filled up to what the network needs by
    repeating its edge. `precision` says what "auto" came to on this machine; results are the same to the last bit on
    one machine with one precision. One that lies in a folder travels to workers as its path.
    """

    def __init__(
        self,
        record: ModelRecord,
        state: Mapping[str, Tensor] | None = None,
        *,
        folder: Path | None = None,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        if (state is None) == (folder is None):
            raise ValueError("a segmenter has its weights at hand or in a folder, one of both")
        self.record = record
        self.folder = folder
        self.device = device
        self._state = None if state is None else {key: each.detach().cpu() for key, each in state.items()}
        self._precision = precision

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.record.class_names

    @property
    def pixel_m(self) -> float | None:
        """The side in metres of the pixels it was trained on; None where they were nowhere on Earth."""
        return self.record.pixel_m

    @property
    def window_px(self) -> int | None:
        """The side of the windows it is to be shown where nobody names another; None where any will do."""
        return self.record.window_px

    @property
    def sees_whole(self) -> bool:
        """Whether each window has to hold a whole picture: what a thing is depends on things far from it."""
        return self.record.architecture.get("kind") == "whole_window"

    @property
    def precision(self) -> str:
        return choose_precision(self._precision, choose_device(self.device))

    def one_thread(self) -> AbstractContextManager[None]:
        """Within it a call computes in one thread: several calls side by side then give the most, and the same bits."""
        return torch_threads(1)

    @property
    def state(self) -> dict[str, Tensor]:
        """The weights by name."""
        if self._state is not None:
            return dict(self._state)
        assert self.folder is not None
        return _read_weights(self.folder)

    @cached_property
    def network(self) -> nn.Module:
        """The network, ready to be called with normalised pixels; not to be trained further or exported."""
        return ready(self.trained_network(), choose_device(self.device), self.precision)

    def trained_network(self) -> nn.Module:
        """A network as it was trained, on the CPU."""
        network = network_of(self.record.architecture)
        try:
            network.load_state_dict(self.state)
        except RuntimeError as error:
            where = self.folder or "the weights"
            raise FormatError(f"{where}: weights and {RECORD} do not fit ({error}); get both again") from error
        return network.eval()

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        named = self.named_scores(pixels)
        if len(self.record.class_ids) == len(self.class_names):
            return named
        scores = np.zeros((len(named), len(self.class_names), *named.shape[2:]), np.float32)
        for channel, class_id in enumerate(self.record.class_ids):
            scores[:, class_id] = named[:, channel]
        return scores

    def named_scores(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """As a call, without the channels of ids that have no name."""
        if pixels.ndim == 4 and pixels.shape[3] == 1 and self.record.bands == 3:
            pixels = pixels.repeat(3, axis=3)  # a grey picture is one whose colours are equal
        if pixels.ndim != 4 or pixels.shape[3] != self.record.bands:
            raise InputError(
                f"the pictures have {pixels.shape[-1]} bands; the model was trained on {self.record.bands}; "
                "choose pictures of the same kind, or train on these"
            )
        height, width = pixels.shape[1:3]
        with torch.inference_mode():
            logits = self._logits(self.normalised(pixels))[..., :height, :width].float()
            return cast("NDArray[np.float32]", torch.softmax(logits.contiguous(), dim=1).cpu().numpy())

    def normalised(self, pixels: NDArray[np.generic]) -> Tensor:
        """What the network is given: float32 (n, bands, height, width), sides filled up to multiples of its stride."""
        return fill_up(normalise(pixels, self.record.mean, self.record.std), self.network.stride)  # type: ignore[arg-type]

    def _logits(self, given: Tensor) -> Tensor:
        device = choose_device(self.device)
        given = given.to(device, memory_format=torch.channels_last)
        with autocast(device, self.precision):
            return cast(Tensor, self.network(given))

    def save(self, folder: str | Path) -> None:
        """Write the folder of this model."""
        write_model(folder, self.record, self.state)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.folder is not None:
            return _from_folder, (self.folder, self.device, self._precision)
        return _from_state, (self.record, self._state, self.device, self._precision)


def normalise(pixels: NDArray[np.generic], mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Pixels (n, height, width, bands) of any kind as float32 (n, bands, height, width); nan becomes the mean."""
    count, height, width, bands = pixels.shape
    rows = pixels.astype(np.float32).reshape(count, height, width * bands)  # a band is too short an axis to be quick
    rows -= np.tile(np.array(mean, np.float32), width)
    rows /= np.tile(np.array(std, np.float32), width)
    values = rows.reshape(pixels.shape)
    if not np.issubdtype(pixels.dtype, np.integer):
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def fill_up(pixels: Tensor, stride: int) -> Tensor:
    """`pixels` with their last row and column repeated until both sides are multiples of `stride`."""
    below, right = -pixels.shape[2] % stride, -pixels.shape[3] % stride
    return nn.functional.pad(pixels, (0, right, 0, below), mode="replicate") if below or right else pixels


def write_model(folder: str | Path, record: ModelRecord, state: Mapping[str, Tensor]) -> None:
    """Write model.safetensors, README.md and, last, model.json with the hash of the weights."""
    from safetensors.torch import save

    folder = Path(folder)
    content = save({key: each.detach().cpu().contiguous() for key, each in sorted(state.items())})
    write_atomically(folder / WEIGHTS, content)
    told = {"format": FORMAT, **asdict(record), "sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(folder / CARD, model_card(json.loads(text)).encode())
    write_atomically(folder / RECORD, text.encode())


def read_record(folder: str | Path) -> ModelRecord:
    """The record of a model folder, without its weights."""
    told = _told(Path(folder))
    known = {each.name for each in fields(ModelRecord)}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in told.items() if key in known
    }
    try:
        return ModelRecord(**values)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{Path(folder) / RECORD}: {error}; expected the record of a model; get it again") from error


def read_model(folder: str | Path, device: str = "auto", *, precision: Precision = "auto") -> TrainedSegmenter:
    """The segmenter of a model folder; weights are read, and their hash checked, when it is first called."""
    folder = Path(folder)
    record = read_record(folder)
    if not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder / WEIGHTS}: is not there; the weights of a model were expected: copy the whole folder"
        )
    choose_device(device)
    return TrainedSegmenter(record, folder=folder, device=device, precision=precision)


def export_onnx(folder: str | Path, *, window: int = 512) -> Path:
    """Write model.onnx beside the model: pixels as float32 (n, bands, height, width) in the file's units to scores.

    Normalisation and softmax are inside; n is free, height and width are `window`. Channels are the named classes.
    """
    import warnings

    folder = Path(folder)
    model = read_model(folder, "cpu", precision="float32")
    network = _Exported(model)
    sample = torch.zeros(1, model.record.bands, window, window)

    def export(path: Path) -> None:
        with warnings.catch_warnings():  # the exporter by tracing is called old in each call; the new one needs more
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, (sample,), str(path), dynamo=False, opset_version=17, input_names=["pixels"],
                output_names=["scores"], dynamic_axes={"pixels": {0: "n"}, "scores": {0: "n"}},
            )  # fmt: skip

    write_atomically(folder / ONNX, export)
    return folder / ONNX


class _Exported(nn.Module):
    """A segmenter as one module, from pixels in the file's units to scores of the named classes."""

    def __init__(self, model: TrainedSegmenter) -> None:
        super().__init__()
        self.network = folded(model.trained_network())
        self.mean = torch.tensor(model.record.mean)[:, None, None]
        self.std = torch.tensor(model.record.std)[:, None, None]

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.softmax(self.network((pixels - self.mean) / self.std), dim=1)


def _told(folder: Path) -> dict[str, Any]:
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder}: holds no {RECORD}; the folder of a trained model was expected: check the path")
    told = read_json(folder / RECORD)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        found = told.get("format") if isinstance(told, dict) else "no record"
        raise FormatError(f"{folder / RECORD}: format {found!r}; expected {FORMAT}; update Maskwright or train again")
    return told


def _read_weights(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = (folder / WEIGHTS).read_bytes()
    expected, found = _told(folder).get("sha256"), hashlib.sha256(content).hexdigest()
    if found != expected:
        raise FormatError(
            f"{folder / WEIGHTS}: its sha256 is {found}, {RECORD} expects {expected}; one of both was changed; "
            "copy the folder again"
        )
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise FormatError(f"{folder / WEIGHTS}: broken ({error}); expected safetensors; copy it again") from error


def _from_folder(folder: Path, device: str, precision: Precision) -> TrainedSegmenter:
    return read_model(folder, device, precision=precision)


def _from_state(record: ModelRecord, state: dict[str, Tensor], device: str, precision: Precision) -> TrainedSegmenter:
    return TrainedSegmenter(record, state, device=device, precision=precision)
