"""Thresholds with the best F1, against a scan by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskwright.arrays.thresholds import f1_thresholds, share_scores, tag_scores

SCORES = arrays(np.float64, (9, 2), elements=st.sampled_from([0.0, 0.05, 0.3, 0.3004, 0.5, 0.999, 1.0]))
TRUTH = arrays(np.float64, (9, 2), elements=st.sampled_from([0.0, 1.0, np.nan]))


def by_hand(scores: np.ndarray, truth: np.ndarray) -> float:
    best, found = 0.0, 0.0
    for step in range(1000):
        threshold = step / 1000
        yes = scores > threshold
        hits = int((yes & (truth == 1)).sum())
        wrong = int((yes & (truth == 0)).sum()) + int((~yes & (truth == 1)).sum())
        f1 = 2 * hits / (2 * hits + wrong) if hits else 0.0
        if f1 > best:
            best, found = f1, threshold
    return found


@settings(max_examples=25, deadline=None)
@given(SCORES, TRUTH)
def test_the_first_strictly_best_threshold_of_the_scan(scores: np.ndarray, truth: np.ndarray) -> None:
    expected = [by_hand(scores[:, tag], truth[:, tag]) for tag in range(2)]
    np.testing.assert_array_equal(f1_thresholds(scores, truth), expected)


def test_unknown_tags_count_nowhere() -> None:
    truth = np.array([[1, np.nan], [np.nan, np.nan], [0, np.nan]])
    said = tag_scores([[True, True], [True, False], [False, True]], truth)
    assert said == {"f1_micro": 1.0, "f1_macro": 1.0, "subset_accuracy": 1.0}
    nothing = tag_scores([[False]], [[np.nan]])
    assert all(np.isnan(each) for each in nothing.values())


def test_shapes_have_to_fit() -> None:
    with pytest.raises(ValueError, match="pictures, tags"):
        f1_thresholds([0.5], [1])


def test_errors_of_shares_are_those_of_torch_and_scikit_learn() -> None:
    torch = pytest.importorskip("torch")
    from sklearn.metrics import explained_variance_score, mean_absolute_error, root_mean_squared_error

    random = np.random.default_rng(0)
    truth, scores = random.random((40, 3)), random.random((40, 3)).clip(0.01, 0.99)
    truth[:5] = 0
    said = share_scores(scores, truth)
    divergence = torch.nn.functional.kl_div(torch.tensor(scores).log(), torch.tensor(truth), reduction="batchmean")
    assert said == pytest.approx(
        {
            "rmse": root_mean_squared_error(truth.ravel(), scores.ravel()),
            "mae": mean_absolute_error(truth, scores),
            "kl_divergence": float(divergence),
            "explained_variance": explained_variance_score(truth, scores),
        }
    )


def test_what_nobody_knows_counts_nowhere_in_errors_of_shares() -> None:
    truth, scores = np.array([[0.2, 0.7], [0.6, 0.1], [0.9, 0.4]]), np.array([[0.1, 0.6], [0.5, 0.3], [0.9, 0.2]])
    more = np.concatenate([truth, np.full((2, 2), np.nan)]), np.concatenate([scores, [[1.0, 0.0], [0.5, 0.5]]])
    assert share_scores(more[1], more[0]) == share_scores(scores, truth)
    assert all(np.isnan(each) for each in share_scores([[0.5]], [[np.nan]]).values())
    assert np.isfinite(list(share_scores([[0.0], [1.0]], [[1.0], [0.0]]).values())).all()
