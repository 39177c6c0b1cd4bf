"""A project to start from: a shipped recipe with its comments, its classes, and toy data to try it on."""

from __future__ import annotations

from pathlib import Path

from maskwright.errors import InputError
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.recipe import shipped_recipe
from maskwright.pipelines.toy_sets import write_set

TOYS = {"points": "reef", "points_learned": "reef", "anatomy": "animals"}
"""The toy data set that each shipped recipe is tried on; a recipe that is not named here has one of its own name."""

COUNTS = {"reef": 6}
"""How many pictures a recipe is tried on, where four are too few to learn from."""


def new(recipe: str, folder: str | Path) -> Path:
    """Write recipe.yaml, classes.yaml and toy data into an empty or absent folder; gives the path of recipe.yaml."""
    text = shipped_recipe(recipe)
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there and not empty; a new project needs a folder of its own: name another")
    write_set(TOYS.get(recipe, recipe), folder, count=COUNTS.get(recipe, 4))
    write_atomically(folder / "recipe.yaml", text.encode())
    return folder / "recipe.yaml"
