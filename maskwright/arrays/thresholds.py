"""From scores of tags to yes and no: the threshold of each, and how good the answers are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEPS = np.arange(1000) / 1000


def f1_thresholds(scores: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """For each tag the threshold above which a score says yes with the best F1: float64 (tags,).

    `scores` (pictures, tags) lie in 0..1; `truth` of the same shape is 1, 0, or nan where nobody knows. Thresholds are
    0, 0.001 ... 0.999; of equally good ones the lowest wins, so a tag that is never there gets 0.

    >>> f1_thresholds([[0.9, 0.2], [0.6, 0.1], [0.3, 0.4]], [[1, 0], [1, 0], [0, 0]])
    array([0.3, 0. ])
    """
    scores, truth = np.asarray(scores, np.float64), np.asarray(truth, np.float64)
    if scores.ndim != 2 or scores.shape != truth.shape:
        raise ValueError(f"scores and truth are (pictures, tags) both; got {scores.shape} and {truth.shape}")
    best = [STEPS[int(np.argmax(_f1_by_threshold(*each)))] for each in zip(scores.T, truth.T, strict=True)]
    return np.array(best, np.float64)


def tag_scores(predicted: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """How good answers are: f1_micro, f1_macro and subset_accuracy, all nan where nothing can be said.

    `predicted` bool (pictures, tags), `truth` 1, 0 or nan. Micro counts all answers together; macro is the mean over
    tags that are there or were said to be; subset accuracy the share of pictures with every known tag right.

    >>> tag_scores([[True, False], [True, True]], [[1, 0], [0, np.nan]])
    {'f1_micro': 0.6666666666666666, 'f1_macro': 0.6666666666666666, 'subset_accuracy': 0.5}
    """
    yes, truth = np.asarray(predicted, bool), np.asarray(truth, np.float64)
    known = ~np.isnan(truth)
    hits = (yes & (truth == 1)).sum(axis=0)
    wrong = ((yes != (truth == 1)) & known).sum(axis=0)
    counts = known.any(axis=1)
    right = (yes == (truth == 1)) | ~known
    return {
        "f1_micro": _ratio(2 * hits.sum(), 2 * hits.sum() + wrong.sum()),
        "f1_macro": _mean(
            [_ratio(2 * hit, 2 * hit + miss) for hit, miss in zip(hits, wrong, strict=True) if hit + miss]
        ),
        "subset_accuracy": _mean(right.all(axis=1)[counts].tolist()),
    }


def share_scores(scores: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """How near scores are to what is true where that is a probability: rmse, mae, kl_divergence, explained_variance.

    `scores` and `truth` (pictures, tags) lie in 0..1, truth is nan where nobody knows. KL divergence is the sum of
    truth * log(truth / score) per picture ("batchmean"), as published; as the tags of a picture do not sum to 1, it can
    be below 0. Explained variance is the mean over tags whose truth varies. nan where nothing can be said.

    >>> told = share_scores([[0.5, 0.2], [0.5, 0.4]], [[0.5, 0.4], [1.0, np.nan]])
    >>> {name: round(value, 4) for name, value in told.items()}
    {'rmse': 0.3109, 'mae': 0.2333, 'kl_divergence': 0.4852, 'explained_variance': 0.0}
    """
    scores, truth = np.asarray(scores, np.float64), np.asarray(truth, np.float64)
    known = ~np.isnan(truth)
    off = (scores - truth)[known]
    pictures = known.any(axis=1).sum()
    there = known & (truth > 0)
    apart = truth[there] * np.log(truth[there] / np.maximum(scores[there], np.finfo(np.float32).tiny))
    explained = [_explained(*each) for each in zip(scores.T, truth.T, strict=True)]
    return {
        "rmse": float(np.sqrt(np.mean(off**2))) if off.size else float("nan"),
        "mae": _mean(np.abs(off).tolist()),
        "kl_divergence": _ratio(float(apart.sum()), float(pictures)),
        "explained_variance": _mean([each for each in explained if np.isfinite(each)]),
    }


def _explained(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """The share of a tag's variance that its scores explain; nan where it does not vary."""
    known = ~np.isnan(truth)
    spread = float(truth[known].var()) if known.any() else 0.0
    return 1 - float((truth - scores)[known].var()) / spread if spread else float("nan")


def _f1_by_threshold(scores: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    present, absent = np.sort(scores[truth == 1]), np.sort(scores[truth == 0])
    hits = len(present) - np.searchsorted(present, STEPS, side="right")
    false = len(absent) - np.searchsorted(absent, STEPS, side="right")
    f1: NDArray[np.float64] = 2 * hits / np.maximum(hits + false + len(present), 1)
    return f1


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
