"""DeepLabCut's tables of body points, as csv and as h5."""

from __future__ import annotations

import csv
import importlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskwright.errors import FormatError, InputError, MissingPartError
from maskwright.io.names import natural_order
from maskwright.io.outputs import write_atomically
from maskwright.io.problems import Problems
from maskwright.io.tables import number, read_table
from maskwright.io.tiff_header import check_is_file
from maskwright.types import Keypoints

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = ("x", "y", "likelihood")


class Pose(NamedTuple):
    """The animals of one row (picture) of a table; `where` is "file:line"."""

    where: str
    image: str
    animals: tuple[Keypoints, ...]


class _Column(NamedTuple):
    place: int
    individual: str
    joint: str
    coord: str


def read_pose_csv(path: str | Path) -> list[Pose]:
    """Read a table with header rows bodyparts and coords, and maybe scorer and individuals, or with one header row
    `image,nose_x,nose_y[,nose_likelihood],...`. The picture stands in the first column, or in the first three."""
    table = read_table(path)
    if not table.rows:
        raise FormatError(f"{path}: the file is empty; expected a DeepLabCut table; add joints")
    heads = {row[0].casefold(): row for row in table.rows[:4] if row[0].casefold() in _LEVELS}
    index_count = 1
    if heads:
        columns, index_count = _columns(heads, path)
        body = list(zip(table.lines, table.rows, strict=True))[len(heads) :]
    else:
        columns = _flat_columns(table.rows[0], f"{path}:{table.lines[0]}")
        body = list(zip(table.lines, table.rows, strict=True))[1:]
    problems, poses = Problems(path), []
    for line, row in body:
        where = f"{path}:{line}"
        image = "/".join(each for each in row[:index_count] if each)
        try:
            poses.append(Pose(where, image, _animals(columns, [_cell(row, each, where) for each in columns])))
        except InputError as error:
            problems.add(error)
    problems.check()
    return poses


def read_pose_h5(path: str | Path) -> list[Pose]:
    """Read the table DeepLabCut puts into .h5: one row per picture, columns as in its csv."""
    check_is_file(path)
    try:
        pandas = importlib.import_module("pandas")
        importlib.import_module("tables")
    except ImportError as error:
        raise MissingPartError(f'{path}: needs pandas and tables; pip install "maskwright[pose]"') from error
    try:
        frame = pandas.read_hdf(path)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FormatError(f"{path}: cannot be read ({reason}); expected DeepLabCut's table; export it again") from error
    names = [str(each) for each in frame.columns.names] if hasattr(frame, "columns") else []
    if not {"bodyparts", "coords"} <= set(names):
        raise FormatError(f"{path}: has the columns {names}; expected bodyparts and coords; export it from DeepLabCut")
    heads = {name: ("", *map(str, frame.columns.get_level_values(name))) for name in names if name in _LEVELS}
    columns, _ = _columns(heads, path)
    values = frame.to_numpy(dtype=float)
    poses = []
    for i, index in enumerate(frame.index):
        image = "/".join(map(str, index)) if isinstance(index, tuple) else str(index)
        row = [float(values[i, each.place - 1]) for each in columns]
        poses.append(Pose(f"{path}: row {i + 1}", image, _animals(columns, row)))
    return poses


def write_pose_csv(
    path: str | Path, keypoints: Mapping[str, list[Keypoints]], titles: Mapping[str, str], scorer: str = "maskwright"
) -> tuple[str, ...]:
    """Write DeepLabCut's csv, with individuals where a picture has several animals; gives what was lost."""
    joints = list(dict.fromkeys(name for each in keypoints.values() for animal in each for name in animal.names))
    count = max((len(each) for each in keypoints.values()), default=0)
    if not joints:
        raise InputError(f"{path}: no animal has a joint; expected at least one; nothing was written")
    animals = [f"individual{i + 1}" for i in range(count)]
    heads = [["scorer", *[scorer] * (3 * len(joints) * count)]]
    if count > 1:
        heads.append(["individuals", *[animal for animal in animals for _ in range(3 * len(joints))]])
    heads.append(["bodyparts", *[joint for joint in joints for _ in _COORDS] * count])
    heads.append(["coords", *_COORDS * (len(joints) * count)])
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows(heads)
    for name in sorted(keypoints, key=natural_order):
        cells = [cell for i in range(count) for cell in _cells(keypoints[name], i, joints)]
        writer.writerow([f"labeled-data/{titles[name]}", *cells])
    write_atomically(path, file.getvalue().encode())
    outlined = sum(animal.object_id is not None for each in keypoints.values() for animal in each)
    return (f"which outline belongs to an animal, for {outlined} animals",) if outlined else ()


def _columns(heads: Mapping[str, Sequence[str]], path: str | Path) -> tuple[list[_Column], int]:
    for level in ("bodyparts", "coords"):
        if level not in heads:
            raise FormatError(f"{path}: there is no header row {level!r}; expected bodyparts and coords; add it")
    joints, coords = heads["bodyparts"], [each.casefold() for each in heads["coords"]]
    animals = heads.get("individuals", [""] * len(joints))
    if not len(joints) == len(coords) == len(animals):
        raise FormatError(f"{path}: its header rows have different lengths; expected the same; export it again")
    # Newer tables tell the picture in three columns: labeled-data, video, file.
    index_count = next((i for i, each in enumerate(joints) if i > 0 and each), len(joints))
    columns = [_Column(i, animals[i], joints[i], coords[i]) for i in range(index_count, len(joints)) if joints[i]]
    _check_columns(columns, str(path))
    return columns, index_count


def _flat_columns(header: Sequence[str], where: str) -> list[_Column]:
    columns = []
    for i, text in enumerate(header[1:], 1):
        joint, _, coord = text.rpartition("_")
        if joint and coord.casefold() in _COORDS:
            columns.append(_Column(i, "", joint, coord.casefold()))
    if not columns:
        raise FormatError(f"{where}: no header rows bodyparts and coords; expected a DeepLabCut table; export it so")
    _check_columns(columns, where)
    return columns


def _check_columns(columns: list[_Column], where: str) -> None:
    keys = [(each.individual, each.joint, each.coord) for each in columns]
    for individual, joint, coord in keys:
        who = f"{joint} of {individual}" if individual else joint
        if coord not in _COORDS:
            raise FormatError(f"{where}: {who} has a coordinate {coord!r}; expected x, y or likelihood; correct it")
        if keys.count((individual, joint, coord)) > 1:
            raise FormatError(f"{where}: {who} has two columns {coord}; expected one; remove the other")
    for individual, joint, _ in keys:
        who = f"{joint} of {individual}" if individual else joint
        if (individual, joint, "x") not in keys or (individual, joint, "y") not in keys:
            raise FormatError(f"{where}: {who} lacks x or y; expected both; add the column")


def _cell(row: Sequence[str], column: _Column, where: str) -> float:
    text = row[column.place] if column.place < len(row) else ""
    if text.casefold() in ("", "nan", "na"):
        return math.nan
    return number(text, f"{column.coord} of {column.joint}", where)


def _animals(columns: list[_Column], values: list[float]) -> tuple[Keypoints, ...]:
    by_animal: dict[str, dict[str, dict[str, float]]] = {}
    for column, value in zip(columns, values, strict=True):
        by_animal.setdefault(column.individual, {}).setdefault(column.joint, {})[column.coord] = value
    return tuple(_animal(joints) for joints in by_animal.values())


def _animal(joints: Mapping[str, Mapping[str, float]]) -> Keypoints:
    cols = np.array([each["x"] for each in joints.values()])
    rows = np.array([each["y"] for each in joints.values()])
    seen = np.isfinite(rows) & np.isfinite(cols)
    given = np.array([each.get("likelihood", 1.0) for each in joints.values()])
    scores = np.where(seen, np.where(np.isfinite(given), given, 1.0), 0.0)
    return Keypoints(tuple(joints), np.where(seen, rows, np.nan), np.where(seen, cols, np.nan), scores)


def _cells(animals: Sequence[Keypoints], index: int, joints: Sequence[str]) -> list[str]:
    animal = animals[index] if index < len(animals) else None
    cells: list[str] = []
    for joint in joints:
        place = animal.names.index(joint) if animal is not None and joint in animal.names else None
        if animal is None or place is None or not np.isfinite(animal.rows[place] + animal.cols[place]):
            cells += ["", "", ""]
        else:
            cells += [repr(float(each[place])) for each in (animal.cols, animal.rows, animal.scores)]
    return cells
