"""Mixtures of Gaussians: densities against the formula, fits against scikit-learn, odd samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from maskwright.arrays.mixture import Mixture, fit_mixture


def clouds(count: int = 900) -> np.ndarray:
    random = np.random.default_rng(5)
    parts = [random.normal(mean, spread, (count // 3, 3)) for mean, spread in ((0, 1), ((40, 0, 9), 4), (90, 9))]
    return np.concatenate(parts).astype(np.float32)


def test_log_density_is_that_of_the_formula() -> None:
    random = np.random.default_rng(0)
    shares, means = np.array([0.2, 0.8]), random.normal(0, 9, (2, 3))
    roots = random.normal(0, 2, (2, 3, 3))
    covariances = roots @ roots.transpose(0, 2, 1) + np.eye(3)
    values = random.normal(0, 9, (50, 3))
    density = sum(s * multivariate_normal(m, c).pdf(values) for s, m, c in zip(shares, means, covariances, strict=True))
    np.testing.assert_allclose(Mixture(shares, means, covariances).log_density(values), np.log(density), atol=2e-3)


def test_a_fit_is_as_likely_as_that_of_scikit_learn() -> None:
    values = clouds()
    ours = fit_mixture(values, 3, floor=1e-3, rounds=60)
    theirs = GaussianMixture(3, reg_covar=1e-3, random_state=0, n_init=3).fit(values)
    assert ours.log_density(values).mean() == pytest.approx(theirs.score(values), abs=0.02)
    assert ours.shares.sum() == pytest.approx(1)


def test_every_round_makes_the_values_more_likely_and_a_start_goes_on() -> None:
    values = clouds()
    fits = [fit_mixture(values, 4, floor=1e-6, rounds=rounds) for rounds in (0, 2, 8, 30)]
    likely = [fit.log_density(values).mean() for fit in fits]
    assert likely == sorted(likely)
    again = fit_mixture(values, 4, floor=1e-6, rounds=6, start=fits[1])
    np.testing.assert_allclose(again.means, fits[2].means, atol=1e-2)


def test_few_and_equal_values() -> None:
    same = fit_mixture(np.full((40, 2), 7.0), 5, floor=4.0)
    assert same.means.tolist() == [[7, 7]]
    np.testing.assert_allclose(same.covariances, [[[4, 0], [0, 4]]])
    one = fit_mixture(np.array([[3.0, 4.0]]), 5, floor=1.0)
    assert np.isfinite(one.log_density(np.array([[3.0, 4.0], [1e3, -1e3]]))).all()
    with pytest.raises(ValueError, match="at least 1"):
        fit_mixture(np.empty((0, 2)), 2, floor=1.0)
