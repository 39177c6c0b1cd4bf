"""`maskwright explain`: how a mask came to be."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mask", type=Path, metavar="MASK", help="a mask with its story beside it")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.explain import explain

    story = explain(arguments.mask)
    return Answer(story.record, story.text)
