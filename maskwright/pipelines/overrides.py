"""Settings from outside: `--set a.b.c=value`, put into what a file says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from maskwright.errors import InputError


def overridden(content: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Keys and values with every override put in, and one line for each that cannot be."""
    result: dict[str, Any] = _copied(content)
    problems: list[str] = []
    for text in overrides:
        try:
            _set(result, *parse_setting(text))
        except InputError as error:
            problems.append(str(error))
    return result, problems


def parse_setting(text: str) -> tuple[tuple[str, ...], Any]:
    """The dotted name and the YAML value of one `--set`.

    >>> parse_setting("label.0.settings.reach_px=40")
    (('label', '0', 'settings', 'reach_px'), 40)
    """
    from maskwright.io.yaml_files import parse_yaml

    key, equals, value = text.partition("=")
    names = tuple(each.strip() for each in key.split("."))
    if not equals or not all(names):
        raise InputError(f"--set {text}: this has no name or no '='; write a.b=value")
    parsed, _ = parse_yaml(value, f"--set {text}")
    return names, parsed


def _set(content: Any, names: tuple[str, ...], value: Any) -> None:
    where = f"--set {'.'.join(names)}"
    for depth, name in enumerate(names):
        last = depth == len(names) - 1
        if isinstance(content, list):
            name = _index(content, name, where)
        elif not isinstance(content, dict):
            raise InputError(
                f"{where}: {'.'.join(names[:depth])} is {content!r}, which has nothing inside it; "
                "name a key that holds others"
            )
        elif not last and content.get(name) is None:
            content[name] = {}
        if last:
            content[name] = value
        else:
            content = content[name]


def _index(content: list[Any], name: str, where: str) -> Any:
    methods = [each.get("method") if isinstance(each, dict) else None for each in content]
    if methods.count(name) == 1:
        return methods.index(name)
    if re.fullmatch(r"\d+", name) and int(name) < len(content):
        return int(name)
    known = ", ".join([*(str(each) for each in range(len(content))), *(str(each) for each in methods if each)])
    raise InputError(f"{where}: there is no {name!r} in this list; name one of {known or 'none'}")


def _copied(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _copied(each) for key, each in content.items()}
    return [_copied(each) for each in content] if isinstance(content, (list, tuple)) else content
