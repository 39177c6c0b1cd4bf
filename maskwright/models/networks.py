"""Networks by record: what model.json says of an architecture becomes a module again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import nn

from maskwright.errors import FormatError
from maskwright.models.segformer import Backbone

Kind = Literal["unet", "segformer", "smp"]
Light = Literal["as_it_is", "relative", "both"]


def new_network(
    kind: Kind,
    bands: int,
    classes: int,
    *,
    width: int = 24,
    backbone: str = "",
    decoder: str = "unet",
    encoder_weights: Path | None = None,
    light: Light = "as_it_is",
) -> Backbone:
    """A network to train: our small U-Net, a SegFormer, or an encoder and decoder of segmentation-models-pytorch.

    `light` "relative" shows it each window in its own light, "both" as it is and in its own light (`models.relative`).
    """
    if light != "as_it_is":
        from maskwright.models.relative import Relative

        beside = light == "both"
        shown = 2 * bands if beside else bands
        inner = new_network(
            kind, shown, classes, width=width, backbone=backbone, decoder=decoder, encoder_weights=encoder_weights
        )
        told = {"kind": "relative", "inner": inner.architecture, "beside": beside}
        return inner._replace(network=Relative(inner.network, beside=beside), architecture=told)
    if kind == "unet":
        record = {"kind": "unet", "bands": bands, "classes": classes, "width": width}
        return Backbone(network_of(record), record, None, None)
    if kind == "segformer":
        from maskwright.models.segformer import segformer

        return segformer(backbone or "b0", bands, classes)
    from maskwright.models.encoders import encoder_decoder

    return encoder_decoder(backbone or "resnet18", decoder, bands, classes, encoder_weights=encoder_weights)


def network_of(record: Mapping[str, Any]) -> nn.Module:
    """The network of a record, with random weights; it gives logits at the resolution of its input."""
    kind = record.get("kind")
    if kind == "unet":
        from maskwright.models.unet import UNet

        return UNet(record["bands"], record["classes"], width=record["width"])
    if kind == "relative":
        from maskwright.models.relative import Relative

        return Relative(network_of(record["inner"]), beside=record["beside"])
    if kind == "whole_window":
        from maskwright.models.whole_window import WholeWindow

        return WholeWindow(record["bands"], record["classes"], width=record["width"], side=record["side"])
    if kind == "segformer":
        from maskwright.models import segformer

        return segformer.rebuild(dict(record["config"]))
    if kind == "smp":
        from maskwright.models import encoders

        return encoders.rebuild(dict(record))
    raise FormatError(
        f"no network is called {kind!r}; expected unet, relative, whole_window, segformer or smp; "
        "was it made by a newer version?"
    )
