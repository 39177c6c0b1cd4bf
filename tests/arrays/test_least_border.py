"""Regions of least cost: against every possible region, and with and without numba to the bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskwright.arrays import least_border as module
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.least_border import least_border


def total(region: np.ndarray, cost: np.ndarray, right: np.ndarray, down: np.ndarray) -> float:
    inside = region.astype(float)
    across = (np.abs(np.diff(inside, axis=1)) * right[:, :-1]).sum()
    return float((inside * cost).sum() + across + (np.abs(np.diff(inside, axis=0)) * down[:-1]).sum())


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.float32, (2, 5), elements=st.floats(-2, 2, width=16)),
    arrays(np.float32, (2, 2, 5), elements=st.floats(0, 1, width=16)),
)
def test_no_region_costs_less_with_straight_borders(cost: np.ndarray, bonds: np.ndarray) -> None:
    share = least_border(cost, *bonds, rounds=3000)
    best = min(
        total(np.array(each).reshape(2, 5), cost, *bonds) for each in itertools.product((False, True), repeat=10)
    )
    assert total(share > 0.5, cost, *bonds) <= best + 2e-2


@pytest.mark.skipif(not HAS_NUMBA, reason="numba is absent or switched off")
@pytest.mark.parametrize("shape", [(20, 60), (1, 9), (9, 1), (1, 1)])
def test_the_plain_path_gives_the_same_bits(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    cost = random.normal(0, 1, shape).astype(np.float32)
    right, down = (random.random(shape).astype(np.float32) for _ in range(2))
    compiled = least_border(cost, right, down, rounds=60)
    monkeypatch.setattr(module, "HAS_NUMBA", False)
    np.testing.assert_array_equal(least_border(cost, right, down, rounds=60), compiled)


def test_a_start_is_left_as_it_was_and_shapes_are_checked() -> None:
    cost, bonds = np.array([[-1.0, 1.0]], np.float32), np.zeros((1, 2), np.float32)
    start = np.array([[0.3, 0.3]], np.float32)
    assert least_border(cost, bonds, bonds, start=start).tolist() == [[1, 0]]
    assert start.tolist() == np.full((1, 2), 0.3, np.float32).tolist()
    with pytest.raises(ValueError, match=r"one \(height, width\)"):
        least_border(cost, bonds.T, bonds)
