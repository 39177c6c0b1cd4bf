from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.io.classes import Classes, classes_from_names, default_color, read_classes, rgb, write_classes


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "classes.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_names_and_colours_are_indexed_by_id(tmp_path: Path) -> None:
    path = write(
        tmp_path, 'classes: [{id: 0, name: background, color: "#000"}, {id: 2, name: coral, color: "#FF7f50"}]'
    )
    classes = read_classes(path)
    assert classes.names == ("background", "", "coral")
    assert classes.colors == ("#000000", "", "#ff7f50")
    assert classes.named == {0: "background", 2: "coral"}
    assert classes.palette()[[0, 1, 2, 255]].tolist() == [[0, 0, 0], [0, 0, 0], [255, 127, 80], [255, 255, 255]]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbfclasses:\r\n  - {id: 1, name: \xc3\xa9ponge}\r\n"
    assert read_classes(write(tmp_path, text)).names == ("", "éponge")


def test_written_classes_are_read_back(tmp_path: Path) -> None:
    classes = Classes(("", 'a "quoted": name', "", "Pocillopora é", "no"), ("", "#010203", "", "#ffffff", "#00ff00"))
    write_classes(tmp_path / "c.yaml", classes)
    assert read_classes(tmp_path / "c.yaml") == classes


def test_all_problems_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """classes:
  - {id: 1, name: coral}
  - {id: 1, name: sand}
  - {id: 255, name: rock}
  - {id: 3, name: coral, colour: "#000000"}
  - {id: 4, name: no}
  - {id: 5, name: algae, color: #ff0000
    }
extra: 1
""",
    )
    with pytest.raises(InputError) as caught:
        read_classes(path)
    message = str(caught.value)
    for part in (
        ":3: the id 1 is taken by line 2",
        ":4: the id is 255; expected a whole number from 0 to 254",
        ":5: no key is called 'colour'; did you mean 'color'?",
        ":5: the name 'coral' is taken by line 2",
        ":6: the name is False; expected a text; put it in quotes",
        ":7: the color is None",
        ":9: no key is called 'extra'",
    ):
        assert part in message, message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no list called"),
        ("classes: {}", "no list called"),
        ("classes: []", "empty"),
        ("classes: [coral]", ":1: a class is 'coral'"),
        ("classes: [{name: coral}]", "the id is None"),
        ("classes: [{id: true, name: coral}]", "the id is True"),
        ("classes: [{id: 1.5, name: coral}]", "the id is 1.5"),
        ('classes: [{id: 1, name: " "}]', "the name is ' '"),
        ('classes: [{id: 1, name: coral, color: "red"}]', "the color is 'red'"),
    ],
)
def test_broken_files_say_what_was_expected(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InputError, match=r"classes\.yaml") as caught:
        read_classes(write(tmp_path, text))
    assert part in str(caught.value)


def test_an_unknown_name_is_told_with_its_place_and_the_nearest() -> None:
    classes = Classes(("", "coral", "sand"))
    assert classes.id_of("sand") == 2
    with pytest.raises(UnknownNameError, match=r"points.csv:2: no class is called 'corl'; did you mean 'coral'\?"):
        classes.id_of("corl", where="points.csv:2")
    with pytest.raises(UnknownNameError):
        classes.id_of("")


def test_without_a_file_sorted_names_count_from_one() -> None:
    assert classes_from_names({"sand", "coral"}).names == ("", "coral", "sand")
    assert classes_from_names(["sand", "background"], background=True).names == ("background", "sand")
    with pytest.raises(InputError, match="255 class names"):
        classes_from_names(str(each) for each in range(255))


def test_default_colours_differ() -> None:
    colors = [rgb(default_color(each)) for each in range(255)]
    assert len(set(colors)) == 255
    assert np.max(colors) <= 255
    assert rgb("#ff7f50") == (255, 127, 80)


def test_a_record_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="own name"):
        Classes(("coral", "coral"))
    with pytest.raises(ValueError, match="colours"):
        Classes(("coral",), ("#000000", "#000000"))


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_classes(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is a folder"):
        read_classes(tmp_path)
    with pytest.raises(FormatError, match=":2: the text is not utf-8"):
        read_classes(write(tmp_path, b"a: b\n\xff\xffx"[:5] + b"\xe9 c"))
