"""Points on Earth: GeoJSON and GeoPackage in any coordinate system, put on the grids of pictures."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import FormatError, InputError, MissingPartError, UnknownNameError
from maskwright.io.names import known_picture
from maskwright.io.point_rows import PointRow, object_id_of, weight_of
from maskwright.io.problems import Problems
from maskwright.io.texts import read_json
from maskwright.io.tiff_header import check_is_file
from maskwright.types import Grid

FEATURE_SUFFIXES = (".geojson", ".gpkg", ".shp", ".fgb")
_CLASS_KEYS = ("class", "label", "class_name", "name")


class Place(NamedTuple):
    """One point on Earth as its file has it; `image` is "" where the file names none."""

    where: str
    image: str
    x: float
    y: float
    class_name: str
    object_id: int | None
    weight: float | None


@dataclass(frozen=True)
class Survey:
    """The places of one file and their coordinate system (None where the file names none)."""

    path: Path
    places: tuple[Place, ...]
    crs: str | None


def holds_places(path: str | Path) -> bool:
    """Whether a file holds places on Earth: by its ending, or as a FeatureCollection in a .json file."""
    suffix = Path(path).suffix.lower()
    if suffix != ".json":
        return suffix in FEATURE_SUFFIXES
    value = read_json(path)
    return isinstance(value, dict) and value.get("type") == "FeatureCollection"


def read_places(path: str | Path) -> Survey:
    """Read point features; the class stands in the property class, label, class_name or name.

    GeoJSON without a `crs` is longitude and latitude. Features without a geometry are left out.
    """
    if Path(path).suffix.lower() in (".geojson", ".json"):
        return _from_geojson(path)
    return _from_layer(path)


def locate_places(survey: Survey, grids: Mapping[str, Grid], pictures: Collection[str]) -> tuple[list[PointRow], int]:
    """Rows on pictures for every place: on the picture it names, else on all it falls on; and how many fell on none.

    On a picture without a coordinate system x is the column and y the row. Of `pictures`, those without a grid get no
    rows; a name that is none of them goes on as it is, so that the reader can tell it with its line.
    """
    rows: list[tuple[int, PointRow]] = []
    x = np.array([each.x for each in survey.places], float)
    y = np.array([each.y for each in survey.places], float)
    wanted = [_wanted(each.image, pictures) for each in survey.places]
    hit = np.zeros(len(x), bool)
    for name, grid in grids.items():
        at_rows, at_cols = grid.locate(*_in_crs(x, y, survey, grid, name))
        inside = grid.holds(at_rows, at_cols)
        for i in range(len(x)):
            if wanted[i] == name or (not wanted[i] and inside[i] and grid.transform is not None):
                place = survey.places[i]
                row = PointRow(place.where, name, float(at_rows[i]), float(at_cols[i]), *place[4:])
                rows.append((i, row))
                hit[i] = True
    rows += [
        (i, PointRow(each.where, each.image, 0.0, 0.0, *each[4:]))
        for i, each in enumerate(survey.places)
        if wanted[i] and wanted[i] not in pictures
    ]
    lost = int((~hit & np.array([not each for each in wanted], bool)).sum())
    return [row for _, row in sorted(rows, key=lambda pair: (pair[0], pair[1].image))], lost


def _wanted(image: str, pictures: Collection[str]) -> str:
    try:
        return known_picture(image, pictures) if image else ""
    except UnknownNameError:
        return image


def _in_crs(
    x: NDArray[np.float64], y: NDArray[np.float64], survey: Survey, grid: Grid, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if grid.transform is None or grid.crs is None or survey.crs is None or grid.crs == survey.crs:
        return x, y
    pyproj = _geo("pyproj", survey.path)
    try:
        transformer = pyproj.Transformer.from_crs(survey.crs, grid.crs, always_xy=True)
    except pyproj.exceptions.CRSError as error:
        both = f"{survey.crs!r} or that of {name}, {grid.crs!r}"
        raise InputError(
            f"{survey.path}: the coordinate system {both}, is not known; expected an EPSG code; write one"
        ) from error
    turned: tuple[NDArray[np.float64], NDArray[np.float64]] = transformer.transform(x, y)
    return turned


def _from_geojson(path: str | Path) -> Survey:
    value = read_json(path)
    features = value.get("features") if isinstance(value, dict) else None
    if not isinstance(features, list):
        raise FormatError(f"{path}: no list of features; expected a GeoJSON FeatureCollection; export it again")
    found: list[tuple[str, dict[str, Any], list[Any]]] = []
    problems = Problems(path)
    for index, feature in enumerate(features, 1):
        where = f"{path}: feature {index}"
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if geometry is None:
            continue
        coordinates = _coordinates(geometry)
        if coordinates is None:
            kind = geometry.get("type") if isinstance(geometry, dict) else geometry
            problems.add(FormatError(f"{where} is a {kind}; expected a Point; keep points and areas in separate files"))
            continue
        found += [(where, feature.get("properties") or {}, each) for each in coordinates]
    places = _places(found, problems)
    crs = value.get("crs")
    name = (crs.get("properties") or {}).get("name") if isinstance(crs, dict) else None
    return Survey(Path(path), places, str(name) if name else "OGC:CRS84")


def _coordinates(geometry: Any) -> list[Any] | None:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    values = geometry.get("coordinates") if isinstance(geometry, dict) else None
    values = [values] if kind == "Point" else values if kind == "MultiPoint" and isinstance(values, list) else None
    if values is None:
        return None
    return values if all(_is_pair(each) for each in values) else None


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) < 1e15 for n in value[:2])
    )


def _from_layer(path: str | Path) -> Survey:
    check_is_file(path)
    pyogrio, shapely = _geo("pyogrio", path), _geo("shapely", path)
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind is None or "Point" in kind]
        if len(layers) != 1:
            names = ", ".join(layers) or "none"
            raise FormatError(f"{path}: has {len(layers)} layers of points ({names}); expected one; export it alone")
        meta, _, geometry, columns = pyogrio.raw.read(path, layer=layers[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read ({reason}); expected a GeoPackage; export it again") from error
    found: list[tuple[str, dict[str, Any], list[Any]]] = []
    problems = Problems(path)
    for index, shape in enumerate(shapely.from_wkb(geometry)):
        if shape is None or shape.is_empty:
            continue
        where = f"{path}: feature {index + 1}"
        if shape.geom_type not in ("Point", "MultiPoint"):
            problems.add(FormatError(f"{where} is a {shape.geom_type}; expected a Point; export points alone"))
            continue
        properties = {name: _cell(column[index]) for name, column in zip(meta["fields"], columns, strict=True)}
        found += [(where, properties, [*each]) for each in shapely.get_coordinates(shape).tolist()]
    return Survey(Path(path), _places(found, problems), meta["crs"])


def _places(found: list[tuple[str, dict[str, Any], list[Any]]], problems: Problems) -> tuple[Place, ...]:
    places = []
    for where, properties, (x, y, *_) in found:
        cells = {str(key).casefold(): _text(value) for key, value in properties.items()}
        class_name = next((cells[key] for key in _CLASS_KEYS if cells.get(key)), "")
        try:
            if not class_name:
                raise InputError(f"{where} has no class; expected a property called class; add it")
            object_id, weight = object_id_of(cells.get("object", ""), where), weight_of(cells, where)
            places.append(Place(where, cells.get("image", ""), float(x), float(y), class_name, object_id, weight))
        except InputError as error:
            problems.add(error)
    problems.check()
    return tuple(places)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _cell(value: Any) -> Any:
    """A column's value; a missing number comes as nan."""
    return None if value is None or value != value else value


def _geo(module: str, path: str | Path) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPartError(
            f'{path}: needs {module}, which is not installed; pip install "maskwright[geo]"'
        ) from error
