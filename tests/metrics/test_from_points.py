"""Scores of masks against points: by hand, with intervals, one picture and many, and points that are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import InputError
from maskwright.metrics.from_points import PointOverlap, score_points
from maskwright.types import UNKNOWN, Mask, Points

NAMES = ("background", "coral", "sand")


def points(rows: list[float], cols: list[float], ids: list[int], weights: list[float] | None = None) -> Points:
    each = np.array(rows, float), np.array(cols, float), np.array(ids, np.uint8)
    return Points(*each, weights=None if weights is None else np.array(weights))


def wide_mask() -> Mask:
    ids = np.zeros((20, 60), np.uint8)
    ids[:, 30:] = 1
    ids[0, 0] = UNKNOWN
    return Mask(ids, NAMES)


def test_a_tally_by_hand() -> None:
    found = points([0, 3, 5, 5.4, 9], [0, 59, 10, 29.5, 2], [0, 1, 1, 1, UNKNOWN], [1, 1, 2, 1, 1])
    tally = PointOverlap(NAMES).tally(wide_mask(), found)
    expected = np.array([[0, 0, 0, 1], [2, 2, 0, 0], [0, 0, 0, 0], [599, 600, 0, 1]])
    np.testing.assert_array_equal(tally, expected)


def test_scores_by_hand() -> None:
    tally = np.array([[6, 2, 0, 0], [1, 9, 0, 2], [0, 0, 0, 0], [60, 40, 0, 0]], float)
    scores = PointOverlap(NAMES).scores(tally)
    assert scores["pixel_accuracy"] == pytest.approx(15 / 20)
    assert scores["iou"] == pytest.approx({"background": 6 / 9, "coral": 9 / 14, "sand": np.nan}, nan_ok=True)
    assert scores["dice"]["coral"] == pytest.approx(18 / 23)
    assert scores["mean_iou"] == pytest.approx((6 / 9 + 9 / 14) / 2)
    assert scores["cover"] == pytest.approx({"background": 0.4, "coral": 0.6, "sand": 0})
    assert scores["cover_by_map"] == pytest.approx({"background": 0.6 + 1 / 20, "coral": 0.4 + 1 / 20, "sand": 0})


def test_a_class_predicted_but_never_true_does_not_enter_the_mean() -> None:
    tally = np.array([[5, 0, 5, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], float)
    scores = PointOverlap(NAMES).scores(tally)
    assert scores["mean_iou"] == 0.5 and scores["iou"]["sand"] == 0


def test_one_picture_has_the_intervals_of_independent_points() -> None:
    tally = np.array([[60, 20, 0, 0], [10, 90, 0, 20], [0, 0, 0, 0], [600, 400, 0, 0]], float)
    result = score_points([tally], NAMES)
    assert (result["points"], result["pictures"], result["intervals"]) == (200, 1, "point")
    for each in (result["pixel_accuracy"], result["mean_iou"], result["iou"]["coral"], result["cover_by_map"]["coral"]):
        assert each["low"] < each["value"] < each["high"]
    plain = PointOverlap(NAMES).scores(tally)
    assert result["mean_iou"]["value"] == pytest.approx(plain["mean_iou"])
    assert result["cover_by_map"]["coral"]["value"] == pytest.approx(plain["cover_by_map"]["coral"])
    assert (result["iou"]["sand"]["low"], result["iou"]["sand"]["high"]) == (0, 1)
    assert result["mean_iou"] == score_points([tally], NAMES)["mean_iou"]


def test_many_pictures_are_drawn_whole_and_by_site() -> None:
    rng = np.random.default_rng(0)
    metric, mask, tallies = PointOverlap(NAMES), wide_mask(), []
    for _ in range(12):
        rows, cols = rng.uniform(-0.4, 19.4, 30), rng.uniform(-0.4, 59.4, 30)
        ids = (cols > 29.5 + rng.normal(0, 8)).astype(np.uint8)
        tallies.append(metric.tally(mask, Points(rows, cols, ids)))
    by_picture = score_points(tallies, NAMES)
    assert by_picture["intervals"] == "picture" and by_picture["points"] == 360
    assert by_picture["mean_iou"]["low"] < by_picture["mean_iou"]["value"] < by_picture["mean_iou"]["high"]
    by_site = score_points(tallies, NAMES, sites=["a"] * 6 + ["b"] * 6)
    assert by_site["intervals"] == "site" and by_site["mean_iou"]["value"] == by_picture["mean_iou"]["value"]
    assert by_site["mean_iou"] != by_picture["mean_iou"]
    assert score_points(tallies, NAMES, sites=["a"] * 12)["intervals"] == "point"


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(ValueError, match="no point"):
        score_points([], NAMES)
    with pytest.raises(ValueError, match="no point"):
        score_points([PointOverlap(NAMES).tally(wide_mask(), points([], [], []))], NAMES)


def test_wrong_points_are_named() -> None:
    metric, mask = PointOverlap(NAMES), wide_mask()
    with pytest.raises(
        InputError, match=r"point 2 at x=19, y=30 lies outside .* 60 x 20 pixels; are x and y swapped\?"
    ):
        metric.tally(mask, points([1, 30], [1, 19], [0, 0]))
    with pytest.raises(InputError, match=r"point 1 at x=99, y=99 .* move or remove it"):
        metric.tally(mask, points([99], [99], [0]))
    with pytest.raises(InputError, match="point 1 has class id 7; ids go from 0 to 2"):
        metric.tally(mask, points([1], [1], [7]))
