"""Map pyramids: a mask of class ids as 256 x 256 tiles z/x/y in web Mercator, as web maps show them.

At the highest zoom each pixel of a tile takes the class of the mask pixel that holds its centre; a lower zoom takes
the commonest of four, so no class appears that was not there. Tiles without a known pixel are left out.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.halve import halved_ids
from maskwright.arrays.windows import Window
from maskwright.errors import GridError, InputError
from maskwright.io.regrid import Crossing, pixel_size_m
from maskwright.types import UNKNOWN, Grid

SIDE_PX = 256
MOST_ZOOM = 26
_HALF_WORLD = math.pi * 6378137.0
_EDGE_POINTS = 21


@dataclass(frozen=True, eq=False)
class Tile:
    """One tile: zoom, x from the west, y from the north, and class ids uint8 (256, 256), 255 where nobody knows."""

    zoom: int
    x: int
    y: int
    class_ids: NDArray[np.uint8]


@dataclass(frozen=True)
class Pyramid:
    """The tiles of a mask that lies on Earth; `read(window)` gives its class ids, so a big one stays in its file.

    Without `max_zoom` it is the one whose pixels are nearest in size to the mask's own; without `min_zoom` the one at
    which the whole mask is about a tile large.
    """

    grid: Grid
    read: Callable[[Window], NDArray[np.uint8]]
    max_zoom: int | None = None
    min_zoom: int | None = None

    def __post_init__(self) -> None:
        if self.grid.crs is None or self.grid.transform is None:
            raise GridError("a web map needs a picture on Earth; this one has no place; georeference it first")
        low, high = self.zooms
        if not 0 <= low <= high <= MOST_ZOOM:
            raise InputError(f"zooms {low} to {high}; expected 0 to {MOST_ZOOM}, the lower one first; change them")

    @cached_property
    def zooms(self) -> tuple[int, int]:
        """The lowest and the highest zoom."""
        _, south, _, north = self.bounds
        shrink = math.cos(math.radians((south + north) / 2))
        size_m = math.sqrt(math.prod(pixel_size_m(self.grid)))
        nearest = round(math.log2(2 * _HALF_WORLD * shrink / (SIDE_PX * size_m)))
        high = min(max(nearest, 0), MOST_ZOOM) if self.max_zoom is None else self.max_zoom
        levels = max(0, math.ceil(math.log2(max(self.grid.shape) / SIDE_PX)))
        low = max(0, high - levels) if self.min_zoom is None else self.min_zoom
        return low, high

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        longitude, latitude = self._outlines["EPSG:4326"]
        return float(longitude.min()), float(latitude.min()), float(longitude.max()), float(latitude.max())

    def tiles(self) -> Iterator[Tile]:
        """All tiles with a known pixel, each after the four it is made of; memory is that of a few tiles."""
        low, _ = self.zooms
        left, right, top, bottom = self._span(low)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                yield from self._below(low, x, y)

    def _below(self, zoom: int, x: int, y: int) -> Generator[Tile, None, NDArray[np.uint8] | None]:
        """The tiles at and under an address; gives the ids of the tile itself, or None where nothing is known."""
        left, right, top, bottom = self._span(zoom)
        if not (left <= x <= right and top <= y <= bottom):
            return None
        if zoom == self.zooms[1]:
            class_ids = self._cut(x, y)
        else:
            whole = np.full((2, SIDE_PX, 2, SIDE_PX), UNKNOWN, np.uint8)
            for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
                part = yield from self._below(zoom + 1, 2 * x + across, 2 * y + down)
                if part is not None:
                    whole[down, :, across] = part
            class_ids = halved_ids(whole.reshape(2 * SIDE_PX, 2 * SIDE_PX), nodata=UNKNOWN)
        if (class_ids == UNKNOWN).all():
            return None
        yield Tile(zoom, x, y, class_ids)
        return class_ids

    def _cut(self, x: int, y: int) -> NDArray[np.uint8]:
        """The ids of a tile of the highest zoom."""
        window = Window(y * SIDE_PX, x * SIDE_PX, (y + 1) * SIDE_PX, (x + 1) * SIDE_PX)
        rows, cols = np.broadcast_arrays(*self._crossing.cells(window))
        inside = (rows >= 0) & (cols >= 0)
        if not inside.any():
            return np.full((SIDE_PX, SIDE_PX), UNKNOWN, np.uint8)
        top, left = int(rows[inside].min()), int(cols[inside].min())
        ids = self.read(Window(top, left, int(rows[inside].max()) + 1, int(cols[inside].max()) + 1))
        return np.where(inside, ids[np.where(inside, rows - top, 0), np.where(inside, cols - left, 0)], UNKNOWN).astype(
            np.uint8
        )

    @cached_property
    def _crossing(self) -> Crossing:
        return Crossing(world_grid(self.zooms[1]), self.grid)

    def _span(self, zoom: int) -> tuple[int, int, int, int]:
        """First and last x, first and last y of the tiles that the mask may touch."""
        east, north = self._outlines["EPSG:3857"]
        size = 2 * _HALF_WORLD / (1 << zoom)
        columns = np.floor((east + _HALF_WORLD) / size).clip(0, (1 << zoom) - 1)
        rows = np.floor((_HALF_WORLD - north) / size).clip(0, (1 << zoom) - 1)
        return int(columns.min()), int(columns.max()), int(rows.min()), int(rows.max())

    @cached_property
    def _outlines(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """x and y of points all along the mask's edge, by coordinate system; edges may bend on the way."""
        from pyproj import Transformer

        down = np.linspace(-0.5, self.grid.height - 0.5, _EDGE_POINTS)
        across = np.linspace(-0.5, self.grid.width - 0.5, _EDGE_POINTS)
        rows = np.concatenate([np.full(_EDGE_POINTS, down[0]), np.full(_EDGE_POINTS, down[-1]), down, down])
        cols = np.concatenate([across, across, np.full(_EDGE_POINTS, across[0]), np.full(_EDGE_POINTS, across[-1])])
        x, y = self.grid.place(rows, cols)
        return {
            crs: Transformer.from_crs(self.grid.crs, crs, always_xy=True).transform(x, y)
            for crs in ("EPSG:4326", "EPSG:3857")
        }


def world_grid(zoom: int) -> Grid:
    """All pixels of all tiles of a zoom as one grid in web Mercator."""
    side = SIDE_PX << zoom
    size = 2 * _HALF_WORLD / side
    return Grid(side, side, (size, 0.0, -_HALF_WORLD, 0.0, -size, _HALF_WORLD), "EPSG:3857")


def flipped(zoom: int, y: int) -> int:
    """The y of a tile counted from the other pole: XYZ counts from the north, TMS from the south.

    >>> flipped(3, 0), flipped(3, 7)
    (7, 0)
    """
    return (1 << zoom) - 1 - y


def tile_at(longitude: float, latitude: float, zoom: int) -> tuple[int, int, int, int]:
    """x and y of the tile that shows a place, and row and column of the pixel in it.

    >>> tile_at(0.1, -0.1, 1)
    (1, 1, 0, 0)
    """
    share = math.asinh(math.tan(math.radians(latitude))) / math.pi
    col, row = (longitude + 180) / 360 * (SIDE_PX << zoom), (1 - share) / 2 * (SIDE_PX << zoom)
    return int(col) // SIDE_PX, int(row) // SIDE_PX, int(row) % SIDE_PX, int(col) % SIDE_PX


def tile_png(class_ids: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Class ids as an indexed PNG with the colours (256, 3) of the classes, transparent where nobody knows."""
    import PIL.Image

    picture = PIL.Image.fromarray(class_ids)
    picture.putpalette(palette.tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=UNKNOWN)
    return file.getvalue()
