"""Regions against scipy, class by class, on scenes anybody can see and on scenes nobody thought of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.arrays import connected, regions

EIGHT = np.ones((3, 3))
small_masks = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 14)), elements=st.sampled_from([0, 1, 2, 255])
)


@pytest.fixture(params=["compiled", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways through the kernels; they owe the same answer."""
    for module in (connected, regions):
        monkeypatch.setattr(module, "HAS_NUMBA", request.param == "compiled")
    return str(request.param)


def regions_by_scipy(ids: NDArray[Any], neighbours: int, ignore: int | None) -> set[tuple[int, tuple[int, ...]]]:
    """Every region as (class, its pixels)."""
    found = set()
    for class_id in np.unique(ids):
        if class_id != ignore:
            labels, count = ndimage.label(ids == class_id, EIGHT if neighbours == 8 else None)
            found |= {(int(class_id), tuple(np.flatnonzero(labels == n))) for n in range(1, count + 1)}
    return found


@given(ids=small_masks, neighbours=st.sampled_from([4, 8]), ignore=st.sampled_from([None, 0, 255]))
@settings(max_examples=80, deadline=None)
def test_components_are_those_of_scipy_in_order_of_their_first_pixel(
    ids: NDArray[np.uint8], neighbours: int, ignore: int | None
) -> None:
    labels, count, class_of = regions.components(ids, neighbours=neighbours, ignore=ignore)
    ours = {(int(class_of[n]), tuple(np.flatnonzero(labels == n))) for n in range(count)}
    assert ours == regions_by_scipy(ids, neighbours, ignore)
    assert len(ours) == count
    assert (np.diff([np.flatnonzero(labels == n)[0] for n in range(count)]) > 0).all()
    assert ((labels == -1) == (ids == (-1 if ignore is None else ignore))).all()


@given(ids=small_masks, neighbours=st.sampled_from([4, 8]))
@settings(max_examples=40, deadline=None)
def test_compiled_and_plain_components_agree(ids: NDArray[np.uint8], neighbours: int) -> None:
    compiled = regions.components(ids, neighbours=neighbours)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connected, "HAS_NUMBA", False)
        plain = regions.components(ids, neighbours=neighbours)
    np.testing.assert_array_equal(compiled.labels, plain.labels)
    assert compiled.count == plain.count
    np.testing.assert_array_equal(compiled.class_of, plain.class_of)


def test_many_regions_are_counted_in_a_wider_dtype() -> None:
    ids = (np.indices((200, 400)).sum(axis=0) % 2).astype(np.uint8)
    assert connected.number_regions(ids[:100], 4, None, np.int16).labels.dtype == np.int32
    few = connected.number_regions(ids[:20, :40], 4, None, np.int16)
    assert few.labels.dtype == np.int16
    np.testing.assert_array_equal(few.labels, regions.components(ids[:20, :40], neighbours=4, ignore=None).labels)
    np.testing.assert_array_equal(regions.remove_islands(ids, 2, neighbours=4, into=7), np.full_like(ids, 7))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int32, np.uint16, np.int64])
def test_components_take_any_whole_numbers(path: str, dtype: type) -> None:
    ids = np.array([[1, 0, 1], [1, 1, 1]], dtype)
    labels, count, class_of = regions.components(ids, ignore=0)
    assert labels.tolist() == [[0, -1, 0], [0, 0, 0]]
    assert count == 1
    assert class_of.dtype == ids.dtype


def test_components_of_views_that_are_read_only_and_strided(path: str) -> None:
    ids = np.kron(np.array([[1, 2, 1], [2, 2, 1]], np.uint8), np.ones((3, 4), np.uint8))[::3, ::-4]
    ids.flags.writeable = False
    assert regions.components(ids).labels.tolist() == [[0, 1, 2], [0, 1, 1]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
def test_empty_pictures_have_no_regions(path: str, shape: tuple[int, int]) -> None:
    ids = np.zeros(shape, np.uint8)
    labels, count, class_of = regions.components(ids)
    assert (labels.shape, count, len(class_of)) == (shape, 0, 0)
    assert regions.areas(labels).tolist() == []
    assert regions.boxes(labels).tolist() == []
    assert regions.outlines(ids).shape == regions.fill_holes(ids).shape == shape
    assert regions.remove_islands(ids, 3).shape == shape


def test_a_snail_is_one_region(path: str) -> None:
    """Its arms meet only at the very end, so numbers given early must be taken back."""
    snail = np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 0, 1, 1, 1], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]], np.uint8)
    assert regions.components(snail, neighbours=4, ignore=0).count == 2
    snail[3, 4] = 1
    assert regions.components(snail, neighbours=4, ignore=0).labels.max() == 0


@given(ids=small_masks)
@settings(max_examples=40, deadline=None)
def test_boxes_and_areas_hold_their_regions(ids: NDArray[np.uint8]) -> None:
    labels, count, _ = regions.components(ids)
    boxes = regions.boxes(labels, count)
    np.testing.assert_array_equal(boxes, regions._boxes_plain(labels, count))
    for number, (top, left, bottom, right) in enumerate(boxes):
        rows, cols = np.nonzero(labels == number)
        assert (top, left, bottom, right) == (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
        assert regions.areas(labels, count)[number] == len(rows)


def test_a_count_too_small_is_refused(path: str) -> None:
    labels = np.array([[0, 3]])
    with pytest.raises(ValueError, match="go up to 3"):
        regions.boxes(labels, 2)
    with pytest.raises(ValueError, match="go up to 3"):
        regions.areas(labels, 2)


@given(ids=small_masks, ignore=st.sampled_from([None, 255]))
@settings(max_examples=40, deadline=None)
def test_outlines_by_definition(ids: NDArray[np.uint8], ignore: int | None) -> None:
    expected = np.zeros(ids.shape, bool)
    for row, col in np.ndindex(ids.shape):
        for near in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            if 0 <= near[0] < ids.shape[0] and 0 <= near[1] < ids.shape[1]:
                pair = {int(ids[row, col]), int(ids[near])}
                expected[row, col] |= len(pair) == 2 and ignore not in pair
    np.testing.assert_array_equal(regions.outlines(ids, ignore=ignore), expected)


@given(ids=small_masks, neighbours=st.sampled_from([4, 8]), most=st.sampled_from([2, 5, np.inf]))
@settings(max_examples=80, deadline=None)
def test_holes_of_one_class_are_those_of_scipy(ids: NDArray[np.uint8], neighbours: int, most: float) -> None:
    around = None if neighbours == 8 else EIGHT
    filled = ndimage.binary_fill_holes(ids == 1, around)
    holes, count = ndimage.label(filled & (ids != 1), around)
    keep = [n for n in range(1, count + 1) if (holes == n).sum() <= most]
    expected = np.where(np.isin(holes, keep), 1, ids)
    ours = regions.fill_holes(ids, max_area_px=most, neighbours=neighbours, classes=[1])
    np.testing.assert_array_equal(ours, expected)


def test_of_holes_in_holes_the_larger_wins() -> None:
    ids = np.full((7, 9), 1, np.uint8)
    ids[1:6, 1:8], ids[2:5, 3:6], ids[3, 4] = 2, 3, 1
    assert (regions.fill_holes(ids)[1:6, 1:8] == 1).all()
    small = regions.fill_holes(ids, max_area_px=9)
    assert small[3, 4] == small[2, 3] == 2, "the hole of 2 (9 pixels) is larger than the hole of 3 (1 pixel)"
    assert regions.fill_holes(ids, max_area_px=1)[3, 4] == 3


def test_unknown_pixels_are_filled_but_fill_nothing() -> None:
    ids = np.full((5, 6), 255, np.uint8)
    ids[2, 2] = 1
    np.testing.assert_array_equal(regions.fill_holes(ids), ids)
    assert regions.fill_holes(ids, ignore=None)[2, 2] == 255


@given(ids=small_masks, least=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_islands_into_an_id(ids: NDArray[np.uint8], least: int) -> None:
    expected = ids.copy()
    for class_id, pixels in regions_by_scipy(ids, 8, 255):
        if len(pixels) < least:
            expected.reshape(-1)[list(pixels)] = 7
            assert class_id != 255
    np.testing.assert_array_equal(regions.remove_islands(ids, least, into=7), expected)
    np.testing.assert_array_equal(regions.small_islands(ids, least), expected == 7)


def test_islands_go_to_the_neighbour_with_the_longest_border() -> None:
    ids = np.array([[1, 1, 1, 2, 2], [1, 3, 3, 2, 2], [1, 1, 1, 2, 2]], np.uint8)
    assert regions.remove_islands(ids, 3)[1].tolist() == [1, 1, 1, 2, 2]
    tie = np.array([[2, 2, 2], [2, 3, 1], [1, 1, 1]], np.uint8)
    assert regions.remove_islands(tie, 2)[1, 1] == 1, "two sides each: the lower class id"


def test_islands_among_islands_wait_for_their_neighbours() -> None:
    ids = np.array([[1, 1, 1, 1, 2, 3, 255]], np.uint8)
    assert regions.remove_islands(ids, 2).tolist() == [[1, 1, 1, 1, 1, 1, 255]]
    alone = np.array([[255, 2, 3, 255]], np.uint8)
    assert regions.remove_islands(alone, 2).tolist() == alone.tolist()


@pytest.mark.parametrize("bad", [np.zeros(3, np.uint8), np.zeros((2, 2, 2), np.uint8)])
def test_other_shapes_are_refused(bad: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"\(height, width\)"):
        regions.components(bad)


def test_floats_and_odd_neighbours_are_refused() -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        regions.components(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="4 or 8; got 6"):
        regions.components(np.zeros((2, 2), np.uint8), neighbours=6)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_borders_listed_strip_by_strip_are_those_of_the_whole(neighbours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(0).integers(-1, 4, (11, 7)).astype(np.int32)
    whole = regions.touching(labels, neighbours=neighbours)
    for strip in (7, 20, 30):
        monkeypatch.setattr(regions, "STRIP", strip)
        for ours, expected in zip(regions.touching(labels, neighbours=neighbours), whole, strict=True):
            np.testing.assert_array_equal(ours, expected)
