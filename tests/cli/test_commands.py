"""The commands as a newcomer types them, from points to a report, each with --json and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from maskwright.cli.main import main
from maskwright.pipelines import doctor

CLASSES = "classes: [{id: 1, name: coral}, {id: 2, name: sand}]\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures of 20 x 60 with points, classes, true masks and a recipe."""
    monkeypatch.chdir(tmp_path)
    rows = ["image,x,y,class"]
    for folder in ("pics", "truth"):
        (tmp_path / folder).mkdir()
    for k in range(3):
        truth = np.where(np.arange(60) < 20 + 10 * k, 1, 2).astype(np.uint8) * np.ones((20, 1), np.uint8)
        pixels = np.where(truth[..., None] == 1, 200, 40) + np.zeros((1, 1, 3), int)
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "pics" / f"p{k}.png")
        PIL.Image.fromarray(truth).save(tmp_path / "truth" / f"p{k}.png")
        rows += [f"p{k},5,10,coral", f"p{k},55,10,sand"]
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "classes.yaml").write_text(CLASSES)
    (tmp_path / "recipe.yaml").write_text(
        "images: pics\nhints: [{path: points.csv}]\nclasses: classes.yaml\n"
        "label: [{method: nearest_point}]\nrefine: [{method: fill_holes}]\nevaluate: {truth: truth}\n"
    )
    return tmp_path


def ask(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the one JSON object of a command."""
    code = main([*argv, "--json", "--quiet"])
    record = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert isinstance(record, dict)
    return code, record


def test_from_points_to_scores(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, made = ask(
        capsys, "label", "nearest_point", "pics", "--hints", "points.csv", "--classes", "classes.yaml", "--out", "masks"
    )
    assert (code, made) == (0, {"done": 3, "skipped": 0, "failed": [], "out": "masks"})
    code, scores = ask(capsys, "evaluate", "masks", "truth")
    assert code == 0
    right = sum(
        (np.asarray(PIL.Image.open(f"masks/p{k}.png")) == np.asarray(PIL.Image.open(f"truth/p{k}.png"))).sum()
        for k in range(3)
    )
    assert scores["pixel_accuracy"]["value"] == pytest.approx(right / 3600, abs=1e-9)
    code, measures = ask(capsys, "measure", "masks", "--by", "site")
    assert code == 0
    assert measures["classes"]["coral"]["pixels"] + measures["classes"]["sand"]["pixels"] == 3600
    code, made = ask(capsys, "refine", "fill_holes", "pics", "--masks", "masks", "--out", "better")
    assert (code, made["done"]) == (0, 3)
    code, story = ask(capsys, "explain", "better/p1.png")
    assert code == 0
    assert [each["name"] for each in story["steps"]] == ["nearest_point", "fill_holes"]
    code, again = ask(capsys, "replay", "better/p1.png", "--out", "again")
    assert (code, again["identical"]) == (0, True)
    assert Path("again/p1.png").read_bytes() == Path("better/p1.png").read_bytes()


def test_replay_names_the_input_that_changed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(
        capsys, "label", "nearest_point", "pics", "--hints", "points.csv", "--classes", "classes.yaml", "--out", "masks"
    )
    (place / "points.csv").write_text((place / "points.csv").read_text().replace("p1,55,10", "p1,54,10"))
    assert main(["replay", "masks/p1.png", "--out", "again"]) == 1
    shown = capsys.readouterr()
    assert "not identical" in shown.out
    assert "points.csv" in shown.err


def test_check_then_run_then_run_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, "check", "recipe.yaml")
    assert code == 0
    assert (found["ready"], found["pictures"], found["classes"]) == (True, 3, ["coral", "sand"])
    assert [each["step"] for each in found["steps"]] == ["label nearest_point", "refine fill_holes"]
    code, made = ask(capsys, "run", "recipe.yaml", "--out", "run")
    assert (code, made["done"]) == (0, 3)
    assert (place / "run" / "report.html").is_file()
    assert main(["run", "recipe.yaml", "--out", "run"]) == 3
    assert "nothing to do: all 3 are there already" in capsys.readouterr().err
    code, made = ask(capsys, "run", "recipe.yaml", "--out", "run", "--fresh")
    assert code == 0
    assert made["out"] != "run" and Path(made["out"]).is_dir()


def test_check_lists_every_problem_at_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "wrong.yaml").write_text(
        "images: pics\nhint: [{path: points.csv}]\nlabel: [{method: nearest_pont}]\n"
        "refine: [{method: smooth, settings: {x: 1}}]\n"
    )
    assert main(["check", "wrong.yaml"]) == 2
    shown = capsys.readouterr().out
    assert all(part in shown for part in ("'hints'", "'nearest_point'", "smooth"))
    (place / "recipe.yaml").write_text((place / "recipe.yaml").read_text().replace("points.csv", "absent.csv"))
    code, found = ask(capsys, "check", "recipe.yaml")
    assert code == 2
    assert found["ready"] is False and "absent.csv" in found["problems"][0]
    assert list(place.glob("run*")) == []


def test_check_names_a_picture_that_cannot_be_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "pics" / "p1.png").write_bytes(b"")
    code, found = ask(capsys, "check", "recipe.yaml")
    assert code == 2
    assert len(found["problems"]) == 1 and "p1.png" in found["problems"][0]


def test_settings_reach_the_method(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pics", "--hints", "points.csv", "--classes", "classes.yaml", "--out", "near", "--set", "reach_px=3"]
    code, _ = ask(capsys, "label", "nearest_point", *words)
    assert code == 0
    assert (np.asarray(PIL.Image.open("near/p0.png")) == 255).any()
    code, _ = ask(capsys, "run", "recipe.yaml", "--out", "run", "--set", "label.0.settings.reach_px=3")
    assert code == 0
    assert json.loads(Path("run/round-1/masks/p0.json").read_text())["steps"][0]["settings"]["reach_px"] == 3


def test_methods_and_one_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, "methods")
    assert code == 0
    assert {"nearest_point", "fill_holes"} <= {each["name"] for each in found["methods"]}
    assert all(each["summary"] for each in found["methods"])
    code, one = ask(capsys, "methods", "nearest_point")
    assert code == 0
    assert one["schema"]["properties"]["reach_px"]
    assert main(["methods", "nearest_point"]) == 0
    assert "reach_px: float = inf" in capsys.readouterr().out


def test_a_plug_in_that_does_not_load_hides_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "maskwright.methods.catalogue.METHODS",
        {"broken": "no.such:Thing", "smooth": "maskwright.methods.smooth:Smooth"},
    )
    assert main(["methods"]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("smooth")
    assert "failed: broken:" in shown.err


def test_doctor_says_the_core_works(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = ask(capsys, "doctor")
    assert code == 0
    assert found["works"] and found["problems"] == []
    assert found["versions"]["numpy"] == np.__version__
    assert found["devices"][0]["name"] == "cpu"
    assert {"torch", "geo", "pose", "scale", "dev"} <= {each["name"] for each in found["extras"]}
    assert main(["doctor"]) == 0
    assert "the core works" in capsys.readouterr().out


def test_doctor_names_what_is_missing_and_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CORE_IMPORTS", ("numpy", "no_such_library"))
    wanted = {"": [("numpy", ">=999"), ("pillow", ">=1")], "geo": [("no-such-package", ">=1"), ("numpy", "")]}
    monkeypatch.setattr(doctor, "requirements", lambda: wanted)
    code, found = ask(capsys, "doctor")
    assert code == 2
    assert "no_such_library does not import" in found["problems"][0]
    assert f"numpy {np.__version__} is older than 999" in found["problems"][1]
    assert found["extras"][0]["missing"] == ["no-such-package"]
    assert found["advice"][0] == "pip install 'maskwright[geo]'"


def test_what_the_package_needs_is_read_from_its_own_words() -> None:
    wanted = doctor.requirements()
    assert ("numpy", ">=2.0") in wanted[""]
    assert "rasterio" in {name for name, _ in wanted["geo"]}
    assert all(name != "maskwright" for packages in wanted.values() for name, _ in packages)


def test_new_makes_a_project_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, made = ask(capsys, "new", "points", str(tmp_path / "project"))
    assert code == 0
    assert str(tmp_path / "project" / "classes.yaml") in made["written"]
    code, _ = ask(capsys, "check", made["recipe"])
    assert code == 0
    assert main(["new", "points", str(tmp_path / "project")]) == 2


def test_convert_says_what_was_lost(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(
        capsys, "label", "nearest_point", "pics", "--hints", "points.csv", "--classes", "classes.yaml", "--out", "masks"
    )
    code, told = ask(capsys, "convert", "masks", "--to", "coco", "--out", "coco/instances.json")
    assert code == 0
    assert Path(told["written"][0]).is_file()
    assert isinstance(told["losses"], list)
    assert main(["convert", "masks", "--to", "cocoo", "--out", "x.json"]) == 2
    assert "did you mean 'coco'?" in capsys.readouterr().err
