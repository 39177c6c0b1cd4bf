"""Small pictures inside a page: of pictures, masks and confidences, as data URIs."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour import as_rgb
from maskwright.types import UNKNOWN, Slab

SIDE_PX = 360
"""The longer side of a thumbnail."""
_RAMP = np.array([[0, 34, 78], [87, 93, 109], [165, 156, 116], [254, 232, 56]], float)  # dark blue to yellow


def picture_thumbnail(path: Path) -> str:
    """A picture as a JPEG data URI; a raster too large for memory is thinned while it is read."""
    import cv2

    from maskwright.io.images import read_image

    pixels = as_rgb(thinned(read_image(path).pixels, 4 * SIDE_PX))
    height, width = thumbnail_size(*pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return data_uri(small, "JPEG", quality=85)


def mask_thumbnail(class_ids: NDArray[np.uint8], palette: NDArray[np.uint8]) -> str:
    """Class ids in their colours (256, 3) as a PNG data URI, transparent where UNKNOWN."""
    ids = _nearest(class_ids)
    opacity = np.where(ids == UNKNOWN, 0, 255).astype(np.uint8)
    return data_uri(np.dstack([palette[ids], opacity]), "PNG")


def confidence_thumbnail(confidence: NDArray[np.float32]) -> str:
    """Confidence, 0 dark blue to 1 yellow, as a PNG data URI."""
    small = np.nan_to_num(_nearest(confidence)).clip(0, 1)
    levels = np.linspace(0, 1, len(_RAMP))
    coloured = np.dstack([np.interp(small, levels, _RAMP[:, channel]) for channel in range(3)])
    return data_uri(coloured.round().astype(np.uint8), "PNG")


def thinned(pixels: NDArray[Any] | Slab, most: int) -> NDArray[Any]:
    """Every n-th row and column, so that no side is much longer than `most`; never the whole in memory at once.

    >>> thinned(np.zeros((10, 40, 3)), 10).shape
    (3, 10, 3)
    """
    step = max(1, max(pixels.shape[:2]) // most)
    if step == 1:
        return np.asarray(pixels)
    rows = range(0, pixels.shape[0], step)
    return np.concatenate([np.asarray(pixels[row : row + 1, :])[:, ::step] for row in rows])


def thumbnail_size(height: int, width: int) -> tuple[int, int]:
    """The height and width a thumbnail gets; small pictures are not blown up.

    >>> thumbnail_size(1000, 4000), thumbnail_size(20, 60)
    ((90, 360), (20, 60))
    """
    share = min(1.0, SIDE_PX / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def data_uri(pixels: NDArray[np.uint8], kind: str, **options: Any) -> str:
    """Pixels (height, width, 3 or 4) as a data URI of a PNG or JPEG; the same pixels give the same text."""
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _nearest(values: NDArray[Any]) -> NDArray[Any]:
    height, width = thumbnail_size(*values.shape[:2])
    rows = (np.arange(height) * values.shape[0]) // height
    cols = (np.arange(width) * values.shape[1]) // width
    picked: NDArray[Any] = values[rows[:, None], cols]
    return picked
