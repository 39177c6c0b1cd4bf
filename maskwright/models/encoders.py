"""Encoders and decoders of segmentation-models-pytorch, by name, with weights from a file on this disk or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.models.segformer import Backbone

STRIDE = 32


class EncoderDecoder(nn.Module):
    """Logits (n, classes, height, width) of normalised pixels, as the library gives them."""

    stride = STRIDE

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.model(pixels))


def encoder_decoder(
    encoder: str, decoder: str, bands: int, classes: int, *, encoder_weights: Path | None = None
) -> Backbone:
    """A network by the library's names, such as "resnet18" and "unet"; nothing is ever downloaded.

    `encoder_weights` is a state dict of the encoder (.safetensors, or .pth read as weights only) for three bands.
    """
    record = {"kind": "smp", "encoder": encoder, "decoder": decoder, "bands": bands, "classes": classes}
    network = rebuild(record)
    if encoder_weights is None:
        return Backbone(network, record, None, None)
    _load_encoder(cast(Any, network.model).encoder, Path(encoder_weights))
    return Backbone(network, record, Path(encoder_weights).name, f"that of {Path(encoder_weights).name}")


def rebuild(record: dict[str, Any]) -> EncoderDecoder:
    """The network of a record, with random weights."""
    import segmentation_models_pytorch as smp

    arch = record["decoder"].lower().replace("_", "")
    if arch not in smp.MODEL_ARCHITECTURES_MAPPING:
        raise UnknownNameError("decoder", record["decoder"], smp.MODEL_ARCHITECTURES_MAPPING)
    known = smp.encoders.get_encoder_names()
    if record["encoder"] not in known and not record["encoder"].startswith("tu-"):
        raise UnknownNameError("encoder", record["encoder"], known)
    model = smp.create_model(
        arch, record["encoder"], encoder_weights=None, in_channels=record["bands"], classes=record["classes"]
    )
    return EncoderDecoder(model)


def _load_encoder(encoder: nn.Module, path: Path) -> None:
    """Weights into an encoder; keys of a classifier's last layer are left out, anything else has to fit."""
    state = _read_state(path)
    wanted = encoder.state_dict()
    missing = sorted(set(wanted) - set(state))
    wrong = [key for key in wanted if key in state and wanted[key].shape != state[key].shape]
    if missing or wrong:
        found = f"lacks {len(missing)} and has {len(wrong)} of other shape, first {(missing + wrong)[0]}"
        raise FormatError(f"{path}: {found}; expected the weights of this encoder for these bands; name another file")
    encoder.load_state_dict({key: state[key] for key in wanted})


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected the weights of an encoder; check the path")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return cast("dict[str, Tensor]", load_file(path))
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
