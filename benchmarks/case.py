"""One line of the table: a kernel of ours and the peer it is measured against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A kernel, a size, our call and the peer's call on the same inputs.

    A file `benchmarks/<suite>/<room>.py` lists its cases in `CASES`; nothing else is needed to be in the table:

        CASES = [
            Case("components", "1024x1024, 8 classes", make, ours, "scipy per class", theirs, 5.0, needs=("scipy",)),
        ]

    `make()` builds the inputs (seeded); `ours(inputs)` and `theirs(inputs)` do the work and give their results. Import
    peers inside the functions: `needs` names the modules that must be there, else the row has no peer time. `goal` is
    the ratio (peer's median / ours) to reach, or None for parity only. `compare(ours, theirs)` says in a few words how
    the results differ, for the last column. Both sides get `threads` threads. `reads(inputs)` picks what our call reads
    where the inputs hold more (what only the peer needs), so that memory is set against what went in and came out;
    `memory` says in a few words why a kernel has to hold more than three times that, where it has to.
    """

    kernel: str
    size: str
    make: Callable[[], Any]
    ours: Callable[[Any], Any]
    peer: str
    theirs: Callable[[Any], Any]
    goal: float | None = None
    needs: tuple[str, ...] = ()
    compare: Callable[[Any, Any], str] | None = None
    threads: int = 1
    reads: Callable[[Any], Any] = lambda inputs: inputs
    memory: str = ""
