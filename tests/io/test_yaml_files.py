from __future__ import annotations

import time
from pathlib import Path

import pytest

from maskwright.errors import FormatError
from maskwright.io.yaml_files import parse_yaml, read_yaml


def test_values_come_with_their_lines() -> None:
    value, lines = parse_yaml("a: 1\nb:\n  - x\n  - {c: 2}\n", "r.yaml")
    assert value == {"a": 1, "b": ["x", {"c": 2}]}
    assert lines[("a",)] == 1
    assert lines[("b", 0)] == 3
    assert lines[("b", 1, "c")] == 4
    assert parse_yaml("", "r.yaml") == (None, {})


def test_aliases_and_merges_of_honest_files_work() -> None:
    assert parse_yaml("a: &x {k: 1}\nb: *x\nc: {<<: *x, m: 2}", "r")[0]["c"] == {"k": 1, "m": 2}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (BOMB, "unfolds to more than"),
        ("a: &x [*x]", "contains itself"),
        ("[" * 5000, "nested more than 60 deep"),
        ("a: &x 1\nb: [" + ", ".join(["*x"] * 2000) + "]", "aliases"),
        ("x" * 2_000_001, "characters"),
        ("a: 1\na: 2", "r.yaml:2: the key 'a' stands there twice"),
        ("a: [1\nb: 2", "r.yaml:2: not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "r.yaml:1: not YAML"),
        ("a: 2024-13-45", "month must be"),
        ("a: \x00", "not YAML"),
        ("? [1, 2]\n: 3\n? {a: 1}\n: 2", "not YAML"),
        ("a: 1\n---\nb: 2", "r.yaml:2"),
    ],
)
def test_what_is_not_a_plain_file_is_refused_quickly(text: str, part: str) -> None:
    start = time.perf_counter()
    with pytest.raises(FormatError) as caught:
        parse_yaml(text, "r.yaml")
    assert part in str(caught.value)
    assert time.perf_counter() - start < 5


def test_a_file_with_a_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes("﻿name: é".encode("utf-16"))
    assert read_yaml(tmp_path / "r.yaml") == {"name": "é"}
