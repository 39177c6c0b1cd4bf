"""NearestPoint on scenes with a known answer, by windows, and on what people get wrong."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays.windows import Window
from maskwright.errors import InputError
from maskwright.methods import nearest_point
from maskwright.methods.nearest_point import NearestPoint
from maskwright.types import UNKNOWN, Image, Points, Tags

NAMES = ("", "coral", "sand", "rubble")


def points(*places: tuple[float, float, int]) -> Points:
    rows, cols, ids = zip(*places, strict=True)
    return Points(np.array(rows, float), np.array(cols, float), np.array(ids, np.uint8))


def image(height: int = 20, width: int = 60, valid: np.ndarray | None = None) -> Image:
    return Image(np.zeros((height, width, 3), np.uint8), valid=valid)


def test_two_points_share_the_picture_half_and_half() -> None:
    mask = NearestPoint()(image(), [points((5, 9, 1), (5, 50, 2))], NAMES)
    assert (mask.class_ids[:, :30] == 1).all()
    assert (mask.class_ids[:, 30:] == 2).all()
    assert [step.name for step in mask.history] == ["nearest_point"]
    assert mask.class_names == NAMES


def test_confidence_is_one_on_points_and_nothing_between_classes() -> None:
    mask = NearestPoint()(image(), [points((5, 10, 1), (5, 50, 2))], NAMES)
    assert mask.confidence is not None
    assert mask.confidence[5, 10] == mask.confidence[5, 50] == 1
    assert mask.confidence[5, 30] == 0
    assert mask.confidence[5, 20] == pytest.approx((30 - 10) / 40 * 2 ** (-10 / np.sqrt(600)), rel=1e-6)
    assert (np.diff(mask.confidence[5, 10:31]) < 0).all()


def test_alone_confidence_only_falls_with_distance() -> None:
    mask = NearestPoint()(image(), [points((0, 0, 3))], NAMES)
    assert mask.confidence is not None
    assert mask.confidence[0, 20] == pytest.approx(2 ** (-20 / np.sqrt(1200)), rel=1e-6)


def test_beyond_reach_nobody_knows() -> None:
    mask = NearestPoint(reach_px=4)(image(), [points((5, 10, 1))], NAMES)
    rows, cols = np.indices((20, 60))
    near = np.hypot(rows - 5, cols - 10) <= 4
    np.testing.assert_array_equal(mask.class_ids, np.where(near, 1, UNKNOWN))
    assert mask.confidence is not None
    assert not mask.confidence[~near].any()


def test_pixels_without_data_are_unknown_but_points_on_them_speak() -> None:
    valid = np.ones((20, 60), bool)
    valid[:, :12] = False
    mask = NearestPoint()(image(valid=valid), [points((5, 10, 1), (5, 50, 2))], NAMES)
    assert (mask.class_ids[:, :12] == UNKNOWN).all()
    assert (mask.class_ids[:, 12:30] == 1).all()


def test_the_first_of_two_points_on_one_pixel_counts() -> None:
    mask = NearestPoint()(image(), [points((5, 10, 3), (5, 10, 1))], NAMES)
    assert (mask.class_ids == 3).all()
    assert mask.confidence is not None
    assert not mask.confidence.any()


def test_points_of_several_hints_count_together() -> None:
    mask = NearestPoint()(image(), [Tags(frozenset(), frozenset()), points((0, 0, 1)), points((0, 59, 2))], NAMES)
    assert set(np.unique(mask.class_ids)) == {1, 2}


@pytest.mark.parametrize("strip_pixels", [1, 130, 1 << 21])
@pytest.mark.parametrize("method", [NearestPoint(), NearestPoint(reach_px=7.5)])
def test_any_window_is_the_whole_mask_cut(
    method: NearestPoint, strip_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(4)
    hint = Points(random.random(40) * 19, random.random(40) * 59, random.integers(1, 4, 40).astype(np.uint8))
    picture = image(valid=random.random((20, 60)) > 0.1)
    whole = method(picture, [hint], NAMES)
    monkeypatch.setattr(nearest_point, "STRIP_PIXELS", strip_pixels)
    for window in (Window(0, 0, 20, 60), Window(3, 17, 11, 48), Window(19, 59, 20, 60)):
        part = method.label_window(picture, [hint], NAMES, window)
        np.testing.assert_array_equal(part.class_ids, whole.class_ids[window.slices])
        np.testing.assert_array_equal(part.confidence, whole.confidence[window.slices])  # type: ignore[index]
        assert part.grid == picture.grid.crop(window)


def test_errors_name_the_point_and_the_way_out() -> None:
    with pytest.raises(InputError, match=r"point 2 at x=5, y=50 .* are x and y swapped\?"):
        NearestPoint()(image(), [points((1, 1, 1), (50, 5, 1))], NAMES)
    with pytest.raises(InputError, match=r"point 1 at x=99, y=99 .* check the point"):
        NearestPoint()(image(), [points((99, 99, 1))], NAMES)
    with pytest.raises(InputError, match="class id 0; expected one of: 1 coral"):
        NearestPoint()(image(), [points((1, 1, 0))], NAMES)
    with pytest.raises(InputError, match="no points for this picture"):
        NearestPoint()(image(), [], NAMES)
    with pytest.raises(InputError, match="only Tags"):
        NearestPoint()(image(), [Tags(frozenset(), frozenset())], NAMES)
    with pytest.raises(InputError, match="reach_px is -1"):
        NearestPoint(reach_px=-1)


def test_one_pixel_and_no_valid_pixel() -> None:
    assert NearestPoint()(image(1, 1), [points((0, 0, 2))], NAMES).class_ids.tolist() == [[2]]
    none = NearestPoint()(image(1, 9, np.zeros((1, 9), bool)), [points((0, 4, 2))], NAMES)
    assert (none.class_ids == UNKNOWN).all()
