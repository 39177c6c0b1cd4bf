"""Where the numbers were taken: processor, load, versions, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "maskwright", "numpy", "scipy", "numba", "opencv-python-headless", "scikit-image", "scikit-learn",
    "torch", "torchmetrics", "pycocotools", "faster-coco-eval", "POT",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Processor, cores, load average, Python, versions of the packages compared, and the commit measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": _commit(),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "peak_mb": "rise of the resident set's high-water mark over one call of ours, inputs not counted",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit, with a + where the working tree differs from it; None outside a git checkout."""
    root = Path(__file__).parents[1]
    try:
        words = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
