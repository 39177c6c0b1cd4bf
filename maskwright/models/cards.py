"""The model card: what a model is, how it was made, what it scored, and what nobody measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def model_card(told: Mapping[str, Any]) -> str:
    """README.md of a model, in Markdown, from what model.json holds; nothing is said that is not in there."""
    training, scores = told.get("training") or {}, told.get("scores") or {}
    parts = [
        "---", "library_name: maskwright", "pipeline_tag: image-segmentation", *_licence_line(told), "---", "",
        f"# Segmenter of {_listed([name for name in told['class_names'] if name])}", "",
        "Made by Maskwright. `model.json` holds all of this as data.", "",
        *_table("What it is", _facts(told)),
        *_table("How it was trained", {key: value for key, value in training.items() if key != "history"}),
        *_scores(scores),
        *_curve(training.get("history") or ()),
        *_limits(told, scores),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _licence_line(told: Mapping[str, Any]) -> list[str]:
    return ["license: other", f"license_name: {told['licence']}"] if told.get("licence") else []


def _facts(told: Mapping[str, Any]) -> dict[str, Any]:
    architecture = told["architecture"]
    shown = {key: value for key, value in architecture.items() if key != "config"}
    metres, window = told.get("pixel_m"), told.get("window_px")
    return {
        "network": ", ".join(f"{key} {value}" for key, value in shown.items()),
        "started from": told.get("origin") or "random weights",
        "classes by id": ", ".join(f"{index} {name}" for index, name in enumerate(told["class_names"]) if name),
        "bands": len(told["mean"]),
        "mean of each band": _listed(told["mean"]),
        "standard deviation of each band": _listed(told["std"]),
        "pixel on the ground": f"{metres:.6g} m; other pictures are resampled to it" if metres else "not known",
        "windows it is shown": f"{window} px where nobody names others" if window else "any",
        "licence of what it grew from": told.get("licence") or "none: no weights of others",
        "sha256 of the weights": told.get("sha256", ""),
    }


def _table(title: str, facts: Mapping[str, Any]) -> list[str]:
    rows = [f"| {key} | {_text(value)} |" for key, value in facts.items()]
    return [f"## {title}", "", "| | |", "|---|---|", *rows, ""] if rows else []


def _scores(scores: Mapping[str, Any]) -> list[str]:
    if not scores:
        return ["## Scores", "", "None: nothing was held out.", ""]
    plain = {key: value for key, value in scores.items() if not isinstance(value, Mapping)}
    nested = {f"{key} of {name}": each for key, value in scores.items() if isinstance(value, Mapping)
              for name, each in value.items()}  # fmt: skip
    return _table("Scores on what was held out", {**plain, **nested})


def _curve(history: Sequence[Mapping[str, Any]]) -> list[str]:
    if not history:
        return []
    keys = sorted(history[0], key=lambda key: (key != "step", key))
    head = ["## Learning curve", "", f"| {' | '.join(keys)} |", "|---" * len(keys) + "|"]
    return [*head, *(f"| {' | '.join(_text(each.get(key)) for key in keys)} |" for each in history), ""]


def _limits(told: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    lines = ["## Limits", ""]
    if scores:
        lines.append("- Scores compare with the masks it was trained from, which may themselves be wrong.")
    lines.append("- Nobody measured it on pictures of other places, seasons or cameras.")
    if told.get("licence"):
        lines.append(f"- It grew from weights under this licence: {told['licence']}.")
    return lines


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(_text(each) for each in values)


def _text(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return _listed(value)
    return str(value).replace("|", "\\|")
