"""Shortest ways over pixels, compiled: a queue that serves pixels in order and hands labels on with their distance.

A pixel's key is the bits of its float32 distance, which as an integer have the same order, and below them, where ways
have labels, the label: the least key is the shortest way and among equally short ones the lowest label. Keys have a
frame of one pixel, and walls and frame are -1: nothing is less, so nothing asks where the picture ends.

Costs are worked out when a pixel is served, for its eight neighbours in one go, which the processor does side by side:
that takes less time than to read them from where they were kept, and no memory. Neighbours are tried without branching
(write always, advance if less): a branch that nobody can predict costs more than the work.

The queue has a bucket for each whole multiple of the cheapest step, because inside one multiple no pixel can shorten
another's way and their order does not matter. `NEAR` multiples have buckets of their own; those further off share one
per highest bit in which they differ from the last one served, as in a radix heap, and are dealt out when their turn
comes. A pixel that is shortened after all (rounding at a multiple's edge, steps that cost nothing) is served again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from maskwright.arrays.compiled import compiled

UNREACHED = int(np.float32(np.inf).view(np.int32))
WALL = -1
NEAR_BITS = 12
NEAR = 1 << NEAR_BITS
BUCKETS = NEAR + 64


@compiled
def spread(keys: Any, colours: Any, weight: float, steps: Any, neighbours: int, shift: int, places: Any) -> None:
    """Shortest ways from the keys of distance 0 among framed `keys`, whose others are unreached or walls; in place.

    `colours` (height + 2, width + 2, channels) are finite; `steps` the squares a step along, down and aslant costs
    without colour; `shift` the bits below the distance. `places` is empty and of the dtype that indices need. Entries
    (pixel, key when it was queued) of all buckets are linked in one pool; one whose key has meanwhile become less is
    stale and dropped when met.
    """
    flat, colour, channels = keys.ravel(), colours.ravel(), colours.shape[2]
    offsets, straight = _around(keys.shape[1], steps)
    per_step = 1.0 / math.sqrt(straight[:neighbours].min())
    heads = np.full(BUCKETS, -1, places.dtype)
    pixel, queued, after = _fronts(flat, offsets, places)
    used, free, last, waiting = len(pixel), -1, 0, len(pixel)
    heads[0] = used - 1
    low = (1 << shift) - 1
    squares, less, ways = np.empty(8), np.empty(9, np.int64), np.empty(9, np.int64)
    while True:
        entry = heads[last & (NEAR - 1)]
        if entry < 0:
            if waiting:
                last += 1
            else:
                last, free, waiting = _deal(heads, last, free, flat, pixel, queued, after, per_step, shift)
                if last < 0:
                    return
            continue
        waiting -= 1
        heads[last & (NEAR - 1)] = after[entry]
        here, key = np.int64(pixel[entry]), np.int64(queued[entry])
        after[entry] = free
        free = entry
        if flat[here] != key:
            continue
        _squares(squares, colour, here, offsets, channels)
        near, label = np.int32(key >> shift).view(np.float32), key & low
        for k in range(8):
            way = near + np.float32(math.sqrt(straight[k] + weight * squares[k]))
            ways[k] = (np.int64(np.float32(way).view(np.int32)) << shift) | label
        count = 0
        for k in range(neighbours):
            there, way = here + offsets[k], ways[k]
            old = flat[there]
            less[count] = there
            flat[there] = min(way, old)
            count += way < old
        if used + count > len(pixel):
            pixel, queued, after = _longer(pixel), _longer(queued), _longer(after)
        for k in range(count):
            key = flat[less[k]]
            bucket = _bucket(_multiple(key >> shift, per_step), last)
            if free >= 0:
                entry = free
                free = after[entry]
            else:
                entry = used
                used += 1
            pixel[entry], queued[entry], after[entry] = less[k], key, heads[bucket]
            heads[bucket] = entry
            waiting += bucket < NEAR


@compiled
def _around(width: int, steps: Any) -> Any:
    """Per neighbour, the four straight ones first: how far it lies in a field, and its step squared, colour apart."""
    offsets = np.array([1, -1, width, -width, width + 1, -width - 1, width - 1, 1 - width])
    kinds = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    return offsets, steps[kinds]


@compiled
def _squares(squares: Any, colour: Any, here: Any, offsets: Any, channels: int) -> None:
    """Squared colour differences between a pixel and its eight neighbours."""
    for k in range(8):
        squares[k] = 0.0
    for channel in range(here * channels, (here + 1) * channels):
        mine = np.float64(colour[channel])
        for k in range(8):
            difference = mine - np.float64(colour[channel + offsets[k] * channels])
            squares[k] += difference * difference


@compiled
def _multiple(bits: Any, per_step: float) -> Any:
    """Cheapest steps in a distance; beyond 2^52, and where steps may cost nothing, the order of its bits goes on."""
    multiple = np.int32(bits).view(np.float32) * per_step
    if multiple < 4503599627370496.0:
        return np.int64(multiple)
    return np.int64(4503599627370496) + np.int64(bits)


@compiled
def _bucket(multiple: Any, last: Any) -> Any:
    """Where a multiple waits: near ones by their last bits, others by the highest bit in which they differ from `last`.

    One below `last` is served at once. The exponent of a float tells the highest bit.
    """
    multiple = max(multiple, last)
    far = (multiple ^ last) >> NEAR_BITS
    if far == 0:
        return multiple & (NEAR - 1)
    return NEAR + (np.float64(far).view(np.int64) >> 52) - 1023


@compiled
def _fronts(flat: Any, offsets: Any, places: Any) -> Any:
    """Entries for the seeds that have a neighbour to shorten, linked from the last to the first."""
    pixel = np.empty(4096, places.dtype)
    count = 0
    for here in range(len(flat)):
        if flat[here] < 0 or flat[here] >= UNREACHED:
            continue
        border = False
        for k in range(8):
            border |= flat[here + offsets[k]] > flat[here]
        if border:
            if count == len(pixel):
                pixel = _longer(pixel)
            pixel[count] = here
            count += 1
    pixel = pixel[:count].copy()
    return pixel, flat[pixel], np.arange(-1, count - 1).astype(places.dtype)


@compiled
def _deal(
    heads: Any, last: int, free: int, flat: Any, pixel: Any, queued: Any, after: Any, per_step: float, shift: int
) -> Any:
    """Deal the lowest far bucket out: its least multiple is the new `last`, -1 if all are empty; how many are near."""
    bucket = NEAR
    while bucket < BUCKETS and heads[bucket] < 0:
        bucket += 1
    if bucket == BUCKETS:
        return -1, free, 0
    first = heads[bucket]
    heads[bucket] = -1
    entry, least = first, np.int64(-1)
    while entry >= 0:
        if queued[entry] == flat[pixel[entry]]:
            least = queued[entry] if least < 0 else min(least, queued[entry])
        entry = after[entry]
    if least >= 0:
        last = _multiple(least >> shift, per_step)
    entry, waiting = first, 0
    while entry >= 0:
        following = after[entry]
        if queued[entry] == flat[pixel[entry]]:
            bucket = _bucket(_multiple(queued[entry] >> shift, per_step), last)
            after[entry] = heads[bucket]
            heads[bucket] = entry
            waiting += bucket < NEAR
        else:
            after[entry] = free
            free = entry
        entry = following
    return last, free, waiting


@compiled
def _longer(array: Any) -> Any:
    return np.concatenate((array, np.empty(max(16, len(array)), array.dtype)))
