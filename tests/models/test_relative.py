"""A network that sees windows in their own light: what it is shown, and what makes no difference to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from maskwright.models.networks import Light, network_of, new_network
from maskwright.models.relative import Relative


class Shown(nn.Module):
    """Gives back what it is shown."""

    stride = 1

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels


def test_each_window_is_shown_minus_its_mean_over_its_deviation() -> None:
    pixels = torch.tensor([[[[1.0, 3.0]], [[10.0, 14.0]]]])  # two bands: means 2 and 12, mean square (1 + 4) / 2
    shown = Relative(Shown())(pixels)
    share = 2.5**0.5 + 0.05
    assert torch.allclose(shown, torch.tensor([[[[-1.0, 1.0]], [[-2.0, 2.0]]]]) / share)


def test_another_light_makes_no_difference_and_windows_do_not_mix() -> None:
    random = torch.Generator().manual_seed(0)
    pixels = 4 * torch.randn(2, 3, 12, 20, generator=random)
    brighter = pixels.clone()
    brighter[1] = 40 * pixels[1] + torch.tensor([3.0, -2.0, 7.0])[:, None, None]
    one, other = Relative(Shown())(pixels), Relative(Shown())(brighter)
    assert torch.equal(one[0], other[0])
    assert torch.allclose(one[1], other[1], atol=0.1) and float(one[1].std()) > 0.9


def test_a_window_of_one_colour_stays_calm_and_one_bright_pixel_is_held() -> None:
    flat = torch.full((1, 3, 12, 20), 7.0)
    assert not Relative(Shown())(flat).any()
    flat[0, :, 3, 4] += 1000
    assert float(Relative(Shown())(flat).abs().max()) == 5.0


def test_beside_them_stand_the_pixels_as_they_are() -> None:
    pixels = torch.randn(2, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    shown = Relative(Shown(), beside=True)(pixels)
    assert torch.equal(shown[:, :3], pixels) and torch.equal(shown[:, 3:], Relative(Shown())(pixels))


@pytest.mark.parametrize(("light", "shown"), [("relative", 2), ("both", 4)])
def test_it_is_rebuilt_from_its_record_with_the_network_inside(light: Light, shown: int) -> None:
    made = new_network("unet", 2, 3, width=4, light=light)
    inner = {"kind": "unet", "bands": shown, "classes": 3, "width": 4}
    assert made.architecture == {"kind": "relative", "inner": inner, "beside": light == "both"}
    again = network_of(made.architecture)
    again.load_state_dict(made.network.state_dict())
    pixels = torch.randn(1, 2, 32, 48)
    assert torch.equal(again.eval()(pixels), made.network.eval()(pixels)) and again.stride == 16
