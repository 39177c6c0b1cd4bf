"""The order of a COG: headers, the smallest level, the picture; every tile as it was, where the headers say."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from maskwright.arrays.halve import halved_numbers
from maskwright.errors import OutputError
from maskwright.io import cog_layout, rasters
from maskwright.io.cog_layout import LEADER, TRAILER, read_level
from maskwright.io.rasters import open_dataset, open_raster, raster_tags, write_raster
from maskwright.types import Grid

GRID = Grid(1101, 2503, (2.0, 0.0, 320000.0, 0.0, -2.0, 7660000.0), "EPSG:32740")


def pixels() -> np.ndarray:
    rows, cols = np.mgrid[: GRID.height, : GRID.width]
    return (rows // 7 + cols // 3).astype(np.uint16)


def directories(path: Path) -> list[int]:
    """Where the directories of a classic TIFF begin."""
    content, at = path.read_bytes(), 4
    found = []
    while (offset := struct.unpack_from("<I", content, at)[0]) != 0:
        found.append(offset)
        at = offset + 2 + 12 * struct.unpack_from("<H", content, offset)[0]
    return found


def test_headers_come_first_and_the_picture_last(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_raster(path, pixels(), GRID, nodata=0)
    heads, content = directories(path), path.read_bytes()
    note = content[8 : heads[0]].rstrip(b"\0")
    assert note.startswith(b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\n")
    assert len(note) == len(b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\n") + 140
    assert heads == sorted(heads)
    tiles = [head_tiles(content, head) for head in heads]
    assert [len(sizes) for _, sizes in tiles] == [3 * 5, 2 * 3, 1 * 2, 1]
    for (larger, _), (offsets, sizes) in pairwise(tiles):
        assert offsets[-1] + sizes[-1] + TRAILER + LEADER == larger[0], "smaller levels lie right before larger ones"
    assert tiles[-1][0][0] > heads[-1]
    assert tiles[0][0][-1] + tiles[0][1][-1] + TRAILER == len(content)


def head_tiles(content: bytes, head: int) -> tuple[list[int], list[int]]:
    """Offsets and sizes of the tiles of a directory; each tile is between its size and its last bytes."""
    found = {}
    for number in range(struct.unpack_from("<H", content, head)[0]):
        tag, _, count, place = struct.unpack_from("<HHII", content, head + 2 + 12 * number)
        if tag in (cog_layout.OFFSETS, cog_layout.SIZES):
            found[tag] = [place] if count == 1 else list(struct.unpack_from(f"<{count}I", content, place))
    offsets, sizes = found[cog_layout.OFFSETS], found[cog_layout.SIZES]
    assert offsets == sorted(offsets)
    for offset, size in zip(offsets, sizes, strict=True):
        assert struct.unpack_from("<I", content, offset - LEADER) == (size,)
        end = offset + size
        assert content[end : end + TRAILER] == content[end - TRAILER : end]
    return offsets, sizes


@pytest.mark.parametrize("big", [False, True])
def test_levels_and_tags_are_read_back(tmp_path: Path, big: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if big:
        monkeypatch.setattr(cog_layout, "MOST", 10_000)
    path, level = tmp_path / "a.tif", pixels()
    write_raster(path, level, GRID, nodata=5, tags={"made_by": "é"})
    assert path.read_bytes()[2] == (43 if big else 42)
    image = open_raster(path)
    assert image.grid == GRID
    assert np.array_equal(np.asarray(image.pixels)[..., 0], level)
    assert raster_tags(path)["made_by"] == "é"
    for number in range(3):
        level = halved_numbers(level, nodata=5)
        with open_dataset(path, overview_level=number) as dataset:
            assert np.array_equal(dataset.read(1), level)
            assert dataset.nodata == 5


def test_a_draft_of_either_kind_gives_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_raster(tmp_path / "a.tif", pixels(), GRID)
    monkeypatch.setitem(rasters.TILED, "bigtiff", "yes")
    write_raster(tmp_path / "b.tif", pixels(), GRID)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("kept", [3, 60, -30])
def test_a_draft_that_is_cut_off_is_no_success(tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full when the draft is closed: GDAL does not always say so."""

    def cut(path: Path) -> cog_layout.Level:
        content = path.read_bytes()
        path.write_bytes(content[:kept])
        return read_level(path)

    monkeypatch.setattr(cog_layout, "read_level", cut)
    with pytest.raises(OutputError, match="cannot be read back"):
        write_raster(tmp_path / "a.tif", pixels(), GRID)
    assert list(tmp_path.iterdir()) == []
