"""Intervals: closed forms against scipy and by hand, and simulations of how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from maskwright.arrays.estimate import (
    assisted_share,
    cover,
    iou,
    percentile_interval,
    resampled_weights,
    share,
    stratified_share,
)

TRIALS = 2000


def covered(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (10, 10), (57, 211)])
@pytest.mark.parametrize(("method", "theirs"), [("wilson", "wilson"), ("exact", "exact")])
def test_shares_equal_scipy(hits: int, trials: int, method: str, theirs: str) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(0.9, method=theirs)
    estimate = share(hits, trials, level=0.9, method=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(estimate, (hits / trials, expected.low, expected.high), atol=1e-12)


def test_nothing_seen_is_nothing_known() -> None:
    estimate = share([0, 2], [0, 4])
    assert np.isnan(estimate.value[0])
    assert (estimate.low[0], estimate.high[0]) == (0, 1)
    assert estimate.value[1] == 0.5
    assert np.isnan(stratified_share([1, 0], [2, 0], [1, 1]).value)
    assert np.isnan(assisted_share(0.5, 0, 0, 0).value)
    assert np.isnan(cover(np.array([], np.uint8), 2).value).all()


@pytest.mark.parametrize("wrong", [(3, 2), (-1, 2), (0, np.inf), (np.nan, 1)])
def test_impossible_counts_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="counts"):
        share(*wrong)


def test_a_level_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.95"):
        share(1, 2, level=95)


def test_wilson_covers_as_it_says() -> None:
    rng = np.random.default_rng(0)
    rates = [covered(*share(rng.binomial(100, p, TRIALS), 100)[1:], p) for p in (0.1, 0.3, 0.5, 0.8)]
    assert 0.93 <= np.mean(rates) <= 0.97
    assert min(rates) > 0.92


def test_exact_never_covers_less() -> None:
    rng = np.random.default_rng(1)
    for p in (0.02, 0.3, 0.9):
        assert covered(*share(rng.binomial(40, p, TRIALS), 40, method="exact")[1:], p) >= 0.945


def test_the_stratified_interval_covers_and_is_narrower_than_a_blind_one() -> None:
    rng = np.random.default_rng(2)
    truth, sizes, trials = np.array([0.05, 0.3, 0.9]), np.array([5.0, 3.0, 2.0]), np.array([50, 40, 30])
    hits = rng.binomial(trials, truth, (TRIALS, 3))
    estimate = stratified_share(hits, trials, sizes)
    whole = float(truth @ sizes / sizes.sum())
    assert estimate.value.mean() == pytest.approx(whole, abs=0.003)
    assert 0.93 <= covered(estimate.low, estimate.high, whole) <= 0.97
    blind = share(round(whole * 120), 120)
    assert (estimate.high - estimate.low).mean() < 0.85 * (blind.high - blind.low)


def test_the_assisted_interval_covers_though_the_map_is_wrong() -> None:
    rng = np.random.default_rng(3)
    missed, invented, mapped = 0.08, 0.03, 0.30
    counts = rng.multinomial(200, [missed, invented, 1 - missed - invented], TRIALS)
    estimate = assisted_share(mapped, counts[:, 0], counts[:, 1], 200)
    assert estimate.value.mean() == pytest.approx(mapped + missed - invented, abs=0.003)
    assert 0.93 <= covered(estimate.low, estimate.high, mapped + missed - invented) <= 0.97
    blind = share(70, 200)
    assert (estimate.high - estimate.low).mean() < 0.8 * (blind.high - blind.low)


def test_the_interval_of_iou_covers() -> None:
    rng = np.random.default_rng(4)
    table = np.array([[0.5, 0.1], [0.05, 0.35]])
    drawn = rng.multinomial(250, table.ravel(), TRIALS).reshape(TRIALS, 2, 2)
    for k, truth in enumerate((0.5 / 0.65, 0.35 / 0.5)):
        ends = np.array([[e[k] for e in iou(counts)] for counts in drawn])
        assert 0.93 <= covered(ends[:, 1], ends[:, 2], truth) <= 0.97


def test_iou_counts_predictions_of_unknown_as_misses() -> None:
    np.testing.assert_allclose(iou(np.array([[3, 1, 2], [0, 4, 0]])).value, [3 / 6, 4 / 5])


def test_the_bootstrap_by_site_covers_where_points_of_a_site_agree() -> None:
    rng = np.random.default_rng(5)
    sites, each = 25, 20
    weights = resampled_weights(sites, 400, random_state=1)
    inside, naive = 0, 0
    for _ in range(TRIALS):
        hits = rng.binomial(each, rng.beta(2, 3, sites))
        low, high = percentile_interval(weights @ hits / (sites * each), sites)
        inside += bool(low <= 0.4 <= high)
        blind = share(hits.sum(), sites * each)
        naive += bool(blind.low <= 0.4 <= blind.high)
    assert 0.93 <= inside / TRIALS <= 0.97
    assert naive / TRIALS < 0.8  # as if all points were independent: why sites are drawn


def test_whole_sites_are_drawn() -> None:
    weights = resampled_weights(5, 50, sites=["a", "b", "a", "c", "b"])
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    np.testing.assert_array_equal(weights, resampled_weights(5, 50, sites=[7, 8, 7, 9, 8]))
    assert (weights != resampled_weights(5, 50, sites=list("abacb"), random_state=1)).any()


def test_few_sites_widen_the_interval_and_one_gives_none() -> None:
    draws = np.random.default_rng(6).normal(size=20000)
    wide, narrow = percentile_interval(draws, 5), percentile_interval(draws, 1000)
    assert wide[0] < narrow[0] and wide[1] > narrow[1]
    assert np.isnan(percentile_interval(draws, 1)).all()
    column = np.column_stack([draws, np.full_like(draws, np.nan)])
    assert np.isnan(percentile_interval(column, 9)[0]).tolist() == [False, True]


def test_the_interval_of_five_sites_is_that_of_the_expanded_percentile() -> None:
    low, high = percentile_interval(np.linspace(0, 1, 200_001), 5)
    expected = stats.norm.cdf(-np.sqrt(5 / 4) * stats.t.ppf(0.975, 4))
    assert low == pytest.approx(expected, abs=1e-5)
    assert high == pytest.approx(1 - expected, abs=1e-5)


def test_cover_counts_all_of_a_large_picture() -> None:
    ids = np.zeros((400, 700), np.uint8)
    ids[390:, 690:], ids[:, :7] = 1, 255
    assert cover(ids, 2).value.tolist() == [1 - 100 / (400 * 693), 100 / (400 * 693)]
