"""Boxes as crops of one size for a network, and places in a crop back into the picture."""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[float, float, float, float]
"""Top, left, bottom, right in pixels, the last two excluded: (0, 0, height, width) is the whole picture."""


class Fit(NamedTuple):
    """How a picture's pixels land in a crop: `row * row_scale + row_shift`, and the same for columns.

    Both ways are in pixels whose centres lie at whole numbers.
    """

    row_scale: float
    row_shift: float
    col_scale: float
    col_shift: float

    def into(self, rows: ArrayLike, cols: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places of the picture in the crop."""
        down, right = np.asarray(rows, np.float64), np.asarray(cols, np.float64)
        return down * self.row_scale + self.row_shift, right * self.col_scale + self.col_shift

    def back(self, rows: ArrayLike, cols: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places of the crop in the picture."""
        down, right = np.asarray(rows, np.float64), np.asarray(cols, np.float64)
        return (down - self.row_shift) / self.row_scale, (right - self.col_shift) / self.col_scale


def fit_box(box: Box, size: tuple[int, int] = (256, 256), *, padding: float = 1.25, unbiased: bool = False) -> Fit:
    """The fit of a box, made `padding` times as big and as wide or high as needed, into a crop of `size` pixels.

    The plain fit counts sides in pixels, as MSRA's and mmpose's networks were trained; the `unbiased` one (UDP, of
    ViTPose) counts the steps between their centres. A box without area is a ValueError.

    >>> fit_box((0, 0, 100, 200), padding=1.0)
    Fit(row_scale=1.28, row_shift=64.0, col_scale=1.28, col_shift=0.0)
    """
    top, left, bottom, right = box
    if not (bottom > top and right > left):
        raise ValueError(f"the box {box} has no area; expected top < bottom and left < right")
    tall, wide = padding * (bottom - top), padding * (right - left)
    ratio = size[1] / size[0]
    tall, wide = max(tall, wide / ratio), max(wide, tall * ratio)
    steps = (size[0] - 1, size[1] - 1) if unbiased else size
    row_scale, col_scale = steps[0] / tall, steps[1] / wide
    middle = (top + bottom) / 2, (left + right) / 2
    return Fit(row_scale, steps[0] / 2 - row_scale * middle[0], col_scale, steps[1] / 2 - col_scale * middle[1])


def cut(pixels: NDArray[np.uint8], fit: Fit, size: tuple[int, int] = (256, 256)) -> NDArray[np.uint8]:
    """The crop (size[0], size[1], channels) of a picture (height, width, channels), bilinear, 0 outside the picture.

    >>> cut(np.array([[[7], [9]]], np.uint8), Fit(1.0, 0.0, 1.0, 1.0), (1, 4))[..., 0].tolist()
    [[0, 7, 9, 0]]
    """
    matrix = np.array([[fit.col_scale, 0, fit.col_shift], [0, fit.row_scale, fit.row_shift]])
    crop = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(crop, np.uint8).reshape(*size, pixels.shape[2])


def whole_pixels(box: Box, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A box cut off at whole pixels, towards zero, and at the border of a picture of `shape`.

    >>> whole_pixels((-3.5, 2.9, 8.7, 50.0), (20, 40, 3))
    (0, 2, 8, 40)
    """
    top, left, bottom, right = (int(each) for each in box)
    return max(top, 0), max(left, 0), min(bottom, shape[0]), min(right, shape[1])


def choose_box(boxes: ArrayLike, scores: ArrayLike, rule: Literal["largest", "surest"] = "largest") -> int | None:
    """Which of `boxes` (n, 4), as top, left, bottom, right, to take; the first of equal ones; None where n is 0.

    >>> choose_box([(0, 0, 2, 2), (0, 0, 5, 5)], [0.9, 0.4]), choose_box([(0, 0, 2, 2), (0, 0, 5, 5)], [0.9, 0.4], "surest")
    (1, 0)
    """  # noqa: E501 - two calls side by side
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not len(given):
        return None
    area = (given[:, 2] - given[:, 0]) * (given[:, 3] - given[:, 1])
    return int(np.argmax(area if rule == "largest" else np.asarray(scores)))
