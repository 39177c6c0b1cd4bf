"""Several problems of one file, told at once instead of one per run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NoReturn

from maskwright.errors import InputError


class Problems:
    """Collects what is wrong with a file and raises it together; the same problem on many lines is told once."""

    def __init__(self, path: str | Path, limit: int = 10) -> None:
        self.path = path
        self.limit = limit
        self._first: dict[object, InputError] = {}
        self._counts: Counter[object] = Counter()

    def add(self, error: InputError, same: object = None) -> None:
        """Note a problem; those with an equal `same` are one problem, told where it first occurred."""
        key = str(error) if same is None else same
        self._first.setdefault(key, error)
        self._counts[key] += 1

    def __len__(self) -> int:
        return len(self._first)

    def check(self) -> None:
        """Raise what was noted, if anything was: a single problem as it is, several as one InputError."""
        if self._first:
            self._raise()

    def _raise(self) -> NoReturn:
        errors = list(self._first.values())
        if len(errors) == 1:
            raise errors[0]
        lines = [self._line(key) for key in list(self._first)[: self.limit]]
        if len(errors) > self.limit:
            lines.append(f"... and {len(errors) - self.limit} more")
        raise InputError("\n  ".join([f"{self.path}: {len(errors)} problems", *lines]))

    def _line(self, key: object) -> str:
        more = self._counts[key] - 1
        lines = "line" if more == 1 else "lines"
        return f"{self._first[key]} (and on {more} more {lines})" if more else str(self._first[key])
