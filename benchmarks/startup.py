"""How long the command and the import keep people waiting: ten fresh processes each, the median and the worst.

    python benchmarks/startup.py [--json FILE]

The tests guard the cause (what is imported), which does not depend on how busy a machine is; this measures the effect.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 10
CASES = {
    "python alone": ([sys.executable, "-c", "pass"], None),
    "import maskwright": ([sys.executable, "-c", "import maskwright"], 0.3),
    "maskwright --help": ([sys.executable, "-m", "maskwright", "--help"], 0.2),
    "maskwright label --help": ([sys.executable, "-m", "maskwright", "label", "--help"], 0.2),
}


def measure(command: list[str]) -> list[float]:
    """Seconds of each of ten runs, after one that fills the caches."""
    seconds = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def main() -> int:
    """Print the table; exit 1 when a median is above its goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    arguments = parser.parse_args()
    rows = []
    for name, (command, goal) in CASES.items():
        seconds = measure(command)
        rows.append({"case": name, "median_s": statistics.median(seconds), "worst_s": max(seconds), "goal_s": goal})
        goal_text = f"goal {goal:.1f} s" if goal else ""
        print(f"{name:<26} median {rows[-1]['median_s']:.3f} s   worst {rows[-1]['worst_s']:.3f} s   {goal_text}")
    if arguments.json:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        from benchmarks.machine import machine

        arguments.json.write_text(json.dumps({"machine": machine(), "runs": RUNS, "rows": rows}, indent=2) + "\n")
    return int(any(row["goal_s"] is not None and row["median_s"] > row["goal_s"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
