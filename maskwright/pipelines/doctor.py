"""What this machine has of what Maskwright can use: versions, devices, extras, weights, disk; and what would help."""

from __future__ import annotations

import importlib
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

CORE_IMPORTS = ("numpy", "scipy", "PIL", "cv2", "sklearn", "pydantic", "yaml", "rich")
LEAST_FREE_BYTES = 1_000_000_000
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:[(]?([^;)]*)[)]?)?\s*(?:;(.*))?$")


def examine(folder: str | Path = ".") -> dict[str, Any]:
    """Look at this machine; `works` says whether the core does, `problems` what is wrong and what helps.

    Nothing is downloaded. `folder` is where results would go: its disk is the one measured.
    """
    versions, extras = _versions(), _extras()
    problems = [*_broken_imports(), *_too_old(versions)]
    free = shutil.disk_usage(folder).free
    advice = [each["command"] for each in extras if each["missing"]]
    if free < LEAST_FREE_BYTES:
        advice.append(f"only {free / 1e9:.1f} GB are free at {Path(folder).resolve()}; make room before a long run")
    return {
        "works": not problems,
        "problems": problems,
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": {name: found for name, (found, _) in versions.items()},
        "compiled_kernels": _has_numba(),
        "devices": _devices(),
        "extras": extras,
        "weights": _weights(),
        "disk_free_bytes": free,
        "advice": advice,
    }


def requirements() -> dict[str, list[tuple[str, str]]]:
    """Extra ("" for the core) to its (package, version wanted), as the installed package declares them."""
    wanted: dict[str, list[tuple[str, str]]] = {"": []}
    for line in metadata.requires("maskwright") or []:
        found = _REQUIREMENT.match(line.strip())
        if found is None:
            continue
        name, versions, marker = found[1], (found[2] or "").strip(), found[3] or ""
        extra = re.search(r"""extra\s*==\s*["']([^"']+)["']""", marker)
        if name != "maskwright":
            wanted.setdefault(extra[1] if extra else "", []).append((name, versions))
    return wanted


def _versions() -> dict[str, tuple[str | None, str]]:
    """Package to (version here or None, version wanted) for everything the core needs, and Maskwright itself."""
    return {"maskwright": (_version("maskwright"), ""), **{n: (_version(n), v) for n, v in requirements()[""]}}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extras() -> list[dict[str, Any]]:
    found = []
    for extra, packages in requirements().items():
        if not extra:
            continue
        versions = {name: _version(name) for name, _ in packages}
        missing = [name for name, version in versions.items() if version is None]
        command = f"pip install 'maskwright[{extra}]'"
        found.append({"name": extra, "versions": versions, "missing": missing, "command": command if missing else None})
    return found


def _broken_imports() -> list[str]:
    broken = []
    for name in CORE_IMPORTS:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken build fails in any way it likes, and that is what we report
            broken.append(
                f"{name} does not import ({' '.join(str(error).split())}); "
                "run: pip install --force-reinstall maskwright"
            )
    return broken


def _too_old(versions: dict[str, tuple[str | None, str]]) -> list[str]:
    problems = []
    for name, (found, wanted) in versions.items():
        least = re.search(r">=\s*([0-9.]+)", wanted)
        if found is not None and least and _numbers(found) < _numbers(least[1]):
            problems.append(f"{name} {found} is older than {least[1]}, which is needed; run: pip install -U {name}")
    return problems


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _has_numba() -> bool:
    from maskwright.arrays.compiled import HAS_NUMBA

    return HAS_NUMBA


def _devices() -> list[dict[str, Any]]:
    from maskwright.models.devices import list_devices

    return [{"name": each.name, "kind": each.kind, "memory_bytes": each.memory_bytes} for each in list_devices()]


def _weights() -> dict[str, Any]:
    from maskwright.models.known import KNOWN
    from maskwright.models.lookup import find_weights, shelves

    found = {name: str(each.path) for name in KNOWN if (each := find_weights(name)) is not None}
    return {"found": found, "known": len(KNOWN), "looked_in": [str(each) for each in shelves()]}
