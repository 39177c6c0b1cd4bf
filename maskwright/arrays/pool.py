"""Several witnesses who each say how likely classes are: who is to be trusted how much, and what they say together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

LEAST = 1e-4

Logs = NDArray[np.float32]


def log_scores(scores: NDArray[Any], *, doubt: float = 0.02) -> Logs:
    """Logarithms of scores (classes, ...) mixed with `doubt` of knowing nothing, so that nobody is ever certain.

    >>> log_scores(np.array([[1.0], [0.0]])).round(2).tolist()
    [[-0.0...], [-4.6...]]
    """
    mixed = (1 - doubt) * scores + doubt / max(len(scores), 1)
    return np.log(np.maximum(mixed, LEAST)).astype(np.float32)


def fit_trust(
    said: NDArray[Any], truth: NDArray[np.integer[Any]], start: NDArray[Any], *, strength: float = 1.0
) -> NDArray[np.float64]:
    """How much to trust each witness: float64 (witnesses,), 0 or more.

    `said` (witnesses, classes, n) are logarithms of scores at n places and `truth` (n,) their classes. Together the
    witnesses say exp(sum of trust * said), normalised: a conditional logit, in which every class is treated alike, so a
    few places suffice. Truth is made as likely as can be while the trust stays near `start`: `strength` counts as many
    places as it takes to move a trust by about one. Every class weighs the same, however many places it has.
    Without any place the answer is `start`.

    >>> good = np.log([[[0.9, 0.1, 0.8, 0.2]], [[0.1, 0.9, 0.2, 0.8]]]).reshape(1, 2, 4)
    >>> fit_trust(np.concatenate([good, -good]), np.array([0, 1, 0, 1]), np.ones(2), strength=0.1).round(1)[1].item()
    0.0
    """
    begin = np.asarray(start, np.float64)
    if not len(truth):
        return begin.copy()
    logs = np.asarray(said, np.float64)
    places = np.arange(len(truth))
    counts = np.bincount(truth)
    weight = len(truth) / (np.count_nonzero(counts) * counts[truth])
    at_truth = logs[:, truth, places]

    def cost(trust: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = np.tensordot(trust, logs, 1)
        total -= total.max(axis=0)
        norm = np.log(np.exp(total).sum(axis=0))
        likely = np.exp(total - norm)
        loss = -(weight * (total[truth, places] - norm)).sum()
        slope = -(weight * (at_truth - np.einsum("wcn,cn->wn", logs, likely))).sum(axis=1)
        return loss + strength * float(((trust - begin) ** 2).sum()), slope + 2 * strength * (trust - begin)

    found = minimize(cost, begin, jac=True, bounds=[(0, None)] * len(begin), method="L-BFGS-B")
    return np.asarray(found.x, np.float64)


def pooled(said: NDArray[Any], trust: NDArray[Any]) -> Logs:
    """What all witnesses say together: float32 (classes, ...), sums to 1.

    >>> pooled(np.log([[[0.8], [0.2]], [[0.5], [0.5]]]), np.array([1.0, 3.0])).round(2).ravel().tolist()
    [0.80..., 0.20...]
    """
    total = np.tensordot(np.asarray(trust, np.float32), said, 1)
    total -= total.max(axis=0)
    powers = np.exp(total)
    return np.asarray(powers / powers.sum(axis=0), np.float32)


def class_shares(
    scores: NDArray[Any], guess: NDArray[Any], *, hold: float = 0.1, rounds: int = 30
) -> NDArray[np.float64]:
    """How much of a picture each class covers: float64 (classes,), sums to 1.

    `scores` (classes, n) treat all classes as equally common; shares are found by asking again and again how common
    they then come out (Saerens, Latinne and Decaestecker 2002), drawn to `guess` by the fraction `hold` each time: with
    weak scores nothing else is known.

    >>> scores = np.array([[0.9, 0.9, 0.9, 0.2], [0.1, 0.1, 0.1, 0.8]])
    >>> class_shares(scores, np.array([0.5, 0.5])).round(2).tolist()
    [0.8..., 0.1...]
    """
    expected: NDArray[np.float64] = np.asarray(guess, np.float64) / np.sum(guess)
    shares: NDArray[np.float64] = expected.copy()
    if not scores.shape[1]:
        return shares
    for _ in range(rounds):
        again = scores * shares[:, None]
        again /= np.maximum(again.sum(axis=0), 1e-30)
        shares = (1 - hold) * again.mean(axis=1) + hold * expected
    return shares


def with_shares(scores: NDArray[Any], shares: NDArray[Any]) -> Logs:
    """Scores (classes, ...) of equally common classes made those of classes that are as common as `shares` say.

    >>> with_shares(np.array([[0.5], [0.5]]), np.array([0.9, 0.1])).round(2).ravel().tolist()
    [0.89..., 0.10...]
    """
    result: Logs = scores * np.asarray(shares, np.float32).reshape(-1, *([1] * (scores.ndim - 1)))
    return np.asarray(result / np.maximum(result.sum(axis=0), np.float32(1e-30)), np.float32)


def among(scores: NDArray[np.float32], classes: NDArray[np.intp]) -> Logs:
    """Scores (n, all classes) as those of the given classes alone, (classes, n), which sum to 1.

    Where none of them has a score, and for classes nobody knows a score of, all are equally likely.

    >>> among(np.array([[0.5, 0.3, 0.1], [1.0, 0.0, 0.0]], np.float32), np.array([1, 2])).round(2).tolist()
    [[0.75, 0.5], [0.25, 0.5]]
    """
    missing = max(int(classes.max()) + 1 - scores.shape[1], 0)
    some = np.pad(scores, ((0, 0), (0, missing)))[:, classes].T
    total = some.sum(axis=0)
    result: Logs = np.where(total > 0, some / np.where(total > 0, total, np.float32(1)), np.float32(1 / len(classes)))
    return result
