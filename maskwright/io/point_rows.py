"""Points of CSV, CoralNet and COCO files, row by row, before anybody knows their pictures and classes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from maskwright.errors import FormatError, InputError
from maskwright.io.problems import Problems
from maskwright.io.tables import Table, number, read_table
from maskwright.io.texts import read_json


class PointRow(NamedTuple):
    """One point as its file has it, already in rows and columns; `where` is "file:line"."""

    where: str
    image: str
    row: float
    col: float
    class_name: str
    object_id: int | None = None
    weight: float | None = None


def read_rows(path: str | Path) -> list[PointRow]:
    """The points of a .csv, .tsv or .txt table or a COCO .json; all problems of the file are told at once."""
    if Path(path).suffix.lower() == ".json":
        return _coco_rows(path)
    table = read_table(path)
    if not table.rows:
        raise FormatError(f"{path}: the file is empty; expected the columns image,x,y,class; add points")
    if {"name", "row", "column", "label"} <= set(table.header()):
        columns = table.columns(["name", "row", "column", "label"])
        names = ("name", "column", "row", "label")
    else:
        columns = table.columns(["image", "x", "y", "class"], ["object", "weight"])
        names = ("image", "x", "y", "class")
    return _table_rows(table, columns, names)


def _table_rows(table: Table, columns: dict[str, int], names: tuple[str, str, str, str]) -> list[PointRow]:
    problems, rows = Problems(table.path), []
    image, x, y, class_name = names
    for where, cells in table.records(columns):
        try:
            for each in (image, class_name):
                if not cells[each]:
                    raise InputError(f"{where}: {each} is empty; expected a name; fill it in")
            col, row = number(cells[x], x, where), number(cells[y], y, where)
            object_id = object_id_of(cells.get("object", ""), where)
            rows.append(PointRow(where, cells[image], row, col, cells[class_name], object_id, weight_of(cells, where)))
        except InputError as error:
            problems.add(error)
    problems.check()
    return rows


def object_id_of(text: str, where: str) -> int | None:
    if not text:
        return None
    value = number(text, "object", where)
    if value != int(value) or abs(value) > 2**53:
        raise InputError(f"{where}: object is {text!r}; expected a whole number; correct it")
    return int(value)


def weight_of(cells: dict[str, str], where: str) -> float | None:
    text = cells.get("weight", "")
    if not text:
        return None
    value = number(text, "weight", where)
    if value < 0:
        raise InputError(f"{where}: weight is {text}; expected 0 or more; correct it")
    return value


def _coco_rows(path: str | Path) -> list[PointRow]:
    value = read_json(path)
    images, categories = coco_names(path, value, "images", "file_name"), coco_names(path, value, "categories", "name")
    problems, rows, order = Problems(path), [], Counter[str]()
    for index, each in enumerate(coco_list(path, value, "annotations")):
        where = f"{path}: annotation {each.get('id', index)}"
        image, class_name = images.get(each.get("image_id")), categories.get(each.get("category_id"))
        if image is None or class_name is None:
            what = "image" if image is None else "category"
            problems.add(InputError(f"{where}: its {what}_id {each.get(what + '_id')!r} is not in the file; add it"))
            continue
        object_id = order[image]
        order[image] += 1
        if each.get("point") is None:
            continue
        point = each["point"]
        if not isinstance(point, list) or len(point) < 2 or not all(_is_number(n) for n in point[:2]):
            problems.add(InputError(f"{where}: its point is {point!r}; expected [x, y]; correct it"))
            continue
        weight = each.get("weight")
        rows.append(PointRow(where, image, float(point[1]), float(point[0]), class_name, object_id, weight))
    problems.check()
    if not rows:
        raise FormatError(f"{path}: no annotation has a point; expected point: [x, y] in each; add them")
    return rows


def coco_list(path: str | Path, value: Any, key: str) -> list[dict[str, Any]]:
    """A list of objects of a COCO file."""
    entries = value.get(key) if isinstance(value, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise FormatError(f"{path}: has no list {key!r}; expected COCO with images, annotations and categories; add it")
    return entries


def coco_names(path: str | Path, value: Any, key: str, field: str) -> dict[Any, str]:
    """Id to name of a COCO file's images or categories; a doubled id is a FormatError."""
    names: dict[Any, str] = {}
    for each in coco_list(path, value, key):
        if not isinstance(each.get("id"), int | str) or not isinstance(each.get(field), str):
            raise FormatError(f"{path}: one of {key!r} has no id or no {field}; expected both; add them")
        if each["id"] in names:
            raise FormatError(f"{path}: two of {key!r} have the id {each['id']!r}; expected each once; change one")
        names[each["id"]] = each[field]
    return names


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) < 1e15
