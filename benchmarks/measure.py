"""Run one case in a process of its own: `python -m benchmarks.measure MODULE INDEX` prints one JSON object.

A case has its process to itself, so threads can be limited before any library starts and peaks do not mix. Our runs
and the peer's alternate, after one warming run each, and the medians are kept.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Case

LEAST_RUNS = 5
MOST_RUNS = 41
ENOUGH_SECONDS = 2.0


def seconds_of(call: Callable[[Any], Any], inputs: Any) -> float:
    """How long one call takes; its result is dropped outside the measured time."""
    start = time.perf_counter()
    result = call(inputs)
    seconds = time.perf_counter() - start
    del result
    return seconds


def alternate(calls: list[Callable[[Any], Any]], inputs: Any) -> list[float]:
    """Median milliseconds of each call: the calls take turns, at least 5 times, more often while that is cheap."""
    runs: list[list[float]] = []
    while len(runs) < LEAST_RUNS or (len(runs) < MOST_RUNS and sum(map(sum, runs)) < ENOUGH_SECONDS):
        runs.append([seconds_of(call, inputs) for call in calls])
    return [1000 * statistics.median(column) for column in zip(*runs, strict=True)]


def peak_mb(call: Callable[[Any], Any], inputs: Any) -> float | None:
    """Most resident memory one call adds to the process, in MB (10^6 bytes): results and scratch, not inputs.

    Linux only (None elsewhere): free pages are given back, the kernel's high-water mark is reset, and its rise over
    the resident size before the call is read. Memory that numpy, numba or C allocates counts alike.
    """
    if not Path("/proc/self/clear_refs").exists():
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_mb("VmRSS")
    result = call(inputs)
    peak = _status_mb("VmHWM")
    del result
    return max(0.0, peak - before)


def bytes_of(value: Any) -> int:
    """Bytes of all arrays and texts in a value, however nested; the same array counts once."""
    return sum(_sizes(value, {}).values())


def _sizes(value: Any, seen: dict[int, int]) -> dict[int, int]:
    """Bytes by where they begin in memory."""
    if isinstance(value, np.ndarray):
        seen[value.__array_interface__["data"][0]] = value.nbytes
    elif isinstance(value, str | bytes):
        seen[id(value)] = len(value)
    elif isinstance(value, Mapping):
        _sizes(list(value.values()), seen)
    elif isinstance(value, list | tuple):
        for each in value:
            _sizes(each, seen)
    elif is_dataclass(value):
        _sizes([getattr(value, field.name) for field in fields(value)], seen)
    return seen


def measure(case: Case) -> dict[str, Any]:
    """The case's row, with `note` for people; without its peer installed the row has no peer time."""
    inputs = case.make()
    mine = case.ours(inputs)
    missing = [name for name in case.needs if importlib.util.find_spec(name) is None]
    if missing:
        times, note = [*alternate([case.ours], inputs), None], f"{', '.join(missing)} is not installed"
    else:
        _limit_threads(case.threads)
        theirs = case.theirs(inputs)
        note = case.compare(mine, theirs) if case.compare else ""
        del theirs
        times = [*alternate([case.ours, case.theirs], inputs)]
    inout = (bytes_of(case.reads(inputs)) + bytes_of(mine)) / 1e6
    del mine
    return row(case, times[0], times[1], peak_mb(case.ours, inputs), note, inout)


def row(
    case: Case, ours: float | None, peer: float | None, peak: float | None, note: str, inout: float | None = None
) -> dict[str, Any]:
    """The row of a case as the JSON file has it, and a note."""
    return {
        "kernel": case.kernel,
        "size": case.size,
        "ours_ms": ours and round(ours, 3),
        "peer": case.peer,
        "peer_ms": peer and round(peer, 3),
        "ratio": round(peer / ours, 2) if peer and ours else None,
        "goal": case.goal,
        "peak_mb": None if peak is None else round(peak, 1),
        "inout_mb": None if inout is None else round(inout, 1),
        "peak_factor": None if peak is None or not inout else round(peak / inout, 2),
        "memory": case.memory,
        "note": note,
    }


def _limit_threads(threads: int) -> None:
    """cv2 and torch do not (only) listen to environment variables."""
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _status_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/self/status has no {field}")


def main() -> None:
    module, index = sys.argv[1:]
    case = importlib.import_module(module).CASES[int(index)]
    for name in case.needs:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    print(json.dumps(measure(case)))


if __name__ == "__main__":
    main()
