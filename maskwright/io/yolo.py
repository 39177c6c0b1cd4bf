"""YOLO segmentation files: one text per picture, an outline per line as fractions of the picture, and data.yaml.

A folder holds `data.yaml` with `names`, and `labels/NAME.txt`. An outline has no holes and an object one part, so
objects with several parts become several. Vertices are pixel corners over width and height.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from maskwright.arrays.polygons import fill, trace
from maskwright.errors import FormatError, InputError
from maskwright.io.images import picture_size
from maskwright.io.losses import Losses, unrepresentable, without_holes
from maskwright.io.outputs import write_atomically
from maskwright.io.problems import Problems
from maskwright.io.texts import read_text
from maskwright.io.yaml_files import read_yaml
from maskwright.types import Grid, Instances, named_classes


def read_yolo(folder: str | Path, pictures: Mapping[str, Path | Grid]) -> tuple[dict[str, Instances], tuple[str, ...]]:
    """The objects of every picture of a YOLO-seg folder, and what was lost on the way to whole pixels.

    `pictures` (name to path or grid) says how big each picture is, because the files do not. A picture
    without a text has no objects, as YOLO means it.
    """
    folder = Path(folder)
    names = _class_names(folder / "data.yaml")
    texts = {path.stem: path for path in sorted((folder / "labels").rglob("*.txt"))}
    problems, losses = Problems(folder), Losses()
    for name in sorted(set(texts) - set(pictures)):
        problems.add(InputError(f"{texts[name]}: there is no picture called {name!r}; give the folder it is in"))
    result = {}
    for name, path in pictures.items():
        lines = read_text(texts[name]).splitlines() if name in texts else []
        grid = path if isinstance(path, Grid) else Grid(*picture_size(path))
        shapes = [
            _outline(f"{texts[name]}:{k}", line, names, problems) for k, line in enumerate(lines, 1) if line.strip()
        ]
        result[name] = _instances([each for each in shapes if each is not None], grid, names, losses)
    problems.check()
    return result, losses.sentences


def write_yolo(folder: str | Path, instances: Mapping[str, Instances]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write data.yaml and one text per picture; gives the paths and what the format could not hold."""
    folder, losses = Path(folder), Losses()
    names = _shared_names(instances)
    known = named_classes(names)
    numbers = {class_id: index for index, class_id in enumerate(known)}
    losses.add("classes", sum(class_id != index for class_id, index in numbers.items()))
    unrepresentable(losses, instances)
    content = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(known.values()))}
    written = [folder / "data.yaml"]
    write_atomically(written[0], yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
    for name, each in instances.items():
        written.append(folder / "labels" / f"{name}.txt")
        write_atomically(written[-1], "".join(_lines(each, numbers, losses)).encode())
    return tuple(written), losses.sentences


def _lines(instances: Instances, numbers: Mapping[int, int], losses: Losses) -> list[str]:
    lines = []
    size = np.array([instances.grid.height, instances.grid.width])
    for region, class_id in zip(instances.regions, instances.class_ids.tolist(), strict=True):
        polygons = without_holes(trace(region), losses)
        losses.add("parts", len(polygons) > 1)
        losses.add("empty", not polygons)
        for (ring,) in polygons:
            places = " ".join(f"{value:.10g}" for value in (ring / size)[:, ::-1].reshape(-1))
            lines.append(f"{numbers[class_id]} {places}\n")
    return lines


def _outline(
    where: str, line: str, names: tuple[str, ...], problems: Problems
) -> tuple[int, NDArray[np.float64]] | None:
    try:
        class_id, *places = [float(each) for each in line.split()]
    except ValueError:
        problems.add(
            FormatError(
                f"{where}: {line[:40]!r}; expected a class number and x, y of each vertex; correct or remove the line"
            )
        )
        return None
    if not all(map(math.isfinite, (class_id, *places))) or len(places) < 6 or len(places) % 2:
        problems.add(
            FormatError(
                f"{where}: {len(places)} coordinates; "
                "expected x, y of at least three vertices; correct or remove the line"
            )
        )
    elif class_id != int(class_id) or not 0 <= class_id < len(names) or not names[int(class_id)]:
        problems.add(InputError(f"{where}: class {class_id:g} is not in data.yaml; add its name there"))
    elif min(places) < -0.5 or max(places) > 1.5:
        problems.add(
            FormatError(
                f"{where}: coordinates up to {max(places):g}; "
                "expected fractions of the picture, 0 to 1; divide by its width and height"
            )
        )
    else:
        return int(class_id), np.array(places).reshape(-1, 2)[:, ::-1]
    return None


def _instances(
    shapes: list[tuple[int, NDArray[np.float64]]], grid: Grid, names: tuple[str, ...], losses: Losses
) -> Instances:
    regions = []
    for _, places in shapes:
        corners = places * (grid.height, grid.width)
        whole = np.round(corners)
        if np.abs(corners - whole).max() <= 1e-6 * max(grid.shape):  # most files have six decimals of a fraction
            corners = whole
        losses.add("sub_pixel", bool((corners != np.round(corners)).any()))
        losses.add("outside", bool((corners < 0).any() or (corners > (grid.height, grid.width)).any()))
        regions.append(fill([[corners]], grid.height, grid.width))
    ids = np.array([class_id for class_id, _ in shapes], np.uint8)
    return Instances(tuple(regions), ids, np.ones(len(ids), np.float32), names, grid)


def _class_names(path: Path) -> tuple[str, ...]:
    content: Any = read_yaml(path)
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(key, int) and 0 <= key < 255 for key in names):
        raise FormatError(f"{path}: no names of classes 0 to 254; expected names: [coral, sand]; add them")
    return tuple(str(names.get(index, "")) for index in range(max(names, default=-1) + 1))


def _shared_names(instances: Mapping[str, Instances]) -> tuple[str, ...]:
    lists = {each.class_names for each in instances.values()}
    if len(lists) > 1:
        raise ValueError("the pictures do not have one list of classes; give all of them the same class_names")
    return next(iter(lists), ())
