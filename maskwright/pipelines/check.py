"""Whether a recipe could run: everything that is wrong with it at once, and what it would cost. Nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskwright.errors import MaskwrightError, RecipeError
from maskwright.pipelines.chains import make
from maskwright.pipelines.gather import Collection, gather
from maskwright.pipelines.recipe import MethodCall, Recipe, missing_files, missing_images, read_recipe


def check(recipe: str | Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Look at a recipe and all it names.

    `ready` says whether it could run; `problems` holds one line for each thing in the way. When it is ready: how many
    `pictures` and `megapixels`, the `classes`, pictures that would fail (`failed`), and per step the seconds on one
    core and the bytes for the largest picture, None for a method that nobody measured.
    """
    found: dict[str, Any] = {"recipe": str(recipe), "ready": False, "problems": []}
    try:
        read = read_recipe(recipe, settings)
        problems = [*missing_images(read), *missing_files(read), *_missing_parts(read)]
        collection = gather(read) if not problems else None
    except RecipeError as error:
        return {**found, "problems": list(error.problems)}
    except MaskwrightError as error:
        return {**found, "problems": [str(error)]}
    if collection is None:
        return {**found, "problems": problems}
    sizes, unreadable = _sizes(collection)
    if unreadable:
        return {**found, "problems": unreadable}
    return {
        **found,
        "ready": True,
        "pictures": len(sizes),
        "megapixels": sum(sizes) / 1e6,
        "classes": list(collection.classes.named.values()),
        "failed": [{"name": name, "reason": reason} for name, reason in collection.failed],
        "steps": [_cost(step, call, sizes) for step, call in _calls(read)],
    }


def _missing_parts(recipe: Recipe) -> list[str]:
    """One line for each method that lacks weights."""
    problems = []
    for _, call in _calls(recipe):
        try:
            make(call)
        except MaskwrightError as error:
            problems.append(str(error))
    return problems


def _sizes(collection: Collection) -> tuple[list[int], list[str]]:
    """Pixels of every picture, and one line for each that cannot be read."""
    from maskwright.io.images import picture_size

    sizes, problems = [], []
    for sample in collection.samples:
        try:
            height, width = picture_size(sample.image_path)
            sizes.append(height * width)
        except MaskwrightError as error:
            problems.append(str(error))
    return sizes, problems


def _calls(recipe: Recipe) -> list[tuple[str, MethodCall]]:
    calls = [(f"label {each.method}", each) for each in recipe.label]
    calls += [(f"refine {each.method}", each) for each in recipe.refine]
    return calls + ([(f"train {recipe.train.method}", recipe.train)] if recipe.train else [])


def _cost(step: str, call: MethodCall, sizes: Sequence[int]) -> dict[str, Any]:
    from maskwright.methods.catalogue import COSTS, find_method

    cost = COSTS.get(call.method)
    if cost is None:
        return {"step": step, "seconds": None, "memory_bytes": None}
    usual = getattr(find_method(call.method), "steps", 0)
    share = float(call.settings.get("steps", usual)) / usual if usual else 1.0
    seconds = cost.seconds_per_mpx * sum(sizes) / 1e6 + cost.seconds_per_picture * len(sizes) + cost.seconds * share
    return {"step": step, "seconds": seconds, "memory_bytes": cost.bytes_per_pixel * max(sizes, default=0) + cost.bytes}
