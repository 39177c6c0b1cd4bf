"""Points of a whole collection to masks: better than nearness, the same again, and sane where points are few."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwright.contracts import check_labeler, check_learner
from maskwright.errors import EmptyResultError, InputError
from maskwright.io.images import read_image
from maskwright.methods import point_forest
from maskwright.methods.nearest_point import NearestPoint
from maskwright.methods.point_forest import PointForest, PointLabeler
from maskwright.types import UNKNOWN, Image, Mask, Points, Sample

NAMES = ("", "sand", "coral", "rock")
QUICK = PointForest(trees=20)


def truth_of(number: int, height: int = 48, width: int = 90) -> np.ndarray:
    """Sand, two discs of coral, and rock in every other picture."""
    random = np.random.default_rng(number)
    rows, cols = np.indices((height, width))
    truth = np.ones((height, width), np.uint8)
    for _ in range(2):
        row, col = random.integers(10, 38), random.integers(10, 80)
        truth[(rows - row) ** 2 + (cols - col) ** 2 < 100] = 2
    if number % 2:
        truth[:, 70:84] = 3
    return truth


def pixels_of(truth: np.ndarray, number: int, noise: float = 12.0) -> np.ndarray:
    colours = np.array([(0, 0, 0), (160, 150, 120), (150, 90, 110), (60, 70, 60)])
    random = np.random.default_rng([1, number])
    return (colours[truth] + random.normal(0, noise, (*truth.shape, 3))).clip(0, 255).astype(np.uint8)


def points_in(truth: np.ndarray, count: int, number: int = 0) -> Points:
    random = np.random.default_rng([2, number])
    found = [np.argwhere(truth == each) for each in np.unique(truth)]
    chosen = np.concatenate([random.choice(each, min(count, len(each)), replace=False) for each in found])
    rows, cols = chosen.T.astype(float)
    return Points(rows, cols, truth[chosen[:, 0], chosen[:, 1]])


def collection(folder: Path, count: int = 4, points: int = 4) -> tuple[list[Sample], list[np.ndarray]]:
    samples, truths = [], []
    for number in range(count):
        truth = truth_of(number)
        cv2.imwrite(str(folder / f"reef-{number}.png"), pixels_of(truth, number)[..., ::-1])
        hints = (points_in(truth, points, number),) if points else ()
        samples.append(Sample(f"reef-{number}", folder / f"reef-{number}.png", hints=hints))
        truths.append(truth)
    return samples, truths


def labelled(labeler: PointLabeler, sample: Sample) -> Mask:
    return labeler(read_image(sample.image_path), sample.hints, NAMES)


def right(mask: Mask, truth: np.ndarray) -> float:
    return float((mask.class_ids == truth).mean())


def test_a_few_points_per_class_are_enough(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path)
    labeler = QUICK(samples)
    for sample, truth in zip(samples, truths, strict=True):
        mask = labelled(labeler, sample)
        nearest = NearestPoint()(read_image(sample.image_path), sample.hints, NAMES)
        assert right(mask, truth) > 0.95 > right(nearest, truth)
        assert set(np.unique(mask.class_ids)) == set(np.unique(truth))


def test_points_keep_their_class_and_are_certain(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path)
    wrong = Points(np.array([2.0]), np.array([2.0]), np.array([3], np.uint8))
    mask = QUICK(samples)(read_image(samples[1].image_path), (*samples[1].hints, wrong), NAMES)
    assert truths[1][2, 2] == 1 and mask.class_ids[2, 2] == 3
    assert mask.confidence is not None and mask.confidence[2, 2] == 1


def test_a_picture_without_points_is_labelled_by_what_others_taught(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path)
    mask = QUICK(samples[:3])(read_image(samples[3].image_path), (), NAMES)
    assert right(mask, truths[3]) > 0.9


def test_one_point_per_class_and_classes_only_elsewhere(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path, points=1)
    labeler = QUICK(samples)
    assert labeler.trust.tolist() == list(point_forest.START_TRUST), "nothing can be left out"
    assert np.mean([right(labelled(labeler, s), t) for s, t in zip(samples, truths, strict=True)]) > 0.8
    assert 3 not in labelled(labeler, samples[0]).class_ids


def test_a_picture_with_one_class_of_points_has_that_class(tmp_path: Path) -> None:
    samples, _ = collection(tmp_path)
    sand = Points(np.array([1.0]), np.array([1.0]), np.array([1], np.uint8))
    assert (QUICK(samples)(read_image(samples[0].image_path), (sand,), NAMES).class_ids == 1).all()


def test_the_same_again_after_saving(tmp_path: Path) -> None:
    samples, _ = collection(tmp_path)
    first, again = QUICK(samples), QUICK(samples)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first.save(tmp_path / "a")
    again.save(tmp_path / "b")
    for name in ("point_forest.npz", "point_forest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    loaded = QUICK.load(tmp_path / "a")
    ours, theirs = (labelled(each, samples[0]) for each in (first, loaded))
    assert np.array_equal(ours.class_ids, theirs.class_ids)
    assert np.array_equal(ours.confidence, theirs.confidence)  # type: ignore[arg-type]


def test_big_pictures_are_the_same_whatever_the_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_forest, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(point_forest, "WINDOW_PX", 40)
    monkeypatch.setattr(point_forest, "OVERLAP_PX", 16)
    samples, truths = collection(tmp_path, points=8)
    labeler, image = QUICK(samples), read_image(samples[1].image_path)
    whole = labelled(labeler, samples[1])
    assert right(whole, truths[1]) > 0.9
    for window in (image.grid.window._replace(right=33), image.grid.window._replace(left=33, top=7)):
        part = labeler.label_window(image, samples[1].hints, NAMES, window)
        assert np.array_equal(part.class_ids, whole.class_ids[window.slices])
        assert np.array_equal(part.confidence, whole.confidence[window.slices])  # type: ignore[arg-type, index]


def test_confidence_means_what_it_says(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path, count=6, points=15)
    for sample, truth in zip(samples, truths, strict=True):  # so noisy that nobody can be sure
        cv2.imwrite(str(sample.image_path), pixels_of(truth, 5, noise=300)[..., ::-1])
    labeler = QUICK(samples)
    masks = [labelled(labeler, sample) for sample in samples]
    claimed = np.mean([each.confidence.mean() for each in masks if each.confidence is not None])
    was = np.mean([right(mask, truth) for mask, truth in zip(masks, truths, strict=True)])
    assert 0.5 < was < 0.93
    assert abs(claimed - was) < 0.06


def test_grey_and_colour_go_together_and_five_bands_do_not(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path)
    grey = cv2.imread(str(samples[0].image_path), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(samples[0].image_path), grey)
    labeler = QUICK(samples)
    assert right(labelled(labeler, samples[0]), truths[0]) > 0.8
    with pytest.raises(InputError, match="a picture has 5 channels; those learned from have 3"):
        labeler(Image(np.zeros((9, 20, 5), np.uint8)), (), NAMES)


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_sixteen_bits_and_many_bands(tmp_path: Path, bands: int) -> None:
    from maskwright.io.rasters import write_raster
    from maskwright.types import Grid

    truth = truth_of(1)
    pixels = np.resize(pixels_of(truth, 1).transpose(2, 0, 1), (bands, *truth.shape)).transpose(1, 2, 0)
    path = tmp_path / "deep.tif"
    write_raster(path, pixels.astype(np.uint16) * 9 + 300, Grid(*truth.shape))
    sample = Sample("deep", path, hints=(points_in(truth, 10),))
    assert right(labelled(QUICK([sample]), sample), truth) > 0.85


def test_points_without_data_and_invalid_pixels_say_nothing(tmp_path: Path) -> None:
    samples, truths = collection(tmp_path)
    image = read_image(samples[0].image_path)
    valid = np.ones(image.grid.shape, bool)
    valid[:, :20] = False
    mask = QUICK(samples)(Image(image.pixels, valid=valid), samples[0].hints, NAMES)
    assert (mask.class_ids[:, :20] == UNKNOWN).all() and not mask.confidence[:, :20].any()  # type: ignore[index]
    assert (mask.class_ids[:, 20:] == truths[0][:, 20:]).mean() > 0.9


def test_keeps_the_promises_of_a_learner_and_a_labeler(tmp_path: Path) -> None:
    check_learner(PointForest(trees=5))
    samples, _ = collection(tmp_path, count=2)
    check_labeler(PointForest(trees=5)(samples), class_names=NAMES, hints=corners)


def corners(image: Image) -> tuple[Points, ...]:
    bottom, right = image.grid.height - 1.0, image.grid.width - 1.0
    return (Points(np.array([0.0, bottom]), np.array([0.0, right]), np.array([1, 2], np.uint8)),)


def test_nothing_to_learn_from_and_wrong_settings_say_so(tmp_path: Path) -> None:
    samples, _ = collection(tmp_path, count=2, points=0)
    with pytest.raises(EmptyResultError, match="none of the 2 pictures has a point"):
        QUICK(samples)
    with pytest.raises(InputError, match="trees is 0"):
        PointForest(trees=0)
    with pytest.raises(InputError, match="share_hold is 2"):
        PointForest(share_hold=2)
    with pytest.raises(InputError, match="pull is 0"):
        PointForest(pull=0)
