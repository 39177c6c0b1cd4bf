"""Arguments that several commands take, and what their words mean."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.errors import InputError

if TYPE_CHECKING:
    from maskwright.cli.screen import Answer
    from maskwright.pipelines.outcome import Outcome


def add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGES", help="a folder of pictures, one picture, or a glob in quotes")


def add_out(parser: argparse.ArgumentParser, metavar: str = "DIR") -> None:
    parser.add_argument(
        "--out", type=Path, required=True, metavar=metavar, help="where results go; what is there already is continued"
    )
    parser.add_argument("--fresh", action="store_true", help="start a new folder beside an existing one")


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting; dotted names reach inside, the value is YAML; may be repeated",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes at a time (default 1)")


def positive(word: str) -> int:
    """A whole number from 1."""
    try:
        number = int(word)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1")
    return number


def pixels(word: str) -> float:
    """A number of pixels from 0, fractions allowed."""
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number from 0")
    return number


def whole(word: str) -> int:
    """A whole number from 0."""
    try:
        number = int(word)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 0")
    return number


def device(word: str) -> str:
    """The name of a device as torch knows it; whether it is here is asked when it is needed.

    >>> device("cuda:1")
    'cuda:1'
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", word):
        raise argparse.ArgumentTypeError(f"{word!r} is no device; it is auto, cpu, cuda, cuda:1 or mps")
    return word


def read_settings(words: Sequence[str]) -> dict[str, Any]:
    """The settings of `--set a.b=c` words: dotted names become nested, values are YAML.

    >>> read_settings(["reach_px=40", "edges.keep=true"])
    {'reach_px': 40, 'edges': {'keep': True}}
    """
    from maskwright.pipelines.overrides import parse_setting

    settings: dict[str, Any] = {}
    for word in words:
        names, value = parse_setting(word)
        inside = settings
        for name in names[:-1]:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                raise InputError(f"--set {word}: {name!r} was set to a value before; it cannot also hold settings")
        inside[names[-1]] = value
    return settings


def counted(count: float, what: str) -> str:
    """So many things of a kind, which is named in the plural.

    >>> counted(1, "pictures"), counted(3600, "pixels")
    ('1 picture', '3,600 pixels')
    """
    return f"{count:,} {what.removesuffix('s') if count == 1 else what}"


def outcome_answer(outcome: Outcome, verb: str, *, more: Mapping[str, Any] | None = None) -> Answer:
    """What a pipeline did: how many items were done, were there already and failed; the exit code that goes with it.

    0 when all is done, 1 when some failed, 3 when there was nothing to do or no pixel of what was made has a class.
    """
    from maskwright.cli.screen import Answer, failures

    failed = tuple((name, reason) for name, reason in outcome.failed)
    record = {
        "done": outcome.done,
        "skipped": outcome.skipped,
        "failed": [{"name": name, "reason": reason} for name, reason in failed],
        **({"unknown": list(outcome.unknown)} if outcome.unknown else {}),
        "out": str(outcome.out),
        **(more or {}),
    }
    is_empty = not outcome.done or (len(outcome.unknown) == outcome.done and not outcome.skipped)
    code = 1 if failed else 3 if is_empty else 0
    return Answer(record, code=code, notes=[*failures(failed), *_unknown(outcome), _summary(outcome, verb)])


def _unknown(outcome: Outcome) -> list[str]:
    """The line that names masks in which nothing is known."""
    names = sorted(set(outcome.unknown))
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    what = "look at the picture and at what is known about it"
    return [f"warning: no pixel has a class in {listed}; {what}"] if names else []


def _summary(outcome: Outcome, verb: str) -> str:
    if not outcome.done and not outcome.failed:
        if outcome.skipped:
            return f"nothing to do: all {outcome.skipped} are there already; in {outcome.out}"
        return f"nothing to do: no item was found for {outcome.out}"
    parts = [f"{outcome.done} {verb}"]
    if outcome.skipped:
        parts.append(f"{outcome.skipped} already there")
    if outcome.failed:
        parts.append(f"{len(outcome.failed)} failed")
    return f"{', '.join(parts)}; in {outcome.out}"
