"""Geodesic distance and labels against scipy's Dijkstra, with numba and without; the raster schemes' golden values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from maskwright.arrays import geodesic
from maskwright.arrays.seeds import geodesic_distance, geodesic_nearest, raster_geodesic

GOLDEN = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 5, 5, 10]])


@pytest.fixture(params=[True, False], ids=["numba", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test with this runs both ways; where numba is absent both are plain."""
    monkeypatch.setattr(geodesic, "HAS_NUMBA", request.param and geodesic.HAS_NUMBA)


def plain(monkeypatch: pytest.MonkeyPatch, *args: Any, **settings: Any) -> tuple[Any, Any]:
    """geodesic_nearest without numba."""
    with monkeypatch.context() as context:
        context.setattr(geodesic, "HAS_NUMBA", False)
        return geodesic_nearest(*args, **settings)


def dijkstra_of(
    pixels: NDArray[Any],
    seeds: NDArray[Any],
    weight: float,
    neighbours: int,
    size: tuple[float, float],
    linear: bool = False,
) -> NDArray[np.float64]:
    """Shortest ways by scipy on the same graph, its edges listed pixel by pixel; pixels that are NaN are walls."""
    colours = np.asarray(pixels, float).reshape(*pixels.shape[:2], -1)
    height, width = colours.shape[:2]
    edges = []
    for row, col in np.ndindex(height, width):
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1))[: 4 if neighbours == 8 else 2]:
            if row + down < height and 0 <= col + across < width:
                difference = colours[row, col] - colours[row + down, col + across]
                squared = (down * size[0]) ** 2 + (across * size[1]) ** 2
                cost = np.sqrt((1 - weight) * squared + weight * (difference**2).sum())
                if linear:
                    cost = (1 - weight) * np.sqrt(squared) + weight * np.abs(difference).sum()
                if np.isfinite(cost):
                    # scipy takes 0 for "no edge"
                    edges.append((row * width + col, (row + down) * width + col + across, max(cost, 1e-300)))
    start, end, cost = np.array(edges).T if edges else np.empty((3, 0))
    graph = coo_array((cost, (start.astype(int), end.astype(int))), shape=(height * width,) * 2).tocsr()
    places = np.flatnonzero(np.asarray(seeds) & np.isfinite(colours).all(axis=2))
    if not len(places):
        return np.full((height, width), np.inf)
    found = dijkstra(graph, directed=False, indices=places, min_only=True)
    return np.asarray(found).reshape(height, width)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[np.int32], dict[str, Any]]:
    """Small pictures with seeds of three classes."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 14)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64]))
    pixels = random.integers(0, draw(st.sampled_from([2, 5, 255])), (*shape, draw(st.integers(1, 4)))).astype(dtype)
    if pixels.dtype.kind == "f" and draw(st.booleans()):
        pixels[random.random(shape) < 0.1, 0] = draw(st.sampled_from([np.nan, np.inf]))
    labels = np.where(random.random(shape) < 0.1, random.integers(0, 3, shape), -1).astype(np.int32)
    how = {
        "colour_weight": draw(st.sampled_from([0.0, 0.5, 0.9, 1.0])),
        "neighbours": draw(st.sampled_from([4, 8])),
        "pixel_size": draw(st.sampled_from([(1.0, 1.0), (2.0, 0.5)])),
    }
    return pixels, labels, how


@settings(max_examples=80, deadline=None)
@given(scenes())
def test_distances_and_labels_are_those_of_dijkstra(scene: Any) -> None:
    pixels, labels, how = scene
    found, distance = geodesic_nearest(pixels, labels, **how)
    walled = np.where(np.isfinite(pixels.astype(float)), pixels, np.nan) if pixels.dtype.kind == "f" else pixels
    each = np.stack([dijkstra_of(walled, labels == k, *how.values()) for k in range(3)])
    np.testing.assert_allclose(distance, each.min(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found == -1, np.isinf(distance))
    taken = np.take_along_axis(each, np.maximum(found, 0)[None], axis=0)[0]
    np.testing.assert_allclose(taken[found >= 0], distance[found >= 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(geodesic_distance(pixels, labels >= 0, **how), distance)


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_with_and_without_numba_give_the_same_bits(scene: Any) -> None:
    pixels, labels, how = scene
    with pytest.MonkeyPatch.context() as patch:
        expected = plain(patch, pixels, labels, **how)
    found = geodesic_nearest(pixels, labels, **how)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_larger_noise_equals_dijkstra(weight: float) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (20, 60, 3)).astype(np.uint8)
    seeds = np.zeros((20, 60), bool)
    seeds[[3, 15], [50, 2]] = True
    expected = dijkstra_of(pixels, seeds, weight, 8, (1, 1))
    np.testing.assert_allclose(geodesic_distance(pixels, seeds, colour_weight=weight), expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [0.9, 1.0])
@pytest.mark.parametrize(("scale", "dtype"), [(1, np.float32), (1e3, np.uint16), (1e9, np.float64), (1e-7, np.float32)])
def test_steps_of_any_size_are_queued_in_order(weight: float, scale: float, dtype: Any) -> None:
    random = np.random.default_rng(4)
    pixels = (random.integers(0, 60, (30, 80)) * scale).astype(dtype)
    labels = np.where(random.random((30, 80)) < 0.005, random.integers(0, 4, (30, 80)), -1).astype(np.int32)
    found, distance = geodesic_nearest(pixels, labels, colour_weight=weight)
    np.testing.assert_allclose(distance, dijkstra_of(pixels, labels >= 0, weight, 8, (1, 1)), rtol=1e-5, atol=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        expected = plain(patch, pixels, labels, colour_weight=weight)
    np.testing.assert_array_equal(distance, expected[1])
    np.testing.assert_array_equal(found, expected[0])


@pytest.mark.usefixtures("way")
def test_colours_do_not_count_where_their_weight_is_nothing() -> None:
    pixels = np.array([[1e300, -1e300, 0, np.nan, 1e300]])
    labels = np.array([[4, -1, -1, -1, -1]])
    found, distance = geodesic_nearest(pixels, labels, colour_weight=0.0)
    assert found.tolist() == [[4, 4, 4, -1, -1]]
    assert distance.tolist() == [[0, 1, 2, np.inf, np.inf]]


@pytest.mark.usefixtures("way")
def test_ties_go_to_the_lower_label() -> None:
    flat = np.zeros((3, 5), np.uint8)
    labels = np.full((3, 5), -1, np.int32)
    labels[1, 0], labels[1, 4] = 7, 2
    assert geodesic_nearest(flat, labels)[0][1].tolist() == [7, 7, 2, 2, 2]
    labels[1, 0], labels[1, 4] = 2, 7
    assert geodesic_nearest(flat, labels)[0][1].tolist() == [2, 2, 2, 7, 7]
    assert (geodesic_nearest(flat, labels, colour_weight=1.0)[0] == 2).all()  # all of one colour is no way at all


@pytest.mark.usefixtures("way")
def test_a_lower_label_takes_seeds_that_no_step_keeps_apart() -> None:
    flat, labels = np.zeros((2, 3), np.uint8), np.array([[2, 0, 1], [3, 3, 3]], np.int32)
    assert (geodesic_nearest(flat, labels, colour_weight=1.0)[0] == 0).all()
    assert (geodesic_nearest(flat, labels, colour_weight=0.5)[0] == labels).all()


@pytest.mark.usefixtures("way")
def test_no_way_leads_through_barriers() -> None:
    pixels, barriers = np.zeros((4, 7), np.float32), np.zeros((4, 7), bool)
    barriers[:3, 3] = True
    seeds = np.zeros((4, 7), bool)
    seeds[0, 0] = seeds[1, 3] = True
    distance = geodesic_distance(pixels, seeds, colour_weight=0.0, neighbours=4, barriers=barriers)
    assert np.isinf(distance[:3, 3]).all()
    assert distance[0, 4] == 3 + 3 + 1 + 3
    barriers[3, 3] = True
    assert np.isinf(geodesic_distance(pixels, seeds, barriers=barriers)[:, 3:]).all()


@pytest.mark.usefixtures("way")
def test_a_huge_colour_is_as_good_as_a_wall_and_stops_nothing() -> None:
    pixels = np.zeros((20, 60, 1), np.float32)
    pixels[:, 30:] = -3.4e38
    pixels[2, 4] = np.float32(1e-30)
    seeds = np.zeros((20, 60), bool)
    seeds[4, 4] = True
    distance = geodesic_distance(pixels, seeds)
    assert distance[4, 29] == pytest.approx(25 * np.sqrt(0.1), rel=1e-5)
    assert distance[4, 59] > 3e38


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (0, 5)])
def test_thin_and_empty_pictures(shape: tuple[int, int]) -> None:
    pixels = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    none = geodesic_nearest(pixels, np.full(shape, -1))
    assert (none[0] == -1).all()
    assert np.isinf(none[1]).all()
    everywhere = geodesic_nearest(pixels, np.arange(pixels.size, dtype=np.int32).reshape(shape), colour_weight=0.5)
    np.testing.assert_array_equal(everywhere[0].ravel(), np.arange(pixels.size))
    assert not everywhere[1].any()


@pytest.mark.usefixtures("way")
def test_layout_does_not_matter_and_inputs_stay() -> None:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 200, (20, 60, 3)).astype(np.uint8)
    labels = np.where(random.random((20, 60)) < 0.02, 1, -1).astype(np.int32)
    expected = geodesic_nearest(pixels, labels)
    strange = np.asfortranarray(pixels)[::-1]
    strange.setflags(write=False)
    found = geodesic_nearest(strange[::-1], np.asfortranarray(labels))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.c_contiguous
    wide = geodesic_nearest(pixels.astype(np.float32), labels)
    np.testing.assert_array_equal(wide[1], expected[1])


def test_wrong_settings_are_named() -> None:
    pixels, seeds = np.zeros((3, 4)), np.zeros((3, 4), bool)
    with pytest.raises(ValueError, match="colour_weight"):
        geodesic_distance(pixels, seeds, colour_weight=1.2)
    with pytest.raises(ValueError, match="neighbours"):
        geodesic_distance(pixels, seeds, neighbours=6)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seeds are"):
        geodesic_distance(pixels, seeds.T)
    with pytest.raises(ValueError, match="barriers are"):
        geodesic_distance(pixels, seeds, barriers=seeds.T)
    with pytest.raises(ValueError, match="real"):
        geodesic_distance(pixels.astype(complex), seeds)


@pytest.mark.parametrize("scheme", ["parallel", "sequential"])
@pytest.mark.parametrize("iterations", [1, 2])
def test_raster_schemes_give_the_published_values(scheme: Any, iterations: int) -> None:
    soft = np.ones((3, 4))
    soft[0, 0] = 0
    half = raster_geodesic(GOLDEN, soft, colour_weight=0.5, iterations=iterations, scheme=scheme)
    expected = [[0, 0.5, 6, 6.5], [0.5, 0.7071, 6.2071, 6.7071], [1, 3.7071, 3.9142, 6.9142]]
    np.testing.assert_allclose(half, expected, atol=5e-5)
    assert half.dtype == np.float32
    whole = raster_geodesic(GOLDEN, soft, colour_weight=1.0, iterations=iterations, scheme=scheme)
    np.testing.assert_array_equal(whole, GOLDEN)


@pytest.mark.parametrize("scheme", ["parallel", "sequential"])
def test_one_iteration_without_colour_is_the_octile_distance(scheme: Any) -> None:
    random = np.random.default_rng(11)
    for _ in range(5):
        soft = (random.random((20, 60)) > 0.005).astype(float)
        soft[0, 0] = 0
        found = raster_geodesic(np.ones((20, 60)), soft, colour_weight=0.0, iterations=1, scheme=scheme)
        rows, cols = np.nonzero(soft == 0)
        down = np.abs(np.arange(20)[:, None, None] - rows)
        across = np.abs(np.arange(60)[None, :, None] - cols)
        octile = np.maximum(down, across) + (np.sqrt(2) - 1) * np.minimum(down, across)
        np.testing.assert_allclose(found, octile.min(axis=2), atol=1e-5)
        euclidean = np.hypot(down, across).min(axis=2)
        assert (found >= euclidean - 1e-5).all()
        assert (found <= 1.0824 * euclidean + 1e-5).all()


@pytest.mark.parametrize(("scheme", "iterations"), [("parallel", 12), ("sequential", 30)])
def test_raster_schemes_converge_to_dijkstra(scheme: Any, iterations: int) -> None:
    pixels = np.random.default_rng(2).random((12, 25))
    soft = np.ones((12, 25))
    soft[5, 20] = 0
    found = raster_geodesic(pixels, soft, colour_weight=0.5, iterations=iterations, scheme=scheme)
    np.testing.assert_allclose(found, dijkstra_of(pixels, soft == 0, 0.5, 8, (1, 1), linear=True), rtol=1e-5)


def test_raster_without_a_seed_is_unseeded_everywhere() -> None:
    assert (raster_geodesic(np.ones((3, 8)), np.ones((3, 8)), colour_weight=0.0) == np.float32(1e10)).all()
    assert (raster_geodesic(np.ones((1, 4)), [[0.5, 1, 1, 0]], colour_weight=0.0, unseeded=2)[0] == [1, 2, 1, 0]).all()


def test_sequential_is_the_pixel_by_pixel_definition() -> None:
    random = np.random.default_rng(8)
    pixels = (random.random((6, 11, 2)) * 4).astype(np.float32)
    field = (random.random((6, 11)) > 0.1).astype(np.float32) * np.float32(1e10)
    expected = field.copy()
    before = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
    for sign in (1, -1):
        for row, col in list(np.ndindex(6, 11))[::sign]:
            for down, across in before:
                r, c = row + sign * down, col + sign * across
                if 0 <= r < 6 and 0 <= c < 11:
                    step = 0.4 * np.hypot(down, across) + 0.6 * np.abs(pixels[row, col] - pixels[r, c]).sum()
                    expected[row, col] = min(expected[row, col], expected[r, c] + np.float32(step))
    found = raster_geodesic(pixels, field / np.float32(1e10), colour_weight=0.6, iterations=1, scheme="sequential")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_parallel_is_the_row_by_row_definition() -> None:
    random = np.random.default_rng(14)
    pixels = (random.random((14, 23, 2)) * 9).astype(np.float32)
    field = np.full((14, 23), 1e10, np.float32)
    field[4, 9] = 0
    expected, colours = field.copy(), pixels
    for turned in (False, True):
        if turned:
            expected, colours = expected.T.copy(), colours.transpose(1, 0, 2)
        height, width = expected.shape
        for before, rows in ((-1, range(1, height)), (1, range(height - 2, -1, -1))):
            for row, col, across in [(row, col, k) for row in rows for col in range(width) for k in (-1, 0, 1)]:
                if 0 <= col + across < width:
                    far = np.abs(colours[row, col] - colours[row + before, col + across]).sum()
                    step = 0.4 * np.hypot(1, across) + 0.6 * far
                    expected[row, col] = min(
                        expected[row, col], expected[row + before, col + across] + np.float32(step)
                    )
    found = raster_geodesic(pixels, field / np.float32(1e10), colour_weight=0.6, iterations=1)
    np.testing.assert_allclose(found, expected.T, rtol=1e-5)
