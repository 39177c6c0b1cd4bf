"""Leaving out one owner at a time is the same as spreading again without it, each on its own."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays.one_out import one_out
from maskwright.arrays.paths import nearest_inside
from maskwright.arrays.starts import Starts


@pytest.mark.parametrize("seed", range(6))
def test_each_owner_left_out_by_hand(seed: int) -> None:
    random = np.random.default_rng(seed)
    region = random.random((9, 14)) < 0.8
    pixels = random.choice(np.flatnonzero(region), 9, replace=False)
    starts = Starts(pixels, random.integers(0, 3, 9).astype(np.int16), random.integers(0, 9000, 9).astype(np.int32))
    owners = random.integers(0, 5, (9, 2))
    labels, near, rival = nearest_inside(region, starts)
    worst, changed = near.astype(float), np.zeros(6, int)
    for owner in range(6):
        kept = (owners != owner).all(axis=1)
        other = nearest_inside(region, Starts(*(each[kept] for each in starts)))
        moved = other.labels != labels
        changed[owner] = moved.sum()
        worst = np.maximum(worst, np.where(moved, np.inf, other.distance))
    found = one_out(region, starts, owners, 6)
    assert found.changed.tolist() == changed.tolist()
    with np.errstate(invalid="ignore"):
        firm = np.where(np.isinf(rival), 1.0, (rival - worst) / np.maximum(rival + worst, 1e-6))
    np.testing.assert_allclose(found.firmness, np.where(np.isinf(worst), 0, np.maximum(firm, 0)), atol=1e-6)
    assert changed.any() and (found.firmness[region] > 0).any() and not found.firmness[~region].any()


def test_a_twin_makes_a_label_firm_and_a_lone_start_never_is() -> None:
    region = np.ones((1, 12), bool)
    twins = Starts(np.array([2, 3, 10]), np.array([0, 0, 1], np.int16), np.zeros(3, np.int32))
    found = one_out(region, twins, [[0], [1], [2]], 3)
    assert found.firmness[0, :3].min() > 0.5
    assert not found.firmness[0, 8:].any()
    together = one_out(region, twins, [[0], [0], [2]], 3)
    assert not together.firmness.any()
    assert together.changed.tolist() == [7, 0, 5]


def test_without_a_start_nothing_is_firm() -> None:
    nothing = Starts(np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, np.int32))
    found = one_out(np.ones((3, 4), bool), nothing, np.zeros((0, 2)), 2)
    assert not found.firmness.any() and found.changed.tolist() == [0, 0]
