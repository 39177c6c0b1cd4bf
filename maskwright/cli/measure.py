"""`maskwright measure`: areas, cover, counts and lengths."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskwright.cli import words
from maskwright.cli.screen import Answer, Screen, failures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("masks", metavar="MASKS", help="a folder of masks, one mask, or a glob in quotes")
    parser.add_argument("--by", choices=("site",), help="totals per site, with error bars between its pictures")
    parser.add_argument(
        "--sites", type=Path, metavar="FILE", help="CSV image,site; else the folder of a mask is its site"
    )
    parser.add_argument("--classes", type=Path, metavar="FILE", help="classes.yaml; else what the masks say")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="also write one line per picture and class")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.measure import measure, write_measures

    with screen.progress("measure") as progress:
        measures = measure(
            arguments.masks, by=arguments.by, sites=arguments.sites, classes=arguments.classes, progress=progress
        )
    if arguments.out:
        write_measures(arguments.out, measures)
        screen.note(f"written to {arguments.out}")
    failed = [(each["name"], each["reason"]) for each in measures["failed"]]
    return Answer(measures, measures_table(measures), 1 if failed else 0, failures(failed))


def measures_table(measures: dict[str, Any]) -> str:
    """One line per class, over all pictures and then per site."""
    blocks = [_block(f"all {words.counted(measures['pictures'], 'pictures')}", measures["classes"])]
    for site, group in measures.get("by_site", {}).items():
        blocks.append(_block(f"{site or 'no site'}, {words.counted(group['pictures'], 'pictures')}", group["classes"]))
    return "\n\n".join(blocks)


def _block(title: str, classes: dict[str, Any]) -> str:
    head = f"{title:<28}{'cover':>9}{'95 % interval':>20}{'area':>18}{'objects':>10}{'longest':>14}"
    return "\n".join([head, *(_line(name, found) for name, found in classes.items())])


def _line(name: str, found: dict[str, Any]) -> str:
    cover = found["cover_fraction"]
    interval = "-" if cover["low"] != cover["low"] else f"{cover['low']:.4f} to {cover['high']:.4f}"
    on_earth = found["area_m2"] is not None
    area = f"{found['area_m2']:,.4g} m2" if on_earth else f"{found['pixels']:,} px"
    longest = f"{found['longest_m']:,.4g} m" if on_earth else f"{found['longest_px']:,.1f} px"
    return f"  {name:<26}{cover['value']:>9.4f}{interval:>20}{area:>18}{found['count']:>10,}{longest:>14}"
