"""Bootstrap intervals: determinism, sites, one picture, coverage, and drawing lists as drawing sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskwright.metrics.intervals import bootstrap, bootstrap_counts, bootstrap_items


def ratio(tally: np.ndarray) -> dict[str, Any]:
    return {"share": float(tally[0] / tally[1]), "by": {"a": np.float64(tally[0]), "word": "px"}, "n": int(tally[1])}


def pictures(count: int, state: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(state)
    return [np.array([rng.binomial(50, rng.beta(4, 6)), 50]) for _ in range(count)]


def test_values_are_those_of_the_sum_and_names_keep_their_shape() -> None:
    tallies = pictures(12)
    result = bootstrap(tallies, ratio)
    total = np.sum(tallies, axis=0)
    assert result["share"]["value"] == total[0] / total[1]
    assert result["share"]["low"] < result["share"]["value"] < result["share"]["high"]
    assert result["by"]["a"]["value"] == total[0] and result["by"]["word"] == "px" and result["n"] == total[1]


def test_the_same_numbers_every_time_and_others_for_another_state() -> None:
    assert bootstrap(pictures(9), ratio) == bootstrap(pictures(9), ratio)
    assert bootstrap(pictures(9), ratio)["share"] != bootstrap(pictures(9), ratio, random_state=1)["share"]


def test_one_picture_or_one_site_has_no_interval() -> None:
    for result in (bootstrap(pictures(1), ratio), bootstrap(pictures(5), ratio, sites=["reef"] * 5)):
        assert np.isfinite(result["share"]["value"])
        assert np.isnan([result["share"]["low"], result["share"]["high"]]).all()


def test_sites_widen_the_interval_where_their_pictures_agree() -> None:
    tallies = [tally for tally in pictures(10) for _ in range(4)]
    sites = [k // 4 for k in range(40)]
    ends = [bootstrap(tallies, ratio, sites=each)["share"] for each in (None, sites, [None] * 40)]
    widths = [each["high"] - each["low"] for each in ends]
    assert widths[1] > 1.5 * widths[0]
    assert ends[2] == ends[0]


def test_sites_that_are_numbers_are_no_pictures_without_a_site() -> None:
    result = bootstrap(pictures(3), ratio, sites=[None, 0, 0])
    assert result == bootstrap(pictures(3), ratio, sites=["x", "y", "y"])


def test_an_interval_by_picture_covers_as_it_says() -> None:
    inside = 0
    for state in range(400):
        ends = bootstrap(pictures(30, state), lambda tally: {"s": float(tally[0] / tally[1])}, draws=300)["s"]
        inside += ends["low"] <= 0.4 <= ends["high"]
    assert 0.925 <= inside / 400 <= 0.975


def test_empty_counts_are_kept_out_of_the_table_but_not_of_the_scores() -> None:
    def scores(tally: np.ndarray) -> dict[str, float]:
        assert tally.shape == (3, 3) and tally.dtype == np.int64
        return {"corner": float(tally[2, 2]), "never": float(tally[0, 1])}

    tally = np.zeros((3, 3), np.uint32)
    tally[2, 2] = 4
    result = bootstrap([tally, tally], scores)
    assert result["corner"] == {"value": 8.0, "low": 8.0, "high": 8.0}
    assert result["never"]["value"] == 0


def test_weights_multiply_tallies() -> None:
    tallies = [np.array([1, 2]), np.array([3, 3])]
    assert bootstrap(tallies, ratio, weights=[3, 1])["share"]["value"] == pytest.approx(6 / 9)
    with pytest.raises(ValueError, match="weights"):
        bootstrap(tallies, ratio, weights=[1])


def test_scores_that_are_nan_in_some_draws_use_the_others() -> None:
    tallies = [np.array([0.0, 0.0]), np.array([1.0, 2.0]), np.array([2.0, 3.0])]

    def scores(tally: np.ndarray) -> dict[str, float]:
        return {"share": float(tally[0] / tally[1]) if tally[1] else float("nan")}

    ends = bootstrap(tallies, scores)["share"]
    assert ends["low"] == pytest.approx(0.5) and ends["high"] == pytest.approx(2 / 3)


def test_lists_are_drawn_as_sums_are() -> None:
    tallies = pictures(7)
    by_list = bootstrap_items(tallies, lambda drawn: ratio(np.sum(drawn, axis=0)), draws=150)
    assert by_list == bootstrap(tallies, ratio, draws=150)


def test_counts_of_independent_things_have_the_spread_of_a_binomial() -> None:
    result = bootstrap_counts(np.array([[30, 70]]), lambda each: {"share": float(each[0, 0] / each.sum())}, draws=4000)
    assert result["share"]["value"] == 0.3
    assert result["share"]["low"] == pytest.approx(0.3 - 1.96 * 0.0458, abs=0.012)
    assert result["share"]["high"] == pytest.approx(0.3 + 1.96 * 0.0458, abs=0.012)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        bootstrap([], ratio)
    with pytest.raises(ValueError, match="one shape"):
        bootstrap([np.zeros(2), np.zeros(3)], ratio)
    with pytest.raises(ValueError, match="sites"):
        bootstrap(pictures(3), ratio, sites=["a"])
    with pytest.raises(ValueError, match="at least one picture"):
        bootstrap_items([], lambda drawn: {})
