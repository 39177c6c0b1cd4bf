"""Tables of text as spreadsheets write them: commas, semicolons or tabs, a byte order mark, any line end."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskwright.errors import FormatError, InputError, nearest_name
from maskwright.io.texts import read_text

_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Table:
    """The rows of a text table with the file's line each begins on; cells have no spaces around them."""

    path: Path
    separator: str
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]

    def header(self) -> tuple[str, ...]:
        """The first row in small letters."""
        return tuple(each.casefold() for each in self.rows[0]) if self.rows else ()

    def columns(self, wanted: Sequence[str], optional: Sequence[str] = ()) -> dict[str, int]:
        """Where the wanted columns stand, whatever their order and case; a missing or doubled one is a FormatError."""
        header = self.header()
        where = f"{self.path}:{self.lines[0] if self.lines else 1}"
        missing = [each for each in wanted if each not in header]
        if missing:
            near = nearest_name(missing[0], [each for each in header if each not in wanted])
            advice = f"is {near!r} meant to be it?" if near else "add it, or check what separates the columns"
            found = ", ".join(header) or "nothing"
            raise FormatError(
                f"{where}: the columns are {found}; expected {', '.join(wanted)}; there is no {missing[0]!r}: {advice}"
            )
        names = [*wanted, *[each for each in optional if each in header]]
        for each in names:
            if header.count(each) > 1:
                raise FormatError(f"{where}: there are two columns {each!r}; expected one; rename the other")
        return {each: header.index(each) for each in names}

    def records(self, columns: Mapping[str, int]) -> Iterator[tuple[str, dict[str, str]]]:
        """("file:line", cells by column name) of every row below the header; cells a short row lacks are ""."""
        for line, row in zip(self.lines[1:], self.rows[1:], strict=True):
            yield f"{self.path}:{line}", {name: row[i] if i < len(row) else "" for name, i in columns.items()}


def read_table(path: str | Path) -> Table:
    """Read a text table; empty lines are left out. What separates columns is seen in the first row."""
    text = read_text(path)
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=lambda each: _unquoted(head).count(each))
    lines, rows = [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    start = 1
    try:
        for row in reader:
            cells = tuple(cell.strip() for cell in row)
            if any(cells):
                lines.append(start)
                rows.append(cells)
            start = reader.line_num + 1
    except csv.Error as error:
        raise FormatError(f"{path}:{start}: no table ({error}); expected columns of text; check the quotes") from error
    return Table(Path(path), separator, tuple(lines), tuple(rows))


def number(text: str, what: str, where: str) -> float:
    """A finite number out of a cell; a decimal comma is one too."""
    plain = text.replace(",", ".") if re.fullmatch(r"[+-]?\d+,\d+", text) else text
    try:
        value = float(plain)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in plain:
        found = repr(text) if text else "empty"
        raise InputError(f"{where}: {what} is {found}; expected a number; correct it")
    return value


def _unquoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
