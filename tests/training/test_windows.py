"""What is held out, where windows are cut, and what chance does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.windows import Window
from maskwright.errors import EmptyResultError, GridError, InputError
from maskwright.io.masks import read_mask, write_mask
from maskwright.io.rasters import write_raster
from maskwright.training.augment import Draw, draw, plain
from maskwright.training.pictures import POINT, Collection, gather_pictures
from maskwright.training.splits import Division, divide
from maskwright.training.windows import Cutter, count_cells, cut, scored_batch, scored_windows, statistics
from maskwright.types import UNKNOWN, Grid, Mask, Points, Sample

NAMES = ("", "coral", "sand")
CRS = "EPSG:32740"


def _pixels(height: int, width: int) -> np.ndarray:
    """Pixels that say where they are: row, column, 7."""
    rows, cols = np.indices((height, width))
    return np.stack([rows, cols, np.full((height, width), 7)], axis=2).astype(np.uint16)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Sample]:
    """One picture of 60 x 100 on Earth, pixels of `pixel_m`, class 1 left of column 50 and 2 right of it."""

    def made(
        name: str = "a",
        *,
        pixel_m: float = 0.5,
        left_m: float = 0.0,
        shape: tuple[int, int] = (60, 100),
        **more: object,
    ) -> Sample:
        grid = Grid(*shape, (pixel_m, 0, 317000 + left_m, 0, -pixel_m, 7668000.0), CRS)
        path, mask_path = tmp_path / "pics" / f"{name}.tif", tmp_path / "masks" / f"{name}.tif"
        path.parent.mkdir(exist_ok=True)
        mask_path.parent.mkdir(exist_ok=True)
        write_raster(path, _pixels(*shape), grid)
        ids = np.where(np.arange(shape[1]) < shape[1] // 2, 1, 2).astype(np.uint8)
        write_mask(mask_path, Mask(np.tile(ids, (shape[0], 1)), NAMES, grid))
        return Sample(name, path, mask_paths=(mask_path,), **more)  # type: ignore[arg-type]

    return made


def test_labels_come_from_masks_then_points(make: Callable[..., Sample]) -> None:
    points = Points(np.array([3.0]), np.array([4.0]), np.array([2], np.uint8), weights=np.array([0.5]))
    (picture,) = gather_pictures([replace(make(), hints=(points,))]).pictures
    part = picture.read(Window(2, 3, 6, 53))
    assert part.class_ids[1, 1] == 2 and part.confidence[1, 1] == 0.5
    assert np.argwhere(part.told_by == POINT).tolist() == [[1, 1]] and part.told_by.sum() == POINT
    assert part.class_ids[0, 0] == 1 and part.class_ids[0, -1] == 2 and part.confidence[0, 0] == 1
    assert part.pixels[0, 0].tolist() == [2, 3, 7]


def test_the_first_mask_that_knows_wins(make: Callable[..., Sample], tmp_path: Path) -> None:
    sample = make()
    ids = np.full((60, 100), UNKNOWN, np.uint8)
    ids[:, :10] = 2
    write_mask(tmp_path / "first.tif", Mask(ids, NAMES, gather_pictures([sample]).pictures[0].grid))
    both = replace(sample, mask_paths=(tmp_path / "first.tif", *sample.mask_paths))
    labels, _ = gather_pictures([both]).pictures[0].labels(Window(0, 0, 1, 100))
    assert labels[0].tolist() == [2] * 10 + [1] * 40 + [2] * 50


def test_masks_with_other_tables_are_joined_by_name(make: Callable[..., Sample], tmp_path: Path) -> None:
    first, second = make("a"), make("b", left_m=1000)
    grid = gather_pictures([second]).pictures[0].grid
    ids = np.full((60, 100), 1, np.uint8)
    ids[0] = 2
    write_mask(second.mask_paths[0], Mask(ids, ("", "sand", "rock"), grid))
    collection = gather_pictures([first, second])
    assert collection.class_names == ("", "coral", "sand", "rock")
    labels, _ = collection.pictures[1].labels(Window(0, 0, 2, 1))
    assert labels[:, 0].tolist() == [3, 2]
    with pytest.raises(InputError, match="has the class 'rock'; the classes are coral, sand"):
        gather_pictures([first, second], NAMES)


def test_what_cannot_be_learned_from_is_said(make: Callable[..., Sample], tmp_path: Path) -> None:
    with pytest.raises(EmptyResultError, match="none of the pictures has a mask or points"):
        gather_pictures([Sample("a", make().image_path)])
    write_mask(tmp_path / "small.png", Mask(np.zeros((5, 6), np.uint8), ("x",)))
    with pytest.raises(GridError, match="is 5 x 6 pixels but its picture is 60 x 100"):
        gather_pictures([replace(make(), mask_paths=(tmp_path / "small.png",))])


def test_grey_pictures_among_colours_become_colours(make: Callable[..., Sample], tmp_path: Path) -> None:
    grey = make("grey", left_m=1000)
    write_raster(grey.image_path, _pixels(60, 100)[..., :1], gather_pictures([grey]).pictures[0].grid)
    collection = gather_pictures([make(), grey])
    assert collection.bands == 3
    assert collection.pictures[1].read(Window(2, 3, 3, 4)).pixels.tolist() == [[[2, 2, 2]]]
    assert gather_pictures([grey]).bands == 1
    write_raster(grey.image_path, _pixels(60, 100)[..., :2], collection.pictures[1].grid)
    with pytest.raises(InputError, match="grey has 2 and a has 3; expected the same number"):
        gather_pictures([make(), grey])


def test_big_rasters_stay_in_their_file_and_read_the_same(
    make: Callable[..., Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make()
    mask = read_mask(sample.mask_paths[0])
    sure = np.linspace(0, 1, 6000, dtype=np.float32).reshape(60, 100)
    write_mask(sample.mask_paths[0], replace(mask, confidence=sure))
    window = Window(7, 11, 40, 90)
    small = gather_pictures([sample]).pictures[0].read(window)
    for module in ("maskwright.training.pictures", "maskwright.io.images"):
        monkeypatch.setattr(f"{module}.LAZY_PIXELS", 1000)
    picture = gather_pictures([sample]).pictures[0]
    big = picture.read(window)
    assert all(np.array_equal(one, other) for one, other in zip(small, big, strict=True))
    kept = [each for read in picture.store._kept.values() for each in read]
    assert kept and not any(isinstance(each, np.ndarray) for each in kept)


def test_what_was_decoded_is_forgotten_when_it_becomes_too_much(make: Callable[..., Sample]) -> None:
    samples = [make(f"p{k}", left_m=1000 * k) for k in range(4)]
    pictures = gather_pictures(samples).pictures
    store = pictures[0].store
    store.most_bytes = 100_000  # one picture and its mask, not two
    before = [each.read(each.window).class_ids for each in pictures]
    assert sum(each.nbytes for read in store._kept.values() for each in read if isinstance(each, np.ndarray)) <= 100_000
    assert all(
        np.array_equal(each.read(each.window).class_ids, ids) for each, ids in zip(pictures, before, strict=True)
    )


def test_a_piece_is_all_that_is_learned_from(make: Callable[..., Sample]) -> None:
    (picture,) = gather_pictures([replace(make(), piece=Window(10, 20, 30, 60))]).pictures
    labels, _ = picture.labels(Window(0, 0, 60, 100))
    assert (labels[10:30, 20:60] != UNKNOWN).all() and (labels != UNKNOWN).sum() == 20 * 40


def _collection(*samples: Sample) -> Collection:
    return gather_pictures(samples)


def test_blocks_hold_out_ground_with_a_margin_around_it(make: Callable[..., Sample]) -> None:
    collection = _collection(make(shape=(256, 512)))
    division = divide(collection, how="auto", fraction=0.2, random_state=0, block_px=64)
    assert division.how == "block" and division.blocks and division.side_px == 64
    picture, whole = collection.pictures[0], Window(0, 0, 256, 512)
    scored, hidden = (division.hidden(picture, whole, margin=each) for each in (False, True))
    assert 0.05 < scored.mean() <= 0.25
    assert hidden[scored].all() and hidden.sum() > scored.sum()
    part = Window(30, 90, 170, 333)
    assert np.array_equal(division.hidden(picture, part), hidden[part.slices])


def test_the_same_ground_is_held_out_in_every_picture_of_it(make: Callable[..., Sample]) -> None:
    """A second flight at half the pixel size: its held-out ground is the first one's."""
    collection = _collection(make("a", shape=(128, 256)), make("b", shape=(128, 256)))
    division = divide(collection, how="block", fraction=0.3, random_state=1, block_px=32)
    first, second = (division.hidden(each, Window(0, 0, 128, 256)) for each in collection.pictures)
    assert first.any() and np.array_equal(first, second)


def test_blocks_halve_until_there_are_enough(make: Callable[..., Sample]) -> None:
    division = divide(_collection(make()), how="block", fraction=0.2, random_state=0, block_px=512)
    assert division.side_px <= 64 and division.blocks


def test_sites_and_pictures_are_held_out_whole(make: Callable[..., Sample]) -> None:
    samples = [make(f"p{k}", left_m=1000 * k, site=f"site{k // 2}") for k in range(6)]
    collection = _collection(*samples)
    by_site = divide(collection, how="site", fraction=0.3, random_state=0, block_px=64)
    assert len(by_site.names) == 2
    assert len({int(name[1]) // 2 for name in by_site.names}) == 1
    by_picture = divide(collection, how="picture", fraction=0.2, random_state=0, block_px=64)
    assert len(by_picture.names) == 1
    none = divide(collection, how="none", fraction=0.2, random_state=0, block_px=64)
    assert none.how == "none" and not none.hidden(collection.pictures[0], Window(0, 0, 9, 9)).any()


def test_a_single_thing_is_never_held_out(make: Callable[..., Sample]) -> None:
    division = divide(_collection(make()), how="picture", fraction=0.2, random_state=0, block_px=64)
    assert division.how == "none" and not division.names


def test_no_window_learns_from_what_is_held_out(make: Callable[..., Sample]) -> None:
    collection = _collection(make(shape=(256, 512)))
    division = divide(collection, how="block", fraction=0.3, random_state=0, block_px=64)
    hidden = division.hidden(collection.pictures[0], Window(0, 0, 256, 512))
    cells = count_cells(collection, division)
    assert int(cells.by_class.sum()) == int((~hidden).sum())
    cutter = Cutter(collection, division, cells, 48, 6, {"a": "any"}, colour=0.0)
    for step in range(6):
        batch = cutter.batch_of(step)
        known = batch.class_ids != UNKNOWN
        places = np.rint(batch.pixels[known][:, :2]).astype(int)
        # pixels are interpolated and labels are nearest: one pixel of play
        near = hidden[places[:, 0].clip(0, 255), places[:, 1].clip(0, 511)]
        assert known.any() and near.mean() < 0.02


def test_scored_windows_show_the_held_out_part_and_nothing_else(make: Callable[..., Sample]) -> None:
    collection = _collection(make(shape=(256, 512)))
    division = divide(collection, how="block", fraction=0.3, random_state=0, block_px=64)
    held = division.hidden(collection.pictures[0], Window(0, 0, 256, 512), margin=False)
    seen = np.zeros_like(held)
    for place in scored_windows(collection, division, 64, 100):
        batch = scored_batch(collection, division, place, 64)
        rows, cols = np.rint(batch.pixels[0][batch.class_ids[0] != UNKNOWN][:, :2]).astype(int).T
        seen[rows, cols] = True
    assert np.array_equal(seen, held)


def test_a_window_without_chance_is_a_slice(make: Callable[..., Sample]) -> None:
    collection = _collection(make())
    picture = collection.pictures[0]
    window = cut(picture, Division("none"), plain(3), 20.5, 40.5, 16, 0.0)
    assert np.array_equal(window.pixels, _pixels(60, 100)[13:29, 33:49].astype(np.float32))
    assert np.array_equal(window.class_ids, picture.labels(Window(13, 33, 29, 49))[0]) and window.valid.all()


def test_labels_turn_with_their_pixels(make: Callable[..., Sample]) -> None:
    picture = _collection(make()).pictures[0]
    quarter = Draw(np.array([[0.0, -1.0], [1.0, 0.0]]), np.ones(3, np.float32), np.zeros(3, np.float32))
    window = cut(picture, Division("none"), quarter, 29.5, 49.5, 20, 0.0)
    straight = cut(picture, Division("none"), plain(3), 29.5, 49.5, 20, 0.0)
    assert not np.array_equal(window.class_ids, straight.class_ids)
    assert np.array_equal(window.class_ids, np.where(np.rint(window.pixels[..., 1]) < 50, 1, 2))
    assert np.array_equal(np.rot90(straight.class_ids, -1), window.class_ids) or np.array_equal(
        np.rot90(straight.class_ids), window.class_ids
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), turns=st.sampled_from(["none", "small", "right", "any"]))
def test_chance_keeps_its_bounds(seed: int, turns: str) -> None:
    made = draw(np.random.default_rng(seed), 4, turns=turns, scale=0.25, colour=0.2, step=2.0)  # type: ignore[arg-type]
    size = np.sqrt(abs(np.linalg.det(made.matrix)))
    assert 2 / 1.25 - 1e-9 <= size <= 2 * 1.25 + 1e-9
    assert np.allclose(made.matrix @ made.matrix.T, np.eye(2) * size**2)
    assert np.abs(made.offset).max() <= 0.2 * 4 / 3 + 1e-6 and abs(made.gain - 1).max() <= 0.3
    if turns in ("none", "small"):
        assert made.matrix[0, 0] > 0.9 * size  # up stays up
    if turns == "none":
        assert np.allclose(made.matrix, np.eye(2) * size)


def test_beyond_the_picture_nobody_knows(make: Callable[..., Sample]) -> None:
    picture = _collection(make()).pictures[0]
    window = cut(picture, Division("none"), plain(3), 30.0, 50.0, 120, 0.0)
    known = window.class_ids != UNKNOWN
    assert known.sum() == 60 * 100 and np.array_equal(known, window.valid)


def test_batches_follow_from_the_step_alone_and_ranks_share_them(make: Callable[..., Sample]) -> None:
    collection = _collection(make())
    cells = count_cells(collection, Division("none"))
    cutter = Cutter(collection, Division("none"), cells, 16, 2, {"a": "any"}, random_state=5)
    again, other = cutter.batch_of(3), cutter.batch_of(4)
    assert all(np.array_equal(one, two) for one, two in zip(cutter.batch_of(3), again, strict=True))
    assert not np.array_equal(again.pixels, other.pixels)
    twice = Cutter(collection, Division("none"), cells, 16, 4, {"a": "any"}, random_state=5).batch_of(3)
    shares = [cutter.batch_of(3, rank, 2) for rank in (0, 1)]
    assert np.array_equal(np.stack([each.pixels for each in shares], axis=1).reshape(twice.pixels.shape), twice.pixels)


def test_rare_classes_are_drawn_more_often_than_they_occur(make: Callable[..., Sample], tmp_path: Path) -> None:
    sample = make(shape=(128, 256))
    ids = np.full((128, 256), 2, np.uint8)
    ids[:16, :16] = 1
    write_mask(sample.mask_paths[0], Mask(ids, NAMES, _collection(sample).pictures[0].grid))
    collection = _collection(sample)
    cells = count_cells(collection, Division("none"))
    shares = {}
    for balance in (0.0, 1.0):
        cutter = Cutter(collection, Division("none"), cells, 16, 60, {"a": "none"}, balance=balance)
        shares[balance] = (cutter.batch_of(0).class_ids == 1).any(axis=(1, 2)).mean()
    assert shares[0.0] > 0.15 and shares[1.0] < 0.1


def test_pictures_of_other_pixel_sizes_are_shown_at_one(make: Callable[..., Sample]) -> None:
    collection = _collection(make("a"), make("b", left_m=1000), make("c", left_m=2000, pixel_m=0.25))
    assert collection.pixel_m == pytest.approx(0.5, rel=1e-3)
    assert [collection.step_of(each) for each in collection.pictures] == pytest.approx([1, 1, 2], rel=1e-3)
    window = cut(collection.pictures[2], Division("none"), plain(3, 2.0), 30.0, 50.0, 10, 0.0)
    assert np.diff(window.pixels[5, 2:8, 1]) == pytest.approx(np.full(5, 2.0), abs=0.05)


def test_statistics_are_those_of_valid_pixels(make: Callable[..., Sample]) -> None:
    mean, std = statistics(_collection(make()))
    pixels = _pixels(60, 100).reshape(-1, 3)
    assert mean == pytest.approx(pixels.mean(axis=0)) and std[:2] == pytest.approx(pixels.std(axis=0)[:2])
    assert std[2] == 1.0  # a band that never changes
