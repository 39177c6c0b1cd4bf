"""What users take away: areas that add up, tiles in the right colour, valid COGs, a report with every page there."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.cli.main import main
from maskwright.errors import UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.masks import read_mask, write_mask
from maskwright.io.pmtiles import read_pmtiles, read_tile
from maskwright.io.pyramids import flipped, tile_at
from maskwright.io.vectors import read_vectors
from maskwright.pipelines import map_products, mask_files
from maskwright.pipelines.areas import class_areas, rounded_shares
from maskwright.pipelines.commands import predict, train
from maskwright.pipelines.legend import legend_png
from maskwright.pipelines.map_products import PRODUCTS, known_products, write_products
from maskwright.pipelines.map_report import gather_map_report, shown_classes
from maskwright.pipelines.mask_files import MaskFile
from maskwright.pipelines.pdf import pages_of
from maskwright.types import UNKNOWN, Grid, Image, Mask

rasterio = pytest.importorskip("rasterio", reason="the geo extra is not installed")
pyproj = pytest.importorskip("pyproj", reason="the geo extra is not installed")

GRID = Grid(300, 700, (0.5, 0.0, 320000.0, 0.0, -0.5, 7660000.0), "EPSG:32740")
NAMES = ("", "coral", "rubble", "sand")
COLORS = ("", "#0099ff", "#cc6600", "#ffff66")


def ids() -> np.ndarray:
    """300 x 700: coral left, sand right, an island of coral in the sand, no rubble, a corner nobody knows."""
    class_ids = np.full(GRID.shape, 3, np.uint8)
    class_ids[:, :200] = 1
    class_ids[100:150, 400:500] = 1
    class_ids[:50, :60] = UNKNOWN
    return class_ids


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, its mask, and every product of it."""
    from maskwright.io.rasters import write_raster

    folder = tmp_path_factory.mktemp("products")
    pixels = np.random.default_rng(0).integers(1, 255, (*GRID.shape, 3)).astype(np.uint8)
    pixels[:50, :60] = 0
    write_raster(folder / "pics" / "map.tif", pixels, GRID, nodata=0)
    mask = Mask(ids(), NAMES, GRID, np.full(GRID.shape, 0.8, np.float32))
    image = {"path": "map.tif", "sha256": "0" * 64}
    write_mask(folder / "masks" / "map.tif", mask, colors=COLORS, image=image)
    failed = write_products(
        {"map": folder / "masks" / "map.tif"}, folder / "masks", tuple(PRODUCTS),
        pictures={"map": folder / "pics" / "map.tif"},
    )  # fmt: skip
    assert failed == ()
    return folder


def product(made: Path, name: str) -> Path:
    return made / "masks" / "products" / "map" / name


def test_areas_add_up_and_an_absent_class_has_its_row(made: Path) -> None:
    with product(made, "areas.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["coral", "rubble", "sand", "unknown"]
    assert float(rows["coral"]["area_m2"]) == pytest.approx((300 * 200 - 3000 + 5000) * 0.25)
    assert float(rows["coral"]["area_ha"]) == pytest.approx(float(rows["coral"]["area_m2"]) / 10000)
    assert (rows["rubble"]["pixels"], rows["rubble"]["area_m2"]) == ("0", "0.0")
    assert sum(float(row["share_percent"] or 0) for row in rows.values()) == pytest.approx(100)
    assert sum(int(row["pixels"]) for row in rows.values()) == 300 * 700
    told = json.loads(product(made, "areas.json").read_text())
    assert told["units"]["area_m2"] == "m2"
    assert [each["name"] for each in told["classes"]] == list(rows)


def test_areas_are_the_same_by_bands_and_off_earth_pixels_count(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = class_areas(MaskFile(made / "masks" / "map.tif"), Classes(NAMES, COLORS))
    monkeypatch.setattr(mask_files, "LARGE_PIXELS", 1000)
    monkeypatch.setattr(mask_files, "BAND_PIXELS", 7000)
    assert class_areas(MaskFile(made / "masks" / "map.tif"), Classes(NAMES, COLORS)) == whole
    write_mask(made / "off" / "a.png", Mask(np.uint8([[1, 1, 2, 255]]), ("", "x", "y")))
    found = class_areas(MaskFile(made / "off" / "a.png"), Classes(("", "x", "y")))
    assert [(each.pixels, each.area_m2) for each in found] == [(2, None), (1, None), (1, None)]
    assert [each.share_percent for each in found] == [pytest.approx(200 / 3), pytest.approx(100 / 3), None]


def test_tiles_show_the_colour_of_a_place_and_tms_is_flipped(made: Path) -> None:
    told = json.loads(product(made, "xyz/tiles.json").read_text())
    turn = pyproj.Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    zoom = told["maxzoom"]
    for row, col, color in (
        (200, 100, (0, 153, 255, 255)),
        (250, 600, (255, 255, 102, 255)),
        (125, 450, (0, 153, 255, 255)),
    ):
        x, y, down, across = tile_at(*turn.transform(*GRID.place(row, col)), zoom)
        path = product(made, f"xyz/{zoom}/{x}/{y}.png")
        assert PIL.Image.open(path).convert("RGBA").getpixel((across, down)) == color
        south = product(made, f"tms/{zoom}/{x}/{flipped(zoom, y)}.png")
        assert south.read_bytes() == path.read_bytes()
        assert read_tile(product(made, "map.pmtiles"), zoom, x, y) == path.read_bytes()
    x, y, down, across = tile_at(*turn.transform(*GRID.place(20, 20)), zoom)
    corner = product(made, f"xyz/{zoom}/{x}/{y}.png")
    assert not corner.exists() or PIL.Image.open(corner).convert("RGBA").getpixel((across, down))[3] == 0
    header, metadata = read_pmtiles(product(made, "map.pmtiles"))
    assert header["addressed_tiles"] == len(list(product(made, "xyz").rglob("*.png")))
    assert metadata["legend"][0] == {"id": 1, "name": "coral", "color": "#0099ff"}


def test_cogs_have_the_layout_and_their_overviews_no_new_id(made: Path) -> None:
    for path in (made / "masks" / "map.tif", made / "masks" / "map.confidence.tif", product(made, "valid.tif")):
        with rasterio.open(path) as dataset:
            assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert dataset.overviews(1) == [2]
    with rasterio.open(made / "masks" / "map.tif", overview_level=0) as dataset:
        assert set(np.unique(dataset.read(1))) == {1, 3, UNKNOWN}
        assert dataset.colormap(1)[1] == (0, 153, 255, 255)
    with rasterio.open(product(made, "valid.tif")) as dataset:
        assert np.array_equal(dataset.read(1) == 0, ids() == UNKNOWN)


def test_polygons_come_back_as_the_mask(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = Classes(NAMES, COLORS)
    instances = read_vectors(product(made, "objects.gpkg"), {"map": GRID}, classes=classes)[0]["map"]
    assert len(instances.regions) == 3
    assert np.array_equal(instances.flat().class_ids, ids())
    assert instances.scores == pytest.approx(204 / 255)
    monkeypatch.setattr(map_products, "LARGE_PIXELS", 1000)
    monkeypatch.setattr(map_products, "BAND_PIXELS", 700 * 80)
    assert write_products({"map": made / "masks" / "map.tif"}, made / "cut", ["polygons"]) == ()
    path = made / "cut" / "products" / "map" / "objects.gpkg"
    cut = read_vectors(path, {"map": GRID}, classes=classes)[0]["map"]
    assert len(cut.regions) == 2 * 4 + 1
    assert np.array_equal(cut.flat().class_ids, ids())


def test_the_report_has_its_pages_and_shares_of_a_hundred(made: Path) -> None:
    content = product(made, "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", content)) == 3, "title and map, shares, one page of parts"
    mask, classes = MaskFile(made / "masks" / "map.tif"), Classes(NAMES, COLORS)
    areas = class_areas(mask, classes)
    shown = shown_classes(areas)
    assert [each.name for each in shown] == ["sand", "coral"], "the absent class takes nobody's place or colour"
    assert sum(rounded_shares([each.share_percent for each in shown])) == pytest.approx(100)
    pixels = np.zeros((*GRID.shape, 3), np.uint8)
    report = gather_map_report("map", mask, classes, Image(pixels, GRID), areas, ["a line " * 40])
    pages = pages_of(report)
    assert [page.size for page in pages] == [(1240, 1754)] * 3
    ring = pages[1].getpixel((1240 // 2 + int(0.8 * 310 * np.sin(0.3)), 530 - int(0.8 * 310 * np.cos(0.3))))
    assert ring == (255, 255, 102), "the largest share begins at the top and goes clockwise"
    page = product(made, "report.html").read_text()
    assert "Not found: rubble" in page
    assert "http" not in re.sub(r"data:image[^\"]*", "", page)


@pytest.mark.parametrize("shares", [[100.0], [1 / 3 * 100] * 3, [99.96, 0.02, 0.02], [14.25] * 7 + [0.25]])
def test_rounded_shares_sum_to_a_hundred(shares: list[float]) -> None:
    assert round(sum(rounded_shares(shares)), 6) == 100
    assert np.abs(np.array(rounded_shares(shares)) - shares).max() <= 0.1


def test_a_map_nobody_knows_and_one_off_earth(made: Path) -> None:
    write_mask(made / "none" / "a.tif", Mask(np.full(GRID.shape, UNKNOWN, np.uint8), NAMES, GRID))
    assert write_products({"a": made / "none" / "a.tif"}, made / "none", ["areas", "pdf", "html", "polygons"]) == ()
    ((name, reason),) = write_products({"a": made / "none" / "a.tif"}, made / "none", ["pmtiles"])
    assert (name, reason.startswith("pmtiles: ")) == ("a", True)
    ((_, reason),) = write_products({"a": made / "off" / "a.png"}, made / "off", ["xyz"])
    assert "georeference" in reason


def test_a_legend_has_a_swatch_of_every_class(made: Path) -> None:
    picture = np.asarray(PIL.Image.open(product(made, "legend.png")))
    for color in ((0, 153, 255), (204, 102, 0), (255, 255, 102)):
        assert (picture == color).all(axis=2).sum() > 200
    assert product(made, "legend.png").read_bytes() == legend_png(Classes(NAMES, COLORS))


def test_names_of_products(capsys: pytest.CaptureFixture[str]) -> None:
    assert known_products(["areas,pdf", "areas"]) == ("areas", "pdf")
    assert "tms" not in known_products(["all"])
    with pytest.raises(UnknownNameError, match="did you mean 'polygons'"):
        known_products(["polygon"])


def test_predict_makes_products_from_file_to_file(made: Path, tmp_path: Path) -> None:
    train("mean_colour", made / "pics", masks=made / "masks", out=tmp_path / "model")
    words = ["predict", str(tmp_path / "model"), str(made / "pics" / "map.tif"), "--out", str(tmp_path / "out")]
    assert main([*words, "--products", "cog,areas,pmtiles", "--quiet"]) == 0
    folder = tmp_path / "out" / "products" / "map"
    assert {each.name for each in folder.iterdir()} == {
        "valid.tif", "areas.csv", "areas.json", "map.pmtiles", "legend.png"
    }  # fmt: skip
    assert main([*words, "--products", "polygon"]) == 2
    again = predict(tmp_path / "model", made / "pics", out=tmp_path / "out", products=("areas",))
    assert (again.skipped, again.failed) == (1, ())
    assert read_mask(tmp_path / "out" / "map.tif").grid == GRID
