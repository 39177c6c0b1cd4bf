"""HRNet (Sun et al. 2019) with a head for heat-maps of joints: the network of the public animal pose models.

Parameter names are those of mmpose's files, so that these load as they are; `maskwright.models.pose_files` reads them.
Pictures go in as float (n, 3, height, width), sides multiples of 32; heat-maps come out at a quarter of that size.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

STAGE_MODULES = (1, 4, 3)  # exchange modules of stages 2, 3 and 4, which have 2, 3 and 4 branches
BLOCKS = 4


class HRNetPose(nn.Module):
    """Heat-maps of `joints` joints from a backbone whose finest branch is `width` wide (32 or 48)."""

    def __init__(self, width: int, joints: int) -> None:
        super().__init__()
        self.backbone = HRNet(width)
        self.head = _Head(width, joints)

    def forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.backbone(pixels)))


class HRNet(nn.Module):
    """The backbone: features (n, width, height / 4, width / 4) of its finest branch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**branch for branch in range(4)]
        self.conv1, self.bn1 = _conv(3, 64, stride=2), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = _conv(64, 64, stride=2), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_Bottleneck(64), *(_Bottleneck(256) for _ in range(BLOCKS - 1)))
        self.transition1 = nn.ModuleList([_conv_bn_relu(256, width), nn.Sequential(_conv_bn_relu(256, widths[1], 2))])
        self.stage2 = _stage(widths[:2], STAGE_MODULES[0])
        self.transition2 = _transition(widths, 2)
        self.stage3 = _stage(widths[:3], STAGE_MODULES[1])
        self.transition3 = _transition(widths, 3)
        self.stage4 = _stage(widths, STAGE_MODULES[2], rows=1)

    def forward(self, pixels: Tensor) -> Tensor:
        stem = torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(pixels))))))
        first = self.layer1(stem)
        branches = self.stage2([step(first) for step in self.transition1])
        branches = self.stage3([*branches, self.transition2[-1](branches[-1])])
        branches = self.stage4([*branches, self.transition3[-1](branches[-1])])
        return cast(Tensor, branches[0])


class _Head(nn.Module):
    def __init__(self, width: int, joints: int) -> None:
        super().__init__()
        self.final_layer = nn.Conv2d(width, joints, 1)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.final_layer(features))


class _Exchange(nn.Module):
    """Four blocks on every branch, then each of the first `rows` branches becomes the sum of all, resampled."""

    def __init__(self, widths: list[int], rows: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(_Basic(each) for _ in range(BLOCKS))) for each in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fusion(widths, to, start) for start in range(len(widths))) for to in range(rows)
        )

    def forward(self, given: list[Tensor]) -> list[Tensor]:
        grown = [branch(each) for branch, each in zip(self.branches, given, strict=True)]
        fused = []
        for row in self.fuse_layers:
            total = row[0](grown[0])  # type: ignore[index]  # a list of modules
            for step, each in zip(row[1:], grown[1:], strict=True):  # type: ignore[index]
                total = total + step(each)
            fused.append(torch.relu(total))
        return fused


class _Basic(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(width, width), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width), nn.BatchNorm2d(width)

    def forward(self, given: Tensor) -> Tensor:
        inside = torch.relu(self.bn1(self.conv1(given)))
        return torch.relu(self.bn2(self.conv2(inside)) + given)


class _Bottleneck(nn.Module):
    def __init__(self, start: int, width: int = 64, to: int = 256) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(start, width, size=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, to, size=1), nn.BatchNorm2d(to)
        self.downsample = None if start == to else nn.Sequential(_conv(start, to, size=1), nn.BatchNorm2d(to))

    def forward(self, given: Tensor) -> Tensor:
        inside = torch.relu(self.bn1(self.conv1(given)))
        inside = torch.relu(self.bn2(self.conv2(inside)))
        around = given if self.downsample is None else self.downsample(given)
        return torch.relu(self.bn3(self.conv3(inside)) + around)


def _stage(widths: list[int], modules: int, rows: int | None = None) -> nn.Sequential:
    """The exchange modules of one stage; the last one makes only the first `rows` branches."""
    last = len(widths) if rows is None else rows
    return nn.Sequential(*(_Exchange(widths, len(widths) if n < modules - 1 else last) for n in range(modules)))


def _transition(widths: list[int], branches: int) -> nn.ModuleList:
    """One more branch, from the coarsest there is; the others pass as they are."""
    grown = nn.Sequential(_conv_bn_relu(widths[branches - 1], widths[branches], 2))
    return nn.ModuleList([*(nn.Identity() for _ in range(branches)), grown])


def _fusion(widths: list[int], to: int, start: int) -> nn.Module:
    """How branch `start` reaches branch `to`: as it is, enlarged, or shrunk by half several times."""
    if start == to:
        return nn.Identity()
    if start > to:
        return nn.Sequential(
            _conv(widths[start], widths[to], size=1),
            nn.BatchNorm2d(widths[to]),
            nn.Upsample(scale_factor=2 ** (start - to), mode="nearest"),
        )
    steps = [_conv_bn_relu(widths[start], widths[start], 2) for _ in range(to - start - 1)]
    return nn.Sequential(*steps, nn.Sequential(_conv(widths[start], widths[to], stride=2), nn.BatchNorm2d(widths[to])))


def _conv(start: int, to: int, *, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(start, to, size, stride, padding=size // 2, bias=False)


def _conv_bn_relu(start: int, to: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(start, to, stride=stride), nn.BatchNorm2d(to), nn.ReLU())
