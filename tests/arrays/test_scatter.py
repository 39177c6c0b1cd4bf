"""Scattered scores to a grid: planes, scipy, brute force, and with numba as without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import griddata

from maskwright.arrays import neighbours, scatter, triangles
from maskwright.arrays.scatter import (
    inside_hull,
    interpolate_inverse_distance,
    interpolate_linear,
    interpolate_nearest,
)

SHAPE = (20, 60)


@pytest.fixture(params=["numba", "plain"])
def either_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "numba" and not triangles.HAS_NUMBA:
        pytest.skip("numba is not here")
    if request.param == "plain":
        monkeypatch.setattr(triangles, "HAS_NUMBA", False)
        monkeypatch.setattr(neighbours, "HAS_NUMBA", False)
    yield request.param


def scattered(count: int, channels: int, state: int, *, lattice: bool = False) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(state)
    rows, cols = rng.uniform(-3, 23, count), rng.uniform(-3, 63, count)
    if lattice:
        rows, cols = np.round(rows / 4) * 4, np.round(cols / 4) * 4
    return rows, cols, rng.random((count, channels))


def test_the_four_corner_example(either_path: str) -> None:
    grid = interpolate_linear([0, 0, 4, 4], [0, 4, 0, 4], np.array([0, 1, 1, 2.0]), (5, 5))
    assert grid[1, 1] == 0.5
    row, col = np.indices((5, 5))
    np.testing.assert_allclose(grid, (row + col) / 4, atol=1e-15)


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("pixel_size", [(1.0, 1.0), (1.0, 0.2)])
def test_a_plane_is_reproduced_inside_the_hull_and_nothing_outside(
    lattice: bool, pixel_size: tuple[float, float], either_path: str
) -> None:
    rows, cols, _ = scattered(80, 1, 0, lattice=lattice)
    grid = interpolate_linear(rows, cols, 3 + 0.25 * rows - 0.5 * cols, SHAPE, pixel_size=pixel_size)
    row, col = np.indices(SHAPE)
    inside = ~np.isnan(grid)
    np.testing.assert_allclose(grid[inside], (3 + 0.25 * row - 0.5 * col)[inside], atol=1e-12)
    expected = griddata((rows, cols), rows, (row, col), "linear")
    np.testing.assert_array_equal(inside, ~np.isnan(expected))
    np.testing.assert_array_equal(inside, inside_hull(rows, cols, SHAPE))


def test_linear_equals_scipy_on_random_places(either_path: str) -> None:
    for state in range(5):
        rows, cols, values = scattered(150, 3, state)
        expected = griddata((rows, cols), values, tuple(np.indices(SHAPE)), "linear")
        np.testing.assert_allclose(
            interpolate_linear(rows, cols, values, SHAPE), expected.transpose(2, 0, 1), atol=1e-9
        )


def test_triangles_stretch_with_the_pixel(either_path: str) -> None:
    # A rhombus is cut along its shorter diagonal, which depends on how long a step is.
    rows, cols, values = [0, 2, 2, 4], [4, 0, 8, 4], np.array([0.0, 1, 1, 0])
    assert interpolate_linear(rows, cols, values, (5, 9))[2, 4] == 0
    assert interpolate_linear(rows, cols, values, (5, 9), pixel_size=(4.0, 1.0))[2, 4] == 1


def test_thin_triangles_stay_within_their_corners(either_path: str) -> None:
    rng = np.random.default_rng(3)
    rows = np.concatenate([[10, 10], 10 + rng.normal(0, 1e-7, 200)])
    cols = np.concatenate([[0, 59], rng.uniform(0, 59, 200)])
    grid = interpolate_linear(rows, cols, rng.random(202), SHAPE)
    known = grid[~np.isnan(grid)]
    assert known.size and known.min() >= 0 and known.max() <= 1


def test_no_pixel_falls_between_triangles(either_path: str) -> None:
    for state in range(5):
        rows, cols, _ = scattered(300, 1, state, lattice=state % 2 == 0)
        inside = inside_hull([*rows, -9, -9, 29, 29], [*cols, -9, 69, -9, 69], SHAPE)
        assert inside.all()


@pytest.mark.parametrize("kernel", [interpolate_linear, interpolate_inverse_distance, interpolate_nearest])
def test_both_paths_and_any_threads_give_the_same_bits(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (200, 90)
    for state in range(3):
        rows, cols, values = scattered(70, 2, state, lattice=state == 1)
        rows *= 9
        one = kernel(rows, cols, values, shape)
        np.testing.assert_array_equal(kernel(rows, cols, values, shape, threads=3), one)
        with monkeypatch.context() as patch:
            patch.setattr(triangles, "HAS_NUMBA", False)
            patch.setattr(neighbours, "HAS_NUMBA", False)
            np.testing.assert_array_equal(kernel(rows, cols, values, shape), one)


@pytest.mark.parametrize("near", [1, 5000, 1 << 20])
def test_strips_are_cleared_of_whatever_was_there_and_change_no_bit(near: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (200, 90)
    rows, cols, values = scattered(70, 3, 8)
    rows, cols = rows * 7 + 20, cols + 11
    with monkeypatch.context() as patch:
        patch.setattr(triangles, "HAS_NUMBA", False)
        plain = interpolate_linear(rows, cols, values, shape)
    monkeypatch.setattr(triangles, "NEAR", near)
    np.testing.assert_array_equal(interpolate_linear(rows, cols, values, shape), plain)
    assert np.isnan(plain[:, 0]).all() and np.isnan(plain[:, :, 0]).all()
    corners = np.array([[3.0, 4], [90, 80], [150, 7]])
    triangle = triangles.uppermost_first(np.array([[2, 0, 1]], np.int32), corners)
    dirty, clean = np.full((3, 200, 90), 7.0), np.full((3, 200, 90), np.nan)
    triangles.paint_triangles(dirty, corners, values[:3], triangle, 0)
    monkeypatch.setattr(triangles, "HAS_NUMBA", False)
    triangles.paint_triangles(clean, corners, values[:3], triangle, 0)
    np.testing.assert_array_equal(dirty, clean)
    assert np.isnan(dirty[0]).sum() > 9000


def test_channels_that_know_the_same_places_are_painted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, cols, values = scattered(40, 4, 4)
    values[3, [0, 2]] = np.nan
    painted = []
    monkeypatch.setattr(scatter, "_paint_slabs", lambda out, *_: painted.append(len(out)) or out.fill(len(out)))
    grid = interpolate_linear(rows, cols, np.column_stack([values, np.full(40, np.nan)]), SHAPE)
    assert painted == [2, 2]
    assert (grid[:4] == 2).all() and np.isnan(grid[4]).all()


def test_places_that_coincide_are_averaged_by_linear(either_path: str) -> None:
    for rows, cols, values in (
        ([0, 0, 0, 4], [0, 0, 4, 0], [1.0, 3, 2, 2]),
        ([0, 4, 0, -0.0], [0, 0, 4, 0], [1.0, 2, 2, 3]),
    ):
        grid = interpolate_linear(rows, cols, np.array(values), (5, 5))
        assert grid[0, 0] == 2
        assert grid[0, 2] == 2


def test_places_on_one_line_span_no_area(either_path: str) -> None:
    diagonal = interpolate_linear([0, 2, 4], [0, 4, 8], np.array([0.0, 1, 0]), (6, 10))
    assert {(r, c): diagonal[r, c] for r, c in np.argwhere(~np.isnan(diagonal)).tolist()} == pytest.approx(
        {(0, 0): 0, (1, 2): 0.5, (2, 4): 1, (3, 6): 0.5, (4, 8): 0}
    )
    np.testing.assert_allclose(
        interpolate_linear([0, 0], [1, 3], np.array([1.0, 3]), (1, 5))[0], [np.nan, 1, 2, 3, np.nan]
    )
    np.testing.assert_allclose(
        interpolate_linear([1, 3], [0, 0], np.array([1.0, 3]), (5, 1))[:, 0], [np.nan, 1, 2, 3, np.nan]
    )
    lonely = interpolate_linear([1, 1], [2, 2], np.array([1.0, 3]), (3, 4))
    assert np.argwhere(~np.isnan(lonely)).tolist() == [[1, 2]] and lonely[1, 2] == 2


@pytest.mark.parametrize("kernel", [interpolate_linear, interpolate_inverse_distance, interpolate_nearest])
def test_no_places_no_pixels_and_wrong_input(kernel: Any, either_path: str) -> None:
    nothing = kernel([], [], np.zeros((0, 2)), (3, 4))
    assert nothing.shape == (2, 3, 4) and np.isnan(nothing).all()
    assert np.isnan(kernel([], [], np.zeros(0), (3, 4))).all()
    assert kernel([0, 1, 0], [0, 0, 2], np.zeros((3, 0)), (3, 4)).shape == (0, 3, 4)
    for values, rows, words in (
        (np.zeros(2), [0, 1, 2], "places need values"),
        (np.array([0, np.inf, 0]), [0, 1, 2], "infinite"),
        (np.zeros(3), [0, np.nan, 1], "finite"),
    ):
        with pytest.raises(ValueError, match=words):
            kernel(rows, [0, 1, 0], values, (3, 4))
    with pytest.raises(ValueError, match="pixel_size"):
        kernel([0], [0], np.zeros(1), (3, 4), pixel_size=(0.0, 1.0))


@pytest.mark.parametrize("kernel", [interpolate_linear, interpolate_inverse_distance, interpolate_nearest])
def test_a_nan_value_is_as_if_its_place_were_not_there(kernel: Any, either_path: str) -> None:
    rows, cols, values = scattered(40, 3, 4)
    values[5, 0] = values[6, 2] = values[7, 2] = np.nan
    grid = kernel(rows, cols, values, SHAPE)
    for channel in range(3):
        kept = ~np.isnan(values[:, channel])
        np.testing.assert_array_equal(grid[channel], kernel(rows[kept], cols[kept], values[kept, channel], SHAPE))


@pytest.mark.parametrize("kernel", [interpolate_linear, interpolate_inverse_distance, interpolate_nearest])
def test_dtypes_and_layouts(kernel: Any) -> None:
    rows, cols, values = scattered(40, 2, 5)
    expected = kernel(rows, cols, values, SHAPE)
    wide = np.repeat(values, 2, axis=1)[:, ::2]
    wide.setflags(write=False)
    np.testing.assert_array_equal(kernel(rows, cols, wide, SHAPE), expected)
    np.testing.assert_array_equal(kernel(rows, cols, values[:, 0], SHAPE), expected[0])
    assert expected.dtype == np.float64
    for dtype in (np.float32, np.uint8, bool):
        cast = (values * 2).astype(dtype)
        grid = kernel(rows, cols, cast, SHAPE)
        assert grid.dtype == np.float32
        np.testing.assert_allclose(grid, kernel(rows, cols, cast.astype(np.float64), SHAPE), rtol=1e-5, atol=1e-6)


def brute(rows: Any, cols: Any, values: Any, shape: Any, count: int, power: float, reach: float, step: Any) -> Any:
    """Inverse distance by its definition, pixel by pixel."""
    out = np.full((values.shape[1], *shape), np.nan)
    for row, col in np.ndindex(*shape):
        square = ((row - rows) * step[0]) ** 2 + ((col - cols) * step[1]) ** 2
        near = np.argsort(square, kind="stable")[:count]
        near = near[square[near] <= reach**2]
        if (square[near] == 0).any():
            out[:, row, col] = values[near[square[near] == 0]].mean(axis=0)
        elif len(near):
            out[:, row, col] = np.average(values[near], axis=0, weights=square[near] ** (-power / 2))
    return out


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 15),
    st.sampled_from([1.0, 2.0, 3.5]),
    st.sampled_from([np.inf, 8.0]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_inverse_distance_equals_its_definition(
    count: int, near: int, power: float, reach: float, lattice: bool, state: int
) -> None:
    rng = np.random.default_rng(state)
    rows, cols = rng.uniform(-2, 13, count), rng.uniform(-2, 25, count)
    if lattice:  # many ties, many coinciding places
        rows, cols = rows.round(), cols.round()
    values, shape, step = rng.random((count, 2)), (11, 23), (1.0, 0.5)
    options = {"neighbours": near, "power": power, "reach": reach, "pixel_size": step}
    expected = brute(rows, cols, values, shape, near, power, reach, np.array(step))
    np.testing.assert_allclose(interpolate_inverse_distance(rows, cols, values, shape, **options), expected, atol=1e-12)


def test_ties_beyond_the_places_asked_for_go_to_the_first(either_path: str) -> None:
    # 40 places on a ring around pixel (10, 30), all exactly 5 or more away: 12 whole-number ones exactly 5.
    ring = [(0, 5), (0, -5), (5, 0), (-5, 0), (3, 4), (3, -4), (-3, 4), (-3, -4), (4, 3), (4, -3), (-4, 3), (-4, -3)]
    rows, cols = (np.array([each[k] for each in ring * 3], float) for k in (0, 1))
    values = np.arange(36.0)
    grid = interpolate_inverse_distance(rows + 10, cols + 30, values, SHAPE, neighbours=4)
    assert grid[10, 30] == pytest.approx(values[:4].mean())
    one = interpolate_inverse_distance(rows + 10, cols + 30, values, SHAPE, neighbours=1)
    assert one[10, 30] == 0


def test_a_crowd_in_one_corner_is_searched_as_exactly(either_path: str) -> None:
    rng = np.random.default_rng(6)
    rows, cols, values = rng.normal(2, 0.3, 300), rng.normal(3, 0.3, 300), rng.random((300, 1))
    grid = interpolate_inverse_distance(rows, cols, values, SHAPE, neighbours=5)
    np.testing.assert_allclose(grid, brute(rows, cols, values, SHAPE, 5, 2.0, np.inf, np.ones(2)), atol=1e-12)


def test_nearest_takes_the_first_of_equals() -> None:
    assert interpolate_nearest([0, 0, 0], [0, 2, 2], np.array([1.0, 2, 3]), (1, 4)).tolist() == [[1, 1, 2, 2]]


def test_tall_pictures_are_painted_in_bands_that_nobody_sees() -> None:
    random = np.random.default_rng(5)
    rows, cols, values = random.random(9) * 700, random.random(9) * 20, random.random(9)
    away = (np.arange(700)[:, None, None] - rows) ** 2 + (np.arange(20)[None, :, None] - cols) ** 2
    np.testing.assert_array_equal(interpolate_nearest(rows, cols, values, (700, 20)), values[away.argmin(axis=2)])
    linear = interpolate_linear(rows, cols, values, (700, 20))
    np.testing.assert_array_equal(inside_hull(rows, cols, (700, 20)), np.isfinite(linear))
    on_line = inside_hull([100, 500], [4, 4], (700, 20))
    assert on_line[100:501, 4].all()
    assert on_line.sum() == 401


def test_a_place_as_far_as_the_reach_counts(either_path: str) -> None:
    found = interpolate_inverse_distance([0], [0], np.array([7.0]), (1, 4), reach=2.0)
    np.testing.assert_array_equal(found, [[7, 7, 7, np.nan]])
