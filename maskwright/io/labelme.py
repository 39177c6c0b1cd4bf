"""labelme files: one JSON per picture, outlines in pixels with corners at whole numbers.

The parts of one object share a group_id, as labelme means it. An outline has no holes. Polygons and rectangles are
read; circles, lines, points and pasted masks are not, and the losses say how many there were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.combine import merge
from maskwright.arrays.encode import Region
from maskwright.arrays.polygons import fill, trace
from maskwright.errors import FormatError, InputError
from maskwright.io.classes import Classes, classes_from_names
from maskwright.io.images import picture_size
from maskwright.io.losses import Losses, unrepresentable, without_holes
from maskwright.io.names import picture_name
from maskwright.io.outputs import write_atomically
from maskwright.io.problems import Problems
from maskwright.io.texts import read_json
from maskwright.types import Grid, Instances

Shape = tuple[str, Any, NDArray[np.float64]]
"""Class name, group (None: an object of its own) and corners (n, 2) as row, column."""


def read_labelme(
    folder: str | Path, pictures: Mapping[str, Path] | None = None, classes: Classes | None = None
) -> tuple[dict[str, Instances], tuple[str, ...]]:
    """The objects of every labelme file of a folder by picture name, and what was lost on the way to whole pixels.

    Without `classes` ids follow the sorted labels found, from 1. Sizes stand in the files, or else `pictures` know.
    """
    folder = Path(folder)
    paths = [folder] if folder.is_file() else sorted(folder.glob("*.json"))
    problems, losses = Problems(folder), Losses()
    read: dict[str, tuple[Grid, list[Shape], Path]] = {}
    for path in paths:
        name, grid, shapes = _file(path, pictures, problems, losses)
        if name in read:
            problems.add(InputError(f"{path}: picture {name!r} was already in {read[name][2]}; keep one of the two"))
        read[name] = grid, shapes, path
    problems.check()
    found = sorted({label for _, shapes, _ in read.values() for label, _, _ in shapes})
    table = classes or classes_from_names(found)
    result = {
        name: _instances(shapes, grid, table, str(path), losses) for name, (grid, shapes, path) in sorted(read.items())
    }
    return result, losses.sentences


def write_labelme(
    folder: str | Path, instances: Mapping[str, Instances], *, file_names: Mapping[str, str] | None = None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write NAME.json for every picture; gives the paths and what the format could not hold."""
    folder, losses = Path(folder), Losses()
    unrepresentable(losses, instances)
    written: list[Path] = []
    for name, each in instances.items():
        content: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": _shapes(each, losses),
            "imagePath": (file_names or {}).get(name, f"{name}.png"),
            "imageData": None,
            "imageHeight": each.grid.height,
            "imageWidth": each.grid.width,
        }
        written.append(folder / f"{name}.json")
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
        write_atomically(written[-1], (text + "\n").encode())
    return tuple(written), losses.sentences


def _shapes(instances: Instances, losses: Losses) -> list[dict[str, Any]]:
    shapes = []
    for number, (region, class_id) in enumerate(zip(instances.regions, instances.class_ids, strict=True)):
        polygons = without_holes(trace(region), losses)
        losses.add("empty", not polygons)
        for (ring,) in polygons:
            shapes.append(
                {
                    "label": instances.class_names[class_id],
                    "points": ring[:, ::-1].tolist(),
                    "group_id": number if len(polygons) > 1 else None,
                    "shape_type": "polygon",
                    "flags": {},
                }
            )
    return shapes


def _file(
    path: Path, pictures: Mapping[str, Path] | None, problems: Problems, losses: Losses
) -> tuple[str, Grid, list[Shape]]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise FormatError(f"{path}: no list of shapes; expected a labelme file; move other JSON files elsewhere")
    image = content.get("imagePath")
    name = picture_name(image) if isinstance(image, str) and image else path.stem
    size = content.get("imageHeight"), content.get("imageWidth")
    if pictures is not None and name in pictures:
        size = picture_size(pictures[name])
    height, width = size
    if not isinstance(height, int) or not isinstance(width, int) or min(height, width) < 1:
        raise FormatError(f"{path}: imageHeight and imageWidth are {height!r} and {width!r}; expected pixels; add them")
    shapes = [_shape(f"{path}: shape {k}", each, problems, losses) for k, each in enumerate(content["shapes"], 1)]
    return name, Grid(height, width), [each for each in shapes if each is not None]


def _shape(where: str, shape: Any, problems: Problems, losses: Losses) -> Shape | None:
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str) or not shape["label"]:
        problems.add(FormatError(f"{where}: no label; expected the name of a class; give it one"))
        return None
    kind = shape.get("shape_type") or "polygon"
    if kind not in ("polygon", "rectangle"):
        losses.add("circles")
        return None
    try:
        corners = np.array(shape.get("points"), np.float64)
    except (TypeError, ValueError):
        corners = np.zeros(0)
    least = 2 if kind == "rectangle" else 3
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < least or not np.isfinite(corners).all():
        problems.add(FormatError(f"{where}: points of a {kind} are not at least {least} pairs x, y; draw it again"))
        return None
    if kind == "rectangle":
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return shape["label"], shape.get("group_id"), corners[:, ::-1]


def _instances(shapes: list[Shape], grid: Grid, classes: Classes, where: str, losses: Losses) -> Instances:
    groups: dict[tuple[str, Any], list[Region]] = {}
    for index, (label, group, corners) in enumerate(shapes):
        losses.add("sub_pixel", not np.array_equal(corners, np.round(corners)))
        losses.add("outside", bool((corners < 0).any() or (corners > grid.shape).any()))
        key = (label, ("alone", index) if group is None else str(group))
        groups.setdefault(key, []).append(fill([[corners]], grid.height, grid.width))
    regions = tuple(each[0] if len(each) == 1 else merge(each) for each in groups.values())
    ids = [classes.id_of(label, where) for label, _ in groups]
    return Instances(regions, np.array(ids, np.uint8), np.ones(len(ids), np.float32), classes.names, grid)
