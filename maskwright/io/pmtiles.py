"""PMTiles version 3: a whole map pyramid in one file that a web map reads by ranges, from any file server.

Written from the public specification (https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md). Tiles lie in
the order of their numbers, which follow a Hilbert curve within each zoom; equal tiles are stored once.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from maskwright.errors import EmptyResultError, FormatError
from maskwright.io.outputs import whole_file

HEADER = struct.Struct("<7sB11Q6B4iB2i")
_NONE, _GZIP = 1, 2
_PNG = 2
_ROOT_BYTES = 16_384 - HEADER.size
"""A root directory has to end within the first 16 KiB."""

Address = tuple[int, int, int]
"""Zoom, x, y; y counts from the north."""


@dataclass(frozen=True)
class Entry:
    """`run` tiles from number `tile` on that are all `length` bytes at `offset`; a run of 0 is a leaf directory."""

    tile: int
    offset: int
    length: int
    run: int = 1


def tile_number(zoom: int, x: int, y: int) -> int:
    """The number of a tile: all lower zooms come before it, its own zoom is counted along a Hilbert curve.

    >>> [tile_number(*each) for each in [(0, 0, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0), (2, 0, 0)]]
    [0, 1, 2, 3, 4, 5]
    """
    if not (0 <= x < 1 << zoom and 0 <= y < 1 << zoom):
        raise ValueError(f"zoom {zoom} has tiles 0 to {(1 << zoom) - 1} each way; got x {x}, y {y}")
    number = ((1 << 2 * zoom) - 1) // 3
    for level in range(zoom - 1, -1, -1):
        side = 1 << level
        right, low = int(x & side > 0), int(y & side > 0)
        number += side * side * ((3 * right) ^ low)
        if not low:
            if right:
                x, y = side - 1 - x % side, side - 1 - y % side
            x, y = y, x
    return number


def write_pmtiles(
    path: str | Path,
    tiles: Iterable[tuple[Address, bytes]],
    bounds: tuple[float, float, float, float],
    metadata: Mapping[str, Any],
) -> int:
    """Write PNG tiles, in any order, as one PMTiles file; gives how many. `bounds` are west, south, east, north.

    Holds an entry per tile in memory, the tiles themselves wait in a temporary file. No tile at all is an
    EmptyResultError.
    """
    with tempfile.TemporaryFile() as waiting, whole_file(path) as temporary:
        entries, zooms = _spool(tiles, waiting)
        if not entries:
            raise EmptyResultError(f"{path}: there is no tile to write; the map holds no known pixel")
        with temporary.open("wb") as file:
            _write(file, waiting, entries, zooms, bounds, metadata)
    return len(entries)


def read_pmtiles(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header (by the names of the specification) and the metadata of a PMTiles file."""
    with Path(path).open("rb") as file:
        header = _header(file, path)
        file.seek(header["metadata_offset"])
        return header, json.loads(gzip.decompress(file.read(header["metadata_length"])))


def read_tile(path: str | Path, zoom: int, x: int, y: int) -> bytes | None:
    """The bytes of one tile, or None where the file has none."""
    number = tile_number(zoom, x, y)
    with Path(path).open("rb") as file:
        header = _header(file, path)
        offset, length = header["root_offset"], header["root_length"]
        for _ in range(4):  # the specification allows no deeper tree
            file.seek(offset)
            entry = _find(_unpacked(gzip.decompress(file.read(length))), number)
            if entry is None:
                return None
            if entry.run:
                file.seek(header["data_offset"] + entry.offset)
                return file.read(entry.length)
            offset, length = header["leaves_offset"] + entry.offset, entry.length
    raise FormatError(f"{path}: its directories go deeper than PMTiles allows; expected at most 4; get it again")


def _spool(tiles: Iterable[tuple[Address, bytes]], waiting: BinaryIO) -> tuple[list[Entry], set[int]]:
    """Tiles into a temporary file, equal ones once; their entries by number."""
    places: dict[bytes, int] = {}
    entries, zooms = [], set()
    for address, content in tiles:
        key = hashlib.sha256(content).digest()
        if key not in places:
            places[key] = waiting.tell()
            waiting.write(content)
        entries.append(Entry(tile_number(*address), places[key], len(content)))
        zooms.add(address[0])
    return sorted(entries, key=lambda each: each.tile), zooms


def _write(
    file: BinaryIO,
    waiting: BinaryIO,
    entries: list[Entry],
    zooms: set[int],
    bounds: tuple[float, float, float, float],
    metadata: Mapping[str, Any],
) -> None:
    placed, order = _placed(entries)
    root, leaves = _directories(placed)
    told = gzip.compress(json.dumps(metadata, ensure_ascii=False, sort_keys=True).encode(), mtime=0)
    parts = [root, told, leaves]
    offsets = [HEADER.size]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    size = sum(length for _, length in order)
    west, south, east, north = (round(each * 1e7) for each in bounds)
    file.write(
        HEADER.pack(
            b"PMTiles", 3, offsets[0], len(root), offsets[1], len(told), offsets[2], len(leaves), offsets[3], size,
            len(entries), len(placed), len(order), 1, _GZIP, _NONE, _PNG, min(zooms), max(zooms),
            west, south, east, north, min(zooms), (west + east) // 2, (south + north) // 2,
        )
    )  # fmt: skip
    for part in parts:
        file.write(part)
    for offset, length in order:
        waiting.seek(offset)
        file.write(waiting.read(length))


def _placed(entries: list[Entry]) -> tuple[list[Entry], list[tuple[int, int]]]:
    """Entries as they will lie in the file, neighbours of equal content joined to runs, and what to copy in order."""
    now: dict[int, int] = {}
    order: list[tuple[int, int]] = []
    placed: list[Entry] = []
    end = 0
    for each in entries:
        if each.offset not in now:
            now[each.offset] = end
            order.append((each.offset, each.length))
            end += each.length
        entry = Entry(each.tile, now[each.offset], each.length)
        last = placed[-1] if placed else None
        if last is not None and last.offset == entry.offset and last.tile + last.run == entry.tile:
            placed[-1] = Entry(last.tile, last.offset, last.length, last.run + 1)
        else:
            placed.append(entry)
    return placed, order


def _directories(entries: list[Entry]) -> tuple[bytes, bytes]:
    """The root directory, and the leaves where all entries do not fit into the root."""
    root, size = _packed(entries), 4096
    if len(root) <= _ROOT_BYTES:
        return root, b""
    while True:
        leaves, pointers = b"", []
        for start in range(0, len(entries), size):
            leaf = _packed(entries[start : start + size])
            pointers.append(Entry(entries[start].tile, len(leaves), len(leaf), 0))
            leaves += leaf
        root = _packed(pointers)
        if len(root) <= _ROOT_BYTES:
            return root, leaves
        size *= 2


def _packed(entries: list[Entry]) -> bytes:
    numbers = [len(entries)]
    numbers += [each.tile - before.tile for before, each in zip([Entry(0, 0, 0), *entries], entries, strict=False)]
    numbers += [each.run for each in entries]
    numbers += [each.length for each in entries]
    for index, each in enumerate(entries):
        before = entries[index - 1]
        follows = index > 0 and before.offset + before.length == each.offset
        numbers.append(0 if follows else each.offset + 1)
    return gzip.compress(b"".join(map(_varint, numbers)), mtime=0)


def _unpacked(content: bytes) -> list[Entry]:
    numbers = _varints(content)
    count = next(numbers)
    deltas, runs, lengths, offsets = ([next(numbers) for _ in range(count)] for _ in range(4))
    entries: list[Entry] = []
    tile = 0
    for delta, run, length, offset in zip(deltas, runs, lengths, offsets, strict=True):
        tile += delta
        start = offset - 1 if offset else entries[-1].offset + entries[-1].length
        entries.append(Entry(tile, start, length, run))
    return entries


def _find(entries: list[Entry], number: int) -> Entry | None:
    """The entry that holds a tile: the last one that begins at or before it, if its run reaches that far."""
    before = [each for each in entries if each.tile <= number]
    if not before:
        return None
    last = before[-1]
    return last if last.run == 0 or number < last.tile + last.run else None


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varints(content: bytes) -> Iterator[int]:
    number, shift = 0, 0
    for byte in content:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number, shift = 0, 0


_NAMES = (
    "magic", "version", "root_offset", "root_length", "metadata_offset", "metadata_length", "leaves_offset",
    "leaves_length", "data_offset", "data_length", "addressed_tiles", "entries", "contents", "clustered",
    "internal_compression", "tile_compression", "tile_type", "min_zoom", "max_zoom", "min_lon_e7", "min_lat_e7",
    "max_lon_e7", "max_lat_e7", "center_zoom", "center_lon_e7", "center_lat_e7",
)  # fmt: skip


def _header(file: BinaryIO, path: str | Path) -> dict[str, Any]:
    content = file.read(HEADER.size)
    if len(content) < HEADER.size or not content.startswith(b"PMTiles\x03"):
        raise FormatError(f"{path}: is not PMTiles version 3; expected one by its name; get it again")
    return dict(zip(_NAMES, HEADER.unpack(content), strict=True))
