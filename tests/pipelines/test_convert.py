"""Conversions from file to file: what is lost is said, what is not lost is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskwright.arrays.encode import encode
from maskwright.errors import EmptyResultError, InputError, UnknownNameError
from maskwright.io.coco import read_instances, write_instances
from maskwright.io.masks import MaskFolder, write_mask
from maskwright.pipelines.convert import convert
from maskwright.pipelines.formats import find_format
from maskwright.types import Grid, Instances, Mask, Step

NAMES = ("", "coral", "sand")
EARTH = Grid(20, 60, (0.5, 0.0, 320000.0, 0.0, -0.5, 7680000.0), "EPSG:32740")
LOSSLESS = ["coco", "panoptic", "geojson", "gpkg", "geotiff"]


def masks(folder: Path, *, holes: bool = True, grid: Grid | None = None) -> Path:
    random = np.random.default_rng(4)
    for name in ("reef2", "reef10"):
        ids = np.full((20, 60), 255, np.uint8)
        ids[2:15, 5:30] = 1
        ids[5:9, 20:50] = 2
        if holes:
            ids[8, 10] = 255
            ids[17, random.integers(0, 60)] = 1
        write_mask(folder / f"{name}{'.tif' if grid else '.png'}", Mask(ids, NAMES, grid or Grid(20, 60)))
    return folder


def same_masks(a: Path, b: Path) -> None:
    first, second = MaskFolder(a), MaskFolder(b)
    assert first.names() == second.names() == ["reef2", "reef10"]
    for name in first.names():
        one, other = first.read(name), second.read(name)
        assert (one.class_ids == other.class_ids).all() and one.class_names == other.class_names


@pytest.mark.parametrize("to", LOSSLESS)
def test_masks_come_back_whole_from_lossless_formats(tmp_path: Path, to: str) -> None:
    if to in ("geotiff", "gpkg"):
        pytest.importorskip("pyogrio")
    source = masks(tmp_path / "masks")
    there = convert(source, to, tmp_path / to)
    assert there.losses == () and there.numbers["lowest_iou"] == 1 and there.numbers["pictures"] == 2
    assert all(path.is_file() for path in there.written)
    once = there.written[0] if to in ("coco", "panoptic", "geojson", "gpkg") else tmp_path / to
    images = source if to in ("geojson", "gpkg") else None
    back = convert(once, "masks", tmp_path / "back", images=images)
    assert back.losses == () and back.numbers["lowest_iou"] == 1
    same_masks(source, tmp_path / "back")


def test_masks_on_earth_survive_geojson(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    source = masks(tmp_path / "masks", grid=EARTH)
    assert find_format(source) == "geotiff"
    there = convert(source, "geojson", tmp_path / "objects.geojson")
    assert there.losses == () and there.written == (tmp_path / "objects.geojson",)
    convert(tmp_path / "objects.geojson", "geotiff", tmp_path / "back", images=source)
    same_masks(source, tmp_path / "back")
    assert MaskFolder(tmp_path / "back").read("reef2").grid == EARTH


@pytest.mark.parametrize("to", ["yolo", "labelme"])
def test_outlines_say_what_they_cannot_hold(tmp_path: Path, to: str) -> None:
    there = convert(masks(tmp_path / "masks"), to, tmp_path / to)
    assert any(sentence.startswith("2 holes were filled") for sentence in there.losses)
    assert any("differ after reading back" in sentence for sentence in there.losses)
    assert 0 < there.numbers["lowest_iou"] < 1
    plain = convert(masks(tmp_path / "plain", holes=False), "labelme", tmp_path / "plain-labelme")
    assert plain.losses == () and plain.numbers["lowest_iou"] == 1


def test_yolo_back_into_masks_needs_the_pictures(tmp_path: Path) -> None:
    source = masks(tmp_path / "masks", holes=False)
    convert(source, "yolo", tmp_path / "yolo")
    with pytest.raises(InputError, match="give --images"):
        convert(tmp_path / "yolo", "masks", tmp_path / "back")
    back = convert(tmp_path / "yolo", "masks", tmp_path / "back", images=source)
    assert back.losses == ()


def objects(folder: Path) -> Path:
    left, right, over = np.zeros((3, 20, 60), bool)
    left[2:10, 5:20] = right[2:10, 20:30] = over[8:15, 5:9] = True
    each = Instances(
        (encode(left), encode(right), encode(over)),
        np.array([1, 1, 2], np.uint8),
        np.array([0.5, 0.75, 1], np.float32),
        NAMES,
        Grid(20, 60),
        (Step("prompted"),),
        np.array([False, True, False]),
    )
    write_instances(folder / "objects.json", {"reef": each})
    return folder / "objects.json"


def test_objects_into_masks_lose_their_selves_and_say_so(tmp_path: Path) -> None:
    there = convert(objects(tmp_path), "masks", tmp_path / "masks")
    said = "\n".join(there.losses)
    assert "8 pixels belonged to several objects" in said
    assert "1 objects touch another of their class" in said
    assert "3 objects are no longer told apart" in said
    assert "the scores of 2 objects were dropped" in said
    assert "1 crowd regions became plain objects" in said
    assert "history" not in said
    assert there.numbers["lowest_iou"] < 1


def test_objects_into_panoptic_lose_what_is_covered(tmp_path: Path) -> None:
    there = convert(objects(tmp_path), "panoptic", tmp_path / "panoptic.json")
    assert "8 pixels belonged to several objects and kept the topmost one only" in there.losses
    assert "the history of 1 pictures was dropped" in there.losses
    assert find_format(tmp_path / "panoptic.json") == "panoptic"


def test_points_into_other_tables(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("image,x,y,class\nreef.png,5,2,coral\nreef.png,9,3,sand\n")
    there = convert(tmp_path / "points.csv", "coralnet", tmp_path / "coralnet.csv")
    assert there.numbers["points"] == 2
    lines = (tmp_path / "coralnet.csv").read_text().splitlines()
    assert lines[0].split(",")[:3] == ["Name", "Row", "Column"]
    back = convert(tmp_path / "coralnet.csv", "csv", tmp_path / "back.csv")
    assert back.losses == () and back.numbers["points"] == 2


def test_tags_from_folders(tmp_path: Path) -> None:
    for kind in ("present", "absent"):
        (tmp_path / "tags" / kind / "moth").mkdir(parents=True)
        Image.new("L", (9, 4)).save(tmp_path / "tags" / kind / "moth" / f"{kind}.png")
    assert convert(tmp_path / "tags", "csv", tmp_path / "tags.csv").numbers == {"pictures": 2}
    assert "present,moth,1" in (tmp_path / "tags.csv").read_text()


def test_real_keypoints_into_coco(shared_data: Path, tmp_path: Path) -> None:
    there = convert(shared_data / "mouse" / "CollectedData.csv", "coco", tmp_path / "mouse.json")
    assert there.numbers["pictures"] == 90
    assert len(json.loads((tmp_path / "mouse.json").read_text())["annotations"]) == 90


@pytest.mark.parametrize("to", ["yolo", "labelme", "panoptic", "geojson"])
def test_real_nuclei_say_their_losses(shared_data: Path, tmp_path: Path, to: str) -> None:
    every = read_instances(shared_data / "nuclei" / "instances.json")
    write_instances(tmp_path / "some.json", {name: every[name] for name in list(every)[:6]})
    there = convert(tmp_path / "some.json", to, tmp_path / "out")
    assert there.numbers["objects"] == sum(len(every[name].regions) for name in list(every)[:6])
    assert (there.numbers["lowest_iou"] == 1) == (not any("reading back" in each for each in there.losses))
    assert there.numbers["mean_iou"] > 0.99
    if to in ("geojson", "panoptic"):
        assert there.losses == ()


def test_wrong_formats_are_named(tmp_path: Path) -> None:
    source = masks(tmp_path / "masks")
    with pytest.raises(UnknownNameError, match="no format is called 'ylo'; did you mean 'yolo'"):
        convert(source, "ylo", tmp_path / "out")
    with pytest.raises(InputError, match="there is no such file"):
        convert(tmp_path / "nothing", "coco", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no masks"):
        convert(tmp_path / "empty", "coco", tmp_path / "out")
    (tmp_path / "points.csv").write_text("image,x,y,class\nreef.png,5,2,coral\n")
    with pytest.raises(InputError, match="holds points, which cannot be written as yolo; expected --to csv or"):
        convert(tmp_path / "points.csv", "yolo", tmp_path / "out")
    (tmp_path / "none.json").write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(EmptyResultError, match="no picture in it"):
        convert(tmp_path / "none.json", "masks", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["csv", "coralnet", "dlc"])
def test_masks_are_no_hints(tmp_path: Path, to: str) -> None:
    with pytest.raises(InputError, match=f"holds masks, which cannot be written as {to}; expected --to masks or"):
        convert(masks(tmp_path / "masks"), to, tmp_path / "out.csv")


def test_a_survey_is_nothing_to_convert(tmp_path: Path) -> None:
    (tmp_path / "frames.csv").write_text("FileName,coral,GPSLatitude,GPSLongitude\nf.jpg,1,-21,55\n")
    with pytest.raises(InputError, match="holds survey, which cannot be written as csv; expected masks, objects"):
        convert(tmp_path / "frames.csv", "csv", tmp_path / "out.csv")


@pytest.mark.parametrize("to", ["coco", "panoptic", "geojson"])
def test_a_folder_with_one_file_in_it_stands_for_the_file(tmp_path: Path, to: str) -> None:
    source = masks(tmp_path / "masks")
    convert(source, to, tmp_path / to)
    convert(tmp_path / to, "masks", tmp_path / "back", images=source)
    same_masks(source, tmp_path / "back")


def test_the_same_conversion_gives_the_same_bytes(tmp_path: Path) -> None:
    source = masks(tmp_path / "masks")
    for to in ("coco", "panoptic", "yolo", "labelme", "geojson"):
        one, other = (convert(source, to, tmp_path / f"{to}{k}").written for k in (1, 2))
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
