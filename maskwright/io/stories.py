"""Stories: the JSON beside a mask that tells how it was made, the same bytes for the same history."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from maskwright.errors import FormatError
from maskwright.io.classes import Classes
from maskwright.io.outputs import write_atomically
from maskwright.io.texts import read_json
from maskwright.types import Grid, Mask, Step

_WORDS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


@dataclass(frozen=True)
class Story:
    """What a story file says: the picture (path, sha256), classes, steps, and the versions each step ran with.

    `grid` is where the pixels lie, for pictures on Earth whose mask file cannot say it.
    """

    image: Mapping[str, Any] | None
    classes: Classes
    steps: tuple[Step, ...]
    versions: tuple[Mapping[str, str], ...] = ()
    grid: Grid | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def story_of(
    mask: Mask,
    *,
    classes: Classes | None = None,
    image: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    before: Story | None = None,
) -> Story:
    """The story of a mask. Steps it shares with `before`, an earlier story, keep the versions noted there."""
    kept = before.versions if before is not None and before.steps == mask.history[: len(before.steps)] else ()
    steps = mask.history
    return Story(
        image if image is not None or before is None else before.image,
        classes or Classes(mask.class_names),
        steps,
        (*kept, *[dict(versions or {})] * (len(steps) - len(kept))),
        mask.grid if mask.grid.transform is not None or mask.grid.crs is not None else None,
        {} if before is None else before.extra,
    )


def story_path(mask_path: str | Path) -> Path:
    """Where the story of a mask lies: NAME.json beside NAME.png or NAME.tif.

    >>> story_path("out/reef.v2.png").as_posix()
    'out/reef.v2.json'
    """
    return Path(mask_path).with_suffix(".json")


def write_story(path: str | Path, story: Story) -> None:
    """Write a story with sorted keys; the same story always gives the same bytes."""
    text = json.dumps(story_dict(story), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def story_dict(story: Story) -> dict[str, Any]:
    """A story as plain values, as its file holds it."""
    versions: Sequence[Mapping[str, str]] = story.versions or [{}] * len(story.steps)
    result: dict[str, Any] = dict(story.extra) | {
        "image": None if story.image is None else plain(story.image),
        "classes": [
            {"id": class_id, "name": name, "color": story.classes.colors[class_id]}
            for class_id, name in story.classes.named.items()
        ],
        "steps": [step_dict(step, each) for step, each in zip(story.steps, versions, strict=True)],
    }
    if story.grid is not None:
        grid = story.grid
        result["grid"] = {
            "height": grid.height,
            "width": grid.width,
            "transform": plain(grid.transform),
            "crs": grid.crs,
        }
    return result


def read_story(path: str | Path) -> Story:
    """Read a story. Keys this version does not know are kept in `extra`, not refused: a later version may add them."""
    value = read_json(path)
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("classes"), list)
        or not isinstance(value.get("steps"), list)
    ):
        raise FormatError(f'{path}: is no story; expected an object with "classes" and "steps"; make the mask again')
    try:
        known = {"image", "classes", "steps", "grid"}
        return Story(
            value.get("image"),
            _classes(value["classes"]),
            tuple(step_of_dict(each) for each in value["steps"]),
            tuple(dict(each.get("versions") or {}) for each in value["steps"]),
            _grid(value.get("grid")),
            {key: each for key, each in value.items() if key not in known},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__} {error}"
        raise FormatError(
            f"{path}: a story that cannot be read ({what}); expected ids, names and steps; make it again"
        ) from error


def plain(value: Any) -> Any:
    """A value of a step as JSON has it: lists for tuples, "inf" and "nan" as words, posix paths.

    >>> plain({"reach_px": float("inf"), "size": (1, 2)})
    {'reach_px': 'inf', 'size': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=str)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a story holds plain values; got {value!r} ({type(value).__name__})")


def vivid(value: Any) -> Any:
    """The inverse of `plain` for settings: tuples for lists, numbers for "inf" and "nan".

    >>> vivid({"reach_px": "inf", "size": [1, 2]})
    {'reach_px': inf, 'size': (1, 2)}
    """
    if isinstance(value, dict):
        return {key: vivid(each) for key, each in value.items()}
    if isinstance(value, list):
        return tuple(vivid(each) for each in value)
    return _WORDS.get(value, value) if isinstance(value, str) else value


def step_dict(step: Step, versions: Mapping[str, str]) -> dict[str, Any]:
    """A step as plain values."""
    return {
        "name": step.name,
        "settings": plain(step.settings),
        "weights": step.weights,
        "inputs": plain(step.inputs),
        "versions": plain(versions),
        "seconds": None,  # how long it took differs between runs; the ledger knows
    }


def step_of_dict(value: Mapping[str, Any]) -> Step:
    """The step that plain values of a story stand for."""
    return Step(
        str(value["name"]), vivid(value.get("settings") or {}), value.get("weights"), vivid(value.get("inputs") or {})
    )


def _classes(entries: list[dict[str, Any]]) -> Classes:
    if not entries:
        return Classes(())
    count = max(int(each["id"]) for each in entries) + 1
    names, colors = [""] * count, [""] * count
    for each in entries:
        names[int(each["id"])], colors[int(each["id"])] = str(each["name"]), str(each.get("color") or "#000000")
    return Classes(tuple(names), tuple(colors))


def _grid(value: dict[str, Any] | None) -> Grid | None:
    if value is None:
        return None
    transform = None if value.get("transform") is None else tuple(float(each) for each in value["transform"])
    return Grid(int(value["height"]), int(value["width"]), transform, value.get("crs"))  # type: ignore[arg-type]
