"""What can go wrong, as one tree. Every message has three parts: what was found, what was expected, what to do.

    MaskwrightError
    ├── InputError             something from outside is wrong: a file, a line, a setting          exit 2
    │   ├── UnknownNameError   a name nobody knows; carries the nearest known one                  exit 2
    │   ├── FormatError        a file is not what its name or header says                          exit 2
    │   ├── GridError          two things that should lie on one grid do not                       exit 2
    │   └── RecipeError        several problems of one recipe, all at once                         exit 2
    ├── MissingPartError       an extra, a library or a device is not here; says the command       exit 2
    │   └── MissingWeightsError   weights are not where they were looked for: file, hash, command  exit 2
    ├── OutputError            a result cannot be written: read-only folder, full disk             exit 2
    └── EmptyResultError       there was nothing to do, or nothing came of it                      exit 3

Programming mistakes stay ValueError and TypeError. A single picture that fails does not raise: it is returned as
(name, reason) and makes the exit code 1. The exit codes stand in `exit_code`, the one table for them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class MaskwrightError(Exception):
    """Anything Maskwright tells a user about; its text is one line that needs no traceback."""


class InputError(MaskwrightError):
    """Something that came from outside is wrong: a file, a line of a file, a setting."""


SHOWN_NAMES = 40
"""So many known names an error lists."""


class UnknownNameError(InputError):
    """A name nobody knows. `nearest` is the known name it resembles most, or None."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        names = sorted(set(known) - {""})
        self.name = name
        self.nearest = nearest_name(name, names)
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        listed = ", ".join(names[:SHOWN_NAMES]) + more
        hint = f"did you mean {self.nearest!r}?" if self.nearest else f"known: {listed or 'none'}."
        super().__init__(f"{where + ': ' if where else ''}no {kind} is called {name!r}; {hint}")
        self._made_of = (kind, name, names, where)

    def __reduce__(self) -> tuple[object, ...]:
        kind, name, names, where = self._made_of
        return _rebuild_unknown_name, (kind, name, names, where)


def _rebuild_unknown_name(kind: str, name: str, names: list[str], where: str) -> UnknownNameError:
    return UnknownNameError(kind, name, names, where=where)


class FormatError(InputError):
    """A file is not what its name or header says it is."""


class GridError(InputError):
    """Two things that should lie on the same pixels do not."""


class RecipeError(InputError):
    """All problems of one recipe at once; `problems` holds one line each."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        head = f"{where}: {len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        super().__init__("\n  ".join([head, *self.problems]))

    def __reduce__(self) -> tuple[object, ...]:
        return RecipeError, (self.where, self.problems)


class MissingPartError(MaskwrightError):
    """An extra, a library or a device is not here; the text names the command that brings it."""


class MissingWeightsError(MissingPartError):
    """Weights are not where they were looked for; the text names file, hash, licence and how to get them."""


class OutputError(MaskwrightError):
    """A result cannot be written: a read-only folder, a full disk."""


class EmptyResultError(MaskwrightError):
    """There was nothing to do, or nothing came of it."""


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that resembles `name` most, or None when nothing comes close.

    >>> nearest_name("corl", ["sand", "coral"])
    'coral'
    >>> nearest_name("xyz", ["sand", "coral"]) is None
    True
    """
    by_fold = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


def exit_code(error: BaseException) -> int:
    """The exit code of the command for an error: 3 for an empty result, 2 for everything else a user can mend.

    >>> exit_code(EmptyResultError("no picture in pics/")), exit_code(InputError("bad line"))
    (3, 2)
    """
    return 3 if isinstance(error, EmptyResultError) else 2
