"""The default network: a small residual U-Net that learns from scratch on a laptop's processor.

Pixels are folded two by two into channels before the first convolution and unfolded after the last one, so the work is
done at half resolution and the borders still come out at full resolution. Only plain 3 x 3 convolutions are used: on
processors with matrix units they are several times faster than depthwise ones of fewer operations.

Not covered: attention, and anything pretrained.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

LEVELS = (1, 2, 4, 4)
"""Channels of each level as multiples of the width; each level halves the resolution."""


class UNet(nn.Module):
    """Logits (n, classes, height, width) of normalised pixels (n, bands, height, width); sides are multiples of 16.

    `width` is the number of channels at half resolution: 24 make 0.7 million parameters. The last level adds the mean
    of the whole window, so that a pixel knows what it lies in.
    """

    stride = 2 * 2 ** (len(LEVELS) - 1)

    def __init__(self, bands: int, classes: int, *, width: int = 24) -> None:
        super().__init__()
        widths = [width * each for each in LEVELS]
        pairs = list(pairwise(widths))
        self.stem = _convolution(4 * bands, width)
        self.encoders = nn.ModuleList(Residual(each) for each in widths)
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.surroundings = nn.Conv2d(widths[-1], widths[-1], 1)
        self.ups = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.decoders = nn.ModuleList(Residual(each) for each in widths[:-1])
        self.head = Head(width, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.stem(pixel_unshuffle(pixels, 2))
        kept: list[Tensor] = []
        for encode, down in zip(self.encoders, self.downs, strict=False):
            kept.append(encode(features))
            features = down(kept[-1])
        features = self.encoders[-1](features)
        features = features + self.surroundings(features.mean(dim=(2, 3), keepdim=True))
        for up, decode, fine in reversed(list(zip(self.ups, self.decoders, kept, strict=True))):
            features = interpolate(up(features), size=fine.shape[-2:], mode="bilinear", align_corners=False)
            features = decode(features + fine)
        return cast(Tensor, self.head(features))


class Residual(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, (features + self.second(self.first(features))).relu())


class Head(nn.Conv2d):
    """Logits of two by two pixels from each place at half resolution."""

    def __init__(self, given: int, classes: int) -> None:
        super().__init__(given, 4 * classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        return pixel_shuffle(super().forward(features), 2)


def _convolution(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU())
