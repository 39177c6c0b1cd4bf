"""SegFormer through transformers, from any MiT encoder on this disk, from any SegFormer, or from scratch.

The weights NVIDIA trained are under a non-commercial licence: `Backbone.licence` says so and the model card repeats it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from maskwright.errors import InputError, UnknownNameError
from maskwright.models.known import KNOWN
from maskwright.models.lookup import need_weights
from maskwright.models.quiet import quiet

NVIDIA = "NVIDIA source code licence (non-commercial)"
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
    """A SegFormer for `classes` classes: `backbone` is a folder, a known name ("mit-b0"), or a shape ("b0", "tiny").

    A folder may hold an image classifier (the published encoders), a SegFormer with other classes, or a config.json
    alone. What does not fit, such as the head for other classes, starts from random weights.
    """
    if backbone in SCRATCH:
        return _from_scratch(SCRATCH[backbone], bands, classes)
    folder = Path(backbone).expanduser()
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


def _told(config: Any) -> dict[str, Any]:
    """The part of a config that decides about the network, as JSON can hold it."""
    keys = (
        "num_channels", "num_labels", "num_encoder_blocks", "depths", "sr_ratios", "hidden_sizes", "patch_sizes",
        "strides", "num_attention_heads", "mlp_ratios", "hidden_act", "hidden_dropout_prob",
        "attention_probs_dropout_prob", "classifier_dropout_prob", "drop_path_rate", "layer_norm_eps",
        "decoder_hidden_size",
    )  # fmt: skip
    return {key: cast(Any, getattr(config, key)) for key in keys}
