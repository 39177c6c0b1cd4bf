"""YAML read with care: plain values only, a line number for everything, and no text that unfolds without end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from maskwright.errors import FormatError
from maskwright.io.texts import read_text

MOST_CHARACTERS = 2_000_000
MOST_ALIASES = 1_000
MOST_VALUES = 100_000
DEEPEST = 60

Lines = dict[tuple[str | int, ...], int]
"""Where each value stands: the keys and list positions that lead to it -> its line, counted from 1."""


def read_yaml(path: str | Path) -> Any:
    """What a YAML file holds (None when it is empty); problems are FormatErrors that name file and line."""
    return read_yaml_with_lines(path)[0]


def read_yaml_with_lines(path: str | Path) -> tuple[Any, Lines]:
    """What a YAML file holds, and the line of every value in it."""
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> tuple[Any, Lines]:
    """The value of a YAML text and the line of everything in it; `where` names the text in errors."""
    if len(text) > MOST_CHARACTERS:
        raise FormatError(f"{where}: {len(text)} characters; expected at most {MOST_CHARACTERS}; is it the right file?")
    try:
        _check_events(text, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, {}
        _check_unfolded(node, where)
        lines: Lines = {}
        _note_lines(node, (), lines, where)
        return _value(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise FormatError(f"{where}{line}: not YAML: {error.problem or error.context}; mend that line") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{where}: not YAML that can be read: {reason}; mend or remove it") from error


def _check_events(text: str, where: str) -> None:
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > DEEPEST:
            raise FormatError(f"{where}:{line}: nested more than {DEEPEST} deep; expected a plain file; flatten it")
        if aliases > MOST_ALIASES:
            raise FormatError(f"{where}:{line}: more than {MOST_ALIASES} aliases (*name); write the values out")


def _check_unfolded(root: yaml.Node, where: str) -> None:
    """Refuse aliases that contain themselves, and texts that unfold to far more than they show."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            if sizes[id(node)] == 0:
                raise _bomb(node, where, "an alias that contains itself")
            return sizes[id(node)]
        sizes[id(node)] = 0
        total = 1 + sum(map(size, _children(node)))
        if total > MOST_VALUES:
            raise _bomb(node, where, f"unfolds to more than {MOST_VALUES} values")
        sizes[id(node)] = total
        return total

    size(root)


def _bomb(node: yaml.Node, where: str, what: str) -> FormatError:
    return FormatError(f"{where}:{node.start_mark.line + 1}: {what}; expected a plain file; write the values out")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _note_lines(node: yaml.Node, path: tuple[str | int, ...], lines: Lines, where: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _note_lines(child, (*path, index), lines, where)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, child in node.value:
            name = str(key.value)
            if name in seen and name != "<<":
                line = key.start_mark.line + 1
                raise FormatError(f"{where}:{line}: the key {name!r} stands there twice; expected once; remove one")
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _note_lines(child, (*path, name), lines, where)


def _value(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()
