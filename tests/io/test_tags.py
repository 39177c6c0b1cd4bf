from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.io.tags import read_tags, write_tags
from maskwright.types import Tags


def write(folder: Path, text: str) -> Path:
    path = folder / "tags.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_table_says_what_is_present_and_absent(tmp_path: Path) -> None:
    text = "﻿image;Class;present\r\nreef.png;corail mou;1\r\nreef;sand;0\r\nréef 2.png;sand;yes\r\nreef;sand;0\r\n"
    tags = read_tags(write(tmp_path, text))
    assert tags == {
        "reef": Tags(frozenset({"corail mou"}), frozenset({"sand"})),
        "réef 2": Tags(frozenset({"sand"}), frozenset()),
    }


def test_written_tags_are_read_back(tmp_path: Path) -> None:
    tags = {"b": Tags(frozenset({"x", "a, b"}), frozenset({"y"})), "a10": Tags(frozenset(), frozenset({"x"}))}
    write_tags(tmp_path / "t.csv", tags)
    assert read_tags(tmp_path / "t.csv") == tags


def test_two_folders_say_the_same(tmp_path: Path) -> None:
    for name in ("present/a.png", "absent/b.JPG", "absent/.hidden.png", "absent/notes.txt", "present/rock/c.png"):
        path = tmp_path / "coral" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    tags = read_tags(tmp_path / "coral")
    assert tags == {
        "a": Tags(frozenset({"coral"}), frozenset()),
        "b": Tags(frozenset(), frozenset({"coral"})),
        "c": Tags(frozenset({"rock"}), frozenset()),
    }
    assert read_tags(tmp_path / "coral", class_name="plant")["a"].present == {"plant"}
    with pytest.raises(FormatError, match="no folders present/ and absent/"):
        read_tags(tmp_path)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("image,class\n", "there is no 'present'"),
        ("image,class,present\na,coral,2\n", ":2: present is '2'; expected 1 or 0"),
        ("image,class,present\na,,1\n", ":2: class is empty"),
        ("image,class,present\na,coral,1\na.png,coral,0\n", ":3: coral is both present and absent in a (see"),
        ("image,class,present\nreaf,coral,1\n", ":2: no picture is called 'reaf'; did you mean 'reef'?"),
    ],
)
def test_broken_tables_name_file_and_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        read_tags(write(tmp_path, text), pictures={"reef", "a"})
    assert part in str(caught.value)


def test_names_are_told_by_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        read_tags(write(tmp_path, "image,class,present\nreaf,coral,1\n"), pictures={"reef": Path("reef.png")})
