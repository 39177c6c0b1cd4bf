"""Run lengths against pycocotools, against the published fixtures, and against themselves there and back."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from maskwright.arrays import combine, encode, run_text
from maskwright.arrays.encode import (
    EMPTY,
    Region,
    counts_text,
    decode,
    from_counts,
    label_regions,
    paint,
    text_counts,
    to_counts,
)
from maskwright.arrays.windows import Window

coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is the oracle; install the bench extra")

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@pytest.fixture(params=["numba", "plain"], autouse=True)
def both_paths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(encode, "HAS_NUMBA", False)
        monkeypatch.setattr(combine, "HAS_NUMBA", False)
    elif not encode.HAS_NUMBA:
        pytest.skip("numba is switched off")


def coco_text(mask: np.ndarray) -> str:
    text: bytes = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return text.decode()


def patchwork(random_state: int, shape: tuple[int, int] = (20, 60)) -> np.ndarray:
    random = np.random.default_rng(random_state)
    mask = np.zeros(shape, bool)
    for _ in range(random.integers(0, 5)):
        top, left = random.integers(0, shape[0]), random.integers(0, shape[1])
        mask[top : top + random.integers(1, 12), left : left + random.integers(1, 30)] ^= True
    return mask


@settings(max_examples=150, deadline=None)
@given(masks, st.sampled_from(["C", "F"]))
def test_decode_undoes_encode(mask: np.ndarray, order: str) -> None:
    region = encode.encode(np.asarray(mask, order=order))
    assert (decode(region, *mask.shape) == mask).all()
    assert region.area == mask.sum()


@settings(max_examples=150, deadline=None)
@given(masks, st.sampled_from(["C", "F"]))
def test_the_box_is_tight_and_the_counts_have_one_form(mask: np.ndarray, order: str) -> None:
    region = encode.encode(np.asarray(mask, order=order))
    if not mask.any():
        assert region.box == Window(0, 0, 0, 0) and not len(region.counts)
        return
    rows, cols = np.nonzero(mask)
    assert region.box == (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
    assert (region.counts[1:] > 0).all()
    assert region.counts.dtype == np.uint32
    assert region.counts.sum() == region.box.height * region.box.width


@settings(max_examples=150, deadline=None)
@given(masks)
def test_whole_picture_counts_equal_pycocotools(mask: np.ndarray) -> None:
    counts = to_counts(encode.encode(mask), *mask.shape)
    assert counts_text(counts) == coco_text(mask)
    back = from_counts(text_counts(coco_text(mask)), *mask.shape)
    assert (decode(back, *mask.shape) == mask).all()
    assert back.box == encode.encode(mask).box
    np.testing.assert_array_equal(back.counts, encode.encode(mask).counts)


@pytest.mark.parametrize("seed", range(40))
def test_patches_in_wide_scenes_equal_pycocotools(seed: int) -> None:
    mask = patchwork(seed)
    assert counts_text(to_counts(encode.encode(mask), *mask.shape)) == coco_text(mask)
    assert counts_text(to_counts(encode.encode(np.asfortranarray(mask)), *mask.shape)) == coco_text(mask)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=30))
def test_the_text_of_counts_is_lossless(counts: list[int]) -> None:
    assert text_counts(counts_text(counts)).tolist() == counts


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 50])
def test_the_text_does_not_depend_on_blocks(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(at_once).integers(0, 90_000, 41)
    expected = counts_text(counts)
    monkeypatch.setattr(run_text, "AT_ONCE", at_once)
    assert counts_text(counts) == expected
    assert counts_text(counts.astype(np.uint32)) == expected
    assert text_counts(expected).tolist() == counts.tolist()


def test_the_published_fixtures_reproduce(shared_data: Path) -> None:
    fixtures = json.loads((shared_data / "oracles" / "rle_fixtures.json").read_text())
    plain, text = fixtures["uncompressed_rle"]["counts"], fixtures["compressed_rle"]["counts"]
    assert counts_text(plain) == text
    assert text_counts(text).tolist() == plain
    regions = [from_counts(text_counts(rle["counts"]), *rle["size"]) for rle in fixtures["bbox_rles"]]
    height, width = fixtures["image_size"]
    for region, (x, y, w, h) in zip(regions, fixtures["bboxes"], strict=True):
        assert region.box == (y, x, min(y + h, height), min(x + w, width))
        assert region.area == region.box.height * region.box.width
    union, shared = combine.merge(regions), combine.merge(regions, intersect=True)
    assert counts_text(to_counts(union, height, width)) == fixtures["bbox_rles_merged_union"]["counts"]
    assert counts_text(to_counts(shared, height, width)) == fixtures["bbox_rles_merged_intersect"]["counts"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64])
def test_any_dtype_not_zero_is_inside(dtype: type) -> None:
    mask = np.zeros((4, 9), dtype)
    mask[1:3, 2:7] = 3
    assert encode.encode(mask).box == (1, 2, 3, 7)
    assert np.isclose(encode.encode(np.array([[np.nan, 0.0]])).area, 1)


def test_strided_and_read_only_pictures() -> None:
    wide = np.zeros((20, 60), bool)
    wide[4:10, 6:50] = True
    wide.flags.writeable = False
    for view in (wide[::2, ::3], wide[::-1, ::-1], wide.T, wide[:, 3:30]):
        assert (decode(encode.encode(view), *view.shape) == view).all()


def test_empty_pictures_and_regions() -> None:
    assert encode.encode(np.zeros((0, 5), bool)) is EMPTY
    assert encode.encode(np.zeros((3, 0), bool)) is EMPTY
    assert encode.encode(np.zeros((3, 4), bool)).area == 0
    assert to_counts(EMPTY, 2, 3).tolist() == [6]
    assert not decode(EMPTY, 2, 3).any()
    ids, regions = label_regions(np.zeros((0, 4), np.uint16))
    assert not len(ids) and regions == ()


@pytest.mark.parametrize("counts", [[4], [4, 3], [-1, 7], [3, 4, 0, 1]])
def test_counts_that_do_not_fill_the_picture_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"expected 2 x 3 = 6"):
        from_counts(counts, 2, 3)


@pytest.mark.parametrize("text", ["~~", "o", "05 5", "ooooooooooooo1"])
def test_text_that_is_no_run_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="compressed text"):
        text_counts(text)


def test_zero_runs_are_read_like_the_pixels_they_say() -> None:
    region = from_counts([1, 2, 0, 1, 2], 3, 2)
    assert decode(region, 3, 2).T.reshape(-1).tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_label_maps_give_every_label_in_one_pass(dtype: type) -> None:
    labels = np.random.default_rng(3).integers(0, 6, (20, 60)).astype(dtype)
    ids, regions = label_regions(labels)
    assert ids.tolist() == [1, 2, 3, 4, 5]
    for label, region in zip(ids, regions, strict=True):
        assert (decode(region, 20, 60) == (labels == label)).all()
        np.testing.assert_array_equal(region.counts, encode.encode(labels == label).counts)


def test_real_label_maps_equal_their_coco_file(shared_data: Path) -> None:
    from PIL import Image

    content = json.loads((shared_data / "nuclei" / "instances.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    texts: dict[str, set[str]] = {}
    for each in content["annotations"]:
        texts.setdefault(names[each["image_id"]], set()).add(each["segmentation"]["counts"])
    for name in sorted(texts)[:20]:
        labels = np.asarray(Image.open(shared_data / "nuclei" / "instances" / name)).astype(np.int64)
        _, regions = label_regions(labels)
        assert {counts_text(to_counts(region, *labels.shape)) for region in regions} == texts[name]


def test_paint_writes_inside_and_nowhere_else() -> None:
    mask = patchwork(5)
    class_ids = np.full(mask.shape, 9, np.uint8)
    paint(class_ids, encode.encode(mask), 4)
    assert (class_ids == np.where(mask, 4, 9)).all()
    paint(class_ids, EMPTY, 1)
    assert not (class_ids == 1).any()


def test_decode_refuses_a_region_outside_the_picture() -> None:
    with pytest.raises(ValueError, match="does not lie inside 2 x 2"):
        decode(Region(Window(0, 0, 3, 1), np.array([0, 3], np.uint32)), 2, 2)


def test_a_thousand_small_objects_on_a_big_picture_stay_small() -> None:
    rows, cols = np.mgrid[:50, :50]
    disc = ((rows - 25) ** 2 + (cols - 25) ** 2) < 600
    labels = np.zeros((3000, 4000), np.uint16)
    for index in range(1000):
        top, left = 60 * (index // 50), 80 * (index % 50)
        labels[top : top + 50, left : left + 50][disc] = index + 1
    tracemalloc.start()
    _, regions = label_regions(labels)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(regions) == 1000
    assert held < 20e6
