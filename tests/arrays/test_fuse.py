"""Several opinions to one: worked values, ties, nan, and brute force on random stacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.arrays.fuse import (
    agreement,
    average,
    fuse_scores,
    legacy_argmax,
    priority,
    quantile_stretch,
    score_quantiles,
    vote,
)

NAN = np.nan


def test_the_worked_values_of_the_stretch() -> None:
    stretched = quantile_stretch(np.array([[[0, 0.2, 0.4, 0.6, 0.8, 1]]]))
    assert stretched.dtype == np.float32
    expected = [0, 0.193877, 0.397959, 0.602040, 0.806122, 1]
    np.testing.assert_allclose(stretched[0, 0], expected, atol=2e-6)


def test_quantiles_are_pooled_over_surveys_and_skip_nan() -> None:
    first, second = np.array([[[0.0, NAN, 1.0]]]), np.array([[[0.5, 0.25, 0.75, NAN]]])
    expected = np.quantile([0, 0.25, 0.5, 0.75, 1], [0.01, 0.99])
    np.testing.assert_allclose(score_quantiles([first, second]), [expected])


def test_a_rare_class_needs_more_than_a_trace_of_evidence() -> None:
    scores = np.zeros((1, 20, 60), np.float32)
    scores[0, 3, 4] = 0.001
    assert quantile_stretch(scores, floor=0)[0, 3, 4] > 0.99
    assert quantile_stretch(scores)[0, 3, 4] == pytest.approx(0.01, abs=1e-4)


def test_a_class_without_numbers_stays_nan() -> None:
    assert np.isnan(score_quantiles(np.full((1, 2, 3), NAN))).all()
    assert np.isnan(quantile_stretch(np.full((1, 2, 3), NAN))).all()
    assert quantile_stretch(np.zeros((2, 0, 5))).shape == (2, 0, 5)


def test_infinite_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        score_quantiles(np.array([[np.inf, 0.0]]))
    with pytest.raises(ValueError, match="class 1"):
        fuse_scores(np.array([[[0.0]], [[np.inf]]]))


def test_nan_does_not_win_and_no_evidence_is_unknown() -> None:
    scores = np.array([[[NAN, 0.0, NAN, 0.4]], [[0.2, 0.0, NAN, 0.4]], [[0.1, 0.0, NAN, 0.1]]])
    ids, sure = fuse_scores(scores)
    assert ids.tolist() == [[1, 255, 255, 255]]
    np.testing.assert_allclose(sure, [[0.5, 0, 0, 0]])
    assert legacy_argmax(scores).tolist() == [[1, 1, 255, 1]]


def test_confidence_as_share_and_the_least_evidence() -> None:
    scores = np.array([[[0.6, 0.05]], [[0.2, 0.0]]], np.float32)
    ids, sure = fuse_scores(scores, confidence="share", least=0.1)
    assert ids.tolist() == [[0, 255]]
    np.testing.assert_allclose(sure, [[0.75, 0]], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, (4, 2, 9), elements=st.sampled_from([NAN, 0, 0.25, 0.5, 0.75, 1])))
def test_fused_scores_equal_the_definition_pixel_by_pixel(scores: np.ndarray) -> None:
    scores.setflags(write=False)
    ids, sure = fuse_scores(scores)
    for row, col in np.ndindex(ids.shape):
        pixel = scores[:, row, col]
        best = np.nanmax(pixel) if not np.isnan(pixel).all() else 0
        winners = np.flatnonzero(pixel == best)
        if best > 0 and len(winners) == 1:
            second = max([0.0, *(each for each in np.delete(pixel, winners) if not np.isnan(each))])
            assert ids[row, col] == winners[0]
            assert sure[row, col] == pytest.approx((best - second) / best)
        else:
            assert (ids[row, col], sure[row, col]) == (255, 0)


masks = hnp.arrays(np.uint8, (5, 2, 7), elements=st.sampled_from([0, 1, 2, 255]))


@settings(max_examples=60, deadline=None)
@given(masks, st.lists(st.sampled_from([0, 1, 2, 3]), min_size=5, max_size=5))
def test_votes_equal_the_definition_pixel_by_pixel(stack: np.ndarray, weights: list[int]) -> None:
    ids, share = vote(stack, weights)
    agreed, first = agreement(stack), priority(stack)
    for row, col in np.ndindex(ids.shape):
        pixel = stack[:, row, col]
        tally = {c: sum(w for p, w in zip(pixel, weights, strict=True) if p == c) for c in (0, 1, 2)}
        best = max(tally.values())
        winners = [c for c, votes in tally.items() if votes == best]
        assert ids[row, col] == (winners[0] if best and len(winners) == 1 else 255)
        assert share[row, col] == pytest.approx(best / max(sum(tally.values()), 1))
        known = [int(p) for p in pixel if p != 255]
        pairs = [a == b for k, a in enumerate(known) for b in known[k + 1 :]]
        assert agreed[row, col] == pytest.approx(np.mean(pairs) if pairs else NAN, nan_ok=True)
        assert first[row, col] == (known[0] if known else 255)


def test_votes_with_confidences_of_their_own() -> None:
    stack = np.array([[[0, 0]], [[1, 1]], [[1, 1]]], np.uint8)
    confidence = np.array([[[0.9, 0.3]], [[0.2, 0.1]], [[0.3, 0.2]]])
    ids, share = vote(stack, confidence)
    assert ids.tolist() == [[0, 255]]  # 0.1 + 0.2 is a tie with 0.3, whatever floats make of it
    assert share[0, 0] == pytest.approx(0.9 / 1.4)


def test_the_weighted_mean_skips_nan() -> None:
    scores = np.array([[[[1.0, NAN, NAN]]], [[[0.0, 0.5, NAN]]]])
    np.testing.assert_allclose(average(scores, [3, 1]), [[[0.75, 0.5, NAN]]])
    with pytest.raises(ValueError, match="weights"):
        average(scores, [1, -1])


def test_opinions_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one mask"):
        vote([])
    with pytest.raises(ValueError, match="uint8"):
        priority(np.zeros((2, 3, 4), np.int64))
    with pytest.raises(ValueError, match="weights"):
        vote(np.zeros((2, 3, 4), np.uint8), [1.0])


def test_non_contiguous_stacks_and_empty_pictures() -> None:
    stack = np.arange(2 * 4 * 6, dtype=np.uint8).reshape(6, 4, 2).T % 3
    ids, _ = vote(stack)
    np.testing.assert_array_equal(ids, vote(np.ascontiguousarray(stack))[0])
    assert vote(np.zeros((3, 0, 5), np.uint8))[0].shape == (0, 5)
    assert fuse_scores(np.zeros((0, 2, 3)))[0].tolist() == [[255] * 3] * 2


def test_scores_at_the_very_limits_are_unknown() -> None:
    scores = np.array([[[0.5, 0.25, 0.5]], [[0.25, 0.0, 0.0]]])
    assert fuse_scores(scores, tolerance=0.25)[0].tolist() == [[255, 255, 0]]
    assert fuse_scores(scores, least=0.25)[0].tolist() == [[0, 255, 0]]


def test_a_share_passes_over_classes_that_were_not_looked_at() -> None:
    ids, sure = fuse_scores(np.array([[[0.6]], [[NAN]], [[0.2]]]), confidence="share")
    assert ids.tolist() == [[0]]
    assert sure[0, 0] == pytest.approx(0.75)


def test_pixels_do_not_depend_on_the_size_of_their_picture() -> None:
    random = np.random.default_rng(6)
    scores = random.random((3, 300, 500))
    scores[random.random(scores.shape) < 0.1] = NAN
    masks = random.integers(0, 3, (3, 300, 500)).astype(np.uint8)
    window = np.s_[:, 170:230, 40:90]
    part, here = scores[window], window[1:]
    for whole, alone in (
        (vote(masks, scores), vote(masks[window], part)),
        (fuse_scores(scores), fuse_scores(part)),
    ):
        np.testing.assert_array_equal(whole[0][here], alone[0])
        np.testing.assert_array_equal(whole[1][here], alone[1])
    np.testing.assert_array_equal(agreement(masks)[here], agreement(masks[window]))
    np.testing.assert_array_equal(legacy_argmax(scores)[here], legacy_argmax(part))
    np.testing.assert_array_equal(average([scores, scores / 2], [1, 3])[window], average([part, part / 2], [1, 3]))
    bounds = [[0.1, 0.9]] * 3
    np.testing.assert_array_equal(quantile_stretch(scores, bounds)[window], quantile_stretch(part, bounds))
