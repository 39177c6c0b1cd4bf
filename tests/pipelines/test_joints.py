"""Pictures to joints by the door users take, with tiny networks of random weights saved as published ones are."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from maskwright.cli.main import main
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.keypoints import read_keypoints
from maskwright.io.profiles import read_profile
from maskwright.models.pose import PoseEstimator, TopDown
from maskwright.pipelines import joints as pipeline
from maskwright.pipelines.joints import joints
from tests.tiny_networks import save_detector, save_pose

A, Q = "hrnet_w4_ap10k_64x64-0123abcd_20260101.pth", "hrnet_w4_quadruped_64x64.pth"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    save_pose(folder / A, 17)
    save_pose(folder / Q, 39, seed=12)
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    (tmp_path / "pics").mkdir()
    for k in range(5):
        pixels = rng.integers(0, 255, (40, 70 + k, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "pics" / f"p{k}.png")
    return tmp_path


def pixels_of(place: Path, name: str) -> Any:
    return np.asarray(PIL.Image.open(place / "pics" / f"{name}.png"))


def write_boxes(place: Path, boxes: dict[str, list[list[float]]]) -> Path:
    images = [
        {"id": n, "file_name": f"{name}.png", "height": 40, "width": 70 + int(name[1:])} for n, name in enumerate(boxes)
    ]
    annotations = [
        {"image_id": n, "category_id": 1, "bbox": box} for n, some in enumerate(boxes.values()) for box in some
    ]
    for number, each in enumerate(annotations, start=1):
        each["id"] = number
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "horse"}]}
    (place / "boxes.json").write_text(json.dumps(content))
    return place / "boxes.json"


def story(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())["info"]["maskwright"]
    return told


def test_whole_pictures_as_the_network_says(place: Path, weights: Path) -> None:
    outcome = joints("pics", model=weights / A, out="k.json", settings={"batch": 2})
    assert (outcome.done, outcome.skipped, outcome.failed) == (5, 0, ())
    found = read_keypoints(place / "k.json")
    assert list(found) == [f"p{k}" for k in range(5)]
    ask = PoseEstimator.of(weights / A, TopDown(), device="cpu")
    (alone,) = ask([pixels_of(place, "p3")], [(0.0, 0.0, 40.0, 73.0)])
    (animal,) = found["p3"]
    assert animal.names == alone.names
    np.testing.assert_allclose(animal.rows, alone.rows, atol=1e-3)
    np.testing.assert_allclose(animal.scores, alone.scores, rtol=1e-4)
    told = story(place / "k.json")
    assert told["pictures"]["p3"]["animals"][0]["box_from"] == "picture"
    assert len(told["made_with"]["weights"]["model_1"]["sha256"]) == 64
    assert all(read_profile("quadruped5").animals_of(animal))


def test_given_boxes_and_a_warning_for_pictures_without(
    place: Path, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = write_boxes(place, {"p0": [[5, 2, 20, 30], [10, 5, 50, 30]], "p1": [[0, 0, 9, 9]]})
    with caplog.at_level(logging.WARNING):
        joints("pics", model=weights / A, boxes=boxes, out="k.json")
    assert "3 of 5 pictures had no box" in caplog.text
    told = story(place / "k.json")["pictures"]
    assert [each["box"] for each in told["p0"]["animals"]] == [[10, 5, 50, 30]]
    assert [told[name]["animals"][0]["box_from"] for name in ("p0", "p1", "p2")] == ["given", "given", "picture"]
    joints("pics", model=weights / A, boxes=boxes, out="all.json", settings={"animals": "all"})
    assert [len(each) for each in read_keypoints(place / "all.json").values()] == [2, 1, 1, 1, 1]


def test_a_detector_finds_boxes_that_are_not_given(place: Path, weights: Path) -> None:
    boxes = write_boxes(place, {"p0": [[5, 2, 20, 30]]})
    detector = save_detector(place / "detector")
    settings = {"least_score": 0.0, "rule": "surest"}
    joints("pics", model=weights / A, boxes=boxes, detector=detector, out="k.json", settings=settings)
    told = story(place / "k.json")
    sources = [told["pictures"][f"p{k}"]["animals"][0] for k in range(5)]
    assert [each["box_from"] for each in sources] == ["given", *["detector"] * 4]
    assert sources[1]["thing"] in ("horse", "zebra")
    assert 0 < sources[1]["box_score"] < 1
    assert told["made_with"]["weights"]["detector"]["sha256"]


def test_interrupted_it_goes_on_to_the_same_bytes(place: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joints("pics", model=weights / A, out="whole.json", settings={"batch": 2})
    real, asked = pipeline._asked, []

    def interrupted(finder: Any, shown: Any) -> Any:
        asked.append(len(shown))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(finder, shown)

    monkeypatch.setattr(pipeline, "_asked", interrupted)
    with pytest.raises(KeyboardInterrupt):
        joints("pics", model=weights / A, out="k.json", settings={"batch": 2})
    assert list(read_keypoints(place / "k.json")) == ["p0", "p1"]
    monkeypatch.setattr(pipeline, "_asked", real)
    outcome = joints("pics", model=weights / A, out="k.json", settings={"batch": 2})
    assert (outcome.done, outcome.skipped) == (3, 2)
    assert (place / "k.json").read_bytes() == (place / "whole.json").read_bytes()
    before = (place / "k.json").stat().st_mtime_ns
    assert joints("pics", model=weights / A, out="k.json", settings={"batch": 2}).skipped == 5
    assert (place / "k.json").stat().st_mtime_ns == before


def test_a_changed_picture_is_read_again_and_other_settings_are_refused(place: Path, weights: Path) -> None:
    joints("pics", model=weights / A, out="k.json")
    PIL.Image.fromarray(pixels_of(place, "p1")).save(place / "pics" / "p0.png")
    outcome = joints("pics", model=weights / A, out="k.json")
    assert (outcome.done, outcome.skipped) == (1, 4)
    with pytest.raises(InputError, match=r"k\.json: was made with other settings.*--fresh"):
        joints("pics", model=weights / A, out="k.json", settings={"flip": False})
    with pytest.raises(InputError, match="was made with other weights"):
        joints("pics", model=weights / Q, out="k.json")
    assert joints("pics", model=weights / A, out="k.json", fresh=True).out.name == "k-2.json"
    (place / "mine.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(InputError, match="not made by this command"):
        joints("pics", model=weights / A, out="mine.json")


def test_bad_pictures_and_boxes_are_named_and_the_others_done(place: Path, weights: Path) -> None:
    (place / "pics" / "p9.png").write_bytes(b"no picture")
    boxes = write_boxes(place, {"p0": [[300, 2, 20, 30]], "p1": [[5, 2, 1, 30]]})
    outcome = joints("pics", model=weights / A, boxes=boxes, out="k.json")
    assert outcome.done == 4
    reasons = dict(outcome.failed)
    assert set(reasons) == {"p0", "p9"}
    assert "holds no pixel of the 40 x 70 picture" in reasons["p0"]
    assert list(read_keypoints(place / "k.json")) == ["p1", "p2", "p3", "p4"]


def test_two_models_are_merged_by_the_names_of_joints(place: Path, weights: Path) -> None:
    for name, model in (("q", [weights / Q]), ("a", [weights / A]), ("qa", [weights / Q, weights / A])):
        joints("pics/p0.png", model=model, out=f"{name}.json")
    joints("pics/p0.png", model=[weights / Q, weights / A], out="table.json",
           settings={"merge": {"nose": "second", "neck_base": "first"}})  # fmt: skip
    q, a, qa, table = (read_keypoints(place / f"{name}.json")["p0"][0] for name in ("q", "a", "qa", "table"))
    profile = read_profile("quadruped5")
    replaced = 0
    for index, name in enumerate(q.names):
        other = next((n for n, each in enumerate(a.names) if profile.joint_of(each) == name), None)
        takes_other = other is not None and name in profile.replace[1]
        replaced += takes_other
        expected = a.cols[other] if takes_other else q.cols[index]
        np.testing.assert_allclose(qa.cols[index], expected, atol=1e-3)
    assert replaced == 14
    nose, neck = q.names.index("nose"), q.names.index("neck_base")
    np.testing.assert_allclose(table.cols[nose], a.cols[a.names.index("Nose")], atol=1e-3)
    np.testing.assert_allclose(table.cols[neck], q.cols[neck], atol=1e-3)


def test_wrong_words_are_told_before_any_picture_is_read(place: Path, weights: Path) -> None:
    for settings, expected in (
        ({"flips": True}, "did you mean 'flip'"),
        ({"rule": "biggest"}, "joints.rule is 'biggest'"),
        ({"padding": 0}, "padding"),
    ):
        with pytest.raises(InputError, match=expected):
            joints("pics", model=weights / A, out="k.json", settings=settings)
    with pytest.raises(UnknownNameError, match="tail_end"):
        joints("pics", model=[weights / Q, weights / A], out="k.json", settings={"merge": {"tail_end": "mean"}})
    with pytest.raises(InputError, match="3 models"):
        joints("pics", model=[weights / A] * 3, out="k.json")
    with pytest.raises(InputError, match=r"ends in \.json"):
        joints("pics", model=weights / A, out="k")
    assert not list(place.glob("*.json"))


def test_the_commands(place: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "convert", str(weights / A), "--out", "ap10k", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["joints"] == 17
    words = [
        "joints",
        "pics",
        "--model",
        "ap10k",
        "--out",
        "k.json",
        "--device",
        "cpu",
        "--set",
        "batch=3",
        "--json",
        "--quiet",
    ]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"done": 5, "skipped": 0, "failed": [], "out": "k.json"}
    assert main(words) == 3
    (place / "pics" / "bad.png").write_bytes(b"")
    assert main(words) == 1
    assert main(["joints", "pics", "--model", "hrnet-w48-ap10", "--out", "b.json"]) == 2
    assert "did you mean 'hrnet-w48-ap10k'?" in capsys.readouterr().err
    assert main(["models", "convert", str(weights / A)]) == 2
