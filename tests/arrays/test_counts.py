"""Counts against their definitions, pixel by pixel, and piece by piece against the whole."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from maskwright.arrays import counts, id_pairs
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.windows import Window, grow, shift, split

CLASSES = 3
shapes = st.tuples(st.integers(1, 9), st.integers(1, 20))


@pytest.fixture(params=["compiled", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "compiled" and not HAS_NUMBA:
        pytest.skip("numba is not here")
    for module in (counts, id_pairs):
        monkeypatch.setattr(module, "HAS_NUMBA", request.param == "compiled")
    return str(request.param)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shape = draw(shapes)
    ids = st.sampled_from([0, 1, 2, 255])
    return draw(hnp.arrays(np.uint8, shape, elements=ids)), draw(hnp.arrays(np.uint8, shape, elements=ids))


def both_ways(monkeypatch: pytest.MonkeyPatch, count: Any) -> list[NDArray[np.int64]]:
    results = []
    for has_numba in (HAS_NUMBA, False):
        for module in (counts, id_pairs):
            monkeypatch.setattr(module, "HAS_NUMBA", has_numba)
        results.append(count())
    return results


@given(pair=pairs())
@settings(max_examples=60, deadline=None)
def test_confusion_pixel_by_pixel(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    predicted, truth = pair
    expected = np.zeros((CLASSES, CLASSES + 1), np.int64)
    for ours, theirs in zip(predicted.flat, truth.flat, strict=True):
        if theirs != 255:
            expected[theirs, min(ours, CLASSES)] += 1
    with pytest.MonkeyPatch.context() as patch:
        for result in both_ways(patch, lambda: counts.confusion(predicted, truth, CLASSES)):
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint16])
@pytest.mark.parametrize("ignore", [255, 3])
def test_confusion_takes_any_whole_numbers_strided_and_read_only(path: str, dtype: type, ignore: int) -> None:
    random = np.random.default_rng(0)
    wide = random.integers(0, 4, (60, 80)).astype(dtype)
    wide[wide == 3] = ignore
    predicted, truth = wide[::2, 1::2], wide[1::2, ::2]
    wide.flags.writeable = False
    known = truth != ignore
    expected = np.zeros((3, 4), np.int64)
    np.add.at(expected, (truth[known], np.minimum(predicted[known], 3)), 1)
    np.testing.assert_array_equal(counts.confusion(predicted, truth, 3, ignore=ignore), expected)


def test_confusion_streams_and_threads_without_changing_a_count(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    predicted, truth = random.integers(0, 5, (2, 300, 700), dtype=np.uint8)
    truth[:, 100:400] = 2  # long runs, so that whole words are counted
    predicted[:, 200:500] = 4
    whole = counts.confusion(predicted, truth, 5)
    expected = np.bincount(truth.ravel().astype(int) * 5 + predicted.ravel(), minlength=25).reshape(5, 5)
    np.testing.assert_array_equal(whole[:, :5], expected)
    monkeypatch.setattr(id_pairs, "STRIP", 7000)
    np.testing.assert_array_equal(counts.confusion(predicted, truth, 5, threads=3), whole)
    into = np.zeros((5, 6), np.int64)
    for part in (slice(0, 13), slice(13, 300)):
        assert counts.confusion(predicted[part], truth[part], 5, into=into) is into
    np.testing.assert_array_equal(into, whole)


@pytest.mark.parametrize("class_count", [1, 21, 62, 63, 254, 255])
def test_stretches_and_noise_of_any_number_of_classes(path: str, class_count: int) -> None:
    random = np.random.default_rng(class_count)
    predicted, truth = random.integers(0, class_count, (2, 3, 5003), dtype=np.uint8)
    truth[0, 40:4800] = class_count - 1
    predicted[0, 20:3000] = 0
    predicted[2, random.random(5003) < 0.1] = 255
    truth[1, 90:3200] = 255
    column = np.where(predicted == 255, class_count, predicted.astype(int))
    expected = np.zeros((class_count, class_count + 1), np.int64)
    np.add.at(expected, (truth[truth != 255], column[truth != 255]), 1)
    np.testing.assert_array_equal(counts.confusion(predicted, truth, class_count), expected)


def test_what_repeats_every_four_pixels_is_no_stretch_and_other_ids_are_counted_last(path: str) -> None:
    truth, predicted = np.tile(np.array([0, 1, 9, 1], np.uint8), (2, 50)), np.full((2, 200), 254, np.uint8)
    expected = [[0, 0, 0, 0], [0, 0, 0, 100], [0, 0, 0, 200], [0, 0, 0, 100]]
    assert id_pairs.count_pairs(truth, predicted, 2, ignore=255, threads=1).tolist() == expected


def test_what_each_thread_counted_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, count = threading.Barrier(3, timeout=60), id_pairs._count_plain
    monkeypatch.setattr(id_pairs, "HAS_NUMBA", False)
    monkeypatch.setattr(id_pairs, "STRIP", 20)
    monkeypatch.setattr(id_pairs, "_count_plain", lambda *all_: (at_once.wait(), count(*all_)))
    truth = np.repeat(np.arange(3, dtype=np.uint8), 20).reshape(3, 20)
    np.testing.assert_array_equal(counts.confusion(truth, truth, 3, threads=8)[:, :3], 20 * np.eye(3))


def test_ids_that_are_no_class_are_named(path: str) -> None:
    known = np.array([[0, 1, 2]], np.uint8)
    with pytest.raises(ValueError, match=r"predicted ids \[7, 9\] are not among 0..2"):
        counts.confusion(np.array([[9, 7, 255]], np.uint8), known, 3)
    with pytest.raises(ValueError, match=r"true ids \[2\] are not among 0..1"):
        counts.confusion(np.array([[0, 1, 1]], np.uint8), known, 2)
    with pytest.raises(ValueError, match=r"true ids \[254\] are not among 0..253"):
        counts.confusion(np.zeros((1, 3), int), np.array([[0, 254, 255]]), 254)
    with pytest.raises(ValueError, match=r"ids are 0..254 or 255; got -1..300"):
        counts.confusion(np.array([[0, -1, 300]]), known, 3)


@pytest.mark.parametrize("shape", [(0, 0), (0, 7), (1, 1), (1, 9), (9, 1)])
def test_small_and_empty_pictures(path: str, shape: tuple[int, int]) -> None:
    ids = np.zeros(shape, np.uint8)
    assert counts.confusion(ids, ids, 2)[0, 0] == ids.size
    assert counts.boundary_hits(ids, ids, 2, 3).sum() == 0
    assert counts.boundary_bands(ids, ids, 2, 1, edge_is_boundary=False).sum() == 0
    assert counts.boundary_bands(ids, ids, 2, 1)[0].tolist() == [ids.size] * 3


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\) and \(2, 1\)"):
        counts.confusion(np.zeros((1, 2), np.uint8), np.zeros((2, 1), np.uint8), 2)
    with pytest.raises(ValueError, match="class_count is from 1"):
        counts.confusion(np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8), 256)
    with pytest.raises(ValueError, match="leave it out to begin"):
        counts.confusion(np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8), 2, into=np.zeros((2, 2), np.int64))
    with pytest.raises(ValueError, match="at least 1 px wide"):
        counts.boundary_bands(np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8), 2, 0)
    with pytest.raises(ValueError, match="from 0 up"):
        counts.boundary_hits(np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8), 2, np.nan)


@given(shape=shapes, random_state=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_region_overlaps_pair_by_pair(shape: tuple[int, int], random_state: int) -> None:
    random = np.random.default_rng(random_state)
    first, second = random.integers(-1, 4, (2, *shape)).astype(np.int32)
    expected = {
        (a, b): int(((first == a) & (second == b)).sum())
        for a in range(4)
        for b in range(4)
        if ((first == a) & (second == b)).any()
    }
    ours = zip(*(each.tolist() for each in counts.region_overlaps(first, second)), strict=True)
    assert [((a, b), n) for a, b, n in ours] == list(expected.items())


def boundary_by_definition(ids: NDArray[np.uint8], hidden: NDArray[np.bool_], class_id: int) -> list[tuple[int, int]]:
    found = []
    for row, col in np.ndindex(ids.shape):
        if ids[row, col] == class_id and not hidden[row, col]:
            around = ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1))
            inside = [at for at in around if 0 <= at[0] < ids.shape[0] and 0 <= at[1] < ids.shape[1]]
            if any(ids[at] != class_id and not hidden[at] for at in inside):
                found.append((row, col))
    return found


@given(pair=pairs(), tolerance=st.sampled_from([0, 1, 1.5, 2, 3.2]))
@settings(max_examples=50, deadline=None)
def test_boundary_hits_by_definition(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], tolerance: float) -> None:
    predicted, truth = pair
    expected = np.zeros((CLASSES, 4), np.int64)
    for class_id in range(CLASSES):
        lines = [boundary_by_definition(ids, truth == 255, class_id) for ids in (predicted, truth)]
        for column, (here, there) in enumerate((lines, lines[::-1])):
            near = [any((a - c) ** 2 + (b - d) ** 2 <= tolerance**2 for c, d in there) for a, b in here]
            expected[class_id, 2 * column : 2 * column + 2] = sum(near), len(near)
    with pytest.MonkeyPatch.context() as patch:
        for result in both_ways(patch, lambda: counts.boundary_hits(predicted, truth, CLASSES, tolerance)):
            np.testing.assert_array_equal(result, expected)


@given(pair=pairs(), width=st.integers(1, 4), edge=st.booleans())
@settings(max_examples=50, deadline=None)
def test_boundary_bands_by_definition(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], width: int, edge: bool
) -> None:
    predicted, truth = pair
    expected = np.zeros((CLASSES, 3), np.int64)
    for class_id in range(CLASSES):
        bands = []
        for ids in (predicted, truth):
            band = np.zeros(ids.shape, bool)
            for row, col in np.argwhere((ids == class_id) & (truth != 255)):
                rows = slice(max(0, row - width), row + width + 1)
                cols = slice(max(0, col - width), col + width + 1)
                at_edge = min(row, col) < width or row + width >= ids.shape[0] or col + width >= ids.shape[1]
                other = (ids[rows, cols] != class_id) & (truth[rows, cols] != 255)
                band[row, col] = other.any() or (edge and at_edge)
            bands.append(band)
        expected[class_id] = (bands[0] & bands[1]).sum(), bands[0].sum(), bands[1].sum()
    with pytest.MonkeyPatch.context() as patch:
        for result in both_ways(
            patch, lambda: counts.boundary_bands(predicted, truth, CLASSES, width, edge_is_boundary=edge)
        ):
            np.testing.assert_array_equal(result, expected)


def test_bands_are_what_the_public_way_erodes() -> None:
    """Erode each class with 3 x 3 as often as the band is wide, on a picture framed by background."""
    import cv2

    random = np.random.default_rng(3)
    truth = np.kron(random.integers(0, 3, (4, 9), dtype=np.uint8), np.ones((12, 12), np.uint8))
    predicted = np.roll(truth, 3, axis=1)
    ours = counts.boundary_bands(predicted, truth, 3, 5)
    for class_id in range(3):
        bands = []
        for ids in (predicted, truth):
            mask = np.pad((ids == class_id).astype(np.uint8), 1)
            bands.append((mask - cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=5))[1:-1, 1:-1] > 0)
        assert ours[class_id].tolist() == [(bands[0] & bands[1]).sum(), bands[0].sum(), bands[1].sum()]


@given(pair=pairs(), size=st.integers(1, 9), tolerance=st.sampled_from([0, 1.5, 3]), width=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_pieces_with_a_margin_add_up_to_the_whole(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], size: int, tolerance: float, width: int
) -> None:
    predicted, truth = pair
    everything = Window(0, 0, *truth.shape)
    hits, bands = np.zeros((CLASSES, 4), np.int64), np.zeros((CLASSES, 3), np.int64)
    for piece in split(everything, size):
        wide = grow(piece, counts.boundary_margin(tolerance), everything)
        part = predicted[wide.slices], truth[wide.slices], CLASSES
        hits += counts.boundary_hits(*part, tolerance, inside=shift(piece, wide.top, wide.left))
        wide = grow(piece, width, everything)
        part = predicted[wide.slices], truth[wide.slices], CLASSES
        bands += counts.boundary_bands(*part, width, inside=shift(piece, wide.top, wide.left))
    np.testing.assert_array_equal(hits, counts.boundary_hits(predicted, truth, CLASSES, tolerance))
    np.testing.assert_array_equal(bands, counts.boundary_bands(predicted, truth, CLASSES, width))


def test_boundaries_counted_strip_by_strip_are_those_of_the_whole(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, truth = np.random.default_rng(2).choice([0, 1, 2, 255], (2, 23, 9)).astype(np.uint8)
    hits = counts.boundary_hits(predicted, truth, CLASSES, 1.5)
    bands = counts.boundary_bands(predicted, truth, CLASSES, 2)
    monkeypatch.setattr(counts, "STRIP", 36)
    np.testing.assert_array_equal(counts.boundary_hits(predicted, truth, CLASSES, 1.5), hits)
    np.testing.assert_array_equal(counts.boundary_bands(predicted, truth, CLASSES, 2), bands)
