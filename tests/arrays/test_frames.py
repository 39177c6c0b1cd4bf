"""Frames on a grid of degrees: planes come back, spacing is the median step, nothing is known outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.frames import degree_grid, haversine_m, interpolate_frames, on_grid, spacing_m

RANDOM = np.random.default_rng(0)
LATITUDE, LONGITUDE = -21.17 + 2e-4 * RANDOM.random(60), 55.28 + 6e-4 * RANDOM.random(60)


@given(turns=st.tuples(st.floats(-80, 80), st.floats(-179, 179), st.floats(-80, 80), st.floats(-179, 179)))
@settings(max_examples=40, deadline=None)
def test_haversine_is_the_angle_between_the_vectors(turns: tuple[float, float, float, float]) -> None:
    def vector(latitude: float, longitude: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        a, b = np.radians([latitude, longitude])
        return np.array([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)])

    first, second = vector(*turns[:2]), vector(*turns[2:])
    angle = np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)
    assert haversine_m(*turns)[()] == pytest.approx(6_371_000 * angle, rel=1e-6, abs=1e-2)


def test_spacing_is_the_median_step_in_the_order_given() -> None:
    steps = haversine_m(LATITUDE[:-1], LONGITUDE[:-1], LATITUDE[1:], LONGITUDE[1:])
    assert spacing_m(LATITUDE, LONGITUDE) == np.median(steps)
    order = np.argsort(LONGITUDE)
    assert spacing_m(LATITUDE[order], LONGITUDE[order]) < spacing_m(LATITUDE, LONGITUDE)
    assert np.isnan(spacing_m(LATITUDE[:1], LONGITUDE[:1]))


@pytest.mark.parametrize("margin", [0, 3])
def test_the_grid_holds_all_frames_in_cells_of_the_size_asked_for(margin: int) -> None:
    shape, transform = degree_grid(LATITUDE, LONGITUDE, 0.8, margin=margin)
    rows, cols = on_grid(LATITUDE, LONGITUDE, transform)
    assert cols.min() == pytest.approx(margin, abs=1e-6) and rows.max() == pytest.approx(
        shape[0] - 1 - margin, abs=1e-6
    )
    assert -1e-6 <= rows.min() - margin < 1 and shape[1] - 2 - margin < cols.max() <= shape[1] - 1 - margin + 1e-6
    middle = LATITUDE.mean(), LONGITUDE.mean()
    assert haversine_m(*middle, middle[0] - transform[4], middle[1])[()] == pytest.approx(0.8, rel=2e-3)
    assert haversine_m(*middle, middle[0], middle[1] + transform[0])[()] == pytest.approx(0.8, rel=2e-3)


def test_a_plane_is_reproduced_inside_the_hull_and_nothing_known_outside() -> None:
    plane = 0.4 + 500 * (LONGITUDE - 55.2803) - 900 * (LATITUDE + 21.1699)
    shape, transform = degree_grid(LATITUDE, LONGITUDE, 0.7)
    scores = interpolate_frames(LATITUDE, LONGITUDE, np.stack([plane, 1 - plane], 1), shape, transform)
    rows, cols = np.indices(shape)
    latitude = transform[5] + transform[4] * (rows + 0.5)
    longitude = transform[2] + transform[0] * (cols + 0.5)
    expected = 0.4 + 500 * (longitude - 55.2803) - 900 * (latitude + 21.1699)
    inside = ~np.isnan(scores[0])
    np.testing.assert_allclose(scores[0][inside], expected[inside], atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=0)[inside], 1, atol=1e-6)
    from scipy.spatial import Delaunay

    hull = Delaunay(np.column_stack([LATITUDE, LONGITUDE]) - [-21.17, 55.28])
    found = hull.find_simplex(np.stack([latitude + 21.17, longitude - 55.28], -1)) >= 0
    assert (found != inside).sum() <= 2 and 0.3 < inside.mean() < 0.95


def test_four_corners() -> None:
    latitude, longitude = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    scores = np.array([[0.0], [1.0], [1.0], [2.0]])
    transform = (0.25, 0.0, -0.125, 0.0, -0.25, 1.125)
    value = interpolate_frames(latitude, longitude, scores, (5, 5), transform)
    assert value[0, 3, 1] == pytest.approx(0.5)  # latitude 0.25, longitude 0.25


def test_reach_and_edge_are_metres_from_the_nearest_frame() -> None:
    latitude, longitude = np.array([0.0, 0.0, 1e-4, 1e-4]), np.array([0.0, 4e-4, 0.0, 4e-4])
    scores = np.array([[0.1], [0.9], [0.1], [np.nan]])
    shape, transform = degree_grid(latitude, longitude, 1.0, margin=4)
    plain = interpolate_frames(latitude, longitude, scores, shape, transform)[0]
    edged = interpolate_frames(latitude, longitude, scores, shape, transform, beyond_m=3.2)[0]
    near = interpolate_frames(latitude, longitude, scores, shape, transform, reach_m=5.0)[0]
    assert edged[-5, 1] == np.float32(0.1) and np.isnan(edged[-5, 0]) and np.isnan(plain[-5, 1])
    np.testing.assert_array_equal(edged[~np.isnan(plain)], plain[~np.isnan(plain)])
    assert np.isnan(near[-5, 4 + 22]) and near[-5, 4 + 4] == pytest.approx(0.1 + 0.8 * 4 / 44.5, abs=1e-2)
