"""Large arrays a block at a time, so that scratch in wider numbers stays small; and quantiles that sort one copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 1 << 16
"""Numbers in a block: small beside any picture, large beside the cost of a call, and at home in the cache."""


def blocks(shape: tuple[int, ...], most: int = AT_ONCE) -> Iterator[tuple[slice, ...]]:
    """Indices of blocks of at most `most` numbers that together cover an array of `shape` once, in memory order.

    An index says nothing of the last axes where it takes them whole. An array without numbers has no blocks, except
    that of no axes, which has one.

    >>> list(blocks((5, 2), most=4))
    [(slice(0, 2, None),), (slice(2, 4, None),), (slice(4, 5, None),)]
    >>> list(blocks((2, 3), most=2))[:2]
    [(slice(0, 1, None), slice(0, 2, None)), (slice(0, 1, None), slice(2, 3, None))]
    """
    if not shape:
        yield ()
        return
    inner = prod(shape[1:])
    if not inner:
        return
    if inner > max(most, 1):
        for place in range(shape[0]):
            yield from ((slice(place, place + 1), *rest) for rest in blocks(shape[1:], most))
        return
    step = max(1, most // inner)
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])),)


def quantiles(values: NDArray[Any], shares: Sequence[float]) -> NDArray[np.float64]:
    """Linearly interpolated quantiles of flat numbers, nan left out; `values` are put into another order.

    As `numpy.quantile` of float64, without its copies. No number at all gives nan.

    >>> quantiles(np.array([4, 1, 3], np.uint8), (0.25, 1.0)).tolist()
    [2.0, 4.0]
    """
    count = len(values)
    if values.dtype.kind == "f":
        count -= sum(int(np.isnan(values[block]).sum()) for block in blocks(values.shape))
    if not count:
        return np.full(len(shares), np.nan)
    places = np.asarray(shares, np.float64) * (count - 1)
    below = np.floor(places).astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    values.partition(np.unique([below, above]))  # nan go last
    low, high, part = values[below].astype(np.float64), values[above].astype(np.float64), places - below
    found: NDArray[np.float64] = np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))
    return found
