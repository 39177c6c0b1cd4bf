"""Tags of whole pictures: DINOv2 looks, a small head says how sure it is of each tag.

The names of weights are those of the published DinoVd'eau, so its folder is read as it is: `dinov2.*` and
`classifier.{0,2,4,6,8}.*`, with threshold.json and preprocessor_config.json beside them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from maskwright.errors import FormatError, InputError
from maskwright.io.outputs import write_atomically
from maskwright.models.feature_cache import FeatureCache, array_hash
from maskwright.models.lookup import file_hash
from maskwright.models.pretrained import load_pretrained, read_config
from maskwright.models.processors import Precision, autocast, choose_device, choose_precision

UNDECIDED = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preparation:
    """How a picture is shown to the backbone: resized to a square of `size` pixels, colours in 0..1 normalised."""

    size: int = 518
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    resample: Literal["bilinear", "bicubic"] = "bilinear"

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        values = self._square(pixels)
        mean, std = (torch.tensor(each)[:, None, None] * 255 for each in (self.mean, self.std))
        return (values - mean) / std

    def square(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture in the size it is shown in, its colours as they are: uint8 (size, size, 3)."""
        return self._square(pixels).permute(1, 2, 0).numpy()

    def _square(self, pixels: NDArray[np.uint8]) -> Tensor:
        values = torch.tensor(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        if values.shape[2:] != (self.size, self.size):
            values = interpolate(values, (self.size, self.size), mode=self.resample, antialias=True)
        return values[0]


class View(Protocol):
    """Another look at pictures: what it is made of, and pixels of a picture (with its hash) to other pixels."""

    @property
    def told(self) -> Mapping[str, Any]: ...

    def __call__(self, pixels: NDArray[np.uint8], picture: str) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False)
class Backbone:
    """A DINOv2 with its weights' hash: pictures become features, the same picture only once."""

    network: nn.Module
    sha256: str
    name: str
    preparation: Preparation
    device: torch.device
    precision: Literal["float32", "bfloat16"]
    cache: FeatureCache = field(default_factory=FeatureCache)

    def features(
        self, pictures: Sequence[NDArray[np.uint8]], *, batch: int = 8, view: View | None = None
    ) -> NDArray[np.float32]:
        """What is seen in pictures (height, width, 3) of any sizes: class token and mean of all patches, (n, 2 d).

        With a `view` it is that look at each picture, made only where its features are not there yet.
        """
        hashes = [array_hash(each) for each in pictures]
        made_of = [self._made_of(each, view) for each in hashes]
        found = [self.cache.get(each) for each in made_of]
        waiting = [index for index, each in enumerate(found) if each is None]
        for start in range(0, len(waiting), batch):
            part = waiting[start : start + batch]
            shown = [pictures[each] for each in part]
            if view is not None:
                shown = [view(self.preparation.square(pictures[each]), hashes[each]) for each in part]
            for index, seen in zip(part, self._look(shown), strict=True):
                found[index] = {"features": seen}
                self.cache.put(made_of[index], {"features": seen})
        width = 2 * int(self.network.config.hidden_size)  # type: ignore[union-attr,arg-type]
        rows = [each["features"] for each in found if each is not None]
        return np.stack(rows) if rows else np.zeros((0, width), np.float32)

    def _look(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        given = torch.stack([self.preparation(each) for each in pictures]).to(self.device)
        with torch.inference_mode(), autocast(self.device, self.precision):
            tokens = self.network(pixel_values=given).last_hidden_state
        seen: NDArray[np.float32] = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1).float().cpu().numpy()
        return seen

    def _made_of(self, picture: str, view: View | None) -> dict[str, Any]:
        shown = [self.preparation.size, self.preparation.mean, self.preparation.std, self.preparation.resample]
        return {
            "picture": picture,
            "weights": self.sha256,
            "preparation": [*shown, self.precision, self.device.type],
        } | ({} if view is None else {"view": dict(view.told)})


def tag_head(features: int, hidden: int, tags: int) -> nn.Sequential:
    """The head of DinoVd'eau: two hidden layers of `hidden` and half as many, each normalised, half of them dropped."""
    half = max(hidden // 2, 1)
    return nn.Sequential(
        nn.Linear(features, hidden), nn.ReLU(), nn.BatchNorm1d(hidden), nn.Dropout(0.5),
        nn.Linear(hidden, half), nn.ReLU(), nn.BatchNorm1d(half), nn.Dropout(0.5),
        nn.Linear(half, tags),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tagger:
    """A backbone and a head: pictures become a score in 0..1 per tag, and above its threshold a tag is there."""

    backbone: Backbone
    head: nn.Sequential
    tags: tuple[str, ...]
    thresholds: tuple[float, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Scores float32 (n, tags) of pictures uint8 (height, width, 3)."""
        return self.judge(self.backbone.features(pictures))

    def judge(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores float32 (n, tags) of what the backbone saw."""
        self.head.eval()
        with torch.inference_mode():
            logits = self.head(torch.from_numpy(features).to(self.backbone.device))
            scores: NDArray[np.float32] = torch.sigmoid(logits).cpu().numpy()
        return scores

    def present(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which tags are there: bool (n, tags)."""
        there: NDArray[np.bool_] = scores > np.array(self.thresholds, np.float64)
        return there

    def save(self, folder: str | Path) -> None:
        """Write the folder of this model: all weights, what they need to be used again, and a card."""
        from safetensors.torch import save

        folder = Path(folder)
        state = {f"dinov2.{key}": each for key, each in self.backbone.network.state_dict().items()}
        state |= {f"classifier.{key}": each for key, each in self.head.state_dict().items()}
        content = save({key: each.detach().cpu().contiguous() for key, each in sorted(state.items())}, {"format": "pt"})
        write_atomically(folder / "model.safetensors", content)
        for name, told in (
            ("config.json", self._config()),
            ("threshold.json", dict(zip(self.tags, self.thresholds, strict=True))),
            ("preprocessor_config.json", _preprocessor(self.backbone.preparation)),
            ("model.json", self._told()),
        ):
            write_atomically(
                folder / name, (json.dumps(told, indent=1, sort_keys=name != "threshold.json") + "\n").encode()
            )
        write_atomically(folder / "README.md", _card(self).encode())

    def _config(self) -> dict[str, Any]:
        told: dict[str, Any] = self.backbone.network.config.to_dict()  # type: ignore[union-attr,operator]
        names = {str(index): name for index, name in enumerate(self.tags)}
        return {**told, "id2label": names, "label2id": {name: int(index) for index, name in names.items()}}

    def _told(self) -> dict[str, Any]:
        return {
            "format": 1, "kind": "tagger", "tags": list(self.tags),
            "backbone": {"name": self.backbone.name, "sha256": self.backbone.sha256},
            "training": dict(self.training), "scores": dict(self.scores),
        }  # fmt: skip


def load_backbone(
    path_or_name: str,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    size: int = 518,
    cache: FeatureCache | None = None,
) -> Backbone:
    """A DINOv2 from a folder as transformers saves it, or by a known name; nothing is downloaded."""
    loaded = load_pretrained(path_or_name, {"dinov2": "Dinov2Model"})
    patch = int(loaded.network.config.patch_size)
    if size % patch:
        raise InputError(f"size is {size}; expected a multiple of {patch}, the patch of {loaded.folder.name}")
    chosen = choose_device(device)
    return Backbone(
        loaded.network.to(chosen).requires_grad_(False), loaded.sha256, path_or_name, _preparation(loaded.folder, size),
        chosen, choose_precision(precision, chosen), cache or FeatureCache(),
    )  # fmt: skip


def read_tagger(folder: str | Path, device: str = "auto", precision: Precision = "auto") -> Tagger:
    """The tagger of a folder that `Tagger.save` wrote, or of a published DinoVd'eau."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import Dinov2Model

    folder = Path(folder)
    weights, config = _weights_of(folder), _config_of(folder)
    try:
        state = load_file(weights) if weights.suffix == ".safetensors" else torch.load(weights, weights_only=True)
        body = {key.removeprefix("dinov2."): each for key, each in state.items() if key.startswith("dinov2.")}
        top = {key.removeprefix("classifier."): each for key, each in state.items() if key.startswith("classifier.")}
        head = tag_head(top["0.weight"].shape[1], top["0.weight"].shape[0], top["8.weight"].shape[0])
        network = Dinov2Model(config)
        network.load_state_dict(body, strict=True)
        head.load_state_dict(top, strict=True)
    except (SafetensorError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FormatError(f"{weights}: is no whole tagger ({reason}); expected dinov2.* and classifier.*") from error
    chosen = choose_device(device)
    told = read_config(folder, "model.json") if (folder / "model.json").is_file() else {}
    backbone = Backbone(
        network.to(chosen).eval().requires_grad_(False), file_hash(weights),
        told.get("backbone", {}).get("name", folder.name), _preparation(folder, _size_said(folder)), chosen,
        choose_precision(precision, chosen),
    )  # fmt: skip
    tags = tuple(told.get("tags") or (config.id2label[index] for index in range(len(config.id2label))))
    if len(tags) != len(top["8.bias"]):
        raise FormatError(f"{folder}: names {len(tags)} tags but has weights for {len(top['8.bias'])}; get it again")
    return Tagger(
        backbone, head.to(chosen), tags, _thresholds(folder, tags), told.get("training", {}), told.get("scores", {})
    )


def _thresholds(folder: Path, tags: Sequence[str]) -> tuple[float, ...]:
    path = folder / "threshold.json"
    said = read_config(folder, path.name) if path.is_file() else {}
    if set(said) != set(tags):
        _log.warning("%s does not name the tags of the model; every threshold is %s", path, UNDECIDED)
        return (UNDECIDED,) * len(tags)
    return tuple(float(said[name]) for name in tags)


def _size_said(folder: Path) -> int:
    """The side of the square a tagger was trained on, where its folder says so."""
    path = folder / "preprocessor_config.json"
    size = read_config(folder, path.name).get("size") if path.is_file() else None
    return int(size["height"]) if isinstance(size, dict) and "height" in size else Preparation().size


def _preparation(folder: Path, size: int) -> Preparation:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return Preparation(size)
    said, usual = read_config(folder, path.name), Preparation()
    return Preparation(
        size,
        tuple(said.get("image_mean", usual.mean)),
        tuple(said.get("image_std", usual.std)),
        "bicubic" if said.get("resample") == 3 else "bilinear",
    )


def _preprocessor(preparation: Preparation) -> dict[str, Any]:
    """preprocessor_config.json, as transformers reads it."""
    return {
        "image_processor_type": "BitImageProcessor", "do_resize": True, "do_center_crop": False,
        "size": {"height": preparation.size, "width": preparation.size},
        "resample": 3 if preparation.resample == "bicubic" else 2, "do_rescale": True, "do_normalize": True,
        "image_mean": list(preparation.mean), "image_std": list(preparation.std),
    }  # fmt: skip


def _config_of(folder: Path) -> Any:
    from transformers import Dinov2Config

    kind = read_config(folder).get("model_type", "nothing")
    if kind != "dinov2":
        raise FormatError(f"{folder / 'config.json'}: is of a {kind}; expected dinov2; get another folder")
    return Dinov2Config.from_pretrained(folder, local_files_only=True)


def _weights_of(folder: Path) -> Path:
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: holds no weights; expected model.safetensors; copy the whole folder")


def _card(tagger: Tagger) -> str:
    rows = [f"| {name} | {limit:.3f} |" for name, limit in zip(tagger.tags, tagger.thresholds, strict=True)]
    facts = [f"- {key}: {value}" for key, value in tagger.training.items() if key != "history"]
    scores = [f"- {key}: {value:.4g}" for key, value in tagger.scores.items()] or ["- none: nothing was held out"]
    return "\n".join(
        [
            f"# Tagger of {len(tagger.tags)} tags", "",
            f"Made by Maskwright: DINOv2 `{tagger.backbone.name}`, left as it was, and a head trained on its features.",
            "", "## How it was trained", "", *facts, "", "## Scores on what was held out", "", *scores, "",
            "Thresholds were chosen on the same held-out pictures, so these scores flatter it.", "",
            "## Thresholds", "", "| tag | there above |", "|---|---|", *rows, "",
            "## Limits", "", "- Nobody measured it on pictures of other places, seasons or cameras.", "",
        ]
    )  # fmt: skip
