"""Masks from points, boxes and masks: SAM, SAM 2 and EdgeTAM through transformers, from folders on this disk.

The encoder looks at a picture once; prompts are then cheap, and many are answered together. Pixels are prepared here
and not by transformers' processors, whose numbers they equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from maskwright.models.feature_cache import FeatureCache, array_hash
from maskwright.models.lookup import file_hash
from maskwright.models.pretrained import find_model, load_pretrained, read_config
from maskwright.models.processors import Precision, autocast, choose_device, choose_precision

Family = Literal["sam", "sam2", "edgetam"]

CLASSES = {
    "sam": "SamModel",
    "sam2": "Sam2Model",
    "sam2_video": "Sam2Model",  # the published SAM 2 folders hold the video model, which has all of it
    "edgetam": "EdgeTamModel",
    "edgetam_video": "EdgeTamModel",
}
"""What the config of a folder calls itself, and the class of transformers that answers prompts with it."""

INSIDE, OUTSIDE, NO_POINT = 1, 0, -1
"""What a prompt's point says; NO_POINT fills up prompts that have fewer points than others."""

IMAGENET: tuple[tuple[float, ...], tuple[float, ...]] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the encoder saw in one picture: maps float32 (channels, rows, cols), the coarsest last.

    `shape` is the picture's height and width, `resized` those on the square `canvas` the network looks at, top left.
    """

    maps: tuple[NDArray[np.float32], ...]
    shape: tuple[int, int]
    resized: tuple[int, int]
    canvas: int

    @property
    def features(self) -> NDArray[np.float32]:
        """The coarsest map, as far as the picture covers it."""
        rows, cols = (-(-self.maps[-1].shape[1] * each // self.canvas) for each in self.resized)
        return self.maps[-1][:, :rows, :cols]


class Answer(NamedTuple):
    """Mask logits float32 (n, masks, height, width), above 0 inside, and how good each says it is (n, masks)."""

    logits: NDArray[np.float32]
    quality: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sam:
    """A network that answers prompts, with its weights' hash and how it wants pictures prepared.

    Embeddings are kept in `cache` by picture, weights and preparation. The encoder runs in `precision`, all else in
    float32.
    """

    network: nn.Module
    family: Family
    sha256: str
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: Literal["float32", "bfloat16"] = "float32"
    cache: FeatureCache = field(default_factory=FeatureCache)

    @property
    def canvas(self) -> int:
        """The side in pixels of the square the network looks at."""
        return int(self._prompt_encoder.input_image_size)

    @property
    def mask_size(self) -> int:
        """The side in pixels of masks given as prompts."""
        return 4 * int(self._prompt_encoder.image_embedding_size[0])

    def resized(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of a picture on the canvas: SAM keeps its proportions, the later ones fill the square."""
        if self.family != "sam":
            return self.canvas, self.canvas
        scale = self.canvas / max(shape)
        return int(shape[0] * scale + 0.5), int(shape[1] * scale + 0.5)

    def embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Look at one picture (height, width, 3)."""
        return self.embed_all([pixels])[0]

    def embed_all(self, pictures: Sequence[NDArray[np.uint8]], *, batch: int = 4) -> list[Embedding]:
        """Look at pictures (height, width, 3) of any sizes, `batch` at a time; what was seen before is remembered."""
        made_of = [self._made_of(each) for each in pictures]
        found = [self.cache.get(each) for each in made_of]
        waiting = [index for index, each in enumerate(found) if each is None]
        for start in range(0, len(waiting), batch):
            part = waiting[start : start + batch]
            for index, maps in zip(part, self._encode([pictures[each] for each in part]), strict=True):
                found[index] = {str(level): each for level, each in enumerate(maps)}
                self.cache.put(made_of[index], found[index] or {})
        return [self._embedding(maps or {}, each) for maps, each in zip(found, pictures, strict=True)]

    def masks(
        self,
        embedding: Embedding,
        *,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        boxes: ArrayLike | None = None,
        mask_inputs: NDArray[np.float32] | None = None,
        batch: int = 16,
    ) -> Answer:
        """Answer n prompts about one picture, three masks each.

        `points` (n, k, 2) are rows and columns, pixel centres at whole numbers, `labels` (n, k) INSIDE, OUTSIDE or
        NO_POINT; `boxes` (n, 4) top, left, bottom, right, the last two excluded; `mask_inputs` float32 (n, mask_size,
        mask_size) around 0. Each may be left out, but not all. The answer to a prompt does not depend on the others.
        """
        parts = [
            self._on_picture(low, embedding, quality)
            for low, quality in self._decoded(embedding, points, labels, boxes, mask_inputs, batch)
        ]
        return Answer(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def best_masks(self, embedding: Embedding, *, batch: int = 16, **prompts: Any) -> Answer:
        """As `masks`, but only the mask of each prompt that says it is best: (n, height, width) and (n,).

        Of equally good ones the first.
        """
        parts = []
        for low, quality in self._decoded(embedding, **_all_of(prompts), batch=batch):
            best = np.asarray(quality.cpu()).argmax(axis=1)
            rows = torch.arange(len(best))
            logits, scores = self._on_picture(low[rows, best][:, None], embedding, quality[rows, best][:, None])
            parts.append((logits[:, 0], scores[:, 0]))
        return Answer(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    @property
    def _prompt_encoder(self) -> Any:
        return self.network.prompt_encoder

    def _made_of(self, pixels: NDArray[np.uint8]) -> dict[str, Any]:
        return {
            "picture": array_hash(pixels),
            "weights": self.sha256,
            "preparation": [self.family, self.canvas, self.mean, self.std, self.precision, self.device.type],
        }

    def _embedding(self, maps: Mapping[str, NDArray[np.float32]], pixels: NDArray[np.uint8]) -> Embedding:
        shape = (pixels.shape[0], pixels.shape[1])
        return Embedding(tuple(maps[str(level)] for level in range(len(maps))), shape, self.resized(shape), self.canvas)

    def _encode(self, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.float32]]]:
        given = torch.stack([self.prepared(each) for each in pictures]).to(self.device)
        with torch.inference_mode(), autocast(self.device, self.precision):
            maps = self.network.get_image_embeddings(given)  # type: ignore[operator]
        levels = [each.float().cpu().numpy() for each in ([maps] if isinstance(maps, Tensor) else maps)]
        for index in range(len(pictures)):
            yield [each[index] for each in levels]

    def prepared(self, pixels: NDArray[np.uint8]) -> Tensor:
        """What the network is given: float32 (3, canvas, canvas), resized, normalised, zeros beyond the picture."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"pixels are uint8 (height, width, 3); got {pixels.dtype} {pixels.shape}")
        height, width = self.resized((pixels.shape[0], pixels.shape[1]))
        values = torch.tensor(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        if values.shape[2:] != (height, width):
            values = interpolate(values, (height, width), mode="bilinear", antialias=True)
        mean, std = (torch.tensor(each)[:, None, None] * 255 for each in (self.mean, self.std))
        return pad((values[0] - mean) / std, (0, self.canvas - width, 0, self.canvas - height))

    def _decoded(
        self,
        embedding: Embedding,
        points: ArrayLike | None,
        labels: ArrayLike | None,
        boxes: ArrayLike | None,
        mask_inputs: NDArray[np.float32] | None,
        batch: int,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Low-resolution logits (n, masks, rows, cols) and quality (n, masks), `batch` prompts at a time.

        Every prompt is a picture of its own to the network: only so may each bring its own mask.
        """
        scale = np.divide(embedding.resized, embedding.shape)
        prompts = _tensors(points, labels, boxes, mask_inputs, scale)
        count = len(next(iter(prompts.values())))
        maps = [torch.from_numpy(each).to(self.device) for each in embedding.maps]
        for start in range(0, count, batch):
            part = {name: each[start : start + batch].to(self.device) for name, each in prompts.items()}
            size = len(next(iter(part.values())))
            seen = [each[None].expand(size, *each.shape) for each in maps]
            with torch.inference_mode():
                said = self.network(
                    image_embeddings=seen[0] if self.family == "sam" else seen, multimask_output=True, **part
                )
            yield said.pred_masks[:, 0], said.iou_scores[:, 0]

    def _on_picture(
        self, low: Tensor, embedding: Embedding, quality: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.family == "sam":
            low = interpolate(low, (embedding.canvas, embedding.canvas), mode="bilinear", align_corners=False)
            low = low[..., : embedding.resized[0], : embedding.resized[1]]
        logits = interpolate(low, embedding.shape, mode="bilinear", align_corners=False)
        return logits.float().cpu().numpy(), quality.float().cpu().numpy()


def load_sam(path_or_name: str, device: str = "auto", precision: Precision = "auto") -> Sam:
    """SAM, SAM 2 or EdgeTAM from a folder as transformers saves it, a SAM checkpoint (.pth), or a known name.

    Nothing is downloaded. Weights that leave a part of the network without values are refused. The last two that were
    loaded are kept, as long as their files stay as they are.
    """
    path = find_model(path_or_name)
    files = [path] if path.is_file() else sorted(path.glob("*"))
    stamps = tuple((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in files)
    return _load(path, stamps, device, precision)


@lru_cache(maxsize=2)
def _load(path: Path, stamps: tuple[tuple[str, int, int], ...], device: str, precision: Precision) -> Sam:  # noqa: ARG001  # part of the key
    chosen = choose_device(device)
    if path.is_file():
        from maskwright.models.sam_keys import read_checkpoint

        network, family, sha256 = read_checkpoint(path), "sam", file_hash(path)
        mean, std = IMAGENET
    else:
        network, family, sha256 = _from_folder(path)
        mean, std = _normalisation(path)
    return Sam(
        network.to(chosen).eval().requires_grad_(False),
        family,  # type: ignore[arg-type]  # one of the three
        sha256,
        mean,
        std,
        chosen,
        choose_precision(precision, chosen),
    )


def _from_folder(folder: Path) -> tuple[nn.Module, Family, str]:
    loaded = load_pretrained(folder, CLASSES)
    families: dict[str, Family] = {"SamModel": "sam", "Sam2Model": "sam2", "EdgeTamModel": "edgetam"}
    return loaded.network, families[CLASSES[loaded.kind]], loaded.sha256


def _normalisation(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of colours in 0..1, as the folder says, else ImageNet's."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            said = read_config(folder, name)
            said = said.get("image_processor", said)
            if "image_mean" in said:
                return tuple(said["image_mean"]), tuple(said["image_std"])
    return IMAGENET


def _tensors(
    points: ArrayLike | None,
    labels: ArrayLike | None,
    boxes: ArrayLike | None,
    mask_inputs: NDArray[np.float32] | None,
    scale: NDArray[np.float64],
) -> dict[str, Tensor]:
    """Prompts as transformers wants them: x before y, in pixels of the canvas, one prompt per picture."""
    given: dict[str, Tensor] = {}
    if points is not None:
        places = np.asarray(points, np.float64) * scale
        given["input_points"] = torch.from_numpy(places[:, None, :, ::-1].astype(np.float32))
        marks = np.full(places.shape[:2], INSIDE) if labels is None else np.asarray(labels)
        given["input_labels"] = torch.from_numpy(marks.astype(np.int64))[:, None]
    if boxes is not None:
        top, left, bottom, right = np.asarray(boxes, np.float64).T
        corners = np.stack([left * scale[1], top * scale[0], (right - 1) * scale[1], (bottom - 1) * scale[0]], axis=1)
        given["input_boxes"] = torch.from_numpy(corners.astype(np.float32))[:, None]
    if mask_inputs is not None:
        given["input_masks"] = torch.from_numpy(np.asarray(mask_inputs, np.float32))[:, None]
    sizes = {len(each) for each in given.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"prompts are points, boxes or masks, equally many and at least one; got {sorted(sizes)}")
    return given


def _all_of(prompts: Mapping[str, Any]) -> dict[str, Any]:
    names = ("points", "labels", "boxes", "mask_inputs")
    if unknown := set(prompts) - set(names):
        raise TypeError(f"prompts are {', '.join(names)}; got {', '.join(sorted(unknown))}")
    return {name: prompts.get(name) for name in names}
