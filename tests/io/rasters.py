"""One factory of rasters for the tests: any coordinate system, dtype and nodata, on a wide grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from maskwright.io.rasters import open_dataset
from maskwright.types import Grid

SHAPE = (20, 60)
GRIDS = {
    "nowhere": Grid(*SHAPE),
    "utm": Grid(*SHAPE, (0.5, 0.0, 322000.0, 0.0, -0.5, 7657800.0), "EPSG:32740"),
    "degrees": Grid(*SHAPE, (1e-5, 0.0, 55.2, 0.0, -1e-5, -21.1), "EPSG:4326"),
    "south up": Grid(*SHAPE, (0.5, 0.0, 322000.0, 0.0, 0.5, 7657800.0), "EPSG:32740"),
    "rotated": Grid(*SHAPE, (0.4, 0.3, 322000.0, 0.3, -0.4, 7657800.0), "EPSG:32740"),
    "no system": Grid(*SHAPE, (2.0, 0.0, 10.0, 0.0, -2.0, 50.0), None),
}


def values(dtype: str, bands: int = 1, random_state: int = 0) -> NDArray[Any]:
    """Random values over a dtype's whole range, (height, width, bands)."""
    rng = np.random.default_rng(random_state)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=(*SHAPE, bands)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, (*SHAPE, bands), dtype=dtype, endpoint=True)


def make_raster(path: Path, array: NDArray[Any], grid: Grid, **options: Any) -> Path:
    """Write a raster by rasterio alone, so that reading is tested against something else than our own writing."""
    colorinterp = options.pop("colorinterp", None)
    settings: dict[str, Any] = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": array.shape[2],
        "dtype": array.dtype.name,
    } | options
    if grid.transform is not None:
        settings["transform"] = rasterio.Affine(*grid.transform)
    if grid.crs is not None:
        settings["crs"] = grid.crs
    with open_dataset(path, "w", **settings) as dataset:
        dataset.write(array.transpose(2, 0, 1))
        if colorinterp is not None:
            dataset.colorinterp = colorinterp
    return path
