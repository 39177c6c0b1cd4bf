"""Every method by name, as text "module:Class", so that listing them loads none of them.

Other packages add methods through entry points of the group "maskwright.methods", in the same form:

    [project.entry-points."maskwright.methods"]
    bright_is_coral = "my_package.bright:BrightIsCoral"

A method is a frozen dataclass of settings that can be called. What it is follows from what it is called with:
(image, hints, class_names) is a labeler, (image, mask) a refiner, (samples) a learner.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import logging
import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from typing import Any, NamedTuple

from maskwright.errors import InputError, MissingPartError, UnknownNameError, nearest_name

GROUP = "maskwright.methods"

METHODS: dict[str, str] = {
    "nearest_point": "maskwright.methods.nearest_point:NearestPoint",
    "geodesic_point": "maskwright.methods.geodesic_point:GeodesicPoint",
    "random_walk": "maskwright.methods.random_walk:RandomWalk",
    "coarse_mask": "maskwright.methods.coarse_mask:CoarseMask",
    "point_forest": "maskwright.methods.point_forest:PointForest",
    "keypoint_parts": "maskwright.methods.keypoint_parts:KeypointParts",
    "survey_scores": "maskwright.methods.survey_scores:SurveyScores",
    "fill_holes": "maskwright.methods.fill_holes:FillHoles",
    "foreground": "maskwright.methods.foreground:Foreground",
    "refine_with_edges": "maskwright.methods.refine_with_edges:RefineWithEdges",
    "refine_with_sam": "maskwright.methods.refine_with_sam:RefineWithSam",
    "smooth": "maskwright.methods.smooth:Smooth",
    "train_parts": "maskwright.methods.train_parts:TrainParts",
    "train_semantic": "maskwright.methods.train_semantic:TrainSemantic",
    "train_tags": "maskwright.methods.train_tags:TrainTags",
}


class Cost(NamedTuple):
    """What a method was measured to need on one core: seconds for one megapixel and bytes of memory per pixel of a
    picture, seconds for each picture whatever its size, and seconds and bytes once (of a learner's default `steps`)."""

    seconds_per_mpx: float
    bytes_per_pixel: float
    seconds_per_picture: float = 0.0
    seconds: float = 0.0
    bytes: float = 0.0


# Measured on one core of a 2-core server: RGB of 0.25 to 1 Mpx, 60 points, 4 classes, default settings, second call.
# Those that take seconds were measured on a busy machine (load 6 to 8) by `python -m benchmarks.costs`.
COSTS: dict[str, Cost] = {
    "nearest_point": Cost(0.07, 60),
    "geodesic_point": Cost(0.6, 50),
    "random_walk": Cost(3.4, 510),
    "coarse_mask": Cost(0.1, 60),
    "survey_scores": Cost(0.3, 80),
    "point_forest": Cost(27, 560),  # learning and labelling together
    "keypoint_parts": Cost(0.05, 30),  # with outlines; finding them takes as much as `foreground`
    "fill_holes": Cost(0.02, 7),
    "foreground": Cost(0.8, 80),  # without a model, one animal in each picture
    "refine_with_edges": Cost(6.8, 560),
    "refine_with_sam": Cost(8, 0, seconds_per_picture=3, bytes=1.4e9),  # ViT-B in bfloat16; within a factor of two
    "smooth": Cost(0.02, 17),
    "train_parts": Cost(0, 0, seconds=280, bytes=460e6),  # torch itself is most of the memory
    "train_semantic": Cost(0, 0, seconds=140, bytes=410e6),
    "train_tags": Cost(0, 0, seconds_per_picture=1.0, bytes=820e6),  # DINOv2 base
}

_STAGES = {3: "labeler", 2: "refiner", 1: "learner"}
_log = logging.getLogger(__name__)


def list_methods() -> tuple[str, ...]:
    """The names of all methods in order of the alphabet, plug-ins included; nothing of them is imported."""
    return tuple(sorted({*METHODS, *_plugins(tuple(sys.path))}))


def find_method(name: str, *, where: str = "") -> type[Any]:
    """The class of a method; an unknown name is an error that names the nearest known one.

    A method that comes with Maskwright keeps its name whatever plug-ins call theirs.
    """
    if name in METHODS:
        return _load(name, METHODS[name], "maskwright")
    offers = _plugins(tuple(sys.path)).get(name, ())
    if not offers:
        raise UnknownNameError("method", name, list_methods(), where=where)
    if len({text for text, _ in offers}) > 1:
        owners = " and ".join(sorted({owner for _, owner in offers}))
        raise InputError(
            f"{where + ': ' if where else ''}the method {name!r} comes from {owners}; a name belongs to one package: "
            f"uninstall one of them"
        )
    return _load(name, *offers[0])


def stage_of(method: type[Any]) -> str:
    """What a method is, "labeler", "refiner" or "learner", by what it is called with.

    >>> class Flip:
    ...     def __call__(self, image, mask): ...
    >>> stage_of(Flip)
    'refiner'
    """
    required = [
        each
        for each in list(inspect.signature(method.__call__).parameters.values())[1:]
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    stage = _STAGES.get(len(required))
    if stage is None:
        raise InputError(
            f"{method.__module__}:{method.__qualname__} is called with {len(required)} things; a method is called with "
            f"(image, hints, class_names), (image, mask) or (samples): see maskwright.stages"
        )
    return stage


def make_method(name: str, settings: Mapping[str, Any] | None = None, *, where: str = "") -> Any:
    """A method with its settings checked: types, ranges, and no setting that it does not have."""
    problems = setting_problems(name, settings or {}, where=where)
    if problems:
        raise InputError("; ".join(problems))
    return _adapter(find_method(name, where=where)).validate_python(dict(settings or {}), extra="forbid")


def setting_problems(name: str, settings: Mapping[str, Any], *, where: str = "") -> list[str]:
    """Everything wrong with the settings of a method, one line each; an empty list when all is well."""
    from pydantic import ValidationError

    method = find_method(name, where=where)
    head = f"{where}: " if where else ""
    try:
        _adapter(method).validate_python(dict(settings), extra="forbid")
    except InputError as error:  # what a method's own check raises passes through pydantic as it is
        return [f"{head}{name}: {error}"]
    except ValidationError as error:
        return [f"{head}{_problem(name, method, each)}" for each in error.errors(include_url=False)]
    return []


def describe(name: str) -> dict[str, Any]:
    """What a method is and takes: {name, stage, class, doc, paper, settings: [{name, type, default}], schema, cost}.

    All of it fits into JSON: an infinite default is the text "inf", which is read back as the number.
    """
    method = find_method(name)
    doc = inspect.getdoc(method) or ""
    papers = [line.split(":", 1)[1].strip() for line in doc.splitlines() if line.lstrip().startswith("Paper:")]
    schema: dict[str, Any] = _json_safe(_adapter(method).json_schema())
    cost = COSTS.get(name)
    return {
        "name": name,
        "stage": stage_of(method),
        "class": f"{method.__module__}:{method.__qualname__}",
        "doc": doc,
        "paper": papers[0] if papers else None,
        "settings": [_setting(each) for each in dataclasses.fields(method) if each.init],
        "schema": schema,
        "cost": cost._asdict() if cost else None,
    }


@lru_cache(maxsize=4)
def _plugins(path: tuple[str, ...]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Name to (text, owner) of what other packages offer; asked again only when `sys.path` has changed."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    distributions = metadata.distributions(path=list(path))
    for entry in (each for one in distributions for each in one.entry_points.select(group=GROUP)):
        owner = entry.dist.name if entry.dist is not None else entry.module
        if entry.name in METHODS:
            _log.warning("%s offers a method %r, but that name is Maskwright's own; it is left out", owner, entry.name)
            continue
        offer = (entry.value, owner)
        if offer not in found.get(entry.name, ()):
            found[entry.name] = (*found.get(entry.name, ()), offer)
    return found


def _load(name: str, text: str, owner: str) -> type[Any]:
    module, _, attribute = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute.strip())
    except Exception as error:  # another package's code may fail with anything while it is imported
        raise MissingPartError(
            f"the method {name!r} of {owner} cannot be loaded from {text}: {error}; install what it needs or remove it"
        ) from error
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise InputError(f"the method {name!r} of {owner} is {text}, which is no dataclass; a method is one")
    return found


def _adapter(method: type[Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(method)


def _problem(name: str, method: type[Any], error: Mapping[str, Any]) -> str:
    key = ".".join(map(str, error["loc"])) or "settings"
    if error["type"] == "unexpected_keyword_argument":
        known = [each.name for each in dataclasses.fields(method) if each.init]
        nearest = nearest_name(key, known)
        advice = f"did you mean {nearest!r}?" if nearest else f"it has {', '.join(known) or 'none'}."
        return f"{name} has no setting {key!r}; {advice}"
    if error["type"] == "missing":
        return f"{name} needs the setting {key!r}; set {key}=..."
    reason = str(error["msg"]).removeprefix("Value error, ")
    if error["loc"]:
        return f"{name}.{key} is {error['input']!r}; {reason[:1].lower()}{reason[1:]}"
    return f"{name}: {reason}"


def _setting(field: dataclasses.Field[Any]) -> dict[str, Any]:
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return {"name": field.name, "type": _type_text(field), "required": True, "default": None}
    return {"name": field.name, "type": _type_text(field), "required": False, "default": _json_safe(default)}


def _type_text(field: dataclasses.Field[Any]) -> str:
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))


def _json_safe(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _json_safe(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_safe(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
