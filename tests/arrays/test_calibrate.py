"""Calibration: isotonic against scikit-learn, temperature against a fine search, reliability by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from scipy.special import log_softmax

from maskwright.arrays import calibrate
from maskwright.arrays.calibrate import at_temperature, isotonic, reliability, temperature


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_isotonic_equals_scikit_learn(count: int, state: int) -> None:
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(state)
    claim, right, weight = rng.integers(0, 20, count) / 20, rng.random(count) < 0.5, rng.integers(1, 5, count)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(claim, right.astype(float), sample_weight=weight)
    asked = np.linspace(-0.2, 1.2, 101)
    np.testing.assert_allclose(isotonic(claim, right, weight)(asked), theirs.predict(asked), atol=1e-6)


@pytest.mark.parametrize("kind", ["rising", "falling", "noise", "ties", "one level"])
def test_isotonic_in_spans_is_isotonic_at_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    claim = np.round(rng.random(5000), 2) if kind == "ties" else rng.random(5000)
    claim = np.full(5000, 0.5) if kind == "one level" else claim
    chance = {"rising": claim, "falling": 1 - claim}.get(kind, np.full(5000, 0.5))
    right, weight = rng.random(5000) < chance, rng.integers(0, 4, 5000)
    claim[::50] = np.nan
    once = isotonic(claim, right, weight)
    monkeypatch.setattr(calibrate, "FEW", 100)
    assert len(calibrate._spans(claim)) == {"one level": 2}.get(kind, 16)
    spans = isotonic(claim, right, weight)
    np.testing.assert_array_equal(spans.claimed, once.claimed)
    np.testing.assert_allclose(spans.measured, once.measured, rtol=1e-12)


def test_isotonic_leaves_out_nan_and_weightless_entries() -> None:
    curve = isotonic([0.2, np.nan, 0.6, 0.9], [0, 1, 1, 0], [1, 1, 1, 0])
    assert curve.claimed.tolist() == [0.2, 0.6]
    assert np.isnan(curve(np.array([[np.nan]]))).all()
    with pytest.raises(ValueError, match="at least one"):
        isotonic([], [])
    with pytest.raises(ValueError, match="finite"):
        isotonic([np.inf], [1])


@pytest.mark.parametrize("hidden", [0.3, 1.0, 2.5])
def test_temperature_finds_the_least_loss(hidden: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3000, 4)) * 2
    chance = np.exp(log_softmax(logits, axis=1))
    truth = np.array([rng.choice(4, p=each) for each in chance]).astype(np.uint8)
    degree = temperature(logits * hidden, truth)
    assert degree == pytest.approx(hidden, rel=0.1)

    def loss(at: float) -> float:
        return float(-log_softmax(logits * hidden / at, axis=1)[np.arange(3000), truth].mean())

    assert loss(degree) < min(loss(degree * 1.001), loss(degree * 0.999))


def test_temperature_at_its_ends_and_with_unknown_pixels() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [5.0, -np.inf]])
    assert temperature(logits, np.array([0, 1, 255])) == 1e-2
    assert temperature(logits, np.array([1, 0, 255])) == 1e2
    with pytest.raises(ValueError, match="known"):
        temperature(logits, np.array([255, 255, 255]))
    with pytest.raises(ValueError, match="nan"):
        temperature(np.array([[np.nan, 0]]), np.array([0]))


def test_a_temperature_keeps_order_and_sum() -> None:
    scores = np.random.default_rng(1).dirichlet(np.ones(3), (4, 7)).transpose(2, 0, 1).astype(np.float32)
    for degree in (0.5, 1.0, 3.0):
        warmed = at_temperature(scores, degree)
        np.testing.assert_allclose(warmed.sum(axis=0), 1, rtol=1e-6)
        np.testing.assert_array_equal(warmed.argmax(axis=0), scores.argmax(axis=0))
    np.testing.assert_allclose(at_temperature(scores, 1.0), scores, rtol=1e-5)
    assert at_temperature(np.array([[[1.0]], [[0.0]]]), 1.0).ravel().tolist() == [1, 0]
    assert np.isnan(at_temperature(np.array([[[np.nan]], [[1.0]]]), 2.0)).all()
    assert at_temperature(np.zeros((2, 0, 3)), 2.0).shape == (2, 0, 3)


def test_reliability_by_hand() -> None:
    table = reliability([0.0, 0.25, 0.5, 1.0, np.nan], [0, 1, 0, 1, 1], [1, 1, 2, 1, 9], bins=4)
    np.testing.assert_allclose(table.weight, [1, 1, 2, 1])
    np.testing.assert_allclose(table.measured, [0, 1, 0, 1])
    assert table.error == pytest.approx((0 + 0.75 + 2 * 0.5 + 0) / 5)
    assert np.isnan(reliability([], []).error)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        reliability([1.5], [1])


def test_a_calibrated_confidence_is_reliable() -> None:
    rng = np.random.default_rng(2)
    claim = rng.random(20000)
    right = rng.random(20000) < claim**2
    curve = isotonic(claim[::2], right[::2])
    before, after = reliability(claim[1::2], right[1::2]), reliability(curve(claim[1::2]), right[1::2])
    assert before.error > 0.15
    assert after.error < 0.02


def test_a_whole_picture_is_learned_from_like_its_sorted_levels() -> None:
    random = np.random.default_rng(9)
    claim, weight = random.random(400_000), random.random(400_000)
    right = random.random(400_000) < claim**2
    order = np.argsort(claim)
    expected = isotonic_regression(right[order].astype(float), weights=weight[order]).x
    read = isotonic(claim, right, weight)(claim[order])
    np.testing.assert_allclose(read, expected, atol=1e-6)
    table = reliability(claim, right, weight)
    np.testing.assert_allclose(table.weight, np.bincount((claim * 10).astype(int), weight), rtol=1e-9)


def test_temperatures_of_many_pixels_are_those_of_few() -> None:
    random = np.random.default_rng(10)
    logits = random.normal(size=(2_000, 3)) * 3
    truth = random.integers(0, 3, 2_000)
    few = temperature(logits, truth)
    assert temperature(np.tile(logits, (40, 1)), np.tile(truth, 40)) == pytest.approx(few, rel=1e-7)
    scores = random.dirichlet([1, 1, 1], (300, 400)).transpose(2, 0, 1)
    soft = at_temperature(scores, 1.7)
    expected = scores ** (1 / 1.7)
    np.testing.assert_allclose(soft, expected / expected.sum(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(soft[:, 200:220], at_temperature(scores[:, 200:220], 1.7))
