"""Sliced Wasserstein distances: quantile definition, scipy, symmetry, weights as repetition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from maskwright.arrays.wasserstein import (
    directions,
    energy_sliced_wasserstein,
    quantile_pairs,
    slice_distances,
    sliced_wasserstein,
    wasserstein,
)


def by_quantiles(x: np.ndarray, y: np.ndarray, order: float) -> float:
    """The definition: both heaps repeated to one size, sorted, compared."""
    size = np.lcm(len(x), len(y))
    long_x, long_y = np.sort(np.repeat(x, size // len(x))), np.sort(np.repeat(y, size // len(y)))
    return float((np.abs(long_x - long_y) ** order).mean() ** (1 / order))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1.0, 1.5, 2.0]), st.integers(0, 2**32 - 1))
def test_distances_equal_the_quantile_definition(n: int, m: int, order: float, state: int) -> None:
    rng = np.random.default_rng(state)
    x, y = rng.normal(size=n), rng.normal(size=m).round(1)
    assert wasserstein(x, y, order=order) == pytest.approx(by_quantiles(x, y, order), abs=1e-12)
    assert wasserstein(x, y, order=order) == pytest.approx(float(wasserstein(y, x, order=order)), abs=1e-12)
    times_x, times_y = rng.integers(1, 4, n), rng.integers(0, 4, m) + (np.arange(m) == 0)
    expected = by_quantiles(np.repeat(x, times_x), np.repeat(y, times_y), order)
    assert wasserstein(x, y, order=order, x_weights=times_x, y_weights=times_y) == pytest.approx(expected, abs=1e-9)
    if order == 1:
        assert wasserstein(x, y, order=1) == pytest.approx(wasserstein_distance(x, y), abs=1e-12)


def test_the_shares_of_quantile_pairs_sum_to_one() -> None:
    for n, m in ((1, 5), (6, 4), (7, 7), (1000, 999)):
        first, second, shares = quantile_pairs(n, m)
        assert shares.sum() == pytest.approx(1)
        np.testing.assert_allclose(np.bincount(first, shares), 1 / n)
        np.testing.assert_allclose(np.bincount(second, shares), 1 / m)


def test_a_shift_is_seen_as_its_length_along_each_direction() -> None:
    rng = np.random.default_rng(0)
    x, shift, views = rng.normal(size=(30, 4)), np.array([1.0, -2, 0, 3]), directions(4, 50)
    np.testing.assert_allclose(slice_distances(x, x[::-1] + shift, views), (views @ shift) ** 2, atol=1e-12)
    expected = np.sqrt(np.mean((views @ shift) ** 2))
    assert sliced_wasserstein(x, x + shift, views=views) == pytest.approx(expected)
    assert sliced_wasserstein(x, x) == 0


@pytest.mark.parametrize("over", ["sum", "mean"])
def test_the_energy_based_variant_by_its_formula(over: str) -> None:
    rng = np.random.default_rng(1)
    x, y, views = rng.normal(size=(9, 3)), rng.normal(size=(9, 3)) + 0.5, directions(3, 20)
    pairs = (np.sort(x @ views.T, axis=0) - np.sort(y @ views.T, axis=0)) ** 2
    energy = pairs.sum(axis=0) if over == "sum" else pairs.mean(axis=0)
    weights = np.exp(energy) / np.exp(energy).sum()
    expected = np.sqrt(weights @ energy)
    assert energy_sliced_wasserstein(x, y, views=views, over=over) == pytest.approx(expected)  # type: ignore[arg-type]


def test_the_same_numbers_for_any_threads_layout_and_draw() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(33, 6))
    x.setflags(write=False)
    one = sliced_wasserstein(x, y, slices=50)
    assert sliced_wasserstein(x, y, slices=50, threads=3) == pytest.approx(one, rel=1e-14)
    assert sliced_wasserstein(np.asfortranarray(x), y[::-1], slices=50) == pytest.approx(one, rel=1e-12)
    assert sliced_wasserstein(x, y, slices=50, random_state=1) != one
    as_float32 = sliced_wasserstein(x.astype(np.float32), y.astype(np.float32), slices=50)
    assert as_float32 == pytest.approx(one, rel=1e-5)
    whole = sliced_wasserstein((x * 9).astype(np.uint8), (y * 9).astype(np.uint8), slices=20)
    assert whole > 0


def test_inputs_stay_and_wrong_ones_are_refused() -> None:
    x, y = np.array([3.0, 1, 2]), np.array([1.0, 2, 0])
    wasserstein(x, y)
    assert x.tolist() == [3, 1, 2]
    assert np.isnan(wasserstein([np.nan, 1], [0, 1]))
    for call, words in (
        (lambda: wasserstein([], [1]), "not empty"),
        (lambda: wasserstein([1], [1], order=0.5), "order"),
        (lambda: wasserstein([1], [1], x_weights=[0]), "weights"),
        (lambda: sliced_wasserstein(np.zeros((2, 3)), np.zeros((2, 4))), "one d"),
        (lambda: sliced_wasserstein(np.zeros((2, 3)), np.zeros((2, 3)), views=np.zeros((0, 3))), "direction"),
        (lambda: directions(0, 3), "dimension"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
