"""Masks on coarser, shifted or turned grids, in any coordinate system, looked up at the pixels of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.class_borders import near_other_class
from maskwright.arrays.fuse import vote
from maskwright.arrays.windows import Window, shift, split
from maskwright.errors import GridError, InputError, MissingPartError
from maskwright.io.masks import renamed_ids
from maskwright.types import UNKNOWN, Grid, Image, Mask

BLOCK_PX = 256
"""Side of the blocks, fixed on the whole picture, in which a change of coordinate system is computed."""
STEP_PX = 32
"""Within a block every so many pixels are transformed; what lies between is interpolated."""
EXACT_TO = 1e-4
"""How far, in pixels looked up, interpolation may be off before a block is transformed pixel by pixel."""
STRIP_PIXELS = 1 << 20
"""So many pixels are looked up at a time: their places take 50 bytes each."""
MOST_REACH_PX = 1024
"""A wider band along borders is refused: pieces would need too much memory around them."""
LEAST_SAY = 1e-6
"""The weight of a pixel that is known without any confidence, where several masks speak."""

_DEGREES = "EPSG:4326"
Places = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Crossing:
    """From the pixels of a picture's grid to those of a source: the same place, counted on another grid.

    A source without a place on Earth is taken to cover the picture from edge to edge; then its proportions must be
    those of the picture, to within a pixel of the coarser one. Every pixel depends on its own place only, so any
    window gives what the whole picture would.
    """

    picture: Grid
    source: Grid

    def __post_init__(self) -> None:
        if self.source.transform is None:
            self._check_proportions()
        elif self.picture.transform is None:
            raise GridError(
                "the mask lies on Earth but the picture does not; expected both to; georeference the picture, or give "
                "a mask without a place that covers it from edge to edge"
            )
        elif (self.source.crs is None) != (self.picture.crs is None):
            which = "mask" if self.source.crs is None else "picture"
            raise GridError(
                f"the {which} names no coordinate system and the other does; expected both to; write it into the file, "
                "for example with gdal_edit -a_srs"
            )

    def cells(self, window: Window) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column of the source pixel that holds the centre of each pixel of `window`, -1 outside the source.

        The window may reach beyond the picture. A centre on the border of two pixels belongs to the later one. Rows
        are (height, 1) and columns (1, width) where they do not depend on each other, else both (height, width).
        """
        rows, cols = self.places(window)
        return _index(rows, self.source.height), _index(cols, self.source.width)

    @property
    def meets(self) -> bool:
        """Whether the source lies on the picture at all; one without a place does, one that cannot be told too."""
        return self.source.transform is None or boxes_meet(*self._outline(), self.picture)

    def check_meets(self) -> None:
        """Refuse a source that lies beside the picture: nothing of it would be seen."""
        if not self.meets:
            rows, cols = self._outline()
            middle = f"row {rows.mean():.0f}, column {cols.mean():.0f}"
            raise GridError(
                f"the mask lies beside the picture: its middle is at {middle} of {self.picture.height} x "
                f"{self.picture.width} pixels; expected it to overlap; is it the right file, or the right place?"
            )

    def reached(self) -> Window | None:
        """The rows and columns of the source that can lie on the picture, with two more to each side; None for none."""
        rows, cols = Crossing(self.source, self.picture)._outline()
        if not (np.isfinite(rows).all() and np.isfinite(cols).all()):
            return self.source.window
        low, high = (np.floor([rows.min(), cols.min()]) - 2), (np.ceil([rows.max(), cols.max()]) + 3)
        return Window(int(low[0]), int(low[1]), int(high[0]), int(high[1])).meet(self.source.window)

    def _outline(self) -> Places:
        """Where 17 x 17 places of the source, its corners among them, lie on the picture."""
        edges = [np.linspace(-0.5, size - 0.5, 17) for size in self.source.shape]
        back = Crossing(self.source, self.picture)
        rows, cols = back._exact(edges[0][:, None], edges[1][None])
        return np.broadcast_to(rows, (17, 17)), np.broadcast_to(cols, (17, 17))

    def places(self, window: Window) -> Places:
        """Row and column on the source of each pixel centre of `window`, pixel centres at whole numbers; as `cells`."""
        if self._transformer is None and self._is_upright:
            return self._exact(
                np.arange(window.top, window.bottom)[:, None], np.arange(window.left, window.right)[None]
            )
        shape = window.height, window.width
        rows, cols = np.empty(shape), np.empty(shape)
        for block in _blocks(window):
            here = shift(block, window.top, window.left).slices
            rows[here], cols[here] = self._block(block)
        return rows, cols

    def _block(self, part: Window) -> Places:
        """The places of part of one block. Whether it is interpolated depends on the whole block, not on the part."""
        inside = np.arange(part.top, part.bottom), np.arange(part.left, part.right)
        if self._transformer is None:
            return self._exact(inside[0][:, None], inside[1][None])
        top, left = part.top // BLOCK_PX * BLOCK_PX, part.left // BLOCK_PX * BLOCK_PX
        knots = np.arange(0, BLOCK_PX + 1, STEP_PX // 2)
        known = self._exact((top + knots)[:, None], (left + knots)[None])
        if not all(_is_smooth(each) for each in known):
            return self._exact(inside[0][:, None], inside[1][None])
        at_rows, at_cols = inside[0] - top, inside[1] - left
        return _bilinear(known[0][::2, ::2], at_rows, at_cols), _bilinear(known[1][::2, ::2], at_rows, at_cols)

    def _exact(self, rows: NDArray[Any], cols: NDArray[Any]) -> Places:
        picture, source = self._grids
        if self._is_upright and self._transformer is None:
            x, y = picture.place(np.zeros_like(cols), cols)[0], picture.place(rows, np.zeros_like(rows))[1]
            return source.locate(np.zeros_like(y), y)[0], source.locate(x, np.zeros_like(x))[1]
        x, y = picture.place(*np.broadcast_arrays(rows, cols))
        if self._transformer is not None:
            x, y = self._transformer.transform(x, y)
        with np.errstate(invalid="ignore"):  # a place the other system does not know is infinite
            return source.locate(x, y)

    @cached_property
    def _grids(self) -> tuple[Grid, Grid]:
        if self.source.transform is not None:
            return self.picture, self.source
        height, width = self.picture.height / self.source.height, self.picture.width / self.source.width
        return (
            Grid(*self.picture.shape, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
            Grid(*self.source.shape, (width, 0.0, 0.0, 0.0, height, 0.0)),
        )

    @cached_property
    def _is_upright(self) -> bool:
        """Whether rows depend on rows only and columns on columns."""
        return all(
            grid.transform is not None and not grid.transform[1] and not grid.transform[3] for grid in self._grids
        )

    @cached_property
    def _transformer(self) -> Any:
        """From the picture's coordinate system to the source's; None where both are the same."""
        if self.source.transform is None or self.source.crs == self.picture.crs:
            return None
        return _transformer(self.picture.crs, self.source.crs)

    def _check_proportions(self) -> None:
        height, width = self.picture.height / self.source.height, self.picture.width / self.source.width
        off = abs(height - width) * min(self.source.shape)
        if off > max(height, width, 1.0):
            raise GridError(
                f"the mask has {self.source.height} x {self.source.width} pixels and no place on Earth, the picture "
                f"{self.picture.height} x {self.picture.width}; expected the same proportions, for it is laid on the "
                "picture from edge to edge; cut it to the picture or georeference it"
            )


def regrid(mask: Mask, grid: Grid, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Class ids and confidence of a mask at the pixels of a window of another grid, by the pixel that holds each.

    UNKNOWN with confidence 0 where the mask does not reach or knows nothing; the confidence is None where it has none.
    """
    crossing = Crossing(grid, mask.grid)
    class_ids = np.empty((window.height, window.width), np.uint8)
    confidence = None if mask.confidence is None else np.zeros(class_ids.shape, np.float32)
    for strip in split(window, (max(BLOCK_PX, STRIP_PIXELS // window.width), window.width)):
        rows, cols = crossing.cells(strip)
        outside = (rows < 0) | (cols < 0)
        here = shift(strip, window.top, window.left).slices
        class_ids[here] = np.where(outside, np.uint8(UNKNOWN), mask.class_ids[rows, cols])
        if confidence is not None and mask.confidence is not None:
            np.copyto(confidence[here], mask.confidence[rows, cols], where=class_ids[here] != UNKNOWN)
    return class_ids, confidence


def lay_on(
    masks: Sequence[Mask],
    image: Image,
    window: Window,
    class_names: tuple[str, ...],
    *,
    gps_error_m: float = 0.0,
    border_px: float = 0.0,
) -> Mask:
    """Masks on grids of their own become one mask of a window of a picture; it has no history yet.

    Their classes are those of `class_names` that bear the same name. A mask that lies beside the picture is refused.

    Pixels within `gps_error_m` metres or `border_px` pixels of a border between two classes become UNKNOWN: an error
    of that size could have brought the other class there. Where several masks speak, the class with the larger sum of
    confidences wins, a tie is UNKNOWN, and the confidence is the winner's sum over the number that spoke. A confidence
    is given where any mask has one or several speak. Pixels without data are UNKNOWN.
    """
    reach = max(border_px, gps_error_m / min(pixel_size_m(image.grid)) if gps_error_m else 0.0)
    if reach > MOST_REACH_PX:
        raise InputError(
            f"the band along borders is {reach:.0f} pixels wide; expected at most {MOST_REACH_PX}; is the error in "
            "metres? else make the picture coarser"
        )
    for mask in masks:
        Crossing(image.grid, mask.grid).check_meets()
    laid = [_laid(mask, image.grid, window, class_names, reach) for mask in masks]
    class_ids, confidence = laid[0] if len(laid) == 1 else _joined(laid)
    nothing = ~np.asarray(image.valid[window.slices], bool)
    class_ids[nothing] = UNKNOWN
    if confidence is not None:
        confidence[class_ids == UNKNOWN] = 0
    return Mask(class_ids, class_names, image.grid.crop(window), confidence)


def pixel_size_m(grid: Grid) -> tuple[float, float]:
    """Height and width in metres of the pixel in the middle of a grid, on the ellipsoid, in any coordinate system."""
    if grid.transform is None or grid.crs is None:
        raise GridError("a length in metres needs a picture on Earth; this one has no place; give it in pixels instead")
    pyproj = _pyproj()
    system = _system(pyproj, grid.crs, "picture")
    row, col = (grid.height - 1) / 2, (grid.width - 1) / 2
    x, y = grid.place(np.array([row - 0.5, row + 0.5, row, row]), np.array([col, col, col - 0.5, col + 0.5]))
    longitude, latitude = pyproj.Transformer.from_crs(system, system.geodetic_crs, always_xy=True).transform(x, y)
    ellipsoid = system.get_geod()
    _, _, (height, width) = ellipsoid.inv(longitude[::2], latitude[::2], longitude[1::2], latitude[1::2])
    return float(height), float(width)


def _laid(
    mask: Mask, grid: Grid, window: Window, class_names: tuple[str, ...], reach: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """A mask on a window, with a band of UNKNOWN along borders, also of classes just outside the window."""
    margin = ceil(reach) + 1 if reach else 0
    wide = Window(window.top - margin, window.left - margin, window.bottom + margin, window.right + margin)
    class_ids, confidence = regrid(mask, grid, wide)
    class_ids = renamed_ids(class_ids, mask.class_names, class_names, "the coarse mask")
    if reach:
        class_ids[near_other_class(class_ids, reach)] = UNKNOWN
    inside = shift(window, wide.top, wide.left).slices
    return class_ids[inside].copy(), None if confidence is None else confidence[inside].copy()


def _joined(
    laid: Sequence[tuple[NDArray[np.uint8], NDArray[np.float32] | None]],
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    stack = np.stack([ids for ids, _ in laid])
    sure = np.stack([np.ones(ids.shape, np.float32) if each is None else each for ids, each in laid])
    class_ids, _ = vote(stack, np.maximum(sure, LEAST_SAY))
    said = (stack != UNKNOWN).sum(axis=0)
    won = np.where(stack == class_ids, sure, 0).sum(axis=0)
    return class_ids, np.divide(won, said, where=said > 0, out=np.zeros(said.shape, np.float32))


def locate(grid: Grid, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> Places:
    """Row and column on a picture of places in degrees of WGS 84; inf where its coordinate system does not reach."""
    if grid.transform is None or grid.crs is None:
        raise GridError("a survey lies on Earth; this picture has no place; georeference it")
    transformer = _transformer(_DEGREES, grid.crs)
    x, y = (longitude, latitude) if transformer is None else transformer.transform(longitude, latitude)
    with np.errstate(invalid="ignore"):
        return grid.locate(x, y)


def boxes_meet(rows: NDArray[np.float64], cols: NDArray[np.float64], grid: Grid) -> bool:
    """Whether the box around places meets a grid; where some place is not finite nobody can say, so it may."""
    if not (np.isfinite(rows).all() and np.isfinite(cols).all()):
        return True
    spans = ((rows, grid.height), (cols, grid.width))
    return all(each.min() <= size - 0.5 and each.max() >= -0.5 for each, size in spans)


def _index(places: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """The pixel a place falls on, -1 for none."""
    with np.errstate(invalid="ignore"):
        whole = np.floor(places + 0.5)
        inside = (whole >= 0) & (whole < size)
    return np.where(inside, np.where(inside, whole, 0).astype(np.intp), -1)


def _blocks(window: Window) -> list[Window]:
    """The parts of a window that lie in each block of the whole plane."""
    tops = range(window.top // BLOCK_PX * BLOCK_PX, window.bottom, BLOCK_PX)
    lefts = range(window.left // BLOCK_PX * BLOCK_PX, window.right, BLOCK_PX)
    met = (Window(top, left, top + BLOCK_PX, left + BLOCK_PX).meet(window) for top in tops for left in lefts)
    return [each for each in met if each is not None]


def _is_smooth(known: NDArray[np.float64]) -> bool:
    """Whether every second knot follows from its neighbours, so that what lies between them does too."""
    if not np.isfinite(known).all():
        return False
    between = np.arange(known.shape[0])
    coarse = _bilinear(known[::2, ::2], between, between, step=2)
    return bool(np.abs(coarse - known).max() <= EXACT_TO)


def _bilinear(
    knots: NDArray[np.float64], rows: NDArray[Any], cols: NDArray[Any], step: int = STEP_PX
) -> NDArray[np.float64]:
    """Values at rows x cols from those at every `step`-th row and column."""
    above, left = np.minimum(rows // step, len(knots) - 2), np.minimum(cols // step, knots.shape[1] - 2)
    down, right = (rows / step - above)[:, None], (cols / step - left)[None]
    upper = knots[above] * (1 - down) + knots[above + 1] * down
    values: NDArray[np.float64] = upper[:, left] * (1 - right) + upper[:, left + 1] * right
    return values


@lru_cache(maxsize=16)
def _transformer(crs: str | None, other: str | None) -> Any:
    """From one coordinate system to another; None where two texts mean the same."""
    pyproj = _pyproj()
    systems = [_system(pyproj, each, what) for each, what in ((crs, "picture"), (other, "mask"))]
    return None if systems[0] == systems[1] else pyproj.Transformer.from_crs(*systems, always_xy=True)


def _system(pyproj: Any, text: str | None, what: str) -> Any:
    try:
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError as error:
        raise InputError(
            f"the coordinate system of the {what}, {text!r}, is not known; expected one like EPSG:32740; mend the file"
        ) from error


def _pyproj() -> Any:
    try:
        import pyproj
    except ImportError as error:
        raise MissingPartError(
            "changing coordinate systems needs pyproj, which is not here; run: pip install 'maskwright[geo]'"
        ) from error
    return pyproj
