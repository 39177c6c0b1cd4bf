"""Pictures with less noise in them, for kernels that add up changes of colour."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def soften(pixels: NDArray[Any], sigma_px: float, valid: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Pixels (height, width, channels) blurred by a Gaussian of `sigma_px`, float32; 0 gives them back as they are.

    Where `valid` (bool, height x width) says so, and where a pixel is not finite, a pixel gives nothing to its
    neighbours and keeps its own value. Beyond the border the picture is mirrored.

    >>> step = np.array([[[0], [0], [90], [90]]], np.uint8)
    >>> soften(step, 1.0)[0, :, 0].round().astype(int)
    array([ 6, 27, 63, 84])
    >>> soften(step, 1.0, np.array([[True, True, False, False]]))[0, :, 0].round().astype(int)
    array([ 0,  0, 90, 90])
    """
    if sigma_px < 0:
        raise ValueError(f"sigma_px is {sigma_px}; expected 0 or more")
    if sigma_px == 0:
        return pixels
    counts = np.isfinite(pixels).all(axis=2)
    if valid is not None:
        counts &= valid
    if counts.all():
        return _blur(np.asarray(pixels, np.float32), sigma_px)
    weight = _blur(counts[:, :, None].astype(np.float32), sigma_px)
    known = _blur(np.where(counts[:, :, None], pixels, 0).astype(np.float32), sigma_px)
    softened: NDArray[np.float32] = np.where(counts[:, :, None], known / np.maximum(weight, 1e-6), pixels)
    return softened.astype(np.float32)


def _blur(pixels: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    blurred = np.empty(pixels.shape, np.float32)
    for channel in range(pixels.shape[2]):
        plane = np.ascontiguousarray(pixels[:, :, channel])
        blurred[:, :, channel] = cv2.GaussianBlur(plane, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return blurred
