from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.arrays.encode import Region
from maskwright.arrays.windows import Window
from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.io.keypoints import read_keypoint_instances, read_keypoints, write_keypoints
from maskwright.types import Grid, Instances, Keypoints


def write(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def coco(**changes: object) -> str:
    value: dict[str, object] = {
        "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 60}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 3, "name": "cow", "keypoints": ["nose", "tail"]}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "keypoints": [50, 5, 2, 0, 0, 0]},
            {"id": 2, "image_id": 1, "category_id": 3, "keypoints": [1.5, 2, 1, 3, 4, 2], "bbox": [0, 1, 5, 4]},
            {"id": 3, "image_id": 1, "category_id": 3, "keypoints": [0, 0, 0, 0, 0, 0]},
        ],
    }
    return json.dumps(value | changes)


def same(one: Keypoints, other: Keypoints) -> bool:
    return one.names == other.names and all(
        np.array_equal(getattr(one, each), getattr(other, each), equal_nan=True) for each in ("rows", "cols", "scores")
    )


def test_coco_gives_several_animals_per_picture(tmp_path: Path) -> None:
    animals = read_keypoints(write(tmp_path, coco(), "k.json"))
    assert list(animals) == ["a", "b"]
    assert animals["b"] == []
    first, second = animals["a"]
    assert same(first, Keypoints(("nose", "tail"), np.array([5, np.nan]), np.array([50, np.nan]), np.array([1.0, 0])))
    assert second.scores.tolist() == [0.5, 1.0]
    assert (first.object_id, second.object_id) == (None, 0)


def test_boxes_and_outlines_are_objects(tmp_path: Path) -> None:
    objects = read_keypoint_instances(write(tmp_path, coco(), "k.json"))
    assert list(objects) == ["a"]
    assert objects["a"].regions[0].box == Window(1, 0, 5, 5)
    assert objects["a"].class_names == ("", "", "", "cow")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (coco(categories=[{"id": 3, "name": "cow"}]), "no category names its keypoints"),
        (coco(categories=[{"id": 3, "name": "c", "keypoints": ["a", "a"]}]), "names a keypoint twice"),
        (
            coco(annotations=[{"image_id": 1, "category_id": 3, "keypoints": [1, 2, 2]}]),
            "3 keypoint numbers; expected 3",
        ),
        (
            coco(annotations=[{"id": 7, "image_id": 9, "category_id": 3, "keypoints": [1] * 6}]),
            "annotation 7: image_id",
        ),
        (coco(annotations=[{"id": 7, "image_id": 1, "category_id": 3, "keypoints": ["x"] * 6}]), "are no numbers"),
        (coco(annotations=[{"id": 7, "image_id": 1, "category_id": 4, "keypoints": [1] * 6}]), "names no keypoints"),
        ("{}", "k.json"),
        ("[]", "k.json"),
    ],
)
def test_broken_coco_is_named(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        read_keypoints(write(tmp_path, text, "k.json"))
    assert part in str(caught.value)


SINGLE = """scorer,rick,rick,rick,rick
bodyparts,nose,nose,tail,tail
coords,x,y,x,y
labeled-data/img1.png,50,5,,
labeled-data/img2.png,,,,
"""
MULTI = """scorer,,,DLC,DLC,DLC,DLC,DLC,DLC
individuals,,,one,one,one,two,two,two
bodyparts,,,nose,nose,nose,nose,nose,nose
coords,,,x,y,likelihood,x,y,likelihood
labeled-data,video1,img1.png,50,5,0.25,,,
labeled-data,video1,img2.png,1,2,0.5,3,4,1
"""


def test_deeplabcut_with_one_animal(tmp_path: Path) -> None:
    animals = read_keypoints(write(tmp_path, SINGLE, "d.csv"))
    assert list(animals) == ["img1", "img2"]
    assert same(
        animals["img1"][0],
        Keypoints(("nose", "tail"), np.array([5, np.nan]), np.array([50, np.nan]), np.array([1.0, 0])),
    )
    assert animals["img2"] == []


def test_deeplabcut_with_several_animals(tmp_path: Path) -> None:
    animals = read_keypoints(write(tmp_path, MULTI, "d.csv"))
    assert [len(each) for each in animals.values()] == [1, 2]
    assert animals["img1"][0].scores.tolist() == [0.25]
    assert animals["img2"][1].rows.tolist() == [4]


@pytest.mark.parametrize(
    "text",
    [
        SINGLE.split("\n", 1)[1],
        "image,nose_x,nose_y,tail_x,tail_y\nimg1.png,50,5,,\nimg2.png,,,,\n",
        SINGLE.replace(",", ";").replace("\n", "\r\n"),
    ],
)
def test_fewer_header_rows_say_the_same(tmp_path: Path, text: str) -> None:
    expected = read_keypoints(write(tmp_path, SINGLE, "d.csv"))
    found = read_keypoints(write(tmp_path, text, "e.csv"))
    assert list(found) == list(expected)
    assert same(found["img1"][0], expected["img1"][0])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is empty"),
        ("scorer,a,a\nbodyparts,nose,nose\n", "no header row 'coords'"),
        ("bodyparts,nose,nose\ncoords,x,z\n", "has a coordinate 'z'"),
        ("bodyparts,nose,nose\ncoords,x,x\n", "two columns x"),
        ("bodyparts,nose\ncoords,x\n", "nose lacks x or y"),
        ("image,nose,tail\n", "no header rows"),
        ("bodyparts,nose,nose\ncoords,x,y\na.png,1,two\n", ":3: y of nose is 'two'"),
        (
            "bodyparts,nose,nose\ncoords,x,y\nv1/a.png,1,2\nv2/a.png,1,2\n",
            ":4: v2/a.png and v1/a.png are both called 'a'",
        ),
    ],
)
def test_broken_tables_name_file_and_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(FormatError if "called" not in part and "is 'two'" not in part else InputError) as caught:
        read_keypoints(write(tmp_path, text, "d.csv"))
    assert "d.csv" in str(caught.value)
    assert part in str(caught.value)


def test_h5_says_the_same_as_csv(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    write(tmp_path, MULTI, "d.csv")
    frame = pandas.read_csv(tmp_path / "d.csv", header=[0, 1, 2, 3], index_col=[0, 1, 2])
    frame.to_hdf(tmp_path / "d.h5", key="df_with_missing", mode="w")
    csv, h5 = read_keypoints(tmp_path / "d.csv"), read_keypoints(tmp_path / "d.h5")
    assert list(csv) == list(h5)
    for name in csv:
        assert all(same(one, other) for one, other in zip(csv[name], h5[name], strict=True))
    (tmp_path / "bad.h5").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"bad\.h5: cannot be read"):
        read_keypoints(tmp_path / "bad.h5")


def test_sleap_is_read_through_its_library(tmp_path: Path) -> None:
    sleap_io = pytest.importorskip("sleap_io")
    skeleton = sleap_io.Skeleton(["nose", "tail"])
    for name in ("img1.png", "img2.png"):
        PIL.Image.new("L", (60, 20)).save(tmp_path / name)
    video = sleap_io.Video.from_filename([str(tmp_path / "img1.png"), str(tmp_path / "img2.png")])
    instance = sleap_io.Instance.from_numpy(np.array([[50.0, 5.0], [np.nan, np.nan]]), skeleton=skeleton)
    frame = sleap_io.LabeledFrame(video=video, frame_idx=1, instances=[instance])
    labels = sleap_io.Labels([frame], videos=[video], skeletons=[skeleton])
    labels.save(str(tmp_path / "l.slp"), embed=False)
    animals = read_keypoints(tmp_path / "l.slp")
    assert list(animals) == ["img2"]
    assert animals["img2"][0].names == ("nose", "tail")
    assert animals["img2"][0].rows[0] == 5
    assert animals["img2"][0].cols[0] == 50
    assert np.isnan(animals["img2"][0].rows[1])
    (tmp_path / "bad.slp").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"bad\.slp: cannot be read"):
        read_keypoints(tmp_path / "bad.slp")


def test_pictures_are_told_by_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"d\.csv:5: no picture is called 'img2'; did you mean 'img1'"):
        read_keypoints(write(tmp_path, SINGLE, "d.csv"), pictures={"img1": Path("img1.png")})
    with pytest.raises(FormatError, match="expected keypoints as"):
        read_keypoints(tmp_path / "d.xlsx")


def test_written_coco_keeps_animals_outlines_and_scores(tmp_path: Path) -> None:
    region = Region(Window(2, 3, 4, 5), np.array([0, 4], np.uint32))
    objects = Instances((region,), np.array([1], np.uint8), np.array([1], np.float32), ("", "cow"), Grid(20, 60))
    animals = {
        "a 1": [
            Keypoints(("nose", "tail"), np.array([5, np.nan]), np.array([50, np.nan]), np.array([0.3, 0]), 0),
            Keypoints(("nose", "ear"), np.array([1 / 3, 2]), np.array([0.1, 3]), np.array([0.8, 1])),
        ],
        "b": [],
    }
    assert write_keypoints(tmp_path / "k.json", animals, instances={"a 1": objects}) == ()
    read = read_keypoints(tmp_path / "k.json")
    assert list(read) == ["a 1", "b"]
    assert all(same(one, other) for one, other in zip(read["a 1"], animals["a 1"], strict=True))
    assert [each.object_id for each in read["a 1"]] == [0, None]
    outlines = read_keypoint_instances(tmp_path / "k.json")["a 1"]
    assert outlines.regions[0].box == region.box
    assert outlines.class_names[int(outlines.class_ids[0])] == "cow"


def test_written_tables_keep_animals(tmp_path: Path) -> None:
    animals = read_keypoints(write(tmp_path, MULTI, "d.csv"))
    write_keypoints(tmp_path / "e.csv", animals)
    read = read_keypoints(tmp_path / "e.csv")
    for name in animals:
        assert all(same(one, other) for one, other in zip(animals[name], read[name], strict=True))
    with pytest.raises(InputError, match="no animal has a joint"):
        write_keypoints(tmp_path / "f.csv", {"a": []})


def test_real_mouse_points_round_trip(shared_data: Path, tmp_path: Path) -> None:
    animals = read_keypoints(shared_data / "mouse" / "CollectedData.csv")
    assert len(animals) == 90
    first = animals["img01"][0]
    assert len(first.names) == 17
    assert (first.names[0], first.cols[0], first.rows[0]) == ("paw1LH_top", 77.25, 36.25)
    assert np.isnan(first.rows[first.names.index("tailBase_top")])
    for name in ("m.csv", "m.json"):
        write_keypoints(tmp_path / name, animals)
        read = read_keypoints(tmp_path / name)
        assert sorted(read) == sorted(animals)
        for picture, each in animals.items():
            assert all(same(one, other) for one, other in zip(each, read[picture], strict=True)), picture


def test_real_animals_round_trip(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "animals" / "keypoints_coco.json"
    animals, objects = read_keypoints(path), read_keypoint_instances(path)
    assert len(animals) == 61
    assert animals["camel_00002"][0].cols[0] == 558.66
    write_keypoints(tmp_path / "a.json", animals, instances=objects)
    read, outlines = read_keypoints(tmp_path / "a.json"), read_keypoint_instances(tmp_path / "a.json")
    for name, each in animals.items():
        assert all(same(one, other) for one, other in zip(each, read[name], strict=True)), name
        assert [one.object_id for one in each] == [one.object_id for one in read[name]]
    for name, before in objects.items():
        after = outlines[name]
        assert all(np.array_equal(a.counts, b.counts) for a, b in zip(before.regions, after.regions, strict=True))
