"""The folder that results go to: continued where there is one already, never taken from somebody else."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

import yaml

from maskwright.errors import InputError
from maskwright.io.outputs import clear_temporary, unwritable, write_atomically
from maskwright.pipelines.fingerprints import versions
from maskwright.pipelines.ledger import LEDGER
from maskwright.pipelines.recipe import Recipe, plain_recipe


def prepare_folder(out: str | Path, *, fresh: bool = False) -> Path:
    """The folder to write to, made if it is not there; `fresh` takes the first free of out, out-2, out-3 and so on."""
    folder = Path(out)
    if fresh:
        folder = next(each for each in _beside(folder) if not each.exists() or _is_empty(each))
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out names a folder: choose another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def check_foreign(folder: Path, names: Iterable[str], inputs: Iterable[Path | None]) -> None:
    """Refuse to write over masks that no run of ours made: a folder of inputs, or hand-drawn masks."""
    for each in inputs:
        if each is not None and each.exists() and folder.exists() and each.samefile(folder):
            raise InputError(f"--out {folder} is also an input; results would replace it: name another folder")
    if (folder / LEDGER).exists() or not folder.is_dir():
        return
    for name in names:
        for path in (folder / f"{name}.png", folder / f"{name}.tif"):
            if path.exists():
                raise InputError(
                    f"{path} was not made by this command, and would be replaced; give another --out, or --fresh to "
                    f"start a folder beside it"
                )


def clear_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left half written."""
    for each in (folder, *(path for path in folder.glob("round-*/masks"))):
        clear_temporary(each)


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write recipe.resolved.yaml: the recipe with every default filled in and every path absolute."""
    text = yaml.safe_dump(plain_recipe(recipe), sort_keys=False, allow_unicode=True)
    write_atomically(folder / "recipe.resolved.yaml", text.encode())


def write_environment(folder: Path, *, device: str) -> None:
    """Write environment.json: on what, and with which versions, this was made."""
    about = {
        "versions": {"python": platform.python_version(), **versions()},
        "platform": platform.platform(),
        "processor": platform.machine(),
        "processors": os.cpu_count(),
        "device": device,
    }
    write_atomically(folder / "environment.json", (json.dumps(about, indent=2) + "\n").encode())


def _beside(folder: Path) -> Iterable[Path]:
    yield folder
    number = 2
    while True:
        yield folder.with_name(f"{folder.name}-{number}")
        number += 1


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
