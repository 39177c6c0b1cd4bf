"""Tags: what is known to be in a picture and what is known not to be."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from maskwright.errors import FormatError, InputError
from maskwright.io.names import PICTURE_SUFFIXES, known_picture, natural_order, picture_name
from maskwright.io.outputs import write_atomically
from maskwright.io.problems import Problems
from maskwright.io.tables import read_table
from maskwright.types import Tags

_YES = {"1", "true", "yes", "present"}
_NO = {"0", "false", "no", "absent"}


def read_tags(
    path: str | Path,
    *,
    pictures: Mapping[str, Path] | Collection[str] | None = None,
    class_name: str | None = None,
) -> dict[str, Tags]:
    """Read tags by picture name, from a CSV `image,class,present` (1 or 0) or a folder with present/ and absent/.

    In folders, pictures lie in present/CLASS/ and absent/CLASS/, or straight in present/ and absent/ when there is one
    class: `class_name`, or else the name of the folder. With `pictures` every name must be one of them.
    """
    problems = Problems(path)
    found: dict[str, dict[str, tuple[bool, str]]] = defaultdict(dict)
    for where, image, name, is_present in _folder_rows(Path(path), class_name) if Path(path).is_dir() else _rows(path):
        try:
            picture = known_picture(image, pictures, where)
        except InputError as error:
            problems.add(error, same=("picture", picture_name(image)))
            continue
        earlier, first = found[picture].setdefault(name, (is_present, where))
        if earlier != is_present:
            what = f"{name} is both present and absent in {picture} (see {first})"
            problems.add(InputError(f"{where}: {what}; expected one of them; remove the other"))
    problems.check()
    return {picture: _tags(each) for picture, each in found.items()}


def write_tags(path: str | Path, tags: Mapping[str, Tags]) -> None:
    """Write tags as CSV `image,class,present`; pictures nothing is known about have no line."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image", "class", "present"])
    for picture in sorted(tags, key=natural_order):
        each = tags[picture]
        for name in sorted(each.present | each.absent):
            writer.writerow([picture, name, int(name in each.present)])
    write_atomically(path, file.getvalue().encode())


def _rows(path: str | Path) -> Iterator[tuple[str, str, str, bool]]:
    table = read_table(path)
    columns = table.columns(["image", "class", "present"])
    problems, rows = Problems(path), []
    for where, cells in table.records(columns):
        word = cells["present"].casefold()
        if not cells["image"] or not cells["class"]:
            what = "image" if not cells["image"] else "class"
            problems.add(InputError(f"{where}: {what} is empty; expected a name; fill it in"))
        elif word not in _YES | _NO:
            problems.add(InputError(f"{where}: present is {cells['present']!r}; expected 1 or 0; correct it"))
        else:
            rows.append((where, cells["image"], cells["class"], word in _YES))
    problems.check()
    yield from rows


def _folder_rows(folder: Path, class_name: str | None) -> Iterator[tuple[str, str, str, bool]]:
    if not (folder / "present").is_dir() or not (folder / "absent").is_dir():
        raise FormatError(f"{folder}: no folders present/ and absent/ in it; expected both; make them or give a CSV")
    for side in ("present", "absent"):
        for path in sorted((folder / side).iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                for each in sorted(path.iterdir()):
                    if _is_picture(each):
                        yield os.fspath(each), each.name, path.name, side == "present"
            elif _is_picture(path):
                yield os.fspath(path), path.name, class_name or folder.resolve().name, side == "present"


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def _tags(each: Mapping[str, tuple[bool, str]]) -> Tags:
    present = frozenset(name for name, (is_present, _) in each.items() if is_present)
    return Tags(present, frozenset(each) - present)
