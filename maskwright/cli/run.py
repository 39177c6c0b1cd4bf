"""`maskwright run`: a whole recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="what to do")
    words.add_out(parser, "RUN")
    words.add_settings(parser)
    words.add_workers(parser)
    parser.add_argument("--cluster", metavar="ADDRESS", help="a dask scheduler, for example tcp://10.0.0.1:8786")
    parser.add_argument("--device", type=words.device, default="auto", help="auto, cpu, cuda or mps (default auto)")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.run import run as run_recipe

    with screen.progress("run") as progress:
        outcome = run_recipe(
            arguments.recipe,
            out=arguments.out,
            settings=arguments.settings,
            workers=arguments.workers,
            cluster=arguments.cluster,
            device=arguments.device,
            fresh=arguments.fresh,
            progress=progress,
        )
    return words.outcome_answer(outcome, "done")
