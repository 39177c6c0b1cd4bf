"""Boxes into crops and places back: the numbers of a worked example, and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.crops import choose_box, cut, fit_box, whole_pixels


def test_a_worked_example() -> None:
    fit = fit_box((0, 0, 100, 200))  # 100 high, 200 wide: the side is 1.25 x 200 = 250
    np.testing.assert_allclose(fit, (1.024, 76.8, 1.024, 25.6), atol=1e-12)
    row, col = fit.into(50, 100)
    assert (row, col) == (pytest.approx(128), pytest.approx(128))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*(st.floats(-50, 300),) * 2),
    st.tuples(*(st.floats(1, 400),) * 2),
    st.sampled_from([(256, 256), (256, 192)]),
    st.booleans(),
)
def test_back_undoes_into_and_the_box_lies_inside(
    corner: tuple[float, float], size: tuple[float, float], crop: tuple[int, int], unbiased: bool
) -> None:
    box = (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    fit = fit_box(box, crop, unbiased=unbiased)
    np.testing.assert_allclose(fit.back(*fit.into(7.5, -3.0)), (7.5, -3.0), atol=1e-8)
    rows, cols = fit.into([box[0], box[2]], [box[1], box[3]])
    assert 0 <= rows[0] < rows[1] <= crop[0]
    assert 0 <= cols[0] < cols[1] <= crop[1]
    assert min(rows[0] / crop[0], cols[0] / crop[1]) == pytest.approx(0.1, abs=0.01)  # 1.25 leaves a tenth each side


def test_cutting_moves_pixels_where_the_fit_says() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[4, 50] = 200, 100, 50
    fit = fit_box((0, 40, 10, 60), (16, 32), padding=1.6)  # one crop pixel is one picture pixel
    assert (fit.row_scale, fit.col_scale) == (1, 1)
    crop = cut(pixels, fit, (16, 32))
    row, col = (int(each) for each in fit.into(4, 50))
    assert crop[row, col].tolist() == [200, 100, 50]
    assert np.count_nonzero(crop.any(axis=2)) == 1
    assert cut(np.full((20, 60, 1), 9, np.uint8), fit, (16, 32))[:, -1].max() == 0  # beyond the picture


def test_a_box_without_area_is_refused() -> None:
    for box in ((3, 4, 3, 9), (3, 4, 2, 9), (0, 0, float("nan"), 9)):
        with pytest.raises(ValueError, match="no area"):
            fit_box(box)


def test_boxes_are_cut_towards_zero_and_chosen_by_rule() -> None:
    assert whole_pixels((0.9, 1.9, 9.9, 70.2), (20, 60)) == (0, 1, 9, 60)
    boxes, scores = [(0, 0, 4, 4), (1, 1, 5, 5), (0, 0, 2, 2)], [0.5, 0.9, 0.9]
    assert choose_box(boxes, scores) == 0
    assert choose_box(boxes, scores, "surest") == 1
    assert choose_box(np.zeros((0, 4)), np.zeros(0)) is None
