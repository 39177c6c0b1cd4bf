"""The network of the public pose models: its size, its names, and the same numbers as timm's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from maskwright.models.hrnet import HRNet, HRNetPose
from maskwright.models.pose_files import expected_shapes


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


@pytest.mark.parametrize(
    ("width", "joints", "backbone", "whole"),
    [(32, 39, 28_535_552, 28_536_839), (48, 17, 63_594_912, 63_595_745)],
)
def test_published_numbers_of_parameters(width: int, joints: int, backbone: int, whole: int) -> None:
    with torch.device("meta"):
        network = HRNetPose(width, joints)
    assert parameters(network.backbone) == backbone
    assert parameters(network) == whole
    assert len(network.backbone.state_dict()) == 1752


def published_names() -> set[str]:
    """The names in mmpose's files, generated from how its layers are counted."""
    pairs = ["conv1 bn1", "conv2 bn2"]
    pairs += [f"layer1.{n}.conv{k} layer1.{n}.bn{k}" for n in range(4) for k in (1, 2, 3)]
    pairs += ["layer1.0.downsample.0 layer1.0.downsample.1", "transition1.0.0 transition1.0.1"]
    pairs += [f"transition{k}.{k}.0.0 transition{k}.{k}.0.1" for k in (1, 2, 3)]
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        for module in range(modules):
            inside = f"stage{stage}.{module}"
            pairs += [f"{inside}.branches.{b}.{n}.conv{k} {inside}.branches.{b}.{n}.bn{k}"
                      for b in range(stage) for n in range(4) for k in (1, 2)]  # fmt: skip
            for i in range(1 if inside == "stage4.2" else stage):
                for j in range(stage):
                    steps = [f"{inside}.fuse_layers.{i}.{j}"] if j > i else []
                    steps += [f"{inside}.fuse_layers.{i}.{j}.{step}" for step in range(i - j)]
                    pairs += [f"{each}.0 {each}.1" for each in steps]
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {f"{pair.split()[0]}.weight" for pair in pairs}
    return names | {f"{pair.split()[1]}.{leaf}" for pair in pairs for leaf in leaves}


def test_names_are_those_of_the_published_files() -> None:
    expected = {f"backbone.{each}" for each in published_names()} | {"head.final_layer.weight", "head.final_layer.bias"}
    assert set(expected_shapes(32, 39)) == expected
    assert expected_shapes(48, 17)["backbone.stage4.0.fuse_layers.0.3.0.weight"] == (48, 384, 1, 1)


def shake(network: nn.Module) -> dict[str, torch.Tensor]:
    """Random weights and batch statistics under which no layer is the identity."""
    generator = torch.Generator().manual_seed(7)
    state = {}
    for key, each in network.state_dict().items():
        noise = torch.randn(each.shape, generator=generator) * (0.1 if each.ndim == 4 else 0.3)
        state[key] = each if not each.is_floating_point() else noise.abs() + 0.5 if "var" in key else noise
    network.load_state_dict(state)
    return state


def test_the_same_numbers_as_timm() -> None:
    timm = pytest.importorskip("timm")
    network = HRNet(32).eval()
    state = shake(network)
    peer = timm.create_model("hrnet_w32", features_only=True, feature_location="", pretrained=False).eval()
    missing, unexpected = peer.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(re.match(r"stage4\.2\.fuse_layers\.[123]\.", each) for each in missing)
    pixels = torch.randn(1, 3, 32, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = network(pixels), peer(pixels)[1]
    assert ours.shape == (1, 32, 8, 24)
    assert ours.std() > 0.1
    assert (ours - theirs).abs().max() == 0


def test_heatmaps_are_a_quarter_of_the_picture_and_every_weight_learns() -> None:
    network = HRNetPose(8, 5)
    heatmaps = network(torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(2)))
    assert heatmaps.shape == (2, 5, 16, 24)
    (heatmaps**2).sum().backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in network.parameters())
    assert sum(bool((each.grad != 0).any()) for each in network.parameters()) == len(list(network.parameters()))
