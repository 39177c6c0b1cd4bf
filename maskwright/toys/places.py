"""Where a toy lies on Earth: metres of a UTM zone as degrees, as the GPS of a boat would give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLATTENING = 1 / 298.257223563
RADIUS_M = 6378137.0
SCALE, EASTING_M, SOUTHERN_NORTHING_M = 0.9996, 500_000.0, 10_000_000.0


def degrees(x: ArrayLike, y: ArrayLike, *, zone: int, south: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """(latitude, longitude) in degrees of WGS 84 of places in a UTM zone, in metres; exact to less than a millimetre.

    Krueger's series to the third order of the third flattening; places within a few hundred kilometres of the zone.

    >>> latitude, longitude = degrees(500_000.0, 10_000_000.0, zone=40, south=True)
    >>> round(float(latitude), 9), round(float(longitude), 9)
    (0.0, 57.0)
    """
    n = FLATTENING / (2 - FLATTENING)
    meridian = RADIUS_M / (1 + n) * (1 + n**2 / 4 + n**4 / 64) * SCALE
    north = (np.asarray(y, np.float64) - (SOUTHERN_NORTHING_M if south else 0.0)) / meridian
    east = (np.asarray(x, np.float64) - EASTING_M) / meridian
    back = (n / 2 - 2 * n**2 / 3 + 37 * n**3 / 96, n**2 / 48 + n**3 / 15, 17 * n**3 / 480)
    xi = north - sum(each * np.sin(2 * k * north) * np.cosh(2 * k * east) for k, each in enumerate(back, 1))
    eta = east - sum(each * np.cos(2 * k * north) * np.sinh(2 * k * east) for k, each in enumerate(back, 1))
    sphere = np.arcsin(np.sin(xi) / np.cosh(eta))
    turn = (2 * n - 2 * n**2 / 3 - 2 * n**3, 7 * n**2 / 3 - 8 * n**3 / 5, 56 * n**3 / 15)
    latitude = sphere + sum(each * np.sin(2 * k * sphere) for k, each in enumerate(turn, 1))
    longitude = np.arctan2(np.sinh(eta), np.cos(xi))
    return np.degrees(latitude), zone * 6.0 - 183.0 + np.degrees(longitude)
