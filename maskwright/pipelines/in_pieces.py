"""Pictures too big for memory: labelled and written piece by piece, the same pixels whatever the piece.

Only what one labeler or segmenter says can be written so. Several labelers, and refiners, look at a whole mask: they
get the picture as it lies in its file, and a mask in memory (one byte a pixel, and four more for confidence).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.likely import confidence_bytes
from maskwright.arrays.windows import Window, shift
from maskwright.io.classes import Classes
from maskwright.io.masks import confidence_path
from maskwright.io.slabs import Deferred
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask

PIECE_PX = 2048
"""Side of a piece. It decides about memory only."""

Pieces = Iterator[tuple[Window, Mask]]


def is_big(image: Image) -> bool:
    """Whether a picture has stayed in its file, because it has more pixels than one reads at once."""
    return not isinstance(image.pixels, np.ndarray | Deferred)


def label_image(
    method: Any, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], extent: Window | None = None
) -> Any:
    """What a labeler says of a picture of any size, or of an `extent` of it, as one mask."""
    from maskwright.tiled import assemble

    if extent is None and not is_big(image):
        return method(image, hints, class_names)
    extent = extent or image.grid.window
    return assemble(pieces_of(method, image, hints, class_names, extent), image, extent)


def pieces_of(
    method: Any, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], extent: Window | None = None
) -> Pieces:
    """What a labeler, or a segmenter led over the picture, says of it, one piece after the other."""
    from maskwright.tiled import label_pieces

    if hasattr(method, "predict_pieces"):
        pieces: Pieces = method.predict_pieces(image, extent)
        return pieces
    return label_pieces(method, image, hints, class_names, extent=extent, piece=PIECE_PX)


def write_pieces(
    path: Path,
    grid: Grid,
    extent: Window,
    parts: Iterable[tuple[Window, Mask]],
    colors: Callable[[Mask], tuple[str, ...] | None],
    write_story: Callable[[Mask], None],
) -> Mask:
    """Write the pieces of an extent as one mask (a COG) on its `grid`, with its confidence; the mask comes last.

    The story is written with the first piece at hand, which holds the history. Gives that piece.
    """
    from maskwright.io.rasters import RasterWriter

    waiting = iter(parts)
    corner, first = next(waiting)
    palette = Classes(first.class_names, colors(first) or ()).palette()
    with ExitStack() as files:
        writers = [files.enter_context(RasterWriter(path, grid, np.uint8, nodata=UNKNOWN, colors=palette))]
        if first.confidence is None:
            confidence_path(path).unlink(missing_ok=True)
        else:
            writers.append(files.enter_context(RasterWriter(confidence_path(path), grid, np.uint8)))
        for window, mask in chain([(corner, first)], waiting):
            window = shift(window, extent.top, extent.left)
            for writer, array in zip(writers, _bytes_of(mask), strict=True):
                writer.write(window, array)
        with ThreadPoolExecutor(len(writers)) as side_by_side:
            list(side_by_side.map(RasterWriter.finish, writers))
        write_story(first)
    return first


def _bytes_of(mask: Mask) -> Iterator[NDArray[np.uint8]]:
    """What is written of a mask: its ids and, where it has one, its confidence from 0 to 255."""
    yield mask.class_ids
    if mask.confidence is not None:
        yield confidence_bytes(mask.confidence)
