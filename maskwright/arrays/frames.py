"""Frames of a survey as places on the ground: how far apart they are, and a grid of degrees that is as fine.

Places are latitude and longitude in degrees, float64 (n,). A transform is (a, b, c, d, e, f) as GDAL writes it:
longitude = a * col + c and latitude = e * row + f, counted from the corner of the top left pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.scatter import interpolate_linear
from maskwright.arrays.seeds import nearest_seed

EARTH_RADIUS_M = 6_371_000.0
METRES_PER_DEGREE = 111_319.0
"""Of latitude, and of longitude on the equator."""

Transform = tuple[float, float, float, float, float, float]


def haversine_m(
    latitude: ArrayLike, longitude: ArrayLike, other_latitude: ArrayLike, other_longitude: ArrayLike
) -> NDArray[np.float64]:
    """Metres between places along great circles of a sphere of 6,371 km.

    >>> haversine_m([0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]).round(1)
    array([111194.9, 111194.9])
    """
    first, second = np.radians(np.asarray(latitude, float)), np.radians(np.asarray(other_latitude, float))
    turn = np.radians(np.asarray(other_longitude, float) - np.asarray(longitude, float))
    chord = np.sin((second - first) / 2) ** 2 + np.cos(first) * np.cos(second) * np.sin(turn / 2) ** 2
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return distance


def spacing_m(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> float:
    """The median step in metres from one frame to the next, in the order given; nan for fewer than two frames.

    >>> round(spacing_m(np.array([0, 0.001, 0.002, 0.5]), np.zeros(4)), 1)
    111.2
    """
    if len(latitude) < 2:
        return float("nan")
    return float(np.median(haversine_m(latitude[:-1], longitude[:-1], latitude[1:], longitude[1:])))


def degree_grid(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64], cell_m: float, *, margin: int = 0
) -> tuple[tuple[int, int], Transform]:
    """(height, width) and transform of a grid, north up, whose pixels are `cell_m` high and wide on the ground.

    Pixel centres begin at the southernmost and westernmost place and end where they have passed the northernmost and
    easternmost; `margin` more cells lie around them. Longitude is stretched by the mean latitude of all places. The
    grid bears no date line.

    >>> degree_grid(np.array([0.0, 2.0]), np.array([10.0, 13.0]), 111_319.0)[0]
    (3, 4)
    """
    down = cell_m / METRES_PER_DEGREE
    across = down / np.cos(np.radians(latitude.mean()))
    height, width = (
        int(np.ceil(np.ptp(places) / step - 1e-6)) + 1 + 2 * margin
        for places, step in ((latitude, down), (longitude, across))
    )
    left, top = longitude.min() - (margin + 0.5) * across, latitude.min() + (height - margin - 0.5) * down
    return (height, width), (float(across), 0.0, float(left), 0.0, float(-down), float(top))


def on_grid(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64], transform: Transform
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of places on a grid of degrees, pixel centres at whole numbers.

    >>> on_grid(np.array([2.0]), np.array([10.0]), (1.0, 0.0, 9.5, 0.0, -1.0, 2.5))
    (array([0.]), array([0.]))
    """
    across, _, left, _, down, top = transform
    return (latitude - top) / down - 0.5, (longitude - left) / across - 0.5


def interpolate_frames(
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    scores: NDArray[Any],
    shape: tuple[int, int],
    transform: Transform,
    *,
    reach_m: float = np.inf,
    beyond_m: float = 0.0,
) -> NDArray[np.float32]:
    """Scores (n, classes) of frames become float32 (classes, height, width) on a grid of degrees.

    Linear on the Delaunay triangulation of the frames, which a plane passes through exactly; nan outside their convex
    hull and farther than `reach_m` metres from every frame. Cells outside the hull but no farther than `beyond_m` from
    a frame take the scores of the nearest one. A frame whose score is nan speaks for other classes only.
    """
    rows, cols = on_grid(latitude, longitude, transform)
    across, down = transform[0], -transform[4]
    size = down * METRES_PER_DEGREE, across * METRES_PER_DEGREE * float(np.cos(np.radians(latitude.mean())))
    values: NDArray[np.float32] = interpolate_linear(rows, cols, np.asarray(scores, np.float32), shape, pixel_size=size)
    if np.isfinite(reach_m) or beyond_m > 0:
        nearest, away = nearest_seed(shape, rows, cols, pixel_size=size)
        outside = np.isnan(values).all(axis=0) & (away <= beyond_m)
        values[:, outside] = scores[nearest[outside]].T
        values[:, away > reach_m] = np.nan
    return values
