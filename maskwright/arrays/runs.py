"""Run lengths, compiled: where pixels change, the box of runs, lengths inside it, and back to runs of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import compiled

EIGHT_ONES = np.uint64(0x0101010101010101)


@compiled
def find_changes(pixels: NDArray[Any], words: NDArray[Any], positions: NDArray[Any]) -> int:
    found = 0
    state = np.uint8(0)
    for index in range(len(words)):
        if words[index] == (EIGHT_ONES if state else np.uint64(0)):
            continue
        for place in range(8 * index, 8 * index + 8):
            if pixels[place] != state:
                positions[found] = place
                found += 1
                state = pixels[place]
    for place in range(8 * len(words), len(pixels)):
        if pixels[place] != state:
            positions[found] = place
            found += 1
            state = pixels[place]
    return found


@compiled
def box_of_runs(starts: NDArray[Any], ends: NDArray[Any], height: Any) -> Any:
    """Top, left, bottom and right of runs; one that goes on in the next column takes the whole height."""
    top, bottom = np.int64(height), np.int64(0)
    for k in range(len(starts)):
        start, end = np.int64(starts[k]), np.int64(ends[k])
        base = start // height * height
        if end - base > height:
            top, bottom = np.int64(0), np.int64(height)
        top, bottom = min(top, start - base), max(bottom, min(end - base, height))
    return top, np.int64(starts[0]) // height, bottom, (np.int64(ends[-1]) - 1) // height + 1


@compiled
def runs_in_box(starts: NDArray[Any], ends: NDArray[Any], height: int, box: Any, counts: NDArray[np.uint32]) -> Any:
    """Write run lengths inside a box, runs that touch as one; how many there are."""
    top, left, bottom, right = box
    tall, written, position = bottom - top, 0, np.int64(0)
    for k in range(len(starts)):
        start, last = np.int64(starts[k]), np.int64(ends[k]) - 1
        begin = (start // height - left) * tall + start % height - top
        end = (last // height - left) * tall + last % height - top + 1
        if k > 0 and begin == position:
            counts[written - 1] += end - begin
        else:
            counts[written], counts[written + 1] = begin - position, end - begin
            written += 2
        position = end
    if position < tall * (right - left):
        counts[written] = tall * (right - left) - position
        written += 1
    return written


@compiled
def count_spans(counts: NDArray[Any], sizes: NDArray[Any], boxes: NDArray[Any], numbers: NDArray[Any]) -> None:
    """How many runs each region has, cut at the ends of columns, into `numbers`; it owns `sizes` of the `counts`."""
    first = 0
    for k in range(len(boxes)):
        tall = boxes[k, 2] - boxes[k, 0]
        position = 0
        for i in range(sizes[k]):
            length = int(counts[first + i])
            if i % 2 == 1 and length:
                numbers[k] += (position + length - 1) // tall - position // tall + 1
            position += length
        first += sizes[k]


@compiled
def fill_spans(
    counts: NDArray[Any],
    sizes: NDArray[Any],
    boxes: NDArray[Any],
    height: int,
    starts: NDArray[Any],
    ends: NDArray[Any],
) -> None:
    """Those runs, counted down the columns of the picture."""
    total, first = 0, 0
    for k in range(len(boxes)):
        top, left = boxes[k, 0], boxes[k, 1]
        tall = boxes[k, 2] - top
        row = 0
        base = left * height + top
        for i in range(sizes[k]):
            length = int(counts[first + i])
            while length:
                step = min(length, tall - row)
                if i % 2 == 1:
                    starts[total] = base + row
                    ends[total] = base + row + step
                    total += 1
                length -= step
                row += step
                if row == tall:
                    row = 0
                    base += height
        first += sizes[k]


@compiled
def cancel(toggles: NDArray[Any], kept: NDArray[Any]) -> int:
    """Write ascending toggles without pairs of equal ones; how many are left."""
    written = 0
    for toggle in toggles:
        if written > 0 and kept[written - 1] == toggle:
            written -= 1
        else:
            kept[written] = toggle
            written += 1
    return written
