"""`maskwright check`: is everything a recipe needs there and right?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen, duration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="the recipe to look at")
    words.add_settings(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.check import check

    found = check(arguments.recipe, arguments.settings)
    return Answer(found, _page(found), 0 if found["ready"] else 2)


def _page(found: dict[str, Any]) -> str:
    if not found["ready"]:
        count = len(found["problems"])
        head = f"{found['recipe']}: {count} problem{'s' if count != 1 else ''}"
        return "\n".join([head, *(f"  {each}" for each in found["problems"])])
    lines = [f"{found['recipe']}: ready"]
    lines.append(
        f"  {found['pictures']:,} pictures, {found['megapixels']:,.1f} megapixels, {len(found['classes'])} classes"
    )
    lines += [f"  without hints: {each['name']}" for each in found["failed"]]
    lines += [f"  {each['step']:<24} {_cost(each)}" for each in found["steps"]]
    return "\n".join(lines)


def _cost(step: dict[str, Any]) -> str:
    if step["seconds"] is None:
        return "never measured here"
    return (
        f"about {duration(step['seconds'])} on one core, {step['memory_bytes'] / 1e6:,.0f} MB for the largest picture"
    )
