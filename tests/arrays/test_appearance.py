"""Looks learned from a rough mask: better than the mask, never repeating it, honest where nothing shows."""

from __future__ import annotations

import numpy as np

from maskwright.arrays.appearance import BLOCK_PX, appearance_scores, told_apart
from maskwright.arrays.features import pixel_features


def scene(contrast: float, *, height: int = 96, width: int = 160) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, truth and a rough mask whose border lies 7 pixels too far to the right."""
    random = np.random.default_rng(0)
    truth = (np.arange(width) >= 80).astype(int) * np.ones((height, 1), int)
    rough = np.roll(truth, 7, axis=1)
    rough[:, :7] = 0
    pixels = 100 + contrast * truth[..., None] + random.normal(0, 10, (height, width, 3))
    return pixel_features(pixels, scales=(1.0, 2.0)), truth, rough


def test_looks_correct_a_shifted_border() -> None:
    features, truth, rough = scene(60)
    trust = np.abs(np.arange(160) - 87.0) / 20 * np.ones((96, 1))
    found = appearance_scores(features, rough, 2, weights=np.minimum(trust, 1).astype(np.float32) ** 2)
    assert (found.argmax(axis=0) != truth).mean() < 0.5 * (rough != truth).mean()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_where_classes_look_alike_nobody_is_sure() -> None:
    features, _, rough = scene(0)
    found = appearance_scores(features, rough, 2)
    assert np.median(found.max(axis=0)) < 0.75


def test_classes_without_a_pixel_score_nothing_and_one_class_is_certain() -> None:
    features, truth, _ = scene(60)
    found = appearance_scores(features, np.where(truth == 1, 3, 1), 5)
    assert not found[[0, 2, 4]].any()
    rough = np.full(truth.shape, -1)
    rough[:10] = 2
    assert (appearance_scores(features, rough, 3)[2] == 1).all()


def test_a_class_on_one_side_of_the_chessboard_is_learned_all_the_same() -> None:
    features, truth, _ = scene(60)
    rough = np.full(truth.shape, -1)
    rough[40:50, 100:110] = 1
    rough[:, :60] = 0
    found = appearance_scores(features, rough, 2).argmax(axis=0)
    assert (found != truth).mean() < 0.1


def test_a_square_is_judged_without_its_own_classes() -> None:
    features, _, rough = scene(60)
    rows, cols = np.indices(rough.shape) // BLOCK_PX
    black = (rows + cols) % 2 == 0
    other = np.where(black & (np.random.default_rng(1).random(rough.shape) < 0.4), 1 - rough, rough)
    said, again = (appearance_scores(features, each, 2, most_pixels=9999).argmax(axis=0) for each in (rough, other))
    assert np.array_equal(said[black], again[black])
    assert not np.array_equal(said[~black], again[~black])


def test_how_well_classes_are_told_apart_is_read_from_a_table() -> None:
    class_ids = np.array([[0, 0, 1, 1, -1]])
    certain = np.stack([class_ids == 0, class_ids == 1]).astype(np.float32)
    even, apart = told_apart(certain, class_ids, np.ones((1, 5), np.float32))
    assert apart == 1
    assert np.array_equal(even, 2 * certain)
    chance = np.full((2, 1, 5), 0.5, np.float32)
    assert told_apart(chance, class_ids, np.ones((1, 5), np.float32))[1] == 0
    assert told_apart(certain[::-1], class_ids, np.ones((1, 5), np.float32))[1] == 0


def test_a_class_named_too_readily_loses_its_lead_and_one_without_pixels_keeps_its_scores() -> None:
    looks = np.float32([[[0.9, 0.7, 0.9]], [[0.1, 0.3, 0.1]], [[0.0, 0.0, 0.0]]])
    class_ids, weights = np.array([[0, 1, 0]]), np.float32([[1, 1, 0]])
    even, apart = told_apart(looks, class_ids, weights)
    assert even.argmax(axis=0).tolist() == [[0, 1, 0]]
    assert not even[2].any()
    assert abs(apart - 0.2) < 1e-6


def test_of_one_class_nothing_can_be_told() -> None:
    looks = np.ones((1, 2, 3), np.float32)
    even, apart = told_apart(looks, np.zeros((2, 3), int), np.ones((2, 3), np.float32))
    assert apart == 0
    assert np.array_equal(even, looks)
