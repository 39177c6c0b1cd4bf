"""What a pixel looks like at several scales: colour, contrast, edges, ridges and grain, as one row of numbers each.

Everything is made of Gaussians and differences, so a pixel's numbers depend on the pixels within `margin(scales)` of it
and on nothing else: a window with that margin gives what the whole picture gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from maskwright.arrays.soften import soften

SCALES = (1.0, 2.0, 4.0, 8.0)

Plane = NDArray[np.float32]


def margin(scales: Sequence[float] = SCALES) -> int:
    """How many pixels away a pixel can still matter for the features of another.

    >>> margin((1.0,)), margin(())
    (12, 0)
    """
    return 2 * ceil(4 * max(scales) + 1) + 2 if len(scales) else 0


def pixel_features(
    pixels: NDArray[Any], *, scales: Sequence[float] = SCALES, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Features of every pixel, float32 (height, width, count), on the scale of the pixels' own numbers.

    `pixels` (height, width, channels) real. First come the colours: of three channels the mean and two differences that
    brightness leaves alone (red - green, blue - mean of both), otherwise the channels as they are and, of several,
    their mean. Then for each scale, the standard deviation of a Gaussian in pixels: every colour softened; and of the
    brightness (the mean channel) its deviation from the softened one, its local standard deviation, the length of its
    gradient, and the two curvatures along and across the ridge (eigenvalues of the Hessian), times scale and scale^2
    so that scales compare.

    Where `valid` (height, width) is False, and where a channel is not finite, nothing is known: the colour
    of the nearest known pixel stands there for its neighbours, and its own features are 0. A picture without pixels
    gives none.

    >>> features = pixel_features(np.full((3, 5, 1), 7), scales=(1.0,))
    >>> features.shape, features[1, 2].round(3).tolist()
    ((3, 5, 7), [7.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    if pixels.ndim != 3 or not pixels.shape[2] or pixels.dtype.kind not in "buif":
        raise ValueError(f"pixels are real (height, width, channels); got {pixels.dtype} {pixels.shape}")
    if any(not scale > 0 for scale in scales):
        raise ValueError(f"a scale is a number of pixels above 0; got {tuple(scales)}")
    channels, known = _filled(pixels, valid)
    light: Plane = np.mean(np.stack(channels), axis=0, dtype=np.float32)
    colours = _colours(channels, light)
    if not light.size:
        return np.zeros((*light.shape, len(colours) + len(scales) * (len(colours) + 5)), np.float32)
    planes = list(colours)
    for scale in scales:
        planes += [_soften(each, scale) for each in colours]
        planes += _shape(light, scale)
    features = np.stack(planes, axis=-1)
    features[~known] = 0
    return features


def _filled(pixels: NDArray[Any], valid: NDArray[np.bool_] | None) -> tuple[list[Plane], NDArray[np.bool_]]:
    """Channels as float32, with the nearest known pixel where nothing is known; and where pixels are known."""
    values = pixels.astype(np.float32)
    known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(values), axis=2)
    if valid is not None:
        known = known & valid
    if not known.any():
        values = np.zeros_like(values)
    elif not known.all():
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        values = values[tuple(nearest)]
    return [np.ascontiguousarray(values[..., channel]) for channel in range(values.shape[2])], known


def _colours(channels: list[Plane], light: Plane) -> list[Plane]:
    if len(channels) == 3:
        red, green, blue = channels
        return [light, red - green, blue - (red + green) / np.float32(2)]
    return [*channels, light] if len(channels) > 1 else channels


def _shape(light: Plane, scale: float) -> list[Plane]:
    """Of the brightness at one scale: relief, grain, slope and the two curvatures."""
    soft = _soften(light, scale)
    relief = light - soft
    grain = np.sqrt(np.maximum(_soften(relief * relief, scale), 0))
    down, across = _slope(soft, 0), _slope(soft, 1)
    slope = np.hypot(down, across)
    bend_down, bend_across, twist = _slope(down, 0), _slope(across, 1), _slope(down, 1)
    two = np.float32(2)
    mean, half = (bend_down + bend_across) / two, np.hypot((bend_down - bend_across) / two, twist)
    once, twice = np.float32(scale), np.float32(scale * scale)
    return [relief, grain, once * slope, twice * np.add(mean, half), twice * np.subtract(mean, half)]


def _slope(plane: Plane, axis: int) -> Plane:
    """Half the difference of the two neighbours along an axis; beyond the edge stands the edge."""
    width = [(1, 1), (0, 0)] if axis == 0 else [(0, 0), (1, 1)]
    wide = np.pad(plane, width, mode="edge")
    ahead, behind = (wide[2:], wide[:-2]) if axis == 0 else (wide[:, 2:], wide[:, :-2])
    result: Plane = (ahead - behind) / np.float32(2)
    return result


def _soften(plane: Plane, scale: float) -> Plane:
    result: Plane = soften(plane[..., None], scale)[..., 0]
    return result
