from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.errors import EmptyResultError, InputError, UnknownNameError
from maskwright.io.hints import hint_kind
from maskwright.io.masks import write_mask
from maskwright.io.samples import find_pictures, find_samples
from maskwright.types import Instances, Keypoints, Mask, Points, Tags


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("L", (60, 20)).save(path)
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_pictures_come_by_name_in_natural_order(tmp_path: Path) -> None:
    for name in ("reef10.png", "reef2.JPG", "deep/reef1.v2.tif", "deep/er/récif 3.bmp", ".hidden.png", ".git/a.png"):
        picture(tmp_path / name)
    write(tmp_path / "notes.txt", "")
    found = find_pictures(tmp_path)
    assert list(found) == ["reef1.v2", "reef2", "reef10", "récif 3"]
    assert found["reef1.v2"] == tmp_path / "deep" / "reef1.v2.tif"


def test_a_file_and_a_glob(tmp_path: Path) -> None:
    for name in ("a1.png", "a2.png", "b[1].png", "sub/a3.png"):
        picture(tmp_path / name)
    assert list(find_pictures(tmp_path / "a1.png")) == ["a1"]
    assert list(find_pictures(tmp_path / "b[1].png")) == ["b[1]"]
    assert list(find_pictures(str(tmp_path / "a*.png"))) == ["a1", "a2"]
    assert list(find_pictures(f"{tmp_path}/**/a*.png")) == ["a1", "a2", "a3"]


def test_two_pictures_of_one_name_are_both_named(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "reef.png")
    picture(tmp_path / "two" / "reef.jpg")
    with pytest.raises(InputError) as caught:
        find_pictures(tmp_path)
    assert str(tmp_path / "one" / "reef.png") in str(caught.value)
    assert str(tmp_path / "two" / "reef.jpg") in str(caught.value)


def test_loops_of_links_end(tmp_path: Path) -> None:
    picture(tmp_path / "pics" / "a.png")
    (tmp_path / "pics" / "loop").symlink_to(tmp_path / "pics")
    (tmp_path / "pics" / "up").symlink_to(tmp_path)
    (tmp_path / "pics" / "self.png").symlink_to(tmp_path / "pics" / "self.png")
    assert sorted(find_pictures(tmp_path / "pics")) == ["a", "self"]


def test_nothing_and_the_wrong_thing(tmp_path: Path) -> None:
    with pytest.raises(EmptyResultError, match="no picture in"):
        find_pictures(tmp_path)
    with pytest.raises(EmptyResultError, match="no picture in"):
        find_pictures(str(tmp_path / "*.png"))
    with pytest.raises(InputError, match="no such file or folder"):
        find_pictures(tmp_path / "none")
    with pytest.raises(InputError, match=r"notes\.txt: is no picture by its name"):
        find_pictures(write(tmp_path / "notes.txt", ""))


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "pics" / name)
    return tmp_path / "pics"


def test_points_join_pictures_and_give_the_classes(tmp_path: Path, pics: Path) -> None:
    points = write(tmp_path / "points.csv", "image,x,y,class\na.png,50,5,sand\nb,1,1,coral\n")
    samples, classes = find_samples(pics, hints=points, sites={"a": "north"})
    assert [each.name for each in samples] == ["a", "b", "c"]
    assert classes.names == ("", "coral", "sand")
    first = samples[0].hints[0]
    assert isinstance(first, Points)
    assert (first.rows[0], first.cols[0], first.class_ids[0]) == (5, 50, 2)
    assert samples[2].hints == ()
    assert [each.site for each in samples] == ["north", None, None]
    assert len(pickle.dumps(samples[0])) < 2000


def test_two_kinds_of_hints_share_one_list_of_classes(tmp_path: Path, pics: Path) -> None:
    points = write(tmp_path / "points.csv", "image,x,y,class\na,50,5,sand\n")
    tags = write(tmp_path / "tags.csv", "image,class,present\na,coral,1\n")
    samples, classes = find_samples(pics, hints=[points, tags])
    assert classes.names == ("", "coral", "sand")
    assert isinstance(samples[0].hints[0], Points)
    assert samples[0].hints[0].class_ids.tolist() == [2]
    assert samples[0].hints[1] == Tags(frozenset({"coral"}), frozenset())


def test_a_class_file_decides_the_ids(tmp_path: Path, pics: Path) -> None:
    points = write(tmp_path / "points.csv", "image,x,y,class\na,50,5,sand\n")
    table = write(tmp_path / "classes.yaml", "classes: [{id: 7, name: sand}]")
    samples, classes = find_samples(pics, hints=points, classes=table)
    assert classes.named == {7: "sand"}
    assert isinstance(samples[0].hints[0], Points)
    assert samples[0].hints[0].class_ids.tolist() == [7]
    table = write(tmp_path / "classes.yaml", "classes: [{id: 7, name: sond}]")
    with pytest.raises(UnknownNameError, match=r"points\.csv:2: no class is called 'sand'; did you mean 'sond'"):
        find_samples(pics, hints=points, classes=table)


def test_choosing_one_picture_allows_hints_for_its_neighbours(tmp_path: Path, pics: Path) -> None:
    points = write(tmp_path / "points.csv", "image,x,y,class\na,50,5,sand\nb,1,1,sand\n")
    samples, _ = find_samples(pics / "a.png", hints=points)
    assert [each.name for each in samples] == ["a"]
    write(points, "image,x,y,class\nq.png,50,5,sand\n")
    with pytest.raises(UnknownNameError, match="no picture is called 'q'"):
        find_samples(pics / "a.png", hints=points)


def test_masks_come_as_paths_and_with_their_classes(tmp_path: Path, pics: Path) -> None:
    ids = np.full((20, 60), 2, np.uint8)
    write_mask(tmp_path / "masks" / "b.png", Mask(ids, ("", "", "coral")))
    samples, classes = find_samples(pics, masks=tmp_path / "masks")
    assert [each.mask_paths for each in samples] == [(), (tmp_path / "masks" / "b.png",), ()]
    assert classes.names == ("", "", "coral")
    samples, _ = find_samples(pics, hints=tmp_path / "masks")
    assert samples[1].mask_paths == (tmp_path / "masks" / "b.png",)
    samples, _ = find_samples(pics, hints=tmp_path / "masks" / "b.png")
    assert all(each.mask_paths == (tmp_path / "masks" / "b.png",) for each in samples)
    with pytest.raises(InputError, match="no such folder"):
        find_samples(pics, masks=tmp_path / "none")
    os.mkdir(tmp_path / "empty")  # noqa: PTH102
    with pytest.raises(InputError, match="holds no masks"):
        find_samples(pics, hints=tmp_path / "empty")


def test_keypoints_bring_their_outlines(tmp_path: Path, pics: Path) -> None:
    note = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [50, 5, 2], "bbox": [1, 2, 3, 4]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 60}],
        "categories": [{"id": 1, "name": "cow", "keypoints": ["nose"]}],
        "annotations": [note],
    }
    samples, _ = find_samples(pics, hints=write(tmp_path / "k.json", json.dumps(content)))
    animal, objects = samples[0].hints
    assert isinstance(animal, Keypoints)
    assert isinstance(objects, Instances)
    assert animal.object_id == 0


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "image,x,y,class", "points"),
        ("a.csv", "Name,Row,Column,Label", "points"),
        ("a.csv", "image,class,present", "tags"),
        ("a.csv", "scorer,a,a\nbodyparts,n,n\ncoords,x,y", "keypoints"),
        ("a.json", '{"type": "FeatureCollection", "features": []}', "points"),
        ("a.json", '{"annotations": [{"point": [1, 2]}]}', "points"),
        ("a.json", '{"annotations": [{"keypoints": [1, 2, 2], "segmentation": {}}]}', "keypoints"),
        ("a.json", '{"annotations": [{"segmentation": [[1, 2]]}]}', "instances"),
        ("a.gpkg", "", "points"),
        ("a.slp", "", "keypoints"),
        ("a.tif", "", "mask"),
    ],
)
def test_hints_are_told_apart_by_what_they_hold(tmp_path: Path, name: str, text: str, kind: str) -> None:
    assert hint_kind(write(tmp_path / name, text)) == kind


def test_files_that_hold_no_hints_are_named(tmp_path: Path) -> None:
    for text in ('{"annotations": 1}', '{"annotations": [{"caption": "a"}]}', "[]"):
        with pytest.raises(InputError, match=r"a\.json"):
            hint_kind(write(tmp_path / "a.json", text))


def test_sites_come_from_a_table(tmp_path: Path, pics: Path) -> None:
    sites = write(tmp_path / "sites.csv", "image,site\na.png,north\nb.png,\n")
    samples, _ = find_samples(pics, sites=sites)
    assert [each.site for each in samples] == ["north", None, None]
    with pytest.raises(UnknownNameError, match=r"sites\.csv:2: no picture is called 'zz'"):
        find_samples(pics, sites=write(tmp_path / "sites.csv", "image,site\nzz,north\n"))


def test_an_empty_path_is_not_the_folder_one_stands_in() -> None:
    with pytest.raises(InputError, match="the path of the pictures is empty"):
        find_pictures("")
