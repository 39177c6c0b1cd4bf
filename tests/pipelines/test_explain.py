"""Explain tells how a mask came to be; replay makes it again, or names the input that is not what it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from maskwright.errors import InputError
from maskwright.pipelines.commands import label, refine
from maskwright.pipelines.explain import explain, replay
from maskwright.pipelines.run import run


@pytest.fixture
def refined(pictures: Path) -> Path:
    """A mask made by label and then refine."""
    label(
        "bright_is_first", pictures / "pics", hints=pictures / "points.csv", classes=pictures / "classes.yaml",
        out=pictures / "masks", settings={"threshold": 90},
    )  # fmt: skip
    refine("forget_top", pictures / "pics", masks=pictures / "masks", out=pictures / "better", settings={"rows": 3})
    return pictures / "better" / "p003.png"


def all_bytes(mask: Path) -> list[bytes]:
    return [mask.read_bytes(), mask.with_suffix(".json").read_bytes()]


def test_the_tree_has_the_last_step_at_its_root(refined: Path) -> None:
    story = explain(refined)
    lines = story.text.splitlines()
    assert lines[0] == "p003.png"
    assert lines[1].startswith("├── picture p003.png  sha256 ")
    assert lines[2] == "├── classes 1 coral, 2 sand"
    assert lines[3].startswith("└── forget_top  rows=3")
    assert lines[4].startswith("    ├── mask p003.png")
    assert lines[5].startswith("    └── bright_is_first  threshold=90.0")
    assert lines[6].startswith("        └── hints points.csv  sha256 ")
    assert all(each["seconds"] > 0 for each in story.record["steps"]), "seconds come from both ledgers"


def test_replay_makes_it_again_bit_for_bit(refined: Path, tmp_path: Path) -> None:
    again = replay(refined, tmp_path / "again")
    assert (again.identical, again.differing) == (True, ())
    assert again.mask is not None
    assert all_bytes(again.mask) == all_bytes(refined)


def test_a_project_that_moved_is_replayed_there(refined: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    for name in ("pics", "points.csv", "classes.yaml", "masks", "better"):
        shutil.move(tmp_path / name, tmp_path / "far" / name)
    assert replay(tmp_path / "far" / "better" / "p003.png", tmp_path / "again").identical


def test_one_changed_byte_of_the_hints_is_named(refined: Path, tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text(points.read_text().replace("p003,1,1", "p003,2,1"))
    again = replay(refined, tmp_path / "again")
    assert not again.identical
    assert again.differing[0].startswith("points.csv: expected sha256 ")
    assert "what it says about this picture" in again.differing[1]


def test_hints_that_changed_elsewhere_are_named_but_not_blamed(refined: Path, tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text(points.read_text().replace("p004,1,1", "p004,2,1"))
    differing = replay(refined, tmp_path / "again").differing
    assert differing[0].startswith("points.csv: expected")
    assert not any("this picture" in each or "p003.png" in each for each in differing)


@pytest.mark.parametrize("place", [-1, 60])
def test_one_changed_byte_of_the_picture_is_named(refined: Path, tmp_path: Path, place: int) -> None:
    picture = tmp_path / "pics" / "p003.png"
    content = bytearray(picture.read_bytes())
    content[place] ^= 1
    picture.write_bytes(content)
    again = replay(refined, tmp_path / "again")
    assert not again.identical
    assert again.differing[0].startswith("p003.png: expected sha256 ")


def test_a_mask_that_was_edited_by_hand_differs(refined: Path, tmp_path: Path) -> None:
    content = refined.read_bytes()
    refined.write_bytes((tmp_path / "better" / "p004.png").read_bytes())
    differing = replay(refined, tmp_path / "again").differing
    assert [each.split(":")[0] for each in differing] == ["p003.png, made again"]
    refined.write_bytes(content)
    assert replay(refined, tmp_path / "again").identical


def test_an_input_that_is_gone_is_an_error(refined: Path, tmp_path: Path) -> None:
    (tmp_path / "points.csv").unlink()
    with pytest.raises(InputError, match=r"points\.csv .* is not where the ledger says"):
        replay(refined, tmp_path / "again")


def test_predictions_of_a_run_are_replayed_with_their_model(pictures: Path, tmp_path: Path) -> None:
    (pictures / "recipe.yaml").write_text(
        "images: pics\nhints: [{path: points.csv}]\nclasses: classes.yaml\nreport: false\n"
        "label: [{method: nearest_point}]\nrefine: [{method: forget_top}]\ntrain: {method: mean_colour}\n"
    )
    run(pictures / "recipe.yaml", out=pictures / "run")
    for number in (1, 2):
        mask = pictures / "run" / f"round-{number}" / "masks" / "p005.png"
        assert replay(mask, tmp_path / f"again-{number}").identical
    model = pictures / "run" / "round-1" / "model" / "model.json"
    model.write_text(model.read_text().replace('"sharpness": 0.1', '"sharpness": 0.2'))
    differing = replay(mask, tmp_path / "other").differing
    assert differing[0].startswith("round-1/model: expected")


def test_fused_masks_are_replayed(pictures: Path, tmp_path: Path) -> None:
    (pictures / "recipe.yaml").write_text(
        "images: pics\nhints: [{path: points.csv}]\nclasses: classes.yaml\nreport: false\nfuse: {how: confidence}\n"
        "label: [{method: nearest_point}, {method: bright_is_first}]\nrefine: [{method: forget_top}]\n"
    )
    run(pictures / "recipe.yaml", out=pictures / "run")
    mask = pictures / "run" / "round-1" / "masks" / "p001.png"
    assert replay(mask, tmp_path / "again").identical
    lines = [each.strip("│├└─ ").split(" ")[0] for each in explain(mask).text.splitlines()]
    assert lines[3:] == ["forget_top", "fuse", "nearest_point", "hints", "bright_is_first", "hints"]


def test_a_folder_is_no_mask(refined: Path) -> None:
    with pytest.raises(InputError, match="is a folder; a mask was expected: name one of the masks in it"):
        explain(refined.parent)


def test_a_mask_without_a_story_says_so(pictures: Path, tmp_path: Path) -> None:
    (pictures / "truth" / "p000.json").unlink()
    with pytest.raises(InputError, match=r"has no story beside it"):
        explain(pictures / "truth" / "p000.png")
    with pytest.raises(InputError, match="is not there"):
        replay(tmp_path / "nothing.png", tmp_path / "again")


def test_the_folder_of_the_mask_is_not_written_to(refined: Path) -> None:
    with pytest.raises(InputError, match="holds the mask itself"):
        replay(refined, refined.parent)
