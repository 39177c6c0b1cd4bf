"""Witnesses pooled: the good one is trusted, shares are found, and nothing is certain."""

from __future__ import annotations

import numpy as np

from maskwright.arrays.pool import class_shares, fit_trust, log_scores, pooled, with_shares


def witnesses(count: int = 400, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """One that knows, one that guesses, and one that is sure of another class."""
    random = np.random.default_rng(0)
    truth = random.integers(0, classes, count)
    hot = np.eye(classes)[truth].T
    good = 0.6 * hot + 0.4 * random.dirichlet([1] * classes, count).T
    guess = random.dirichlet([1] * classes, count).T
    liar = 0.9 * np.roll(hot, 1, axis=0) + 0.1 / classes
    return np.stack([log_scores(each) for each in (good, guess, liar)]), truth


def test_who_knows_is_trusted_and_who_does_not_is_not() -> None:
    said, truth = witnesses()
    trust = fit_trust(said, truth, np.full(3, 0.5))
    assert trust[0] > 1 and trust[1] < 0.2 and trust[2] == 0
    assert (pooled(said, trust).argmax(axis=0) == truth).mean() > 0.9
    np.testing.assert_allclose(pooled(said, trust).sum(axis=0), 1, atol=1e-5)


def test_few_places_hardly_move_the_start() -> None:
    said, truth = witnesses()
    start = np.array([0.7, 0.1, 0.3])
    assert np.abs(fit_trust(said[:, :, :1], truth[:1], start) - start).max() < 1
    assert np.array_equal(fit_trust(said[:, :, :0], truth[:0], start), start)
    assert np.allclose(fit_trust(said, truth, start, strength=1e9), start, atol=1e-3)


def test_a_class_with_many_places_counts_no_more_than_one_with_few() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 600)
    weak = 0.25 * np.eye(3)[truth].T + 0.75 * random.dirichlet([1] * 3, 600).T
    weak[0] *= 3  # so that class 0 is judged otherwise than the others
    said = log_scores(weak / weak.sum(axis=0))[None]
    more = np.concatenate([np.arange(600), np.repeat(np.flatnonzero(truth == 0), 20)])
    once, often = (
        fit_trust(said[:, :, each], truth[each], np.ones(1), strength=0.0) for each in (np.arange(600), more)
    )
    np.testing.assert_allclose(once, often, rtol=1e-3)


def test_shares_of_an_uneven_picture_are_found() -> None:
    random = np.random.default_rng(1)
    truth = random.choice(3, 5000, p=[0.85, 0.1, 0.05])
    logits = 2.0 * np.eye(3)[truth].T + random.normal(0, 1, (3, 5000))
    scores = pooled(logits[None], np.array([2.0]))  # the likelihood of equally common classes, up to a constant
    shares = class_shares(scores, np.ones(3), hold=0.0)
    np.testing.assert_allclose(shares, [0.85, 0.1, 0.05], atol=0.03)
    fair = with_shares(scores, shares)
    assert (fair.argmax(axis=0) == truth).mean() > (scores.argmax(axis=0) == truth).mean() + 0.02


def test_without_scores_the_guess_stays_and_it_holds_as_told() -> None:
    guess = np.array([3.0, 1.0])
    assert class_shares(np.zeros((2, 0)), guess).tolist() == [0.75, 0.25]
    scores = np.array([[1.0] * 9, [0.0] * 9])
    assert class_shares(scores, guess, hold=1.0).tolist() == [0.75, 0.25]
    assert class_shares(scores, np.ones(2), hold=0.2)[0] == 0.9
