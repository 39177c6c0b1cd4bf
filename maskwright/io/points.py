"""Points somebody named, from CSV, CoralNet CSV, GeoJSON, GeoPackage and COCO, turned to rows and columns here."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from maskwright.errors import InputError, UnknownNameError
from maskwright.io.classes import Classes, classes_from_names
from maskwright.io.images import picture_grid
from maskwright.io.names import known_picture
from maskwright.io.point_features import holds_places, locate_places, read_places
from maskwright.io.point_rows import PointRow, read_rows
from maskwright.io.point_writers import write_points as write_points
from maskwright.io.problems import Problems
from maskwright.types import Grid, Points

_log = logging.getLogger(__name__)


def read_points(
    path: str | Path, classes: Classes | None = None, *, pictures: Mapping[str, Path] | None = None
) -> dict[str, Points]:
    """Read points by picture name, in the file's order; without `classes` ids follow the sorted names from 1.

    CSV has `image,x,y,class[,object][,weight]`, x to the right, y down, (0, 0) the centre of the top left pixel;
    CoralNet CSV `Name,Row,Column,Label`; COCO json a `point` [x, y] per annotation, whose place among its picture's
    annotations is the object id. GeoJSON and GeoPackage points lie in any coordinate system and need `pictures`: each
    point is given to the pictures it falls on, or to the one its `image` property names.

    With `pictures` every name must be one of them and every point inside its picture. All problems of a file are told
    at once, each with its line. A picture whose size cannot be read is not checked here: it fails when it is read.
    Points of several classes on one pixel are all read, with a warning: a mask can hold only one of them.
    """
    is_placed = holds_places(path)
    rows = _placed(path, pictures) if is_placed else read_rows(path)
    known = classes if classes is not None else classes_from_names(row.class_name for row in rows)
    problems = Problems(path)
    by_picture: dict[str, list[tuple[PointRow, int]]] = defaultdict(list)
    sizes: dict[str, Grid | None] = {}
    for row in rows:
        try:
            name = known_picture(row.image, pictures, row.where)
        except UnknownNameError as error:
            problems.add(error, same=("picture", error.name))
            continue
        try:
            class_id = known.id_of(row.class_name, row.where)
        except UnknownNameError as error:
            problems.add(error, same=("class", error.name))
            continue
        if name not in sizes:
            sizes[name] = _size(name, pictures)
        _check_inside(row, name, sizes[name], problems)
        by_picture[name].append((row, class_id))
    problems.check()
    points = {name: _points(each, name) for name, each in by_picture.items()}
    _warn_of_disputes(by_picture, points)
    return points


def points_classes(path: str | Path) -> tuple[str, ...]:
    """The class names a points file speaks of, sorted."""
    if holds_places(path):
        return tuple(sorted({place.class_name for place in read_places(path).places}))
    return tuple(sorted({row.class_name for row in read_rows(path)}))


def _placed(path: str | Path, pictures: Mapping[str, Path] | None) -> list[PointRow]:
    if pictures is None:
        raise InputError(f"{path}: holds places on Earth; expected pictures to put them on; name the pictures too")
    survey = read_places(path)
    named = {each.image for each in survey.places}
    needed = pictures if "" in named else _named_pictures(named, pictures)
    grids = {name: grid for name, where in needed.items() if (grid := _size(name, {name: where})) is not None}
    rows, outside = locate_places(survey, grids, pictures)
    if survey.places and not rows:
        raise InputError(f"{path}: none of its {len(survey.places)} points falls on a picture; check their crs")
    if outside:
        _log.warning("%s: %d of %d points fall on no picture", path, outside, len(survey.places))
    return rows


def _named_pictures(named: set[str], pictures: Mapping[str, Path]) -> dict[str, Path]:
    found = {}
    for each in sorted(named):
        try:
            name = known_picture(each, pictures)
        except UnknownNameError:  # told later with its line
            continue
        found[name] = pictures[name]
    return found


def _size(name: str, pictures: Mapping[str, Path] | None) -> Grid | None:
    if pictures is None:
        return None
    try:
        return picture_grid(pictures[name])
    except InputError as error:
        _log.warning("points of %s are not checked: %s", name, error)
        return None


def _check_inside(row: PointRow, name: str, grid: Grid | None, problems: Problems) -> None:
    if grid is None:
        if row.row < -0.5 or row.col < -0.5:
            what = f"the point x={row.col:g}, y={row.row:g} lies outside every picture"
            problems.add(InputError(f"{row.where}: {what}; expected x and y of at least 0; correct it"))
        return
    if grid.holds(row.row, row.col):
        return
    what = f"the point x={row.col:g}, y={row.row:g} lies outside {name} ({grid.width} wide, {grid.height} high)"
    advice = "are x and y swapped?" if grid.holds(row.col, row.row) else "correct or remove it"
    problems.add(InputError(f"{row.where}: {what}; expected a place inside; {advice}"))


def _points(rows: list[tuple[PointRow, int]], name: str) -> Points:
    objects = [row.object_id for row, _ in rows]
    if None in objects and any(each is not None for each in objects):
        lacking = next(row for row, _ in rows if row.object_id is None)
        raise InputError(
            f"{lacking.where}: no object, but other points of {name} have one; expected all or none; add it"
        )
    weights = [row.weight for row, _ in rows]
    return Points(
        np.array([row.row for row, _ in rows], np.float64),
        np.array([row.col for row, _ in rows], np.float64),
        np.array([class_id for _, class_id in rows], np.uint8),
        None if None in objects else np.array(objects, np.int64),
        None if all(each is None for each in weights) else np.array([1.0 if w is None else w for w in weights]),
    )


def _warn_of_disputes(rows: Mapping[str, list[tuple[PointRow, int]]], points: Mapping[str, Points]) -> None:
    """One warning for all points of a file whose pixel an earlier point gave another class."""
    disputed = [rows[name][index][0] for name, each in points.items() for index in _disputed(each)]
    if disputed:
        first = disputed[0]
        _log.warning(
            "%s: %d of its points lie on a pixel that an earlier point gives another class, first %r at x=%g, y=%g; "
            "a mask has one class a pixel: correct or remove one of each",
            first.where, len(disputed), first.class_name, first.col, first.row,
        )  # fmt: skip


def _disputed(points: Points) -> list[int]:
    said: dict[tuple[int, int], int] = {}
    pixels = zip(*(each.tolist() for each in points.pixels), strict=True)
    pairs = zip(pixels, points.class_ids.tolist(), strict=True)
    return [index for index, (pixel, class_id) in enumerate(pairs) if said.setdefault(pixel, class_id) != class_id]
