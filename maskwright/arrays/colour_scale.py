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
