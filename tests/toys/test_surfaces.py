"""Noise, light and bodies: what toys are painted with does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.toys.anatomy import JOINTS, PARTS, grow
from maskwright.toys.light import cast_shadow, moved, over, relief, tint
from maskwright.toys.noise import blur, cells, fractal, ramp
from maskwright.toys.places import degrees
from maskwright.toys.scenes import stream


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_fractal_has_mean_0_deviation_1_and_the_scale_asked_for() -> None:
    def likeness(field: np.ndarray, step: int) -> float:
        return float(np.corrcoef(field[:, :-step].ravel(), field[:, step:].ravel())[0, 1])

    fine, coarse = (fractal((60, 200), random(), scale) for scale in (4.0, 50.0))
    for field in (fine, coarse):
        assert field.dtype == np.float32 and field.shape == (60, 200)
        np.testing.assert_allclose([field.mean(), field.std()], [0, 1], atol=1e-4)
    assert likeness(coarse, 8) > 0.6 > 0.2 > likeness(fine, 8)


def test_cells_are_deep_in_their_middle_and_0_at_their_borders() -> None:
    which, depth = cells((40, 90), random(), 9.0)
    assert 15 < len(np.unique(which)) < 200
    assert depth.min() >= 0
    border = which[:, 1:] != which[:, :-1]
    assert np.minimum(depth[:, 1:], depth[:, :-1])[border].max() < 2.5
    assert depth.max() > 4


def test_ramp_and_blur() -> None:
    values = np.linspace(0, 1, 21, dtype=np.float32)[None]
    assert np.all(np.diff(ramp(values, 0.25, 0.75)) >= 0)
    step = np.repeat(np.float32([[0, 1]]), 10, axis=1)
    np.testing.assert_array_equal(blur(step, 0), step)
    assert np.abs(np.diff(blur(step, 2.0))).max() < 0.3


def test_moved_moves_down_and_right() -> None:
    field = np.zeros((5, 9), np.float32)
    field[1, 2] = 1
    assert np.argwhere(moved(field, 2, 3) == 1).tolist() == [[3, 5]]


def test_relief_is_bright_towards_the_sun_and_1_where_flat() -> None:
    slope = np.repeat(np.arange(12, dtype=np.float32)[None], 6, axis=0)
    flat = relief(np.zeros((6, 12), np.float32))
    np.testing.assert_allclose(flat, 1)
    right_sun = (0.0, 0.7, 0.7)
    assert relief(-slope, sun=right_sun).mean() > 1 > relief(slope, sun=right_sun).mean()


def test_shadows_fall_away_from_what_is_high() -> None:
    wall = np.zeros((30, 60), np.float32)
    wall[:, 20:24] = 15
    light = cast_shadow(wall, towards=(0.0, 1.0))
    assert light[15, 30] < 0.7
    assert light[15, 10] == 1
    assert light[15, 50] == 1


def test_tint_and_over_mix() -> None:
    share = np.array([[0.0, 0.5, 1.0]], np.float32)
    mixed = tint((0, 0, 0), share, (1, 0.5, 0))
    np.testing.assert_allclose(mixed[0], [[0, 0, 0], [0.5, 0.25, 0], [1, 0.5, 0]])
    np.testing.assert_allclose(over(mixed, np.ones_like(mixed), share)[0, 2], 1)


def test_bodies_have_all_parts_and_turn_about_the_upright() -> None:
    body = grow(stream(0, "body"))
    assert {limb.part for limb in body.limbs} == set(PARTS)
    assert set(body.joints) == {name for name in JOINTS if "antler" not in name}
    side, other = body.turned(0.0, 0.0), body.turned(np.pi, 0.0)
    for name in body.joints:
        np.testing.assert_allclose(side.joints[name] * (1, -1, -1), other.joints[name], atol=1e-12)
    assert side.joints["nose"][1] < side.joints["tail_base"][1]
    assert side.joints["body_middle_left"][2] > side.joints["body_middle_right"][2]
    assert side.joints["front_left_paw"][0] > side.joints["back_base"][0]


def test_moving_a_body_scales_places_and_radii_alike() -> None:
    body = grow(stream(0, "body")).turned(0.3, 0.1)
    big = body.moved(50.0, np.array([10.0, 20.0]))
    assert big.scale == 50
    for small, large in zip(body.limbs, big.limbs, strict=True):
        np.testing.assert_allclose(large.radii, 50 * small.radii)
        np.testing.assert_allclose(large.places, 50 * small.places + (10, 20, 0))


def test_degrees_are_those_of_proj() -> None:
    pyproj = pytest.importorskip("pyproj", reason="the extra geo brings pyproj")
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(2e5, 8e5, 7), np.linspace(1.2e6, 9.9e6, 9)))
    expected = pyproj.Transformer.from_crs(32740, 4326).transform(x, y)
    np.testing.assert_allclose(degrees(x, y, zone=40, south=True), expected, rtol=0, atol=1e-8)
