"""Halves of pictures: against counting by hand, the same with and without numba."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays import halve
from maskwright.arrays.halve import halved_ids, halved_numbers


@pytest.fixture(params=[True, False], ids=["compiled", "plain"])
def either_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not halve.HAS_NUMBA:
        pytest.skip("numba is not installed, or switched off")
    monkeypatch.setattr(halve, "HAS_NUMBA", request.param)


def blocks(array: NDArray[Any]) -> list[list[list[Any]]]:
    """The pixels under each pixel of the half, in reading order."""
    height, width = array.shape
    return [
        [array[row : row + 2, col : col + 2].ravel().tolist() for col in range(0, width, 2)]
        for row in range(0, height, 2)
    ]


def voted(pixels: list[int], nodata: int | None) -> int:
    votes = Counter(each for each in pixels if each != nodata)
    return max(votes, key=lambda each: votes[each]) if votes else int(nodata or 0)


SHAPES = [(1, 1), (1, 7), (6, 1), (3, 8), (4, 11), (5, 5)]


@pytest.mark.usefixtures("either_path")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nodata", [None, 2, 255])
def test_ids_are_those_of_a_count(shape: tuple[int, int], nodata: int | None) -> None:
    ids = np.random.default_rng(sum(shape)).choice(np.uint8([0, 1, 2, 255]), shape)
    expected = [[voted(each, nodata) for each in row] for row in blocks(ids)]
    assert halved_ids(ids, nodata=nodata).tolist() == expected


@pytest.mark.usefixtures("either_path")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_numbers_are_averages(shape: tuple[int, int], dtype: str) -> None:
    values = np.random.default_rng(sum(shape)).integers(0, 9, shape).astype(dtype)
    means = np.array(
        [
            [np.mean([each for each in pixels if each != 4] or [4]) for pixels in row]
            for row in blocks(values.astype(float))
        ]
    )
    expected = np.floor(means + 0.5) if np.dtype(dtype).kind in "iu" else means
    half = halved_numbers(values, nodata=4)
    assert half.dtype == dtype
    assert np.array_equal(half, expected.astype(dtype))


@pytest.mark.usefixtures("either_path")
def test_nan_does_not_count_and_stays_where_all_is_nan() -> None:
    values = np.array([[1, np.nan, np.nan], [np.nan, 4, np.nan]], np.float32)
    assert np.array_equal(halved_numbers(values), np.float32([[2.5, np.nan]]), equal_nan=True)


@pytest.mark.usefixtures("either_path")
def test_the_largest_numbers_do_not_overflow() -> None:
    assert halved_numbers(np.full((4, 6), 65535, np.uint16)).tolist() == [[65535] * 3] * 2


@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_no_overview_holds_an_id_that_the_picture_does_not(height: int, width: int, seed: int) -> None:
    ids = np.random.default_rng(seed).choice(np.uint8([3, 7, 255]), (height, width))
    half = halved_ids(ids, nodata=255)
    assert set(half.ravel().tolist()) <= set(ids.ravel().tolist())
    assert half.shape == ((height + 1) // 2, (width + 1) // 2)


@pytest.mark.usefixtures("either_path")
def test_read_only_and_strided_arrays_are_fine() -> None:
    ids = np.arange(48, dtype=np.uint8).reshape(4, 12)[::-1, ::2]
    ids.flags.writeable = False
    assert np.array_equal(halved_ids(ids), halved_ids(ids.copy()))
    assert np.array_equal(halved_numbers(ids), halved_numbers(ids.copy()))


@pytest.mark.parametrize("half", [halved_ids, halved_numbers])
def test_what_has_no_pixels_has_no_half(half: Any) -> None:
    with pytest.raises(ValueError, match="height, width"):
        half(np.zeros((0, 4), np.uint8))


@pytest.mark.usefixtures("either_path")
@given(height=st.integers(1, 9), width=st.integers(1, 40), random_state=st.integers(0, 50))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_all_count_are_averages_halves_up(height: int, width: int, random_state: int) -> None:
    values = np.random.default_rng(random_state).integers(0, 256, (height, width), dtype=np.uint8)
    expected = [[int(np.floor(np.mean(each) + 0.5)) for each in row] for row in blocks(values)]
    assert halved_numbers(values[::-1][::-1]).tolist() == expected
    assert halved_numbers(np.asfortranarray(values)).tolist() == expected
