"""What a TIFF claims about itself, checked against the bytes that are there, before anything is unpacked."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import FormatError, InputError
from maskwright.io.texts import unreadable

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _ORIENTATION, _SAMPLES, _ROWS = 256, 257, 258, 259, 274, 277, 278
_PHOTOMETRIC, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 262, 284, 322, 323
_YCBCR = 6
_OFFSETS, _COUNTS = (273, 324), (279, 325)
_TYPES = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_UNPACKED_LIMIT = 1 << 28
_UNPACKED_RATIO = 20_000


@dataclass(frozen=True)
class TiffHeader:
    """Size, orientation (1 to 8, as EXIF counts) and blocks of the first picture in a TIFF."""

    height: int
    width: int
    orientation: int
    block_bytes: int
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint64]
    is_compressed: bool


def read_tiff_header(path: str | Path) -> TiffHeader:
    """Read the header of a TIFF or BigTIFF and refuse one whose pixels cannot all be in the file.

    A file that is cut off, that holds no pixel data at all, or whose blocks would unpack to absurd sizes is a
    FormatError. Memory needed: the list of blocks, never a pixel.
    """
    try:
        with Path(path).open("rb") as file:
            tags = _read_tags(file, path)
            return _checked(tags, os.fstat(file.fileno()).st_size, path)
    except OSError as error:
        raise unreadable(path, error) from error
    except struct.error as error:
        raise FormatError(f"{path}: the TIFF header is cut off; expected a whole file; get it again") from error


def _read_tags(file: BinaryIO, path: str | Path) -> dict[int, NDArray[np.uint64]]:
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    version = struct.unpack(f"{order}H", start[2:4])[0] if order and len(start) >= 8 else 0
    if order is None or version not in (42, 43):
        raise FormatError(f"{path}: is not a TIFF; expected one by its name; rename or replace the file")
    big = version == 43
    offset = struct.unpack(f"{order}{'8xQ' if big else '4xI'}", start[: 16 if big else 8])[0]
    file.seek(offset)
    count = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(8 if big else 2))[0]
    if count > 4096:
        raise FormatError(f"{path}: the TIFF header claims {count} tags; expected fewer than 4096; get the file again")
    size = 20 if big else 12
    entries = file.read(size * count)
    if len(entries) < size * count:
        raise struct.error("entries")
    tags = {}
    for i in range(count):
        tag, values = _tag(file, entries[size * i : size * (i + 1)], order, big)
        if values is not None:
            tags[tag] = values
    return tags


def _tag(file: BinaryIO, entry: bytes, order: str, big: bool) -> tuple[int, NDArray[np.uint64] | None]:
    tag, kind, count = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", entry)
    if kind not in _TYPES:
        return tag, None
    dtype = np.dtype(f"{order}{_TYPES[kind]}")
    inline = entry[12:] if big else entry[8:]
    data = inline
    if count * dtype.itemsize > len(inline):
        if count * dtype.itemsize > os.fstat(file.fileno()).st_size:
            raise struct.error("more values than bytes")
        file.seek(struct.unpack(f"{order}{'Q' if big else 'I'}", inline)[0])
        data = file.read(count * dtype.itemsize)
        if len(data) < count * dtype.itemsize:
            raise struct.error("values")
    return tag, np.frombuffer(data, dtype, count).astype(np.uint64)


def _checked(tags: dict[int, NDArray[np.uint64]], size: int, path: str | Path) -> TiffHeader:
    def number(tag: int, default: int) -> int:
        values = tags.get(tag)
        return default if values is None or not values.size else int(values[0])

    height, width = number(_HEIGHT, 0), number(_WIDTH, 0)
    if not height or not width:
        raise FormatError(f"{path}: the TIFF header gives no size; expected a picture; get the file again")
    samples = number(_SAMPLES, 1) if number(_PLANAR, 1) == 1 else 1
    rows, cols = number(_TILE_HEIGHT, min(number(_ROWS, height), height)), number(_TILE_WIDTH, width)
    none = np.zeros(0, np.uint64)
    offsets = next((tags[each] for each in _OFFSETS if each in tags), none)
    counts = next((tags[each] for each in _COUNTS if each in tags), none)
    orientation = number(_ORIENTATION, 1)
    block_bytes = rows * -(-cols * samples * number(_BITS, 1) // 8)
    header = TiffHeader(
        height, width, orientation if 1 <= orientation <= 8 else 1, block_bytes, offsets, counts,
        # Uncompressed YCbCr may share its colours between pixels, so its size says nothing either.
        number(_COMPRESSION, 1) != 1 or number(_PHOTOMETRIC, 1) == _YCBCR,
    )  # fmt: skip
    _check_blocks(header, -(-height // max(rows, 1)) * -(-width // max(cols, 1)), size, path)
    return header


def _check_blocks(header: TiffHeader, expected: int, size: int, path: str | Path) -> None:
    claim = f"{path}: claims {header.height} x {header.width} pixels"
    n = min(header.offsets.size, header.counts.size)
    counts, offsets = header.counts[:n].astype(np.int64), header.offsets[:n].astype(np.int64)
    if not counts.any():
        raise FormatError(f"{claim} but holds none; expected pixel data; get the file again")
    if n < expected:
        raise FormatError(f"{claim} in {expected} blocks but lists {n}; expected all of them; get the file again")
    inside = (header.offsets[:n] <= size).all() and (header.counts[:n] <= size).all()
    end = int((offsets + counts).max()) if inside else int(max(header.offsets[:n].max(), header.counts[:n].max()))
    if end > size:
        raise FormatError(f"{claim} up to byte {end} but has {size} bytes; it was cut off; get the file again")
    smallest = int(counts[counts > 0].min())
    if not header.is_compressed and not _is_enough(header, counts):
        raise FormatError(f"{claim} but holds {counts.sum()} bytes of them; it was cut off; get the file again")
    if header.block_bytes > max(_UNPACKED_LIMIT, smallest * _UNPACKED_RATIO) and header.is_compressed:
        what = f"{smallest} bytes that unpack to {header.block_bytes}"
        raise FormatError(f"{claim} with a block of {what}; expected an honest file; write it again in tiles")


def _is_enough(header: TiffHeader, counts: NDArray[np.int64]) -> bool:
    """Whether uncompressed blocks that are there are full; the last one may be shorter, as strips end with the rows."""
    there = counts[:-1][counts[:-1] > 0]
    if there.size:
        return bool(there.min() >= header.block_bytes)
    return counts.size > 1 or bool(counts[0] >= header.block_bytes)


def check_is_file(path: str | Path) -> None:
    """Refuse what is missing, a folder, or empty, with a sentence each."""
    try:
        size = Path(path).stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder; expected a file; name one in it")
    if size == 0:
        raise FormatError(f"{path}: the file is empty (0 bytes); expected a picture; get the file again")
