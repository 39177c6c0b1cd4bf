"""GeoTIFF and COG: read by windows, written whole or by pieces. The only file that knows rasterio."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import rasterio
import rasterio.crs
import rasterio.env
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from maskwright.arrays.halve import half_shape, half_window, halved_ids, halved_numbers
from maskwright.arrays.windows import Window, split
from maskwright.errors import FormatError, InputError, OutputError
from maskwright.io.cog_layout import write_cog
from maskwright.io.outputs import whole_file
from maskwright.io.slabs import Slab
from maskwright.io.tiff_header import check_is_file, read_tiff_header
from maskwright.types import Grid, Image

CACHE_BYTES = 128 << 20
"""What GDAL may keep of blocks it has read; without a bound it takes 5 % of the machine."""

BLOCK = 512
"""Side of the blocks of a file that is written, and of its smallest overview at most."""

TILED = {
    "driver": "GTiff", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate",
    "bigtiff": "if_safer", "interleave": "pixel", "num_threads": 1, "endianness": "little",
}  # fmt: skip

IDS = {"zlevel": 2}
"""How class ids are packed: they lie in runs. Trying harder takes up to three times as long and saves few bytes."""

WHOLE, REAL = {"zlevel": 1, "predictor": 2}, {"zlevel": 1, "predictor": 3}
"""How numbers are packed: as differences to their neighbours, which take fewer bytes and less time than trying hard."""

_OPENING = threading.Lock()  # warnings.catch_warnings changes the whole process


def open_raster(path: str | Path, *, as_colours: bool = True) -> Image:
    """A raster as an Image whose pixels and valid stay in the file until they are sliced.

    Pixels are (height, width, bands) in the file's dtype; palettes and CMYK become RGB unless `as_colours` is False,
    and an alpha band is left out. `valid` is False where mask, alpha or nodata say so or all bands are nan. The image
    may be pickled and read from several threads; each opens the file for itself.
    """
    source = _Source(Path(path))
    with source.reading() as dataset:
        layout = _Layout(dataset, as_colours)
        grid = _grid(dataset)
    return Image(RasterPixels(source, layout), grid, RasterValid(source, layout))


def raster_grid(path: str | Path) -> Grid:
    """Where a raster's pixels lie, from its header alone."""
    with _Source(Path(path)).reading() as dataset:
        return _grid(dataset)


def raster_nodata(path: str | Path) -> float | None:
    """The value that means 'no data' in a raster's first band, or None."""
    with _Source(Path(path)).reading() as dataset:
        return None if dataset.nodata is None else float(dataset.nodata)


def raster_tags(path: str | Path) -> dict[str, str]:
    """The tags a raster carries, as `write_raster` and `RasterWriter` wrote them."""
    with _Source(Path(path)).reading() as dataset:
        return dict(dataset.tags())


def open_dataset(path: Path, mode: str = "r", **settings: Any) -> Any:
    """rasterio's dataset for a file, without its warning about rasters that lie nowhere."""
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, mode, **settings)


class _Source:
    """A file that every thread and process opens for itself when it first reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def __reduce__(self) -> tuple[type[_Source], tuple[Path]]:
        return _Source, (self.path,)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Any]:
        try:
            # Settings of a thread that has some already stay: entering them anew takes as long as a small read.
            with contextlib.nullcontext() if rasterio.env.hasenv() else rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
                yield self._dataset()
        except RasterioError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise FormatError(
                f"{self.path}: broken TIFF ({reason}); expected whole pixels; get the file again"
            ) from error

    def _dataset(self) -> Any:
        # A forked process must not share the file position of its parent.
        if getattr(self._local, "process", None) != os.getpid():
            check_is_file(self.path)
            read_tiff_header(self.path)
            self._local.dataset = open_dataset(self.path)
            self._local.process = os.getpid()
        return self._local.dataset


class _Layout:
    """What of a file's bands becomes pixels, and how."""

    def __init__(self, dataset: Any, as_colours: bool) -> None:
        kinds = dataset.colorinterp
        self.height, self.width = dataset.height, dataset.width
        self.bands = [i for i, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
        self.dtype: np.dtype[Any] = np.dtype(dataset.dtypes[0])
        if self.dtype.kind == "c" or len({dataset.dtypes[i - 1] for i in self.bands}) > 1:
            raise FormatError(
                f"{dataset.name}: bands of the kinds {sorted(set(dataset.dtypes))}; expected one real kind of number "
                "for all; split the bands into files"
            )
        self.palette = _palette(dataset) if as_colours and kinds[0] == ColorInterp.palette else None
        cmyk = (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black)
        self.is_cmyk = as_colours and tuple(kinds[:4]) == cmyk and self.dtype == np.uint8
        self.channels = 3 if self.palette is not None or self.is_cmyk else len(self.bands)

    def read(self, dataset: Any, window: Window) -> NDArray[Any]:
        """(height, width, channels) of a window."""
        bands = np.empty((window.height, window.width, len(self.bands)), self.dtype)
        dataset.read(self.bands, window=_at(window), out=bands.transpose(2, 0, 1))
        if self.palette is not None:
            coloured: NDArray[Any] = self.palette[bands[..., 0].astype(np.intp)]
            return coloured
        if self.is_cmyk:
            light = 255 - bands[..., :4].astype(np.uint16)
            rgb: NDArray[Any] = ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
            return rgb
        return bands


class RasterPixels(Slab):
    """(height, width, channels) of a raster, read when they are asked for."""

    def __init__(self, source: _Source, layout: _Layout) -> None:
        self._source, self._layout = source, layout

    @property
    def shape(self) -> tuple[int, ...]:
        return self._layout.height, self._layout.width, self._layout.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        own: np.dtype[Any] = self._layout.dtype
        return own if self._layout.palette is None else np.dtype(np.uint8)

    def _part(self, window: Window) -> NDArray[Any]:
        with self._source.reading() as dataset:
            return self._layout.read(dataset, window)


class RasterValid(Slab):
    """(height, width) of a raster: where there is data."""

    def __init__(self, source: _Source, layout: _Layout) -> None:
        self._source, self._layout = source, layout

    @property
    def shape(self) -> tuple[int, ...]:
        return self._layout.height, self._layout.width

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(bool)

    def _part(self, window: Window) -> NDArray[Any]:
        at = _at(window)
        with self._source.reading() as dataset:
            valid: NDArray[np.bool_] = dataset.dataset_mask(window=at) > 0
            if self._layout.dtype.kind == "f":
                valid &= ~np.isnan(dataset.read(self._layout.bands, window=at)).all(axis=0)
        return valid


def _at(window: Window) -> RasterWindow:
    return RasterWindow(window.left, window.top, window.width, window.height)


def _palette(dataset: Any) -> NDArray[np.uint8]:
    entries = dataset.colormap(1)
    table = np.zeros((max(int(np.iinfo(dataset.dtypes[0]).max), *entries) + 1, 3), np.uint8)
    for index, color in entries.items():
        table[index] = color[:3]
    return table


def _grid(dataset: Any) -> Grid:
    transform = tuple(float(each) for each in dataset.transform[:6])
    crs = dataset.crs.to_string() if dataset.crs else None
    if transform == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0) and crs is None:
        return Grid(dataset.height, dataset.width)
    a, b, c, d, e, f = transform
    if a * e - b * d == 0:
        raise FormatError(
            f"{dataset.name}: its transform {transform} has no inverse; expected one; georeference it again"
        )
    return Grid(dataset.height, dataset.width, (a, b, c, d, e, f), crs)


def write_raster(
    path: str | Path,
    array: NDArray[Any],
    grid: Grid,
    *,
    nodata: float | None = None,
    colors: NDArray[np.uint8] | None = None,
    overviews: bool = True,
    cog: bool = True,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write (height, width) or (height, width, bands) as a GeoTIFF, a COG unless `cog` is False; whole or not at all.

    `colors` (256, 3) is the colour table of class ids; with it overviews take the most frequent id, else
    the average. The same array gives the same bytes.
    """
    array = array[..., None] if array.ndim == 2 else array
    if array.shape[:2] != grid.shape:
        raise ValueError(f"the array is {array.shape[:2]} but the grid is {grid.shape}")
    with RasterWriter(
        path,
        grid,
        array.dtype,
        bands=array.shape[2],
        nodata=nodata,
        colors=colors,
        overviews=overviews,
        cog=cog,
        tags=tags,
    ) as writer:
        writer.write(grid.window, array)


class _Half(NamedTuple):
    """The draft of an overview, and which parts of it are written."""

    dataset: Any
    written: list[Window]


class RasterWriter:
    """A raster written piece by piece; the file gets its name when the block ends well, and is never seen before.

        with RasterWriter("map.tif", grid, "uint8", nodata=255) as writer:
            writer.write(Window(0, 0, 512, 512), class_ids)

    Pixels nobody writes hold nodata, or 0. Memory stays within GDAL's cache, `CACHE_BYTES`, whatever the size. Pieces
    may come in any order and from one thread at a time; which order makes no difference to a COG's bytes.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        dtype: Any = "uint8",
        *,
        bands: int = 1,
        nodata: float | None = None,
        colors: NDArray[np.uint8] | None = None,
        overviews: bool = True,
        cog: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.path, self.grid, self.dtype, self.bands = Path(path), grid, np.dtype(dtype), bands
        self.nodata, self.colors, self.overviews, self.cog = nodata, colors, overviews, cog
        self.tags = dict(tags or {})
        self._stack = contextlib.ExitStack()
        self._dataset: Any = None
        self._draft: Path | None = None
        self._halves: list[_Half] = []

    def __enter__(self) -> Self:
        try:
            with self._told():
                self._final = self._stack.enter_context(whole_file(self.path))
                self._draft = self._final.with_name(f"{self._final.stem}-draft.tif")
                self._stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES))
                self._dataset = self._opened()
                if self.cog and self.overviews:
                    self._halves = [self._half(number, shape) for number, shape in enumerate(self._half_shapes(), 1)]
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def write(self, window: Window, array: NDArray[Any]) -> None:
        """Write (height, width) or (height, width, bands) at a window."""
        array = array[..., None] if array.ndim == 2 else array
        if array.shape != (window.height, window.width, self.bands) or array.dtype != self.dtype:
            expected = f"{self.dtype} ({window.height}, {window.width}, {self.bands})"
            raise ValueError(f"the array is {array.dtype} {array.shape}; expected {expected}")
        self.grid.crop(window)
        with self._told():
            self._dataset.write(array.transpose(2, 0, 1), window=_at(window))
            self._write_halves(window, array)

    def _write_halves(self, window: Window, array: NDArray[Any]) -> None:
        """Write the half of a piece, the half of that and so on, while it is at hand; where a piece has none by itself
        that level and all smaller ones are left for later."""
        shape = self.grid.shape
        for number, half in enumerate(self._halves):
            part = half_window(window, shape)
            if part is None or any(part.meet(each) for each in half.written):
                self._drop_halves(number)
                return
            array = np.stack([self._halved(array[..., band]) for band in range(self.bands)], axis=-1)
            half.dataset.write(array.transpose(2, 0, 1), window=_at(part))
            half.written.append(part)
            window, shape = part, half_shape(shape)

    def _drop_halves(self, number: int) -> None:
        for each in self._halves[number:]:
            each.dataset.close()
        self._halves = self._halves[:number]

    def _half_shapes(self) -> Iterator[tuple[int, int]]:
        """The (height, width) of each overview."""
        shape = self.grid.shape
        while max(shape) > BLOCK:
            yield (shape := half_shape(shape))

    def _half(self, number: int, shape: tuple[int, int]) -> _Half:
        return _Half(self._created(self._level(number), self._settings(*_in_tiles(*shape))), [])

    def finish(self) -> None:
        """Make the whole file of what was written; the end of the block only gives it its name then.

        Nothing can be written after it. It takes its time and leaves Python alone: several may finish side by side.
        """
        with self._told(), rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
            self._close()
            self._finish()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            with self._told():
                if error is None and self._dataset is not None:
                    self.finish()
                else:
                    self._close()
        except BaseException:
            self._leave(*sys.exc_info())
            raise
        self._leave(kind, error, trace)

    def _close(self) -> None:
        for each in (self._dataset, *(half.dataset for half in self._halves)):
            if each is not None:
                each.close()
        self._dataset = None

    def _level(self, number: int) -> Path:
        """The draft of an overview."""
        draft = Path(str(self._draft))
        return draft.with_name(f"{draft.stem}-{number}.tif")

    def _leave(self, kind: Any, error: Any, trace: Any) -> None:
        if self._draft is not None:
            for each in (self._draft, *(self._level(number) for number, _ in enumerate(self._half_shapes(), 1))):
                each.unlink(missing_ok=True)
        self._stack.__exit__(kind, error, trace)

    def _opened(self) -> Any:
        grid = self.grid
        settings = self._settings(*(_in_tiles(*grid.shape) if self.cog else grid.shape))
        if grid.crs is not None:
            settings["crs"] = _crs(grid.crs, self.path)
        if grid.transform is not None:
            settings["transform"] = rasterio.Affine(*grid.transform)
        dataset = self._created(Path(str(self._draft)), settings)
        if self.tags:
            dataset.update_tags(**self.tags)
        return dataset

    def _settings(self, height: int, width: int) -> dict[str, Any]:
        """How a level of the raster, of any size, is laid out and packed."""
        size = {"height": height, "width": width, "count": self.bands, "dtype": self.dtype, "nodata": self.nodata}
        if self.colors is not None or self.dtype.itemsize > 4:
            return TILED | size | IDS
        return TILED | size | (REAL if self.dtype.kind == "f" else WHOLE)

    def _created(self, path: Path, settings: dict[str, Any]) -> Any:
        dataset = open_dataset(path, "w", **settings)
        if self.colors is not None:
            dataset.write_colormap(1, {i: (*color, 255) for i, color in enumerate(self.colors.tolist())})
        return dataset

    def _finish(self) -> None:
        """The draft becomes what was asked for: its tiles in the order a COG wants, or with overviews inside."""
        draft = Path(str(self._draft))
        if not self.cog:
            if self.overviews and min(self.grid.shape) > 512:
                factors = [2**i for i in range(1, 12) if max(self.grid.shape) / 2**i >= 256]
                with open_dataset(draft, "r+") as dataset:
                    dataset.build_overviews(factors, Resampling["mode" if self.colors is not None else "average"])
            draft.replace(self._final)
            return
        with self._levels(draft) as levels:
            write_cog(self._final, levels)

    @contextlib.contextmanager
    def _levels(self, draft: Path) -> Iterator[list[tuple[Path, tuple[int, int]]]]:
        """A draft and the files with its overviews, gone in the end, each with the (height, width) that counts.

        Each has half the size of the one before. Files are as large as their tiles: what GDAL leaves in a tile beyond
        the edge of a picture depends on the order of writing.
        """
        made = [(draft, self.grid.shape)]
        try:
            for number, shape in enumerate(self._half_shapes() if self.overviews else (), 1):
                made.append((self._level(number), shape))
                if number > len(self._halves):  # the others are there already
                    self._halve(*made[-2], *made[-1])
            yield made
        finally:
            for path, _ in made[1:]:
                path.unlink(missing_ok=True)

    def _halve(self, source: Path, shape: tuple[int, int], target: Path, half_shape: tuple[int, int]) -> None:
        """Write `source` at half its size to `target`: class ids by majority, numbers by average."""
        settings, whole = self._settings(*_in_tiles(*half_shape)), Window(0, 0, *shape)
        with open_dataset(source) as full, contextlib.closing(self._created(target, settings)) as half:
            for part in split(Window(0, 0, *half_shape), 4 * BLOCK):
                twice = Window(*(2 * each for each in part)).meet(whole)
                assert twice is not None
                pixels = full.read(window=_at(twice))
                half.write(np.stack([self._halved(band) for band in pixels]), window=_at(part))

    def _halved(self, band: NDArray[Any]) -> NDArray[Any]:
        if self.colors is not None:
            return halved_ids(band, nodata=None if self.nodata is None else int(self.nodata))
        return halved_numbers(band, nodata=self.nodata)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (RasterioError, CPLE_BaseError) as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise OutputError(f"{self.path}: cannot be written ({reason}); check the disk and the folder") from error


def _in_tiles(height: int, width: int) -> tuple[int, int]:
    """The size of the tiles that cover a picture."""
    return height + -height % BLOCK, width + -width % BLOCK


def _crs(text: str, path: Path) -> Any:
    try:
        return rasterio.crs.CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(
            f"{path}: {text!r} is no coordinate system; expected one like EPSG:32740; change it"
        ) from error
