"""Masks looked up on other grids: pixel by pixel as the definition says, and the same for any window."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays.windows import Window, split
from maskwright.errors import GridError, InputError, UnknownNameError
from maskwright.io.regrid import Crossing, lay_on, pixel_size_m, regrid
from maskwright.types import UNKNOWN, Grid, Image, Mask

NAMES = ("", "coral", "sand", "weed")
PICTURE = Grid(20, 60, (0.5, 0.0, 322000.0, 0.0, -0.5, 7657800.0), "EPSG:32740")


def coarse(shape: tuple[int, int], transform: tuple[float, ...] | None, crs: str | None = "EPSG:32740") -> Mask:
    random = np.random.default_rng(len(str(transform)))
    ids = random.choice(np.array([1, 2, 3, UNKNOWN], np.uint8), shape)
    grid = Grid(*shape, transform, crs if transform else None)  # type: ignore[arg-type]
    return Mask(ids, NAMES, grid, random.random(shape).astype(np.float32))


def by_hand(mask: Mask, grid: Grid) -> NDArray[np.uint8]:
    """Each pixel centre by itself: its place, the coarse pixel whose edges hold it."""
    ids = np.full(grid.shape, UNKNOWN, np.uint8)
    assert mask.grid.transform is not None
    a, _, c, _, e, f = mask.grid.transform
    for row in range(grid.height):
        for col in range(grid.width):
            x, y = grid.place(row, col)
            i, j = int(np.floor((y - f) / e)), int(np.floor((x - c) / a))
            if 0 <= i < mask.grid.height and 0 <= j < mask.grid.width:
                ids[row, col] = mask.class_ids[i, j]
    return ids


@given(size=st.floats(0.3, 9.0), tall=st.floats(0.3, 9.0), right=st.floats(-8, 25), down=st.floats(-8, 8))
@settings(max_examples=25, deadline=None)
def test_any_coarser_or_shifted_grid_is_looked_up_as_the_definition_says(
    size: float, tall: float, right: float, down: float
) -> None:
    mask = coarse((5, 9), (size, 0.0, 322000.0 + right + 0.013, 0.0, -tall, 7657800.0 + down + 0.017))
    ids, sure = regrid(mask, PICTURE, PICTURE.window)
    np.testing.assert_array_equal(ids, by_hand(mask, PICTURE))
    assert sure is not None and mask.confidence is not None
    assert set(np.unique(sure[ids != UNKNOWN])) <= set(mask.confidence.ravel()) and not sure[ids == UNKNOWN].any()


def test_a_centre_on_a_border_belongs_to_the_later_pixel_and_outside_is_unknown() -> None:
    mask = Mask(np.array([[1, 2]], np.uint8), NAMES, Grid(1, 2, (2.0, 0, 0, 0, -2.0, 3.0), "EPSG:32740"))
    grid = Grid(3, 6, (1.0, 0.0, -0.5, 0.0, -1.0, 3.0), "EPSG:32740")  # centres at x = 0, 1, 2, 3, 4, 5
    ids, sure = regrid(mask, grid, grid.window)
    assert ids.tolist() == [[1, 1, 2, 2, 255, 255]] * 2 + [[255] * 6] and sure is None


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:2975", "EPSG:32739"])
def test_another_coordinate_system_by_transforming_each_centre_alone(crs: str) -> None:
    pyproj = pytest.importorskip("pyproj")
    grid = Grid(300, 700, (0.05, 0.0, 322000.0, 0.0, -0.05, 7657800.0), "EPSG:32740")
    transformer = pyproj.Transformer.from_crs("EPSG:32740", crs, always_xy=True)
    x, y = transformer.transform(*grid.place(*np.mgrid[:300, :700].astype(float)))
    step = (x.max() - x.min()) / 13.3, (y.max() - y.min()) / 5.1
    mask = coarse((6, 13), (step[0], 0.0, x.min() + step[0] / 3, 0.0, -step[1], y.max()), crs)
    rows, cols = np.floor((y.max() - y) / step[1]).astype(int), np.floor((x - x.min()) / step[0] - 1 / 3).astype(int)
    inside = (rows >= 0) & (rows < 6) & (cols >= 0) & (cols < 13)
    expected = np.where(inside, mask.class_ids[rows.clip(0, 5), cols.clip(0, 12)], UNKNOWN)
    ids, _ = regrid(mask, grid, grid.window)
    assert (ids != expected).mean() < 1e-4 and (ids != UNKNOWN).any()


def test_where_a_projection_bends_every_pixel_is_transformed_by_itself() -> None:
    pyproj = pytest.importorskip("pyproj")
    grid = Grid(256, 512, (0.2, 0.0, -40.0, 0.0, -0.2, 75.0), "EPSG:4326")  # half a continent in one block
    mask = coarse((90, 120), (60_000.0, 0.0, -2e6, 0.0, -60_000.0, 7e6), "EPSG:3035")
    x, y = pyproj.Transformer.from_crs(4326, 3035, always_xy=True).transform(*grid.place(*np.mgrid[:256, :512] + 0.0))
    rows, cols = np.floor((7e6 - y) / 6e4).astype(int), np.floor((x + 2e6) / 6e4).astype(int)
    inside = (rows >= 0) & (rows < 90) & (cols >= 0) & (cols < 120)
    expected = np.where(inside, mask.class_ids[rows.clip(0, 89), cols.clip(0, 119)], UNKNOWN)
    np.testing.assert_array_equal(regrid(mask, grid, grid.window)[0], expected)


def test_pixels_that_lie_nowhere_in_the_other_system_are_unknown() -> None:
    grid = Grid(20, 60, (6.0, 0.0, -180.0, 0.0, -9.0, 90.0), "EPSG:4326")  # the whole Earth
    mask = coarse((4, 4), (1000.0, 0.0, 300000.0, 0.0, -1000.0, 6000000.0), "EPSG:32633")
    assert (regrid(mask, grid, grid.window)[0] == UNKNOWN).mean() > 0.9


@pytest.mark.parametrize("crs", ["EPSG:32740", "EPSG:4326"])
@pytest.mark.parametrize("error_m", [0.0, 1.3])
def test_any_piece_comes_out_as_in_the_whole(crs: str, error_m: float) -> None:
    turned = Grid(70, 320, (0.4, 0.3, 322000.0, 0.3, -0.4, 7657800.0), "EPSG:32740")
    image = Image(np.zeros((70, 320, 1), np.uint8), turned)
    x, y = 322000.0, 7657800.0
    transform = (7.0, 0.0, x, 0.0, -7.0, y + 90) if crs == "EPSG:32740" else (7e-5, 0.0, 55.285, 0.0, -7e-5, -21.1713)
    mask = coarse((40, 40), transform, crs)
    whole = lay_on([mask], image, turned.window, NAMES, gps_error_m=error_m)
    assert len(np.unique(whole.class_ids)) == 4 and whole.confidence is not None
    for piece in split(turned.window, (33, 101)):
        part = lay_on([mask], image, piece, NAMES, gps_error_m=error_m)
        np.testing.assert_array_equal(part.class_ids, whole.class_ids[piece.slices])
        np.testing.assert_array_equal(part.confidence, whole.confidence[piece.slices])
        assert part.grid == turned.crop(piece)


@pytest.mark.parametrize("crs", ["EPSG:32740", "EPSG:4326", "EPSG:2975"])
def test_places_do_not_depend_on_the_window_to_the_last_bit(crs: str) -> None:
    turned = Grid(300, 600, (0.4, 0.3, 322000.0, 0.3, -0.4, 7657800.0), "EPSG:32740")
    crossing = Crossing(turned, Grid(9, 9, (3e-5, 1e-6, 55.2854, 1e-6, -3e-5, -21.1724), crs))
    whole = crossing.places(turned.window)
    for piece in split(turned.window, (170, 233)):
        for part, all_of_it in zip(crossing.places(piece), whole, strict=True):
            assert (part == all_of_it[piece.slices]).all()


def test_a_mask_without_a_place_covers_the_picture_from_edge_to_edge() -> None:
    mask = Mask(np.arange(1, 4, dtype=np.uint8)[None], NAMES)
    ids, _ = regrid(mask, PICTURE, PICTURE.window)
    assert (ids == np.repeat([1, 2, 3], 20)).all()
    with pytest.raises(GridError, match=r"3 x 4 pixels and no place.* 20 x 60; expected the same proportions"):
        Crossing(PICTURE, Grid(3, 4))
    Crossing(Grid(21, 64), Grid(5, 15))  # rounded down, within one of its pixels


def test_places_that_cannot_be_compared_are_refused() -> None:
    placed = Grid(2, 6, (5.0, 0.0, 322000.0, 0.0, -5.0, 7657800.0), "EPSG:32740")
    with pytest.raises(GridError, match="the mask lies on Earth but the picture does not"):
        Crossing(Grid(20, 60), placed)
    with pytest.raises(GridError, match="the mask names no coordinate system"):
        Crossing(PICTURE, Grid(2, 6, placed.transform))
    with pytest.raises(InputError, match="'EPSG:9', is not known"):
        mask = Mask(np.ones((2, 6), np.uint8), NAMES, Grid(2, 6, placed.transform, "EPSG:9"))
        regrid(mask, PICTURE, PICTURE.window)


def test_a_mask_beside_the_picture_is_refused() -> None:
    image = Image(np.zeros((20, 60, 1), np.uint8), PICTURE)
    beside = coarse((5, 9), (2.0, 0.0, 322031.0, 0.0, -2.0, 7657800.0))
    with pytest.raises(GridError, match="the mask lies beside the picture: its middle is at row 10, column 80"):
        lay_on([beside], image, Window(0, 0, 5, 5), NAMES)
    touching = coarse((5, 9), (2.0, 0.0, 322029.0, 0.0, -2.0, 7657800.0))
    assert (lay_on([touching], image, Window(0, 0, 5, 5), NAMES).class_ids == UNKNOWN).all()


def test_classes_are_matched_by_name_never_by_order() -> None:
    mask = Mask(np.array([[0, 1, UNKNOWN]], np.uint8), ("weed", "coral"))
    image = Image(np.zeros((1, 3, 1), np.uint8))
    assert lay_on([mask], image, image.grid.window, NAMES).class_ids.tolist() == [[3, 1, UNKNOWN]]
    with pytest.raises(UnknownNameError, match="'weed'"):
        lay_on([mask], image, image.grid.window, ("coral", "sand"))
    with pytest.raises(InputError, match="the id 2, which no class has"):
        strange = Mask(np.array([[0, 1, 2]], np.uint8), ("weed", "coral"))
        lay_on([strange], image, image.grid.window, strange.class_names)


def test_several_masks_speak_by_the_sum_of_their_confidences() -> None:
    def said(ids: list[int], sure: list[float]) -> Mask:
        return Mask(np.array([ids], np.uint8), NAMES, None, np.array([sure], np.float32))  # type: ignore[arg-type]

    image = Image(np.zeros((1, 5, 1), np.uint8), valid=np.array([[1, 1, 1, 1, 0]], bool))
    masks = [said([1, 1, 1, 255, 1], [0.5, 0.9, 0.4, 0, 1]), said([1, 2, 2, 255, 1], [0.7, 0.3, 0.4, 0, 1])]
    mask = lay_on(masks, image, image.grid.window, NAMES)
    assert mask.class_ids.tolist() == [[1, 1, UNKNOWN, UNKNOWN, UNKNOWN]] and mask.confidence is not None
    np.testing.assert_allclose(mask.confidence, [[0.6, 0.45, 0, 0, 0]], atol=1e-6)


def test_the_band_is_as_wide_as_the_error_on_the_ground() -> None:
    ids = np.repeat(np.array([[1, 2]], np.uint8), 3, axis=0)
    coarse_grid = Grid(3, 2, (15.0, 0.0, 322000.0, 0.0, -5.0, 7657802.5), "EPSG:32740")
    image = Image(np.zeros((20, 60, 1), np.uint8), PICTURE)  # border before column 30, half a metre per pixel
    mask = lay_on([Mask(ids, NAMES, coarse_grid)], image, PICTURE.window, NAMES, gps_error_m=2.0)
    assert (np.flatnonzero((mask.class_ids == UNKNOWN).all(axis=0)) == np.arange(26, 34)).all()
    assert (mask.class_ids[:, :26] == 1).all() and (mask.class_ids[:, 34:] == 2).all()
    with pytest.raises(InputError, match="the band along borders is 1200 pixels wide; expected at most 1024"):
        lay_on([Mask(ids, NAMES, coarse_grid)], image, PICTURE.window, NAMES, gps_error_m=600.0)
    with pytest.raises(GridError, match="metres needs a picture on Earth"):
        plain = Image(np.zeros((3, 2, 1), np.uint8))
        lay_on([Mask(ids, NAMES)], plain, plain.grid.window, NAMES, gps_error_m=2.0)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        (PICTURE, (0.5, 0.5)),
        (Grid(10, 10, (1.0, 0, 0.0, 0, -1.0, 6e6), "EPSG:3857"), (0.6774, 0.6774)),  # Mercator at 47.3 degrees north
        (Grid(10, 10, (1e-5, 0.0, 0.0, 0.0, -1e-5, 60.0), "EPSG:4326"), (1.1141, 0.558)),
        (Grid(10, 10, (1.0, 0, 6e6, 0, -1.0, 2e6), "EPSG:2263"), (0.3048, 0.3048)),  # feet
    ],
)
def test_the_size_of_a_pixel_in_metres(grid: Grid, expected: tuple[float, float]) -> None:
    assert pixel_size_m(grid) == pytest.approx(expected, rel=0.02)


def test_strips_of_a_tall_window_join(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(700, 90, (0.01, 0.0, 322000.0, 0.0, -0.01, 7657800.0), "EPSG:32740")
    mask = coarse((40, 40), (0.37, 0.0, 321999.3, 0.0, -0.37, 7657800.9))
    ids, sure = regrid(mask, grid, grid.window)
    monkeypatch.setattr("maskwright.io.regrid.STRIP_PIXELS", 1)
    parts = regrid(mask, grid, grid.window)
    np.testing.assert_array_equal(parts[0], ids)
    np.testing.assert_array_equal(parts[1], sure)
    np.testing.assert_array_equal(ids, by_hand(mask, grid))


def test_a_tile_of_512_is_looked_up_in_20_ms() -> None:
    grid = Grid(512, 512, (0.01, 0.0, 322000.0, 0.0, -0.01, 7657800.0), "EPSG:32740")
    mask = coarse((40, 40), (0.37, 0.0, 321999.3, 0.0, -0.37, 7657800.9))
    best = min(_seconds(mask, grid) for _ in range(7))
    assert best < 0.020
    np.testing.assert_array_equal(
        regrid(mask, grid, Window(100, 200, 120, 260))[0], by_hand(mask, grid.crop(Window(100, 200, 120, 260)))
    )


def _seconds(mask: Mask, grid: Grid) -> float:
    start = time.perf_counter()
    regrid(mask, grid, grid.window)
    return time.perf_counter() - start
