"""SegFormer through transformers, from any MiT encoder on this disk, from any SegFormer, or from scratch.

The weights NVIDIA trained are under a non-commercial licence: `Backbone.licence` says so and the model card repeats it.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.models.known import KNOWN
from maskwright.models.lookup import need_weights
from maskwright.models.mit_keys import read_mit
from maskwright.models.quiet import quiet

NVIDIA = "NVIDIA source code licence (non-commercial)"
_PUBLISHED = re.compile(r"(mit|segformer)[._-]b[0-5]", re.IGNORECASE)
_FIRST = re.compile(r"segformer\.(stages\.0\.patch_embeddings|encoder\.patch_embeddings\.0)\.proj\.weight")
_log = logging.getLogger(__name__)
SCRATCH: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1], "decoder_hidden_size": 64},
    "b0": {"hidden_sizes": [32, 64, 160, 256], "depths": [2, 2, 2, 2], "decoder_hidden_size": 256},
    "b1": {"hidden_sizes": [64, 128, 320, 512], "depths": [2, 2, 2, 2], "decoder_hidden_size": 256},
    "b2": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 6, 3], "decoder_hidden_size": 768},
    "b3": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 18, 3], "decoder_hidden_size": 768},
    "b4": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 8, 27, 3], "decoder_hidden_size": 768},
    "b5": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 6, 40, 3], "decoder_hidden_size": 768},
}
"""Shapes that start from random weights; "b0" to "b5" are those of the published encoders mit-b0 to mit-b5."""


class Backbone(NamedTuple):
    """A network, the record it can be built from again, where its weights came from, and under which licence."""

    network: nn.Module
    architecture: dict[str, Any]
    origin: str | None
    licence: str | None


class SegFormer(nn.Module):
    """Logits (n, classes, height, width) of normalised pixels; transformers' own, brought to full resolution."""

    stride = 32

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        logits = self.model(pixel_values=pixels).logits
        return interpolate(logits, size=pixels.shape[-2:], mode="bilinear", align_corners=False)


def segformer(backbone: str, bands: int, classes: int) -> Backbone:
    """A SegFormer for `classes` classes: `backbone` is a folder, a file, a known name ("mit-b0"), or a shape ("b0").

    A file (.pth) has NVIDIA's own names of weights: an encoder, or a whole SegFormer of mmseg. A folder may hold an
    image classifier (the published encoders), a SegFormer with other classes, or a config.json alone. What does not
    fit, such as the head for other classes, starts from random weights.
    """
    if backbone in SCRATCH:
        return _from_scratch(SCRATCH[backbone], bands, classes)
    folder = Path(backbone).expanduser()
    if folder.is_file() or folder.suffix in (".pth", ".pt"):
        return _from_file(folder, bands, classes)
    if not folder.is_dir():
        if backbone not in KNOWN:
            raise UnknownNameError("SegFormer", backbone, [*SCRATCH, *(each for each in KNOWN if "mit-" in each)])
        folder = need_weights(backbone).folder
    return _from_folder(folder, backbone, bands, classes)


def rebuild(config: dict[str, Any]) -> SegFormer:
    """A SegFormer with random weights from the config of its record."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    return SegFormer(SegformerForSemanticSegmentation(SegformerConfig(**config)))


def _from_scratch(shape: dict[str, Any], bands: int, classes: int) -> Backbone:
    from transformers import SegformerConfig

    config = _told(SegformerConfig(num_channels=bands, num_labels=classes, **shape))
    return Backbone(rebuild(config), {"kind": "segformer", "config": config}, None, None)


def _from_folder(folder: Path, name: str, bands: int, classes: int) -> Backbone:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: holds no config.json; the folder of a SegFormer was expected: check the path")
    config = SegformerConfig.from_pretrained(folder, local_files_only=True)
    config.num_channels, config.num_labels = bands, classes
    told = _told(config)
    if not any((folder / each).is_file() for each in ("model.safetensors", "pytorch_model.bin")):
        return Backbone(rebuild(told), {"kind": "segformer", "config": told}, None, None)
    with quiet():  # that a head for other classes is new is the point
        model = SegformerForSemanticSegmentation.from_pretrained(
            folder, config=config, ignore_mismatched_sizes=True, local_files_only=True, dtype=torch.float32
        )
    licence = KNOWN[name].licence if name in KNOWN else f"that of {folder.name}; {NVIDIA} if it grew from a MiT"
    return Backbone(SegFormer(model), {"kind": "segformer", "config": told}, name, licence)


def _from_file(path: Path, bands: int, classes: int) -> Backbone:
    """NVIDIA's own file. Only layers that depend on bands or classes, and a decoder it lacks, are new."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    read = read_mit(path)
    config = SegformerConfig(num_channels=bands, num_labels=classes, **read.shape)
    with quiet():
        model, loaded = SegformerForSemanticSegmentation.from_pretrained(
            None, config=config, state_dict=dict(read.state), ignore_mismatched_sizes=True, dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
    other = {str(each[0]) for each in loaded["mismatched_keys"]}
    new = {*map(str, loaded["missing_keys"]), *other}
    lost = sorted({*(each for each in new if not _may_be_new(each)), *map(str, loaded["unexpected_keys"])})
    if lost:
        raise FormatError(
            f"{path}: {len(lost)} weights do not fit the network its shapes tell of, first {lost[0]}; expected a MiT "
            "or SegFormer as NVIDIA published it; name another file"
        )
    if new:
        _log.info("%s: %d weights start anew: %s", path.name, len(new), ", ".join(sorted(new)))
    licence = NVIDIA if _PUBLISHED.match(path.name) else f"that of {path.name}; {NVIDIA} if it grew from a MiT"
    return Backbone(SegFormer(model), {"kind": "segformer", "config": _told(config)}, path.name, licence)


def _may_be_new(key: str) -> bool:
    """Whether a weight depends on bands or classes, or belongs to the decoder, which files of an encoder lack."""
    return key.startswith("decode_head.") or _FIRST.fullmatch(key) is not None


def _told(config: Any) -> dict[str, Any]:
    """The part of a config that decides about the network, as JSON can hold it."""
    keys = (
        "num_channels", "num_labels", "num_encoder_blocks", "depths", "sr_ratios", "hidden_sizes", "patch_sizes",
        "strides", "num_attention_heads", "mlp_ratios", "hidden_act", "hidden_dropout_prob",
        "attention_probs_dropout_prob", "classifier_dropout_prob", "drop_path_rate", "layer_norm_eps",
        "decoder_hidden_size",
    )  # fmt: skip
    return {key: cast(Any, getattr(config, key)) for key in keys}
