"""Divergences of two batches of vectors as losses: sliced Wasserstein distances with gradients.

On the CPU numpy finds the order and torch gathers, because numpy sorts several times faster there; elsewhere torch
does both. The values are those of `arrays.wasserstein`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from maskwright.arrays.wasserstein import quantile_pairs


def random_directions(dimensions: int, count: int, *, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """`count` random unit vectors (count, dimensions) with the dtype and device of `like`, fresh at each call."""
    device = "cpu" if generator is None else generator.device
    drawn = torch.randn(count, dimensions, generator=generator, dtype=torch.float64, device=device)
    return torch.nn.functional.normalize(drawn, dim=1).to(like)


def slice_distances(x: Tensor, y: Tensor, views: Tensor, *, order: float = 2.0) -> Tensor:
    """W_p^p of x (n, d) and y (m, d) seen from each of `views` (l, d): (l,), differentiable in all three."""
    if not x.ndim == y.ndim == views.ndim == 2 or not x.shape[1] == y.shape[1] == views.shape[1]:
        raise ValueError(
            f"x, y and views are (n, d), one d for all; got {tuple(x.shape)}, {tuple(y.shape)}, {tuple(views.shape)}"
        )
    if not len(x) or not len(y) or not len(views) or order < 1:
        raise ValueError("a sliced distance needs vectors on both sides, a direction, and an order of 1 or more")
    seen_x, seen_y = _sorted(views @ x.T), _sorted(views @ y.T)
    if len(x) == len(y):
        return (seen_x - seen_y).abs().pow(order).mean(dim=1)
    first, second, shares = (torch.as_tensor(each, device=x.device) for each in quantile_pairs(len(x), len(y)))
    return (seen_x[:, first] - seen_y[:, second]).abs().pow(order) @ shares.to(seen_x)


def sliced_wasserstein(x: Tensor, y: Tensor, views: Tensor, *, order: float = 2.0) -> Tensor:
    """(mean over directions of W_p^p)^(1/p), a number; its gradient is 0, not nan, where the clouds are equal."""
    return _root(slice_distances(x, y, views, order=order).mean(), order)


def max_sliced_wasserstein(x: Tensor, y: Tensor, views: Tensor, *, order: float = 2.0) -> Tensor:
    """(max over directions of W_p^p)^(1/p): the direction that tells the clouds apart best."""
    return _root(slice_distances(x, y, views, order=order).max(), order)


def energy_sliced_wasserstein(
    x: Tensor, y: Tensor, views: Tensor, *, order: float = 2.0, over: Literal["sum", "mean"] = "sum"
) -> Tensor:
    """(sum of w_l W_l)^(1/p), w = softmax(W) over directions; gradients flow through the weights, too.

    Nguyen and Ho 2023, importance sampling; with `over="sum"`, order 2 and 1,000 fresh directions it is the loss of
    the published presence masker. `over="mean"` does not sharpen with the size of the batch.
    """
    energy = slice_distances(x, y, views, order=order) * (max(len(x), len(y)) if over == "sum" else 1)
    return _root((torch.softmax(energy, dim=0) * energy).sum(), order)


def _sorted(heaps: Tensor) -> Tensor:
    """Rows in rising order; the gradient goes back to where each number came from."""
    if heaps.device.type != "cpu" or heaps.dtype not in (torch.float32, torch.float64):
        return heaps.sort(dim=1).values
    order = np.argsort(heaps.detach().numpy(), axis=1)
    return heaps.gather(1, torch.from_numpy(order))


def _root(power: Tensor, order: float) -> Tensor:
    """power^(1/order) with gradient 0 at 0, where the root has none."""
    positive = power > 0
    safe = torch.where(positive, power, torch.ones_like(power))
    return torch.where(positive, safe.pow(1 / order), power * 0)
