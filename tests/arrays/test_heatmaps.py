"""Peaks of heat-maps: the worked example by hand, fractions of pixels, mirrored pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays.crops import fit_box
from maskwright.arrays.heatmaps import find_peaks, unmirror


def heatmap(**values: float) -> NDArray[np.float32]:
    """64 x 64 zeros with values at places written as r20c10."""
    empty = np.zeros((1, 1, 64, 64), np.float32)
    for place, value in values.items():
        row, col = place[1:].split("c")
        empty[0, 0, int(row), int(col)] = value
    return empty


def to_crop(given: NDArray[np.float32]) -> tuple[float, float, float]:
    """x, y and score in a crop 200 wide and 100 high."""
    peaks = find_peaks(given)
    rows, cols = fit_box((0, 0, 100, 200)).back(peaks.rows * 4, peaks.cols * 4)
    return float(cols[0, 0]), float(rows[0, 0]), float(peaks.scores[0, 0])


def test_four_heatmaps_by_hand() -> None:
    assert to_crop(heatmap(r20c10=1, r20c11=0.5, r19c10=0.3)) == pytest.approx((15.0390625, 2.1484375, 1))
    assert to_crop(heatmap(r0c1=1)) == pytest.approx((-21.09375, -75, 1))
    assert to_crop(heatmap(r63c63=1)) == pytest.approx((221.09375, 171.09375, 1))
    assert to_crop(heatmap() - 0.5) == pytest.approx((-28.90625, -78.90625, -0.5))


def test_neighbours_do_not_pull_peaks_at_the_border() -> None:
    peaks = find_peaks(heatmap(r1c20=1, r2c20=0.9, r1c21=0.5))  # row 1: no step down; columns are free
    assert (peaks.rows[0, 0], peaks.cols[0, 0]) == (1, 20.25)
    peaks = find_peaks(heatmap(r20c1=1, r20c2=0.9, r21c1=0.5))
    assert (peaks.rows[0, 0], peaks.cols[0, 0]) == (20.25, 1)
    peaks = find_peaks(heatmap(r0c20=1, r0c21=0.5))  # row 0: no step at all
    assert (peaks.rows[0, 0], peaks.cols[0, 0]) == (0, 20)


def test_the_first_of_equal_peaks_and_many_at_once() -> None:
    both = np.concatenate([heatmap(r9c9=1, r30c2=1), heatmap(r30c2=1)])
    peaks = find_peaks(np.concatenate([both, both], axis=1), "none")
    assert peaks.rows.tolist() == [[9, 9], [30, 30]]
    assert peaks.cols.tolist() == [[9, 9], [2, 2]]


def test_numbers_that_are_none_are_no_peak() -> None:
    assert find_peaks(np.full((1, 1, 8, 8), np.nan)).rows[0, 0] == -1


@settings(max_examples=40, deadline=None)
@given(st.floats(8, 40), st.floats(8, 54), st.floats(0.1, 2))
def test_dark_finds_the_top_of_a_gaussian(row: float, col: float, height: float) -> None:
    rows, cols = np.mgrid[:48, :64]
    given_map = height * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * 2.0**2))
    dark, quarter = (find_peaks(given_map[None, None], refine) for refine in ("dark", "quarter"))
    assert np.hypot(dark.rows[0, 0] - row, dark.cols[0, 0] - col) < 0.03
    assert np.hypot(quarter.rows[0, 0] - row, quarter.cols[0, 0] - col) < 0.4


def test_dark_stays_where_there_is_no_top() -> None:
    flat = np.ones((1, 1, 16, 16))
    assert find_peaks(flat, "dark").rows[0, 0] == 0
    rows, cols = np.mgrid[:32, :32]
    ring = 0.9 * (abs(np.hypot(rows - 16, cols - 16) - 5) < 1.5) * (1 + 0.1 * (cols > 16))
    ring[16, 16] = 1  # a lone pixel that vanishes in its valley once blurred
    assert find_peaks(ring[None, None], "dark").cols[0, 0] == 16
    ridge = np.tile(np.linspace(0.1, 1, 16), (16, 1))[None, None]
    assert find_peaks(ridge, "dark").cols[0, 0] == 15


def test_mirroring_and_unmirroring_swap_sides() -> None:
    rng = np.random.default_rng(3)
    heatmaps = rng.random((2, 3, 5, 7))
    mirrored = heatmaps[:, [0, 2, 1], :, ::-1]
    np.testing.assert_array_equal(unmirror(mirrored, [0, 2, 1], shift=0), heatmaps)
    shifted = unmirror(mirrored, [0, 2, 1])
    np.testing.assert_array_equal(shifted[..., 1:], heatmaps[..., :-1])
    np.testing.assert_array_equal(shifted[..., 0], heatmaps[..., 0])


def test_a_mirrored_peak_comes_back_one_column_to_the_right() -> None:
    found = find_peaks(unmirror(heatmap(r20c10=1)[..., ::-1], [0]))
    assert (found.rows[0, 0], found.cols[0, 0]) == (20, 11)
