"""Tiled TIFFs become one cloud-optimised GeoTIFF: headers first, then tiles, which stay packed as they are.

A COG is a TIFF in a certain order: what it says of every level, then the tiles of the smallest level, and those of
the full picture last. A tile stands between its size and its last four bytes, and a note behind the first bytes says
so (GDAL's "structural metadata"): a reader gets any tile of any level in one go. Only the order is made here.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

SUBFILE, WIDTH, HEIGHT, OFFSETS, SIZES = 254, 256, 257, 324, 325
SMALLER = 1
"""What the tag SUBFILE says of a level that is not the full picture."""
LONG, LONG8 = 4, 16
SIZE_OF = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each kind that TIFF knows."""
LEADER, TRAILER = 4, 4
MOST = 2**32
"""Bytes that a classic TIFF can count; a file that gets larger is a BigTIFF."""
_ORDER = (
    "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
NOTE = f"GDAL_STRUCTURAL_METADATA_SIZE={len(_ORDER):06} bytes\n{_ORDER}".encode()


@dataclass(frozen=True)
class Level:
    """One tiled TIFF: its tags as (kind, count, values) by number, and where its tiles lie."""

    path: Path
    tags: dict[int, tuple[int, int, bytes]]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]


@dataclass(frozen=True)
class _Form:
    """How numbers are written in one of the two kinds of TIFF: those that count to 4 billion, and the big ones."""

    head: str
    count: str
    entry: str
    place: str
    inline: int

    def directory_bytes(self, tags: int) -> int:
        return struct.calcsize(self.count) + tags * struct.calcsize(self.entry) + struct.calcsize(self.place)


CLASSIC = _Form("<2sHI", "<H", "<HHI4s", "<I", 4)
BIG = _Form("<2sHHHQ", "<Q", "<HHQ8s", "<Q", 8)


def write_cog(target: Path, sources: Sequence[tuple[Path, tuple[int, int]]]) -> None:
    """Write the COG of tiled little-endian TIFFs and the (height, width) that counts of each, from their upper left.

    The first is the picture; each one after it is a level of half the size. Sources are as large as their tiles: what
    lies beyond the height and width is there, in tiles at the edge, and nobody sees it.
    """
    levels = [read_level(path) for path, _ in sources]
    for level, (_, (height, width)) in zip(levels, sources, strict=True):
        level.tags[HEIGHT], level.tags[WIDTH] = ((LONG, 1, struct.pack("<I", side)) for side in (height, width))
    for level in levels[1:]:
        level.tags[SUBFILE] = (LONG, 1, struct.pack("<I", SMALLER))
    form = CLASSIC
    places, end = _placed(levels, form)
    if end >= MOST:
        form = BIG
        places, end = _placed(levels, form)
    with target.open("wb") as file:
        for part in _headers(levels, places, form):
            file.write(part)
        for level in reversed(levels):
            _copy_tiles(level, file)


def read_level(path: Path) -> Level:
    """The tags of the first picture in a tiled little-endian TIFF or BigTIFF that was just written by GDAL."""
    with path.open("rb") as file:
        try:
            tags = _read_tags(file)
            return Level(path, tags, _numbers(tags[OFFSETS]), _numbers(tags[SIZES]))
        except (KeyError, ValueError, struct.error) as error:
            raise _lost() from error


def _read_tags(file: BinaryIO) -> dict[int, tuple[int, int, bytes]]:
    start, tags = file.read(16), {}
    form = {b"II*\0": CLASSIC, b"II+\0": BIG}[start[:4]]
    file.seek(struct.unpack_from(form.place, start, 8 if form is BIG else 4)[0])
    (count,) = struct.unpack(form.count, file.read(struct.calcsize(form.count)))
    entries = file.read(count * struct.calcsize(form.entry))
    for tag, kind, values, inline in struct.iter_unpack(form.entry, entries):
        content, length = inline, values * SIZE_OF[kind]
        if length > form.inline:
            file.seek(struct.unpack(form.place, inline)[0])
            content = file.read(length)
        tags[tag] = (kind, values, content[:length])
    return tags


def _numbers(tag: tuple[int, int, bytes]) -> NDArray[np.int64]:
    kind, count, values = tag
    return np.frombuffer(values, {3: "<u2", LONG: "<u4", LONG8: "<u8"}[kind], count).astype(np.int64)


def _placed(levels: Sequence[Level], form: _Form) -> tuple[list[tuple[int, NDArray[np.int64]]], int]:
    """Where the directory of each level begins, and each of its tiles (0: it has none); and the length of the file."""
    at, directories, tiles = _even(struct.calcsize(form.head) + len(NOTE)), [], []
    for level in levels:
        directories.append(at)
        values = (
            _even(len(each)) for _, _, each in _told(level, level.offsets, form).values() if len(each) > form.inline
        )
        at += _even(form.directory_bytes(len(level.tags))) + sum(values)
    for level in reversed(levels):
        spaces = np.where(level.sizes > 0, level.sizes + LEADER + TRAILER, 0)
        ends = at + np.cumsum(spaces)
        tiles.append(np.where(level.sizes > 0, ends - spaces + LEADER, 0))
        at = int(ends[-1])
    return list(zip(directories, reversed(tiles), strict=True)), at


def _told(level: Level, offsets: NDArray[np.int64], form: _Form) -> dict[int, tuple[int, int, bytes]]:
    """The tags of a level, in order, with its tiles where they will lie."""
    kind, dtype = (LONG8, "<u8") if form is BIG else (LONG, "<u4")
    places = (kind, len(offsets), offsets.astype(dtype).tobytes())
    sizes = (LONG, len(offsets), level.sizes.astype("<u4").tobytes())
    return dict(sorted((level.tags | {OFFSETS: places, SIZES: sizes}).items()))


def _headers(levels: Sequence[Level], places: Sequence[tuple[int, NDArray[np.int64]]], form: _Form) -> Iterator[bytes]:
    """Everything before the first tile."""
    first = places[0][0]
    start = (b"II", 43, 8, 0, first) if form is BIG else (b"II", 42, first)
    yield (struct.pack(form.head, *start) + NOTE).ljust(first, b"\0")
    following = [at for at, _ in places[1:]] + [0]
    for level, (at, offsets), after in zip(levels, places, following, strict=True):
        yield _directory(_told(level, offsets, form), at, after, form)


def _directory(tags: dict[int, tuple[int, int, bytes]], at: int, after: int, form: _Form) -> bytes:
    """A directory that begins at byte `at`, with the values that find no room in it behind it."""
    listed, values, behind = [], [], at + _even(form.directory_bytes(len(tags)))
    for tag, (kind, count, content) in tags.items():
        inline = content
        if len(content) > form.inline:
            inline = struct.pack(form.place, behind)
            values.append(content.ljust(_even(len(content)), b"\0"))
            behind += len(values[-1])
        listed.append(struct.pack(form.entry, tag, kind, count, inline))
    directory = struct.pack(form.count, len(tags)) + b"".join(listed) + struct.pack(form.place, after)
    return directory.ljust(_even(len(directory)), b"\0") + b"".join(values)


def _copy_tiles(level: Level, file: BinaryIO) -> None:
    with level.path.open("rb") as source:
        for offset, size in zip(level.offsets.tolist(), level.sizes.tolist(), strict=True):
            if size:
                source.seek(offset)
                if len(tile := source.read(size)) < size:
                    raise _lost()
                file.write(struct.pack("<I", size) + tile + tile[-TRAILER:])


def _lost() -> OSError:
    return OSError(errno.EIO, "what was written of it cannot be read back; is the disk full?")


def _even(number: int) -> int:
    return number + number % 2
