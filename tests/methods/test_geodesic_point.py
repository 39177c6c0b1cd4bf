"""GeodesicPoint follows colours, means the same in every dtype, and says unknown where nothing reaches."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import InputError
from maskwright.methods.geodesic_point import GeodesicPoint
from maskwright.types import UNKNOWN, Image, Points

NAMES = ("", "coral", "sand")


def points(*places: tuple[float, float, int]) -> Points:
    rows, cols, ids = zip(*places, strict=True)
    return Points(np.array(rows, float), np.array(cols, float), np.array(ids, np.uint8))


def reef(dtype: type = np.uint8) -> Image:
    """Bright coral left of column 45, dark sand right of it: the points sit far from the middle."""
    grey = np.full((20, 60, 3), 40, np.uint8)
    grey[:, :45] = 200
    return Image(grey.astype(dtype) * dtype(257) if dtype is np.uint16 else grey.astype(dtype))


HINT = points((5, 9, 1), (15, 50, 2))


def test_classes_end_where_the_colour_ends() -> None:
    mask = GeodesicPoint()(reef(), [HINT], NAMES)
    assert (mask.class_ids[:, :45] == 1).all()
    assert (mask.class_ids[:, 45:] == 2).all()
    assert mask.history[0].name == "geodesic_point"


def test_without_colour_it_is_the_nearest_point() -> None:
    mask = GeodesicPoint(colour_weight=0)(reef(), [points((5, 9, 1), (5, 50, 2))], NAMES)
    assert (mask.class_ids[5] == [1] * 30 + [2] * 30).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_a_picture_means_the_same_in_every_dtype(dtype: type) -> None:
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (20, 60, 3)).astype(np.uint8)
    pixels[0, 0], pixels[0, 1] = 0, 255
    other = pixels.astype(dtype) * 257 if dtype is np.uint16 else (pixels / 255).astype(dtype)
    a = GeodesicPoint()(Image(pixels), [HINT], NAMES)
    b = GeodesicPoint()(Image(other.astype(dtype)), [HINT], NAMES)
    assert (a.class_ids != b.class_ids).mean() < 0.003
    np.testing.assert_allclose(a.confidence, b.confidence, atol=1e-4)  # type: ignore[arg-type]


def test_confidence_is_one_on_points_and_low_at_the_border() -> None:
    mask = GeodesicPoint()(Image(np.zeros((20, 60, 3), np.uint8)), [points((5, 10, 1), (5, 50, 2))], NAMES)
    assert mask.confidence is not None
    assert mask.confidence[5, 10] == mask.confidence[5, 50] == 1
    assert mask.confidence[5, 30] == pytest.approx(0, abs=1e-6)
    assert mask.confidence[5, 20] == pytest.approx(0.5, abs=1e-5)
    assert (mask.confidence >= 0).all()
    assert (GeodesicPoint()(reef(), [points((5, 9, 1))], NAMES).confidence == 1).all()


def test_no_way_crosses_pixels_without_data() -> None:
    valid = np.ones((20, 60), bool)
    valid[:, 30] = False
    picture = Image(np.zeros((20, 60, 3), np.uint8), valid=valid)
    mask = GeodesicPoint()(picture, [points((5, 9, 1), (7, 30, 2))], NAMES)
    assert (mask.class_ids[:, :30] == 1).all()
    assert (mask.class_ids[:, 30:] == UNKNOWN).all()
    assert not mask.confidence[:, 30:].any()  # type: ignore[index]


def test_reach_ends_in_unknown() -> None:
    mask = GeodesicPoint(colour_weight=0.0, reach=5)(reef(), [points((5, 9, 1))], NAMES)
    assert (mask.class_ids[5] != UNKNOWN).sum() == 11


def test_a_point_keeps_its_class_where_colour_alone_counts() -> None:
    mask = GeodesicPoint(colour_weight=1.0)(Image(np.zeros((4, 9, 1), np.uint8)), [points((1, 1, 1), (2, 7, 2))], NAMES)
    assert mask.class_ids[2, 7] == 2
    assert (mask.class_ids == 1).sum() == 35
    assert mask.confidence is not None
    assert mask.confidence[0, 0] == 0


def test_wrong_settings_and_hints_are_told() -> None:
    for wrong in ({"colour_weight": 2.0}, {"reach": -1.0}, {"neighbours": 6}):
        with pytest.raises(InputError, match="expected"):
            GeodesicPoint(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no points"):
        GeodesicPoint()(reef(), [], NAMES)


def test_thin_pictures_and_none_valid() -> None:
    one = GeodesicPoint()(Image(np.zeros((1, 1, 1), np.uint8)), [points((0, 0, 1))], NAMES)
    assert one.class_ids.tolist() == [[1]]
    row = GeodesicPoint()(Image(np.zeros((1, 9, 1), np.float32)), [points((0, 0, 1))], NAMES)
    assert (row.class_ids == 1).all()
    none = Image(np.zeros((3, 9, 1), np.float32), valid=np.zeros((3, 9), bool))
    assert (GeodesicPoint()(none, [points((0, 0, 1))], NAMES).class_ids == UNKNOWN).all()


def test_softening_keeps_noise_from_making_ways_long() -> None:
    noise = np.random.default_rng(3).normal(0, 25, (60, 180, 3))
    pixels = np.full((60, 180, 3), 80.0)
    pixels[:, 100:] = 170
    picture = Image((pixels + noise).clip(0, 255).astype(np.uint8))
    hint = points((30, 20, 1), (30, 120, 2))
    truth = np.where(np.arange(180) < 100, 1, 2)
    right = {
        soft: (GeodesicPoint(soften_px=soft)(picture, [hint], NAMES).class_ids == truth).mean() for soft in (0.0, 2.0)
    }
    assert right[2.0] > 0.97
    assert right[0.0] < right[2.0] - 0.05


def test_softness_has_limits() -> None:
    with pytest.raises(InputError, match="soften_px"):
        GeodesicPoint(soften_px=-1)
