from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.points import points_classes, read_points, write_points
from maskwright.io.rasters import write_raster
from maskwright.types import Grid, Points

CLASSES = Classes(("", "coral", "sand"))
UTM = Grid(20, 60, (0.5, 0.0, 322000.0, 0.0, -0.5, 7657800.0), "EPSG:32740")


def write(folder: Path, text: str | bytes, name: str = "points.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def picture(folder: Path, name: str = "reef.png") -> Path:
    PIL.Image.new("L", (60, 20)).save(folder / name)
    return folder / name


def test_x_becomes_the_column_and_y_the_row(tmp_path: Path) -> None:
    points = read_points(write(tmp_path, "image,x,y,class\nreef.png,50,5,coral\nreef,3.25,0,sand\n"), CLASSES)["reef"]
    assert points.rows.tolist() == [5, 0]
    assert points.cols.tolist() == [50, 3.25]
    assert points.class_ids.tolist() == [1, 2]
    assert points.object_ids is None
    assert points.weights is None
    assert points.rows.dtype == points.cols.dtype == np.float64


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfimage,x,y,class\nreef.png,50,5,coral\n",
        "image;x;y;class\nreef.png;50;5;coral\n".encode("utf-16"),
        b"image;x;y;class\r\nreef.png;50,0;5;coral\r\n",
        b"Image\tX\tY\tClass\rreef.png\t50\t5\tcoral\r",
        b" image , x , y , class \n reef.png , 50 , 5 , coral \n\n\n",
        b'"image","x","y","class"\n"reef.png","50","5","coral"\n',
        b"by,class,date,y,x,image\nAna,coral,2024,5,50,pics/reef.PNG\n",
        b"image,x,y,class\nC:\\pics\\reef.png,5e1,5,coral\n,,,\n",
        b"Name,Row,Column,Label\nreef.png,5,50,coral\n",
        b"image|x|y|class\nreef.png|50|5|coral",
    ],
)
def test_all_dialects_say_the_same(tmp_path: Path, text: bytes) -> None:
    points = read_points(write(tmp_path, text), CLASSES)
    assert list(points) == ["reef"]
    assert (points["reef"].rows[0], points["reef"].cols[0], points["reef"].class_ids[0]) == (5, 50, 1)


def test_names_with_spaces_dots_commas_and_accents(tmp_path: Path) -> None:
    decomposed = "re\u0301cif 1.v2.jpg"
    path = write(tmp_path, f'image,x,y,class\n{decomposed},1,2,"corail, mou"\n')
    points = read_points(path)
    assert list(points) == ["récif 1.v2"]
    assert points_classes(path) == ("corail, mou",)


def test_objects_and_weights(tmp_path: Path) -> None:
    text = "image,x,y,class,object,weight\na,1,2,coral,7,0.5\na,2,2,coral,8,\nb,1,1,sand,,\n"
    points = read_points(write(tmp_path, text), CLASSES)
    assert points["a"].object_ids is not None
    assert points["a"].object_ids.tolist() == [7, 8]
    assert points["a"].weights is not None
    assert points["a"].weights.tolist() == [0.5, 1.0]
    assert points["b"].object_ids is None
    assert points["b"].weights is None
    with pytest.raises(InputError, match=r"points.csv:3: no object, but other points of a have one"):
        read_points(write(tmp_path, "image,x,y,class,object\na,1,2,coral,7\na,2,2,coral,\n"), CLASSES)


def test_without_classes_ids_follow_the_sorted_names(tmp_path: Path) -> None:
    points = read_points(write(tmp_path, "image,x,y,class\na,0,0,sand\na,1,0,coral\n"))
    assert points["a"].class_ids.tolist() == [2, 1]


def test_an_unknown_class_is_told_with_line_and_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "image,x,y,class\na,0,0,corl\n")
    with pytest.raises(UnknownNameError, match=r"points\.csv:2: no class is called 'corl'; did you mean 'coral'\?$"):
        read_points(path, CLASSES)


def test_an_unknown_picture_is_told_with_line_and_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "image,x,y,class\nreaf.png,0,0,coral\n")
    with pytest.raises(UnknownNameError, match=r"points\.csv:2: no picture is called 'reaf'; did you mean 'reef'\?"):
        read_points(path, CLASSES, pictures={"reef": picture(tmp_path)})


def test_points_outside_ask_whether_x_and_y_are_swapped(tmp_path: Path) -> None:
    pictures = {"reef": picture(tmp_path)}
    inside = "image,x,y,class\nreef,-0.5,-0.5,coral\nreef,59.49,19.49,coral\n"
    assert len(read_points(write(tmp_path, inside), CLASSES, pictures=pictures)["reef"]) == 2
    path = write(tmp_path, "image,x,y,class\nreef,5,50,coral\n")
    with pytest.raises(InputError, match=r"points\.csv:2: .*x=5, y=50 lies outside reef.*; are x and y swapped\?"):
        read_points(path, CLASSES, pictures=pictures)
    for bad in ("60,5", "59.5,5", "5,-0.6", "500,500"):
        with pytest.raises(InputError, match=r"correct or remove it|are x and y swapped"):
            read_points(write(tmp_path, f"image,x,y,class\nreef,{bad},coral\n"), CLASSES, pictures=pictures)
    with pytest.raises(InputError, match="outside every picture"):
        read_points(write(tmp_path, "image,x,y,class\nreef,-3,5,coral\n"), CLASSES)


def test_many_problems_are_told_at_once_and_repeated_ones_once(tmp_path: Path) -> None:
    text = "image,x,y,class\nreef,5,50,coral\nreef,1,1,corl\nreef,2,2,corl\nreaf,1,1,sand\n"
    with pytest.raises(InputError) as caught:
        read_points(write(tmp_path, text), CLASSES, pictures={"reef": picture(tmp_path)})
    message = str(caught.value)
    assert "3 problems" in message
    assert ":2: the point x=5, y=50" in message
    assert "no class is called 'corl'; did you mean 'coral'? (and on 1 more line)" in message
    assert ":5: no picture is called 'reaf'" in message
    rows = "".join(f"reef,{i},bad,coral\n" for i in range(40))
    with pytest.raises(InputError, match=r"40 problems(.|\n)*\.\.\. and 30 more"):
        read_points(write(tmp_path, "image,x,y,class\n" + rows.replace("bad", "b")), CLASSES)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is empty"),
        ("image,x,class\n", ":1: the columns are image, x, class; expected image, x, y, class; there is no 'y'"),
        ("image,x,y,clas\n", "is 'clas' meant to be it?"),
        ("image,x,y,class,x\n", "two columns 'x'"),
        ("image,x,y,class\na,1\n", ":2: class is empty"),
        ("image,x,y,class\n,1,2,coral\n", ":2: image is empty"),
        ("image,x,y,class\na,one,2,coral\n", ":2: x is 'one'; expected a number"),
        ("image,x,y,class\na,1,nan,coral\n", ":2: y is 'nan'"),
        ("image,x,y,class\na,1,1_0,coral\n", ":2: y is '1_0'"),
        ("image,x,y,class\na,inf,2,coral\n", ":2: x is 'inf'"),
        ('image,x,y,class\n"a\nb",1,2,coral\na,,2,coral\n', ":4: x is empty"),
        ("image,x,y,class,object\na,1,2,coral,1.5\n", ":2: object is '1.5'; expected a whole number"),
        ("image,x,y,class,weight\na,1,2,coral,-1\n", ":2: weight is -1"),
        ("image,x,y,class\na,1,2,coral\n" + "b" * 200_000, "field larger than"),
    ],
)
def test_broken_tables_name_file_and_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        read_points(write(tmp_path, text), CLASSES)
    assert "points.csv" in str(caught.value)
    assert part in str(caught.value)


def test_text_that_is_not_unicode_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"points\.csv:2: the text is not utf-8"):
        read_points(write(tmp_path, "image,x,y,class\nré,1,2,coral\n".encode("latin-1")), CLASSES)


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    path = write(tmp_path, "image,x,y,class\nbad,1,1,coral\nreef,2,2,coral\n")
    points = read_points(path, CLASSES, pictures={"bad": tmp_path / "bad.png", "reef": picture(tmp_path)})
    assert sorted(points) == ["bad", "reef"]


def coco(**changes: object) -> str:
    value = {
        "images": [{"id": 1, "file_name": "pics/reef.png", "width": 60, "height": 20}],
        "categories": [{"id": 5, "name": "coral"}],
        "annotations": [
            {"id": 9, "image_id": 1, "category_id": 5},
            {"id": 10, "image_id": 1, "category_id": 5, "point": [50, 5.5]},
        ],
    }
    return json.dumps(value | changes)


def test_coco_points_carry_the_place_of_their_object(tmp_path: Path) -> None:
    points = read_points(write(tmp_path, coco(), "p.json"), CLASSES)["reef"]
    assert (points.rows.tolist(), points.cols.tolist(), points.class_ids.tolist()) == ([5.5], [50], [1])
    assert points.object_ids is not None
    assert points.object_ids.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "p.json:1: broken JSON"),
        ("[1, 2]", "no list 'images'"),
        (coco(images=[{"id": 1}]), "no file_name"),
        (coco(categories=[{"id": 5, "name": "a"}] * 2), "two of 'categories' have the id 5"),
        (
            coco(annotations=[{"id": 3, "image_id": 2, "category_id": 5, "point": [1, 2]}]),
            "annotation 3: its image_id 2",
        ),
        (
            coco(annotations=[{"id": 3, "image_id": 1, "category_id": 5, "point": [1]}]),
            "annotation 3: its point is [1]",
        ),
        (coco(annotations=[]), "no annotation has a point"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_broken_coco_is_named(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        read_points(write(tmp_path, text, "p.json"), CLASSES)
    assert part in str(caught.value)


def raster(folder: Path, name: str, grid: Grid) -> Path:
    write_raster(folder / name, np.ones(grid.shape, np.uint8), grid)
    return folder / name


def feature(x: float, y: float, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": [x, y]}}


def collection(*features: object, crs: str | None = "urn:ogc:def:crs:EPSG::32740") -> str:
    head = {} if crs is None else {"crs": {"type": "name", "properties": {"name": crs}}}
    return json.dumps({"type": "FeatureCollection", **head, "features": list(features)})


def test_places_on_earth_fall_on_the_pictures_that_hold_them(tmp_path: Path) -> None:
    east = Grid(20, 60, (0.5, 0.0, 322030.0, 0.0, -0.5, 7657800.0), "EPSG:32740")
    pictures = {"west": raster(tmp_path, "west.tif", UTM), "east": raster(tmp_path, "east.tif", east)}
    text = collection(
        feature(*UTM.place(5, 50), **{"class": "coral"}),
        feature(*east.place(2, 3), label="sand", object=4),
        feature(0, 0, **{"class": "sand"}),
        {"type": "Feature", "properties": {}, "geometry": None},
    )
    points = read_points(write(tmp_path, text, "p.geojson"), CLASSES, pictures=pictures)
    assert (points["west"].rows.tolist(), points["west"].cols.tolist()) == ([5], [50])
    assert points["east"].object_ids is not None
    assert points["east"].object_ids.tolist() == [4]
    assert points_classes(tmp_path / "p.geojson") == ("coral", "sand")


def test_longitude_and_latitude_come_onto_a_projected_grid(tmp_path: Path) -> None:
    import pyproj

    turn = pyproj.Transformer.from_crs("EPSG:32740", "EPSG:4326", always_xy=True)
    lon, lat = turn.transform(*UTM.place(5, 50))
    pictures = {"reef": raster(tmp_path, "reef.tif", UTM)}
    path = write(tmp_path, collection(feature(lon, lat, **{"class": "coral"}), crs=None), "p.geojson")
    points = read_points(path, CLASSES, pictures=pictures)["reef"]
    assert points.rows[0] == pytest.approx(5, abs=1e-4)
    assert points.cols[0] == pytest.approx(50, abs=1e-4)


def test_a_geopackage_says_the_same_as_geojson(tmp_path: Path) -> None:
    import pyogrio
    import pyproj
    import shapely

    x, y = UTM.place(5, 50)
    longitude, latitude = pyproj.Transformer.from_crs("EPSG:32740", "EPSG:4326", always_xy=True).transform(x, y)
    pyogrio.raw.write(
        tmp_path / "p.gpkg",
        geometry=np.array([shapely.Point(longitude, latitude).wkb], object),
        field_data=[np.array(["coral"], object), np.array([3])],
        fields=["class", "object"],
        geometry_type="Point",
        crs="EPSG:4326",
    )
    points = read_points(tmp_path / "p.gpkg", CLASSES, pictures={"reef": raster(tmp_path, "reef.tif", UTM)})["reef"]
    assert points.rows[0] == pytest.approx(5, abs=1e-4)
    assert points.cols[0] == pytest.approx(50, abs=1e-4)
    assert points.class_ids.tolist() == [1]
    (tmp_path / "bad.gpkg").write_bytes(b"not a database")
    with pytest.raises(FormatError, match=r"bad\.gpkg: cannot be read"):
        read_points(tmp_path / "bad.gpkg", CLASSES, pictures={"reef": tmp_path / "reef.tif"})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (collection(feature(0, 0, **{"class": "sand"})), "none of its 1 points falls on a picture"),
        (collection(feature(1, 2)), "feature 1 has no class"),
        (
            collection(feature(*UTM.place(5, 5), **{"class": "corl"})),
            "feature 1: no class is called 'corl'; did you mean",
        ),
        (collection(feature(*UTM.place(5, 5), image="reaf", **{"class": "sand"})), "no picture is called 'reaf'"),
        (collection(feature(*UTM.place(50, 5), image="reef", **{"class": "sand"})), "outside reef"),
        (collection(feature(1, 2, **{"class": "sand"}), crs="EPSG:nonsense"), "is not known"),
        (json.dumps({"type": "Feature"}), "no list of features"),
        (
            collection(
                {"type": "Feature", "properties": {"class": "a"}, "geometry": {"type": "Polygon", "coordinates": []}}
            ),
            "feature 1 is a Polygon; expected a Point",
        ),
    ],
)
def test_broken_features_are_named(tmp_path: Path, text: str, part: str) -> None:
    pictures = {"reef": raster(tmp_path, "reef.tif", UTM)}
    with pytest.raises(InputError) as caught:
        read_points(write(tmp_path, text, "p.geojson"), CLASSES, pictures=pictures)
    assert part in str(caught.value), str(caught.value)


def test_places_need_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected pictures to put them on"):
        read_points(write(tmp_path, collection(), "p.geojson"), CLASSES)


POINTS = {
    "reef 2": Points(np.array([0.0, 5.25]), np.array([50.0, 1 / 3]), np.array([1, 2], np.uint8)),
    "réef 10": Points(np.array([7.0]), np.array([9.0]), np.array([2], np.uint8), np.array([3]), np.array([0.25])),
}


@pytest.mark.parametrize("name", ["p.csv", "p.geojson"])
def test_written_points_are_read_back(tmp_path: Path, name: str) -> None:
    files = {each: picture(tmp_path, f"{each}.png") for each in POINTS}
    assert write_points(tmp_path / name, POINTS, CLASSES, files=files) == ()
    read = read_points(tmp_path / name, CLASSES, pictures=files)
    for each, points in POINTS.items():
        assert read[each].rows.tolist() == points.rows.tolist()
        assert read[each].cols.tolist() == points.cols.tolist()
        assert read[each].class_ids.tolist() == points.class_ids.tolist()
    assert read["réef 10"].object_ids is not None
    assert read["réef 10"].weights is not None


def test_coralnet_says_what_it_loses(tmp_path: Path) -> None:
    losses = write_points(tmp_path / "p.csv", POINTS, CLASSES, format="coralnet")
    assert losses == ("1 points moved to the centre of their pixel", "object ids of 1 points", "weights of 1 points")
    assert read_points(tmp_path / "p.csv", CLASSES)["reef 2"].cols.tolist() == [50, 0]


def test_places_on_earth_are_written_in_one_system(tmp_path: Path) -> None:
    files = {"reef": raster(tmp_path, "reef.tif", UTM)}
    points = {"reef": Points(np.array([5.0]), np.array([50.0]), np.array([1], np.uint8))}
    write_points(tmp_path / "p.geojson", points, CLASSES, grids={"reef": UTM})
    assert json.loads((tmp_path / "p.geojson").read_text())["features"][0]["geometry"]["coordinates"] == list(
        UTM.place(5, 50)
    )
    assert read_points(tmp_path / "p.geojson", CLASSES, pictures=files)["reef"].cols.tolist() == [50]
    with pytest.raises(InputError, match="several coordinate systems"):
        write_points(tmp_path / "q.geojson", points | {"b": points["reef"]}, CLASSES, grids={"reef": UTM})


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([1, 2]), st.integers(0, 2**40), st.floats(0, 10)
        ),
        min_size=1,
        max_size=5,
    ),
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\."), min_size=1, max_size=5),
)
def test_csv_keeps_every_number(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]], name: str
) -> None:
    import unicodedata

    name = unicodedata.normalize("NFC", name)
    path = tmp_path_factory.mktemp("csv") / "p.csv"
    columns = [np.array(each) for each in zip(*rows, strict=True)]
    points = Points(columns[0], columns[1], columns[2].astype(np.uint8), columns[3].astype(np.int64), columns[4])
    write_points(path, {name: points}, CLASSES)
    read = read_points(path, CLASSES)[name]
    for field in ("rows", "cols", "class_ids", "object_ids", "weights"):
        assert np.array_equal(getattr(read, field), getattr(points, field)), field


def test_points_of_two_classes_on_one_pixel_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "a,50,5,coral\na,50.4,4.6,sand\na,50,5,coral\nb,50,5,sand\na,7,5,sand\na,7,5,coral\na,7.5,5,coral\n"
    points = read_points(write(tmp_path, "image,x,y,class\n" + rows), CLASSES)
    assert {name: len(each) for name, each in points.items()} == {"a": 6, "b": 1}
    (record,) = caplog.records
    told = record.getMessage()
    assert "points.csv:3" in told and "2 of its points" in told and "'sand' at x=50.4, y=4.6" in told


def test_the_same_point_twice_is_no_dispute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_points(write(tmp_path, "image,x,y,class\na,50,5,coral\na,50,5,coral\nb,50,5,sand\n"), CLASSES)
    assert not caplog.records
