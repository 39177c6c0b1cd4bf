"""Unions, intersections and IoU of regions against dense arrays and pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskwright.arrays import combine, encode
from maskwright.arrays.encode import EMPTY, decode

coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is the oracle; install the bench extra")

SHAPE = (9, 23)
stacks = arrays(np.bool_, st.tuples(st.integers(1, 5), st.just(SHAPE[0]), st.just(SHAPE[1])))


@pytest.fixture(params=["numba", "plain"], autouse=True)
def both_paths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(encode, "HAS_NUMBA", False)
        monkeypatch.setattr(combine, "HAS_NUMBA", False)
    elif not encode.HAS_NUMBA:
        pytest.skip("numba is switched off")


def blobs(random_state: int, count: int, shape: tuple[int, int] = (30, 90)) -> list[np.ndarray]:
    random = np.random.default_rng(random_state)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    found = []
    for _ in range(count):
        row, col, radius = random.uniform(0, shape[0]), random.uniform(0, shape[1]), random.uniform(0, 14)
        found.append(((rows - row) ** 2 + (cols - col) ** 2 < radius**2) & (random.random(shape) > 0.1))
    return found


@settings(max_examples=80, deadline=None)
@given(stacks)
def test_merge_is_any_or_all(stack: np.ndarray) -> None:
    regions = [encode.encode(mask) for mask in stack]
    assert (decode(combine.merge(regions), *SHAPE) == stack.any(axis=0)).all()
    assert (decode(combine.merge(regions, intersect=True), *SHAPE) == stack.all(axis=0)).all()
    np.testing.assert_array_equal(combine.merge(regions).counts, encode.encode(stack.any(axis=0)).counts)


@settings(max_examples=80, deadline=None)
@given(stacks)
def test_iou_is_symmetric_and_one_with_itself(stack: np.ndarray) -> None:
    regions = [encode.encode(mask) for mask in stack]
    table = combine.iou(regions, regions)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(np.diag(table), stack.any(axis=(1, 2)).astype(float))


@pytest.mark.parametrize("seed", range(8))
def test_iou_equals_pycocotools_with_and_without_crowds(seed: int) -> None:
    a, b = blobs(seed, 12), blobs(seed + 100, 9)
    crowd = np.random.default_rng(seed).random(len(b)) < 0.4
    theirs = coco.iou(
        [coco.encode(np.asfortranarray(mask, np.uint8)) for mask in a],
        [coco.encode(np.asfortranarray(mask, np.uint8)) for mask in b],
        crowd.tolist(),
    )
    ours = combine.iou([encode.encode(mask) for mask in a], [encode.encode(mask) for mask in b], crowd)
    np.testing.assert_array_equal(ours, theirs)


def test_spans_lie_down_the_columns_of_the_picture() -> None:
    masks = blobs(4, 6)
    starts, ends, offsets = encode.spans([encode.encode(mask) for mask in masks], 30)
    for mask, first, last in zip(masks, offsets[:-1], offsets[1:], strict=True):
        flat = np.zeros(mask.size, int)
        for start, end in zip(starts[first:last], ends[first:last], strict=True):
            flat[start:end] += 1
        np.testing.assert_array_equal(flat, mask.T.reshape(-1))


def test_nothing_shares_nothing() -> None:
    assert combine.merge([]) is EMPTY
    assert combine.iou([], []).shape == (0, 0)
    assert combine.iou([EMPTY], [EMPTY]).tolist() == [[0.0]]
    assert combine.iou([EMPTY], [encode.encode([[1]])], [True]).tolist() == [[0.0]]
    assert combine.merge([EMPTY, encode.encode([[1]])]).area == 1
    assert combine.merge([EMPTY, encode.encode([[1]])], intersect=True).area == 0


def test_an_empty_region_takes_part_in_no_pair() -> None:
    empty = np.zeros((4, 4), np.int64)[:1]
    first, second = combine.meeting_boxes(empty, np.array([[0, 0, 4, 4]]))
    assert not len(first) and not len(second)


@settings(max_examples=40, deadline=None)
@given(stacks, st.booleans())
def test_merging_in_bands_and_groups_changes_nothing(masks: np.ndarray, intersect: bool) -> None:
    regions = [encode.encode(mask) for mask in masks]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(combine, "AT_ONCE", 5)
        patch.setattr(encode, "AT_ONCE", 7)
        merged = combine.merge(regions, intersect=intersect)
        shared = combine.iou(regions, regions)
    expected = masks.all(axis=0) if intersect else masks.any(axis=0)
    np.testing.assert_array_equal(decode(merged, *SHAPE), expected)
    np.testing.assert_array_equal(merged.counts, encode.encode(expected).counts)
    np.testing.assert_array_equal(shared, combine.iou(regions, regions))
