"""What values are like, as a sum of a few Gaussians: fitted to samples, then asked how likely other values are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Gaussians with full covariances: shares (k,), means (k, d) and covariances (k, d, d), all float64."""

    shares: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def log_density(self, values: NDArray[Any]) -> Values:
        """Logarithm of the density at values (n, d): float32 (n,).

        >>> one = Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
        >>> one.log_density(np.array([[0.0], [2.0]])).round(2)
        array([-0.92, -2.92], dtype=float32)
        """
        centre = self.shares @ self.means
        terms = self._coefficients(centre) @ _monomials(np.asarray(values - centre, np.float32))
        return _log_sum(terms)[0]

    def _coefficients(self, centre: NDArray[np.float64]) -> Values:
        """The logarithm of every Gaussian as a polynomial of the values around `centre`: (k, monomials)."""
        size = self.means.shape[1]
        precision = np.linalg.inv(self.covariances)
        means = self.means - centre
        pull = np.einsum("kij,kj->ki", precision, means)
        constant = (
            np.log(np.maximum(self.shares, 1e-300))
            - 0.5 * np.einsum("ki,ki->k", pull, means)
            - 0.5 * np.linalg.slogdet(self.covariances)[1]
            - 0.5 * size * np.log(2 * np.pi)
        )
        rows, cols = np.triu_indices(size)
        squares = precision[:, rows, cols] * np.where(rows == cols, -0.5, -1.0)
        return np.concatenate([constant[:, None], pull, squares], axis=1).astype(np.float32)


def fit_mixture(
    values: NDArray[Any],
    count: int,
    *,
    floor: float,
    rounds: int = 20,
    start: Mixture | None = None,
    random_state: int = 0,
) -> Mixture:
    """The mixture of `count` Gaussians under which values (n, d) are most likely, after `rounds` of expectation.

    It begins from `start`, or from k-means. `floor` is added to every variance, so that no Gaussian shrinks onto a few
    values. Fewer different values than `count` give as many Gaussians; without any value it is a ValueError. The same
    values give the same mixture.

    >>> two = fit_mixture(np.array([[0.0], [0.2], [9.8], [10.0]]), 2, floor=0.01)
    >>> sorted(two.means.ravel().round(1).tolist()), two.shares.round(2).tolist()
    ([0.1, 9.9], [0.5, 0.5])
    """
    values = np.asarray(values, np.float32)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"values are (n, d) with n at least 1; got shape {values.shape}")
    centre = values.mean(axis=0, dtype=np.float64)
    around = (values - centre).astype(np.float32)
    monomials = _monomials(around)
    if start is None:
        nearest = _clusters(around, count, random_state)
        belongs = (nearest == np.arange(nearest.max() + 1)[:, None]).astype(np.float32)
        start = _from_shares(belongs, monomials, centre, floor)
    found = start
    for _ in range(rounds):
        _, belongs = _log_sum(found._coefficients(centre) @ monomials)
        found = _from_shares(belongs, monomials, centre, floor)
    return found


def _monomials(values: Values) -> Values:
    """1, every value and every product of two: (1 + d + d (d + 1) / 2, n)."""
    columns, size = np.ascontiguousarray(values.T), values.shape[1]
    result = np.empty((1 + size + size * (size + 1) // 2, len(values)), np.float32)
    result[0] = 1
    result[1 : 1 + size] = columns
    for place, (row, col) in enumerate(zip(*np.triu_indices(size), strict=True)):
        np.multiply(columns[row], columns[col], out=result[1 + size + place])
    return result


def _log_sum(terms: Values) -> tuple[Values, Values]:
    """Logarithm of the sum of exponentials over the first axis, and the share of each in it."""
    most = terms.max(axis=0)
    powers = np.exp(terms - most)
    total = powers.sum(axis=0)
    return np.log(total) + most, powers / total


def _from_shares(belongs: Values, monomials: Values, centre: NDArray[np.float64], floor: float) -> Mixture:
    """The Gaussians of values that belong to them by `belongs` (k, n); nearly empty ones are dropped."""
    moments = (belongs @ monomials.T).astype(np.float64)
    moments = moments[moments[:, 0] > 1e-3]
    weight, size = moments[:, 0], len(centre)
    moments = moments / weight[:, None]
    means = moments[:, 1 : 1 + size]
    rows, cols = np.triu_indices(size)
    covariances = np.empty((len(weight), size, size))
    covariances[:, rows, cols] = covariances[:, cols, rows] = moments[:, 1 + size :] - means[:, rows] * means[:, cols]
    low, turn = np.linalg.eigh(covariances)  # rounding may leave variances a little below zero
    covariances = np.einsum("kij,kj,klj->kil", turn, np.maximum(low, 0) + floor, turn)
    return Mixture(weight / weight.sum(), means + centre, covariances)


def _clusters(values: Values, count: int, random_state: int, rounds: int = 5) -> NDArray[np.intp]:
    """The nearest of `count` centres for every value: k-means from centres drawn far from each other."""
    random = np.random.default_rng(random_state)
    centres = values[random.integers(len(values))][None]
    far = ((values - centres[0]) ** 2).sum(axis=1, dtype=np.float64)
    while len(centres) < count and far.max() > 0:
        index = int(np.searchsorted(np.cumsum(far), random.random() * far.sum(), side="right"))
        centres = np.concatenate([centres, values[min(index, len(values) - 1)][None]])
        far = np.minimum(far, ((values - centres[-1]) ** 2).sum(axis=1, dtype=np.float64))
    nearest = _nearest(values, centres)
    for _ in range(rounds):
        sizes = np.bincount(nearest, minlength=len(centres))[:, None]
        sums = np.stack([np.bincount(nearest, each, len(centres)) for each in values.T], axis=1)
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
        nearest = _nearest(values, centres)
    return np.unique(nearest, return_inverse=True)[1].astype(np.intp)


def _nearest(values: Values, centres: Values) -> NDArray[np.intp]:
    squares = (centres**2).sum(axis=1) - 2 * (values @ centres.T)
    return np.asarray(squares.argmin(axis=1))
