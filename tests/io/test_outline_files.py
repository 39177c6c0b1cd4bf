"""YOLO, labelme, GeoJSON and GeoPackage: there and back, with the losses they state and no others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskwright.arrays.encode import decode, encode
from maskwright.errors import FormatError, GridError, InputError
from maskwright.io.coco import read_instances
from maskwright.io.images import picture_grid
from maskwright.io.labelme import read_labelme, write_labelme
from maskwright.io.losses import object_iou
from maskwright.io.vectors import read_vectors, write_vectors
from maskwright.io.yolo import read_yolo, write_yolo
from maskwright.types import Grid, Instances

NAMES = ("", "coral", "sand")
ON_EARTH = Grid(20, 60, (0.5, 0.0, 320000.25, 0.0, -0.5, 7680000.5), "EPSG:32740")

UNEVEN = Grid(20, 60, (0.3, 0.0, 320000.1, 0.0, -0.3, 7680000.7), "EPSG:32740")  # corners that do not round well


def scene(grid: Grid = Grid(20, 60), *, hole: bool = False, parts: bool = False) -> Instances:  # noqa: B008
    rows, cols = np.mgrid[:20, :60]
    disc = (rows - 9) ** 2 + (cols - 40) ** 2 < 50
    block = (rows > 3) & (rows < 12) & (cols > 4) & (cols < 20)
    if hole:
        block &= ~((rows == 6) & (cols == 9))
    if parts:
        block |= (rows == 15) & (cols < 4)
    ids = np.array([1, 2], np.uint8)
    return Instances((encode(block), encode(disc)), ids, np.ones(2, np.float32), NAMES, grid)


def pictures(folder: Path) -> dict[str, Path]:
    Image.new("L", (60, 20)).save(folder / "reef.png")
    return {"reef": folder / "reef.png"}


def same(before: Instances, after: Instances) -> None:
    assert [before.class_names[k] for k in before.class_ids] == [after.class_names[k] for k in after.class_ids]
    for a, b in zip(before.regions, after.regions, strict=True):
        assert (decode(a, 20, 60) == decode(b, 20, 60)).all()


def test_yolo_without_holes_loses_only_the_ids(tmp_path: Path) -> None:
    written, losses = write_yolo(tmp_path / "out", {"reef": scene()})
    assert [path.name for path in written] == ["data.yaml", "reef.txt"]
    assert losses == ("2 class ids changed: names are numbered anew",)
    found, losses = read_yolo(tmp_path / "out", pictures(tmp_path))
    same(scene(), found["reef"])
    assert losses == ()


def test_yolo_says_holes_and_parts(tmp_path: Path) -> None:
    _, losses = write_yolo(tmp_path / "out", {"reef": scene(hole=True, parts=True)})
    assert losses[0].startswith("1 holes were filled") and losses[1].startswith("1 objects of several parts")
    found, _ = read_yolo(tmp_path / "out", pictures(tmp_path))
    assert sorted(region.area for region in found["reef"].regions) == sorted([4, 120, scene().regions[1].area])


def test_yolo_of_other_tools_with_six_decimals(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [a, b]\n")
    (tmp_path / "labels" / "reef.txt").write_text("1 0.083333 0.200000 0.333333 0.2 0.333333 0.6 0.083333 0.6\n")
    found, losses = read_yolo(tmp_path, pictures(tmp_path))
    assert found["reef"].regions[0].box == (4, 5, 12, 20) and losses == ()
    (tmp_path / "labels" / "reef.txt").write_text("0 0.09 0.2 0.33 0.2 1.2 0.66\n")
    _, losses = read_yolo(tmp_path, pictures(tmp_path))
    assert [sentence.split()[2] for sentence in losses] == ["had", "reached"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 .1 .1 .2 .2", "labels/reef.txt:1: 4 coordinates"),
        ("5 .1 .1 .2 .2 .3 .1", "labels/reef.txt:1: class 5 is not in data.yaml"),
        ("0 .1 nan .2 .2 .3 .1", "labels/reef.txt:1: 6 coordinates"),
        ("0 10 10 200 20 30 10", "labels/reef.txt:1: coordinates up to 200"),
        ("coral .1 .1", "labels/reef.txt:1: 'coral .1 .1'"),
    ],
)
def test_yolo_lines_that_are_wrong_are_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: {0: a, 1: b}\n")
    (tmp_path / "labels" / "reef.txt").write_text(line)
    with pytest.raises(InputError, match=words):
        read_yolo(tmp_path, pictures(tmp_path))


def test_labelme_keeps_parts_by_group(tmp_path: Path) -> None:
    before = scene(parts=True)
    _, losses = write_labelme(tmp_path, {"reef": before})
    assert losses == ()
    found, losses = read_labelme(tmp_path)
    same(before, found["reef"])
    assert losses == ()
    _, losses = write_labelme(tmp_path, {"reef": scene(hole=True)})
    assert losses == ("1 holes were filled: an outline here cannot have holes",)


def test_labelme_rectangles_and_what_it_cannot_read(tmp_path: Path) -> None:
    shapes = [
        {"label": "a", "points": [[9, 8], [3, 2]], "shape_type": "rectangle"},
        {"label": "a", "points": [[9, 8], [3, 2]], "shape_type": "circle"},
    ]
    content = {"shapes": shapes, "imagePath": "x/reef.jpg", "imageHeight": 20, "imageWidth": 60}
    (tmp_path / "any.json").write_text(json.dumps(content))
    found, losses = read_labelme(tmp_path)
    assert found["reef"].regions[0].box == (2, 3, 8, 9) and found["reef"].regions[0].area == 36
    assert losses == ("1 shapes that are no polygons were left out",)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"label": "a", "points": [[1, 2]]}, "shape 1: points of a polygon"),
        ({"label": "a", "points": [[1, 2], [3, "x"], [4, 5]]}, "shape 1: points of a polygon"),
        ({"points": [[1, 2], [3, 4], [5, 6]]}, "shape 1: no label"),
    ],
)
def test_labelme_shapes_that_are_wrong_are_named(tmp_path: Path, shape: dict[str, object], words: str) -> None:
    content = {"shapes": [shape], "imagePath": "reef.jpg", "imageHeight": 20, "imageWidth": 60}
    (tmp_path / "reef.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=words):
        read_labelme(tmp_path)


@pytest.mark.parametrize("ending", ["geojson", "gpkg"])
@pytest.mark.parametrize("grid", [Grid(20, 60), ON_EARTH, UNEVEN], ids=["pixels", "earth", "uneven"])
def test_vectors_keep_holes_parts_and_scores(tmp_path: Path, ending: str, grid: Grid) -> None:
    if ending == "gpkg":
        pytest.importorskip("pyogrio")
    before = scene(grid, hole=True, parts=True)
    path = tmp_path / f"objects.{ending}"
    _, losses = write_vectors(path, {"reef": before})
    assert losses == ()
    found, losses = read_vectors(path, {"reef": grid})
    same(before, found["reef"])
    assert losses == ()
    first = path.read_bytes()
    write_vectors(path, {"reef": before})
    assert path.read_bytes() == first


def test_a_geojson_says_that_it_counts_pixels(tmp_path: Path) -> None:
    write_vectors(tmp_path / "a.geojson", {"reef": scene()})
    content = json.loads((tmp_path / "a.geojson").read_text())
    assert content["maskwright"] == {"coordinates": "pixels"} and "crs" not in content
    write_vectors(tmp_path / "a.geojson", {"reef": scene(ON_EARTH)})
    content = json.loads((tmp_path / "a.geojson").read_text())
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32740"
    corner = np.array(content["features"][0]["geometry"]["coordinates"][0][0]).min(axis=0)
    assert corner.tolist() == [320000.25 + 2.5, 7680000.5 - 6.0]


def test_polygons_of_another_coordinate_system_are_turned(tmp_path: Path) -> None:
    pyproj = pytest.importorskip("pyproj")
    write_vectors(tmp_path / "a.geojson", {"reef": scene(ON_EARTH)})
    content = json.loads((tmp_path / "a.geojson").read_text())
    turn = pyproj.Transformer.from_crs("EPSG:32740", "EPSG:4326", always_xy=True)
    for feature in content["features"]:
        coordinates = feature["geometry"]["coordinates"]
        feature["geometry"]["coordinates"] = [
            [[turn.transform(*p) for p in ring] for ring in part] for part in coordinates
        ]
    del content["crs"]
    (tmp_path / "b.geojson").write_text(json.dumps(content))
    found, _ = read_vectors(tmp_path / "b.geojson", {"reef": ON_EARTH})
    same(scene(ON_EARTH), found["reef"])


def test_real_footprints_equal_the_expected_raster(shared_data: Path) -> None:
    pytest.importorskip("rasterio")
    folder = shared_data / "buildings"
    grid = picture_grid(folder / "sample_geotiff.tif")
    truth = np.asarray(Image.open(folder / "sample_fp_mask_from_geojson.tif")) > 0
    found, _ = read_vectors(folder / "geotiff_labels.geojson", {"sample": grid})
    assert ((found["sample"].flat(0).class_ids > 0) == truth).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"type": "FeatureCollection"}, "no list of features"),
        ({"features": [{"geometry": {"type": "Point", "coordinates": [1, 2]}}]}, "feature 1: its geometry is 'Point'"),
        ({"features": [{"geometry": {"type": "Polygon", "coordinates": [[1, 2]]}}]}, "feature 1: its coordinates"),
        ({"features": [], "crs": {"x": 1}}, "crs is"),
    ],
)
def test_geojson_that_is_wrong_is_refused(tmp_path: Path, content: object, words: str) -> None:
    (tmp_path / "a.geojson").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=words):
        read_vectors(tmp_path / "a.geojson", {"reef": Grid(20, 60)})


def test_polygons_on_earth_need_a_picture_on_earth(tmp_path: Path) -> None:
    write_vectors(tmp_path / "a.geojson", {"reef": scene(ON_EARTH)})
    with pytest.raises(GridError, match="lies in urn:ogc:def:crs:EPSG::32740 and the picture is not on Earth"):
        read_vectors(tmp_path / "a.geojson", {"reef": Grid(20, 60)})
    with pytest.raises(GridError, match="2 coordinate systems"):
        write_vectors(tmp_path / "b.geojson", {"a": scene(ON_EARTH), "b": scene()})
    with pytest.raises(InputError, match="image is 'reef', which is none of the 1 pictures"):
        read_vectors(tmp_path / "a.geojson", {"moor": ON_EARTH})


def test_real_nuclei_survive_each_format(shared_data: Path, tmp_path: Path) -> None:
    images = {path.stem: path for path in (shared_data / "nuclei" / "images").iterdir()}
    every = read_instances(shared_data / "nuclei" / "instances.json", images)
    some = {name: every[name] for name in list(every)[:12]}
    write_yolo(tmp_path / "yolo", some)
    write_labelme(tmp_path / "labelme", some)
    write_vectors(tmp_path / "objects.geojson", some)
    yolo, _ = read_yolo(tmp_path / "yolo", {name: images[name] for name in some})
    labelme, _ = read_labelme(tmp_path / "labelme")
    vectors, losses = read_vectors(tmp_path / "objects.geojson", {name: each.grid for name, each in some.items()})
    assert losses == ()
    for name, before in some.items():
        assert (object_iou(before, vectors[name]) == 1).all()
        assert (object_iou(before, labelme[name]) > 0.9).all()
        assert (object_iou(before, yolo[name]) > 0.5).all()
