"""How firmly each pixel has its part if any one joint might be wrong: each is left out once, on a coarse grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline
from maskwright.anatomy.seeds import PartSeeds
from maskwright.arrays.one_out import one_out
from maskwright.arrays.starts import Starts, places_inside

MOST_CELLS = 56
"""Cells along the longer side of an outline's window: leaving out 39 joints takes about as long as one full spread."""


class Stability(NamedTuple):
    """`firmness` float32 [0, 1] of every pixel of an outline's window, and by joint the share of the outline it alone
    decides."""

    firmness: NDArray[np.float32]
    shares: dict[str, float]


def stability(seeds: PartSeeds, outline: Outline, *, snap: float, cells: int = MOST_CELLS) -> Stability:
    """Leave out each joint, with the points of its links, and see which pixels would be of another part then.

    Firmness is `arrays.one_out`'s of cells of a few pixels, between which it is interpolated; a cell belongs to the
    outline when any of its pixels does. Points that the outline told stay. Joints up to `snap` pixels outside the
    outline count from its nearest cell.
    """
    height, width = outline.pixels.shape
    side = _odd(max(height, width) / cells)
    top, left = _pad(height, side), _pad(width, side)
    framed = np.pad(outline.pixels, ((top, top), (left, left)))
    region = _cells_with_any(framed, side)
    rows, cols = (
        (place + pad - (side - 1) / 2) / side
        for place, pad in ((seeds.rows - outline.window.top, top), (seeds.cols - outline.window.left, left))
    )
    reach = np.where(seeds.is_joint, snap / side, 0.0)
    index, pixels, lengths, _ = places_inside(region, rows, cols, reach=reach)
    starts = Starts(pixels, seeds.regions[index], lengths)
    found = one_out(region, starts, seeds.owners[index], len(seeds.names))
    firmness = _between_cells(found.firmness, region, side)[top : top + height, left : left + width]
    shares = found.changed / max(1, int(region.sum()))
    return Stability(firmness, {name: float(shares[k]) for k, name in enumerate(seeds.names)})


def _odd(side: float) -> int:
    """The least odd whole number that is not smaller: cells of an odd side have a pixel in their middle."""
    return 2 * max(0, int(np.ceil((side - 1) / 2))) + 1


def _pad(length: int, side: int) -> int:
    """How many pixels to add at both ends, so that whole cells lie the same way in a mirrored picture."""
    cells = -(-length // side)
    cells += (cells * side - length) % 2
    return (cells * side - length) // 2


def _cells_with_any(region: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    height, width = region.shape
    rows = region.view(np.uint8).reshape(height // side, side, width).max(axis=1)  # whole rows first: they are long
    return np.asarray(rows.reshape(height // side, width // side, side).max(axis=2), bool)


def _between_cells(values: NDArray[np.float32], region: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    """Values of cells (0..1, in 255 steps) for all their pixels, between the middles of cells in straight lines.

    Cells outside the region count as the mean of those around them that lie inside. All sums are of whole numbers, so
    that mirrored cells give mirrored pixels, to the bit.
    """
    steps = np.pad(np.rint(values * 255) * region, 1).astype(np.float32)
    around = np.rint(_sums_of_nine(steps) / np.maximum(_sums_of_nine(np.pad(region, 1).astype(np.float32)), 1))
    filled = np.where(region, steps[1:-1, 1:-1], around).astype(np.float32)
    down, across = (_tents(cells, side) for cells in region.shape)
    between = down @ (filled @ across.T) if len(down) < len(across) else down @ filled @ across.T
    between *= np.float32(1 / (255 * side**2))
    return np.asarray(between, np.float32)


def _sums_of_nine(framed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each value of a framed array, its frame left out, and the eight around it."""
    rows = framed[:-2] + framed[1:-1] + framed[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:], np.float32)


def _tents(cells: int, side: int) -> NDArray[np.float32]:
    """Whole weights (cells * side, cells) of each cell at each pixel: highest in its middle, 0 in the next one's."""
    pixels = np.arange(cells * side)[:, None] - side // 2
    nearest = np.clip(pixels, 0, (cells - 1) * side)  # beyond the outer middles the outer cells alone count
    return np.asarray(np.maximum(side - np.abs(nearest - np.arange(cells) * side), 0), np.float32)
