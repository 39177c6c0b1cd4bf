"""What makes random_walk fast and small: groups, cycles, memory; and the ways it takes when they do not do."""

from __future__ import annotations

import logging
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage, sparse

from maskwright.arrays import random_walk as front
from maskwright.arrays import walk_cycles, walk_groups, walk_matrices, walk_pixels
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.seeds import random_walk
from maskwright.arrays.walk_bonds import Bonds, bonds_of
from maskwright.arrays.walk_graphs import Graph
from maskwright.arrays.walk_groups import FEW, Room, levels_of

needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is absent: pixels are not walked, matrices are")


def scene(height: int, width: int, noise: float = 0.0) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """A cloudy picture with grain, and a seed of 3 x 3 pixels for each of 5 classes, two of some."""
    random = np.random.default_rng(height)
    pixels = sum(s * ndimage.gaussian_filter(random.normal(size=(height, width, 3)), (s, s, 0)) for s in (1, 4, 12))
    pixels += noise * random.normal(size=(height, width, 3))
    labels = np.full((height, width), -1, np.int32)
    for seed in range(8):
        row, col = random.integers(0, height - 3), random.integers(0, width - 3)
        labels[row : row + 3, col : col + 3] = seed % 5
    return (255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8), labels


def random_bonds(random: np.random.Generator, shape: tuple[int, int]) -> tuple[Bonds, NDArray[np.bool_]]:
    """Bonds over ten orders of magnitude, none where walks may not go, and who is unknown."""
    inside = random.random(shape) < 0.9
    labels = np.where(random.random(shape) < 0.1, 0, -1).astype(np.int32)
    right, down = random.integers(1, 1001, (2, *shape)).astype(np.uint16)
    right[:, :-1] *= inside[:, :-1] & inside[:, 1:]
    down[:-1] *= inside[:-1] & inside[1:]
    right[:, -1] = down[-1] = 0
    table = np.concatenate([[0], np.logspace(-10, 0, 1000)]).astype(np.float32)
    return Bonds(right, down, table), front._unknown(inside, labels)


def exact_bonds(pixels: NDArray[Any], beta: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each pixel's bonds to the right and down by their definition."""
    colours = pixels.reshape(*pixels.shape[:2], -1) / (255.0 if pixels.dtype == np.uint8 else 1.0)
    sharpness = beta / (10 * colours.std() * np.sqrt(colours.shape[2]))
    right, down = np.zeros(pixels.shape[:2]), np.zeros(pixels.shape[:2])
    right[:, :-1] = np.exp(-sharpness * np.square(np.diff(colours, axis=1)).sum(axis=2)) + 1e-10
    down[:-1] = np.exp(-sharpness * np.square(np.diff(colours, axis=0)).sum(axis=2)) + 1e-10
    return right, down


def room_for(plane: NDArray[Any]) -> Room:
    return Room(np.empty(2 * plane.size, np.float32))


def laplacian(right: NDArray[Any], down: NDArray[Any]) -> Any:
    """Of all pixels, by their numbers."""
    number = np.arange(right.size).reshape(right.shape)
    start = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    end = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    bonds = np.concatenate([right[:, :-1].ravel(), down[:-1].ravel()]).astype(float)
    half = sparse.coo_array((bonds, (start, end)), shape=(right.size, right.size)).tocsr()
    return sparse.diags_array(np.asarray((half + half.T).sum(axis=1))) - half - half.T


def matrix(graph: Graph) -> NDArray[np.float64]:
    count = len(graph.pull)
    neighbours = np.repeat(np.arange(count), np.diff(graph.first)) + graph.away
    bonds = graph.table[graph.bonds].astype(float)
    entries = sparse.csr_array((bonds, neighbours, graph.first), shape=(count, count))
    return np.asarray(np.diag(graph.pull + entries.sum(axis=1)) - entries.toarray())


def chosen(group: NDArray[np.int32], count: int) -> Any:
    held = np.flatnonzero(group.ravel() >= 0)
    return sparse.csr_array((np.ones(len(held)), (held, group.ravel()[held])), shape=(group.size, count))


@needs_numba
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(1, 40), (40, 1), (5, 9), (24, 61)]))
def test_graphs_of_groups_are_the_equations_with_groups_held_equal(state: int, shape: tuple[int, int]) -> None:
    """But for the rounding of bonds in each of three pairings, which is the same from both ends."""
    bonds, unknown = random_bonds(np.random.default_rng(state), shape)
    group, levels = levels_of(bonds, unknown, room_for(unknown))
    assert not (group[~unknown] >= 0).any()
    finer, to_groups = laplacian(*bonds.planes()), group
    for level in levels:
        places = chosen(to_groups, len(level.right))
        assert (places.sum(axis=0) >= 1).all()
        found = matrix(level.graph)
        np.testing.assert_array_equal(found, found.T)
        np.testing.assert_allclose(found, (places.T @ finer @ places).toarray(), rtol=0.0152, atol=1e-16)
        finer, to_groups = sparse.csr_array(matrix(level.graph)), level.group


@needs_numba
def test_every_unknown_pixel_is_grouped_unless_seeds_hold_it_and_groups_are_small() -> None:
    pixels, labels = scene(90, 160)
    bonds = bonds_of(pixels, np.ones(labels.shape, bool), 130.0)
    group, levels = levels_of(bonds, labels < 0, room_for(labels))
    far = ndimage.distance_transform_edt(labels < 0) > 2
    assert (group[far] >= 0).all()
    assert len(levels) >= 2
    assert np.bincount(group[group >= 0]).max() <= 16
    assert len(levels[0].right) < labels.size / 6
    assert len(levels[-1].right) <= FEW


@needs_numba
def test_groups_are_numbered_in_the_order_of_their_first_pixels() -> None:
    """So neighbours are near in number, and how far away they are fits into two bytes."""
    pixels, labels = scene(90, 160, 4.0)
    bonds = bonds_of(pixels, np.ones(labels.shape, bool), 130.0)
    group, levels = levels_of(bonds, labels < 0, room_for(labels))
    for groups in (group, *(level.group for level in levels[:-1])):
        names, places = np.unique(groups, return_index=True)
        assert (np.diff(places[names >= 0]) > 0).all()
    assert levels[0].graph.away.dtype == np.int16


@needs_numba
def test_neighbours_far_away_in_number_get_four_bytes_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = scene(60, 110)
    expected = random_walk(pixels, labels, 5)
    monkeypatch.setattr(walk_groups, "FAR", 1)
    bonds = bonds_of(pixels, np.ones(labels.shape, bool), 130.0)
    assert levels_of(bonds, labels < 0, room_for(labels))[1][0].graph.away.dtype == np.int32
    np.testing.assert_array_equal(random_walk(pixels, labels, 5), expected)


@needs_numba
@pytest.mark.parametrize(
    ("noise", "most"), [pytest.param(0.0, 17, id="clouds"), pytest.param(4.0, 30, id="mostly noise")]
)
def test_a_walk_settles_in_few_iterations(noise: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in groups or cycles costs iterations, not exactness: this is where it shows."""
    pixels, labels = scene(200, 330, noise)
    monkeypatch.setattr(walk_pixels, "MOST_ITERATIONS", most)
    monkeypatch.setattr(front, "solve_directly", lambda *_: pytest.fail("the walk did not settle"))
    assert random_walk(pixels, labels, 5).any()


@needs_numba
def test_two_steps_leave_little_of_the_smoothest_error_and_are_the_best_of_their_kind() -> None:
    """Counted as energy. What conjugate gradients leave is orthogonal to what they found."""
    pixels, labels = scene(60, 110)
    bonds = bonds_of(pixels, np.ones(labels.shape, bool), 130.0)
    _, levels = levels_of(bonds, labels < 0, room_for(labels))
    exact, level = matrix(levels[0].graph), levels[0]
    wanted = scipy.linalg.eigh(exact, subset_by_index=(0, 0))[1][:, 0]
    energy = wanted @ exact @ wanted
    level.right[:] = exact @ wanted
    walk_cycles.solve_roughly(levels, labels.size)
    left = wanted - level.guess
    assert left @ exact @ left < 0.1 * energy
    assert abs(level.guess @ exact @ left) < 1e-4 * energy


def solved(pixels: NDArray[Any], labels: NDArray[Any], count: int, beta: float) -> NDArray[np.float64]:
    """The direct solution at the pixels that are no seeds: (count, pixels)."""
    everything, free = laplacian(*exact_bonds(pixels, beta)).tocsr(), np.flatnonzero(labels.ravel() < 0)
    known = np.flatnonzero(labels.ravel() >= 0)
    one_hot = np.eye(count)[labels.ravel()[known]]
    solution = sparse.linalg.spsolve(everything[free][:, free].tocsc(), -everything[free][:, known] @ one_hot)
    return np.asarray(solution).T


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_deep_hierarchies_equal_the_direct_solution(
    compiled: bool, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = scene(90, 170, noise)
    monkeypatch.setattr(front, "HAS_NUMBA", compiled)
    found = random_walk(pixels, labels, 5)
    np.testing.assert_allclose(found[:, labels < 0], solved(pixels, labels, 5, 130.0), atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


@needs_numba
@pytest.mark.parametrize("state", [0, 1, 2])
def test_mazes_whose_walls_only_the_weakest_bonds_cross_equal_the_direct_solution(state: int) -> None:
    """Single-precision residuals are wrong here by several thousandths."""
    random = np.random.default_rng(state)
    pixels = (random.random((40, 65)) < 0.5).repeat(4, 0).repeat(4, 1).astype(float)
    labels = np.full(pixels.shape, -1, np.int32)
    labels[random.integers(0, 160, 6), random.integers(0, 260, 6)] = np.arange(6) % 3
    found = random_walk(pixels, labels, 3, beta=1000.0)
    np.testing.assert_allclose(found[:, labels < 0], solved(pixels, labels, 3, 1000.0), atol=5e-4)


@needs_numba
def test_a_maze_of_large_halls_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of single precision never do here, of 32 bits behind the point only slowly where halls are many."""
    random = np.random.default_rng(1)
    pixels = (random.random((20, 30)) < 0.6).repeat(16, 0).repeat(16, 1)
    labels = np.full(pixels.shape, -1, np.int32)
    labels[random.integers(0, 320, 6), random.integers(0, 480, 6)] = np.arange(6) % 2
    monkeypatch.setattr(walk_pixels, "MOST_ITERATIONS", 60)
    monkeypatch.setattr(front, "solve_directly", lambda *_: pytest.fail("the walk did not settle"))
    assert random_walk(pixels, labels, 2, beta=1000.0).any()


@needs_numba
def test_a_chain_of_plains_joined_by_the_weakest_bonds_is_a_straight_line() -> None:
    """Stripes so different that only 1e-10 joins them: 150 plains of 60 pixels, seeds in the first and the last.

    A matrix in float64 is wrong by more than this: a pixel's bonds, added up, lose part of what leaves its plain.
    """
    pixels = np.repeat(np.arange(150)[:, None] % 2, 60, axis=1)
    labels = np.full((150, 60), -1, np.int32)
    labels[0], labels[-1] = 0, 1
    found = random_walk(pixels.astype(float), labels, 2, beta=3000.0)
    np.testing.assert_allclose(found[0], np.repeat(np.linspace(1, 0, 150)[:, None], 60, axis=1), atol=1e-3)


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
def test_a_walk_that_does_not_settle_is_solved_directly_and_says_so(
    compiled: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pixels, labels = scene(60, 110)
    expected = random_walk(pixels, labels, 5, tolerance=1e-5)
    monkeypatch.setattr(front, "HAS_NUMBA", compiled)
    monkeypatch.setattr(walk_pixels, "MOST_ITERATIONS", 2)
    monkeypatch.setattr(walk_matrices, "MOST_ITERATIONS", 2)
    with caplog.at_level(logging.WARNING):
        found = random_walk(pixels, labels, 5)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert "did not settle" in caplog.text


@needs_numba
@pytest.mark.parametrize("noise", [pytest.param(0.0, id="clouds"), pytest.param(9.0, id="nothing but noise")])
def test_memory_stays_below_three_times_inputs_and_outputs(noise: float) -> None:
    """All arrays are numpy's, so tracemalloc sees them; inputs count too."""
    pixels, labels = scene(384, 640, noise)
    random_walk(pixels, labels, 5)  # compiled, and imported, before it is measured
    tracemalloc.start()
    found = random_walk(pixels, labels, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    given = pixels.nbytes + labels.nbytes
    assert given + peak <= 3 * (given + found.nbytes)


@needs_numba
@pytest.mark.parametrize(("noise", "most"), [pytest.param(0.0, 21, id="clouds"), pytest.param(9.0, 22, id="noise")])
def test_scratch_of_two_classes_fits_into_what_is_not_needed_yet(noise: float, most: int) -> None:
    """Bytes per pixel: 2 bonds, 6 vectors, 4 groups, 1 mark, and the graphs; making them takes no more."""
    pixels, labels = scene(384, 640, noise)
    grey, two = np.ascontiguousarray(pixels[..., 0]), np.where(labels >= 0, labels % 2, -1)
    random_walk(grey, two, 2)  # compiled, and imported, before it is measured
    tracemalloc.start()
    found = random_walk(grey, two, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - found.nbytes <= most * grey.size
