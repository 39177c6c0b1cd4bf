"""`maskwright joints`: pictures to the joints of their animals."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words.add_images(parser)
    parser.add_argument(
        "--model", action="append", required=True, metavar="NAME",
        help="a pose network: known weights, a file or a folder; a second one mends the joints of the first",
    )  # fmt: skip
    parser.add_argument(
        "--vocabulary", action="append", metavar="NAME",
        help="per model what its channels mean, if its file does not say: superanimal, ap10k, animal_pose, human17",
    )  # fmt: skip
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="COCO file with the boxes of the animals")
    parser.add_argument("--detector", metavar="NAME", help="finds boxes that are not given: known weights or a folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .json file to write or continue")
    parser.add_argument("--fresh", action="store_true", help="write a new file beside an existing one")
    parser.add_argument(
        "--device", type=words.device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default auto)"
    )
    words.add_settings(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.joints import joints

    with screen.progress("joints") as progress:
        outcome = joints(
            arguments.images,
            model=arguments.model,
            vocabulary=arguments.vocabulary or "auto",
            boxes=arguments.boxes,
            detector=arguments.detector,
            out=arguments.out,
            settings=words.read_settings(arguments.settings),
            device=arguments.device,
            fresh=arguments.fresh,
            progress=progress,
        )
    return words.outcome_answer(outcome, "read")
