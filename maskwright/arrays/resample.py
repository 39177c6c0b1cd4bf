"""Arrays on fewer or on more pixels, without ringing and without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def resample(values: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Values (height, width, channels) on another number of pixels (rows, columns): float32 (*size, channels).

    On fewer pixels each takes the mean of what it covers, parts of pixels counting as parts; on more, values run
    straight from pixel centre to pixel centre and stay level beyond the outermost ones. A constant stays constant.

    >>> resample(np.array([[[1.0], [3.0], [5.0], [7.0]]]), (1, 2)).ravel()
    array([2., 6.], dtype=float32)
    >>> resample(np.array([[[0.0], [4.0]]]), (1, 4)).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """
    height, width, channels = values.shape
    flat = np.asarray(values, np.float32).reshape(height, -1)
    tall = (_weights(height, size[0]) @ flat).reshape(size[0], width, channels)
    turned = tall.transpose(1, 0, 2).reshape(width, -1)
    wide = (_weights(width, size[1]) @ turned).reshape(size[1], size[0], channels)
    return np.ascontiguousarray(wide.transpose(1, 0, 2))


def _weights(count: int, wanted: int) -> Any:
    """How much each of `count` pixels counts in each of `wanted`: sparse (wanted, count), rows add up to 1."""
    step = count / wanted
    if wanted >= count:
        middles = np.clip((np.arange(wanted) + 0.5) * step - 0.5, 0, count - 1)
        first = np.minimum(middles.astype(int), max(count - 2, 0))
        pairs = [(first, 1 - (middles - first)), (np.minimum(first + 1, count - 1), middles - first)]
    else:
        edges = np.arange(wanted + 1) * step
        start = np.floor(edges[:-1]).astype(int)
        pairs = []
        for offset in range(int(np.ceil(step)) + 1):
            pixel = start + offset
            covered = np.clip(np.minimum(pixel + 1, edges[1:]) - np.maximum(pixel, edges[:-1]), 0, None)
            pairs.append((np.minimum(pixel, count - 1), covered / step))
    rows = np.tile(np.arange(wanted), len(pairs))
    columns, shares = (np.concatenate([pair[index] for pair in pairs]) for index in range(2))
    return sparse.csr_array((shares.astype(np.float32), (rows, columns)), shape=(wanted, count))
