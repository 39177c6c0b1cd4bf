"""`maskwright label`: hints to masks."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="a labeler; `maskwright methods` lists them")
    words.add_images(parser)
    parser.add_argument(
        "--hints", type=Path, required=True, action="append", metavar="FILE",
        help="points, tags, keypoints, masks, ...; may be given again, as joints and outlines are",
    )  # fmt: skip
    parser.add_argument("--classes", type=Path, metavar="FILE", help="classes.yaml; else the names found in the hints")
    words.add_out(parser)
    words.add_settings(parser)
    words.add_workers(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.commands import label

    with screen.progress("label") as progress:
        outcome = label(
            arguments.method,
            arguments.images,
            hints=arguments.hints,
            classes=arguments.classes,
            out=arguments.out,
            settings=words.read_settings(arguments.settings),
            workers=arguments.workers,
            fresh=arguments.fresh,
            progress=progress,
        )
    return words.outcome_answer(outcome, "labelled")
