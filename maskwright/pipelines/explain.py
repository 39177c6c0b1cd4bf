"""How a mask came to be, and whether it comes out the same again.

A story names its inputs by file name and hash, never by place, so that two runs of the same data write the same bytes
wherever they write them. Where the files lay stands in the ledger of the folder, relative to it and absolute: a project
that moves as a whole is still found, and so are masks that were moved alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.io.stories import story_dict
from maskwright.pipelines.replay import Replay, Sources, known_story, replay

__all__ = ["Replay", "Story", "explain", "replay"]


@dataclass(frozen=True)
class Story:
    """A mask's story: `record` as it stands in the file, seconds joined from the ledger, and `text` as a tree."""

    record: dict[str, Any]
    text: str


def explain(mask: str | Path) -> Story:
    """How a mask came to be: the last step at the root, below each step what it was made from."""
    mask = Path(mask)
    story = known_story(mask)
    record = story_dict(story)
    for step, seconds in zip(reversed(record["steps"]), _seconds(record["steps"], Sources(mask, story)), strict=True):
        step["seconds"] = seconds
    return Story(record, "\n".join(_lines(mask, record)))


def _seconds(steps: Sequence[Mapping[str, Any]], sources: Sources) -> Iterator[float | None]:
    """For each step, the last one first, what the ledgers say it took."""
    waiting = [dict(each) for each in sources.seconds]
    for step in reversed(steps):
        while waiting and step["name"] not in waiting[0]:
            waiting.pop(0)
        yield waiting[0].pop(step["name"]) if waiting else None


def _lines(mask: Path, record: Mapping[str, Any]) -> Iterator[str]:
    yield mask.name
    image, classes = record.get("image") or {}, record.get("classes") or ()
    yield f"├── picture {image.get('path', 'unknown')}  {_short(image.get('sha256'))}"
    names = ", ".join(f"{each['id']} {each['name']}" for each in classes)
    yield f"├── classes {names}"
    yield from _branch(_tree(record["steps"]), "", is_last=True)


@dataclass(frozen=True)
class _Node:
    step: Mapping[str, Any]
    before: tuple[_Node, ...]


def _tree(steps: Sequence[Mapping[str, Any]]) -> _Node | None:
    """Steps in their order as a tree: a fuse joins the branches that its inputs count, any other step stands on one."""
    branches: list[_Node] = []
    for step in steps:
        counts = (step.get("inputs") or {}).get("steps") if step["name"] == "fuse" else None
        if counts is not None:
            taken = branches[-len(counts) :]
            branches = [*branches[: -len(counts)], _Node(step, tuple(taken))]
        elif branches and not _is_labelling(step):
            branches[-1] = _Node(step, (branches[-1],))
        else:
            branches.append(_Node(step, ()))
    return branches[-1] if branches else None


def _is_labelling(step: Mapping[str, Any]) -> bool:
    return bool({"hints", "model", "samples"} & set(step.get("inputs") or ()))


def _branch(node: _Node | None, indent: str, *, is_last: bool) -> Iterator[str]:
    if node is None:
        yield f"{indent}└── no step is known"
        return
    yield f"{indent}{'└── ' if is_last else '├── '}{_step_text(node.step)}"
    indent += "    " if is_last else "│   "
    inputs = list(_input_texts(node.step))
    for n, text in enumerate(inputs):
        yield f"{indent}{'└── ' if n == len(inputs) - 1 and not node.before else '├── '}{text}"
    for n, each in enumerate(node.before):
        yield from _branch(each, indent, is_last=n == len(node.before) - 1)


def _step_text(step: Mapping[str, Any]) -> str:
    settings = " ".join(f"{key}={value}" for key, value in (step.get("settings") or {}).items())
    versions = " ".join(f"{key} {value}" for key, value in (step.get("versions") or {}).items() if key == "maskwright")
    weights = f"weights {step['weights'][:12]}" if step.get("weights") else ""
    seconds = f"{step['seconds']:.3g} s" if step.get("seconds") is not None else ""
    return "  ".join(each for each in (step["name"], settings, weights, versions, seconds) if each)


def _input_texts(step: Mapping[str, Any]) -> Iterator[str]:
    for role, value in (step.get("inputs") or {}).items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping) and not {"path", "sha256"} & set(each):
                yield f"{role} {' '.join(f'{key}={count}' for key, count in each.items())}"
            elif isinstance(each, Mapping):
                yield f"{role} {each.get('path', '')}  {_short(each.get('sha256'))}".replace("  ", " ", 0)


def _short(sha256: Any) -> str:
    return f"sha256 {str(sha256)[:12]}" if sha256 else "sha256 unknown"
