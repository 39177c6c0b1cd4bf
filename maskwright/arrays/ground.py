"""How large a pixel is on the ground."""

from __future__ import annotations

import logging
from functools import lru_cache

import numpy as np

Transform = tuple[float, float, float, float, float, float]
_log = logging.getLogger(__name__)


@lru_cache(maxsize=256)
def pixel_metres(shape: tuple[int, int], transform: Transform | None, crs: str | None) -> float | None:
    """The side in metres of the square that covers as much ground as the middle pixel of a raster.

    `transform` is (a, b, c, d, e, f) as rasters write it, `crs` any coordinate system that pyproj reads: degrees, feet
    and distorted projections are turned into metres on the ellipsoid. None where the raster is nowhere on Earth.

    >>> round(pixel_metres((400, 600), (0.01, 0.0, 317400.0, 0.0, -0.01, 7668200.0), "EPSG:32740"), 4)
    0.01
    >>> pixel_metres((400, 600), None, None) is None
    True
    """
    if transform is None or crs is None:
        return None
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError

    try:
        system = CRS.from_user_input(crs)
    except CRSError:
        _log.warning("no coordinate system is called %r, so the size of its pixels on the ground is not known", crs)
        return None
    if system.geodetic_crs is None:
        return None
    a, b, c, d, e, f = transform
    rows, cols = shape[0] / 2 + np.array([-0.5, 0.5, 0.0, 0.0]), shape[1] / 2 + np.array([0.0, 0.0, -0.5, 0.5])
    to_degrees = Transformer.from_crs(system, system.geodetic_crs, always_xy=True)
    east, north = to_degrees.transform(a * cols + b * rows + c, d * cols + e * rows + f)
    _, _, metres = system.get_geod().inv(east[[0, 2]], north[[0, 2]], east[[1, 3]], north[[1, 3]])
    side = float(np.sqrt(metres[0] * metres[1]))
    return side if np.isfinite(side) and side > 0 else None
