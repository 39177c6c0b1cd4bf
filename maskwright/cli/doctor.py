"""`maskwright doctor`: what this machine has, what is missing, and the command that helps."""

from __future__ import annotations

import argparse
from typing import Any

from maskwright.cli.screen import Answer, Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none of its own."""


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    from maskwright.pipelines.doctor import examine

    found = examine()
    return Answer(found, _page(found), 0 if found["works"] else 2)


def _page(found: dict[str, Any]) -> str:
    lines = [f"python {found['python']} on {found['system']}"]
    lines += [f"  {name:<24} {version or 'missing'}" for name, version in found["versions"].items()]
    lines.append(f"compiled kernels: {'yes' if found['compiled_kernels'] else 'no, the slower numpy ones are used'}")
    lines += ["devices"] + [f"  {each['name']:<24} {each['kind']}{_memory(each)}" for each in found["devices"]]
    lines.append("extras")
    for each in found["extras"]:
        state = f"missing {', '.join(each['missing'])}; {each['command']}" if each["missing"] else "complete"
        lines.append(f"  {each['name']:<24} {state}")
    weights = found["weights"]
    lines.append(
        f"weights: {len(weights['found'])} of {weights['known']} known ones, looked in {weights['looked_in'][0]}"
    )
    lines += [f"  {name:<24} {path}" for name, path in weights["found"].items()]
    lines.append(f"disk: {found['disk_free_bytes'] / 1e9:.0f} GB free here")
    lines += [f"problem: {each}" for each in found["problems"]]
    return "\n".join([*lines, "the core works" if found["works"] else "the core does not work; see the problems above"])


def _memory(device: dict[str, Any]) -> str:
    return f", {device['memory_bytes'] / 1e9:.0f} GB" if device["memory_bytes"] else ""
