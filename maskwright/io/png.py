"""PNG of one byte per pixel, packed in a third of the time a general writer takes: no filter is tried out."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE, GREY = 3, 0
AS_IT_IS, UP = 0, 2
LEVEL = 1


def png_bytes(values: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None) -> bytes:
    """The file of a grey picture uint8 (height, width), or of class ids with their `palette` (colours, 3).

    Ids are packed as they are: they lie in runs. Grey values, which change slowly, as differences to the row above.

    >>> png_bytes(np.zeros((2, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = values.shape
    rows = np.empty((height, width + 1), np.uint8)
    if palette is None:
        rows[:, 0] = UP
        rows[:1, 1:] = values[:1]
        np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    else:
        rows[:, 0] = AS_IT_IS
        rows[:, 1:] = values
    kind = GREY if palette is None else PALETTE
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))]
    if palette is not None:
        chunks.append((b"PLTE", np.ascontiguousarray(palette, np.uint8).tobytes()))
    chunks += [(b"IDAT", zlib.compress(rows.tobytes(), LEVEL)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(*each) for each in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
