"""`maskwright refine`: masks to better masks."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="a refiner; `maskwright methods` lists them")
    words.add_images(parser)
    parser.add_argument("--masks", type=Path, required=True, metavar="DIR", help="the masks to make better")
    words.add_out(parser)
    words.add_settings(parser)
    words.add_workers(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.commands import refine

    with screen.progress("refine") as progress:
        outcome = refine(
            arguments.method,
            arguments.images,
            masks=arguments.masks,
            out=arguments.out,
            settings=words.read_settings(arguments.settings),
            workers=arguments.workers,
            fresh=arguments.fresh,
            progress=progress,
        )
    return words.outcome_answer(outcome, "refined")
