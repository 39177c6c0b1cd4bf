from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.io.hints import hint_kind, read_hints
from maskwright.io.samples import find_pictures
from maskwright.io.tags import holds_tags, known_tags, read_tags, write_tags
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
        ("image,class,present\na,coral,-0.1\n", ":2: present is '-0.1'; expected 1 or 0, or how likely between them"),
        ("image,class,present\na,coral,0.2\na,coral,0.3\n", ":3: coral is 0.3 and was 0.2 in a (see"),
        ("FileName,coral,sand\na,0.5,1\nb,1.5,x\n", ":3: coral is '1.5'; expected 1 or 0, or how likely"),
        ("FileName,coral,sand\na,0.5,1\nb,1,x\n", ":3: sand is 'x'; expected 1 or 0"),
        ("FileName,coral,coral\na,0.5,1\n", "two columns 'coral'"),
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


def test_a_column_per_class_holds_probabilities_and_empty_cells_say_nothing(tmp_path: Path) -> None:
    text = "FileName,coral,sand,rock,GPSAltitude,notes\nreef.png,1.0,0.25,,7,clear\nb.jpg,0,nan,0.5,8,\nc,,,,9,\n"
    path = write(tmp_path, text)
    tags = read_tags(path)
    assert tags == {
        "reef": Tags(frozenset({"coral"}), frozenset(), {"sand": 0.25}),
        "b": Tags(frozenset(), frozenset({"coral"}), {"rock": 0.5}),
    }
    assert known_tags(tags["reef"]) == {"coral": 1.0, "sand": 0.25}
    write_tags(tmp_path / "again.csv", tags)
    assert read_tags(tmp_path / "again.csv") == tags
    assert "reef,coral,1\nreef,sand,0.25\n" in (tmp_path / "again.csv").read_text()
    assert hint_kind(path) == hint_kind(tmp_path / "again.csv") == "tags"
    assert read_hints(path).class_names == ("coral", "rock", "sand")


def test_tables_of_places_are_no_tags() -> None:
    assert holds_tags(("filename", "coral")) and holds_tags(("present", "image", "class"))
    for header in ("filename,x,y,class", "image,x,y,class", "name,row,column,label", "filename,coral,gpslatitude"):
        assert not holds_tags(tuple(header.split(",")))


def test_the_published_probabilities_of_real_tiles(shared_data: Path) -> None:
    folder = shared_data / "reef" / "tiles"
    tags = read_tags(folder / "drone-val_df_prob.csv", pictures=find_pictures(folder))
    first = known_tags(tags["odm_orthophoto_317341_7665588"])
    assert len(first) == 13 and (first["Acropore_branched"], first["Millepore"]) == (0.96, 0.0)


def test_a_tag_is_known_once() -> None:
    for likely in ({"coral": 0.5}, {"rock": 1.0}, {"rock": 0.0}):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            Tags(frozenset({"coral"}), frozenset(), likely)
    assert hash(Tags(frozenset(), frozenset(), {"rock": 0.5})) is not None


def test_a_column_that_is_no_class_is_told_once(tmp_path: Path) -> None:
    rows = "".join(f"f{number}.png,1,-21.{number}\n" for number in range(20))
    (tmp_path / "tags.csv").write_text(f"FileName,coral,lat\n{rows}")
    with pytest.raises(
        InputError, match=r":2: lat is '-21\.0'; expected 1 or 0.*is lat no class\? remove it; places are"
    ):
        read_tags(tmp_path / "tags.csv")
