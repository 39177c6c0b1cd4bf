"""Classes chosen from overlapping windows: at once where one window is alone, from blended scores where several meet.

Most pixels of a picture lie in one window only. What it says of them need not wait for others: whoever has computed a
window's scores chooses there while they are at hand, and only what windows share is blended, and chosen afterwards. No
pixel gets anything else than from the blended scores of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.likely import most_likely
from maskwright.arrays.windows import Known, Strips, Window, shift

Choice = tuple[NDArray[np.uint8], NDArray[np.float32]]
Span = tuple[int, int]


class Alone:
    """Where windows that stand in rows and columns, as `cover` gives them, share no pixel with another.

    >>> from maskwright.arrays.windows import cover
    >>> alone = Alone(cover(4, 10, 4, overlap=1))
    >>> alone.part(Window(0, 3, 4, 7))
    Window(top=0, left=4, bottom=4, right=6)
    >>> alone.columns(Window(0, 0, 4, 7))
    [(0, 3, False), (3, 4, True), (4, 6, False), (6, 7, True)]
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        windows = list(windows)
        self._rows = _unshared({(each.top, each.bottom) for each in windows})
        self._cols = _unshared({(each.left, each.right) for each in windows})

    def part(self, window: Window) -> Window:
        """The pixels of one of the windows that no other has; of no height or width where there are none."""
        (top, bottom), (left, right) = self._rows[window.top], self._cols[window.left]
        return Window(top, left, bottom, right)

    def columns(self, within: Window) -> list[tuple[int, int, bool]]:
        """The columns left..right of a part of the picture, and whether windows of one row share them, in order."""
        shared = [(left, right, True) for left, right in _gaps(self._cols.values(), within.left, within.right)]
        met = ((max(left, within.left), min(right, within.right), False) for left, right in self._cols.values())
        return sorted([*shared, *(each for each in met if each[0] < each[1])])

    def shared_rows(self, top: int, bottom: int) -> list[Span]:
        """The rows between two that several rows of windows have."""
        return _gaps(self._rows.values(), top, bottom)


class Chosen:
    """The most likely class of a column of the picture and its score, from overlapping windows from top to bottom.

    `add` windows in ascending order, each with its scores (classes, height, width), where it has data, and what
    `most_likely` says of the part where it is alone; `finish(bottom)` gives the rows above `bottom`, which no later
    window may meet. The same, to the bit, as `most_likely` of what `Strips` gives.

    >>> windows = [Window(0, 0, 1, 3), Window(0, 2, 1, 4)]
    >>> chosen = Chosen(Window(0, 0, 1, 4), Alone(windows), (0, 1), overlap=1)
    >>> for window, scores in zip(windows, ([[[1, 1, 0.2]], [[0, 0, 0.8]]], [[[0.4, 0]], [[0.6, 1]]])):
    ...     scores, valid = np.float32(scores), np.ones((1, window.width), bool)
    ...     chosen.add(window, scores, valid, choose_alone(chosen.alone, window, scores, valid, (0, 1)))
    >>> window, ids, confidence = chosen.finish(1)
    >>> ids, confidence.round(3)
    (array([[0, 0, 1, 1]], dtype=uint8), array([[1. , 1. , 0.7, 1. ]], dtype=float32))
    """

    def __init__(self, column: Window, alone: Alone, class_ids: Sequence[int], overlap: int) -> None:
        self.column, self.alone = column, alone
        self._top = column.top
        self._class_ids = tuple(class_ids)
        self._valid = Known(column)
        self._parts: list[tuple[Window, Choice]] = []
        self._strips = [  # what is blended lies close together
            (Strips(column._replace(left=left, right=right), len(self._class_ids), overlap), is_shared)
            for left, right, is_shared in alone.columns(column)
        ]

    def add(self, window: Window, scores: NDArray[np.float32], valid: NDArray[np.bool_], choice: Choice) -> None:
        part = self.alone.part(window)
        frame = [window._replace(bottom=part.top), window._replace(top=max(part.bottom, part.top))]
        for strips, is_shared in self._strips:
            if strips.column.left < window.right and window.left < strips.column.right:
                strips.add(window, scores, only=None if is_shared else frame)
        self._valid.add(window, valid)
        if part.meet(self.column) is not None:
            self._parts.append((part, choice))

    def finish(self, bottom: int) -> tuple[Window, NDArray[np.uint8], NDArray[np.float32]]:
        """The window of the rows that are done, their class ids and their scores (height, width)."""
        done, valid = self.column._replace(top=self._top, bottom=bottom), self._valid.finish(bottom)
        ids, confidence = np.empty(valid.shape, np.uint8), np.empty(valid.shape, np.float32)
        for part, choice in self._parts:
            if (met := part.meet(done)) is not None:
                here, there = shift(met, done.top, done.left).slices, shift(met, part.top, part.left).slices
                ids[here], confidence[here] = choice[0][there], choice[1][there]
        some = self.alone.shared_rows(done.top, bottom)
        for strips, is_shared in self._strips:
            strip, scores = strips.finish(bottom)
            for first, last in [(done.top, bottom)] if is_shared else some:
                rows = slice(first - done.top, last - done.top)
                here = rows, slice(strip.left - done.left, strip.right - done.left)
                ids[here], confidence[here] = most_likely(scores[:, rows], valid[here], class_ids=self._class_ids)
        self._top = bottom
        self._parts = [(part, choice) for part, choice in self._parts if part.bottom > bottom]
        return done, ids, confidence


def choose_alone(
    alone: Alone, window: Window, scores: NDArray[np.float32], valid: NDArray[np.bool_], class_ids: Sequence[int]
) -> Choice:
    """What `most_likely` says of the part of a window that no other has, from its scores (classes, height, width)."""
    here = shift(alone.part(window), window.top, window.left).slices
    return most_likely(scores[:, *here], valid[here], class_ids=class_ids)


def _unshared(spans: Iterable[Span]) -> dict[int, Span]:
    """By where each span starts: the part of it that no other has. The one before and the one after reach furthest."""
    ordered = sorted(spans)
    starts = [ordered[0][0], *(max(stop, start) for (_, stop), (start, _) in pairwise(ordered))] if ordered else []
    stops = [*(min(stop, start) for (_, stop), (start, _) in pairwise(ordered)), *(stop for _, stop in ordered[-1:])]
    return {span[0]: (start, max(start, stop)) for span, start, stop in zip(ordered, starts, stops, strict=True)}


def _gaps(spans: Iterable[Span], first: int, last: int) -> list[Span]:
    """What spans in ascending order leave out between two numbers."""
    found, at = [], first
    for start, stop in spans:
        if start < stop:
            found.append((at, min(start, last)))
            at = max(at, stop)
    return [(start, stop) for start, stop in [*found, (at, last)] if start < stop]
