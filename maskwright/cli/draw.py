"""`maskwright draw`: pictures with their parts, joints and confidence drawn over them."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words.add_images(parser)
    parser.add_argument("--masks", type=Path, metavar="DIR", help="the masks of the pictures")
    parser.add_argument(
        "--hints", type=Path, action="append", metavar="FILE", help="joints and outlines; may be given again"
    )
    parser.add_argument(
        "--panel", action="append", choices=("picture", "parts", "confidence"), dest="panels",
        help="what to draw; again for a panel beside it (default parts: regions, joints and the lines between them)",
    )  # fmt: skip
    parser.add_argument("--profile", metavar="NAME", help="the skeleton that says which region a joint belongs to")
    parser.add_argument("--width", type=words.positive, default=1200, metavar="PX", help="of a panel (default 1200)")
    parser.add_argument("--format", choices=("png", "pdf"), default="png", help="of the drawings (default png)")
    parser.add_argument("--names", action="store_true", help="write the names of joints beside them")
    parser.add_argument("--close-up", action="store_true", help="cut pictures to their animals")
    parser.add_argument("--gallery", action="store_true", help="all pictures on one sheet as well, gallery.png")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of the drawings")
    parser.add_argument("--fresh", action="store_true", help="start a new folder beside an existing one")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.draw import draw

    with screen.progress("draw") as progress:
        outcome = draw(
            arguments.images,
            masks=arguments.masks,
            hints=arguments.hints,
            panels=arguments.panels or ("parts",),
            profile=arguments.profile,
            width=arguments.width,
            format=arguments.format,
            named_joints=arguments.names,
            close_up=arguments.close_up,
            gallery=arguments.gallery,
            out=arguments.out,
            fresh=arguments.fresh,
            progress=progress,
        )
    return words.outcome_answer(outcome, "drawn")
