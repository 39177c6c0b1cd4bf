"""How strongly a random walk's pixels hold their neighbours: a byte or two for each bond, and what they mean.

A grey picture of bytes has 256 differences, and a code of one byte says which. Other bonds are rounded to one of 65,535
steps of their logarithm, by less than 1 in 5,600.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WEAKEST = 1e-10  # the least weight of a bond, so that every pixel can be reached
STEPS = 65534  # of the logarithm of a bond, from 1 down to the weakest
BAND = 8192  # pixels whose bonds are found at once, in whole rows

Colours = NDArray[Any]


class Bonds(NamedTuple):
    """Codes (height, width) of each pixel's bonds to the right and down; `table[code]` is the bond.

    Code 0 is no bond: out of the picture, and where walks may not go.
    """

    right: NDArray[Any]
    down: NDArray[Any]
    table: NDArray[np.float32]

    def planes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The bonds themselves, right and down."""
        return self.table[self.right], self.table[self.down]

    def flat(self) -> Bonds:
        """The same, pixel after pixel."""
        return Bonds(self.right.ravel(), self.down.ravel(), self.table)


def bonds_of(colours: Colours, inside: NDArray[np.bool_], beta: float) -> Bonds:
    """Of a picture (height, width, channels): exp(-b * squared difference) + 1e-10 where both pixels are inside."""
    spread = _spread(colours) * math.sqrt(colours.shape[2])
    sharpness = beta / (10 * spread) if spread > 0 else 0.0
    bytewise = colours.dtype.itemsize == 1 and colours.shape[2] == 1
    code, table = (_codes_of_differences if bytewise else _codes_of_steps)(colours.dtype, sharpness)
    right, down = (np.zeros(inside.shape, np.uint8 if bytewise else np.uint16) for _ in range(2))
    rows_at_once = _rows_at_once(colours)
    for top in range(0, len(inside), rows_at_once):
        band, rows = inside[top : top + rows_at_once + 1], colours[top : top + rows_at_once + 1]
        along = right[top : top + rows_at_once]
        along[:, :-1] = (code(rows[:, :-1], rows[:, 1:]) * (band[:, :-1] & band[:, 1:]))[: len(along)]
        down[top : top + len(band) - 1] = code(rows[:-1], rows[1:]) * (band[:-1] & band[1:])
    return Bonds(right, down, table)


Coding = tuple[Callable[[Colours, Colours], NDArray[Any]], NDArray[np.float32]]


def _codes_of_differences(dtype: np.dtype[Any], sharpness: float) -> Coding:
    """A code for each difference of two bytes, and the table.

    With that of no bond they are one too many. So the two whose bonds differ least share one: mostly two of 1e-10, at
    worst one is 1 in 4,400 too strong and the other as much too weak.
    """
    bonds = np.exp(-sharpness * (np.arange(256) * _fraction(dtype)) ** 2) + WEAKEST
    shared = int(np.argmax(bonds[1:] / bonds[:-1]))
    bonds[shared] = math.sqrt(bonds[shared] * bonds[shared + 1])
    codes = np.arange(1, 257)
    codes[shared + 1 :] -= 1
    table = np.concatenate([[0], np.delete(bonds, shared + 1)])

    def code(here: Colours, there: Colours) -> NDArray[np.uint8]:
        return codes.astype(np.uint8)[np.abs(np.subtract(here[..., 0], there[..., 0], dtype=np.int16))]

    return code, table.astype(np.float32)


def _codes_of_steps(dtype: np.dtype[Any], sharpness: float) -> Coding:
    """A code for each step of the bond's logarithm, and the table."""
    fineness = np.float32(STEPS / math.log(WEAKEST))
    table = np.exp(np.arange(-1, STEPS + 1, dtype=np.float32) / fineness)
    table[0] = 0

    def code(here: Colours, there: Colours) -> NDArray[np.uint16]:
        square = np.zeros(here.shape[:2])
        with np.errstate(invalid="ignore", over="ignore"):
            for channel in range(here.shape[2]):
                square += np.subtract(here[..., channel], there[..., channel], dtype=np.float64) ** 2
            bonds = np.where(np.isfinite(square), np.exp(-sharpness * _fraction(dtype) ** 2 * square), 0) + WEAKEST
        return (1.5 + np.maximum(fineness * np.log(bonds), 0)).astype(np.uint16)

    return code, table


def _fraction(dtype: np.dtype[Any]) -> float:
    """Integers are fractions of their dtype's greatest value."""
    return 1.0 if dtype.kind in "bf" else 1.0 / np.iinfo(dtype).max


def _rows_at_once(colours: Colours) -> int:
    width: int = colours.shape[1]
    return max(1, BAND // max(1, width))


def _spread(colours: Colours) -> float:
    """Standard deviation of all finite values, in two rounds over the rows."""
    rows_at_once = _rows_at_once(colours)
    bands = [colours[top : top + rows_at_once] for top in range(0, len(colours), rows_at_once)]
    count, mean = 0, 0.0
    for band in bands:
        values = band[np.isfinite(band)].astype(np.float64)
        count += values.size
        mean += float(values.sum())
    mean /= max(count, 1)
    square = 0.0
    for band in bands:
        square += float(np.square(band[np.isfinite(band)].astype(np.float64) - mean).sum())
    return _fraction(colours.dtype) * math.sqrt(square / max(count, 1))
