"""`python -m benchmarks SUITE [--only WORD] [--json FILE]`: measure every case of a suite and print one table."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks.case import Case
from benchmarks.machine import machine
from benchmarks.measure import row

TIMEOUT_S = 180
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
COLUMNS = ("kernel", "size", "ours ms", "peer", "peer ms", "ratio", "goal", "peak MB", "in+out MB", "factor", "note")


def suites() -> list[str]:
    """The folders of benchmarks/ that hold cases."""
    return [each.name for each in pkgutil.iter_modules(benchmarks.__path__) if each.ispkg]


def find_cases(suite: str, only: str) -> list[tuple[str, int, Case]]:
    """Module, index and case of every case of a suite whose module or kernel contains `only`."""
    package = importlib.import_module(f"benchmarks.{suite}")
    names = sorted(each.name for each in pkgutil.iter_modules(package.__path__, f"benchmarks.{suite}."))
    cases = [(name, index, case) for name in names for index, case in enumerate(importlib.import_module(name).CASES)]
    return [each for each in cases if only in each[0] or only in each[2].kernel]


def run_case(module: str, index: int, case: Case) -> dict[str, Any]:
    """The row of a case, measured in a fresh process; a case that breaks keeps its row and says why in the note."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")  # threads of a case are its own, not those of BLAS
    words = [sys.executable, "-m", "benchmarks.measure", module, str(index)]
    root = Path(__file__).parents[1]
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=root, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return row(case, None, None, None, f"FAILED: took more than {TIMEOUT_S} s")
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return row(case, None, None, None, f"FAILED: {reason[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def line(cells: dict[str, Any]) -> list[str]:
    """A row as text: lost goals carry an exclamation mark."""
    short = cells["ratio"] is not None and cells["goal"] is not None and cells["ratio"] < cells["goal"]
    texts = [
        _text(cells[key])
        for key in (
            "kernel",
            "size",
            "ours_ms",
            "peer",
            "peer_ms",
            "ratio",
            "goal",
            "peak_mb",
            "inout_mb",
            "peak_factor",
            "note",
        )
    ]
    texts[5] += " !" if short else ""
    return texts


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return str(value)


def table(rows: list[dict[str, Any]]) -> str:
    """All rows in columns, numbers to the right."""
    lines = [list(COLUMNS), *map(line, rows)]
    widths = [max(len(each[k]) for each in lines) for k in range(len(COLUMNS))]
    words = {0, 1, 3, 10}
    cells = [
        [t.ljust(w) if k in words else t.rjust(w) for k, (t, w) in enumerate(zip(each, widths, strict=True))]
        for each in lines
    ]
    return "\n".join("  ".join(each).rstrip() for each in cells)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure our kernels against their peers.")
    parser.add_argument("suite", choices=suites())
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows and the machine here")
    parser.add_argument("--only", default="", metavar="WORD", help="only cases whose file or kernel contains this")
    arguments = parser.parse_args()
    where, rows = machine(), []
    for module, index, case in find_cases(arguments.suite, arguments.only):
        rows.append(run_case(module, index, case))
        print("  ".join(line(rows[-1])), file=sys.stderr)
    print(table(rows))
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    print(f"\nratio: the peer's median time / ours; ! is a goal not reached. peak MB: {where['peak_mb']}.")
    print("factor: peak MB / in+out MB, all that goes in and comes out.")
    print(f"{where['processor']}, {where['cores']} cores, load {where['load_average'][0]}, commit {where['commit']}")
    print(f"Python {where['python']}, {versions}")
    if arguments.json:
        kept = [{key: value for key, value in each.items() if key != "note"} for each in rows]
        arguments.json.write_text(json.dumps({"rows": kept, "machine": where}, indent=1) + "\n")
    return 1 if any(str(each["note"]).startswith("FAILED") for each in rows) or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
