"""What a recipe works on: every picture with what is known about it, and where that stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maskwright.errors import EmptyResultError, InputError
from maskwright.io.classes import Classes
from maskwright.io.hints import hint_kind
from maskwright.io.samples import find_samples
from maskwright.methods import catalogue
from maskwright.pipelines.fingerprints import content_hash, path_hash
from maskwright.pipelines.ledger import Input
from maskwright.pipelines.recipe import HintSource, Recipe
from maskwright.types import Sample


@dataclass(frozen=True)
class Collection:
    """The samples of a run, their classes, what stories say of each sample's hints, and the files they came from.

    `failed` are pictures that hints were expected for and that have none.
    """

    samples: tuple[Sample, ...]
    classes: Classes
    hints: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: tuple[Input, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


def gather(recipe: Recipe) -> Collection:
    """Find the pictures of a recipe and what its hint files say about each."""
    paths = [each.path for each in recipe.hints]
    _check_kinds(recipe.hints)
    samples, classes = find_samples(
        recipe.images, hints=paths, classes=recipe.classes, masks=recipe.masks, sites=recipe.sites
    )
    if recipe.classes is None:
        classes = _own_classes(recipe) or classes
    files = tuple(Input(path.name, path_hash(path) or "", path) for path in paths)
    said: dict[str, list[dict[str, Any]]] = {each.name: [] for each in samples}
    for file in files:
        alone = samples if len(files) == 1 else find_samples(recipe.images, hints=file.absolute, classes=classes)[0]
        for each in alone:
            if each.hints or each.mask_paths:
                share = {"of_this_picture": share_of(each), "path": file.path, "sha256": file.sha256}
                said[each.name].append(share)
    return _split(recipe, samples, classes, said, files)


def _own_classes(recipe: Recipe) -> Classes | None:
    """The classes of a labeler that brings its own, such as the parts of a body."""
    for call in recipe.label:
        if hasattr(catalogue.find_method(call.method), "own_classes"):
            classes: Classes = catalogue.make_method(call.method, call.settings).own_classes
            return classes
    return None


def _check_kinds(sources: Sequence[HintSource]) -> None:
    for each in sources:
        if each.kind is not None and (found := hint_kind(each.path)) != each.kind:
            raise InputError(f"{each.path} holds {found}; the recipe says {each.kind}: name the other file or kind")


def share_of(sample: Sample) -> str:
    """A hash of all that is known about one picture, whatever else the files say."""
    return content_hash([list(sample.hints), [path_hash(each) for each in sample.mask_paths]])


def _split(
    recipe: Recipe,
    samples: Sequence[Sample],
    classes: Classes,
    said: Mapping[str, list[dict[str, Any]]],
    files: tuple[Input, ...],
) -> Collection:
    """Set apart the pictures that nothing is known about although something was expected."""
    if recipe.label and recipe.hints:
        known = [each for each in samples if said[each.name]]
        source = " and ".join(each.path.name for each in recipe.hints)
    elif recipe.masks is not None:
        known = [each for each in samples if each.mask_paths]
        source = str(recipe.masks)
    else:
        return Collection(tuple(samples), classes, said, files)
    if not known:
        raise EmptyResultError(_nothing_fits(recipe, samples, source))
    names, advice = {each.name for each in known}, "add hints for it" if recipe.label else "add a mask of it"
    failed = [
        (each.name, f"{source} says nothing about {each.image_path.name}; {advice}, or leave the picture out")
        for each in samples
        if each.name not in names
    ]
    return Collection(tuple(known), classes, said, files, tuple(failed))


def _nothing_fits(recipe: Recipe, samples: Sequence[Sample], source: str) -> str:
    first = f"the first of which is {samples[0].name!r}"
    found = f"{source} speaks of none of the {len(samples)} pictures in {recipe.images}, {first}"
    kinds = {hint_kind(each.path) for each in recipe.hints}
    if "survey" in kinds:
        return f"{found}; expected it to reach one; is it of another place, are latitude and longitude swapped?"
    if "keypoints" in kinds:
        return f"{found}; expected animals with a joint that is seen (v above 0), pictures named by their file names"
    return f"{found}; a picture is named by its file name, with or without extension"
