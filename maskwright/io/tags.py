"""Tags: what is known to be in a picture and what is known not to be."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from maskwright.errors import FormatError, InputError
from maskwright.io.names import PICTURE_SUFFIXES, known_picture, natural_order, picture_name
from maskwright.io.outputs import write_atomically
from maskwright.io.problems import Problems
from maskwright.io.surveys import class_columns
from maskwright.io.tables import Table, number, read_table
from maskwright.types import Tags

_YES = {"1", "true", "yes", "present"}
_NO = {"0", "false", "no", "absent"}
_PLACES = {"x", "y", "row", "column", "col", "label", "class", "gpslatitude", "session_name", "ortho_name"}
"""Columns of tables that speak of places in pictures or on Earth: points, frames of a survey, lists."""


def read_tags(
    path: str | Path,
    *,
    pictures: Mapping[str, Path] | Collection[str] | None = None,
    class_name: str | None = None,
) -> dict[str, Tags]:
    """Read tags by picture name, from a CSV `image,class,present` or `FileName,<a column per class>`, or a folder.

    A tag is 1 (present), 0 (absent), or a number between them: how likely it is. In a column per class an empty cell is
    unknown, and columns that begin with GPS, SubSec, Date or Time, or hold no number at all, are no classes.

    In a folder, pictures lie in present/CLASS/ and absent/CLASS/, or straight in present/ and absent/ when there is one
    class: `class_name`, or else the name of the folder. With `pictures` every name must be one of them.
    """
    problems = Problems(path)
    found: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
    for where, image, name, value in _folder_rows(Path(path), class_name) if Path(path).is_dir() else _rows(path):
        try:
            picture = known_picture(image, pictures, where)
        except InputError as error:
            problems.add(error, same=("picture", picture_name(image)))
            continue
        earlier, first = found[picture].setdefault(name, (value, where))
        if earlier != value:
            is_sure = {earlier, value} == {0.0, 1.0}
            said = "both present and absent" if is_sure else f"{value:g} and was {earlier:g}"
            what = f"{name} is {said} in {picture} (see {first})"
            problems.add(InputError(f"{where}: {what}; expected one of them; remove the other"))
    problems.check()
    return {picture: _tags(each) for picture, each in found.items()}


def write_tags(path: str | Path, tags: Mapping[str, Tags]) -> None:
    """Write tags as CSV `image,class,present` (1, 0, or how likely); pictures nothing is known about have no line."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", "class", "present"])
    for picture in sorted(tags, key=natural_order):
        for name, value in known_tags(tags[picture]).items():
            writer.writerow([picture, name, int(value) if value in (0, 1) else value])
    write_atomically(path, file.getvalue().encode())


def known_tags(tags: Tags) -> dict[str, float]:
    """How likely each tag is that something is known of, by name: 1 present, 0 absent.

    >>> known_tags(Tags(frozenset({"coral"}), frozenset({"sand"}), {"rock": 0.3}))
    {'coral': 1.0, 'rock': 0.3, 'sand': 0.0}
    """
    told = dict.fromkeys(tags.present, 1.0) | dict.fromkeys(tags.absent, 0.0) | dict(tags.likely)
    return dict(sorted(told.items()))


def holds_tags(header: Sequence[str]) -> bool:
    """Whether a table with this header (small letters) is one of tags: a row per tag, or a column per class."""
    if {"image", "class", "present"} <= set(header):
        return True
    return "filename" in header and not _PLACES & set(header)


def _rows(path: str | Path) -> Iterator[tuple[str, str, str, float]]:
    table = read_table(path)
    if not {"image", "class", "present"} <= set(table.header()) and holds_tags(table.header()):
        yield from _class_cells(table)
        return
    columns = table.columns(["image", "class", "present"])
    problems, rows = Problems(path), []
    for where, cells in table.records(columns):
        if not cells["image"] or not cells["class"]:
            what = "image" if not cells["image"] else "class"
            problems.add(InputError(f"{where}: {what} is empty; expected a name; fill it in"))
            continue
        try:
            rows.append((where, cells["image"], cells["class"], _likelihood(cells["present"], "present", where)))
        except InputError as error:
            problems.add(error)
    problems.check()
    yield from rows


def _class_cells(table: Table) -> Iterator[tuple[str, str, str, float]]:
    """What a table with a column per class says: where, picture, class, how likely; empty cells say nothing."""
    table.columns(["filename"])
    names = class_columns(table, None)
    keys = {"filename": table.header().index("filename")} | {f"={name}": index for name, index in names.items()}
    problems, rows = Problems(table.path), []
    for where, cells in table.records(keys):
        for name in names:
            text = cells[f"={name}"]
            if not text or text.casefold() == "nan":
                continue
            try:
                rows.append((where, cells["filename"], name, _likelihood(text, name, where)))
            except InputError as error:
                problems.add(InputError(f"{error}; is {name} no class? {_NO_CLASS}"), same=name)
    problems.check()
    yield from rows


_NO_CLASS = "remove it; places are called GPSLatitude and GPSLongitude"


def _likelihood(text: str, what: str, where: str) -> float:
    word = text.casefold()
    if word in _YES | _NO:
        return float(word in _YES)
    try:
        value = number(text, what, where)
    except InputError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{where}: {what} is {text!r}; expected 1 or 0, or how likely between them; correct it")
    return value


def _folder_rows(folder: Path, class_name: str | None) -> Iterator[tuple[str, str, str, float]]:
    if not (folder / "present").is_dir() or not (folder / "absent").is_dir():
        raise FormatError(f"{folder}: no folders present/ and absent/ in it; expected both; make them or give a CSV")
    for side in ("present", "absent"):
        for path in sorted((folder / side).iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                for each in sorted(path.iterdir()):
                    if _is_picture(each):
                        yield os.fspath(each), each.name, path.name, float(side == "present")
            elif _is_picture(path):
                yield os.fspath(path), path.name, class_name or folder.resolve().name, float(side == "present")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def _tags(each: Mapping[str, tuple[float, str]]) -> Tags:
    values = {name: value for name, (value, _) in each.items()}
    present = frozenset(name for name, value in values.items() if value == 1)
    absent = frozenset(name for name, value in values.items() if value == 0)
    return Tags(present, absent, {name: value for name, value in values.items() if 0 < value < 1})
