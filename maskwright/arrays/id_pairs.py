"""How often each pair of ids meets in two pictures: one table of counts, by as many threads as there are cores.

Pairs become small numbers first, many at a time; then they are counted in four tables in turn, for a counter that was
just written is not yet there to be read. Stretches of equal pairs are counted at once.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.blocks import blocks
from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.connected import NOBODY

STRIP = 1 << 20
"""Pixels that a thread counts at a time, which bounds the memory for inputs that must be copied."""
AT_ONCE = 4096
"""Pairs that are turned into numbers together, while they lie in the nearest cache."""
STRETCH = 32
"""Pairs that are looked at for being all alike; a multiple of 4."""
FEW = 64
"""Up to so many ids four tables stay in the nearest caches; more ids have one."""


def count_pairs(
    first: NDArray[Any], second: NDArray[Any], id_count: int, *, ignore: int, threads: int
) -> NDArray[np.int64]:
    """Pixels by id in `first` (rows) and in `second` (columns), whole numbers of one shape (height, width).

    int64 (n, n): 0 stands for `ignore`, 1 to id_count for ids from 0 up, and what comes after them for all other ids
    up to 254. `id_count` is 1 to 255, `ignore` at least that. Ids below 0 or above 254 that are not `ignore` are a
    ValueError. Threads take strips of rows as they become free; counts do not depend on them.

    >>> count_pairs(np.array([[0, 0, 1, 9]]), np.array([[0, 1, 255, 1]]), 2, ignore=255, threads=1)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [1, 0, 0, 0],
           [0, 0, 1, 0]])
    """
    strips = deque(blocks(first.shape, STRIP))
    side = min(id_count + 2, NOBODY + 1)
    threads = max(1, min(threads, len(strips)))
    tables = np.zeros((threads, side, side), np.int64)
    if threads == 1:
        _count_strips(first, second, ignore, strips, tables[0])
        return np.asarray(tables[0])
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_count_strips, first, second, ignore, strips, table) for table in tables]:
            done.result()
    return np.asarray(tables.sum(axis=0))


def _count_strips(
    first: NDArray[Any],
    second: NDArray[Any],
    ignore: int,
    strips: deque[tuple[slice, ...]],
    table: NDArray[np.int64],
) -> None:
    """Count strips until none is left; whichever thread is free takes the next one."""
    count = _count_compiled if HAS_NUMBA else _count_plain
    last = np.uint8(min(len(table) - 1, NOBODY))
    while strips:
        try:
            part = strips.popleft()
        except IndexError:  # another thread was quicker
            return
        count(_bytes(first[part], ignore), _bytes(second[part], ignore), last, table)


def _bytes(ids: NDArray[Any], ignore: int) -> NDArray[np.uint8]:
    """Ids as contiguous uint8 with `ignore` as 255; without a copy where they already are that."""
    flat = np.ascontiguousarray(ids).reshape(-1)
    if flat.dtype == np.uint8 and ignore == NOBODY:
        return flat
    hidden = flat == ignore
    if flat.dtype != bool and flat.size:
        known = flat[~hidden]
        if known.size and (known.min() < 0 or known.max() >= NOBODY):
            raise ValueError(f"ids are 0..254 or {ignore}; got {known.min()}..{known.max()}")
    result = flat.astype(np.uint8)
    result[hidden] = NOBODY
    return result


def _count_plain(first: NDArray[np.uint8], second: NDArray[np.uint8], last: np.uint8, table: NDArray[np.int64]) -> None:
    row, col = (np.minimum(ids + np.uint8(1), last) for ids in (first, second))  # 255 + 1 is 0
    table += np.bincount(row.astype(np.uint16) * np.uint16(len(table)) + col, minlength=table.size).reshape(table.shape)


@compiled
def _count_compiled(
    first: NDArray[np.uint8], second: NDArray[np.uint8], last: np.uint8, table: NDArray[np.int64]
) -> None:  # pragma: no cover - compiled
    side = table.shape[0]
    size, lanes = side * side, 4 if side <= FEW else 1
    lane = np.uintp(size if lanes > 1 else 0)
    tally = np.zeros(size * lanes, np.uint32)
    pairs = np.empty(AT_ONCE, np.uint16)
    for begin in range(0, len(first), AT_ONCE):
        end = min(begin + AT_ONCE, len(first))
        _number(first[begin:end], second[begin:end], last, np.uint16(side), pairs)
        _add(pairs, pairs.view(np.uint64), end - begin, lane, tally)
    for k in range(lanes):
        table += tally[k * size : (k + 1) * size].reshape(side, side)


@compiled
def _number(
    first: NDArray[np.uint8], second: NDArray[np.uint8], last: np.uint8, side: np.uint16, pairs: NDArray[np.uint16]
) -> None:  # pragma: no cover - compiled
    """Row times side plus column; 255 + 1 is 0."""
    one = np.uint8(1)
    for i in range(len(first)):
        row, col = min(np.uint8(first[i] + one), last), min(np.uint8(second[i] + one), last)
        pairs[i] = np.uint16(row) * side + np.uint16(col)


@compiled
def _add(
    pairs: NDArray[np.uint16], fours: NDArray[np.uint64], count: int, lane: np.uintp, tally: NDArray[np.uint32]
) -> None:  # pragma: no cover - compiled
    whole = count // STRETCH
    for stretch in range(whole):
        at = stretch * (STRETCH // 4)
        four = fours[at]
        pair = four & np.uint64(0xFFFF)
        unlike = four ^ (pair * np.uint64(0x0001000100010001))
        for k in range(1, STRETCH // 4):
            unlike |= fours[at + k] ^ four
        if unlike == 0:
            tally[np.uintp(pair)] += np.uint32(STRETCH)
        else:
            for i in range(stretch * STRETCH, (stretch + 1) * STRETCH, 4):
                for k in range(4):
                    tally[np.uintp(pairs[i + k]) + np.uintp(k) * lane] += np.uint32(1)
    for i in range(whole * STRETCH, count):
        tally[np.uintp(pairs[i])] += np.uint32(1)
