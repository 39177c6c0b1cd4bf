"""`maskwright convert`: between formats, saying what was lost."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="masks, objects or polygons in any format known")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="the format to write")
    parser.add_argument("--out", type=Path, required=True, metavar="DST", help="the file or folder to write")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.convert import convert

    conversion = convert(arguments.source, arguments.to, arguments.out)
    losses = [str(loss) for loss in conversion.losses]
    notes = [f"lost: {loss}" for loss in losses] or ["nothing was lost"]
    return Answer({"written": conversion.written, "losses": losses}, notes=[*notes, f"written to {arguments.out}"])
