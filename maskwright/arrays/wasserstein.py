"""How different two clouds of vectors are, seen from many directions: sliced Wasserstein distances.

Seen from one direction a cloud is a heap of numbers, and the Wasserstein distance of two heaps is that of their
quantile functions: W_p^p = integral over 0..1 of |Qx(u) - Qy(u)|^p, which for heaps of one size is the mean over sorted
pairs. numpy sorts do the work (gradients: `training.divergences`); they release the GIL, so directions are shared out
to threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

AT_ONCE = 64
"""At most so many views are projected and sorted at a time: they stay in the cache, and memory does not grow."""
FEW = 1 << 17
"""With so few numbers in a projection of clouds views are not taken one by one, however few dimensions there are."""


def directions(dimensions: int, count: int, *, random_state: int = 0) -> NDArray[np.float64]:
    """`count` unit vectors (count, dimensions), evenly spread over the sphere by chance.

    >>> np.linalg.norm(directions(3, 5), axis=1).round(12).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if dimensions < 1 or count < 1:
        raise ValueError(f"directions need at least one dimension and one of them; got {dimensions} and {count}")
    drawn = np.random.default_rng(random_state).standard_normal((count, dimensions))
    lengths = np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn / np.where(lengths > 0, lengths, 1)


def wasserstein(
    x: ArrayLike,
    y: ArrayLike,
    *,
    order: float = 2.0,
    x_weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """The Wasserstein distance of heaps of numbers (..., n) and (..., m), exactly; the result has shape (...).

    `order` p is 1 or more. Heaps may differ in size; `x_weights` (n,) and `y_weights` (m,), 0 or more, are scaled to
    sum to 1 each. nan in a heap gives nan. An empty heap, or one without weight, is a ValueError.

    >>> float(wasserstein([0, 1, 2], [5, 3, 4], order=1)), float(wasserstein([0.0, 4.0], [1.0], order=2))
    (3.0, 2.2360...)
    """
    powers = _powers(np.asarray(x), np.asarray(y), order, x_weights, y_weights)
    return np.asarray(powers ** (1 / order))


def slice_distances(
    x: NDArray[Any],
    y: NDArray[Any],
    views: NDArray[Any],
    *,
    order: float = 2.0,
    x_weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    threads: int = 1,
) -> NDArray[np.float64]:
    """W_p^p of clouds (n, d) and (m, d) seen from each of `views` (l, d): float64 (l,).

    float32 clouds are projected and sorted in float32, which is twice as fast; all others in float64. The result does
    not depend on `threads`.

    >>> slice_distances(np.zeros((2, 2)), np.array([[3.0, 0], [3, 0]]), np.eye(2)).tolist()
    [9.0, 0.0]
    """
    _check_clouds(x, y, views)
    dtype = np.float32 if x.dtype == y.dtype == np.float32 else np.float64
    clouds = [np.asarray(cloud, dtype).T for cloud in (x, y)]
    views = np.asarray(views, dtype)
    at_once = min(AT_ONCE, max(1, x.shape[1] // max(1, threads), FEW // (len(x) + len(y) + 1)))
    parts = [views[start : start + at_once] for start in range(0, len(views), at_once)]

    def measure(part: NDArray[Any]) -> NDArray[np.float64]:
        return _powers(part @ clouds[0], part @ clouds[1], order, x_weights, y_weights, ours=True)

    if threads < 2 or len(parts) < 2:
        return np.concatenate([measure(part) for part in parts])
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(measure, parts)))


def sliced_wasserstein(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    slices: int = 512,
    order: float = 2.0,
    x_weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    random_state: int = 0,
    views: NDArray[Any] | None = None,
    threads: int = 1,
) -> float:
    """The sliced Wasserstein distance (mean over directions of W_p^p)^(1/p) of clouds (n, d) and (m, d).

    `slices` directions are drawn with `random_state`, or given as `views` (l, d). 0 for equal clouds.

    >>> sliced_wasserstein(np.zeros((2, 2)), np.array([[3.0, 0], [3, 0]]), views=np.eye(2)).hex() == (4.5**0.5).hex()
    True
    """
    seen = directions(x.shape[-1], slices, random_state=random_state) if views is None else views
    powers = slice_distances(x, y, seen, order=order, x_weights=x_weights, y_weights=y_weights, threads=threads)
    return float(powers.mean() ** (1 / order))


def energy_sliced_wasserstein(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    slices: int = 1000,
    order: float = 2.0,
    over: Literal["sum", "mean"] = "sum",
    x_weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    random_state: int = 0,
    views: NDArray[Any] | None = None,
    threads: int = 1,
) -> float:
    """The energy-based sliced Wasserstein distance: directions that tell the clouds apart count more.

    (sum of w_l W_l)^(1/p) with w = softmax(W) over directions (Nguyen and Ho 2023, importance sampling). `over` says
    what W_l is: "sum" over the pairs of sorted numbers, as published code has it, which sharpens with the size of the
    larger cloud; or the "mean", W_p^p, which does not.

    >>> cloud = np.array([[3.0, 0], [3, 0]])
    >>> round(energy_sliced_wasserstein(np.zeros((2, 2)), cloud, views=np.eye(2)), 6)
    4.242641
    """
    seen = directions(x.shape[-1], slices, random_state=random_state) if views is None else views
    powers = slice_distances(x, y, seen, order=order, x_weights=x_weights, y_weights=y_weights, threads=threads)
    energy = powers * (max(len(x), len(y)) if over == "sum" else 1)
    return float((softmax(energy) @ energy) ** (1 / order))


def quantile_pairs(n: int, m: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Which of n and of m sorted numbers meet in their quantile functions, and over which share of 0..1.

    Exact: breaks are compared as whole numbers of 1 / (n m).

    >>> [each.tolist() for each in quantile_pairs(2, 3)]
    [[0, 0, 1, 1], [0, 1, 1, 2], [0.333..., 0.166..., 0.166..., 0.333...]]
    """
    if n == m:
        same = np.arange(n)
        return same, same, np.full(n, 1 / n)
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    starts = np.concatenate([[0], ends[:-1]])
    return starts // m, starts // n, (ends - starts) / (n * m)


def _powers(
    x: NDArray[Any],
    y: NDArray[Any],
    order: float,
    x_weights: ArrayLike | None,
    y_weights: ArrayLike | None,
    ours: bool = False,
) -> NDArray[np.float64]:
    """W_p^p along the last axis; heaps that are `ours` are sorted where they lie."""
    if order < 1 or not x.shape[-1:] > (0,) or not y.shape[-1:] > (0,):
        raise ValueError(f"order is 1 or more and heaps are not empty; got {order}, {x.shape} and {y.shape}")
    if x_weights is None and y_weights is None:
        first, second, shares = quantile_pairs(x.shape[-1], y.shape[-1])
        x, y = (_fractions(heap) if ours else _fractions(heap).copy() for heap in (x, y))
        x.sort(axis=-1)
        y.sort(axis=-1)
        if x.shape == y.shape and x.dtype == y.dtype:
            np.subtract(x, y, out=x)
            return np.asarray(_power(x, order).mean(axis=-1, dtype=np.float64))
        if x.shape[-1] == y.shape[-1]:
            return np.asarray(_power(x - y, order).mean(axis=-1, dtype=np.float64))
        return np.asarray(_power(x[..., first] - y[..., second], order) @ shares)
    return _weighted_powers(x, y, order, _shares(x_weights, x.shape[-1]), _shares(y_weights, y.shape[-1]))


def _weighted_powers(
    x: NDArray[Any], y: NDArray[Any], order: float, x_shares: NDArray[np.float64], y_shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """W_p^p of weighted heaps, one line after the other: each has breaks of its own."""
    shape = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    lines_x = np.broadcast_to(x, (*shape, x.shape[-1])).reshape(-1, x.shape[-1])
    lines_y = np.broadcast_to(y, (*shape, y.shape[-1])).reshape(-1, y.shape[-1])
    powers = [_weighted_line(a, b, order, x_shares, y_shares) for a, b in zip(lines_x, lines_y, strict=True)]
    return np.array(powers).reshape(shape)


def _weighted_line(
    x: NDArray[Any], y: NDArray[Any], order: float, x_shares: NDArray[np.float64], y_shares: NDArray[np.float64]
) -> float:
    by_x, by_y = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    ends_x, ends_y = np.cumsum(x_shares[by_x]), np.cumsum(y_shares[by_y])
    ends_x[-1] = ends_y[-1] = 1.0
    ends = np.sort(np.concatenate([ends_x, ends_y]))
    starts = np.concatenate([[0.0], ends[:-1]])
    first = np.minimum(np.searchsorted(ends_x, starts, side="right"), len(x) - 1)
    second = np.minimum(np.searchsorted(ends_y, starts, side="right"), len(y) - 1)
    return float(_power(_fractions(x[by_x][first]) - y[by_y][second], order) @ (ends - starts))


def _power(difference: NDArray[Any], order: float) -> NDArray[Any]:
    if order == 2:
        np.square(difference, out=difference)
        return difference
    np.abs(difference, out=difference)
    if order != 1:
        np.power(difference, order, out=difference)
    return difference


def _fractions(values: NDArray[Any]) -> NDArray[Any]:
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)


def _shares(weights: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """Weights that sum to 1."""
    given = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (count,) or not (np.isfinite(given).all() and (given >= 0).all() and given.sum() > 0):
        raise ValueError(f"{count} numbers need as many finite weights, 0 or more and not all 0; got {given.shape}")
    shares: NDArray[np.float64] = given / given.sum()
    return shares


def _check_clouds(x: NDArray[Any], y: NDArray[Any], views: NDArray[Any]) -> None:
    if not x.ndim == y.ndim == views.ndim == 2 or not x.shape[1] == y.shape[1] == views.shape[1]:
        raise ValueError(f"clouds and views are (n, d), one d for all; got {x.shape}, {y.shape} and {views.shape}")
    if not len(views):
        raise ValueError("a sliced distance needs at least one direction")
