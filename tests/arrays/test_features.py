"""Features of pixels: what they see, how far they look, and what unknown pixels do to them."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays.features import margin, pixel_features


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_a_window_with_its_margin_gives_what_the_whole_gives() -> None:
    pixels, scales = noise(60, 140), (1.0, 2.0)
    reach = margin(scales)
    whole = pixel_features(pixels, scales=scales)[:, 60:70]
    part = pixel_features(pixels[:, 60 - reach : 70 + reach], scales=scales)[:, reach:-reach]
    np.testing.assert_allclose(part, whole, atol=2e-3)
    nearer = pixel_features(pixels[:, 57:73], scales=scales)[:, 3:-3]
    assert np.abs(nearer - whole).max() > 1


def test_colours_of_three_channels_know_brightness_from_hue() -> None:
    pixels = np.full((9, 20, 3), (10, 40, 70), np.uint8)
    brighter = pixels + np.uint8(50)
    first, second = (pixel_features(each, scales=(1.0,))[4, 10, :3] for each in (pixels, brighter))
    assert first.tolist() == [40, -30, 45]
    assert second.tolist() == [90, -30, 45]


def test_ridges_blobs_and_edges_are_told_apart() -> None:
    rows, cols = np.indices((41, 81)) - np.array([20, 40])[:, None, None]
    ridge, blob, edge = np.exp(-(cols**2) / 18.0), np.exp(-(cols**2 + rows**2) / 18.0), (cols > 0) * 1.0
    soft, relief, _, slope, high, low = range(1, 7)
    of = {name: pixel_features((100 * each)[..., None], scales=(3.0,))[20, 40]
          for name, each in (("ridge", ridge), ("blob", blob), ("edge", edge))}  # fmt: skip
    assert of["ridge"][low] < -10 and abs(of["ridge"][high]) < 1
    assert of["blob"][low] < -10 and of["blob"][high] < -10
    assert of["edge"][slope] > 20 > 5 * of["ridge"][slope]
    assert of["blob"][relief] > 0 < of["blob"][soft]


def test_unknown_pixels_lend_nothing_and_are_nothing() -> None:
    pixels = np.full((12, 30, 2), 80, np.float32)
    valid = np.ones((12, 30), bool)
    valid[:, 20:] = False
    pixels[:, 20:] = 1e6
    pixels[3, 3] = np.nan
    features = pixel_features(pixels, valid=valid)
    assert np.isfinite(features).all()
    flat = pixel_features(np.full((12, 30, 2), 80, np.float32))
    known = valid.copy()
    known[3, 3] = False
    np.testing.assert_allclose(features[known], flat[known], atol=0.1)  # the root of a rounding error is a grain
    assert not features[~known].any()


@pytest.mark.parametrize(("channels", "count"), [(1, 1 + 2 * 6), (3, 3 + 2 * 8), (5, 6 + 2 * 11)])
def test_count_of_features(channels: int, count: int) -> None:
    assert pixel_features(noise(5, 8, channels), scales=(1, 2)).shape == (5, 8, count)
    assert pixel_features(noise(0, 8, channels), scales=(1, 2)).shape == (0, 8, count)
    assert pixel_features(noise(1, 1, channels), scales=(1, 2)).shape == (1, 1, count)


def test_wrong_input_says_so() -> None:
    with pytest.raises(ValueError, match="real"):
        pixel_features(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="above 0"):
        pixel_features(noise(3, 4), scales=(0,))
