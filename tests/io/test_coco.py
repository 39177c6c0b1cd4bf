"""COCO files: real ones there and back, and every way to get one wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskwright.arrays.encode import EMPTY, decode, encode, label_regions
from maskwright.errors import FormatError, InputError
from maskwright.io.coco import read_instances, write_instances
from maskwright.types import Grid, Instances, Step

SQUARE = [3.0, 2.0, 9.0, 2.0, 9.0, 6.0, 3.0, 6.0]


def coco(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    images = [{"id": 1, "file_name": "pics/reef.png", "height": 20, "width": 60}]
    return {"images": images, "annotations": list(annotations), "categories": [{"id": 3, "name": "coral"}]} | changes


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": 17, "image_id": 1, "category_id": 3, "segmentation": [SQUARE]} | changes


def saved(folder: Path, content: Any) -> Path:
    path = folder / "objects.json"
    path.write_text(json.dumps(content))
    return path


def test_polygons_run_lengths_and_boxes_are_read(tmp_path: Path) -> None:
    mask = np.zeros((20, 60), bool)
    mask[2:6, 3:9] = True
    counts = [
        int(each) for each in np.diff(np.flatnonzero(np.diff(mask.T.reshape(-1), prepend=0, append=0)), prepend=0)
    ]
    counts = [*counts, 1200 - sum(counts)]
    path = saved(
        tmp_path,
        coco(
            entry(id=1, area=23.5),
            entry(id=2, segmentation={"size": [20, 60], "counts": counts}),
            entry(id=3, segmentation=SQUARE, iscrowd=1),
            entry(id=4, segmentation=[], bbox=[3, 2, 6, 4], score=0.25),
        ),
    )
    found = read_instances(path)["reef"]
    assert [region.box for region in found.regions] == [(2, 3, 6, 9)] * 4
    assert all((decode(region, 20, 60) == mask).all() for region in found.regions)
    assert found.class_ids.tolist() == [3] * 4 and found.class_names == ("", "", "", "coral")
    assert found.scores.tolist() == [1, 1, 1, 0.25]
    assert found.crowd is not None and found.crowd.tolist() == [False, False, True, False]
    assert found.areas is not None and found.areas.tolist() == [23.5, 24, 24, 24]


def test_pictures_without_objects_are_there_and_ids_are_ascending(tmp_path: Path) -> None:
    images = [{"id": k, "file_name": f"{k}.png", "height": 4, "width": 9} for k in (10, 9, 100)]
    path = saved(tmp_path, coco(images=images))
    assert list(read_instances(path)) == ["9", "10", "100"]
    assert read_instances(path)["100"].regions == ()


def test_category_ids_that_do_not_fit_are_numbered_anew(tmp_path: Path) -> None:
    names = [{"id": 4000, "name": "b"}, {"id": 7, "name": "a"}]
    found = read_instances(saved(tmp_path, coco(entry(category_id=4000), categories=names)))["reef"]
    assert found.class_names == ("", "a", "b") and found.class_ids.tolist() == [2]


def test_a_list_of_results_takes_pictures_from_the_truth(tmp_path: Path) -> None:
    truth = saved(tmp_path, coco(entry()))
    results = tmp_path / "results.json"
    results.write_text(json.dumps([entry(score=0.5, id=1)]))
    found = read_instances(results, like=truth)
    assert list(found) == ["reef"] and found["reef"].scores.tolist() == [0.5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"category_id": 9}, "annotation 17: category_id is 9; expected one of 3"),
        ({"category_id": None}, "annotation 17: category_id is None"),
        ({"image_id": 5}, "annotation 17: image_id is 5; expected the id of an entry in images"),
        ({"segmentation": None}, "annotation 17: neither segmentation nor bbox"),
        ({"segmentation": [[1, 2, 3, 4]]}, "annotation 17: a polygon is"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "annotation 17: a polygon is"),
        ({"segmentation": [[1, 2, float("nan"), 4, 5, 6]]}, "annotation 17: a polygon is"),
        ({"segmentation": "abc"}, "annotation 17: segmentation is 'abc'"),
        ({"segmentation": {"size": [60, 20], "counts": [1200]}}, "annotation 17: its run lengths fill 60 x 20"),
        ({"segmentation": {"size": [20, 60], "counts": [1199]}}, "annotation 17: the run lengths cover 1199 pixels"),
        ({"segmentation": {"size": [20, 60], "counts": [-5, 1205]}}, "annotation 17: the run lengths"),
        ({"segmentation": {"size": [20, 60], "counts": "~"}}, "annotation 17: this is not the compressed text"),
        ({"segmentation": {"size": [20, 60], "counts": [1.5]}}, "annotation 17: counts are"),
        ({"segmentation": {"counts": [1200]}}, "annotation 17: the size of its run lengths is None"),
        ({"bbox": [1, 2, 3]}, "annotation 17: bbox is"),
        ({"bbox": [1, 2, -3, 4]}, "annotation 17: bbox is -3.0 x 4.0"),
        ({"score": float("nan")}, "annotation 17: score is nan"),
        ({"area": "big"}, "annotation 17: area is 'big'"),
        ({"iscrowd": 2}, "annotation 17: iscrowd is 2"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_annotation(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = saved(tmp_path, coco(entry(**change)))
    with pytest.raises(InputError) as caught:
        read_instances(path)
    assert str(caught.value).startswith(str(path)) and words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": []}, "no list of annotations"),
        ({"annotations": []}, "no list of images"),
        (7, "no list of annotations"),
        (coco(entry(), entry()), "annotation 17: its id occurs twice"),
        (coco("x"), "an annotation is 'x'"),  # type: ignore[arg-type]
        (coco(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "category 1 (b) occurs twice"),
        (coco(categories=[{"id": "1", "name": "a"}]), "expected a whole id and a name"),
        (coco(images=[{"id": 1, "file_name": "a.png"}] * 2), "image id 1 occurs twice"),
        (coco(images=[{"id": 1, "file_name": "x/a.png"}, {"id": 2, "file_name": "y/a.jpg"}]), "picture name 'a'"),
        (coco(images=[{"id": 1}]), "expected id and file_name"),
        (coco(images=[{"id": 1, "file_name": "a.png", "height": 0, "width": 4}]), "image 1 is 0 x 4"),
        (coco(images=[{"id": 1, "file_name": "a.png"}]), "image 'a' has no size"),
    ],
)
def test_files_that_are_no_coco_are_refused(tmp_path: Path, content: Any, words: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_instances(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 problems\n.*annotation 1: .*\n.*annotation 2: "):
        read_instances(saved(tmp_path, coco(entry(id=1, category_id=8), entry(id=2, bbox="x"))))


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "reef.png")
    with pytest.raises(InputError, match="is 20 x 60 there and 20 x 30 on disk"):
        read_instances(saved(tmp_path, coco(entry())), {"reef": tmp_path / "reef.png"})
    with pytest.raises(InputError, match="picture 'reef' is not among the pictures"):
        read_instances(saved(tmp_path, coco(entry())), {"moor": tmp_path / "reef.png"})


def test_everything_survives_writing_and_reading(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    masks = [random.random((20, 60)) > 0.8, np.zeros((20, 60), bool), random.random((20, 60)) > 0.3]
    grid = Grid(20, 60, (0.5, 0.0, 100.0, 0.0, -0.5, 200.0), "EPSG:32740")
    step = Step("prompted", {"reach_px": 4.0}, "abc", {"image": "def"})
    before = Instances(
        tuple(encode(mask) for mask in masks),
        np.array([1, 2, 1], np.uint8),
        np.array([0.1, 0.7, 1], np.float32),
        ("", "coral", "sand"),
        grid,
        (step,),
        np.array([False, True, False]),
        np.array([1.5, 2.25, 3]),
        random.random((3, 4)),
    )
    empty = Instances((), np.zeros(0, np.uint8), np.zeros(0, np.float32), before.class_names, Grid(4, 9))
    write_instances(tmp_path / "a.json", {"reef": before, "sea": empty})
    write_instances(tmp_path / "b.json", {"reef": before, "sea": empty})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = read_instances(tmp_path / "a.json")
    assert list(found) == ["reef", "sea"] and found["sea"].regions == ()
    after = found["reef"]
    assert after.grid == grid and after.history == (step,) and after.class_names == before.class_names
    assert after.regions[1].box == EMPTY.box and after.scores.dtype == np.float32
    for name in ("class_ids", "scores", "crowd", "areas", "extents"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for mask, region in zip(masks, after.regions, strict=True):
        assert (decode(region, 20, 60) == mask).all()


def test_what_others_write_others_can_read(tmp_path: Path) -> None:
    tools = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(2).random((20, 60)) > 0.5
    one = Instances((encode(mask),), np.ones(1, np.uint8), np.ones(1, np.float32), ("", "a"), Grid(20, 60))
    write_instances(tmp_path / "a.json", {"reef": one})
    shape = json.loads((tmp_path / "a.json").read_text())["annotations"][0]["segmentation"]
    assert shape["counts"] == tools.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()


def test_real_nuclei_equal_their_label_maps_and_round_trip(shared_data: Path, tmp_path: Path) -> None:
    pictures = {path.stem: path for path in (shared_data / "nuclei" / "images").iterdir()}
    found = read_instances(shared_data / "nuclei" / "instances.json", pictures)
    assert len(found) == 75 and sum(len(each.regions) for each in found.values()) == 3637
    for name, each in list(found.items())[:15]:
        labels = np.asarray(Image.open(shared_data / "nuclei" / "instances" / f"{name}.png")).astype(np.int64)
        _, regions = label_regions(labels)
        ours = {(region.box, region.counts.tobytes()) for region in each.regions}
        assert ours == {(region.box, region.counts.tobytes()) for region in regions}
    write_instances(tmp_path / "again.json", found)
    again = read_instances(tmp_path / "again.json", pictures)
    for name, each in found.items():
        pairs = zip(each.regions, again[name].regions, strict=True)
        assert all(a.box == b.box and (a.counts == b.counts).all() for a, b in pairs)


def test_a_broken_file_is_a_format_error(tmp_path: Path) -> None:
    (tmp_path / "objects.json").write_text('{"annotations": [')
    with pytest.raises(FormatError, match=r"objects.json:1: broken JSON"):
        read_instances(tmp_path / "objects.json")
