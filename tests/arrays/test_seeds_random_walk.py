"""random_walk against a direct solution of the same equations written another way, and against scikit-image."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays import random_walk as front
from maskwright.arrays.seeds import random_walk


@pytest.fixture(params=[True, False], ids=["numba", "plain"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs both ways; where numba is absent both are plain."""
    monkeypatch.setattr(front, "HAS_NUMBA", request.param and front.HAS_NUMBA)


def direct(pixels: NDArray[Any], labels: NDArray[Any], count: int, beta: float, inside: NDArray[Any]) -> NDArray[Any]:
    """Probabilities from a dense Laplacian, filled in edge by edge; nan where no seed is reached."""
    colours = np.asarray(pixels, float).reshape(*labels.shape, -1)
    height, width, channels = colours.shape
    spread = colours[np.isfinite(colours)].std()
    sharp = beta / (10 * spread * np.sqrt(channels)) if spread > 0 else 0
    laplacian = np.zeros((height * width, height * width))
    for row, col in np.ndindex(height, width):
        for r, c in ((row + 1, col), (row, col + 1)):
            if r < height and c < width and inside[row, col] and inside[r, c]:
                weight = np.exp(-sharp * ((colours[row, col] - colours[r, c]) ** 2).sum()) + 1e-10
                a, b = row * width + col, r * width + c
                laplacian[a, b] = laplacian[b, a] = -weight
                laplacian[a, a] += weight
                laplacian[b, b] += weight
    flat = np.where(inside, labels, -1).ravel()
    known, free = flat >= 0, (flat < 0) & inside.ravel()
    found = np.full((count, height * width), np.nan)
    found[:, known] = flat[known] == np.arange(count)[:, None]
    pull = -laplacian[np.ix_(free, known)] @ found[:, known].T
    solution = scipy.linalg.lstsq(laplacian[np.ix_(free, free)], pull, lapack_driver="gelsy", cond=1e-15)[0]
    found[:, free] = solution.T
    return found.reshape(count, height, width)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 10.0, 130.0]), st.sampled_from([1, 3]))
def test_small_pictures_equal_the_direct_solution(state: int, beta: float, channels: int) -> None:
    random = np.random.default_rng(state)
    shape = tuple(random.integers(1, 12, 2))
    pixels = random.random((*shape, channels))
    labels = np.where(random.random(shape) < 0.15, random.integers(0, 3, shape), -1).astype(np.int32)
    labels[0, 0] = 1
    found = random_walk(pixels, labels, 3, beta=beta)
    expected = direct(pixels, labels, 3, beta, np.ones(shape, bool))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


@cache
def large(kind: str, beta: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """More unknowns than are solved at once, bonds from 1 down to 1e-10: pixels, labels, the direct solution."""
    random = np.random.default_rng(6)
    pixels = {"noise": random.random((20, 40)), "steps": np.indices((20, 40))[1] // 9 / 5.0, "flat": np.ones((20, 40))}
    labels = np.full((20, 40), -1, np.int32)
    labels[[2, 12, 18], [3, 35, 20]] = [0, 1, 2]
    return pixels[kind], labels, direct(pixels[kind], labels, 3, beta, np.ones((20, 40), bool))


@pytest.mark.parametrize("kind", ["noise", "steps", "flat"])
@pytest.mark.parametrize("beta", [0.0, 130.0, 3000.0])
def test_large_pictures_equal_the_direct_solution(kind: str, beta: float) -> None:
    pixels, labels, expected = large(kind, beta)
    np.testing.assert_allclose(random_walk(pixels, labels, 3, beta=beta), expected, atol=1e-3)


def test_equals_scikit_image() -> None:
    segmentation = pytest.importorskip("skimage.segmentation")
    random = np.random.default_rng(9)
    pixels = np.cumsum(random.integers(-9, 10, (40, 70, 3)), axis=1).clip(-120, 120) + 125
    labels = np.full((40, 70), -1, np.int32)
    for class_id in range(5):
        labels[tuple(random.integers(0, (40, 70)))] = class_id
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = segmentation.random_walker(
            pixels.astype(np.uint8), labels + 1, beta=130, mode="bf", return_full_prob=True, channel_axis=-1
        )
    np.testing.assert_allclose(random_walk(pixels.astype(np.uint8), labels, 5), expected, atol=1e-3)


def test_walks_stay_in_the_region_and_off_pixels_that_are_not_finite() -> None:
    random = np.random.default_rng(2)
    pixels = random.random((12, 30))
    pixels[:, 20], pixels[3, 3] = np.nan, np.inf
    region = np.ones((12, 30), bool)
    region[5, :15] = False
    labels = np.full((12, 30), -1, np.int32)
    labels[0, 0], labels[11, 0], labels[5, 2], labels[5, 9] = 0, 1, 2, 0
    found = random_walk(pixels, labels, 3, region=region)
    outside = ~region | ~np.isfinite(pixels)
    outside[:, 20:] = True
    assert not found[:, outside].any()
    np.testing.assert_allclose(found.sum(axis=0)[~outside], 1, atol=1e-6)
    expected = direct(pixels, labels, 3, 130.0, region & np.isfinite(pixels))
    np.testing.assert_allclose(found[:, ~outside], expected[:, ~outside], atol=1e-3)
    assert not found[2].any()


def test_thousands_of_pixels_each_alone_among_seeds() -> None:
    checks = np.indices((60, 100)).sum(axis=0) % 2
    labels = np.where(checks == 1, np.arange(100) // 50, -1).astype(np.int32)
    found = random_walk(np.zeros((60, 100)), labels, 2)
    np.testing.assert_allclose(found[0, 30, 10], 1, atol=1e-3)
    np.testing.assert_allclose(found[0, 30, 50], 0.25, atol=1e-3)


def test_no_seed_one_class_all_seeds_and_thin_pictures() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 12)
    assert not random_walk(pixels, np.full((1, 12), -1), 2).any()
    alone = random_walk(pixels.T, np.array([[1]] + [[-1]] * 11), 3)
    assert (alone[1] == 1).all()
    assert not alone[[0, 2]].any()
    every = random_walk(pixels, np.arange(12)[None] % 2, 2)
    np.testing.assert_array_equal(every[1, 0], np.arange(12) % 2)
    assert random_walk(np.zeros((0, 4)), np.zeros((0, 4), int), 2).shape == (2, 0, 4)


def test_dtype_and_layout_do_not_matter() -> None:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (20, 40, 3)).astype(np.uint8)
    labels = np.full((20, 40), -1, np.int32)
    labels[3, 4], labels[15, 30] = 0, 1
    expected = random_walk(pixels, labels, 2)
    np.testing.assert_allclose(random_walk(pixels.astype(np.uint16) * 257, labels, 2), expected, atol=1e-5)
    fractions = np.asfortranarray(pixels / np.float32(255))
    fractions.setflags(write=False)
    np.testing.assert_allclose(random_walk(fractions, np.asfortranarray(labels), 2), expected, atol=1e-4)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="labels go up to 1"):
        random_walk(np.zeros((2, 3)), np.full((2, 3), 2), 2)
    with pytest.raises(ValueError, match="one size"):
        random_walk(np.zeros((2, 3)), np.full((3, 2), 1), 2)
    with pytest.raises(ValueError, match="beta"):
        random_walk(np.zeros((2, 3)), np.full((2, 3), 1), 2, beta=-1)
