"""A recipe: which pictures and hints, which methods in which order, and what the result is measured against.

It is read from YAML into frozen records. Whatever is wrong with it is said at once, all problems together, each with
the nearest thing that would have been right.
"""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from maskwright.errors import MaskwrightError, RecipeError, UnknownNameError, nearest_name
from maskwright.methods import catalogue
from maskwright.pipelines.overrides import overridden

HintKind = Literal["points", "keypoints", "tags", "masks", "mask", "instances", "survey"]


@dataclass(frozen=True)
class HintSource:
    """Where hints of one kind lie; without a kind it is seen from the file. `mask` is one raster for all pictures."""

    path: Path
    kind: HintKind | None = None


@dataclass(frozen=True)
class MethodCall:
    """A method of the catalogue and its settings; settings left out keep their defaults."""

    method: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fuse:
    """How several labelers become one mask. Where they tie, nobody knows.

    `vote`: the class most of them name; `confidence`: each vote counts as much as its labeler is sure there;
    `priority`: the first labeler that knows. `weights`, one per labeler, say how much each vote is trusted.
    """

    how: Literal["vote", "confidence", "priority"] = "vote"
    weights: tuple[float, ...] | None = None


SHAPES = {"tuple_type": "a list", "dataclass_type": "keys and values", "dict_type": "keys and values"}
EXAMPLES = {
    "hints": "[{path: points.csv}]", "label": "[{method: nearest_point, settings: {reach_px: 40}}]",
    "refine": "[{method: smooth, settings: {radius_px: 2}}]", "fuse": "{how: vote}",
    "train": "{method: train_semantic, settings: {steps: 500}}", "predict": "{overlap: 64}",
    "later_rounds": "{warm_start: true}", "stop": "{score: mean_iou}", "evaluate": "{truth: truth}",
}  # fmt: skip
"""How the keys of a recipe that hold more than one value are written."""

USUAL_WINDOW = 512
"""Side in pixels of the windows that a model sees where nobody names another."""


@dataclass(frozen=True)
class Predict:
    """How a segmenter is led over a picture: windows of `window` pixels that overlap by `overlap`, `batch` at once.

    Without a `window` it is what the model says, else 512, or the whole picture for one that has to see all of it.
    """

    window: int | None = None
    overlap: int = 64
    batch: int = 1


@dataclass(frozen=True)
class LaterRounds:
    """What is different when a model learns again, from masks that a model made: settings of the learner.

    With `warm_start` it goes on from the model of the round before, in place of learning from scratch. `with_labels`
    gives it the masks of round 1 too, after the newest ones: train_semantic with several_masks=agree then learns from
    pixels of which both say the same.
    """

    warm_start: bool = False
    with_labels: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """Rounds end early when `score` of the newest round rose by less than `least_gain` over the round before."""

    score: str = "mean_iou"
    least_gain: float = 0.0


@dataclass(frozen=True)
class Evaluate:
    """What masks are measured against: a folder of true masks, or points with true classes.

    `each_step` also measures masks as they were before the refiners; they then stay in round-N/unrefined. Refiners then
    start from these masks, in which objects that overlap no longer do.
    """

    truth: Path | None = None
    points: Path | None = None
    each_step: bool = False


@dataclass(frozen=True)
class Recipe:
    """Everything a run needs to know; paths are absolute once it has been read.

    `rounds` counts how often a segmenter is trained and predicts; it matters only with `train`. `masks` is a folder
    of masks to start from where nothing labels. `refine_what` says what the refiners mend: the labels of round 1, what
    models predict, or both.
    """

    images: str
    name: str = "recipe"
    hints: tuple[HintSource, ...] = ()
    masks: Path | None = None
    classes: Path | None = None
    sites: Path | None = None
    label: tuple[MethodCall, ...] = ()
    fuse: Fuse | None = None
    refine: tuple[MethodCall, ...] = ()
    refine_what: Literal["all", "labels", "predictions"] = "all"
    train: MethodCall | None = None
    predict: Predict = field(default_factory=Predict)
    rounds: int = 1
    later_rounds: LaterRounds = field(default_factory=LaterRounds)
    stop: Stop | None = None
    evaluate: Evaluate | None = None
    report: bool = True

    @property
    def keeps_unrefined(self) -> bool:
        """Whether masks stay also as they were before refinement."""
        return self.evaluate is not None and self.evaluate.each_step


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file; `overrides` are texts like "label.0.settings.reach_px=40", the value in YAML.

    Paths inside it count from the folder the file lies in. All problems come at once as one RecipeError.
    """
    from maskwright.io.yaml_files import read_yaml

    path = Path(path)
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise RecipeError(str(path), [f"it holds {_kind(content)}; a recipe is keys and values, like 'images: pics'"])
    return make_recipe(content, overrides, where=str(path), folder=path.resolve().parent)


def make_recipe(
    content: Mapping[str, Any], overrides: Sequence[str] = (), *, where: str = "recipe", folder: Path | None = None
) -> Recipe:
    """A recipe from keys and values as they stand in the file; relative paths count from `folder`."""
    from pydantic import TypeAdapter, ValidationError

    content, problems = overridden(content, overrides)
    try:
        recipe: Recipe = TypeAdapter(Recipe).validate_python(content, extra="forbid")
    except ValidationError as error:
        problems += [_problem(each) for each in error.errors(include_url=False)]
        raise RecipeError(where, [*problems, *_raw_method_problems(content)]) from None
    problems += [*_method_problems(recipe), *_shape_problems(recipe)]
    placed = _placed(recipe, folder or Path.cwd())
    if problems:
        raise RecipeError(where, [*problems, *missing_images(placed), *missing_files(placed)])
    return placed


def missing_files(recipe: Recipe) -> list[str]:
    """One line for each file or folder that the recipe names and that is not there."""
    named: list[tuple[str, Path]] = [(f"hints.{n}.path", each.path) for n, each in enumerate(recipe.hints)]
    named += [(key, path) for key in ("masks", "classes", "sites") if (path := getattr(recipe, key)) is not None]
    if recipe.evaluate:
        for key in ("truth", "points"):
            if (path := getattr(recipe.evaluate, key)) is not None:
                named.append((f"evaluate.{key}", path))
    return [_missing(key, path) for key, path in named if not path.exists()]


def missing_images(recipe: Recipe) -> list[str]:
    """A line for the pictures of a recipe where nothing is; a pattern may fit something later."""
    is_there = glob.has_magic(recipe.images) or Path(recipe.images).exists()
    return [] if is_there else [_missing("images", Path(recipe.images))]


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of a recipe file, for editors that complete and check while one types."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Recipe).json_schema()
    for each in (schema, *schema["$defs"].values()):
        each["additionalProperties"] = False
        each["description"] = " ".join(each.get("description", "").split())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def plain_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as keys and values for YAML or JSON, every default filled in."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(recipe))
    return plain


def list_recipes() -> tuple[str, ...]:
    """The names of the recipes that come with Maskwright."""
    folder = resources.files("maskwright") / "recipes"
    return tuple(sorted(each.name.removesuffix(".yaml") for each in folder.iterdir() if each.name.endswith(".yaml")))


def shipped_recipe(name: str) -> str:
    """The commented text of a recipe that comes with Maskwright."""
    if name not in list_recipes():
        raise UnknownNameError("recipe", name, list_recipes())
    return (resources.files("maskwright") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def _problem(error: Mapping[str, Any]) -> str:
    where = ".".join(str(each) for each in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        known = _keys_at(error["loc"][:-1])
        nearest = nearest_name(str(error["loc"][-1]), known)
        advice = f"did you mean {nearest!r}?" if nearest else f"keys here: {', '.join(known)}."
        return f"{where}: there is no such key; {advice}"
    if error["type"] == "missing":
        return f"{where}: this key is missing; a recipe needs it"
    if error["type"] in SHAPES and (example := EXAMPLES.get(str(error["loc"][0]))):
        shape, key = SHAPES[error["type"]], error["loc"][0]
        return f"{where}: found {error['input']!r}; expected {shape}; write for example `{key}: {example}`"
    message = str(error["msg"])
    return f"{where}: found {error['input']!r}; {message[:1].lower()}{message[1:]}"


def _keys_at(loc: Sequence[Any]) -> list[str]:
    kinds: dict[str, type[Any]] = {
        "hints": HintSource, "label": MethodCall, "refine": MethodCall, "train": MethodCall,
        "fuse": Fuse, "predict": Predict, "later_rounds": LaterRounds, "stop": Stop, "evaluate": Evaluate,
    }  # fmt: skip
    kind = kinds[str(loc[0])] if loc else Recipe
    return [each.name for each in dataclasses.fields(kind)]


def _raw_method_problems(content: Mapping[str, Any]) -> list[str]:
    """Problems of the methods of a recipe whose shape is wrong elsewhere, so that nobody has to mend it twice."""
    problems: list[str] = []
    for key, stage in (("label", "labeler"), ("refine", "refiner"), ("train", "learner")):
        value = content.get(key)
        for n, each in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(each, dict) and isinstance(each.get("method"), str):
                settings = each.get("settings") or {}
                call = MethodCall(each["method"], settings if isinstance(settings, dict) else {})
                problems += _call_problems(f"{key}.{n}" if isinstance(value, list) else key, call, stage)
    return problems


def _method_problems(recipe: Recipe) -> list[str]:
    problems: list[str] = []
    for n, call in enumerate(recipe.label):
        problems += _call_problems(f"label.{n}", call, "labeler")
    for n, call in enumerate(recipe.refine):
        problems += _call_problems(f"refine.{n}", call, "refiner")
    if recipe.train:
        problems += _call_problems("train", recipe.train, "learner") or _later_problems(recipe)
    return problems


def _call_problems(where: str, call: MethodCall, stage: str) -> list[str]:
    try:
        found = catalogue.stage_of(catalogue.find_method(call.method, where=where))
        problems = catalogue.setting_problems(call.method, call.settings, where=where)
    except MaskwrightError as error:
        return [str(error) if str(error).startswith(where) else f"{where}: {error}"]
    if found != stage and not (stage == "labeler" and found == "learner"):
        problems.append(f"{where}: {call.method} is a {found}; a {stage} belongs here")
    return problems


def _later_problems(recipe: Recipe) -> list[str]:
    """Problems of what changes from the second training on, where the first is right."""
    assert recipe.train is not None
    later, method = recipe.later_rounds, recipe.train.method
    known = {each.name for each in dataclasses.fields(catalogue.find_method(method))}
    problems = catalogue.setting_problems(method, {**recipe.train.settings, **later.settings}, where="later_rounds")
    if later.warm_start and "start" not in known:
        problems.append(f"later_rounds.warm_start: {method} has no setting 'start'; it always learns from scratch")
    return problems


def _shape_problems(recipe: Recipe) -> list[str]:
    truth = recipe.evaluate is not None and recipe.evaluate.truth is not None
    weights = recipe.fuse.weights if recipe.fuse else None
    window = USUAL_WINDOW if recipe.predict.window is None else recipe.predict.window
    checks = {
        "label: nothing labels and no masks are given; add a labeler or the key 'masks'": (
            not recipe.label and recipe.masks is None
        ),
        "masks: these masks would not be used, because labelers stand under 'label'; remove one of the two": bool(
            recipe.label and recipe.masks
        ),
        "fuse: several labelers speak and nothing says how they become one; add 'fuse: {how: vote}'": (
            len(recipe.label) > 1 and recipe.fuse is None
        ),
        f"fuse.weights: there are {len(weights or ())} weights for {len(recipe.label)} labelers; give one for each": (
            weights is not None and len(weights) != len(recipe.label)
        ),
        f"fuse.weights: found {list(weights or ())}; each is 0 or more, and one above 0; correct them": (
            weights is not None and (not all(each >= 0 for each in weights) or not any(weights))
        ),
        f"rounds: found {recipe.rounds}; at least 1 round is needed": recipe.rounds < 1,
        "rounds: several rounds need something to train; add 'train: {method: ...}' or leave rounds out": (
            recipe.rounds > 1 and recipe.train is None
        ),
        "refine_what: nothing refines; add a refiner under 'refine', or leave refine_what out": (
            recipe.refine_what != "all" and not recipe.refine
        ),
        "refine_what: nothing is predicted, because nothing trains; add 'train', or leave refine_what out": (
            recipe.refine_what == "predictions" and recipe.train is None
        ),
        "later_rounds: nothing learns a second time; set 'rounds' to 2 or more and 'train', or leave it out": (
            recipe.later_rounds != LaterRounds() and (recipe.train is None or recipe.rounds < 2)
        ),
        "stop: a stop rule compares with the truth; add 'evaluate: {truth: ...}'": bool(recipe.stop and not truth),
        f"predict.overlap: found {recipe.predict.overlap} for windows of {window}; it lies between 0 and less than the "
        "window": not 0 <= recipe.predict.overlap < window,
        f"predict.batch: found {recipe.predict.batch}; at least 1 window is predicted at once": recipe.predict.batch
        < 1,
    }
    return [text for text, is_wrong in checks.items() if is_wrong]


def _placed(recipe: Recipe, folder: Path) -> Recipe:
    def place(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    evaluate = recipe.evaluate
    return dataclasses.replace(
        recipe,
        images=str(folder / Path(recipe.images).expanduser()),
        hints=tuple(HintSource(folder / each.path.expanduser(), each.kind) for each in recipe.hints),
        masks=place(recipe.masks),
        classes=place(recipe.classes),
        sites=place(recipe.sites),
        evaluate=evaluate and Evaluate(place(evaluate.truth), place(evaluate.points), evaluate.each_step),
    )


def _missing(key: str, path: Path) -> str:
    siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    nearest = nearest_name(path.name, siblings)
    return f"{key}: {path} is not there; {f'did you mean {nearest!r}?' if nearest else 'check the path'}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _kind(content: Any) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"
