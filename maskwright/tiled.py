"""Run any segmenter or labeler over a picture too big for it, or too big for memory, a piece at a time.

Windows are always those of the whole picture; a piece takes the ones it meets and stitches only itself. So a pixel gets
the same class and confidence whatever piece it is computed in and whatever extent is asked for, and memory depends on
the piece. Real networks give slightly other numbers in batches of another size or make-up; therefore windows go through
the segmenter in fixed batches, `batch` neighbours of one row of windows, also where a piece needs only one of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.chosen import Alone, Choice, Chosen, choose_alone
from maskwright.arrays.likely import all_finite, most_likely
from maskwright.arrays.rescale import Rescaling
from maskwright.arrays.rows import RowsOnce
from maskwright.arrays.windows import Known, Strips, Window, cover, grow, meeting, shift, split
from maskwright.errors import InputError
from maskwright.stages import Labeler, Segmenter
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, Points, Step, Tags

MOST_PIXELS = 100_000_000
"""A labeler that does not work by windows is given pictures up to this size as a whole."""

WAITING, WAITING_BYTES = 8, 100_000_000
"""Scores of so many batches for each thread, and of at most so many bytes, may wait while a strip is finished."""

CORE_PX = 2048
"""Side of the fixed windows that a labeler with a stated reach is run on."""


Item = TypeVar("Item")
Result = TypeVar("Result")
Strip = tuple[Window, NDArray[np.float32], NDArray[np.bool_]]
Batch = tuple[range, list[tuple[NDArray[Any], NDArray[np.bool_]]]]
_Answer = tuple[NDArray[np.float32], list[NDArray[np.bool_]]]


@runtime_checkable
class WindowLabeler(Protocol):
    """A labeler that can label any window of a picture exactly as it would label the whole."""

    def label_window(
        self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window
    ) -> Mask: ...


def predict_scores(
    segmenter: Segmenter,
    image: Image,
    *,
    window: int = 512,
    overlap: int = 64,
    extent: Window | None = None,
    batch: int = 1,
    seen: Image | None = None,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Class scores of a picture, or of an `extent` of it, blended from overlapping windows.

    Gives float32 (classes, height, width) of the extent. Windows smaller than `window` are filled up by reflection at
    the bottom and right; invalid pixels are shown to the segmenter as 0 and get whatever it says (`predict_mask` makes
    them UNKNOWN). A window without a single valid pixel scores 0 for every class.
    """
    plan = _Plan.of(segmenter, image, window, overlap, batch, seen, threads)
    extent = _checked(extent or image.grid.window, image)
    whole = np.zeros((len(segmenter.class_names), extent.height, extent.width), np.float32)
    for rows, scores, _ in plan.strips(extent):
        here = shift(rows, extent.top, extent.left)
        for class_id, channel in zip(plan.class_ids, scores, strict=True):
            whole[class_id, *here.slices] = channel
    return whole


def predict_mask(
    segmenter: Segmenter,
    image: Image,
    *,
    window: int = 512,
    overlap: int = 64,
    extent: Window | None = None,
    piece: int | None = None,
    batch: int = 1,
    seen: Image | None = None,
    threads: int = 1,
) -> Mask:
    """The most likely class of each pixel of a picture, or of an `extent` of it, with its score as confidence.

    The whole mask is held: 5 bytes a pixel. Of equal scores the lowest id wins; where no class scores above 0, and
    where the picture has no data, a pixel is UNKNOWN with confidence 0. For the rest see `predict_pieces`.
    """
    extent = extent or image.grid.window
    parts = predict_pieces(
        segmenter, image, window=window, overlap=overlap, extent=extent, piece=piece, batch=batch, seen=seen,
        threads=threads,
    )  # fmt: skip
    return assemble(parts, image, extent)


def predict_pieces(
    segmenter: Segmenter,
    image: Image,
    *,
    window: int = 512,
    overlap: int = 64,
    extent: Window | None = None,
    piece: int | None = 2048,
    batch: int = 1,
    seen: Image | None = None,
    threads: int = 1,
) -> Iterator[tuple[Window, Mask]]:
    """As `predict_mask`, but one strip after the other, each to be written away before the next is computed.

    Strips are one row of windows high and up to piece * piece / window wide, so that scores are held for about `piece`
    pixels squared; a wider picture is done column by column. `threads` threads run batches ahead of the strip that is
    being stitched; the segmenter must bear being called from several at once. `seen` is the same picture
    with pixels of the size the segmenter knows: it is led over that one, and its scores are brought back onto the
    pixels of `image` between the four nearest. None of `piece` and `threads` changes a bit of the result.
    """
    plan = _Plan.of(segmenter, image, window, overlap, batch, seen, threads)
    extent = _checked(extent or image.grid.window, image)
    step = Step("predict", {"window": window, "overlap": overlap, "batch": batch})
    width = extent.width if piece is None else _equal(extent.width, max(1, piece * piece // window))
    for column in split(extent, (extent.height, width)):
        for each, class_ids, confidence in plan.chosen(column):
            yield each, Mask(class_ids, tuple(segmenter.class_names), image.grid.crop(each), confidence, (step,))


def label_pieces(
    labeler: Labeler[Mask],
    image: Image,
    hints: Sequence[Hint],
    class_names: tuple[str, ...],
    *,
    extent: Window | None = None,
    piece: int = 2048,
    reach_px: int | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Iterator[tuple[Window, Mask]]:
    """Label a big picture piece by piece; the result does not depend on the pieces.

    A labeler with `label_window` is asked for each piece, exactly and within the memory of a piece. Any other is given
    the whole picture if that has at most `most_pixels`. A bigger one is refused unless `reach_px` says how far a hint
    or a pixel matters: then fixed windows of the whole picture are labelled, each with that margin around it.
    """
    extent = _checked(extent or image.grid.window, image)
    pieces = split(extent, piece)
    if isinstance(labeler, WindowLabeler):
        for each in pieces:
            yield each, labeler.label_window(image, hints, class_names, each)
    elif reach_px is not None:
        for each in pieces:
            yield each, _label_in_windows(labeler, image, hints, class_names, each, reach_px)
    elif image.grid.height * image.grid.width <= most_pixels:
        whole = labeler(image, hints, class_names)
        for each in pieces:
            yield each, crop_mask(whole, each)
    else:
        raise InputError(
            f"{type(labeler).__name__} labels whole pictures only and this one has {image.grid.height} x "
            f"{image.grid.width} pixels, more than {most_pixels}; pass reach_px (how far a hint matters) to label it "
            "in windows, use a method that works by windows such as nearest_point, or cut the picture into pieces"
        )


def label_tiled(
    labeler: Labeler[Mask],
    image: Image,
    hints: Sequence[Hint],
    class_names: tuple[str, ...],
    *,
    extent: Window | None = None,
    piece: int = 2048,
    reach_px: int | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Mask:
    """As `label_pieces`, put together: 1 byte a pixel of the extent, and 4 more where there is a confidence."""
    extent = extent or image.grid.window
    parts = label_pieces(
        labeler,
        image,
        hints,
        class_names,
        extent=extent,
        piece=piece,
        reach_px=reach_px,
        most_pixels=most_pixels,
    )
    return assemble(parts, image, extent)


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, *, ahead: int | None = None
) -> Iterator[Result]:
    """Results of `work` in the order of the items, computed by `threads` threads while earlier ones are being used.

    The first one is computed here, before any thread: whatever is loaded on first use is loaded once. At most `ahead`
    results (`threads + 1`) wait.
    """
    ahead = ahead or threads + 1
    waiting = iter(items)
    for first in islice(waiting, 1):
        yield work(first)
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                for item in islice(waiting, ahead - len(under_way)):
                    under_way.append(pool.submit(work, item))
                if not under_way:
                    return
                yield under_way.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def assemble(parts: Iterable[tuple[Window, Mask]], image: Image, extent: Window) -> Mask:
    """One mask of `extent` from the masks of pieces that together cover it."""
    class_ids = np.full((extent.height, extent.width), UNKNOWN, np.uint8)
    confidence: NDArray[np.float32] | None = None
    first: Mask | None = None
    for window, mask in parts:
        here = shift(window, extent.top, extent.left).slices
        class_ids[here] = mask.class_ids
        if mask.confidence is not None:
            confidence = np.zeros(class_ids.shape, np.float32) if confidence is None else confidence
            confidence[here] = mask.confidence
        first = first or mask
    if first is None:
        raise ValueError(f"no piece of {extent} was given")
    return Mask(class_ids, first.class_names, image.grid.crop(extent), confidence, first.history)


def crop_mask(mask: Mask, window: Window) -> Mask:
    """The part of a mask inside a window, with its confidence, grid and history."""
    confidence = None if mask.confidence is None else mask.confidence[window.slices]
    return Mask(mask.class_ids[window.slices], mask.class_names, mask.grid.crop(window), confidence, mask.history)


def crop_hint(hint: Hint, window: Window, grid: Grid) -> Hint:
    """What a hint says inside a window of a picture on `grid`, counted from the window's corner.

    Tags speak of the whole picture and are kept. Masks must lie on the picture's own pixels.
    """
    if isinstance(hint, Tags):
        return hint
    if isinstance(hint, Points):
        rows, cols = hint.pixels
        inside = (rows >= window.top) & (rows < window.bottom) & (cols >= window.left) & (cols < window.right)
        return Points(
            hint.rows[inside] - window.top,
            hint.cols[inside] - window.left,
            hint.class_ids[inside],
            None if hint.object_ids is None else hint.object_ids[inside],
            None if hint.weights is None else hint.weights[inside],
        )
    if isinstance(hint, Mask) and hint.grid == grid:
        return crop_mask(hint, window)
    raise InputError(
        f"a hint of kind {type(hint).__name__} cannot be cut into windows; points, tags and masks on the picture's own "
        "pixels can; label the picture as a whole or cut it into pieces first"
    )


@dataclass(frozen=True)
class _Plan:
    """Which windows of a picture go through a segmenter together."""

    segmenter: Segmenter
    image: Image
    seen: Image
    size: int
    overlap: int
    threads: int
    windows: tuple[Window, ...]
    groups: tuple[range, ...]
    class_ids: tuple[int, ...]

    @classmethod
    def of(
        cls, segmenter: Segmenter, image: Image, size: int, overlap: int, batch: int, seen: Image | None, threads: int
    ) -> _Plan:
        if batch < 1 or threads < 1:
            raise ValueError(f"a batch has at least one window and a thread runs it; got {batch} and {threads}")
        if not 0 <= overlap < size:
            raise InputError(
                f"windows of {size} px cannot overlap by {overlap} px; overlap is from 0 to {size - 1}; "
                "choose a smaller overlap or a larger window"
            )
        seen = seen or image
        if getattr(segmenter, "sees_whole", False) and max(seen.grid.shape) > size:
            raise InputError(
                f"windows of {size} px for a picture of {seen.grid.height} x {seen.grid.width} pixels; this model has "
                f"to see a picture as a whole; choose windows of at least {max(seen.grid.shape)} px, or name none"
            )
        windows = cover(*seen.grid.shape, size, overlap)
        across = sum(window.top == windows[0].top for window in windows)
        groups = (
            range(start, min(start + batch, row + across))
            for row in range(0, len(windows), across)
            for start in range(row, row + across, batch)
        )
        class_ids = tuple(class_id for class_id, name in enumerate(segmenter.class_names) if name)
        if not class_ids:
            raise ValueError(f"a segmenter names at least one class; {type(segmenter).__name__} names none")
        return cls(segmenter, image, seen, size, overlap, threads, tuple(windows), tuple(groups), class_ids)

    def strips(self, column: Window) -> Iterator[Strip]:
        """Blended scores (`class_ids`, height, width) of a column of the picture, strip by strip from the top, and
        where the picture is valid there; they hold until the next strip is asked for."""
        if self.seen.grid.shape == self.image.grid.shape:
            yield from self._seen_strips(column)
            return
        crossing = Rescaling(self.image.grid.shape, self.seen.grid.shape)
        seen = ((window, scores) for window, scores, _ in self._seen_strips(crossing.source(column)))
        for window, scores in crossing.strips(seen, column, self.size):
            yield window, scores, np.asarray(self.image.valid[window.slices], bool)

    def chosen(self, column: Window) -> Iterator[tuple[Window, NDArray[np.uint8], NDArray[np.float32]]]:
        """The most likely class of a column of the picture and its score, strip by strip from the top."""
        if self.seen.grid.shape != self.image.grid.shape:
            for window, scores, valid in self.strips(column):
                yield window, *most_likely(scores, valid, class_ids=self.class_ids)
            return
        alone = Alone(self.windows)

        def work(batch: Batch) -> tuple[_Answer, list[Choice]]:
            said = self._run(batch)
            return said, [
                choose_alone(alone, self.windows[number], scores, valid, self.class_ids)
                for number, scores, valid in zip(batch[0], *said, strict=True)
            ]

        chosen = Chosen(column, alone, self.class_ids, self.overlap)
        for group, (said, choices), done in self._answers(column, work):
            for number, scores, valid, choice in zip(group, *said, choices, strict=True):
                window = self.windows[number]
                chosen.add(window, scores[:, : window.height, : window.width], valid, choice)
            if done is not None:
                yield chosen.finish(done)

    def _seen_strips(self, column: Window) -> Iterator[Strip]:
        blend = Strips(column, len(self.class_ids), self.overlap)
        valid = Known(column)
        for group, said, done in self._answers(column, self._run):
            for number, scores, known in zip(group, *said, strict=True):
                window = self.windows[number]
                blend.add(window, scores[:, : window.height, : window.width])
                valid.add(window, known)
            if done is not None:
                yield *blend.finish(done), valid.finish(done)

    def _answers(self, column: Window, work: Callable[[Batch], Result]) -> Iterator[tuple[range, Result, int | None]]:
        """Groups of windows that meet a column, in order, with what `work` makes of each, and the row above which all
        is done then where there are more of these than before."""
        met = set(meeting(self.windows, column))
        groups = [group for group in self.groups if not met.isdisjoint(group)]
        tops = [self.windows[group[0]].top for group in groups]
        done = column.top
        for group, top, following, answer in zip(
            groups, tops, [*tops[1:], column.bottom], self._worked(groups, work), strict=True
        ):
            even = following if following == column.bottom else following - following % 2  # a strip has its own half
            more = following != top and even > done
            done = even if more else done
            yield group, answer, done if more else None

    def _worked(self, groups: Sequence[range], work: Callable[[Batch], Result]) -> Iterator[Result]:
        """What `work` makes of each group. Windows are read here, one after the other: a file that each thread opened
        for itself would be unpacked once in each."""
        outer = [self.windows[number] for group in groups for number in (group[0], group[-1])]
        left, right = min(each.left for each in outer), max(each.right for each in outer)
        rows = RowsOnce((self.seen.pixels, self.seen.valid), left, right)
        read = ((group, [self._read(self.windows[number], rows) for number in group]) for group in groups)
        scores_bytes = 4 * len(self.class_ids) * self.size**2 * max(len(group) for group in groups)
        ahead = max(self.threads + 1, min(WAITING * self.threads, WAITING_BYTES // scores_bytes))
        return in_order(work, read, self.threads, ahead=ahead)

    def _run(self, batch: Batch) -> _Answer:
        """Scores (n, `class_ids`, size, size) of a batch of windows, 0 where one has no data at all; and where each
        has."""
        group, inputs = batch
        valid = [each for _, each in inputs]
        has_data = np.array([each.any() for each in valid])
        if not has_data.any():
            return np.broadcast_to(np.float32(0), (len(group), len(self.class_ids), self.size, self.size)), valid
        scores = self._named_scores(np.stack([pixels for pixels, _ in inputs]))
        if not all_finite(scores):
            raise ValueError(
                f"{type(self.segmenter).__name__} gave scores that are nan or inf for {self.windows[group[0]]} or a "
                "window of the same batch; scores are finite; look for overflow at low precision"
            )
        scores = scores.astype(np.float32, copy=not has_data.all())
        scores[~has_data] = 0
        return scores, valid

    def _named_scores(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """What the segmenter says of the classes that have names; it may be able to leave the others out."""
        if hasattr(self.segmenter, "named_scores"):
            return np.asarray(self.segmenter.named_scores(pixels))
        scores = np.asarray(self.segmenter(pixels))
        shape = (len(pixels), len(self.segmenter.class_names), self.size, self.size)
        if scores.shape != shape:
            raise ValueError(
                f"a segmenter gives scores (n, classes, height, width) = {shape}; "
                f"{type(self.segmenter).__name__} gave {scores.shape}"
            )
        first, last = self.class_ids[0], self.class_ids[-1]
        is_span = len(self.class_ids) == last + 1 - first
        return scores[:, first : last + 1] if is_span else scores[:, list(self.class_ids)]

    def _read(self, window: Window, rows: RowsOnce) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        pixels, valid = rows.parts(window)
        if not valid.all():
            pixels = np.where(valid[..., None], pixels, pixels.dtype.type(0))
        below, right = self.size - window.height, self.size - window.width
        if below or right:
            pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="reflect")
        return pixels, valid


def _label_in_windows(
    labeler: Labeler[Mask],
    image: Image,
    hints: Sequence[Hint],
    class_names: tuple[str, ...],
    piece: Window,
    reach_px: int,
) -> Mask:
    def parts() -> Iterator[tuple[Window, Mask]]:
        for core in split(image.grid.window, CORE_PX):
            if (met := core.meet(piece)) is not None:
                wide = grow(core, reach_px, image.grid.window)
                mask = labeler(image.crop(wide), [crop_hint(hint, wide, image.grid) for hint in hints], class_names)
                yield met, crop_mask(mask, shift(met, wide.top, wide.left))

    return assemble(parts(), image, piece)


def _equal(length: int, most: int) -> int:
    """How long parts are when `length` is split into as few as possible of at most `most`; even where there is room."""
    parts = -(-length // most)
    part = -(-length // parts)
    return min(part + part % 2, most) if most > 1 else 1


def _checked(extent: Window, image: Image) -> Window:
    if extent.meet(image.grid.window) != extent:
        raise InputError(
            f"the extent {tuple(extent)} (top, left, bottom, right) does not lie inside the picture of "
            f"{image.grid.height} x {image.grid.width} pixels; choose one inside it"
        )
    return extent
