"""How large a picture's pixels are on the Earth, in metres and square metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import InputError, MissingPartError
from maskwright.types import Grid

TOLERATED_DISTORTION = 0.01
"""A map projection that shows areas less than 1 % wrong is taken at its word."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Pixels on the ground: the area of each row's pixels in m2 (height,), and metres east and north per row and col.

    `how` is "planar" for a projected system, "mended" for one that distorts areas by more than 1 % (Mercator), and
    "geodesic" for degrees.
    """

    row_areas_m2: NDArray[np.float64]
    row_m: tuple[float, float]
    col_m: tuple[float, float]
    how: str


def ground_of(grid: Grid) -> Ground | None:
    """The pixels of a grid on the ground, or None for a picture that is nowhere on Earth."""
    if grid.crs is None or grid.transform is None:
        return None
    crs = _crs(grid.crs)
    if crs.is_geographic:
        return _geodesic(grid, crs)
    if not crs.is_projected:
        return None
    return _planar(grid, crs)


def _planar(grid: Grid, crs: Any) -> Ground:
    a, b, _, d, e, _ = _transform(grid)
    metres = float(crs.axis_info[0].unit_conversion_factor)
    scale = _areal_scale(grid, crs)
    how = "planar" if abs(scale - 1) <= TOLERATED_DISTORTION else "mended"
    shrink = 1.0 if how == "planar" else scale**-0.5
    area = abs(a * e - b * d) * (metres * shrink) ** 2
    row_m, col_m = (b * metres * shrink, e * metres * shrink), (a * metres * shrink, d * metres * shrink)
    return Ground(np.full(grid.height, area), row_m, col_m, how)


def _areal_scale(grid: Grid, crs: Any) -> float:
    """How many times too large the projection shows an area at the centre of the picture."""
    from pyproj import Proj, Transformer

    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    longitude, latitude = to_degrees.transform(*_centre(grid))
    scale = float(Proj(crs).get_factors(longitude, latitude, errcheck=False).areal_scale)
    return scale if np.isfinite(scale) and scale > 0 else 1.0


def _geodesic(grid: Grid, crs: Any) -> Ground:
    a, b, _, d, e, _ = _transform(grid)
    if b or d:
        raise InputError(
            f"the picture lies in degrees ({grid.crs}) and is turned; areas need a picture that is north up or in "
            f"metres; warp it first, for example with gdalwarp"
        )
    geod = crs.get_geod()
    to_radians = float(crs.axis_info[0].unit_conversion_factor)
    width, height = abs(np.degrees(a * to_radians)), abs(np.degrees(e * to_radians))
    _, middles = grid.place(np.arange(grid.height), np.zeros(grid.height))
    latitudes = np.degrees(middles * to_radians)
    areas = np.array([_cell_area(geod, each, width, height) for each in latitudes])
    middle = float(latitudes[grid.height // 2])
    east = geod.inv(-width / 2, middle, width / 2, middle)[2]
    north = geod.inv(0, middle - height / 2, 0, middle + height / 2)[2]
    return Ground(areas, (0.0, -north), (east, 0.0), "geodesic")


def _cell_area(geod: Any, latitude: float, width: float, height: float) -> float:
    low, high = max(latitude - height / 2, -90.0), min(latitude + height / 2, 90.0)
    area, _ = geod.polygon_area_perimeter([0, width, width, 0], [low, low, high, high])
    return abs(float(area))


def _centre(grid: Grid) -> tuple[float, float]:
    return grid.place((grid.height - 1) / 2, (grid.width - 1) / 2)


def _transform(grid: Grid) -> tuple[float, float, float, float, float, float]:
    assert grid.transform is not None
    return grid.transform


def _crs(text: str) -> Any:
    try:
        from pyproj import CRS
        from pyproj.exceptions import CRSError
    except ImportError:
        raise MissingPartError(
            "areas on the Earth need pyproj, which is not here; run: pip install 'maskwright[geo]'"
        ) from None
    try:
        return CRS.from_user_input(text)
    except CRSError:
        raise InputError(
            f"no coordinate system is called {text!r}; expected one like EPSG:32740; mend the raster"
        ) from None
