"""nearest_seed against brute force in float64, to the last bit, with numba and without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from maskwright.arrays import nearest
from maskwright.arrays.nearest import Answer
from maskwright.arrays.seeds import nearest_seed

SHAPE = (20, 60)


def brute(shape: tuple[int, int], rows: ArrayLike, cols: ArrayLike, size: tuple[float, float] = (1, 1)) -> Answer:
    """Every seed against every pixel."""
    row, col = np.arange(shape[0])[:, None, None], np.arange(shape[1])[None, :, None]
    squares = ((row - np.asarray(rows, float)) * size[0]) ** 2 + ((col - np.asarray(cols, float)) * size[1]) ** 2
    return squares.argmin(axis=2).astype(np.int32), np.sqrt(squares.min(axis=2))


@pytest.fixture(params=[True, False], ids=["numba", "plain"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs both ways; where numba is absent both are plain."""
    monkeypatch.setattr(nearest, "HAS_NUMBA", request.param and nearest.HAS_NUMBA)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_equals_brute_force(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 70)))
    place = st.integers(-4, 74).map(lambda n: n / data.draw(st.sampled_from([1, 1, 3])))
    seeds = data.draw(st.lists(st.tuples(place, place), min_size=1, max_size=40))
    size = data.draw(st.sampled_from([(1.0, 1.0), (2.0, 0.5), (0.3, 0.7), (1.0, 100.0)]))
    rows, cols = np.array(seeds, float).T
    index, distance = nearest_seed(shape, rows, cols, pixel_size=size, threads=data.draw(st.sampled_from([1, 2, 3])))
    expected = brute(shape, rows, cols, size)
    np.testing.assert_array_equal(index, expected[0])
    np.testing.assert_array_equal(distance, expected[1])


def test_many_seeds_on_a_lattice_where_ties_are_everywhere() -> None:
    rows, cols = (each.ravel()[::-1] * 2 for each in np.indices((40, 60)))
    index, distance = nearest_seed((80, 120), rows, cols)
    expected = brute((80, 120), rows, cols)
    np.testing.assert_array_equal(index, expected[0])
    np.testing.assert_array_equal(distance, expected[1])


def test_thousands_of_seeds_on_one_pixel_are_one() -> None:
    index, distance = nearest_seed(SHAPE, np.full(50_000, 3), np.full(50_000, 9))
    assert (index == 0).all()
    assert distance[3, 10] == 1.0


def test_seeds_on_a_circle_all_matter_at_its_centre() -> None:
    angles = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    rows, cols = 10 + 9 * np.sin(angles), 30 + 9 * np.cos(angles)
    expected = brute(SHAPE, rows, cols)
    np.testing.assert_array_equal(nearest_seed(SHAPE, rows, cols)[0], expected[0])


def test_region_leaves_the_rest_without_a_seed() -> None:
    region = np.zeros(SHAPE, bool)
    region[4:9, 10:50] = True
    region.setflags(write=False)
    index, distance = nearest_seed(SHAPE, [0, 19], [0, 59], region=region)
    expected = brute(SHAPE, [0, 19], [0, 59])
    np.testing.assert_array_equal(index, np.where(region, expected[0], -1))
    np.testing.assert_array_equal(distance, np.where(region, expected[1], np.inf))
    strided = np.zeros((20, 120), bool)
    strided[:, ::2] = region
    np.testing.assert_array_equal(nearest_seed(SHAPE, [0, 19], [0, 59], region=strided[:, ::2])[0], index)


def test_a_window_is_the_whole_picture_cut() -> None:
    random = np.random.default_rng(1)
    rows, cols = random.random(90) * 20, random.random(90) * 60
    whole = nearest_seed(SHAPE, rows, cols)
    part = nearest_seed((7, 31), rows, cols, origin=(5, 12))
    np.testing.assert_array_equal(part[0], whole[0][5:12, 12:43])
    np.testing.assert_array_equal(part[1], whole[1][5:12, 12:43])


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (1, 1)])
def test_thin_pictures(shape: tuple[int, int]) -> None:
    rows, cols = np.arange(12) * 2.5, np.arange(12) * 2.5
    np.testing.assert_array_equal(nearest_seed(shape, rows, cols)[0], brute(shape, rows, cols)[0])


def test_without_seeds_nobody_knows() -> None:
    index, distance = nearest_seed(SHAPE, [], [])
    assert (index == -1).all()
    assert np.isinf(distance).all()
    assert index.dtype == np.int32


def test_every_pixel_a_seed_is_its_own_nearest() -> None:
    rows, cols = np.indices(SHAPE)
    index, distance = nearest_seed(SHAPE, rows.ravel(), cols.ravel())
    np.testing.assert_array_equal(index.ravel(), np.arange(20 * 60))
    assert not distance.any()


def test_seeds_must_have_a_place_and_regions_the_pictures_size() -> None:
    with pytest.raises(ValueError, match="finite"):
        nearest_seed(SHAPE, [np.nan], [0])
    with pytest.raises(ValueError, match="region"):
        nearest_seed(SHAPE, [0], [0], region=np.ones((60, 20), bool))
    with pytest.raises(ValueError, match="above 0"):
        nearest_seed(SHAPE, [0], [0], pixel_size=(0, 1))
