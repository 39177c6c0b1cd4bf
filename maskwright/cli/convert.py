"""`maskwright convert`: between formats, saying what was lost."""

from __future__ import annotations

import argparse
from pathlib import Path

from maskwright.cli.screen import Answer, Screen, plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="masks, objects, points, keypoints or tags")
    parser.add_argument(
        "--to",
        required=True,
        metavar="FORMAT",
        help="masks, geotiff, coco, panoptic, yolo, labelme, geojson, gpkg; part-tokens; csv, coralnet, dlc for hints",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DST", help="the file or folder to write")
    parser.add_argument(
        "--images", metavar="IMAGES", help="the pictures, where a format does not know their size or place"
    )
    parser.add_argument("--classes", type=Path, metavar="FILE", help="classes.yaml; else what the source says")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.convert import convert

    conversion = convert(
        arguments.source, arguments.to, arguments.out, images=arguments.images, classes=arguments.classes
    )
    notes = [f"lost: {loss}" for loss in conversion.losses] or ["nothing was lost"]
    count = len(conversion.written)
    notes.append(f"{count} file{'s' if count != 1 else ''} written to {arguments.out}")
    return Answer(plain(conversion), notes=notes)
