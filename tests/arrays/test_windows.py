"""Windows: every pixel covered, nothing lost, and the same bits whatever piece is asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from maskwright.arrays import windows as windows_module
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.windows import (
    Known,
    Stitch,
    Strips,
    Window,
    cover,
    cut,
    grow,
    meeting,
    shift,
    split,
    stitch,
    weights,
)  # fmt: skip

sizes = st.integers(1, 40)


@given(height=sizes, width=sizes, tall=st.integers(1, 12), wide=st.integers(1, 12), overlap=st.integers(0, 11))
@settings(max_examples=100, deadline=None)
def test_windows_cover_every_pixel_and_stay_inside(height: int, width: int, tall: int, wide: int, overlap: int) -> None:
    assume(overlap < min(tall, wide))
    covered = np.zeros((height, width), int)
    windows = cover(height, width, (tall, wide), overlap)
    for window in windows:
        assert window.meet(Window(0, 0, height, width)) == window
        assert (window.height, window.width) == (min(tall, height), min(wide, width))
        covered[window.slices] += 1
    assert covered.min() >= 1
    assert windows == sorted(set(windows))


@given(length=sizes, size=st.integers(2, 12), overlap=st.integers(0, 11))
@settings(max_examples=60, deadline=None)
def test_neighbours_share_at_least_the_overlap_and_no_window_is_spare(length: int, size: int, overlap: int) -> None:
    assume(overlap < size)
    windows = cover(size, length, size, overlap)
    for before, after in itertools.pairwise(windows):
        assert before.right - after.left >= overlap
    for one, third in zip(windows, windows[2:], strict=False):
        assert third.left - one.left >= size - overlap + 1 or third.right == length
    assert len(windows) == max(1, -(-(length - overlap) // (size - overlap)))


@pytest.mark.parametrize("overlap", [-1, 4, 9])
def test_an_overlap_that_leaves_no_step_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap is from 0"):
        cover(10, 10, 4, overlap)


@given(top=st.integers(0, 5), left=st.integers(0, 5), height=sizes, width=sizes, size=st.integers(1, 15))
@settings(max_examples=40, deadline=None)
def test_split_is_a_partition(top: int, left: int, height: int, width: int, size: int) -> None:
    whole = Window(top, left, top + height, left + width)
    count = np.zeros((top + height, left + width), int)
    for window in split(whole, size):
        count[window.slices] += 1
    assert (count[whole.slices] == 1).all()
    assert count.sum() == height * width


@given(height=sizes, width=sizes, overlap=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_weights_are_positive_and_symmetric(height: int, width: int, overlap: int) -> None:
    values = weights(height, width, overlap)
    assert values.dtype == np.float32
    assert (values > 0).all()
    assert values.max() <= 1
    np.testing.assert_array_equal(values, values[::-1, ::-1])


def test_weights_of_two_neighbours_add_up_to_one() -> None:
    one, other = weights(20, 60, 8)[10, -8:], weights(20, 60, 8)[10, :8]
    np.testing.assert_allclose(one + other, 1, atol=1e-7)


@given(
    height=sizes,
    width=sizes,
    size=st.integers(2, 16),
    overlap=st.integers(0, 15),
    random_state=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
@example(height=20, width=60, size=16, overlap=15, random_state=3)
def test_cut_and_stitch_is_the_identity_to_the_last_bit(
    height: int, width: int, size: int, overlap: int, random_state: int
) -> None:
    assume(overlap < size)
    scores = np.random.default_rng(random_state).normal(size=(2, height, width)).astype(np.float32)
    windows = cover(height, width, size, overlap)
    parts = zip(windows, cut(scores, windows), strict=True)
    result = stitch(parts, Window(0, 0, height, width), channels=2, overlap=overlap)
    assert result.dtype == np.float32
    assert result.tobytes() == scores.tobytes()


@given(data=st.data(), height=st.integers(2, 40), width=st.integers(2, 60), size=st.integers(2, 16))
@settings(max_examples=80, deadline=None)
def test_a_piece_equals_the_same_piece_of_the_whole_to_the_last_bit(
    data: st.DataObject, height: int, width: int, size: int
) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    piece = Window(top, left, data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width)))
    windows = cover(height, width, size, overlap)
    random = np.random.default_rng(size * 100 + overlap)  # every window says something else
    scores = [random.random((3, window.height, window.width), dtype=np.float32) for window in windows]
    whole = stitch(zip(windows, scores, strict=True), Window(0, 0, height, width), 3, overlap)
    numbers = meeting(windows, piece)
    part = stitch([(windows[number], scores[number]) for number in numbers], piece, 3, overlap)
    assert part.tobytes() == np.ascontiguousarray(whole[(slice(None), *piece.slices)]).tobytes()


def test_blended_scores_lie_between_what_the_windows_say() -> None:
    blend = Stitch(Window(0, 0, 4, 12), 1, overlap=4)
    blend.add(Window(0, 0, 4, 8), np.zeros((1, 4, 8), np.float32))
    blend.add(Window(0, 4, 4, 12), np.ones((1, 4, 8), np.float32))
    row = blend.scores[0, 2]
    assert (np.diff(row) >= 0).all()
    assert row[:4].tolist() == [0] * 4
    assert row[8:].tolist() == [1] * 4
    np.testing.assert_allclose(row[4:8] + row[4:8][::-1], 1, atol=1e-6)


def test_uncovered_pixels_are_nan_and_wrong_scores_refused() -> None:
    assert np.isnan(stitch([], Window(0, 0, 2, 3), 2, 0)).all()
    with pytest.raises(ValueError, match=r"are \(1, 2, 3\); got \(1, 3, 2\)"):
        Stitch(Window(0, 0, 2, 3), 1, 0).add(Window(0, 0, 2, 3), np.zeros((1, 3, 2), np.float32))


def test_grow_and_shift() -> None:
    assert grow(Window(3, 4, 5, 6), 2, Window(0, 0, 6, 60)) == Window(1, 2, 6, 8)
    assert shift(Window(3, 4, 5, 6), 1, 2) == Window(2, 2, 4, 4)
    with pytest.raises(ValueError, match="does not lie inside"):
        grow(Window(30, 4, 31, 6), 2, Window(0, 0, 6, 60))


@pytest.mark.skipif(not HAS_NUMBA, reason="numba is not here or switched off")
@given(data=st.data(), height=st.integers(1, 20), width=st.integers(1, 40), size=st.integers(2, 16))
@settings(max_examples=60, deadline=None)
def test_blending_is_the_same_with_and_without_numba(data: st.DataObject, height: int, width: int, size: int) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    piece = Window(height // 3, width // 4, height, width)
    order = data.draw(st.permutations(cover(height, width, size, overlap)))  # fresh pixels in any pattern
    random, blends = np.random.default_rng(width), (Stitch(piece, 3, overlap), Stitch(piece, 3, overlap))
    for window in order:
        wide = random.random((4, window.height + 2, window.width + 3), dtype=np.float32)
        parts = wide[1:, 1:-1, 2:-1]
        for blend, has_numba in zip(blends, (True, False), strict=True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(windows_module, "HAS_NUMBA", has_numba)
                blend.add(window, parts)
    assert blends[0].scores.tobytes() == blends[1].scores.tobytes()
    assert blends[0].weight.tobytes() == blends[1].weight.tobytes()


@given(height=sizes, width=sizes, size=st.integers(2, 16), overlap=st.integers(0, 15), top=st.integers(0, 39))
@settings(max_examples=60, deadline=None)
def test_strips_are_what_one_stitch_makes(height: int, width: int, size: int, overlap: int, top: int) -> None:
    assume(overlap < size)
    top = min(top, height - 1)
    column = Window(top, width // 3, height, width)
    windows = [each for each in cover(height, width, size, overlap) if each.meet(column)]
    random = np.random.default_rng(height)
    parts = [(each, random.random((2, each.height, each.width), dtype=np.float32)) for each in windows]
    strips, found, done = Strips(column, 2, overlap), [], top
    for index, (window, scores) in enumerate(parts):
        strips.add(window, scores)
        following = windows[index + 1].top if index + 1 < len(windows) else height
        if following > max(done, window.top):
            done = following
            rows, scores = strips.finish(done)
            found.append((rows, scores.copy()))  # a view that holds until the next call
    assert [each.top for each, _ in found] == [top, *(each.bottom for each, _ in found[:-1])]
    assert np.concatenate([each for _, each in found], axis=1).tobytes() == stitch(parts, column, 2, overlap).tobytes()


@given(height=sizes, width=sizes, size=st.integers(2, 16), overlap=st.integers(0, 15), left=st.integers(0, 39))
@settings(max_examples=60, deadline=None)
def test_known_pixels_are_put_together(height: int, width: int, size: int, overlap: int, left: int) -> None:
    assume(overlap < size)
    truth = np.random.default_rng(width).random((height, width)) < 0.5
    column = Window(height // 3, min(left, width - 1), height, width)
    known, found, done = Known(column), [], column.top
    for window in (each for each in cover(height, width, size, overlap) if each.meet(column)):
        if window.top > done:
            found.append(known.finish(window.top))
            done = window.top
        known.add(window, truth[window.slices])
    found.append(known.finish(height))
    assert np.array_equal(np.concatenate(found), truth[column.slices])
