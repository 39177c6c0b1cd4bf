"""Objects as polygons with holes in GeoJSON and GeoPackage, on Earth through the grid or in pixels where there is none.

Vertices lie on pixel corners, so nothing is lost on the way out. A GeoJSON names its coordinate system in `crs`, as
GDAL reads it; where pictures are not on Earth it says `"maskwright": {"coordinates": "pixels"}` (x is the column and
y the row of a corner, down the picture) and has no `crs`. GeoPackage needs `pip install "maskwright[geo]"`, as does
reading polygons of another coordinate system than the picture's.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.combine import merge
from maskwright.arrays.polygons import Polygon, fill, trace
from maskwright.errors import FormatError, GridError, InputError, MissingPartError
from maskwright.io.classes import Classes, classes_from_names
from maskwright.io.losses import Losses, unrepresentable
from maskwright.io.names import picture_name
from maskwright.io.outputs import write_atomically
from maskwright.io.texts import read_json
from maskwright.types import Grid, Instances

_PIXELS = "pixels"
Row = tuple[list[list[NDArray[np.float64]]], dict[str, Any]]
"""Polygons of closed x, y rings, and their properties."""
_EARTH = "EPSG:4326"  # what a GeoJSON without a coordinate system means


@dataclass(frozen=True, eq=False)
class Feature:
    """One object of a vector file: polygons of (x, y) rings and its properties; `where` names it in messages."""

    polygons: list[list[NDArray[np.float64]]]
    properties: Mapping[str, Any]
    where: str


def read_vectors(
    path: str | Path,
    grids: Mapping[str, Grid],
    *,
    classes: Classes | None = None,
    class_field: str = "class",
    image_field: str = "image",
    default_class: str = "object",
) -> tuple[dict[str, Instances], tuple[str, ...]]:
    """The polygons of a GeoJSON or GeoPackage on the pixels of each picture, and what was lost.

    A pixel belongs to a polygon when its centre lies inside. A feature goes to the picture its `image_field` names,
    or to every picture it meets; its class is `class_field`, or `default_class` where it has none. Without `classes`
    ids follow the sorted names found, from 1.
    """
    path = Path(path)
    features, crs = _read_package(path) if path.suffix.lower() == ".gpkg" else _read_geojson(path)
    names = [str(each.properties.get(class_field) or default_class) for each in features]
    table = classes or classes_from_names(sorted(set(names)))
    losses = Losses()
    _check_pictures(features, grids, image_field)
    result = {}
    for name, grid in grids.items():
        turn = _turner(crs, grid, path)
        chosen = [
            (each, label)
            for each, label in zip(features, names, strict=True)
            if not each.properties.get(image_field) or picture_name(str(each.properties[image_field])) == name
        ]
        result[name] = _instances(chosen, grid, turn, table, image_field, losses)
    return result, losses.sentences


def write_vectors(path: str | Path, instances: Mapping[str, Instances]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write all objects into one GeoJSON or (by its ending) GeoPackage; gives the path and what was lost.

    Every feature has `image`, `class`, `score` and `object` (its number in the picture from 0). All pictures must
    share one coordinate system, or have none.
    """
    path, losses = Path(path), Losses()
    crs = _shared_crs(instances)
    unrepresentable(losses, instances, kept=("scores", "places"))
    rows = [_feature(name, each, k, losses) for name, each in instances.items() for k in range(len(each.regions))]
    kept = [row for row in rows if row is not None]
    if path.suffix.lower() == ".gpkg":
        _write_package(path, kept, crs)
    else:
        _write_geojson(path, kept, crs)
    return (path,), losses.sentences


def layer_geometry(path: str | Path) -> str:
    """What the first layer of a GeoPackage holds: "Point", "MultiPolygon", ..."""
    pyogrio = _part("pyogrio")
    try:
        return str(pyogrio.read_info(path)["geometry_type"])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise FormatError(
            f"{path}: cannot be read as a GeoPackage ({error}); expected one with polygons; export it again"
        ) from error


def _feature(name: str, instances: Instances, index: int, losses: Losses) -> Row | None:
    polygons = trace(instances.regions[index])
    if not polygons:
        losses.add("empty")
        return None
    properties = {
        "image": name,
        "class": instances.class_names[instances.class_ids[index]],
        "score": float(instances.scores[index]),
        "object": index,
    }
    return [_placed(each, instances.grid) for each in polygons], properties


def _placed(rings: Polygon, grid: Grid) -> list[NDArray[np.float64]]:
    """Closed rings of x, y: the outer one counter-clockwise where y points up, holes the other way."""
    placed = []
    for index, ring in enumerate(rings):
        x, y = grid.place(ring[:, 0] - 0.5, ring[:, 1] - 0.5)
        x, y = (x, y) if grid.transform else (ring[:, 1], ring[:, 0])
        points = np.column_stack([x, y])
        ahead = np.roll(points, -1, axis=0)
        turned = (points[:, 0] * ahead[:, 1] - ahead[:, 0] * points[:, 1]).sum() > 0
        points = points if turned == (index == 0) else points[::-1]
        placed.append(np.concatenate([points, points[:1]]))
    return placed


def _shared_crs(instances: Mapping[str, Instances]) -> str | None:
    kinds = {each.grid.crs for each in instances.values()}
    if len(kinds) > 1:
        raise GridError(
            f"the pictures lie in {len(kinds)} coordinate systems ({', '.join(map(str, sorted(map(str, kinds))))}); "
            "expected one; convert them one by one"
        )
    return next(iter(kinds), None)


def _write_geojson(path: Path, rows: Sequence[Row], crs: str | None) -> None:
    head: dict[str, Any] = {"type": "FeatureCollection"}
    if crs is None:
        head["maskwright"] = {"coordinates": _PIXELS}
    else:
        head["crs"] = {"type": "name", "properties": {"name": _urn(crs)}}
    features = [
        {
            "type": "Feature",
            "properties": properties,
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[ring.tolist() for ring in each] for each in polygons],
            },
        }
        for polygons, properties in rows
    ]
    text = json.dumps(head | {"features": features}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_atomically(path, (text + "\n").encode())


def _urn(crs: str) -> str:
    authority, _, code = crs.partition(":")
    return f"urn:ogc:def:crs:{authority}::{code}" if authority == "EPSG" and code.isdecimal() else crs


def _write_package(path: Path, rows: Sequence[Row], crs: str | None) -> None:
    pyogrio, shapely = _part("pyogrio"), _part("shapely")
    shapes = [shapely.MultiPolygon([shapely.Polygon(each[0], each[1:]) for each in polygons]) for polygons, _ in rows]
    fields = {"image": str, "class": str, "score": np.float64, "object": np.int64}
    data: list[NDArray[Any]] = [
        np.array([row[name] for _, row in rows], object if kind is str else kind) for name, kind in fields.items()
    ]

    def write(temporary: Path) -> None:
        pyogrio.raw.write(
            temporary,
            geometry=np.array(shapely.to_wkb(shapes), object).reshape(-1),
            field_data=data,
            fields=list(fields),
            geometry_type="MultiPolygon",
            crs=crs,
            driver="GPKG",
            layer="objects",
        )

    with _one_date(pyogrio), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # pixels have none
        write_atomically(path, write)


@contextlib.contextmanager
def _one_date(pyogrio: Any) -> Iterator[None]:
    """GDAL notes when a file was written; without a fixed date the same objects would give other bytes tomorrow."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "1970-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _read_package(path: Path) -> tuple[list[Feature], str | None]:
    pyogrio, shapely = _part("pyogrio"), _part("shapely")
    try:
        meta, _, geometry, data = pyogrio.raw.read(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise FormatError(
            f"{path}: cannot be read as a GeoPackage ({error}); expected one with polygons; export it again"
        ) from error
    names = list(meta["fields"])
    features = []
    for index, blob in enumerate(geometry if geometry is not None else []):
        where = f"{path}: feature {index + 1}"
        shape = json.loads(shapely.to_geojson(shapely.from_wkb(blob))) if blob is not None else None
        properties = {name: column[index] for name, column in zip(names, data, strict=True)}
        features.append(Feature(_polygons(shape, where), properties, where))
    crs = meta.get("crs")
    return features, None if crs is None or "Undefined" in crs else crs


def _read_geojson(path: Path) -> tuple[list[Feature], str | None]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("features"), list):
        raise FormatError(
            f"{path}: no list of features; expected a GeoJSON FeatureCollection with polygons; is it the right file?"
        )
    features = []
    for index, each in enumerate(content["features"], 1):
        where = f"{path}: feature {index}"
        if not isinstance(each, dict):
            raise FormatError(
                f"{where} is {str(each)[:40]!r}; expected an object with a geometry; correct or remove it"
            )
        properties = each.get("properties")
        features.append(
            Feature(_polygons(each.get("geometry"), where), properties if isinstance(properties, dict) else {}, where)
        )
    return features, _crs_of(content, path)


def _crs_of(content: Mapping[str, Any], path: Path) -> str | None:
    note = content.get("maskwright")
    if isinstance(note, dict) and note.get("coordinates") == _PIXELS:
        return None
    crs = content.get("crs")
    if crs is None:
        return _EARTH
    name = crs.get("properties", {}).get("name") if isinstance(crs, dict) else None
    if not isinstance(name, str):
        raise FormatError(
            f"{path}: crs is {str(crs)[:60]}; expected its name, such as urn:ogc:def:crs:EPSG::32740; write it so"
        )
    return name


def _polygons(geometry: Any, where: str) -> list[list[NDArray[np.float64]]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if geometry is None:
        return []
    if kind not in ("Polygon", "MultiPolygon"):
        raise FormatError(f"{where}: its geometry is {kind!r}; expected Polygon or MultiPolygon; remove the others")
    parts = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
    try:
        polygons = [[np.array(ring, np.float64)[:, :2] for ring in part] for part in parts]
    except (TypeError, ValueError, IndexError) as error:
        raise FormatError(f"{where}: its coordinates are not rings of x, y ({error}); draw it again") from error
    if not all(np.isfinite(ring).all() for part in polygons for ring in part):
        raise FormatError(f"{where}: a coordinate is no number; expected x and y; draw it again")
    return polygons


def _check_pictures(features: Iterable[Feature], grids: Mapping[str, Grid], image_field: str) -> None:
    for each in features:
        image = each.properties.get(image_field)
        if image and picture_name(str(image)) not in grids:
            raise InputError(
                f"{each.where}: {image_field} is {image!r}, which is none of the {len(grids)} pictures given; "
                "expected one of them; correct the name, or give that picture too"
            )


def _turner(crs: str | None, grid: Grid, path: Path) -> Any:
    """A function from x, y of the file to (row, col) of pixel corners on the grid."""
    if crs is None or (grid.crs is None and crs == _EARTH):  # pixels, said or meant
        return lambda x, y: np.column_stack([y, x])
    if grid.crs is None:
        raise GridError(
            f"{path} lies in {crs} and the picture is not on Earth; expected pixel coordinates or a picture with a "
            "coordinate system; georeference it"
        )
    change = None
    if crs != grid.crs and _urn(grid.crs) != crs:
        pyproj = _part("pyproj")
        try:
            change = pyproj.Transformer.from_crs(crs, grid.crs, always_xy=True)
        except pyproj.exceptions.CRSError as error:
            raise FormatError(
                f"{path}: nobody knows the coordinate system {crs!r}; expected a name like EPSG:32740; write one"
            ) from error

    def turn(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        if change is not None:
            x, y = change.transform(x, y)
        return np.column_stack(grid.locate(x, y)) + 0.5

    return turn


def _instances(
    chosen: Sequence[tuple[Feature, str]], grid: Grid, turn: Any, classes: Classes, image_field: str, losses: Losses
) -> Instances:
    regions, ids, scores = [], [], []
    for feature, label in chosen:
        polygons = [[_snapped(turn(ring[:, 0], ring[:, 1])) for ring in part] for part in feature.polygons]
        corners = np.concatenate([ring for part in polygons for ring in part] or [np.zeros((0, 2))])
        parts = [fill([part], grid.height, grid.width) for part in polygons]
        region = parts[0] if len(parts) == 1 else merge(parts)
        if not region.area and not feature.properties.get(image_field):
            continue  # it lies on another picture
        losses.add("sub_pixel", not np.array_equal(corners, np.round(corners)))
        losses.add("outside", bool((corners < 0).any() or (corners > grid.shape).any()))
        regions.append(region)
        ids.append(classes.id_of(label, feature.where))
        score = feature.properties.get("score")
        scores.append(float(score) if isinstance(score, int | float) and np.isfinite(score) else 1.0)
    return Instances(tuple(regions), np.array(ids, np.uint8), np.array(scores, np.float32), classes.names, grid)


def _snapped(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners that miss a whole pixel by no more than the rounding of coordinates on Earth lie on it."""
    whole = np.round(corners)
    near: NDArray[np.float64] = np.where(np.abs(corners - whole) < 1e-6, whole, corners)
    return near


def _part(name: str) -> Any:
    try:
        if name == "pyogrio":
            import pyogrio
            import pyogrio.raw

            return pyogrio
        if name == "shapely":
            import shapely

            return shapely
        import pyproj
    except ImportError as error:
        raise MissingPartError(
            f'{name} is not installed; polygons on Earth need it; pip install "maskwright[geo]"'
        ) from error
    return pyproj
