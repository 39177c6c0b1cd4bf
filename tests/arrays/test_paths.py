"""Ways inside a region: against brute force, compiled and plain, mirrored, and never across a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from maskwright.arrays import paths
from maskwright.arrays.paths import middle_way, nearest_inside, route, ways_from
from maskwright.arrays.starts import PER_PIXEL, starts_of


def _dijkstra(region: NDArray[np.bool_], pixel: int) -> NDArray[np.float64]:
    height, width = region.shape
    ids = np.arange(height * width).reshape(height, width)
    pairs, costs = [], []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left, right = max(0, -across), width - max(0, across)
        a, b = ids[: height - down, left:right].ravel(), ids[down:, left + across : right + across].ravel()
        both = region.ravel()[a] & region.ravel()[b]
        pairs.append(np.stack([a[both], b[both]]))
        costs.append(np.full(both.sum(), math.hypot(down, across)))
    rows, cols = np.concatenate(pairs, axis=1)
    graph = coo_array((np.concatenate(costs), (rows, cols)), shape=(ids.size, ids.size)).tocsr()
    return dijkstra(graph, directed=False, indices=pixel).reshape(height, width)


@st.composite
def _scenes(draw: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    region = random.random((draw(st.integers(1, 14)), draw(st.integers(1, 25)))) < draw(st.floats(0.4, 1.0))
    count = draw(st.integers(0, 7))
    rows, cols = random.random(count) * region.shape[0], random.random(count) * region.shape[1]
    return region, rows, cols, random.integers(0, 4, count)


@settings(max_examples=60, deadline=None)
@given(_scenes())
def test_labels_and_both_distances_are_those_of_dijkstra(scene: tuple[NDArray[np.bool_], ...]) -> None:
    region, rows, cols, labels = scene
    starts, _ = starts_of(region, rows, cols, labels, reach=2.0)
    found = nearest_inside(region, starts)
    fields = np.full((4, *region.shape), np.inf)
    for pixel, label, length in zip(*starts, strict=True):
        fields[label] = np.minimum(fields[label], _dijkstra(region, pixel) + length / PER_PIXEL)
    fields[:, ~region] = np.inf
    ordered = np.sort(fields, axis=0)
    np.testing.assert_allclose(found.distance, ordered[0], atol=2e-3)
    np.testing.assert_allclose(found.rival, ordered[1], atol=2e-3)
    reached = np.where(np.isfinite(ordered), ordered, 1e9)
    clear = np.isfinite(ordered[0]) & (reached[1] - reached[0] > 1e-2)
    np.testing.assert_array_equal(found.labels[clear], fields.argmin(axis=0)[clear])
    assert (found.labels[~np.isfinite(ordered[0])] == -1).all()


@settings(max_examples=40, deadline=None)
@given(_scenes())
def test_the_plain_path_gives_the_same_bits(scene: tuple[NDArray[np.bool_], ...]) -> None:
    region, rows, cols, labels = scene
    starts, _ = starts_of(region, rows, cols, labels, reach=2.0)
    compiled = nearest_inside(region, starts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "HAS_NUMBA", False)
        plain = nearest_inside(region, starts)
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_comb_of_more_runs_than_there_was_room_for() -> None:
    region = np.ones((60, 331), bool)
    region[1:, 1::2] = False
    starts, _ = starts_of(region, [0], [0], [3])
    found = nearest_inside(region, starts)
    rows, cols = np.indices(region.shape)
    slanted = np.where((rows > 0) & (cols > 0), math.sqrt(2) - 2, 0)  # from the back straight down into a tooth
    expected = np.where(region, rows + cols + slanted, np.inf)
    np.testing.assert_allclose(found.distance, expected, atol=1e-3)
    np.testing.assert_array_equal(found.labels, np.where(region, 3, -1))


@settings(max_examples=40, deadline=None)
@given(_scenes())
def test_a_mirrored_scene_gives_the_mirrored_answer_to_the_bit(scene: tuple[NDArray[np.bool_], ...]) -> None:
    region, rows, cols, labels = scene
    there = nearest_inside(region, starts_of(region, rows, cols, labels, reach=3.0)[0])
    flipped = np.ascontiguousarray(region[:, ::-1])
    back = nearest_inside(flipped, starts_of(flipped, rows, region.shape[1] - 1 - cols, labels, reach=3.0)[0])
    for one, other in zip(there, back, strict=True):
        np.testing.assert_array_equal(one, other[:, ::-1])


def test_two_labels_on_one_pixel_are_a_tie() -> None:
    region = np.ones((3, 9), bool)
    starts, _ = starts_of(region, [1, 1], [4, 4], [2, 1])
    found = nearest_inside(region, starts)
    assert (found.labels == 1).all()
    np.testing.assert_array_equal(found.distance, found.rival)


def test_places_outside_start_on_all_equally_near_pixels_or_nowhere() -> None:
    region = np.zeros((5, 9), bool)
    region[:, 2], region[:, 6] = True, True
    starts, outside = starts_of(region, [2.0, 2.0], [4.0, 4.0], [0, 1], reach=[2.0, 1.0])
    assert starts.pixels.tolist() == [2 * 9 + 2, 2 * 9 + 6]
    assert outside.tolist() == [2.0, np.inf]
    assert starts_of(region, [-40.0], [4.0], [0], reach=3.0)[1].tolist() == [np.inf]


def test_ways_follow_a_corridor_and_end_at_gaps() -> None:
    region = np.zeros((60, 70), bool)
    region[10:50, 10:16], region[10:50, 54:60], region[44:50, 10:60] = True, True, True
    start, goal = (12, 56), (12, 12)
    field = ways_from(region, starts_of(region, [start[0]], [start[1]], [0])[0])
    assert field[goal] == pytest.approx(103.899, abs=2e-3)
    way = route(region, start, goal)
    steps = np.hypot(*np.diff(way, axis=0).T)
    assert steps.sum() == pytest.approx(103.899, abs=1e-3)
    assert region[tuple(way.T)].all()
    thirds = middle_way(region, start, goal, [1 / 3, 2 / 3])
    np.testing.assert_allclose(thirds, [(44, 52), (44, 18)], atol=5)
    assert region[tuple(np.rint(thirds).astype(int).T)].all()
    region[47, :] = region[:, 30] = False
    assert len(route(region, start, goal)) == 0
    assert middle_way(region, start, goal, [0.5]).shape == (0, 2)


@settings(max_examples=40, deadline=None)
@given(_scenes())
def test_a_route_is_as_long_as_the_shortest_way(scene: tuple[NDArray[np.bool_], ...]) -> None:
    region, *_ = scene
    inside = np.argwhere(region)
    if len(inside) < 2:
        return
    start, goal = tuple(map(int, inside[0])), tuple(map(int, inside[len(inside) // 2]))
    expected = _dijkstra(region, start[0] * region.shape[1] + start[1])[goal]
    way = route(region, start, goal)
    if math.isinf(expected):
        assert len(way) == 0
        return
    assert tuple(way[0]) == start
    assert tuple(way[-1]) == goal
    assert np.hypot(*np.diff(way, axis=0).T).sum() == pytest.approx(expected, abs=1e-3)


def test_empty_regions_and_wrong_types() -> None:
    region = np.zeros((4, 9), bool)
    found = nearest_inside(region, starts_of(region, [1], [1], [0], reach=3)[0])
    assert (found.labels == -1).all()
    assert np.isinf(found.distance).all()
    assert len(route(region, (0, 0), (2, 2))) == 0
    with pytest.raises(ValueError, match="a region is bool"):
        nearest_inside(region.astype(np.uint8), starts_of(region, [], [], [])[0])  # type: ignore[arg-type]
