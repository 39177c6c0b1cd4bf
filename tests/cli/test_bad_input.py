"""Somebody at sea types something wrong: one line says what, where and what to do; the other pictures are done."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.cli.main import main
from maskwright.io.masks import write_mask
from maskwright.types import Mask

CLASSES = "classes: [{id: 1, name: coral}, {id: 2, name: sand}]\n"
POINTS = "image,x,y,class\na,50,5,coral\na,2,18,sand\nb,50,5,coral\nb,2,18,sand\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures of 20 x 60, points for both, classes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pics").mkdir()
    for name in ("a", "b"):
        picture(tmp_path / "pics" / f"{name}.png")
    (tmp_path / "points.csv").write_text(POINTS)
    (tmp_path / "classes.yaml").write_text(CLASSES)
    return tmp_path


def picture(path: Path, height: int = 20, width: int = 60) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(path)


def label(*more: str, points: str = "points.csv", images: str = "pics", out: str = "masks") -> int:
    argv = ["label", "nearest_point", images, "--hints", points, "--classes", "classes.yaml", "--out", out]
    return main([*argv, *more])


def made(place: Path) -> set[str]:
    return (
        {path.name for path in (place / "masks").glob("*.png") if ".confidence" not in path.name}
        if (place / "masks").is_dir()
        else set()
    )


def refused(code: int, place: Path, said: str) -> None:
    """Wrong input: exit 2, the sentence, no traceback, nothing written."""
    assert code == 2
    assert "Traceback" not in said and "unexpected" not in said
    assert made(place) == set()


def failed_alone(code: int, place: Path, said: str, name: str) -> None:
    """One item failed and is named with its reason; the other is done."""
    assert code == 1
    assert f"failed: {name}: " in said and "Traceback" not in said and "unexpected" not in said
    assert "a.png" in made(place)


def test_all_is_well_and_the_second_time_there_is_nothing_to_do(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label() == 0
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in (place / "masks").glob("[ab].*")}
    assert {"a.png", "a.json", "b.png", "b.json"} <= set(before)
    assert label() == 3
    assert "nothing to do: all 2 are there already" in capsys.readouterr().err
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in (place / "masks").glob("[ab].*")} == before


def test_a_point_outside_its_picture(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "points.csv").write_text(POINTS + "b,5,50,coral\n")
    code = label()
    said = capsys.readouterr().err
    assert code in (1, 2)
    assert all(word in said for word in ("points.csv:6", "x=5", "y=50", "swapped")), said


def test_an_unknown_class(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "points.csv").write_text(POINTS.replace("b,50,5,coral", "b,50,5,corl"))
    refused(label(), place, said := capsys.readouterr().err)
    assert "points.csv:4: no class is called 'corl'; did you mean 'coral'?" in said


def test_two_pictures_of_one_name(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("north", "south"):
        (place / "pics" / folder).mkdir()
        picture(place / "pics" / folder / "c.png")
    refused(label(), place, said := capsys.readouterr().err)
    assert "north" in said and "south" in said and "'c'" in said


def test_an_empty_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "pics" / "b.png").write_bytes(b"")
    failed_alone(label(), place, said := capsys.readouterr().err, "b")
    assert "empty" in said


def test_a_picture_cut_short(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "pics" / "b.png").unlink()
    picture(place / "pics" / "b.jpg", 200, 600)
    whole = (place / "pics" / "b.jpg").read_bytes()
    (place / "pics" / "b.jpg").write_bytes(whole[: len(whole) // 2])
    failed_alone(label(), place, capsys.readouterr().err, "b")


def lying_tiff() -> bytes:
    """A header that claims 100,000 x 100,000 pixels and a file that ends behind it."""
    entries = [
        (256, 4, 1, 100_000), (257, 4, 1, 100_000), (258, 3, 1, 8), (259, 3, 1, 1),
        (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 100_000), (279, 4, 1, 100),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *each) for each in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0)


def test_a_tiff_that_lies_about_its_size(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "pics" / "b.png").unlink()
    (place / "pics" / "b.tif").write_bytes(lying_tiff())
    failed_alone(label(), place, said := capsys.readouterr().err, "b")
    assert "b.tif" in said


def test_a_png_that_lies_about_its_size(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    (place / "pics" / "b.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    failed_alone(label(), place, capsys.readouterr().err, "b")


def test_a_mask_of_another_size(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, height in (("a", 20), ("b", 21)):
        write_mask(place / "old" / f"{name}.png", Mask(np.ones((height, 60), np.uint8), ("", "coral", "sand")))
    code = main(["refine", "fill_holes", "pics", "--masks", "old", "--out", "masks"])
    failed_alone(code, place, said := capsys.readouterr().err, "b")
    assert "21 x 60" in said and "20 x 60" in said


def test_ids_that_no_class_has(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, class_id in (("a", 1), ("b", 9)):
        (place / "drawn").mkdir(exist_ok=True)
        PIL.Image.fromarray(np.full((20, 60), class_id, np.uint8)).save(place / "drawn" / f"{name}.png")
    assert main(["measure", "drawn", "--classes", "classes.yaml", "--json", "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "failed: b:" in said and "9 (1200 pixels)" in said and "1 coral" in said


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + POINTS.encode(),
        POINTS.replace(",", ";").encode(),
        POINTS.replace("\n", "\r\n").encode(),
        POINTS.replace(",", " , ").encode(),
        b"\xef\xbb\xbf" + POINTS.replace(",", ";").replace("\n", "\r\n").encode(),
        "\n".join(POINTS.splitlines()).encode(),
    ],
    ids=["bom", "semicolons", "windows", "spaces", "excel", "no last line end"],
)
def test_tables_as_programs_write_them(place: Path, content: bytes) -> None:
    assert label() == 0
    plain = (place / "masks" / "a.png").read_bytes()
    (place / "odd.csv").write_bytes(content)
    assert label(points="odd.csv", out="odd") == 0
    assert (place / "odd" / "a.png").read_bytes() == plain


def test_names_in_any_script(place: Path) -> None:
    picture(place / "pics" / "Südriff 海 1.png")
    (place / "points.csv").write_text(POINTS + "Südriff 海 1,5,5,coral\n", "utf-8")
    assert label() == 0
    assert (place / "masks" / "Südriff 海 1.png").is_file()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_one_may_not_write_to(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "locked").mkdir(mode=0o500)
    refused(label(out="locked/masks"), place, said := capsys.readouterr().err)
    assert "locked" in said and "not permitted" in said


def test_a_file_where_the_folder_should_be(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "taken").write_text("")
    refused(label(out="taken"), place, said := capsys.readouterr().err)
    assert "taken" in said
    refused(label(out="taken/masks"), place, said := capsys.readouterr().err)
    assert "taken" in said


def test_a_full_disk(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    code = label()
    said = capsys.readouterr().err
    assert code in (1, 2)
    assert "disk is full" in said and "Traceback" not in said
    assert made(place) == set()


def test_a_yaml_bomb(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 12)]
    (place / "classes.yaml").write_text("\n".join([*lines, "classes: *a11"]))
    refused(label(), place, capsys.readouterr().err)


def test_links_that_go_in_circles(place: Path) -> None:
    (place / "pics" / "again").symlink_to(place / "pics", target_is_directory=True)
    assert label() == 0
    assert made(place) == {"a.png", "b.png"}


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (
            ["label", "nearest_pont", "pics", "--hints", "points.csv", "--out", "masks"],
            2,
            "did you mean 'nearest_point'?",
        ),
        (["label", "fill_holes", "pics", "--hints", "points.csv", "--out", "masks"], 2, "fill_holes"),
        (["label", "nearest_point", "pics", "--hints", "absent.csv", "--out", "masks"], 2, "absent.csv"),
        (["label", "nearest_point", "absent", "--hints", "points.csv", "--out", "masks"], 2, "absent"),
        (["label", "nearest_point", "empty", "--hints", "points.csv", "--out", "masks"], 3, "empty"),
        (["run", "absent.yaml", "--out", "run"], 2, "absent.yaml"),
        (["explain", "absent.png"], 2, "absent.png"),
        (["replay", "absent.png", "--out", "again"], 2, "absent.png"),
        (["predict", "absent", "pics", "--out", "masks"], 2, "absent"),
        (["methods", "nearest_pont"], 2, "did you mean 'nearest_point'?"),
        (["new", "nowhere", "project"], 2, "nowhere"),
    ],
)
def test_other_words_that_mean_nothing(
    argv: list[str], code: int, said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "empty").mkdir()
    assert main(argv) == code
    shown = capsys.readouterr().err
    assert said in shown and "Traceback" not in shown and "unexpected" not in shown
    assert made(place) == set()


@pytest.mark.parametrize(
    ("setting", "said"),
    [("reach=4", "did you mean 'reach_px'?"), ("reach_px=far", "reach_px"), ("reach_px", "write a.b=value")],
)
def test_settings_that_a_method_does_not_have(
    setting: str, said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(label("--set", setting), place, shown := capsys.readouterr().err)
    assert said in shown
