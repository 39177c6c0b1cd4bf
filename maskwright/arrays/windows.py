"""Windows: rectangles of pixels that cover a picture, and what is stitched from them.

Windows depend on the whole picture only. Whoever needs a piece of it takes the windows that meet the piece and stitches
them in ascending order: then every pixel sees the same values in the same order, and comes out the same to the last
bit whatever piece it is computed in. One thread: windows are stitched in their order, and it takes little beside what
makes the scores; the compiled part releases the GIL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.flat import flat_rows


class Window(NamedTuple):
    """A rectangle of pixels: rows top..bottom, columns left..right, the last two excluded.

    >>> window = Window(2, 10, 5, 30)
    >>> window.height, window.width, window.slices
    (3, 20, (slice(2, 5, None), slice(10, 30, None)))
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """What to index an array (height, width, ...) with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def meet(self, other: Window) -> Window | None:
        """The rectangle both share, or None where they share no pixel.

        >>> Window(0, 0, 4, 4).meet(Window(2, 3, 9, 9))
        Window(top=2, left=3, bottom=4, right=4)
        """
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Window(top, left, bottom, right) if top < bottom and left < right else None


def cover(height: int, width: int, size: int | tuple[int, int], overlap: int = 0) -> list[Window]:
    """Windows of one size that cover a picture, row by row; neighbours share `overlap` pixels.

    The last window of a row or column is moved back to end at the edge, so it shares more. Where the picture is smaller
    than `size` (one number or height and width) the window is as small as the picture. An empty picture has none.

    >>> [(window.left, window.right) for window in cover(4, 10, 4, overlap=1)]
    [(0, 4), (3, 7), (6, 10)]
    >>> [(window.left, window.right) for window in cover(4, 9, 4, overlap=1)]
    [(0, 4), (3, 7), (5, 9)]
    """
    tall, wide = (size, size) if isinstance(size, int) else size
    if not 0 <= overlap < min(tall, wide):
        raise ValueError(f"overlap is from 0 to one less than the window of {tall} x {wide}; got {overlap}")
    if height < 1 or width < 1:
        return []
    tops, lefts = _starts(height, tall, overlap), _starts(width, wide, overlap)
    return [Window(top, left, min(top + tall, height), min(left + wide, width)) for top in tops for left in lefts]


def split(within: Window, size: int | tuple[int, int]) -> list[Window]:
    """Windows that share no pixel and together are `within`, row by row; the last ones are smaller where need be.

    >>> [(window.left, window.right) for window in split(Window(0, 2, 1, 11), 4)]
    [(2, 6), (6, 10), (10, 11)]
    """
    tall, wide = (size, size) if isinstance(size, int) else size
    if tall < 1 or wide < 1:
        raise ValueError(f"a window has at least one pixel; got size {tall} x {wide}")
    return [
        Window(top, left, min(top + tall, within.bottom), min(left + wide, within.right))
        for top in range(within.top, within.bottom, tall)
        for left in range(within.left, within.right, wide)
    ]


def meeting(windows: Sequence[Window], piece: Window) -> list[int]:
    """Numbers of the windows that share a pixel with `piece`, ascending.

    >>> meeting(cover(4, 10, 4, overlap=1), Window(0, 5, 4, 7))
    [1, 2]
    """
    return [number for number, window in enumerate(windows) if window.meet(piece)]


def grow(window: Window, margin: int, within: Window) -> Window:
    """`window` with `margin` more pixels on each side, as far as `within` reaches.

    >>> grow(Window(0, 4, 2, 6), 3, Window(0, 0, 10, 8))
    Window(top=0, left=1, bottom=5, right=8)
    """
    wider = Window(window.top - margin, window.left - margin, window.bottom + margin, window.right + margin)
    met = wider.meet(within)
    if met is None:
        raise ValueError(f"{window} does not lie inside {within}")
    return met


def shift(window: Window, top: int, left: int) -> Window:
    """`window` as seen from (top, left).

    >>> shift(Window(5, 7, 9, 9), 5, 6)
    Window(top=0, left=1, bottom=4, right=3)
    """
    return Window(window.top - top, window.left - left, window.bottom - top, window.right - left)


@lru_cache(maxsize=8)
def _weights(height: int, width: int, overlap: int) -> NDArray[np.float32]:
    """As `weights`, made once for windows of one size; nobody may write into it."""
    made = weights(height, width, overlap)
    made.flags.writeable = False
    return made


def weights(height: int, width: int, overlap: int) -> NDArray[np.float32]:
    """How much each pixel of a window counts where windows overlap: float32 (height, width) in (0, 1].

    1 in the middle, falling smoothly (3t^2 - 2t^3) over `overlap` pixels to each edge and never to 0; two neighbours
    that share exactly `overlap` pixels add up to 1. No transcendental function is used, so every machine agrees.

    >>> weights(5, 6, 2)[2].round(3)
    array([0.156, 0.844, 1.   , 1.   , 0.844, 0.156], dtype=float32)
    """
    across, made = _ramp(width, overlap), np.empty((height, width), np.float32)
    for row, down in zip(made, _ramp(height, overlap), strict=True):
        row[...] = down * across
    return made


def cut(array: NDArray[Any], windows: Iterable[Window]) -> list[NDArray[Any]]:
    """The part of an array (..., height, width) inside each window, as views.

    >>> [part.tolist() for part in cut(np.arange(5)[None], cover(1, 5, 3, overlap=1))]
    [[[0, 1, 2]], [[2, 3, 4]]]
    """
    return [array[(..., *window.slices)] for window in windows]


class Stitch:
    """Scores of overlapping windows blended into one piece of the picture, a window at a time.

    `add` windows in ascending order. `scores` is float32 (channels, height, width) of the piece, `weight` float32
    (height, width) the sum of weights, 0 where no window came. Each pixel is a running mean, so where all windows agree
    the result is what they say, to the last bit. Holds channels + 1 float32 per pixel of the piece.

    >>> stitch = Stitch(Window(0, 0, 1, 4), channels=1, overlap=2)
    >>> stitch.add(Window(0, 0, 1, 3), np.full((1, 1, 3), 0.1, np.float32))
    >>> stitch.add(Window(0, 1, 1, 4), np.full((1, 1, 3), 0.1, np.float32))
    >>> bool((stitch.scores == np.float32(0.1)).all())
    True
    """

    def __init__(self, piece: Window, channels: int, overlap: int) -> None:
        self.piece = piece
        self.overlap = overlap
        self.scores = np.zeros((channels, piece.height, piece.width), np.float32)
        self.weight = np.zeros((piece.height, piece.width), np.float32)

    def add(self, window: Window, scores: NDArray[np.float32]) -> None:
        """Blend in the scores (channels, height, width) of a window; what lies outside the piece is left out."""
        if (met := window.meet(self.piece)) is not None:
            _blend(self.scores, self.weight, self.piece, window, scores, self.overlap, met)


class Strips:
    """Scores of overlapping windows blended into a column of the picture, from top to bottom.

    `add` windows in ascending order; `finish(bottom)` gives the rows above `bottom`, which no later window may meet,
    as a view that holds until the next call. So memory holds the rows of one row of windows, once, and every pixel is
    what `Stitch` makes of it.

    >>> strips = Strips(Window(0, 0, 4, 2), channels=1, overlap=0)
    >>> strips.add(Window(0, 0, 2, 2), np.ones((1, 2, 2), np.float32))
    >>> window, scores = strips.finish(2)
    >>> window, scores.shape
    (Window(top=0, left=0, bottom=2, right=2), (1, 2, 2))
    """

    def __init__(self, column: Window, channels: int, overlap: int) -> None:
        self.column = column
        self._overlap = overlap
        self._open = Window(column.top, column.left, column.top, column.right)
        self._given = 0  # rows of `_open` that were given away
        self._scores = np.zeros((channels, 0, column.width), np.float32)
        self._weight = np.zeros((0, column.width), np.float32)  # 0 below the open rows

    def add(self, window: Window, scores: NDArray[np.float32], *, only: Sequence[Window] | None = None) -> None:
        """Blend in the scores (channels, height, width) of a window, or those in some parts of it; what lies outside
        the column is left out."""
        if (met := window.meet(self.column)) is None:
            return
        self._forget()
        self._open = self._open._replace(bottom=max(self._open.bottom, met.bottom))
        if self._open.height > len(self._weight):
            self._grow(self._open.height)
        for part in (met,) if only is None else only:
            if (here := part.meet(met)) is not None:
                _blend(self._scores, self._weight, self._open, window, scores, self._overlap, here)

    def finish(self, bottom: int) -> tuple[Window, NDArray[np.float32]]:
        """The window of the rows that are done, and their scores (channels, height, width)."""
        self._forget()
        done = self._open._replace(bottom=bottom)
        self._given = done.height
        return done, self._scores[:, : done.height]

    def _forget(self) -> None:
        """Move the rows that are still open to where those given away lie."""
        if self._given:
            kept, height = self._open.height - self._given, self._open.height
            for channel in self._scores:  # one by one: numpy would copy all of them first, for they lie interleaved
                channel[:kept] = channel[self._given : height]
            self._weight[:kept] = self._weight[self._given : height]
            self._weight[kept:height] = 0
            self._open = self._open._replace(top=self._open.top + self._given)
            self._given = 0

    def _grow(self, height: int) -> None:
        scores, weight, width = self._scores, self._weight, self.column.width
        self._scores = np.zeros((len(scores), height, width), np.float32)
        self._weight = np.zeros((height, width), np.float32)
        self._scores[:, : len(weight)] = scores
        self._weight[: len(weight)] = weight


class Known:
    """Where a column of the picture has data, put together from overlapping windows from top to bottom.

    `add` windows in ascending order; `finish(bottom)` gives the rows above `bottom` that were not given before, bool
    (height, width), and forgets windows that lie above it. Where windows overlap they must agree.

    >>> known = Known(Window(0, 0, 2, 3))
    >>> known.add(Window(0, 0, 2, 2), np.array([[True, False], [True, True]]))
    >>> known.add(Window(0, 1, 2, 3), np.array([[False, True], [True, False]]))
    >>> known.finish(1)
    array([[ True, False,  True]])
    """

    def __init__(self, column: Window) -> None:
        self.column = column
        self._top = column.top
        self._parts: list[tuple[Window, NDArray[np.bool_]]] = []

    def add(self, window: Window, known: NDArray[np.bool_]) -> None:
        if window.meet(self.column) is not None:
            self._parts.append((window, known))

    def finish(self, bottom: int) -> NDArray[np.bool_]:
        rows = Window(self._top, self.column.left, bottom, self.column.right)
        result = np.zeros((rows.height, rows.width), bool)
        for window, known in self._parts:
            if (met := window.meet(rows)) is not None:
                there = shift(met, window.top, window.left).slices
                result[shift(met, rows.top, rows.left).slices] = known[there]
        self._top = bottom
        self._parts = [(window, known) for window, known in self._parts if window.bottom > bottom]
        return result


def stitch(
    parts: Iterable[tuple[Window, NDArray[np.float32]]], piece: Window, channels: int, overlap: int
) -> NDArray[np.float32]:
    """Blend (window, scores) pairs, in ascending order of windows, into float32 scores (channels, height, width).

    Pixels of the piece that no window meets are nan.

    >>> parts = [(Window(0, 0, 1, 2), np.ones((1, 1, 2), np.float32))]
    >>> stitch(parts, Window(0, 1, 1, 3), channels=1, overlap=0)
    array([[[ 1., nan]]], dtype=float32)
    """
    blend = Stitch(piece, channels, overlap)
    for window, scores in parts:
        blend.add(window, scores)
    blend.scores[:, blend.weight == 0] = np.nan
    return blend.scores


def _starts(length: int, size: int, overlap: int) -> list[int]:
    last = max(0, length - size)
    return [*range(0, last, size - overlap), last]


def _ramp(length: int, overlap: int) -> NDArray[np.float64]:
    from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    part = np.minimum(from_edge / max(overlap, 1), 1.0) if overlap else np.ones(length)
    return part * part * (3.0 - 2.0 * part)


def _blend(
    scores: NDArray[np.float32],
    weights: NDArray[np.float32],
    piece: Window,
    window: Window,
    parts: NDArray[np.float32],
    overlap: int,
    met: Window,
) -> None:
    """Blend the scores `parts` of a window into those of a piece, whose first rows `scores` and `weights` hold, where
    they have met."""
    shape = (scores.shape[0], window.height, window.width)
    if parts.shape != shape:
        raise ValueError(f"scores of {window} are {shape}; got {parts.shape}")
    there, here = shift(met, window.top, window.left), shift(met, piece.top, piece.left)
    weight = _weights(window.height, window.width, overlap)
    if HAS_NUMBA:
        parts = parts.astype(np.float32, copy=False)
        size = (len(parts), met.height, met.width)
        _blend_compiled(*flat_rows(scores), weights, *flat_rows(parts), weight, here[:2], there[:2], size)
    else:
        _blend_plainly(scores[:, *here.slices], weights[here.slices], parts[:, *there.slices], weight[there.slices])


def _blend_plainly(
    scores: NDArray[np.float32], weights: NDArray[np.float32], parts: NDArray[np.float32], weight: NDArray[np.float32]
) -> None:
    """Move scores (channels, ...) on towards `parts` by their share of all weight, in place; the first to come stay."""
    fresh = weights == 0
    weights += weight
    share = weight / weights
    for channel, part in zip(scores, parts, strict=True):
        channel[...] = np.where(fresh, part, channel + (part - channel) * share)


@compiled
def _blend_compiled(
    scores: NDArray[np.float32],
    scores_step: tuple[int, int],
    weights: NDArray[np.float32],
    parts: NDArray[np.float32],
    parts_step: tuple[int, int],
    weight: NDArray[np.float32],
    here: tuple[int, int],
    there: tuple[int, int],
    size: tuple[int, int, int],
) -> None:  # pragma: no cover - compiled
    """As `_blend_plainly`, from `there` to `here`; the fresh pixels of a row are copied where they lie together."""
    channels, height, width = size
    share = np.empty(width, np.float32)
    for row in range(height):
        total = weights[here[0] + row, here[1] : here[1] + width]
        mine = weight[there[0] + row, there[1] : there[1] + width]
        start, stop, known_already = 0, width, 0
        while start < stop and total[start] > 0:
            start += 1
        while start < stop and total[stop - 1] > 0:
            stop -= 1
        between = total[start:stop]
        for col in range(len(between)):
            known_already += between[col] > 0
        if known_already:
            start, stop = width, width
        for col in range(width):
            before = total[col]
            total[col] = before + mine[col]
            share[col] = mine[col] / total[col] if before > 0 else -1
        for channel in range(channels):
            first = channel * scores_step[0] + (here[0] + row) * scores_step[1] + here[1]
            known = scores[first : first + width]
            first = channel * parts_step[0] + (there[0] + row) * parts_step[1] + there[1]
            part = parts[first : first + width]
            if start < stop:
                _copy(known[start:stop], part[start:stop])
            if start > 0:
                _move(known[:start], part[:start], share[:start])
            if stop < width:
                _move(known[stop:], part[stop:], share[stop:])


@compiled
def _move(
    known: NDArray[np.float32], part: NDArray[np.float32], share: NDArray[np.float32]
) -> None:  # pragma: no cover - compiled
    for col in range(len(known)):
        towards = known[col] + (part[col] - known[col]) * share[col]
        known[col] = towards if share[col] >= 0 else part[col]


@compiled
def _copy(known: NDArray[np.float32], part: NDArray[np.float32]) -> None:  # pragma: no cover - compiled
    for col in range(len(known)):
        known[col] = part[col]
