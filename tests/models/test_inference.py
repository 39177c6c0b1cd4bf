"""Networks made ready to be asked: joined convolutions say what the plain ones say, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from maskwright.models import inference
from maskwright.models.inference import JoinedConvolution, can_join, folded, joined, ready
from maskwright.models.networks import network_of, new_network
from maskwright.models.processors import autocast
from maskwright.models.unet import Head, Residual

CPU = torch.device("cpu")
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("unet", {"width": 8}),
    ("unet", {"width": 8, "light": "both"}),
    ("smp", {"backbone": "resnet18"}),
    ("smp", {"backbone": "mobilenet_v2", "decoder": "fpn"}),
]

needs_joining = pytest.mark.skipif(not can_join(), reason="oneDNN does not convolve bfloat16 on this processor")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _trained(kind: str, **settings: Any) -> nn.Module:
    """A network whose normalisations have seen something."""
    torch.manual_seed(0)
    network = new_network(kind, 3, 4, **settings).network.train()  # type: ignore[arg-type]
    with torch.no_grad():
        network(torch.randn(2, 3, 64, 64))
    return network.eval()


def _asked(network: nn.Module, pixels: torch.Tensor, precision: str = "bfloat16") -> torch.Tensor:
    with torch.inference_mode(), autocast(CPU, precision):
        return network(pixels.to(memory_format=torch.channels_last)).float()


@needs_joining
@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_joined_networks_say_what_plain_ones_say(kind: str, settings: dict[str, Any]) -> None:
    trained, pixels = _trained(kind, **settings), torch.randn(2, 3, 64, 96)
    exact = _asked(trained, pixels, "float32")
    plain, ours = _asked(folded(trained), pixels), _asked(ready(trained, CPU, "bfloat16"), pixels)
    off = (plain - exact).abs()
    assert (ours - exact).abs().mean() < 1.2 * off.mean()
    assert (ours - plain).abs().max() <= 2 * off.max()


@needs_joining
def test_joined_parts_are_exact_where_nothing_is_added() -> None:
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Conv2d(5, 7, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(7), nn.ReLU())
    parts[1].running_mean.normal_()
    parts.eval()
    ours, pixels = ready(parts, CPU, "bfloat16"), torch.randn(1, 5, 9, 12)
    assert isinstance(ours[0], JoinedConvolution) and ours[0].rectified
    assert not any(isinstance(each, nn.ReLU | nn.BatchNorm2d) for each in ours)
    assert torch.equal(_asked(ours, pixels), _asked(folded(parts), pixels))


@needs_joining
def test_a_joined_residual_adds_before_it_rectifies() -> None:
    torch.manual_seed(0)
    part, pixels = Residual(16).eval(), torch.randn(1, 16, 8, 8)
    ours = joined(nn.Sequential(folded(part)))
    with torch.inference_mode():
        exact = part(pixels)
    assert (exact == 0).any() and (exact > 1).any()
    assert torch.allclose(_asked(ours, pixels.bfloat16()), exact, atol=0.05)


@needs_joining
def test_a_joined_head_puts_logits_where_the_plain_one_does() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(Head(6, 3)).eval()
    ours, features = joined(folded(network)), torch.randn(2, 6, 5, 8)
    assert ours[0](features).is_contiguous()
    assert torch.equal(_asked(ours, features), _asked(network, features))


@needs_joining
def test_a_rectifier_further_on_stays() -> None:
    """Somebody may ask such a row for what lies between its parts."""
    parts = joined(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU()))
    assert isinstance(parts[1], nn.ReLU) and isinstance(parts[3], nn.ReLU)
    pair = joined(nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.ReLU()))
    assert isinstance(pair[2], nn.ReLU)


@needs_joining
def test_convolutions_of_a_kind_of_their_own_stay() -> None:
    class Own(nn.Conv2d):
        pass

    mirrored = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")
    network = joined(nn.Sequential(Own(3, 3, 1), mirrored, nn.Conv2d(3, 3, 3, padding="same")))
    assert not any(isinstance(each, JoinedConvolution) for each in network)


def test_without_onednn_or_in_float32_networks_are_only_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, pixels = _trained("unet", width=8), torch.randn(1, 3, 32, 32)
    full = ready(trained, CPU, "float32")
    assert not any(isinstance(each, JoinedConvolution) for each in full.modules())
    assert torch.equal(_asked(full, pixels, "float32"), _asked(folded(trained), pixels, "float32"))
    monkeypatch.setattr(inference, "can_join", lambda: False)
    half = ready(trained, CPU, "bfloat16")
    assert not any(isinstance(each, JoinedConvolution) for each in half.modules())


def test_the_trained_network_is_left_alone() -> None:
    trained = _trained("unet", width=8)
    before = {key: each.clone() for key, each in trained.state_dict().items()}
    ready(trained, CPU, "bfloat16")
    assert before.keys() == trained.state_dict().keys()
    assert all(torch.equal(each, trained.state_dict()[key]) for key, each in before.items())


def test_folding_normalisations_changes_nothing_but_rounding() -> None:
    trained, pixels = _trained("unet", width=8), torch.randn(1, 3, 32, 48)
    with torch.inference_mode():
        assert torch.allclose(trained(pixels), folded(trained)(pixels), atol=1e-4)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in folded(trained).modules())


def test_what_is_ready_keeps_its_stride() -> None:
    for record in ({"kind": "unet", "bands": 3, "classes": 2, "width": 8},):
        for light in (record, {"kind": "relative", "inner": record, "beside": False}):
            assert ready(network_of(light), CPU, "bfloat16").stride == 16
