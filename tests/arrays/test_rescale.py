"""Pictures at another pixel size: means of what they cover, and the same bits for any window."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays import likely
from maskwright.arrays.likely import confidence_bytes, most_likely
from maskwright.arrays.rescale import Rescaling, shares
from maskwright.arrays.windows import Window
from maskwright.io.resized import resized
from maskwright.types import Grid, Image
from tests.scenes import noise


@given(target=st.integers(1, 40), source=st.integers(1, 40), start=st.integers(0, 39))
@settings(max_examples=60, deadline=None)
def test_shares_of_a_part_are_those_of_the_whole(target: int, source: int, start: int) -> None:
    start = min(start, target - 1)
    whole_span, whole = shares(range(target), target, source)
    np.testing.assert_allclose(whole.sum(axis=1), 1)
    if source >= target:
        np.testing.assert_allclose(whole.sum(axis=0), target / source)  # every source pixel counts alike
    span, part = shares(range(start, target), target, source)
    padded = np.zeros((target - start, source))
    padded[:, span.start : span.stop] = part.toarray()
    assert np.array_equal(padded[:, whole_span.start : whole_span.stop], whole.toarray()[start:])


def test_a_half_is_the_mean_of_four_and_a_quarter_step_lies_between() -> None:
    image = Image(np.arange(32, dtype=np.float64).reshape(4, 8, 1), Grid(4, 8, (0.5, 0, 10, 0, -0.5, 20), "EPSG:32740"))
    half = resized(image, 2, 4)
    assert np.asarray(half.pixels)[..., 0].tolist() == [[4.5, 6.5, 8.5, 10.5], [20.5, 22.5, 24.5, 26.5]]
    assert half.grid == Grid(2, 4, (1.0, 0, 10, 0, -1.0, 20), "EPSG:32740")
    twice = np.asarray(resized(Image(np.float64([[[0], [1]]])), 1, 4).pixels)
    assert twice[0, :, 0].tolist() == [0, 0.25, 0.75, 1]


def test_pixels_without_data_have_no_say() -> None:
    pixels = np.uint8([[[10], [99]], [[20], [99]]])
    valid = np.array([[True, False], [True, False]])
    small = resized(Image(pixels, valid=valid), 1, 1)
    assert np.asarray(small.pixels).tolist() == [[[15]]]
    assert np.asarray(small.valid).tolist() == [[True]]
    apart = resized(Image(pixels, valid=valid), 1, 2)
    assert np.asarray(apart.valid).tolist() == [[True, False]]
    assert np.asarray(apart.pixels).tolist() == [[[15], [0]]]


@given(height=st.integers(1, 50), width=st.integers(1, 90), data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_window_of_a_resized_picture_is_that_of_the_whole(height: int, width: int, data: st.DataObject) -> None:
    image = resized(noise(20, 60, nodata_fraction=0.3), height, width)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = Window(top, left, data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width)))
    part = image.crop(window)
    assert np.array_equal(part.pixels, np.asarray(image.pixels)[window.slices])
    assert np.array_equal(part.valid, np.asarray(image.valid)[window.slices])


def test_scores_lie_between_their_four_neighbours() -> None:
    scores = np.float32([[[0, 1], [2, 3]]])
    ((window, scaled),) = Rescaling((4, 4), (2, 2)).strips(
        iter([(Window(0, 0, 2, 2), scores)]), Window(0, 0, 4, 4), most_rows=9
    )
    assert window == Window(0, 0, 4, 4)
    assert scaled[0, :, 0].tolist() == [0, 0.5, 1.5, 2]
    assert scaled[0, 0].tolist() == [0, 0.25, 0.75, 1]


@pytest.mark.parametrize("with_numba", [True, False])
@given(classes=st.integers(1, 5), random_state=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_most_likely_is_argmax_where_anything_is_known(with_numba: bool, classes: int, random_state: int) -> None:
    random = np.random.default_rng(random_state)
    scores = random.choice(np.float32([0, 0.25, 0.5, 1.5]), (classes, 9, 14))[:, 1:-1, 2:-1]
    valid = random.random((7, 11)) < 0.8
    numbers = np.sort(random.choice(255, classes, replace=False))
    for class_ids in (None, numbers.tolist()):
        with mock.patch.object(likely, "HAS_NUMBA", with_numba and likely.HAS_NUMBA):
            ids, confidence = most_likely(scores, valid, class_ids=class_ids)
        best = scores.argmax(axis=0)
        known = valid & (scores.max(axis=0) > 0)
        assert np.array_equal(ids, np.where(known, best if class_ids is None else numbers[best], 255))
        assert np.array_equal(confidence, np.where(known, np.minimum(scores.max(axis=0), 1), 0))


def test_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(classes, 2, 3\)"):
        most_likely(np.zeros((1, 3, 2), np.float32), np.ones((2, 3), bool))
    with pytest.raises(ValueError, match="2 classes have as many ids"):
        most_likely(np.zeros((2, 3, 2), np.float32), np.ones((3, 2), bool), class_ids=[4])


@pytest.mark.parametrize("with_numba", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_confidence_becomes_the_nearest_byte(with_numba: bool, dtype: type) -> None:
    shares = np.concatenate([np.linspace(-0.2, 1.2, 4001), np.arange(511) / 510, [np.nan, np.inf, -np.inf]])
    shares = shares.astype(dtype).reshape(5, -1)
    with mock.patch.object(likely, "HAS_NUMBA", with_numba and likely.HAS_NUMBA):
        steps = confidence_bytes(shares[:, ::-1])[:, ::-1]
    expected = np.rint(np.clip(np.where(np.isnan(shares), 0, shares), 0, 1) * dtype(255))
    assert steps.dtype == np.uint8
    assert np.array_equal(steps, expected)
