"""Networks made ready to be asked: the same answers as those that were trained, in fewer passes over memory.

A convolution in bfloat16 is quick on a processor with matrix units; the normalisation, the sum and the rectifier behind
it each read and write everything once more and take as long together. So normalisation becomes part of the weights, and
on x86 processors oneDNN adds and rectifies while it still holds a result, with weights that are bfloat16 already.

In float32 convolutions take so much longer that nothing is gained. Not covered: GPUs, and what is not a convolution.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from maskwright.models.processors import placed
from maskwright.models.unet import Head, Residual


def ready(network: nn.Module, device: torch.device, precision: str) -> nn.Module:
    """A copy of a trained network on a device, for inference under autocast to `precision`."""
    network = folded(network)
    if device.type == "cpu" and precision == "bfloat16" and can_join():
        network = joined(network)
    return placed(network, device)


def folded(network: nn.Module) -> nn.Module:
    """A copy for inference: each convolution with the normalisation behind it becomes one convolution."""
    network = copy.deepcopy(network).eval()
    for part in network.modules():
        if isinstance(part, nn.Sequential):
            for index in range(len(part) - 1):
                convolution, norm = part[index], part[index + 1]
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    part[index], part[index + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return network


def can_join() -> bool:
    """Whether torch has oneDNN's convolutions by name, which is not promised, and bfloat16 for this processor."""
    named = ("_convolution_pointwise", "_is_mkldnn_bf16_supported")
    return all(hasattr(torch.ops.mkldnn, each) for each in named) and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def joined(network: nn.Module) -> nn.Module:
    """`network`, already folded, with its convolutions replaced, in place, by ones that do what follows them as well.

    Answers are those of `network` under autocast, to the bit but for `Residual`: its sum is rounded once, not twice.
    """
    for name, part in list(network.named_children()):
        if isinstance(part, Residual):
            setattr(network, name, JoinedResidual(part))
        elif isinstance(part, Head):
            setattr(network, name, JoinedHead(part))
        elif type(part) is nn.Conv2d and _is_plain(part):
            setattr(network, name, JoinedConvolution(part))
        else:
            joined(part)
    if isinstance(network, nn.Sequential) and len(network) > 1:
        _take_rectifier_in(network)
    return network


class JoinedConvolution(nn.Module):
    """A convolution in bfloat16, what is added to it, and a rectifier, in one pass; features may be of any dtype."""

    def __init__(self, given: nn.Conv2d) -> None:
        super().__init__()
        bias = torch.zeros(given.out_channels) if given.bias is None else given.bias
        self.register_buffer("weight", given.weight.detach().to(torch.bfloat16, memory_format=torch.channels_last))
        self.register_buffer("bias", bias.detach().bfloat16())
        self.rectified = False
        self.geometry = tuple(
            list(cast("tuple[int, int]", each)) for each in (given.padding, given.stride, given.dilation)
        )
        self.groups = given.groups

    def forward(self, features: Tensor, added: Tensor | None = None) -> Tensor:
        weight, bias = cast(Tensor, self.weight), cast(Tensor, self.bias)
        features = features.to(torch.bfloat16, memory_format=torch.channels_last)
        convolve = torch.ops.mkldnn._convolution_pointwise
        if added is None:
            then: tuple[Any, ...] = ("relu" if self.rectified else "none", [], None)
            return cast(Tensor, convolve(features, weight, bias, *self.geometry, self.groups, *then))
        add: tuple[Any, ...] = ("add", 1.0, "relu" if self.rectified else None, [], None)
        return cast(Tensor, convolve.binary(features, added, weight, bias, *self.geometry, self.groups, *add))


class JoinedResidual(nn.Module):
    """A `Residual` in two passes."""

    def __init__(self, given: Residual) -> None:
        super().__init__()
        self.first = JoinedConvolution(cast(nn.Conv2d, given.first[0]))
        self.second = JoinedConvolution(cast(nn.Conv2d, given.second[0]))
        self.first.rectified = self.second.rectified = True

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.second(self.first(features), features))


class JoinedHead(nn.Module):
    """A `Head` whose logits are float32 and lie class by class, without passes that only put them in order."""

    def __init__(self, given: Head) -> None:
        super().__init__()
        self.classes = given.out_channels // 4
        self.register_buffer("weight", given.weight.detach().flatten(1).bfloat16())
        self.register_buffer("bias", cast(Tensor, given.bias).detach().bfloat16()[:, None])

    def forward(self, features: Tensor) -> Tensor:
        weight, bias = cast(Tensor, self.weight), cast(Tensor, self.bias)
        count, _, height, width = features.shape
        logits = torch.empty(count, self.classes, height, 2, width, 2)
        for each, made in zip(features.bfloat16(), logits, strict=True):
            said = torch.addmm(bias, weight, each.flatten(1)).float().view(self.classes, 2, 2, height, width)
            left, right = said.permute(2, 0, 3, 1, 4)
            torch.complex(left, right, out=torch.view_as_complex(made))  # pairs are laid side by side fastest so
        return logits.view(count, self.classes, 2 * height, 2 * width)


def _is_plain(part: nn.Conv2d) -> bool:
    return part.padding_mode == "zeros" and not isinstance(part.padding, str)


def _take_rectifier_in(parts: nn.Sequential) -> None:
    """Let the convolution of (convolution, nothing, rectifier) do both; nothing is where a normalisation was."""
    first, *between, last = parts
    if isinstance(first, JoinedConvolution) and isinstance(last, nn.ReLU) and _are_nothing(between):
        first.rectified = True
        parts[-1] = nn.Identity()


def _are_nothing(parts: Sequence[nn.Module]) -> bool:
    return all(isinstance(each, nn.Identity) for each in parts)
