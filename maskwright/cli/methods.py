"""`maskwright methods`: the methods there are, and the settings of one."""

from __future__ import annotations

import argparse
from typing import Any

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="one method: its settings, types, defaults, paper")


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.methods.catalogue import describe

    if arguments.name is None:
        return _all(screen)
    description = describe(arguments.name)
    return Answer(description, _one(description))


def _all(screen: Screen) -> Answer:
    from maskwright.errors import MaskwrightError
    from maskwright.methods.catalogue import describe, list_methods

    methods, broken = [], []
    for name in list_methods():
        try:
            found = describe(name)
            methods.append({"name": name, "stage": found["stage"], "summary": _first_line(found["doc"])})
        except MaskwrightError as error:  # a plug-in that does not load hides nobody else
            broken.append({"name": name, "reason": str(error)})
    lines = [f"{each['name']:<20} {each['stage']:<9} {each['summary']}" for each in methods]
    notes = [f"failed: {each['name']}: {each['reason']}" for each in broken]
    return Answer({"methods": methods, "failed": broken}, "\n".join(lines), 1 if broken else 0, notes)


def _one(description: dict[str, Any]) -> str:
    lines = [f"{description['name']} ({description['stage']})", "", description["doc"], "", "settings:"]
    lines += [
        f"  {each['name']}: {each['type']}" + (" (needed)" if each["required"] else f" = {each['default']}")
        for each in description["settings"]
    ]
    return "\n".join([*lines, *([] if description["settings"] else ["  none"])])


def _first_line(doc: str) -> str:
    return doc.strip().splitlines()[0] if doc.strip() else ""
