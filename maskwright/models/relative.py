"""Any network, shown each window in the window's own light: for photographs whose brightness says little by itself."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

FAINTEST = 0.05
"""Deviations below this share of the pictures' own are not blown up: a window of one colour stays calm."""
MOST = 5.0


class Relative(nn.Module):
    """What `inner` says of pixels minus the window's mean of each band, over the window's deviation (one for all bands,
    so that colours keep their proportions), held to -5..5. With `beside` they come as further bands, behind the pixels
    as they are; `inner` then takes twice as many.

    Alone, a picture that is twice as bright, or lies on a darker ground, gives the same answer; what only the
    brightness of a whole picture could tell is lost, and the answer for a pixel depends on all of its window.
    """

    def __init__(self, inner: nn.Module, *, beside: bool = False) -> None:
        super().__init__()
        self.inner, self.beside = inner, beside
        self.stride = inner.stride

    def forward(self, pixels: Tensor) -> Tensor:
        own = pixels.float()
        own = own - own.mean(dim=(2, 3), keepdim=True)
        spread = own.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        own = (own / (spread + FAINTEST)).clamp(-MOST, MOST)
        return cast(Tensor, self.inner(torch.cat([pixels.float(), own], dim=1) if self.beside else own))
