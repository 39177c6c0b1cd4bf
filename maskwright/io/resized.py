"""A picture at another pixel size, computed where it is looked at: a big one stays in its file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.rescale import averaged, shares
from maskwright.arrays.windows import Window
from maskwright.io.slabs import Slab
from maskwright.types import Grid, Image


def resized(image: Image, height: int, width: int) -> Image:
    """`image` with `height` x `width` pixels over the same extent, read and computed by windows.

    Larger pixels are the mean of what they cover, smaller ones lie between their two neighbours along each axis; pixels
    without data have no say, and where nothing has data nothing is valid. Whole numbers are rounded. Any window gives
    the bits the whole would.
    """
    grid = _grid(image.grid, height, width)
    return Image(_Pixels(image, grid), grid, _Valid(image, grid))


def _grid(grid: Grid, height: int, width: int) -> Grid:
    transform = grid.transform
    if transform is not None:
        a, b, c, d, e, f = transform
        across, down = grid.width / width, grid.height / height
        transform = (a * across, b * down, c, d * across, e * down, f)
    return Grid(height, width, transform, grid.crs)


class _Resized(Slab):
    """What of `image` lies under the pixels of `grid`."""

    def __init__(self, image: Image, grid: Grid) -> None:
        self.image, self.grid = image, grid

    def _read(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weighted sums (height, width, channels) of what has data, and the weight (height, width, 1) that has."""
        down, rows = shares(range(window.top, window.bottom), self.grid.height, self.image.grid.height)
        across, cols = shares(range(window.left, window.right), self.grid.width, self.image.grid.width)
        part = self.image.crop(Window(down.start, across.start, down.stop, across.stop))
        valid = np.asarray(part.valid)[..., None]
        pixels = np.where(valid, np.asarray(part.pixels), 0).astype(np.float64)
        return averaged(pixels, rows, cols), averaged(valid.astype(np.float64), rows, cols)


class _Pixels(_Resized):
    @property
    def shape(self) -> tuple[int, ...]:
        return *self.grid.shape, self.image.pixels.shape[2]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.image.pixels.dtype

    def _part(self, window: Window) -> NDArray[Any]:
        sums, known = self._read(window)
        means = np.divide(sums, known, out=np.zeros_like(sums), where=known > 0)
        return (np.rint(means) if self.dtype.kind in "iu" else means).astype(self.dtype)


class _Valid(_Resized):
    @property
    def shape(self) -> tuple[int, ...]:
        return self.grid.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(bool)

    def _part(self, window: Window) -> NDArray[Any]:
        seen: NDArray[np.bool_] = self._read(window)[1][..., 0] > 0
        return seen
