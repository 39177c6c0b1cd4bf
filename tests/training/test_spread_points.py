"""Soft labels around points: where they flow, what they leave alone, and that held-out points do not take part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.arrays.windows import Window
from maskwright.training import spread_points as spreading
from maskwright.training.pictures import MASK, POINT, SPREAD, Collection, gather_pictures
from maskwright.training.splits import Division
from maskwright.training.spread_points import FEW_POINTS, are_few, spread_points
from maskwright.types import UNKNOWN, Points
from tests.training_scenes import CLASS_NAMES, make_samples, pointed

WHOLE = Window(0, 0, 48, 80)
NOTHING = Division("none")


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return gather_pictures(pointed(make_samples(tmp_path, 4)), CLASS_NAMES)


def test_look_alikes_of_points_get_their_class_and_points_keep_theirs(collection: Collection, tmp_path: Path) -> None:
    for sample, before, after in zip(
        make_samples(tmp_path, 4), collection.pictures, spread_points(collection, NOTHING).pictures, strict=True
    ):
        truth = np.asarray(PIL.Image.open(sample.mask_paths[0]))
        part, bare = after.read(WHOLE), before.read(WHOLE)
        assert (part.class_ids == truth).mean() > 0.9
        right, wrong = part.confidence[part.class_ids == truth], part.confidence[part.class_ids != truth]
        assert right.mean() > 0.8 and (not wrong.size or right.mean() > wrong.mean() + 0.05)
        named = bare.class_ids != UNKNOWN
        assert named.sum() == 8 and (part.told_by == np.where(named, POINT, SPREAD)).all()
        assert np.array_equal(part.class_ids[named], bare.class_ids[named]) and (part.confidence[named] == 1).all()
        assert set(np.unique(bare.told_by)) == {MASK, POINT}


def test_a_picture_with_a_mask_stays_as_it_is(tmp_path: Path) -> None:
    samples = make_samples(tmp_path, 3, known=0.5)
    bare = pointed(samples)
    both = replace(bare[0], mask_paths=samples[0].mask_paths)
    collection = gather_pictures([both, *bare[1:]], CLASS_NAMES)
    spread = spread_points(collection, NOTHING)
    assert [bool(each.tiles) for each in spread.pictures] == [False, True, True]
    assert np.array_equal(spread.pictures[0].labels(WHOLE)[0], collection.pictures[0].labels(WHOLE)[0])


def test_points_that_are_held_out_teach_nothing(collection: Collection) -> None:
    held_out = Division("picture", frozenset({"p0"}))
    spread = spread_points(collection, held_out)
    assert not spread.pictures[0].tiles and all(each.tiles for each in spread.pictures[1:])
    others = replace(collection, pictures=collection.pictures[1:])
    alone = spread_points(others, NOTHING)
    for one, other in zip(spread.pictures[1:], alone.pictures, strict=True):
        assert np.array_equal(one.labels(WHOLE)[0], other.labels(WHOLE)[0])
        assert np.array_equal(one.labels(WHOLE)[1], other.labels(WHOLE)[1])


def test_few_points_are_counted_per_class_and_picture_and_masks_are_not_few(tmp_path: Path) -> None:
    samples = make_samples(tmp_path, 2)
    few, many = (gather_pictures(pointed(samples, count), CLASS_NAMES) for count in (FEW_POINTS, FEW_POINTS + 1))
    assert are_few(few) and not are_few(many)
    uneven = [pointed(samples, 2 * FEW_POINTS - 4)[0], pointed(samples, 4)[1]]
    assert are_few(gather_pictures(uneven, CLASS_NAMES)), "on average"
    assert not are_few(gather_pictures([pointed(samples)[0], samples[1]], CLASS_NAMES))


def test_points_of_one_class_tell_nothing_apart(tmp_path: Path) -> None:
    points = Points(np.array([3.0, 9.0]), np.array([4.0, 70.0]), np.array([2, 2], np.uint8))
    samples = [replace(each, mask_paths=(), hints=(points,)) for each in make_samples(tmp_path, 2)]
    collection = gather_pictures(samples, CLASS_NAMES)
    assert spread_points(collection, NOTHING) is collection


def test_big_pictures_go_by_tiles_and_far_from_points_nothing_is_said(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "TILE_PX", 40)
    monkeypatch.setattr(spreading, "MARGIN_PX", 0)
    picture = collection.pictures[0]
    points = Points(np.array([3.0, 20.0]), np.array([4.0, 30.0]), np.array([1, 2], np.uint8))
    one = replace(picture, sample=replace(picture.sample, hints=(points,)))
    (spread,) = spread_points(replace(collection, pictures=(one,)), NOTHING).pictures
    assert [each.window for each in spread.tiles] == [Window(0, 0, 40, 40)]
    class_ids, confidence = spread.labels(WHOLE)
    assert (class_ids[:40, :40] != UNKNOWN).all() and (class_ids[40:] == UNKNOWN).all()
    assert (class_ids[:, 40:] == UNKNOWN).all() and not confidence[:, 40:].any()
    part, low = spread.labels(Window(10, 20, 44, 50)), confidence[10:44, 20:50]
    assert np.array_equal(part[0], class_ids[10:44, 20:50]) and np.array_equal(part[1], low)


def test_the_same_again(collection: Collection) -> None:
    one, other = (spread_points(collection, NOTHING) for _ in range(2))
    for first, second in zip(one.pictures, other.pictures, strict=True):
        for kind in (0, 1):
            assert np.array_equal(first.labels(WHOLE)[kind], second.labels(WHOLE)[kind])


def test_of_too_many_pixels_some_are_looked_at_evenly(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "MOST_PIXELS", 2 * 48 * 80)
    assert [bool(each.tiles) for each in spread_points(collection, NOTHING).pictures] == [True, False, True, False]
