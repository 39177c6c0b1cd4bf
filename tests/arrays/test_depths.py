"""Depths against brute force over all pairs of pixels, to the last unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from maskwright.arrays import depths

small_labels = hnp.arrays(np.int32, st.tuples(st.integers(1, 10), st.integers(1, 17)), elements=st.integers(-1, 2))


@pytest.fixture(params=["compiled", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(depths, "HAS_NUMBA", request.param == "compiled")
    return str(request.param)


def by_brute_force(labels: NDArray[np.int32], edge: bool) -> NDArray[np.int64]:
    height, width = labels.shape
    around = np.full((height + 2, width + 2), -9, np.int64) if edge else None
    world = labels.astype(np.int64) if around is None else around
    if around is not None:
        around[1:-1, 1:-1] = labels
    rows, cols = np.indices(world.shape)
    result = np.full(labels.shape, -1, np.int64)
    for row, col in np.ndindex(labels.shape):
        at = (row + edge, col + edge)
        other = world != world[at]
        if other.any():
            result[row, col] = ((rows - at[0]) ** 2 + (cols - at[1]) ** 2)[other].min()
    return result


@given(labels=small_labels, edge=st.booleans())
@example(labels=np.zeros((1, 1), np.int32), edge=False)
@example(labels=np.zeros((9, 15), np.int32), edge=True)
@settings(max_examples=80, deadline=None)
def test_depths_are_exact(labels: NDArray[np.int32], edge: bool) -> None:
    expected = by_brute_force(labels, edge)
    for has_numba in (depths.HAS_NUMBA, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(depths, "HAS_NUMBA", has_numba)
            np.testing.assert_array_equal(depths.squared_depths(labels, edge_is_outside=edge), expected)


@given(labels=small_labels)
@settings(max_examples=60, deadline=None)
def test_inner_points_are_the_first_of_the_deepest(labels: NDArray[np.int32]) -> None:
    deep = by_brute_force(labels, edge=True)
    points = depths.inner_points(labels, 3)
    for number in range(3):
        inside = np.where(labels == number, deep, -1)
        expected = np.unravel_index(inside.argmax(), inside.shape) if (inside > 0).any() else (-1, -1)
        assert tuple(points[number]) == expected


@given(labels=small_labels)
@settings(max_examples=40, deadline=None)
def test_inner_and_outer_point_are_the_first_of_the_deepest(labels: NDArray[np.int32]) -> None:
    region = labels == 1
    deep, flat = by_brute_force(region.astype(np.int32), edge=True), by_brute_force(region.astype(np.int32), edge=False)
    box = np.zeros_like(region)
    if region.any():
        rows, cols = np.nonzero(region)
        box[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1] = True
    for found, inside, depth in (
        (depths.inner_point(region), region, deep),
        (depths.outer_point(region), box & ~region, flat),
    ):
        best = np.unravel_index(np.where(inside, depth, -2).argmax(), region.shape)
        assert found == (tuple(map(int, best)) if inside.any() else None)


def test_tall_pictures_count_their_steps_in_a_wider_dtype() -> None:
    labels = np.zeros((40_000, 1), np.uint8)
    labels[35_000] = 1
    deep = depths.squared_depths(labels, edge_is_outside=False)
    assert deep[0, 0] == 35_000**2
    assert deep[39_999, 0] == 4_999**2


def test_the_edge_pushes_the_inner_point_away(path: str) -> None:
    region = np.zeros((20, 60), bool)
    region[:, :6] = True
    assert depths.inner_point(region) == (2, 2)


def test_regions_without_an_inner_or_outer_point(path: str) -> None:
    assert depths.inner_point(np.zeros((3, 5), bool)) is None
    assert depths.outer_point(np.zeros((3, 5), bool)) is None
    assert depths.outer_point(np.ones((3, 5), bool)) is None
    assert depths.inner_points(np.zeros((0, 4), np.int32)).shape == (0, 2)


def test_the_outer_point_lies_in_the_box_far_from_the_region(path: str) -> None:
    region = np.zeros((12, 30), bool)
    region[2:10, 5], region[9, 5:25] = True, True
    assert depths.outer_point(region) == (2, 12), "seven steps from the row below and seven from the column"


def test_points_of_strided_read_only_labels(path: str) -> None:
    labels = np.repeat(np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]], np.int16), 2, axis=1)[:, ::2]
    labels.flags.writeable = False
    assert depths.inner_points(labels).tolist() == [[1, 1], [0, 3]]


def test_ignored_pixels_have_no_depth(path: str) -> None:
    assert depths.squared_depths(np.array([[5, 5, 1]]), ignore=5).tolist() == [[0, 0, 1]]
