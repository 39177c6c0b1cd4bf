"""Regions that reach only so far: their points end, and the next region has what lies beyond."""

from __future__ import annotations

import numpy as np

from maskwright.anatomy.outlines import cropped
from maskwright.anatomy.seeds import PartSeeds
from maskwright.anatomy.spread import spread_parts


def _seeds(places: list[tuple[int, int]], regions: list[int]) -> PartSeeds:
    rows, cols = np.array(places, float).T
    owners = np.arange(len(places), dtype=np.int16).repeat(2).reshape(-1, 2)
    return PartSeeds(rows, cols, np.array(regions, np.int16), np.ones(len(places), bool), owners)


def test_a_region_ends_at_its_reach_and_the_next_one_goes_on() -> None:
    outline = cropped(np.ones((5, 40), bool))
    seeds = _seeds([(2, 0), (2, 30), (2, 39)], [0, 1, 2])
    free, bounded = (spread_parts(seeds, outline, snap=0, reach=reach).nearest for reach in (None, {1: 4.0}))
    assert free.labels[2].tolist() == [0] * 16 + [1] * 19 + [2] * 5
    assert bounded.labels[2].tolist() == [0] * 20 + [2] * 6 + [1] * 9 + [2] * 5
    np.testing.assert_array_equal(bounded.distance[2, 16:20], [16, 17, 18, 19])
    np.testing.assert_array_equal(bounded.rival[2, 16:20], [23, 22, 21, 20])
    np.testing.assert_array_equal(bounded.rival[2, 26:31], [13, 12, 11, 10, 9])


def test_both_kinds_of_distance_know_reaches_and_ties() -> None:
    outline = cropped(np.ones((3, 21), bool))
    seeds = _seeds([(1, 0), (1, 20)], [1, 0])
    for is_straight in (False, True):
        found = spread_parts(seeds, outline, snap=0, reach={1: 15.0}, is_straight=is_straight).nearest
        assert found.labels[1, [0, 9, 10, 11, 20]].tolist() == [1, 1, 0, 0, 0]
        assert found.distance[1, 10] == found.rival[1, 10] == 10
        assert np.isinf(found.rival[1, 16])


def test_a_bounded_region_alone_leaves_the_rest_to_nobody() -> None:
    found = spread_parts(_seeds([(1, 0)], [0]), cropped(np.ones((3, 21), bool)), snap=0, reach={0: 5.0}).nearest
    assert found.labels[1].tolist() == [0] * 6 + [-1] * 15
