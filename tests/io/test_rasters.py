from __future__ import annotations

import errno
import pickle
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from maskwright.arrays.halve import halved_ids, halved_numbers
from maskwright.arrays.windows import Window
from maskwright.errors import FormatError, InputError, OutputError
from maskwright.io import rasters
from maskwright.io.classes import Classes
from maskwright.io.rasters import (
    RasterWriter,
    open_dataset,
    open_raster,
    raster_grid,
    raster_nodata,
    raster_tags,
    write_raster,
)
from maskwright.types import Grid
from tests.io.rasters import GRIDS, SHAPE, make_raster, values

DTYPES = ("uint8", "uint16", "int16", "int32", "float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("nodata", [None, 3])
def test_reading_says_what_rasterio_wrote(tmp_path: Path, grid: str, dtype: str, nodata: float | None) -> None:
    array = values(dtype)
    array[2, 5:9] = 3
    path = make_raster(tmp_path / "a.tif", array, GRIDS[grid], nodata=nodata)
    image = open_raster(path)
    assert image.grid == GRIDS[grid]
    assert raster_grid(path) == GRIDS[grid]
    assert image.pixels.dtype == np.dtype(dtype)
    assert np.array_equal(np.asarray(image.pixels), array)
    expected = np.ones(SHAPE, bool) if nodata is None else array[..., 0] != 3
    assert np.array_equal(np.asarray(image.valid), expected)
    assert raster_nodata(path) == nodata


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("cog", [False, True])
def test_a_written_raster_is_read_back(tmp_path: Path, grid: str, dtype: str, cog: bool) -> None:
    array = values(dtype, 2)
    write_raster(tmp_path / "a.tif", array, GRIDS[grid], nodata=7, cog=cog, tags={"made_by": "é"})
    image = open_raster(tmp_path / "a.tif")
    assert np.array_equal(np.asarray(image.pixels), array)
    assert image.grid == GRIDS[grid]
    assert raster_nodata(tmp_path / "a.tif") == 7
    assert raster_tags(tmp_path / "a.tif")["made_by"] == "é"
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.slices(20) | st.integers(-20, 19),
    cols=st.slices(60) | st.integers(-60, 59),
    bands=st.none() | st.slices(3) | st.integers(0, 2),
)
def test_slices_are_those_of_an_array(
    tmp_path_factory: pytest.TempPathFactory, rows: slice | int, cols: slice | int, bands: slice | int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "slices.tif"
    array = values("int16", 3)
    if not path.exists():
        make_raster(path, array, GRIDS["utm"])
    image = open_raster(path)
    key = (rows, cols) if bands is None else (rows, cols, bands)
    assert np.array_equal(image.pixels[key], array[key])
    assert image.pixels[key].shape == array[key].shape
    assert np.array_equal(image.valid[rows, cols], np.ones(SHAPE, bool)[rows, cols])


def test_other_indices(tmp_path: Path) -> None:
    array = values("uint8", 3)
    pixels = open_raster(make_raster(tmp_path / "a.tif", array, GRIDS["utm"])).pixels
    assert np.array_equal(pixels[..., 1], array[..., 1])
    assert np.array_equal(pixels[3], array[3])
    assert np.array_equal(pixels[3:4, ..., :2], array[3:4, ..., :2])
    with pytest.raises(TypeError, match="slices and whole numbers"):
        pixels[np.arange(3)]
    with pytest.raises(IndexError):
        pixels[20]


def test_alpha_is_validity_and_no_band(tmp_path: Path) -> None:
    array = values("uint8", 4)
    array[..., 3] = np.where(array[..., 0] > 100, 255, 0)
    kinds = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    image = open_raster(make_raster(tmp_path / "a.tif", array, GRIDS["utm"], colorinterp=kinds))
    assert np.array_equal(np.asarray(image.pixels), array[..., :3])
    assert np.array_equal(np.asarray(image.valid), array[..., 3] > 0)


def test_a_palette_is_colours_or_ids(tmp_path: Path) -> None:
    ids = values("uint8") % 3
    palette = Classes(("a", "b", "c"), ("#010203", "#0a0b0c", "#ffeedd")).palette()
    write_raster(tmp_path / "a.tif", ids, GRIDS["utm"], colors=palette)
    assert np.array_equal(np.asarray(open_raster(tmp_path / "a.tif").pixels), palette[ids[..., 0]])
    assert np.array_equal(np.asarray(open_raster(tmp_path / "a.tif", as_colours=False).pixels), ids)


def test_nan_in_every_band_is_no_data(tmp_path: Path) -> None:
    array = values("float32", 2)
    array[1, 2], array[3, 4, 0] = np.nan, np.nan
    image = open_raster(make_raster(tmp_path / "a.tif", array, GRIDS["utm"]))
    assert np.argwhere(~np.asarray(image.valid)).tolist() == [[1, 2]]


def test_many_threads_and_pickles_read_the_same(tmp_path: Path) -> None:
    array = values("uint16", 3)
    image = open_raster(make_raster(tmp_path / "a.tif", array, GRIDS["utm"]))
    again = pickle.loads(pickle.dumps(image))
    ready = threading.Barrier(4)

    def read(start: int) -> bool:
        ready.wait()
        return all(
            np.array_equal(each.pixels[start : start + 5, i : i + 9], array[start : start + 5, i : i + 9])
            for i in range(40)
            for each in (image, again)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


def test_a_cog_has_overviews_that_keep_ids_whole(tmp_path: Path) -> None:
    grid = Grid(1100, 1500, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), "EPSG:32740")
    ids = np.where((np.indices(grid.shape) % 3 == 0).all(axis=0), 4, 1).astype(np.uint8)
    palette = Classes(("", "a", "", "", "b")).palette()
    for name, cog in (("a.tif", True), ("b.tif", False)):
        write_raster(tmp_path / name, ids, grid, nodata=255, colors=palette, cog=cog)
        with rasterio.open(tmp_path / name) as dataset:
            assert dataset.overviews(1)
            assert dataset.block_shapes == [(512, 512)]
            small = dataset.read(1, out_shape=(275, 375))
            assert np.unique(small).tolist() == [1]
            assert dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == ("COG" if cog else None)
    write_raster(tmp_path / "c.tif", ids, grid, overviews=False)
    with rasterio.open(tmp_path / "c.tif") as dataset:
        assert dataset.overviews(1) == []


@pytest.mark.parametrize("nodata", [None, 255])
@pytest.mark.parametrize("coloured", [True, False])
def test_each_overview_of_a_cog_is_the_half_of_the_one_before(
    tmp_path: Path, nodata: int | None, coloured: bool
) -> None:
    grid = Grid(1101, 2503)
    ids = np.random.default_rng(0).choice(np.uint8([0, 3, 9, 255]), grid.shape)
    palette = Classes(tuple("abcdefghij")).palette() if coloured else None
    write_raster(tmp_path / "a.tif", ids, grid, nodata=nodata, colors=palette)
    level: np.ndarray = ids
    with open_dataset(tmp_path / "a.tif") as dataset:
        assert dataset.overviews(1) == [2, 4, 8]
    for number in range(3):
        level = halved_ids(level, nodata=nodata) if coloured else halved_numbers(level, nodata=nodata)
        with open_dataset(tmp_path / "a.tif", overview_level=number) as dataset:
            assert np.array_equal(dataset.read(1), level)


def test_a_raster_of_several_bands_has_overviews_of_each(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((600, 900, 3)).astype(np.float32)
    write_raster(tmp_path / "a & b.tif", array, Grid(600, 900))
    with open_dataset(tmp_path / "a & b.tif", overview_level=0) as dataset:
        for band in range(3):
            assert np.array_equal(dataset.read(band + 1), halved_numbers(array[..., band]))


def test_files_finished_side_by_side_are_those_finished_in_turn(tmp_path: Path) -> None:
    grid = Grid(700, 1300)
    array = np.random.default_rng(0).integers(0, 5, grid.shape, dtype=np.uint8)
    write_raster(tmp_path / "one.tif", array, grid)
    with ExitStack() as files:
        writers = [files.enter_context(RasterWriter(tmp_path / f"{name}.tif", grid)) for name in "ab"]
        for writer in writers:
            writer.write(grid.window, array)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(RasterWriter.finish, writers))
        assert not (tmp_path / "a.tif").exists()
    for name in "ab":
        assert (tmp_path / f"{name}.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tif", "b.tif", "one.tif"]


def test_overviews_never_invent_a_class_between_two(tmp_path: Path) -> None:
    grid = Grid(1100, 1500)
    ids = np.where(np.indices(grid.shape).sum(axis=0) % 2 == 0, 4, 0).astype(np.uint8)
    palette = Classes(("a", "", "between", "", "b"), ("#000000", "", "#808080", "", "#ffffff")).palette()
    write_raster(tmp_path / "a.tif", ids, grid, colors=palette)
    with open_dataset(tmp_path / "a.tif") as dataset:
        assert set(np.unique(dataset.read(1, out_shape=(550, 750))).tolist()) <= {0, 4}


def test_pieces_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    grid = Grid(700, 1300, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), "EPSG:32740")
    array = np.random.default_rng(0).integers(0, 5, grid.shape, dtype=np.uint8)
    windows = [
        Window(t, c, min(t + 200, 700), min(c + 300, 1300)) for t in range(0, 700, 200) for c in range(0, 1300, 300)
    ]
    for name, order in (("a.tif", windows), ("b.tif", windows[::-1])):
        with RasterWriter(tmp_path / name, grid, "uint8", nodata=255) as writer:
            for window in order:
                writer.write(window, array[window.slices])
            assert not (tmp_path / name).exists()
    write_raster(tmp_path / "c.tif", array, grid, nodata=255)
    assert np.array_equal(np.asarray(open_raster(tmp_path / "a.tif").pixels)[..., 0], array)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes() == (tmp_path / "c.tif").read_bytes()


PIECES = {
    "even": [Window(0, 0, 400, 1301), Window(400, 0, 701, 600), Window(400, 600, 701, 1301)],
    "odd": [Window(0, 0, 401, 1301), Window(401, 0, 701, 1301)],
    "odd at half the size": [Window(0, 0, 402, 1301), Window(402, 0, 701, 1301)],
    "odd later": [Window(0, 0, 400, 1301), Window(400, 0, 701, 333), Window(400, 333, 701, 1301)],
    "twice": [Window(0, 0, 400, 1301), Window(200, 0, 701, 1301)],
}


@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize("pieces", PIECES)
def test_overviews_do_not_depend_on_the_pieces(tmp_path: Path, pieces: str, colours: bool) -> None:
    grid = Grid(701, 1301)
    ids = np.random.default_rng(0).integers(0, 5, grid.shape, dtype=np.uint8)
    palette = Classes(("a", "b", "c", "d", "e")).palette() if colours else None
    write_raster(tmp_path / "whole.tif", ids, grid, nodata=255, colors=palette)
    with RasterWriter(tmp_path / "pieces.tif", grid, nodata=255, colors=palette) as writer:
        for window in PIECES[pieces]:
            first = ids[window.slices] if pieces != "twice" or window.top else np.zeros((400, 1301), np.uint8)
            writer.write(window, first)
        if pieces == "twice":
            writer.write(Window(0, 0, 200, 1301), ids[:200])
    assert (tmp_path / "pieces.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pieces.tif", "whole.tif"]
    with open_dataset(tmp_path / "pieces.tif", overview_level=0) as dataset:
        half = (halved_ids if colours else halved_numbers)(ids, nodata=255)
        assert np.array_equal(dataset.read(1), half)


@pytest.mark.parametrize("colours", [True, False])
def test_overviews_of_overviews_are_made_of_pieces_at_hand(
    tmp_path: Path, colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid(1501, 2703)
    ids = np.random.default_rng(0).integers(0, 5, grid.shape, dtype=np.uint8)
    palette = Classes(("a", "b", "c", "d", "e")).palette() if colours else None
    write_raster(tmp_path / "whole.tif", ids, grid, nodata=255, colors=palette)
    halved: list[Path] = []
    halve = RasterWriter._halve
    monkeypatch.setattr(RasterWriter, "_halve", lambda self, *what: (halved.append(what[2]), halve(self, *what)))
    for step, later in ((64, 0), (12, 1), (6, 2), (5, 3)):
        halved.clear()
        with RasterWriter(tmp_path / "pieces.tif", grid, nodata=255, colors=palette) as writer:
            for top in range(0, 1501, step):
                piece = Window(top, 0, min(top + step, 1501), 2703)
                writer.write(piece, ids[piece.slices])
        assert len(halved) == later
        assert (tmp_path / "pieces.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
        assert sorted(each.name for each in tmp_path.iterdir()) == ["pieces.tif", "whole.tif"]


def test_pixels_nobody_writes_are_no_data(tmp_path: Path) -> None:
    with RasterWriter(tmp_path / "a.tif", GRIDS["utm"], "uint8", nodata=255) as writer:
        writer.write(Window(0, 0, 5, 60), np.ones((5, 60), np.uint8))
    valid = np.asarray(open_raster(tmp_path / "a.tif").valid)
    assert valid[:5].all()
    assert not valid[5:].any()


@pytest.mark.parametrize("grid", [GRIDS["utm"], Grid(600, 900)])
def test_a_failure_leaves_the_old_raster_and_no_litter(tmp_path: Path, grid: Grid) -> None:
    (tmp_path / "a.tif").write_text("old")
    with pytest.raises(ZeroDivisionError), RasterWriter(tmp_path / "a.tif", grid) as writer:
        writer.write(Window(0, 0, 5, 60), np.ones((5, 60), np.uint8))
        raise ZeroDivisionError
    assert (tmp_path / "a.tif").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


def test_arrays_that_do_not_fit_are_programming_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="but the grid is"):
        write_raster(tmp_path / "a.tif", np.zeros((3, 4), np.uint8), GRIDS["utm"])
    with pytest.raises(ValueError, match="expected uint8"), RasterWriter(tmp_path / "a.tif", GRIDS["utm"]) as writer:
        writer.write(Window(0, 0, 5, 60), np.ones((5, 60), np.uint16))
    with pytest.raises(InputError, match="is no coordinate system"):
        write_raster(tmp_path / "a.tif", np.zeros(SHAPE, np.uint8), Grid(*SHAPE, (1, 0, 0, 0, -1, 0), "nonsense"))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rasters, "write_cog", full)
    with pytest.raises(OutputError, match=r"a\.tif: the disk is full"):
        write_raster(tmp_path / "a.tif", np.zeros(SHAPE, np.uint8), GRIDS["utm"])
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        write_raster(tmp_path / "out" / "a.tif", np.zeros(SHAPE, np.uint8), GRIDS["utm"])


def lying_tiff(height: int, width: int, **tags: int) -> bytes:
    """A TIFF header alone, 8-bit grey, with as many pixels as it likes to claim."""
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1} | {int(k[1:]): v for k, v in tags.items()}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + body + bytes(4)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (lying_tiff(100_000, 100_000), "claims 100000 x 100000 pixels but holds none"),
        (lying_tiff(100_000, 100_000, t273=8, t279=0, t278=100_000), "holds none"),
        (lying_tiff(100_000, 100_000, t273=8, t279=50, t278=100_000), "it was cut off"),
        (lying_tiff(100_000, 100_000, t273=8, t279=50, t278=1), "in 100000 blocks but lists 1"),
        (lying_tiff(100_000, 100_000, t273=8, t279=4_000_000_000, t278=100_000), "it was cut off"),
        (lying_tiff(100_000, 100_000, t273=8, t279=50, t278=100_000, t259=8), "bytes that unpack to 10000000000"),
        (lying_tiff(100, 100, t273=8, t279=5_000, t278=100, t259=8), "up to byte 5000 but has"),
        (lying_tiff(0, 10), "gives no size"),
        (b"II*\0\xff\xff\xff\x7f", "header is cut off"),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(40), "claims 65535 tags"),
        (b"PK\x03\x04" + bytes(40), "is not a TIFF"),
        (b"", "is empty"),
    ],
)
def test_a_tiff_that_claims_more_than_it_has_is_refused_before_it_is_unpacked(
    tmp_path: Path, data: bytes, part: str
) -> None:
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(FormatError) as caught:
        open_raster(tmp_path / "a.tif")
    assert "a.tif" in str(caught.value)
    assert part in str(caught.value), str(caught.value)


def test_damage_inside_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", values("uint8"), GRIDS["utm"], compress="deflate")
    data = bytearray(path.read_bytes())
    image = open_raster(path)
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    data[offset : offset + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.tif: broken TIFF"):
        np.asarray(pickle.loads(pickle.dumps(image)).pixels)
    with pytest.raises(InputError, match="no such file"):
        open_raster(tmp_path / "none.tif")
    with pytest.raises(FormatError, match="one real kind of number"):
        open_raster(make_raster(tmp_path / "c.tif", values("float32").astype("complex64"), GRIDS["utm"]))
