"""Outlines there and back, against pycocotools' rasteriser, and valid in the sense of OGC."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from maskwright.arrays.encode import EMPTY, counts_text, decode, encode, to_counts
from maskwright.arrays.polygons import fill, fill_as_coco, trace

coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is the oracle; install the bench extra")

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


@settings(max_examples=300, deadline=None)
@given(masks)
def test_filling_the_traced_outline_gives_the_region_back(mask: np.ndarray) -> None:
    region = encode(mask)
    back = fill(trace(region), *mask.shape)
    assert back.box == region.box
    np.testing.assert_array_equal(back.counts, region.counts)


@settings(max_examples=150, deadline=None)
@given(masks)
def test_traced_polygons_are_valid_and_have_the_area_of_the_pixels(mask: np.ndarray) -> None:
    shapely = pytest.importorskip("shapely")
    polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in trace(encode(mask))]
    assert all(polygon.is_valid for polygon in polygons)
    assert sum(polygon.area for polygon in polygons) == mask.sum()


def test_a_ring_with_a_hole_and_an_island_inside() -> None:
    mask = np.zeros((9, 15), bool)
    mask[1:8, 2:12] = True
    mask[2:7, 4:10] = False
    mask[4, 6] = True
    outside, inside = trace(encode(mask))
    assert [len(rings) for rings in (outside, inside)] == [2, 1]
    assert sorted(map(tuple, inside[0].tolist())) == [(4, 6), (4, 7), (5, 6), (5, 7)]


def test_corner_neighbours_are_two_polygons() -> None:
    assert len(trace(encode([[1, 0], [0, 1]]))) == 2
    assert trace(EMPTY) == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-9, 35, width=32), st.floats(-9, 70, width=32)), min_size=3, max_size=12),
    st.booleans(),
)
def test_coco_polygons_are_filled_as_pycocotools_fills_them(corners: list[tuple[float, float]], whole: bool) -> None:
    if whole:
        corners = [(round(row), round(col)) for row, col in corners]
    flat = [float(value) for row, col in corners for value in (col, row)]
    theirs = coco.frPyObjects([flat], 23, 57)[0]["counts"].decode()
    assert counts_text(to_counts(fill_as_coco(corners, 23, 57), 23, 57)) == theirs


def test_the_published_polygons_reproduce(shared_data: Path) -> None:
    fixtures = json.loads((shared_data / "oracles" / "rle_fixtures.json").read_text())
    height, width = fixtures["image_size"]
    for polygon, rle in zip(fixtures["polygons"], fixtures["poly_rles"], strict=True):
        region = fill_as_coco(np.reshape(polygon, (-1, 2))[:, ::-1], height, width)
        assert counts_text(to_counts(region, height, width)) == rle["counts"]


def test_all_polygons_of_real_truth_equal_pycocotools(shared_data: Path) -> None:
    content = json.loads((shared_data / "oracles" / "coco" / "instances_val2014_100.json").read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    seen = 0
    for each in content["annotations"][:250]:
        if isinstance(each["segmentation"], list):
            size = sizes[each["image_id"]]
            for polygon, rle in zip(each["segmentation"], coco.frPyObjects(each["segmentation"], *size), strict=True):
                region = fill_as_coco(np.reshape(polygon, (-1, 2))[:, ::-1], *size)
                assert counts_text(to_counts(region, *size)) == rle["counts"].decode()
                seen += 1
    assert seen > 200


@settings(max_examples=100, deadline=None)
@given(st.floats(0.1, 8.9), st.floats(0.1, 18.9))
def test_neighbours_share_no_pixel_and_leave_none_out(row: float, col: float) -> None:
    parts = [
        [(0, 0), (0, col), (row, col), (row, 0)],
        [(0, col), (0, 20), (row, 20), (row, col)],
        [(row, 0), (row, 20), (9, 20), (9, 0)],
    ]
    total = sum(decode(fill([[part]], 9, 20), 9, 20).astype(int) for part in parts)
    assert (total == 1).all()


def test_the_centre_rule_equals_rasterio() -> None:
    features = pytest.importorskip("rasterio.features")
    random = np.random.default_rng(0)
    for _ in range(60):
        corners = random.uniform(-5, (35, 75), (random.integers(3, 9), 2))
        shape = {"type": "Polygon", "coordinates": [[*map(tuple, corners[:, ::-1]), tuple(corners[0, ::-1])]]}
        theirs = features.rasterize([(shape, 1)], out_shape=(30, 70)).astype(bool)
        np.testing.assert_array_equal(decode(fill([[corners]], 30, 70), 30, 70), theirs)


@pytest.mark.parametrize("function", [fill_as_coco, lambda ring, *size: fill([[ring]], *size)])
def test_vertices_that_are_no_numbers_are_refused(function: object) -> None:
    with pytest.raises(ValueError, match="no number"):
        function([(0, 0), (np.nan, 3), (2, 2)], 9, 9)  # type: ignore[operator]


def test_outlines_outside_the_picture_give_nothing() -> None:
    away = [(-9, -9), (-9, -3), (-3, -3)]
    assert fill([[away]], 5, 5).area == fill_as_coco(away, 5, 5).area == fill([], 5, 5).area == 0
