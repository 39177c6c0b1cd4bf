"""Areas, cover, counts and lengths, against numbers one can count in the picture."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.cli.main import main
from maskwright.errors import EmptyResultError, InputError
from maskwright.io.masks import write_mask
from maskwright.pipelines import mask_files
from maskwright.pipelines.ground import ground_of
from maskwright.pipelines.measure import QUANTITIES, UNITS, measure, measure_mask
from maskwright.types import UNKNOWN, Grid, Mask

NAMES = ("", "coral", "sand", "weed")
UTM = {"transform": (0.5, 0.0, 300000.0, 0.0, -0.25, 7600000.0), "crs": "EPSG:32740"}


def scene() -> NDArray[np.uint8]:
    """20 x 60: two corals that touch at a corner, a third apart, a strip of unknown, sand elsewhere, no weed."""
    ids = np.full((20, 60), 2, np.uint8)
    ids[2:5, 4:10] = 1
    ids[5:6, 10:12] = 1
    ids[10:12, 40:44] = 1
    ids[:, 58:] = UNKNOWN
    return ids


def test_a_scene_counted_by_hand() -> None:
    found = measure_mask(Mask(scene(), NAMES))
    coral = found["coral"]
    assert coral["pixels"] == 18 + 2 + 8
    assert coral["cover_fraction"] == 28 / (20 * 58)
    assert coral["count"] == 2
    assert coral["border_px"] == (6 + 3) * 2 + (2 + 1) * 2 + (4 + 2) * 2
    assert coral["longest_px"] == pytest.approx(math.hypot(4, 8))  # (2, 4) to (6, 12)
    assert coral["area_m2"] is None and coral["border_m"] is None and coral["longest_m"] is None
    assert found["weed"] == {
        "pixels": 0, "area_m2": None, "cover_fraction": 0.0, "count": 0,
        "border_px": 0, "border_m": None, "longest_px": 0.0, "longest_m": None,
    }  # fmt: skip
    assert list(found) == ["coral", "sand", "weed"]
    assert all(list(each) == list(UNITS) for each in found.values())


def test_pixels_that_are_no_squares_on_the_ground() -> None:
    coral = measure_mask(Mask(scene(), NAMES, Grid(20, 60, **UTM)))["coral"]  # type: ignore[arg-type]
    assert coral["area_m2"] == pytest.approx(28 * 0.125)
    across, along = (6 + 2 + 4) * 2, (3 + 1 + 2) * 2
    assert coral["border_m"] == pytest.approx(across * 0.5 + along * 0.25)
    assert coral["longest_m"] == pytest.approx(math.hypot(4 * 0.25, 8 * 0.5))


def test_a_mask_of_which_nothing_is_known() -> None:
    found = measure_mask(Mask(np.full((2, 9), UNKNOWN, np.uint8), NAMES))
    assert math.isnan(found["sand"]["cover_fraction"] or 0)
    assert found["sand"]["pixels"] == 0


def test_ids_without_names_are_measured_by_their_number() -> None:
    found = measure_mask(Mask(np.array([[0, 7, 7]], np.uint8), ("a",)))
    assert found["7"]["pixels"] == 2


def test_degrees_are_measured_on_the_ellipsoid() -> None:
    from pyproj import Geod

    grid = Grid(40, 90, (0.001, 0.0, 55.0, 0.0, -0.001, 60.0), "EPSG:4326")
    ground = ground_of(grid)
    assert ground is not None and ground.how == "geodesic"
    total, _ = Geod(ellps="WGS84").polygon_area_perimeter([55, 55.09, 55.09, 55], [59.96, 59.96, 60, 60])
    assert ground.row_areas_m2.sum() * 90 == pytest.approx(abs(total), rel=1e-5)
    assert ground.row_areas_m2[0] < ground.row_areas_m2[-1]  # nearer to the pole is smaller
    assert ground.col_m[0] == pytest.approx(111_320 * 0.001 * math.cos(math.radians(59.98)), rel=5e-3)
    assert -ground.row_m[1] == pytest.approx(111.4, rel=1e-3)


def test_mercator_is_mended_and_feet_are_feet() -> None:
    north = ground_of(Grid(9, 20, (10.0, 0.0, 6.0e6, 0.0, -10.0, 8.4e6), "EPSG:3857"))
    assert north is not None and north.how == "mended"
    assert north.row_areas_m2[0] == pytest.approx(100 * math.cos(math.radians(60)) ** 2, rel=0.02)
    feet = ground_of(Grid(9, 20, (10.0, 0.0, 2.0e6, 0.0, -10.0, 7.0e5), "EPSG:2263"))
    assert feet is not None and feet.how == "planar"
    assert feet.row_areas_m2[0] == pytest.approx(100 * 0.3048006**2, rel=1e-5)


def test_nowhere_on_earth_and_unknown_systems() -> None:
    assert ground_of(Grid(2, 3)) is None
    assert ground_of(Grid(2, 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))) is None
    with pytest.raises(InputError, match="no coordinate system"):
        ground_of(Grid(2, 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "EPSG:999999"))
    with pytest.raises(InputError, match="turned"):
        ground_of(Grid(2, 3, (1.0, 0.1, 0.0, 0.1, -1.0, 0.0), "EPSG:4326"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for site in ("north", "south"):
        for k in range(3):
            ids = rng.integers(1, 3 if site == "north" else 4, (20, 60)).astype(np.uint8)
            write_mask(tmp_path / "masks" / site / f"{site}{k}.png", Mask(ids, NAMES))
    return tmp_path / "masks"


def test_totals_add_up_and_come_with_intervals(folder: Path) -> None:
    found = measure(str(folder / "*" / "*.png"))
    assert found["pictures"] == 6
    pixels = {name: each["pixels"] for name, each in found["classes"].items()}
    assert sum(pixels.values()) == 6 * 20 * 60
    for key in ("pixels", "count", "border_px"):
        by_hand = sum(each["classes"]["sand"][key] for each in found["by_picture"])
        assert found["classes"]["sand"][key] == by_hand
        assert found["classes"]["sand"][f"mean_{key}"]["value"] == pytest.approx(by_hand / 6)
    weed = found["classes"]["weed"]["cover_fraction"]
    assert weed["low"] < weed["value"] == pixels["weed"] / 7200 < weed["high"]
    assert not [key for key in found["classes"]["weed"] if key.startswith("mean_") and "_m" in key[5:]]
    assert set(QUANTITIES) <= set(found["classes"]["weed"])


def test_by_site(folder: Path) -> None:
    found = measure(str(folder / "*" / "*.png"), by="site")
    assert list(found["by_site"]) == ["north", "south"]
    north = found["by_site"]["north"]
    assert north["pictures"] == 3
    assert north["classes"]["weed"]["pixels"] == 0
    alone = measure(folder / "north")["classes"]["coral"]["cover_fraction"]
    assert north["classes"]["coral"]["cover_fraction"] == alone
    assert found["intervals"].endswith("by site")


def test_a_broken_mask_is_named_and_the_others_are_measured(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (folder / "north" / "zero.png").write_bytes(b"")
    code = main(["measure", str(folder / "north"), "--json", "--out", str(tmp_path / "table.csv")])
    shown = capsys.readouterr()
    assert code == 1
    assert json.loads(shown.out)["pictures"] == 3
    assert "failed: zero:" in shown.err
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3
    assert rows[0]["image"] == "north0" and rows[0]["area_m2"] == ""
    assert sum(int(row["pixels"]) for row in rows) == 3 * 1200


def test_nothing_and_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EmptyResultError):
        measure(tmp_path)
    assert main(["measure", str(tmp_path)]) == 3
    assert main(["measure", str(tmp_path / "absent")]) == 2
    assert "nothing is there" in capsys.readouterr().err
    with pytest.raises(ValueError, match="by='week'"):
        measure(tmp_path, by="week")


def test_the_table_people_see(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(folder / "south"), "--by", "site"]) == 0
    shown = capsys.readouterr().out
    assert "all 3 pictures" in shown and "south, 3 pictures" in shown and "weed" in shown
    name = sorted((folder / "south").glob("*.png"))[0].name
    (folder / "sites.csv").write_text(f"image,site\n{name},north\n")
    assert main(["measure", str(folder / "south"), "--by", "site", "--sites", str(folder / "sites.csv")]) == 0
    shown = capsys.readouterr().out
    assert "north, 1 picture " in shown and "\nno site, 2 pictures" in shown


def test_twice_gives_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["measure", str(folder / "south"), "--json"])
    first = capsys.readouterr().out
    main(["measure", str(folder / "south"), "--json"])
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("band_pixels", [61, 500, 10**6])
def test_a_mask_too_large_to_hold_is_measured_by_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, band_pixels: int
) -> None:
    pytest.importorskip("rasterio", reason="the geo extra is not installed")
    ids = np.random.default_rng(0).choice(np.uint8([1, 2, 4, 255]), (50, 60), p=[0.5, 0.3, 0.1, 0.1])
    ids[10:40, 20] = 4
    grid = Grid(50, 60, (0.01, 0.0, 55.0, 0.0, -0.01, -21.0), "EPSG:4326")
    write_mask(tmp_path / "masks" / "a.tif", Mask(ids, ("", "coral", "sand", "rubble", "weed"), grid))
    whole = json.dumps(measure(tmp_path / "masks"))  # nan is nan as text
    monkeypatch.setattr(mask_files, "LARGE_PIXELS", 100)
    monkeypatch.setattr(mask_files, "BAND_PIXELS", band_pixels)
    assert json.dumps(measure(tmp_path / "masks")) == whole
