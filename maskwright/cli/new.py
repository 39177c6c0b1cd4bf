"""`maskwright new`: a project to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="the name of a shipped recipe, for example points")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to make; it must be new or empty")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.new import new

    recipe = new(arguments.recipe, arguments.folder)
    written = sorted(str(each) for each in arguments.folder.rglob("*") if each.is_file())
    next_words = f"try it: maskwright run {recipe} --out {arguments.folder / 'run'}"
    return Answer({"recipe": str(recipe), "written": written}, str(recipe), notes=[next_words])
