"""Light on a toy: relief, shadow, water and camera. Colours are float32 (height, width, 3), RGB in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.toys.noise import Field, blur, fractal

Colours = NDArray[np.float32]


def relief(height_map: Field, *, sun: tuple[float, float, float] = (-0.6, -0.5, 0.75), strength: float = 1.0) -> Field:
    """How bright a surface is under a sun that stands towards (row, col, up); about 1 where it lies flat."""
    down, right = np.gradient(height_map * np.float32(strength))
    row, col, up = np.asarray(sun) / np.linalg.norm(sun)
    lit = (up - down * row - right * col) / np.sqrt(1 + down**2 + right**2)
    return np.asarray(np.clip(lit / up, 0.0, 2.0), np.float32)


def rgb(values: ArrayLike) -> Colours:
    """A colour, or colours, as float32 (..., 3)."""
    return np.asarray(values, np.float32)


def moved(field: Field, down_px: float, right_px: float) -> Field:
    """A field shifted by a part of a pixel or more; what comes in at the border is the border again."""
    matrix = np.array([[1, 0, right_px], [0, 1, down_px]], np.float32)
    return np.asarray(cv2.warpAffine(field, matrix, field.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)


def cast_shadow(height_map: Field, *, towards: tuple[float, float] = (0.8, 0.65), reach_px: int = 24) -> Field:
    """1 in the light, less where something higher stands between a pixel and the sun (shadows fall `towards`)."""
    blocked = np.zeros_like(height_map)
    for step in range(1, reach_px + 1):
        there = moved(height_map, towards[0] * step, towards[1] * step)
        np.maximum(blocked, there - height_map - 0.9 * step, out=blocked)
    return np.asarray(1 - 0.55 * np.clip(blur(blocked, 1.0) / 5.0, 0, 1), np.float32)


def caustics(shape: tuple[int, int], random: np.random.Generator, scale_px: float) -> Field:
    """The net of light that waves draw on a sea floor: about 0 with thin bright lines up to 1."""
    first, second = (fractal(shape, random, scale_px, octaves=2, roughness=0.4) for _ in range(2))
    lines = np.exp(-np.abs(first) * 5.0) + np.exp(-np.abs(second) * 5.0)
    return np.asarray(np.clip(lines - 0.35, 0, 1), np.float32)


def uneven(shape: tuple[int, int], random: np.random.Generator, amount: float = 0.18) -> Field:
    """Uneven lighting: a slope across the picture and darker corners, about 1 on the whole."""
    rows, cols = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = random.uniform(0, 2 * np.pi)
    slope = amount * (np.cos(angle) * rows + np.sin(angle) * cols)
    return np.asarray(1 + slope - 0.5 * amount * (rows**2 + cols**2), np.float32)


def tint(base: ArrayLike, field: Field, other: ArrayLike) -> Colours:
    """A colour that changes from `base` where `field` is 0 to `other` where it is 1."""
    share = np.clip(field, 0, 1)[..., None]
    return rgb(rgb(base) * (1 - share) + rgb(other) * share)


def over(below: Colours, above: Colours, opacity: Field | NDArray[np.bool_]) -> Colours:
    """`above` laid over `below`; opacity in [0, 1]."""
    share = opacity.astype(np.float32)[..., None]
    return below * (1 - share) + above * share


def develop(
    colours: Colours, random: np.random.Generator, *, noise: float = 0.02, soft_px: float = 0.6
) -> NDArray[np.uint8]:
    """What a camera makes of it: a little soft, a little noisy, uint8 (height, width, 3)."""
    seen = blur(colours, soft_px) + noise * random.standard_normal(colours.shape, dtype=np.float32)
    return np.asarray(np.rint(np.clip(seen, 0, 1) * 255), np.uint8)
