"""Footprints by hand, and tiles against shapely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.footprints import area, clip_to_box, combine, covered_share, footprints


def attitude(track: float = 0, pitch: float = 0, roll: float = 0, altitude: float = 1) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([[track, pitch, roll, altitude]], float)


def test_straight_down_from_one_metre_ninety_degrees_see_two_by_two_metres() -> None:
    corners = footprints(attitude(), fov_across_deg=90, fov_along_deg=90)[0]
    assert area(corners) == pytest.approx(4) and np.abs(corners).max() == pytest.approx(1)
    high = footprints(attitude(altitude=3), fov_across_deg=90, fov_along_deg=90)[0]
    np.testing.assert_allclose(high, 3 * corners)


def test_the_long_side_follows_the_track() -> None:
    north, east = np.ptp(footprints(attitude(), fov_across_deg=60, fov_along_deg=100)[0], axis=0)
    assert north == pytest.approx(2 * np.tan(np.radians(50))) and east == pytest.approx(2 * np.tan(np.radians(30)))
    turned = np.ptp(footprints(attitude(track=90), fov_across_deg=60, fov_along_deg=100)[0], axis=0)
    np.testing.assert_allclose(turned, (east, north))
    diagonal = footprints(attitude(track=45), fov_across_deg=10, fov_along_deg=10)[0]
    assert diagonal[0] == pytest.approx((0, np.sqrt(2) * np.tan(np.radians(5))))  # front right: due east


def test_roll_shifts_the_picture_sideways_and_pitch_along() -> None:
    rolled = footprints(attitude(roll=20), fov_across_deg=40, fov_along_deg=40)[0]
    edges = np.tan(np.radians([0, 40]))  # across from straight down to 40 degrees
    assert sorted({round(each, 9) for each in np.abs(rolled[:, 1])}) == pytest.approx(edges, abs=1e-9)
    pitched = footprints(attitude(pitch=20), fov_across_deg=40, fov_along_deg=40)[0]
    assert sorted({round(each, 9) for each in np.abs(pitched[:, 0])}) == pytest.approx(edges, abs=1e-9)


def test_above_the_horizon_or_below_the_ground_nothing_is_seen() -> None:
    flat = np.concatenate([attitude(pitch=60), attitude(altitude=0), attitude(altitude=np.nan), attitude()])
    seen = np.isfinite(footprints(flat, fov_across_deg=90, fov_along_deg=90)).all(axis=(1, 2))
    assert seen.tolist() == [False, False, False, True]


@given(
    track=st.floats(0, 360), pitch=st.floats(-20, 20), roll=st.floats(-20, 20),
    low=st.tuples(st.floats(-2, 1), st.floats(-2, 1)), size=st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_part_in_a_tile_as_shapely_cuts_it(
    track: float, pitch: float, roll: float, low: tuple[float, float], size: tuple[float, float]
) -> None:
    shapely = pytest.importorskip("shapely")
    corners = footprints(attitude(track, pitch, roll), fov_across_deg=80, fov_along_deg=60)[0]
    high = low[0] + size[0], low[1] + size[1]
    box = shapely.box(*low, *high)
    expected = shapely.Polygon(corners).intersection(box).area
    part = clip_to_box(corners, low, high)
    assert area(part) == pytest.approx(expected, abs=1e-9)
    assert covered_share([part], low, high) == pytest.approx(expected / box.area, abs=0.04)


def test_probabilities_of_two_frames() -> None:
    half = np.array([0.5, 0.5])
    assert combine(np.array([[0.8], [0.4]]), half) == pytest.approx([0.52])
    assert combine(np.array([[1.0], [1.0]]), half) == pytest.approx([0.75])
    np.testing.assert_allclose(combine(np.array([[0.8, np.nan], [np.nan, np.nan]]), half), [0.4, np.nan])
    assert covered_share([], (0, 0), (1, 1)) == 0
