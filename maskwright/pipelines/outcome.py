"""What a command did, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How many items were made, how many were there already, which failed (name, reason), and where it all lies.

    `unknown` names the masks made now in which no pixel has a class.
    """

    done: int
    skipped: int
    failed: tuple[tuple[str, str], ...]
    out: Path
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a command is: items made, of how many, already there, failed, and seconds since it began."""

    done: int
    total: int
    skipped: int
    failed: int
    seconds: float


Report = Callable[[Progress], None]
