"""Colours: palettes that stay apart, stretches, the underwater formula by a plain loop, overlays pixel by pixel."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from maskwright.arrays.colour import as_rgb, blend, borders, grey_world, overlay, palette, stretch, underwater


def test_palettes_have_no_twins_and_grow_at_the_end() -> None:
    colours = palette(255)
    assert colours.dtype == np.uint8 and len(np.unique(colours, axis=0)) == 255
    np.testing.assert_array_equal(palette(12), colours[:12])
    assert palette(0).shape == (0, 3)
    with pytest.raises(ValueError, match="255"):
        palette(256)


def test_the_first_colours_stay_apart_without_red_or_green_cones() -> None:
    # Linear light to what protanopes and deuteranopes see (Vienot, Brettel and Mollon 1999).
    lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    protan = np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]])
    deutan = np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]])
    light = (palette(8) / 255) ** 2.2
    for blind in (np.eye(3), protan, deutan):
        seen = np.clip(light @ (np.linalg.inv(lms) @ blind @ lms).T, 0, 1) ** (1 / 2.2) * 255
        apart = np.linalg.norm(seen[:, None] - seen, axis=2)[~np.eye(8, dtype=bool)]
        assert apart.min() > 35


def test_stretch_by_hand_per_channel() -> None:
    pixels = np.zeros((1, 101, 2), np.uint16)
    pixels[0, :, 0] = np.arange(101) * 10
    pixels[0, :, 1] = 7
    shown = stretch(pixels, low=10, high=90)
    assert shown[0, [0, 10, 50, 90, 100], 0].tolist() == [0, 0, 128, 255, 255]
    assert (shown[..., 1] == 128).all()


def test_stretch_passes_over_what_is_not_valid() -> None:
    pixels = np.array([[[0.0], [10], [np.nan], [np.inf], [1000]]])
    valid = np.array([[True, True, True, True, False]])
    assert stretch(pixels, low=0, high=100, valid=valid)[0, :, 0].tolist() == [0, 255, 0, 255, 255]
    assert stretch(np.full((1, 2, 1), np.nan)).tolist() == [[[0], [0]]]
    assert stretch(np.zeros((0, 4, 3))).shape == (0, 4, 3)
    with pytest.raises(ValueError, match="percentiles"):
        stretch(pixels, low=90, high=10)


def test_any_picture_becomes_three_channels() -> None:
    rgba = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(as_rgb(rgba), rgba[..., :3])
    grey = as_rgb(np.arange(6, dtype=np.float32).reshape(1, 3, 2))
    assert grey.shape == (1, 3, 3) and (grey == grey[..., :1]).all() and grey.dtype == np.uint8
    with pytest.raises(ValueError, match="channels"):
        as_rgb(np.zeros((2, 3)))


def test_grey_world_has_equal_means() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.uniform(10, 60, (20, 60, 3)) * [1.0, 0.5, 0.2]
    balanced = grey_world(pixels)
    np.testing.assert_allclose(balanced.mean(axis=(0, 1)), pixels.mean(), rtol=1e-12)
    valid = np.zeros((20, 60), bool)
    valid[:5] = True
    np.testing.assert_allclose(np.ptp(grey_world(pixels, valid=valid)[:5].mean(axis=(0, 1))), 0, atol=1e-12)
    bright = grey_world(np.array([[[250, 100]]], np.uint8))
    assert bright.dtype == np.uint8 and bright.tolist() == [[[175, 175]]]
    assert grey_world(np.zeros((2, 2, 3), np.uint8)).max() == 0
    assert grey_world(np.zeros((0, 2, 3), np.uint8)).shape == (0, 2, 3)


def underwater_by_loops(pixels: np.ndarray) -> np.ndarray:
    """The published formula, one number at a time."""
    count = pixels.shape[0] * pixels.shape[1]
    average = [float(pixels[..., k].sum()) / count for k in range(3)]

    def shift(rgb: list[float], hue: int) -> list[float]:
        u, w = math.cos(hue * math.pi / 180), math.sin(hue * math.pi / 180)
        return [
            (0.299 + 0.701 * u + 0.168 * w) * rgb[0],
            (0.587 - 0.587 * u + 0.330 * w) * rgb[1],
            (0.114 - 0.114 * u - 0.497 * w) * rgb[2],
        ]

    hue, red = 0, average[0]
    while red < 60:
        red = sum(shift(average, hue))
        hue += 1
        if hue > 120:
            break
    histograms = [[0] * 256 for _ in range(3)]
    flat = [[float(value) for value in pixel] for pixel in pixels.reshape(-1, 3)]
    for pixel in flat:
        histograms[0][int(min(max(sum(shift(pixel, hue)), 0), 255))] += 1
        histograms[1][int(pixel[1])] += 1
        histograms[2][int(pixel[2])] += 1
    gains = []
    for histogram in histograms:
        stops = [0, *(level for level in range(256) if histogram[level] < count / 2000 + 2), 255]
        low, high = max(itertools.pairwise(stops), key=lambda pair: pair[1] - pair[0])
        gain = 256 / (high - low)
        gains.append((gain, -low / 256 * gain))
    weights = shift([1, 1, 1], hue)
    out = []
    for r, g, b in flat:
        red = weights[0] * gains[0][0] * r + weights[1] * gains[0][0] * g + 255 * gains[0][1]
        others = [value * gain + 255 * offset for value, (gain, offset) in zip((g, b), gains[1:], strict=True)]
        out.append([int(min(max(value, 0), 255)) for value in (red, *others)])
    return np.array(out, np.uint8).reshape(pixels.shape)


@pytest.mark.parametrize("red", [30, 90])
def test_the_underwater_correction_is_the_published_one(red: int) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.normal([red, 120, 140], [8, 25, 20], (60, 120, 3)).clip(0, 255).astype(np.uint8)
    expected = underwater_by_loops(pixels)
    difference = np.abs(underwater(pixels, least_range=0).astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3  # floats added in another order, then cut
    np.testing.assert_array_equal(underwater(pixels), underwater(pixels, least_range=0))
    assert expected[..., 0].mean() > pixels[..., 0].mean() + 15


def test_a_flat_picture_is_not_blown_up() -> None:
    flat = np.full((50, 50, 3), 90, np.uint8)
    np.testing.assert_array_equal(underwater(flat), flat)
    assert underwater(np.zeros((0, 3, 3), np.uint8)).shape == (0, 3, 3)
    assert underwater(np.zeros((1, 5, 3), np.uint8)).shape == (1, 5, 3)
    with pytest.raises(ValueError, match="uint8"):
        underwater(np.zeros((2, 2, 4), np.uint8))


def test_an_overlay_pixel_by_pixel() -> None:
    pixels = np.full((2, 6, 3), 100, np.uint8)
    ids = np.array([[0, 0, 0, 1, 255, 1]] * 2, np.uint8)
    colours = np.array([[200, 0, 0], [0, 200, 0]], np.uint8)
    plain = overlay(pixels, ids, colours, opacity=0.25, outlines=False)
    assert plain[0, :, 0].tolist() == [125, 125, 125, 75, 100, 75]
    drawn = overlay(pixels, ids, colours, opacity=0.25)
    assert drawn[0, 2].tolist() == [200, 0, 0] and drawn[0, 3].tolist() == [0, 200, 0]
    assert drawn[0, 5].tolist() == plain[0, 5].tolist()  # beside the unknown there is no border
    sure = np.array([[1, 0, 0.5, np.nan, 1, 1]] * 2, np.float32)
    shaded = overlay(pixels, ids, colours, opacity=0.5, confidence=sure, outlines=False)
    assert shaded[0, :, 0].tolist() == [150, 100, 125, 100, 100, 50]
    with pytest.raises(ValueError, match="class 1 has no colour"):
        overlay(pixels, ids, colours[:1])
    unknown = np.full((2, 6), 255, np.uint8)
    np.testing.assert_array_equal(overlay(pixels, unknown, palette(255)), pixels)


def test_borders_go_down_and_across() -> None:
    ids = np.zeros((5, 9), np.uint8)
    ids[2:, 4:] = 1
    expected = np.zeros((5, 9), bool)
    expected[1:3, 4:] = expected[2:, 3:5] = True
    np.testing.assert_array_equal(borders(ids), expected)
    assert borders(np.zeros((1, 1), np.uint8)).tolist() == [[False]]


def test_blend_leaves_its_inputs() -> None:
    below, above = np.full((1, 2, 3), 10, np.uint8), np.full((1, 2, 3), 30, np.uint8)
    below.setflags(write=False)
    assert blend(below, above, np.array([[0.0, 1.0]]))[0, :, 0].tolist() == [10, 30]


def test_pixels_do_not_depend_on_where_in_the_picture_they_are() -> None:
    random = np.random.default_rng(12)
    few = random.integers(0, 256, (30, 50, 3)).astype(np.uint8)
    ids, sure = random.integers(0, 3, (30, 50)).astype(np.uint8), random.random((30, 50))
    many, all_ids, all_sure = np.tile(few, (12, 8, 1)), np.tile(ids, (12, 8)), np.tile(sure, (12, 8))
    np.testing.assert_array_equal(stretch(many, low=0, high=100), np.tile(stretch(few, low=0, high=100), (12, 8, 1)))
    np.testing.assert_array_equal(grey_world(many), np.tile(grey_world(few), (12, 8, 1)))
    mixed = blend(many, many[::-1], all_sure)
    np.testing.assert_array_equal(mixed[-30:, -50:], blend(few, few[::-1], sure))
    laid = overlay(many, all_ids, palette(3), confidence=all_sure, outlines=False)
    np.testing.assert_array_equal(laid[-30:, -50:], overlay(few, ids, palette(3), confidence=sure, outlines=False))
    dark = np.tile(few // 3, (12, 8, 1))
    np.testing.assert_array_equal(underwater(dark)[-30:, -50:], underwater(dark)[:30, :50])


def test_a_channel_that_is_dark_where_valid_is_left_as_it_is() -> None:
    pixels = np.array([[[0, 20], [7, 60]]], np.uint8)
    balanced = grey_world(pixels, valid=np.array([[True, False]]))
    assert balanced.tolist() == [[[0, 10], [7, 30]]]
