"""Run any segmenter or labeler over a picture too big for it, or too big for memory, a piece at a time.

Windows are always those of the whole picture; a piece takes the ones it meets and stitches only itself. So a pixel gets
the same class and confidence whatever piece it is computed in and whatever extent is asked for, and memory depends on
the piece. Real networks give slightly other numbers in batches of another size or make-up; therefore windows go through
the segmenter in fixed batches, `batch` neighbours of one row of windows, also where a piece needs only one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Stitch, Window, cover, grow, meeting, shift, split
from maskwright.errors import InputError
from maskwright.stages import Labeler, Segmenter
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, Points, Step, Tags

MOST_PIXELS = 100_000_000
"""A labeler that does not work by windows is given pictures up to this size as a whole."""

CORE_PX = 2048
"""Side of the fixed windows that a labeler with a stated reach is run on."""

Batches = Mapping[int, NDArray[np.float32]]


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
    batch: int = 4,
) -> NDArray[np.float32]:
    """Class scores of a picture, or of an `extent` of it, blended from overlapping windows.

    Gives float32 (classes, height, width) of the extent. Windows smaller than `window` are filled up by reflection at
    the bottom and right; invalid pixels are shown to the segmenter as 0 and get whatever it says (`predict_mask` makes
    them UNKNOWN). A window without a single valid pixel scores 0 for every class.
    """
    plan = _Plan.of(segmenter, image, window, overlap, batch)
    return plan.scores(extent or image.grid.window, {})[0]


def predict_mask(
    segmenter: Segmenter,
    image: Image,
    *,
    window: int = 512,
    overlap: int = 64,
    extent: Window | None = None,
    piece: int | None = None,
    batch: int = 4,
) -> Mask:
    """The most likely class of each pixel of a picture, or of an `extent` of it, with its score as confidence.

    `piece` bounds memory: scores are held for that many pixels squared only; the result does not depend on it. Of equal
    scores the lowest id wins; where no class scores above 0, and where the picture has no data, a pixel is UNKNOWN with
    confidence 0.
    """
    extent = extent or image.grid.window
    parts = predict_pieces(segmenter, image, window=window, overlap=overlap, extent=extent, piece=piece, batch=batch)
    return assemble(parts, image, extent)


def predict_pieces(
    segmenter: Segmenter,
    image: Image,
    *,
    window: int = 512,
    overlap: int = 64,
    extent: Window | None = None,
    piece: int | None = 2048,
    batch: int = 4,
) -> Iterator[tuple[Window, Mask]]:
    """As `predict_mask`, but one piece after the other, each to be written away before the next is computed."""
    plan = _Plan.of(segmenter, image, window, overlap, batch)
    extent = _checked(extent or image.grid.window, image)
    pieces = split(extent, piece or max(extent.height, extent.width))
    step = Step("predict", {"window": window, "overlap": overlap, "batch": batch})
    kept: Batches = {}
    for number, each in enumerate(pieces):
        scores, used = plan.scores(each, kept)
        soon = plan.batches_of(pieces[number + 1]) if number + 1 < len(pieces) else set()
        kept = {index: result for index, result in used.items() if index in soon}
        valid = np.asarray(image.valid[each.slices], bool)
        yield each, _most_likely(scores, valid, segmenter.class_names, image.grid.crop(each), step)


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
    size: int
    overlap: int
    windows: tuple[Window, ...]
    groups: tuple[range, ...]

    @classmethod
    def of(cls, segmenter: Segmenter, image: Image, size: int, overlap: int, batch: int) -> _Plan:
        if batch < 1:
            raise ValueError(f"a batch has at least one window; got {batch}")
        if not 0 <= overlap < size:
            raise InputError(
                f"windows of {size} px cannot overlap by {overlap} px; overlap is from 0 to {size - 1}; "
                "choose a smaller overlap or a larger window"
            )
        windows = cover(*image.grid.shape, size, overlap)
        across = sum(window.top == windows[0].top for window in windows)
        groups = (
            range(start, min(start + batch, row + across))
            for row in range(0, len(windows), across)
            for start in range(row, row + across, batch)
        )
        return cls(segmenter, image, size, overlap, tuple(windows), tuple(groups))

    def batches_of(self, piece: Window) -> set[int]:
        """Numbers of the batches that hold a window which meets `piece`."""
        met = set(meeting(self.windows, piece))
        return {index for index, group in enumerate(self.groups) if not met.isdisjoint(group)}

    def scores(self, piece: Window, kept: Batches) -> tuple[NDArray[np.float32], Batches]:
        """Blended scores of a piece, and the batches they are made of; those in `kept` are not run again."""
        piece = _checked(piece, self.image)
        stitch = Stitch(piece, len(self.segmenter.class_names), self.overlap)
        soon: dict[int, NDArray[np.float32]] = {}
        for index in sorted(self.batches_of(piece)):
            soon[index] = kept[index] if index in kept else self._run(self.groups[index])
            for number, scores in zip(self.groups[index], soon[index], strict=True):
                window = self.windows[number]
                stitch.add(window, scores[:, : window.height, : window.width])
        return stitch.scores, soon

    def _run(self, group: range) -> NDArray[np.float32]:
        """Scores (n, classes, size, size) of a batch of windows; 0 where a window has no data at all."""
        inputs = [self._read(self.windows[number]) for number in group]
        has_data = np.array([has for _, has in inputs])
        shape = (len(group), len(self.segmenter.class_names), self.size, self.size)
        if not has_data.any():
            return np.broadcast_to(np.float32(0), shape)
        scores = np.asarray(self.segmenter(np.stack([pixels for pixels, _ in inputs])))
        if scores.shape != shape:
            raise ValueError(
                f"a segmenter gives scores (n, classes, height, width) = {shape}; "
                f"{type(self.segmenter).__name__} gave {scores.shape}"
            )
        if not np.isfinite(scores).all():
            raise ValueError(
                f"{type(self.segmenter).__name__} gave scores that are nan or inf for {self.windows[group[0]]} or a "
                "window of the same batch; scores are finite; look for overflow at low precision"
            )
        scores = scores.astype(np.float32, copy=not has_data.all())
        scores[~has_data] = 0
        return scores

    def _read(self, window: Window) -> tuple[NDArray[Any], bool]:
        part = self.image.crop(window)
        pixels, valid = np.asarray(part.pixels), np.asarray(part.valid)
        if not valid.all():
            pixels = np.where(valid[..., None], pixels, pixels.dtype.type(0))
        below, right = self.size - window.height, self.size - window.width
        if below or right:
            pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="reflect")
        return pixels, bool(valid.any())


def _most_likely(
    scores: NDArray[np.float32], valid: NDArray[np.bool_], class_names: tuple[str, ...], grid: Grid, step: Step
) -> Mask:
    confidence = scores.max(axis=0)
    known = valid & (confidence > 0)
    class_ids = np.where(known, scores.argmax(axis=0), UNKNOWN).astype(np.uint8)
    confidence = np.where(known, np.clip(confidence, 0, 1), np.float32(0))
    return Mask(class_ids, tuple(class_names), grid, confidence, (step,))


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


def _checked(extent: Window, image: Image) -> Window:
    if extent.meet(image.grid.window) != extent:
        raise InputError(
            f"the extent {tuple(extent)} (top, left, bottom, right) does not lie inside the picture of "
            f"{image.grid.height} x {image.grid.width} pixels; choose one inside it"
        )
    return extent
