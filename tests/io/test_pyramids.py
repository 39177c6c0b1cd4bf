"""Map pyramids and PMTiles: the right colour at a place, nothing invented, nothing lost."""

from __future__ import annotations

import io
import itertools
import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays.halve import halved_ids
from maskwright.arrays.windows import Window
from maskwright.errors import EmptyResultError, FormatError, GridError, InputError
from maskwright.io.pmtiles import read_pmtiles, read_tile, tile_number, write_pmtiles
from maskwright.io.pyramids import Pyramid, flipped, tile_at, tile_png
from maskwright.types import UNKNOWN, Grid

pyproj = pytest.importorskip("pyproj", reason="the geo extra is not installed")
GRID = Grid(400, 900, (0.5, 0.0, 320000.0, 0.0, -0.5, 7660000.0), "EPSG:32740")


def mask() -> NDArray[np.uint8]:
    """400 x 900: bands of the classes 1, 2 and 3, a corner nobody knows."""
    ids = np.broadcast_to((np.arange(900) // 300 + 1).astype(np.uint8), (400, 900)).copy()
    ids[:100, :200] = UNKNOWN
    return ids


def pyramid(ids: NDArray[np.uint8], grid: Grid = GRID, **zooms: int) -> Pyramid:
    return Pyramid(grid, lambda window: ids[window.slices], **zooms)


@pytest.fixture(scope="module")
def tiles() -> dict[tuple[int, int, int], NDArray[np.uint8]]:
    return {(tile.zoom, tile.x, tile.y): tile.class_ids for tile in pyramid(mask()).tiles()}


def test_zooms_fit_the_pixels_and_the_whole_mask(tiles: dict[tuple[int, int, int], NDArray[np.uint8]]) -> None:
    low, high = pyramid(mask()).zooms
    latitude = math.radians(pyramid(mask()).bounds[1])
    assert 156543.03 * math.cos(latitude) / 2**high == pytest.approx(0.5, rel=0.5)
    assert {zoom for zoom, _, _ in tiles} == set(range(low, high + 1))
    assert sum(zoom == low for zoom, _, _ in tiles) <= 4


@given(row=st.integers(5, 394), col=st.integers(5, 894))
@settings(max_examples=50, deadline=None)
def test_the_class_at_a_place_is_that_of_the_mask(
    tiles: dict[tuple[int, int, int], NDArray[np.uint8]], row: int, col: int
) -> None:
    high = max(zoom for zoom, _, _ in tiles)
    turn = pyproj.Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    x, y, down, across = tile_at(*turn.transform(*GRID.place(row, col)), high)
    near = mask()[row - 2 : row + 3, col - 2 : col + 3]
    shown = tiles[high, x, y][down, across] if (high, x, y) in tiles else UNKNOWN
    assert shown in near
    if (near == near[0, 0]).all():
        assert shown == near[0, 0]


def test_every_lower_tile_is_the_four_above_it_and_empty_ones_are_skipped(
    tiles: dict[tuple[int, int, int], NDArray[np.uint8]],
) -> None:
    high = max(zoom for zoom, _, _ in tiles)
    for (zoom, x, y), ids in tiles.items():
        assert (ids != UNKNOWN).any()
        assert set(np.unique(ids)) <= {1, 2, 3, UNKNOWN}
        if zoom < high:
            nothing = np.full((256, 256), UNKNOWN, np.uint8)
            four = [[tiles.get((zoom + 1, 2 * x + i, 2 * y + j), nothing) for i in (0, 1)] for j in (0, 1)]
            assert np.array_equal(halved_ids(np.block(four), nodata=255), ids)


def test_nearly_all_known_pixels_are_shown_at_about_their_area(
    tiles: dict[tuple[int, int, int], NDArray[np.uint8]],
) -> None:
    high = max(zoom for zoom, _, _ in tiles)
    shown = np.bincount(np.concatenate([each.ravel() for (zoom, _, _), each in tiles.items() if zoom == high]))
    held = np.bincount(mask().ravel())
    np.testing.assert_allclose(shown[1:4] / shown[1:4].sum(), held[1:4] / held[1:4].sum(), atol=0.003)


def test_overviews_show_only_ids_that_are_there() -> None:
    ids = np.random.default_rng(0).choice(np.uint8([1, 9, 255]), (512, 512))
    for tile in pyramid(ids, Grid(512, 512, GRID.transform, GRID.crs)).tiles():
        assert set(np.unique(tile.class_ids)) <= {1, 9, 255}


def test_a_tile_as_png_has_the_colours_and_is_transparent_where_nobody_knows() -> None:
    palette = np.zeros((256, 3), np.uint8)
    palette[2] = (10, 200, 30)
    shown = PIL.Image.open(io.BytesIO(tile_png(np.uint8([[2, 255]]), palette))).convert("RGBA")
    assert shown.getpixel((0, 0)) == (10, 200, 30, 255)
    assert shown.getpixel((1, 0))[3] == 0


@given(zoom=st.integers(0, 26), y=st.integers(0, 2**26))
def test_flipping_twice_is_nothing(zoom: int, y: int) -> None:
    y %= 1 << zoom
    assert flipped(zoom, flipped(zoom, y)) == y
    assert flipped(zoom, 0) == 2**zoom - 1


def test_no_place_and_impossible_zooms_are_refused() -> None:
    with pytest.raises(GridError, match="georeference it first"):
        pyramid(mask(), Grid(400, 900))
    with pytest.raises(InputError, match="zooms 9 to 8"):
        pyramid(mask(), min_zoom=9, max_zoom=8)


def test_numbers_of_tiles_follow_the_specification() -> None:
    assert tile_number(12, 3423, 1763) == 19078479
    numbers = sorted(tile_number(zoom, x, y) for zoom in range(5) for x in range(1 << zoom) for y in range(1 << zoom))
    assert numbers == list(range(len(numbers)))
    along = sorted((tile_number(4, x, y), x, y) for x in range(16) for y in range(16))
    steps = {abs(a[1] - b[1]) + abs(a[2] - b[2]) for a, b in itertools.pairwise(along)}
    assert steps == {1}, "the curve goes from neighbour to neighbour"
    with pytest.raises(ValueError, match="tiles 0 to 1"):
        tile_number(1, 2, 0)


def test_every_tile_comes_back_out_of_a_file_of_thousands(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wanted = {(8, x, y): random.bytes(int(random.integers(1, 200))) for x in range(256) for y in range(128)}
    wanted |= {(6, x, y): b"same" for x in range(64) for y in range(64)}
    del wanted[8, 3, 4]
    count = write_pmtiles(tmp_path / "a.pmtiles", reversed(wanted.items()), (55.0, -21.5, 55.5, -21.0), {"name": "é"})
    header, metadata = read_pmtiles(tmp_path / "a.pmtiles")
    assert count == header["addressed_tiles"] == len(wanted)
    assert header["root_offset"] + header["root_length"] <= 16384
    assert header["leaves_length"] > 0
    assert header["entries"] < count, "the equal ones are one run"
    assert (header["min_zoom"], header["max_zoom"], header["tile_type"]) == (6, 8, 2)
    assert (header["min_lon_e7"], header["max_lat_e7"]) == (550000000, -210000000)
    assert metadata == {"name": "é"}
    for address in [*list(wanted)[::997], (6, 63, 63)]:
        assert read_tile(tmp_path / "a.pmtiles", *address) == wanted[address]
    assert read_tile(tmp_path / "a.pmtiles", 8, 3, 4) is None
    assert read_tile(tmp_path / "a.pmtiles", 3, 0, 0) is None
    again = tmp_path / "b.pmtiles"
    write_pmtiles(again, wanted.items(), (55.0, -21.5, 55.5, -21.0), {"name": "é"})
    assert again.read_bytes() == (tmp_path / "a.pmtiles").read_bytes(), "the order they come in does not matter"


def test_no_tile_and_no_pmtiles_are_told(tmp_path: Path) -> None:
    with pytest.raises(EmptyResultError, match="no known pixel"):
        write_pmtiles(tmp_path / "none.pmtiles", [], (0, 0, 1, 1), {})
    assert not (tmp_path / "none.pmtiles").exists()
    (tmp_path / "x.pmtiles").write_bytes(b"PMTiles\x02" + bytes(200))
    with pytest.raises(FormatError, match="not PMTiles version 3"):
        read_pmtiles(tmp_path / "x.pmtiles")


def test_a_big_mask_is_read_by_small_windows() -> None:
    seen: list[Window] = []

    def read(window: Window) -> NDArray[np.uint8]:
        seen.append(window)
        return np.ones((window.height, window.width), np.uint8)

    list(Pyramid(Grid(3000, 4000, GRID.transform, GRID.crs), read).tiles())
    assert max(window.height * window.width for window in seen) < 500 * 500
