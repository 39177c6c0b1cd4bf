"""Shortest ways over pixels, compiled: what steps cost, a queue that serves pixels in order, and labels handed on.

Fields have a frame of one pixel and steps into it cost inf, so nothing asks where the picture ends. Neighbours are
tried without branching (write always, advance if shorter): a branch that nobody can predict costs more than the work.

The queue is a radix heap: buckets by the highest bit in which a key differs from the last one served. A key counts
whole multiples of the cheapest step, because inside one multiple no pixel can shorten another's way and their order
does not matter. A pixel that is shortened after all (rounding at a multiple's edge) is simply served again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from maskwright.arrays.compiled import compiled

BUCKETS = 65


@compiled
def step_costs(colours: Any, passable: Any, weight: float, steps: Any, neighbours: int) -> Any:
    """Framed (height + 2, width + 2, 4): what it costs to go right, down, down right and down left; inf at walls."""
    height, width, channels = colours.shape
    cost = np.full((height + 2, width + 2, 4), np.inf, np.float32)
    for row in range(height):
        for kind in range(4 if neighbours == 8 else 2):
            down, across = min(kind, 1), (1, 0, 1, -1)[kind]
            step = steps[min(kind, 2)]
            if row + down == height:
                continue
            for col in range(max(0, -across), width - max(0, across)):
                square = 0.0
                for channel in range(channels):
                    here, there = colours[row, col, channel], colours[row + down, col + across, channel]
                    difference = np.float64(here) - np.float64(there)
                    square += difference * difference
                if passable[row, col] and passable[row + down, col + across]:
                    cost[row + 1, col + 1, kind] = math.sqrt(step + weight * square)
    return cost


@compiled
def _around(width: int) -> Any:
    """Per neighbour, the four straight ones first: how far it lies in a field and where its step's cost is found."""
    field = np.array([1, -1, width, -width, width + 1, -width - 1, width - 1, 1 - width])
    cost = np.array([0, -4, 1, 1 - 4 * width, 2, 2 - 4 * (width + 1), 3, 3 - 4 * (width - 1)])
    return field, cost


@compiled
def _bucket(distance: Any, last: int, per_step: float, single: Any, double: Any) -> Any:
    """Key of a distance, and the bucket it goes to: the highest bit in which it differs from `last`, counted from 1.

    `single` and `double` are one number each, seen as float and as integer: their bits give order and exponent.
    """
    multiple = distance * per_step
    if multiple < 4503599627370496.0:  # 2^52; beyond it, and where steps may cost nothing, by the number's own bits
        key = np.int64(multiple)
    else:
        single[0][0] = distance
        key = np.int64(4503599627370496) + np.int64(single[1][0])
    if key == last:
        return key, 0
    double[0][0] = np.float64(key ^ last)
    return key, (double[1][0] >> 52) - 1022


@compiled
def spread(field: Any, cost: Any, neighbours: int, cheapest: float) -> None:
    """Shortest ways from the zeros of the framed field, whose other values are inf; in place.

    Entries (pixel, length when it was queued) of all buckets are linked in one pool; one whose pixel has meanwhile been
    shortened is stale and dropped when met.
    """
    flat, costs = field.ravel(), cost.ravel()
    offsets, steps = _around(field.shape[1])
    per_step = 1.0 / cheapest if cheapest > 0 else np.inf
    single_float, double_float = np.zeros(1, np.float32), np.zeros(1, np.float64)
    single = (single_float, single_float.view(np.int32))
    double = (double_float, double_float.view(np.int64))
    heads = np.full(BUCKETS, -1, np.int64)
    pixel, length, after = _fronts(flat, offsets)
    used, free, last = len(pixel), -1, 0
    heads[0] = used - 1
    nearer, ways = np.empty(9, np.int64), np.empty(9, np.float32)
    while True:
        entry = heads[0]
        if entry < 0:
            last, free = _refill(heads, last, free, flat, pixel, length, after, per_step, single, double)
            if last < 0:
                return
            continue
        heads[0] = after[entry]
        here, near = pixel[entry], length[entry]
        after[entry] = free
        free = entry
        if flat[here] != near:
            continue
        count = 0
        for k in range(neighbours):
            there, way = here + offsets[k], near + costs[4 * here + steps[k]]
            old = flat[there]
            nearer[count], ways[count] = there, way
            flat[there] = min(way, old)
            count += way < old
        if used + count > len(pixel):
            pixel, length, after = _longer(pixel), _longer(length), _longer(after)
        for k in range(count):
            _, bucket = _bucket(ways[k], last, per_step, single, double)
            if free >= 0:
                entry = free
                free = after[entry]
            else:
                entry = used
                used += 1
            pixel[entry], length[entry], after[entry] = nearer[k], ways[k], heads[bucket]
            heads[bucket] = entry


@compiled
def _fronts(flat: Any, offsets: Any) -> Any:
    """Entries for the zeros that have a neighbour to shorten, linked from the last to the first."""
    pixel = np.empty(4096, np.int64)
    count = 0
    for here in range(len(flat)):
        if flat[here] != 0:
            continue
        border = False
        for k in range(8):
            border |= flat[here + offsets[k]] > 0
        if border:
            if count == len(pixel):
                pixel = _longer(pixel)
            pixel[count] = here
            count += 1
    return pixel[:count].copy(), np.zeros(count, np.float32), np.arange(-1, count - 1)


@compiled
def _refill(
    heads: Any, last: int, free: int, flat: Any, pixel: Any, length: Any, after: Any,
    per_step: float, single: Any, double: Any,
) -> Any:  # fmt: skip
    """Deal the lowest bucket out again, sorted by its least key, which becomes `last`; -1 when all are empty."""
    bucket = 1
    while bucket < BUCKETS and heads[bucket] < 0:
        bucket += 1
    if bucket == BUCKETS:
        return -1, free
    first = heads[bucket]
    heads[bucket] = -1
    least, entry = np.float32(np.inf), first
    while entry >= 0:
        if length[entry] == flat[pixel[entry]]:
            least = min(least, length[entry])
        entry = after[entry]
    if least < np.inf:
        last, _ = _bucket(least, 0, per_step, single, double)
    entry = first
    while entry >= 0:
        following = after[entry]
        if length[entry] == flat[pixel[entry]]:
            _, bucket = _bucket(length[entry], last, per_step, single, double)
            after[entry] = heads[bucket]
            heads[bucket] = entry
        else:
            after[entry] = free
            free = entry
        entry = following
    return last, free


@compiled
def _longer(array: Any) -> Any:
    return np.concatenate((array, np.empty(max(16, len(array)), array.dtype)))


@compiled
def inherit(labels: Any, seeds: Any, values: Any, field: Any, cost: Any, neighbours: int) -> None:
    """Give `labels` (framed, -1 everywhere) the lowest value that reaches each pixel along shortest ways; in place.

    `seeds` are places in the framed field with their `values` in ascending order: a pixel once taken stays taken.
    """
    taken, flat, costs = labels.ravel(), field.ravel(), cost.ravel()
    offsets, steps = _around(field.shape[1])
    stack = np.empty(4096, np.int64)
    for each in range(len(seeds)):
        value, top = values[each], 0
        if taken[seeds[each]] < 0:
            taken[seeds[each]] = value
            stack[0], top = seeds[each], 1
        while top:
            top -= 1
            here = stack[top]
            if top + neighbours + 1 > len(stack):
                stack = _longer(stack)
            for k in range(neighbours):
                there, step = here + offsets[k], costs[4 * here + steps[k]]
                new = (flat[here] + step == flat[there]) & (step < np.inf) & (taken[there] < 0)
                stack[top] = there
                taken[there] = value if new else taken[there]
                top += new
