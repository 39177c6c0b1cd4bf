"""Points out: CSV, CoralNet CSV and GeoJSON, and what each of them cannot say."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.errors import InputError
from maskwright.io.classes import Classes
from maskwright.io.names import natural_order
from maskwright.io.outputs import write_atomically
from maskwright.types import Grid, Points

PointFormat = Literal["csv", "coralnet", "geojson"]


def write_points(
    path: str | Path,
    points: Mapping[str, Points],
    classes: Classes,
    *,
    format: PointFormat | None = None,  # the word users know
    grids: Mapping[str, Grid] | None = None,
    files: Mapping[str, Path] | None = None,
) -> tuple[str, ...]:
    """Write points by picture name; gives what the format could not keep, one line each (nothing: nothing lost).

    `format` follows the path's ending if it is not given. `grids` are needed for GeoJSON of pictures on Earth, whose
    coordinate system must be one; `files` give the pictures' own file names, else names are written bare.
    """
    kind = format or ("geojson" if Path(path).suffix.lower() == ".geojson" else "csv")
    titles = {name: files[name].name if files and name in files else name for name in points}
    order = sorted(points, key=natural_order)
    if kind == "geojson":
        text, losses = _geojson(path, order, titles, points, classes, grids or {})
    elif kind == "coralnet":
        text, losses = _coralnet(order, titles, points, classes)
    else:
        text, losses = _csv(order, titles, points, classes), ()
    write_atomically(path, text.encode())
    return losses


def _csv(order: list[str], titles: Mapping[str, str], points: Mapping[str, Points], classes: Classes) -> str:
    optional = [
        key
        for key, field in (("object", "object_ids"), ("weight", "weights"))
        if any(getattr(points[name], field) is not None for name in order)
    ]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", "x", "y", "class", *optional])
    for name in order:
        each = points[name]
        for i in range(len(each)):
            extra = {
                "object": "" if each.object_ids is None else int(each.object_ids[i]),
                "weight": "" if each.weights is None else _number(each.weights[i]),
            }
            place = _number(each.cols[i]), _number(each.rows[i])
            writer.writerow([titles[name], *place, _class(classes, each, i), *[extra[key] for key in optional]])
    return file.getvalue()


def _coralnet(
    order: list[str], titles: Mapping[str, str], points: Mapping[str, Points], classes: Classes
) -> tuple[str, tuple[str, ...]]:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["Name", "Row", "Column", "Label"])
    moved = 0
    for name in order:
        each = points[name]
        rows, cols = each.pixels
        moved += int(((rows != each.rows) | (cols != each.cols)).sum())
        for i in range(len(each)):
            writer.writerow([titles[name], int(rows[i]), int(cols[i]), _class(classes, each, i)])
    losses = [f"{moved} points moved to the centre of their pixel"] if moved else []
    for what, field in (("object ids", "object_ids"), ("weights", "weights")):
        if count := sum(len(points[name]) for name in order if getattr(points[name], field) is not None):
            losses.append(f"{what} of {count} points")
    return file.getvalue(), tuple(losses)


def _geojson(
    path: str | Path,
    order: list[str],
    titles: Mapping[str, str],
    points: Mapping[str, Points],
    classes: Classes,
    grids: Mapping[str, Grid],
) -> tuple[str, tuple[str, ...]]:
    systems = {grids[name].crs if name in grids else None for name in order}
    if len(systems) > 1:
        found = ", ".join(sorted(str(each) for each in systems))
        raise InputError(
            f"{path}: the pictures lie in several coordinate systems ({found}); expected one; write several"
        )
    features = []
    for name in order:
        each = points[name]
        x, y = grids[name].place(each.rows, each.cols) if name in grids else (each.cols, each.rows)
        for i in range(len(each)):
            properties: dict[str, object] = {"image": titles[name], "class": _class(classes, each, i)}
            if each.object_ids is not None:
                properties["object"] = int(each.object_ids[i])
            if each.weights is not None:
                properties["weight"] = float(each.weights[i])
            geometry = {"type": "Point", "coordinates": [float(x[i]), float(y[i])]}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    value: dict[str, object] = {"type": "FeatureCollection"}
    crs = next(iter(systems), None)
    if crs is not None:
        value["crs"] = {"type": "name", "properties": {"name": crs}}
    value["features"] = features
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n", ()


def _class(classes: Classes, points: Points, index: int) -> str:
    class_id = int(points.class_ids[index])
    if class_id not in classes.named:
        raise InputError(f"a point has the class id {class_id}; expected one of {sorted(classes.named)}; add the class")
    return classes.names[class_id]


def _number(value: float | np.floating) -> str:
    """The shortest text that gives the same number again, whole numbers without a point."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
