"""`maskwright demo`: toy data and the shipped recipes, end to end."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (default all)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where data, runs and index.html go")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.demo import demo

    with screen.progress("demo") as progress:
        index = demo(arguments.names, arguments.out, progress)
    return Answer({"index": str(index)}, str(index))
