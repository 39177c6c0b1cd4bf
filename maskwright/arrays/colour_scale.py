"""Pictures of any dtype on one scale of colours, so that a setting means the same in 8 and in 16 bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_bytes_scale(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """Pixels (height, width, channels) with colours from 0 to 255: uint8 as they are, anything else float32.

    Integers are scaled by the full range of their dtype. Floating pixels run from the least to the greatest finite
    value where `valid` (bool, height x width); a picture of one value becomes 0. NaN and inf stay.

    >>> to_bytes_scale(np.array([[[0], [514], [65535]]], np.uint16), np.ones((1, 3), bool)).ravel()
    array([  0.,   2., 255.], dtype=float32)
    >>> to_bytes_scale(np.array([[[0.5], [1.0], [1.5]]]), np.ones((1, 3), bool)).ravel()
    array([  0. , 127.5, 255. ], dtype=float32)
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.float32) * np.float32(255)
    if pixels.dtype.kind in "iu":
        limits = np.iinfo(pixels.dtype)
        low, span = float(limits.min), float(limits.max) - float(limits.min)
    else:
        known = pixels[valid]
        known = known[np.isfinite(known)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        span = high - low or 1.0
    scaled: NDArray[np.float32] = ((pixels.astype(np.float64) - low) * (255 / span)).astype(np.float32)
    return scaled


def to_rgb_bytes(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What networks trained on photographs are shown: uint8 (height, width, 3) of pixels of any dtype and bands.

    Of three bands or more the first three count, else the first one thrice; values are scaled as `to_bytes_scale` does,
    and what is no number becomes 0.

    >>> to_rgb_bytes(np.array([[[0], [65535]]], np.uint16), np.ones((1, 2), bool)).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
    scaled = to_bytes_scale(shown, valid)
    if scaled.dtype == np.uint8:
        return np.ascontiguousarray(scaled)
    rgb: NDArray[np.uint8] = np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).round().clip(0, 255).astype(np.uint8)
    return rgb
