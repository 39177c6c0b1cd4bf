"""Random fields: the grain, the patches and the cells that natural surfaces are made of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Field = NDArray[np.float32]
"""Numbers on pixels, float32 (height, width)."""


def fractal(
    shape: tuple[int, int], random: np.random.Generator, scale_px: float, *, octaves: int = 5, roughness: float = 0.5
) -> Field:
    """A cloud-like field with mean 0 and deviation 1; its largest features are about `scale_px` wide.

    Each octave halves the feature size and multiplies the height by `roughness`.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    amplitude, step = 1.0, float(scale_px)
    for _ in range(octaves):
        lattice = random.standard_normal((int(height / step) + 4, int(width / step) + 4)).astype(np.float32)
        row0, col0 = random.random(2)
        rows = np.broadcast_to(((np.arange(height) / step) + 1 + row0)[:, None], shape).astype(np.float32)
        cols = np.broadcast_to(((np.arange(width) / step) + 1 + col0)[None, :], shape).astype(np.float32)
        total += amplitude * cv2.remap(lattice, cols, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        amplitude *= roughness
        step = max(step / 2, 1.0)
    return np.asarray((total - total.mean()) / (total.std() + np.float32(1e-6)), np.float32)


def cells(shape: tuple[int, int], random: np.random.Generator, spacing_px: float) -> tuple[NDArray[np.intp], Field]:
    """Irregular cells about `spacing_px` apart: (which cell a pixel is in, how deep inside it, 0 at its border).

    The depth is the distance to the second nearest centre minus that to the nearest, in pixels.
    """
    height, width = shape
    count = max(int(height * width / spacing_px**2), 3)
    low, high = (-spacing_px, -spacing_px), (height + spacing_px, width + spacing_px)
    centres = random.uniform(low, high, (count, 2))
    places = np.indices(shape).reshape(2, -1).T.astype(np.float64)
    found = cKDTree(centres).query(places, k=2)
    distances, indices = np.asarray(found[0]), np.asarray(found[1])
    depth = (distances[:, 1] - distances[:, 0]).reshape(shape).astype(np.float32)
    return indices[:, 0].reshape(shape), depth


def blur(values: Field, sigma_px: float) -> Field:
    """`values` (height, width) or (height, width, channels) smoothed by a Gaussian; 0 leaves them as they are."""
    if sigma_px <= 0:
        return values
    return np.asarray(cv2.GaussianBlur(values, (0, 0), float(sigma_px), borderType=cv2.BORDER_REFLECT), np.float32)


def ramp(values: Field, low: float, high: float) -> Field:
    """0 up to `low`, 1 from `high` on, a smooth slope between.

    >>> ramp(np.array([[0.0, 0.5, 1.0]], np.float32), 0.0, 1.0)
    array([[0. , 0.5, 1. ]], dtype=float32)
    """
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
