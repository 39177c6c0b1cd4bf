"""Spreading scores: against a direct solution, held at known pixels, stopped by edges."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays.spread import WEAKEST, spread_scores


def scene(height: int = 9, width: int = 21) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    pixels = np.where(np.arange(width)[None, :, None] < 12, 20.0, 200.0) + random.normal(0, 5, (height, width, 2))
    scores = random.dirichlet([1, 1, 1], (height, width)).transpose(2, 0, 1)
    return pixels, scores.astype(np.float32)


def directly(pixels: np.ndarray, scores: np.ndarray, pull: float, contrast: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    pairs = [((r, c), (r, c + 1)) for r in range(height) for c in range(width - 1)]
    pairs += [((r, c), (r + 1, c)) for r in range(height - 1) for c in range(width)]
    squares = np.array([((pixels[a] - pixels[b]) ** 2).sum() for a, b in pairs])
    matrix = np.eye(height * width) * pull
    for (a, b), bond in zip(pairs, WEAKEST + np.exp(-contrast * squares / squares.mean()), strict=True):
        i, j = a[0] * width + a[1], b[0] * width + b[1]
        matrix[[i, j], [i, j]] += bond
        matrix[[i, j], [j, i]] -= bond
    return np.linalg.solve(matrix, pull * scores.reshape(3, -1).T).T.reshape(scores.shape)


def test_equals_a_direct_solution() -> None:
    pixels, scores = scene()
    found = spread_scores(pixels, scores, pull=0.1, contrast=2.0)
    np.testing.assert_allclose(found, directly(pixels, scores, 0.1, 2.0), atol=2e-3)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=2e-3)


def test_a_known_pixel_colours_its_surface_and_not_the_next() -> None:
    pixels, scores = scene()
    scores[:] = 1 / 3
    labels = np.full(scores.shape[1:], -1)
    labels[4, 3], labels[4, 18] = 1, 2
    found = spread_scores(pixels, scores, labels=labels, pull=1e-3, contrast=8.0)
    assert (found.argmax(axis=0)[:, :12] == 1).all() and (found.argmax(axis=0)[:, 12:] == 2).all()
    assert found[1, 4, 3] > 0.99


def test_pixels_that_are_no_numbers_are_islands() -> None:
    pixels, scores = scene()
    pixels[2, 5] = np.nan
    pixels[6, 7] = np.inf
    found = spread_scores(pixels, scores)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 2, 5], scores[:, 2, 5], atol=0.02)


def test_flat_pictures_and_empty_ones() -> None:
    scores = np.zeros((2, 1, 8), np.float32)
    scores[0, 0, :4], scores[1, 0, 4:] = 1, 1
    assert spread_scores(np.zeros((1, 8, 1)), scores).argmax(axis=0).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    assert spread_scores(np.zeros((1, 8, 1)), scores[:0]).shape == (0, 1, 8)
    assert spread_scores(np.zeros((1, 1, 1)), scores[:, :, :1]).tolist() == [[[1.0]], [[0.0]]]


def test_wrong_input_says_so() -> None:
    pixels, scores = scene()
    with pytest.raises(ValueError, match="one height and width"):
        spread_scores(pixels[1:], scores)
    with pytest.raises(ValueError, match="pull is above 0"):
        spread_scores(pixels, scores, pull=0)
