"""`maskwright train`: masks, or hints alone, to a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="a learner; `maskwright methods` lists them")
    words.add_images(parser)
    parser.add_argument("--masks", type=Path, metavar="DIR", help="the masks to learn from")
    parser.add_argument("--hints", type=Path, metavar="FILE", help="hints to learn from, besides masks or alone")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="classes.yaml; else what the masks say")
    words.add_out(parser, "MODEL")
    parser.add_argument("--onnx", action="store_true", help="also write model.onnx beside the model")
    words.add_settings(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.commands import train

    with screen.progress("train") as progress:
        outcome = train(
            arguments.method,
            arguments.images,
            masks=arguments.masks,
            hints=arguments.hints,
            classes=arguments.classes,
            out=arguments.out,
            settings=words.read_settings(arguments.settings),
            fresh=arguments.fresh,
            progress=progress,
            onnx=arguments.onnx,
        )
    return words.outcome_answer(outcome, "learned from")
