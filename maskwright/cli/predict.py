"""`maskwright predict`: a segmenter to masks."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="the folder of a trained model")
    words.add_images(parser)
    words.add_out(parser)
    parser.add_argument(
        "--window", type=words.positive, metavar="PX",
        help="side of a window (what the model says it needs, else 512; the whole picture for one of train_parts)",
    )  # fmt: skip
    parser.add_argument("--overlap", type=words.whole, default=64, metavar="PX", help="shared by neighbours (64)")
    parser.add_argument(
        "--products",
        action="append",
        default=[],
        metavar="LIST",
        help="also make of each mask: cog, areas, polygons, xyz, tms, pmtiles, pdf, html, or all; commas between",
    )
    words.add_workers(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.errors import InputError
    from maskwright.pipelines.commands import predict

    window = 512 if arguments.window is None else arguments.window
    if arguments.overlap >= window:
        raise InputError(
            f"--overlap {arguments.overlap} is not smaller than --window {window}: nothing would move; "
            f"lower it, for example to {window // 8}"
        )
    with screen.progress("predict") as progress:
        outcome = predict(
            arguments.model,
            arguments.images,
            out=arguments.out,
            window=arguments.window,
            overlap=arguments.overlap,
            workers=arguments.workers,
            fresh=arguments.fresh,
            products=arguments.products,
            progress=progress,
        )
    return words.outcome_answer(outcome, "predicted")
