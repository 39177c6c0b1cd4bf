"""COCO's compressed text of run lengths, both ways, a block of lengths at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.blocks import blocks

AT_ONCE = 1 << 13
_DIGITS = 12


def counts_text(counts: ArrayLike) -> str:
    """COCO's compressed text of run lengths: five bits a character, from the third on the change to two before.

    >>> counts_text([0, 5, 5, 5, 5, 2, 3, 55])
    '05500MNe1'
    """
    lengths = np.asarray(counts)
    texts = []
    for (block,) in blocks(lengths.shape, AT_ONCE):
        values = lengths[block].astype(np.int64)
        changes = max(block.start, 3)
        values[changes - block.start :] -= lengths[changes - 2 : max(block.stop - 2, changes - 2)].astype(np.int64)
        texts.append(_text(values))
    return b"".join(texts).decode("ascii")


def text_counts(text: str | bytes) -> NDArray[np.int64]:
    """The run lengths of COCO's compressed text; ValueError when it is not such a text.

    >>> text_counts("05500MNe1").tolist()
    [0, 5, 5, 5, 5, 2, 3, 55]
    """
    codes = np.frombuffer(text.encode("latin-1", "replace") if isinstance(text, str) else text, np.uint8) - np.uint8(48)
    if (codes > 63).any() or (len(codes) and codes[-1] & 32):
        raise ValueError("this is not the compressed text of run lengths")
    last = np.flatnonzero((codes & 32) == 0)
    values = np.empty(len(last), np.int64)
    for (block,) in blocks(last.shape, AT_ONCE):
        begin = int(last[block.start - 1]) + 1 if block.start else 0
        values[block] = _values(codes[begin : last[block.stop - 1] + 1].astype(np.int64), last[block] - begin)
    for every in (values[1::2], values[2::2]):
        np.cumsum(every, out=every)
    return values


def _text(values: NDArray[np.int64]) -> bytes:
    """Numbers in digits of five bits, the lowest first; a sixth bit says that another digit follows."""
    digits = values[:, None] >> np.arange(0, 5 * _DIGITS, 5)
    rest = digits >> 4  # 0 or -1 once the sign bit of this digit says all that is left
    needed = 1 + np.argmax((rest == 0) | (rest == -1), axis=1)
    place = np.arange(_DIGITS)
    characters = (digits & 31) + 48 + 32 * (place < needed[:, None] - 1)
    text: bytes = characters[place < needed[:, None]].astype(np.uint8).tobytes()
    return text


def _values(codes: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers that digits stand for, of which the `last` one of each is known."""
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() > 7:
        raise ValueError("this is not the compressed text of run lengths: a length has more than 8 digits")
    place = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    values: NDArray[np.int64] = np.add.reduceat((codes & 31) << (5 * place), first)
    return values - np.where(codes[last] & 16, np.int64(1) << (5 * (last - first + 1)), 0)
