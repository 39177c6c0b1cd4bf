"""`python -m benchmarks.page FILE [FILE ...]`: docs/speed.md from what `--json` wrote; a later file's rows win."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FEW_MB = 12
HEAD = """# How fast the kernels are

Made by `scripts/bench arrays --json FILE` and `python -m benchmarks.page FILE`: ours and the peer a user would reach
for, alternating in one run on the same inputs, median of at least five, one thread unless said. Ratio: the peer's
time / ours. Peak memory: {peak_mb};
the factor sets it against all that goes in and comes out, and three is the most it should be.

{rows}

{losses}

{processor}, {cores} cores, load {load}; Python {python}; {versions}; commit {commit}.

## Where we lose, and what a number does not say

- Rows "2 threads" need both cores free; they compare ours with ours. On a machine with other work they say how much of
  a core was left: the processor time of both threads together is within a tenth of that of one. Each kernel that uses
  one thread says why in its docstring. Linear scattering waits for memory.
- A factor in bold is above three, and says why; scratch of up to {few_mb} MB is left out, for it does not grow with the
  input. `tests/arrays/test_memory.py` holds every kernel of this floor to three times its inputs and outputs, inputs
  counted as held. Beyond that are ways through a region where it is one byte a pixel and what comes out is a few
  numbers: the end of a tail (`farthest_behind`) takes some 26 bytes for each pixel of the box it lies in, a way between
  two places (`middle_way`) some 25 for each pixel of the box it may lead through. `random_walk` needs 20 to 29 for each
  pixel beside inputs and result, which is too much only where labels have one byte and two classes are asked for.
- `components` and `fill_holes` are made for masks; on pure noise with half a million regions holes take three times
  scipy's time.
- FastGeodis (1.0.5, 4 iterations, which have not converged) compiles for minutes and is measured only where it is
  installed: rows without it say so.
"""


def rows_of(files: list[Path]) -> tuple[dict[tuple[str, str, str], dict[str, Any]], dict[str, Any]]:
    """All rows by kernel, size and peer, and the machine of the first file."""
    told = [json.loads(each.read_text("utf-8")) for each in files]
    rows = {(row["kernel"], row["size"], row["peer"]): row for each in told for row in each["rows"]}
    return rows, told[0]["machine"]


def line(row: dict[str, Any]) -> str:
    """One row of the table; a goal that was not reached is bold."""
    theirs, ratio = "not here", ""
    if row["ratio"] is not None:
        theirs, ratio = f"{row['peer_ms']:.1f}", f"{row['ratio']:.2f}"
    cells = [row["kernel"], row["size"], f"{row['ours_ms']:.1f}", row["peer"], theirs]
    cells += [f"**{ratio}**" if is_lost(row) else ratio, row["goal"] or "", row["peak_mb"], row.get("inout_mb", "")]
    cells.append(f"**{row['peak_factor']}** {row['memory']}".strip() if is_large(row) else row.get("peak_factor", ""))
    return f"| {' | '.join(map(str, cells))} |"


def is_lost(row: dict[str, Any]) -> bool:
    return bool(row["ratio"] is not None and row["goal"] and row["ratio"] < row["goal"])


def is_large(row: dict[str, Any]) -> bool:
    """Whether a kernel holds more than three times its inputs and outputs, where that is more than a few MB."""
    return bool(row.get("peak_factor") and row["peak_factor"] > 3 and row["peak_mb"] > FEW_MB)


def page(files: list[Path]) -> str:
    """The whole page."""
    rows, machine = rows_of(files)
    table = [
        "| kernel | size | ours ms | peer | peer ms | ratio | goal | peak MB | in + out MB | factor |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(line, rows.values()),
    ]
    lost = [f"{row['kernel']} ({row['ratio']:.2f} of {row['goal']})" for row in rows.values() if is_lost(row)]
    return HEAD.format(
        peak_mb=machine["peak_mb"],
        few_mb=FEW_MB,
        rows="\n".join(table),
        losses=f"Goals not reached in this run: {', '.join(lost)}." if lost else "Every goal was reached in this run.",
        processor=machine["processor"],
        cores=machine["cores"],
        load=" ".join(map(str, machine["load_average"])),
        python=machine["python"],
        versions=", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        commit=machine["commit"],
    )


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
    target.write_text(page([Path(each) for each in sys.argv[1:]]), "utf-8")
    print(target)
