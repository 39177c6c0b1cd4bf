"""classes.yaml: which number stands for which class, and in which colour it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import FormatError, InputError, UnknownNameError, nearest_name
from maskwright.io.problems import Problems
from maskwright.io.yaml_files import Lines, read_yaml_with_lines
from maskwright.types import UNKNOWN

UNKNOWN_COLOR = "#ffffff"
"""The palette entry of UNKNOWN in mask files."""

# Told apart with any kind of colour vision; after Okabe and Ito (2008), then darker and lighter kin of the same hues.
_SAFE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#8c6100", "#1f6a94", "#7fd6bd", "#8f8730", "#7fb8e6", "#7a3500", "#e8bcd3", "#6e6e6e",
)  # fmt: skip


@dataclass(frozen=True)
class Classes:
    """Class names and colours ("#rrggbb"), both indexed by class id; an id nobody uses has the name and colour "".

    >>> classes = Classes(("", "coral", "sand"))
    >>> classes.id_of("sand"), classes.colors[1]
    (2, '#e69f00')
    """

    names: tuple[str, ...]
    colors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.names) > UNKNOWN:
            raise ValueError(f"ids go from 0 to 254; got {len(self.names)} class names")
        used = [name for name in self.names if name]
        if len(set(used)) != len(used):
            raise ValueError(f"every class has its own name; got {self.names}")
        if not self.colors:
            colors = tuple(default_color(i) if name else "" for i, name in enumerate(self.names))
            object.__setattr__(self, "colors", colors)
        if len(self.colors) != len(self.names):
            raise ValueError(f"{len(self.names)} names need {len(self.names)} colours; got {len(self.colors)}")

    @property
    def named(self) -> dict[int, str]:
        """Id to name of the classes that have a name."""
        return {class_id: name for class_id, name in enumerate(self.names) if name}

    def id_of(self, name: str, where: str = "") -> int:
        """The id of a class, or an UnknownNameError that begins with `where` and offers the nearest name."""
        if not name or name not in self.names:
            raise UnknownNameError("class", name, self.names, where=where)
        return self.names.index(name)

    def palette(self) -> NDArray[np.uint8]:
        """(256, 3) red, green, blue: each class's colour, white for UNKNOWN, black for ids nobody uses."""
        table = np.zeros((256, 3), np.uint8)
        for class_id, color in enumerate(self.colors):
            table[class_id] = rgb(color or "#000000")
        table[UNKNOWN] = rgb(UNKNOWN_COLOR)
        return table


def default_color(class_id: int) -> str:
    """The colour of a class that names none: sixteen that colour-blind readers tell apart, then scattered hues."""
    if class_id < len(_SAFE):
        return _SAFE[class_id]
    # Steps along three irrational ratios never repeat within the 255 ids.
    parts = (int(40 + 200 * ((class_id * ratio) % 1.0)) for ratio in (0.6180339887, 0.7548776662, 0.5698402910))
    return "#" + "".join(f"{part:02x}" for part in parts)


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green, blue of "#rrggbb", each 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def classes_from_names(names: Iterable[str], first_id: int = 1, *, background: bool = False) -> Classes:
    """Classes for names without a file: sorted, from `first_id` on; `background` makes id 0 one of them."""
    rest = sorted(set(names) - {"", "background"} if background else set(names) - {""})
    if first_id + len(rest) > UNKNOWN:
        raise InputError(f"{len(rest)} class names were found; ids go from 0 to 254; merge some in classes.yaml")
    table = [""] * first_id
    if background:
        table[:1] = ["background"]
    return Classes((*table, *rest))


def read_classes(path: str | Path) -> Classes:
    """Read classes.yaml: `classes: [{id: 1, name: coral, color: "#ff7f50"}]`; all its problems are told at once."""
    value, lines = read_yaml_with_lines(path)
    if not isinstance(value, dict) or not isinstance(value.get("classes"), list):
        raise FormatError(f'{path}: no list called "classes"; expected classes: [{{id: 1, name: coral}}]; write one')
    problems = Problems(path)
    for key in value:
        if key != "classes":
            _unknown_key(key, ("classes",), f"{path}:{lines.get((str(key),), 1)}", problems)
    entries = [_entry(path, i, each, lines, problems) for i, each in enumerate(value["classes"])]
    _check_unique(path, entries, lines, problems)
    problems.check()
    if not entries:
        raise FormatError(f"{path}: the list of classes is empty; expected at least one; add one")
    return _table(entries)


def write_classes(path: str | Path, classes: Classes) -> None:
    """Write classes.yaml, one class per line; reading it gives the same classes again."""
    import json

    from maskwright.io.outputs import write_atomically

    rows = (
        f"  - {{id: {class_id}, name: {json.dumps(name, ensure_ascii=False)}, color: {json.dumps(color)}}}\n"
        for class_id, (name, color) in enumerate(zip(classes.names, classes.colors, strict=True))
        if name
    )
    write_atomically(path, ("classes:\n" + "".join(rows)).encode())


Entry = tuple[Any, Any, str]


def _table(entries: list[Entry]) -> Classes:
    count = max(int(class_id) for class_id, _, _ in entries) + 1
    names, colors = [""] * count, [""] * count
    for class_id, name, color in entries:
        names[class_id], colors[class_id] = name, color or default_color(class_id)
    return Classes(tuple(names), tuple(colors))


def _entry(path: str | Path, index: int, entry: Any, lines: Lines, problems: Problems) -> Entry:
    where = f"{path}:{lines.get(('classes', index), 1)}"
    if not isinstance(entry, dict):
        problems.add(FormatError(f"{where}: a class is {entry!r}; expected {{id: 1, name: coral}}; write it so"))
        return None, None, ""
    for key in entry:
        _unknown_key(key, ("id", "name", "color"), where, problems)
    class_id, name = entry.get("id"), entry.get("name")
    if isinstance(class_id, bool) or not isinstance(class_id, int) or not 0 <= class_id < UNKNOWN:
        problems.add(InputError(f"{where}: the id is {class_id!r}; expected a whole number from 0 to 254; change it"))
    if not isinstance(name, str) or not name.strip():
        advice = "put it in quotes" if name is not None else "add one"
        problems.add(InputError(f"{where}: the name is {name!r}; expected a text; {advice}"))
    return class_id, name.strip() if isinstance(name, str) else name, _color(entry, where, problems)


def _unknown_key(key: object, known: tuple[str, ...], where: str, problems: Problems) -> None:
    if key not in known:
        near = nearest_name(str(key), known)
        advice = f"did you mean {near!r}?" if near else f"expected {', '.join(known)}; remove it"
        problems.add(InputError(f"{where}: no key is called {key!r}; {advice}"))


def _color(entry: dict[Any, Any], where: str, problems: Problems) -> str:
    if "color" not in entry:
        return ""
    color = entry["color"]
    if isinstance(color, str) and re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", color):
        digits = color[1:].lower()
        return "#" + (digits if len(digits) == 6 else "".join(each * 2 for each in digits))
    advice = "'#' begins a comment in YAML, so put the colour in quotes" if color is None else "put it in quotes"
    problems.add(InputError(f'{where}: the color is {color!r}; expected "#rrggbb"; {advice}'))
    return ""


def _check_unique(path: str | Path, entries: list[Entry], lines: Lines, problems: Problems) -> None:
    seen: dict[tuple[str, Any], int] = {}
    for index, (class_id, name, _) in enumerate(entries):
        line = lines.get(("classes", index), 1)
        for kind, value in (("id", class_id), ("name", name)):
            if not isinstance(value, int | str):
                continue
            if (kind, value) in seen:
                what = f"the {kind} {value!r} is taken by line {seen[kind, value]}"
                problems.add(InputError(f"{path}:{line}: {what}; expected each {kind} once; change one"))
            seen.setdefault((kind, value), line)
