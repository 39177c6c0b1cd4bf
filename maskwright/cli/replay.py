"""`maskwright replay`: make a mask again and compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mask", type=Path, metavar="MASK", help="a mask with its story beside it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the mask made again goes")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.explain import replay

    replayed = replay(arguments.mask, arguments.out)
    record = {"identical": replayed.identical, "differing": list(replayed.differing), "out": str(arguments.out)}
    if replayed.identical:
        return Answer(record, f"{arguments.mask}: made again, identical in every pixel")
    notes = [f"differs: {each}" for each in replayed.differing]
    return Answer(record, f"{arguments.mask}: not identical", 1, notes)
