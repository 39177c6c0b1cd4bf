"""What a run found, as one HTML file that opens offline: scores, the worst pictures, statistics, cost, origins."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import EmptyResultError, InputError, MaskwrightError
from maskwright.io.classes import Classes
from maskwright.io.masks import read_story, story_path
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.ledger import EVENTS, find_ledger
from maskwright.pipelines.map_report import left_out_text
from maskwright.pipelines.mask_files import MaskFile, find_masks
from maskwright.pipelines.page import report_page
from maskwright.pipelines.thumbnails import confidence_thumbnail, mask_thumbnail, picture_thumbnail, thinned
from maskwright.types import UNKNOWN

WORST = 20
HEADLINES = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_dice": "mean Dice",
    "mean_boundary_f": "mean boundary F",
}


def write_report(run: str | Path, *, last: int | None = None, only: Collection[str] | None = None) -> Path:
    """Write report.html into a run folder and give its path.

    Where the folder also holds what an earlier recipe left, `last` is the last round that counts, and `only` names the
    pictures that do.
    """
    run = Path(run)
    path = run / "report.html"
    write_atomically(path, report_page(gather_report(run, last=last, only=only)).encode("utf-8"))
    return path


def gather_report(run: Path, *, last: int | None = None, only: Collection[str] | None = None) -> dict[str, Any]:
    """Everything the page shows, as plain values; parts the run does not have are empty."""
    rounds = _rounds(run)[:last]
    if not rounds:
        raise InputError(f"{run}: holds no round-1/masks; expected the folder of a run; make one with `maskwright run`")
    masks = {name: MaskFile(path) for name, path in _masks(rounds[-1], only).items()}
    recipe = _recipe(run)
    metrics = _json(run / "metrics.json")
    events = _events(run)
    classes, statistics = _statistics(masks)
    return {
        "title": f"{recipe.get('name') or run.name}: {len(masks):,} masks",
        "subtitle": "; ".join([_subtitle(run, rounds, masks, classes), *_left_out(rounds[0], only)]),
        "headlines": _headlines(metrics),
        "scored": _scored(metrics),
        "classes": _classes(classes, metrics),
        "classes_note": _classes_note(metrics),
        "rounds": _scores_by_round(metrics),
        "gallery": _gallery(masks, recipe, metrics, classes),
        "gallery_note": _gallery_note(masks, metrics),
        "statistics": statistics["classes"],
        "statistics_note": statistics["note"],
        "curves": _curves(run, len(rounds)),
        "failed": _failed(events),
        "cost": _cost(events),
        "cost_note": "Time the work took, added up over processes; reading and writing of files included.",
        "weights": _weights(run, masks),
        "versions": _json(run / "environment.json").get("versions", {}),
        "recipe": _text(run / "recipe.resolved.yaml"),
        "footer": "Made by Maskwright. Every mask has its story beside it: maskwright explain MASK.",
    }


def _rounds(run: Path) -> list[Path]:
    """The folders of masks of a run, in the order they were made."""
    found = [
        each for each in run.glob("round-*/masks") if each.is_dir() and re.fullmatch(r"round-\d+", each.parent.name)
    ]
    return sorted(found, key=lambda each: int(each.parent.name.removeprefix("round-")))


def _recipe(run: Path) -> dict[str, Any]:
    from maskwright.io.yaml_files import read_yaml

    path = run / "recipe.resolved.yaml"
    content = read_yaml(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    from maskwright.io.texts import read_json

    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def _events(run: Path) -> list[dict[str, Any]]:
    """The events of a run in their order; a last line that a killed run left half written is no event."""
    found = []
    for line in _text(run / EVENTS).splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def _subtitle(run: Path, rounds: Sequence[Path], masks: Mapping[str, MaskFile], classes: Classes) -> str:
    names = list(classes.named.values())
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    last = rounds[-1].parent.name.replace("-", " ")
    return f"{last} of {run.name}; {len(masks):,} pictures; classes: {listed or 'none'}"


def _masks(place: Path, only: Collection[str] | None) -> dict[str, Path]:
    """The masks of a round; none where every picture failed."""
    try:
        return find_masks(place, only)
    except EmptyResultError:
        return {}


def _left_out(first: Path, only: Collection[str] | None) -> list[str]:
    """How many frames of surveys the labels of the first round left out, each count once."""
    stories = [story_path(path) for path in _masks(first, only).values()]
    steps = [step for each in stories if each.is_file() for step in read_story(each).steps]
    return sorted({text for step in steps if (text := left_out_text(step.inputs))})


def _headlines(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"label": label, **metrics[key]} for key, label in HEADLINES.items() if _is_score(metrics.get(key))]


def _scored(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return ""
    counted = [f"{metrics[key]:,} {key}" for key in ("pictures", "pixels", "points", "objects") if metrics.get(key)]
    by = metrics.get("intervals", "picture")
    return (
        f"Scored on {', '.join(counted)}. Intervals: 95 %, bootstrap by {by}. Mean IoU averages the classes present in "
        "the truth; a class never predicted counts 0; unknown predictions are misses."
    )


def _classes(classes: Classes, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    scores = {key: metrics.get(key) or {} for key in ("iou", "dice", "boundary_f", "boundary_iou", "support")}
    names = list(dict.fromkeys([*classes.named.values(), *scores["iou"]]))
    colors = dict(zip(classes.names, classes.colors, strict=True))
    return [
        {"name": name, "color": colors.get(name, ""), **{key: each.get(name) for key, each in scores.items()}}
        for name in names
    ]


def _classes_note(metrics: Mapping[str, Any]) -> str:
    tolerance = metrics.get("boundary_tolerance_px")
    note = "IoU = TP / (TP + FP + FN) over all pixels of all pictures; a dash: in neither truth nor prediction."
    return f"{note} Boundaries match within {tolerance:g} px." if tolerance is not None else note


def _scores_by_round(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line per step of the run that was scored: what made it, how good it is, what that gained."""
    return [
        {
            "name": each["round"].replace("-", " "),
            "methods": ", ".join(each["methods"]),
            "mean_iou": each["mean_iou"],
            "gain": each["gain"]["mean_iou"],
            "pixel_accuracy": each["pixel_accuracy"],
        }
        for each in metrics.get("steps") or ()
    ]


@dataclass(frozen=True)
class _Example:
    name: str
    score: float | None


def _examples(masks: Mapping[str, MaskFile], metrics: Mapping[str, Any]) -> list[_Example]:
    """The pictures of the gallery: the worst by score, or, where nothing is scored, the first ones."""
    scored = [(each["name"], each.get("mean_iou")) for each in metrics.get("by_picture", ()) if each["name"] in masks]
    if not scored:
        return [_Example(name, None) for name in list(masks)[:WORST]]
    worst = sorted(scored, key=lambda each: (each[1] is None, each[1] or 0.0))
    return [_Example(name, score) for name, score in worst[:WORST]]


def _gallery(
    masks: Mapping[str, MaskFile], recipe: Mapping[str, Any], metrics: Mapping[str, Any], classes: Classes
) -> list[dict[str, Any]]:
    pictures, truths = _pictures(recipe), _truths(recipe)
    shown = []
    for example in _examples(masks, metrics):
        truth, mask = truths.get(example.name), masks[example.name]
        shown.append(
            {
                "name": example.name,
                "score": example.score,
                "picture": _shown(pictures.get(example.name)),
                "truth": _mask_shown(truth, classes) if truth else None,
                "mask": _mask_shown(mask, classes),
                "confidence": _confidence_shown(mask),
            }
        )
    return shown


def _gallery_note(masks: Mapping[str, MaskFile], metrics: Mapping[str, Any]) -> str:
    if not masks:
        return ""
    if not metrics.get("by_picture"):
        return (
            f"Nothing was scored here: the first {min(WORST, len(masks))} of {len(masks):,}. Chequered: nobody knows."
        )
    scored = len(metrics["by_picture"])
    return f"Lowest mean IoU first, {min(WORST, scored)} of {scored:,} pictures. Chequered: nobody knows."


def _pictures(recipe: Mapping[str, Any]) -> dict[str, Path]:
    """Where the pictures lie, as far as they still lie there."""
    from maskwright.io.samples import find_pictures

    try:
        return dict(find_pictures(recipe["images"])) if recipe.get("images") else {}
    except MaskwrightError:  # moved since: the page then says that there is no picture
        return {}


def _truths(recipe: Mapping[str, Any]) -> dict[str, MaskFile]:
    truth = (recipe.get("evaluate") or {}).get("truth")
    if not truth or not Path(truth).exists() or Path(truth).suffix == ".json":
        return {}
    return {name: MaskFile(path) for name, path in find_masks(truth).items()}


def _shown(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return picture_thumbnail(path)
    except (MaskwrightError, OSError):  # it failed in the run too, or has gone since: shown as absent
        return None


def _mask_shown(mask: MaskFile, classes: Classes) -> str:
    """A mask in the colours of `classes`, by name, so that truth and mask agree whatever their own ids and colours."""
    own = mask.own_classes or classes
    colors = dict(zip(classes.names, classes.colors, strict=True))
    shown = Classes(
        own.names, tuple(colors.get(each) or color for each, color in zip(own.names, own.colors, strict=True))
    )
    return mask_thumbnail(mask.thinned(4096), shown.palette())


def _confidence_shown(mask: MaskFile) -> str | None:
    from maskwright.io.images import read_image
    from maskwright.io.masks import confidence_path

    path = confidence_path(mask.path)
    if not path.is_file():
        return None
    return confidence_thumbnail(thinned(read_image(path).pixels, 4096)[..., 0].astype(np.float32) / np.float32(255))


def _statistics(masks: Mapping[str, MaskFile]) -> tuple[Classes, dict[str, Any]]:
    """The classes of the masks, and how often each occurs."""
    classes = next((each.own_classes for each in masks.values() if each.own_classes), Classes(()))
    pixels, pictures = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for mask in masks.values():
        counts = np.zeros(256, np.int64)
        for band in mask.bands():
            counts += np.bincount(band.class_ids.ravel(), minlength=256)
        pixels, pictures = pixels + counts, pictures + (counts > 0)
    known, total = int(pixels[:UNKNOWN].sum()), int(pixels.sum())
    rows = [
        {
            "name": name,
            "color": classes.colors[class_id],
            "pictures": int(pictures[class_id]),
            "pixels": int(pixels[class_id]),
            "fraction": pixels[class_id] / known if known else 0.0,
        }
        for class_id, name in classes.named.items()
    ]
    unknown = int(pixels[UNKNOWN])
    note = (
        f"Shares are of the {known:,} known pixels; {unknown:,} ({unknown / total:.1%}) are unknown." if total else ""
    )
    return classes, {"classes": rows, "note": note}


def _curves(run: Path, rounds: int) -> list[dict[str, Any]]:
    """Lists of numbers in the training story of each model of the run."""
    curves = []
    for path in (run / f"round-{number}" / "model" / "model.json" for number in range(1, rounds + 1)):
        training = _json(path).get("training") or {}
        for name, values in _columns(training.get("history") if isinstance(training, dict) else None).items():
            if isinstance(values, list) and values and all(isinstance(each, (int, float)) for each in values):
                curves.append({"name": f"{path.parent.parent.name}: {name}", "values": values, "over": "steps"})
    return curves


def _columns(history: Any) -> dict[str, Any]:
    """A history by what it tells, whether it was kept so, or as one line of values for each time it was told."""
    if isinstance(history, dict):
        return history
    lines = [each for each in history if isinstance(each, dict)] if isinstance(history, list) else []
    names = dict.fromkeys(name for line in lines for name in line if name != "step")
    return {name: [line[name] for line in lines if name in line] for name in names}


def _failed(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What failed since the run was started last."""
    starts = [index for index, each in enumerate(events) if each.get("event") == "run started"]
    recent = events[starts[-1] :] if starts else events
    return [(str(each["name"]), str(each["reason"])) for each in recent if each.get("event") == "failed"]


def _cost(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Time per stage and step; of an item that was made again the last time counts."""
    made = {(each["stage"], each["name"]): each["seconds"] for each in events if each.get("event") == "done"}
    seconds: dict[tuple[str, str], list[float]] = {}
    for (stage, _), steps in made.items():
        for step, taken in steps.items():
            seconds.setdefault((stage, step), []).append(float(taken))
    return [
        {
            "stage": f"{stage}: {step}",
            "items": len(each),
            "seconds": sum(each),
            "seconds_per_item": sum(each) / len(each),
        }
        for (stage, step), each in seconds.items()
    ]


def _weights(run: Path, masks: Mapping[str, MaskFile]) -> list[dict[str, Any]]:
    """The weights the stories name, with their licences where they are known."""
    from maskwright.models.known import KNOWN

    trained = _trained(run)
    used: dict[tuple[str, str], dict[str, Any]] = {}
    for mask in masks.values():
        if not story_path(mask.path).is_file():
            continue
        for step in read_story(story_path(mask.path)).steps:
            if step.weights is not None:
                known = next((each for each in KNOWN.values() if each.sha256 == step.weights), None)
                licence = known.licence if known else trained.get(step.weights, "not known here; see the model's card")
                used[step.name, step.weights] = {"name": step.name, "licence": licence, "sha256": step.weights}
    return list(used.values())


def _trained(run: Path) -> dict[str, str]:
    """Hash to what it is, of the models this run trained."""
    view = find_ledger(run / EVENTS)
    inputs = view.inputs() if view is not None else []
    return {each.sha256: f"trained in this run ({each.path})" for each in inputs if each.path.endswith("/model")}


def _is_score(value: Any) -> bool:
    return isinstance(value, dict) and value.get("value") is not None
