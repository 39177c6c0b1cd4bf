"""Choosing before blending where a window is alone: nothing comes out otherwise."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.chosen import Alone, Chosen, choose_alone
from maskwright.arrays.likely import most_likely
from maskwright.arrays.windows import Strips, Window, cover


@st.composite
def _covered(draw: st.DrawFn) -> tuple[list[Window], int]:
    height, width, size = draw(st.integers(1, 25)), draw(st.integers(1, 40)), draw(st.integers(1, 12))
    overlap = draw(st.integers(0, size - 1))
    return cover(height, width, size, overlap), overlap


@given(_covered())
@settings(max_examples=60, deadline=None)
def test_every_pixel_is_either_of_one_window_alone_or_shared(covered: tuple[list[Window], int]) -> None:
    windows, _ = covered
    height, width = windows[-1].bottom, windows[-1].right
    times, told = np.zeros((height, width), int), np.zeros((height, width), int)
    alone = Alone(windows)
    for window in windows:
        times[window.slices] += 1
        told[alone.part(window).slices] += 1
    np.testing.assert_array_equal(told, times == 1)
    for left, right, is_shared in alone.columns(Window(0, 0, height, width)):
        for top, bottom in [(0, height)] if is_shared else alone.shared_rows(0, height):
            told[top:bottom, left:right] += 1
    assert (told == 1).all()


@given(_covered(), st.data())
@settings(max_examples=60, deadline=None)
def test_choosing_window_by_window_is_choosing_from_the_blended_whole(
    covered: tuple[list[Window], int], data: st.DataObject
) -> None:
    windows, overlap = covered
    height, width = windows[-1].bottom, windows[-1].right
    left = data.draw(st.integers(0, width - 1))
    column = Window(0, left, height, data.draw(st.integers(left + 1, width)))
    made = np.random.default_rng(width)
    valid = made.random((height, width)) < 0.8
    ids, alone = (2, 5, 7), Alone(windows)
    chosen, blend = Chosen(column, alone, ids, overlap), Strips(column, len(ids), overlap)
    for number, window in enumerate(windows):
        scores = made.integers(-1, 4, (3, window.height, window.width)).astype(np.float32) / 3
        here = valid[window.slices]
        chosen.add(window, scores, here, choose_alone(alone, window, scores, here, ids))
        blend.add(window, scores)
        following = windows[number + 1].top if number + 1 < len(windows) else height
        if following != window.top:
            done, *choice = chosen.finish(following)
            blended, scores = blend.finish(following)
            assert done == blended
            for mine, expected in zip(choice, most_likely(scores, valid[done.slices], class_ids=ids), strict=True):
                assert mine.tobytes() == expected.tobytes()


def test_nothing_is_shared_where_windows_do_not_overlap() -> None:
    alone = Alone(cover(6, 9, 3))
    assert alone.columns(Window(0, 1, 6, 9)) == [(1, 3, False), (3, 6, False), (6, 9, False)]
    assert alone.shared_rows(0, 6) == []
    assert alone.part(Window(3, 6, 6, 9)) == Window(3, 6, 6, 9)


def test_windows_that_overlap_by_more_than_half_are_never_alone() -> None:
    windows = cover(4, 8, 4, overlap=3)
    alone = Alone(windows)
    assert [alone.part(each).width for each in windows] == [1, 0, 0, 0, 1]
    assert alone.columns(Window(0, 0, 4, 8)) == [(0, 1, False), (1, 7, True), (7, 8, False)]
    assert Alone(cover(8, 4, 4, overlap=3)).shared_rows(0, 4) == [(1, 4)]
