"""`maskwright evaluate`: scores with intervals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen, failures

COUNTED = ("pictures", "pixels", "points", "objects")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("predicted", type=Path, metavar="PREDICTED", help="a folder of masks, a mask, or a COCO json")
    parser.add_argument("truth", type=Path, nargs="?", metavar="TRUTH", help="the same, known to be right")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="classes.yaml; else what the masks say")
    parser.add_argument("--points", type=Path, metavar="FILE", help="points with true classes; alone or besides TRUTH")
    parser.add_argument(
        "--sites", type=Path, metavar="FILE", help="CSV image,site: intervals between sites, not pictures"
    )
    parser.add_argument(
        "--tolerance", type=words.pixels, default=2.0, metavar="PX", help="boundaries this near match (2)"
    )
    parser.add_argument(
        "--kind", choices=("mask", "box", "keypoint"), help="COCO: what is compared (default: what is there)"
    )


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.evaluate import evaluate

    with screen.progress("evaluate") as progress:
        scores = evaluate(
            arguments.predicted,
            arguments.truth,
            classes=arguments.classes,
            points=arguments.points,
            sites=arguments.sites,
            kind=arguments.kind,
            tolerance_px=arguments.tolerance,
            progress=progress,
        )
    failed = [(each["name"], each["reason"]) for each in scores["failed"]]
    counts = [scores[key] for key in COUNTED[1:] if key in scores]
    is_empty = bool(counts) and not any(counts)
    notes = [*failures(failed), *(["nothing was scored: the truth holds no known pixel, point or object"] * is_empty)]
    return Answer(scores, scores_table(scores), 1 if failed else 3 if is_empty else 0, notes)


def scores_table(scores: dict[str, Any]) -> str:
    """Headline scores, then one line per class."""
    lines = [_headline(name, scores[name]) for name in scores if _is_headline(scores[name])]
    per_class = {name: scores[name] for name in ("iou", "dice", "boundary_f", "boundary_iou") if name in scores}
    per_class = {name: each for name, each in per_class.items() if isinstance(each, dict) and not _is_headline(each)}
    if per_class:
        lines += ["", f"{'class':<24}" + "".join(f"{name:>14}" for name in per_class)]
        names = list(next(iter(per_class.values())))
        lines += [
            f"{name:<24}" + "".join(f"{_short(each.get(name)):>14}" for each in per_class.values()) for name in names
        ]
    found = [words.counted(scores[key], key) for key in COUNTED if key in scores]
    return "\n".join([*lines, "", ", ".join(found)])


def _headline(name: str, score: dict[str, float]) -> str:
    return f"{name:<24}{_short(score):>14}  ({_short(score['low'])} to {_short(score['high'])}, 95 %)"


def _is_headline(score: Any) -> bool:
    return isinstance(score, dict) and {"value", "low", "high"} <= set(score)


def _short(score: Any) -> str:
    number = score["value"] if isinstance(score, dict) else score
    return "-" if number is None or number != number else f"{number:.4f}"
