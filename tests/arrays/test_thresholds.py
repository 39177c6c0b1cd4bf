"""Thresholds with the best F1, against a scan by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskwright.arrays.thresholds import f1_thresholds, tag_scores

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
