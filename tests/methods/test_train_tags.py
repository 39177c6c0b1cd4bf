"""From tagged pictures to a survey's scores, file to file through the command."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from maskwright.cli.main import main  # noqa: E402
from maskwright.errors import EmptyResultError, InputError, UnknownNameError  # noqa: E402
from maskwright.io.surveys import read_survey  # noqa: E402
from maskwright.io.tags import read_tags  # noqa: E402
from maskwright.methods.train_tags import TrainTags  # noqa: E402
from maskwright.score_maps import frames_to_leave_out, leave_out_rules  # noqa: E402
from maskwright.types import Sample, Tags  # noqa: E402
from tests.models.tiny_dinov2 import SIZE, save_tiny_dinov2  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_dinov2(tmp_path_factory.mktemp("dinov2"))


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """40 frames: red ones show coral, bright ones sand; places in a table, tags in another, two of them unknown."""
    folder, random = tmp_path / "frames", np.random.default_rng(0)
    folder.mkdir()
    tags, places = ["image,class,present"], ["FileName,GPSLatitude,GPSLongitude"]
    for index in range(40):
        coral, sand = int(index % 2 == 0), int(index % 4 < 2)
        pixels = random.integers(0, 40, (30, 50, 3)) + [150 * coral, 0, 0] + [60 * sand] * 3
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"f{index:02}.png")
        tags += [f"f{index:02}.png,coral,{coral}"] + ([f"f{index:02}.png,sand,{sand}"] if index > 1 else [])
        places.append(f"f{index:02}.png,{-21 - index / 1e5:.5f},{55 + index / 1e5:.5f}")
    (tmp_path / "tags.csv").write_text("\n".join(tags) + "\n")
    (folder / "metadata.csv").write_text("\n".join(places) + "\n")
    return folder


def test_from_tags_to_a_survey_and_back_to_tags(
    frames: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "model", tmp_path / "scores"
    train = ["train", "train_tags", str(frames), "--hints", str(tmp_path / "tags.csv"), "--out", str(model), "--quiet"]
    settings = {"backbone": backbone, "size": SIZE, "precision": "float32", "device": "cpu", "batch": 8, "epochs": 80}
    for key, value in settings.items():
        train += ["--set", f"{key}={value}"]
    assert main(train) == 0
    told = json.loads((model / "model.json").read_text())
    assert told["tags"] == ["coral", "sand"]
    assert told["training"]["held_out"] == 8
    assert told["training"]["present"] == {"coral": 20, "sand": 18}
    assert told["scores"]["f1_macro"] > 0.9
    assert main(train) == 3, "it is there already"
    predict = ["predict", str(model), str(frames), "--out", str(out), "--quiet"]
    assert main(predict) == 0
    survey = read_survey(out / "scores.csv")
    assert (len(survey), survey.class_names) == (40, ("coral", "sand"))
    with (out / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["FileName", "coral", "sand", "GPSLatitude", "GPSLongitude"]
    assert (rows[7]["FileName"], rows[7]["GPSLatitude"]) == ("f07.png", "-21.00007")
    coral = np.array([float(each["coral"]) for each in rows])
    assert coral[::2].min() > coral[1::2].max()
    dull = leave_out_rules(["coral>0.5"])  # what a tagger says decides which frames a survey leaves out
    assert abs(frames_to_leave_out(survey, dull).sum() - 20) <= 2
    said = read_tags(out / "tags.csv")
    right = [("coral" in said[f"f{index:02}"].present) == (index % 2 == 0) for index in range(40)]
    assert np.mean(right) > 0.9
    before = (out / "scores.csv").read_bytes()
    assert main(predict) == 3, "nothing to do"
    Image.fromarray(np.full((30, 50, 3), 90, np.uint8)).save(frames / "f03.png")
    (frames / "broken.png").write_bytes(b"no picture")
    capsys.readouterr()
    assert main([*predict, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["done"], answer["skipped"], answer["failed"][0]["name"]) == (1, 39, "broken")
    after = (out / "scores.csv").read_bytes()
    changed = [a != b for a, b in zip(before.splitlines(), after.splitlines(), strict=True)]
    assert [index for index, each in enumerate(changed) if each] == [4]
    (model / "threshold.json").write_text('{"coral": 0.9, "sand": 0.9}')
    assert main(predict) == 2, "another model does not write into this folder"


def sample(name: str, path: Path, *, present: str = "", absent: str = "", site: str | None = None) -> Sample:
    return Sample(name, path, hints=(Tags(frozenset(present.split()), frozenset(absent.split())),), site=site)


def test_sites_are_held_out_whole(frames: Path, backbone: Path) -> None:
    samples = [
        sample(f"{index:02}", frames / f"f{index:02}.png", present="coral", site="AB"[index % 2] + str(index % 4))
        for index in range(16)
    ]
    tagger = TrainTags(str(backbone), size=SIZE, epochs=1, held_out=0.5, device="cpu", precision="float32")(samples)
    assert tagger.training["held_out"] == 8
    held = TrainTags(held_out=0.5)._held_out(samples)
    assert {samples[index].site for index in np.flatnonzero(held)}.isdisjoint(
        {samples[index].site for index in np.flatnonzero(~held)}
    )
    none = TrainTags(str(backbone), size=SIZE, epochs=1, held_out=0, device="cpu")(samples)
    assert (none.thresholds, none.scores) == ((0.5,), {})


def test_probabilities_with_views_from_a_table_to_a_card(frames: Path, backbone: Path, tmp_path: Path) -> None:
    """Coral is told by how red a frame is, sand by yes and no, and rock by nobody for most."""
    rows, random = ["FileName,coral,sand,rock"], np.random.default_rng(3)
    for index in range(40):
        redness = random.random()
        pixels = random.integers(0, 40, (30, 50, 3)) + [150 * redness, 0, 0] + [60 * (index % 4 < 2)] * 3
        Image.fromarray(pixels.astype(np.uint8)).save(frames / f"f{index:02}.png")
        coral = "" if index % 7 == 3 else f"{redness:.3f}"
        rows.append(f"f{index:02}.png,{coral},{int(index % 4 < 2)},{'0.5' if index == 0 else ''}")
    (tmp_path / "shares.csv").write_text("\n".join(rows) + "\n")
    arguments = ["train", "train_tags", str(frames), "--hints", str(tmp_path / "shares.csv"), "--quiet"]
    settings = {"backbone": backbone, "size": SIZE, "precision": "float32", "device": "cpu", "batch": 8, "epochs": 80}
    for key, value in {**settings, "views": 2, "cache": tmp_path / "kept"}.items():
        arguments += ["--set", f"{key}={value}"]
    assert main([*arguments, "--out", str(tmp_path / "model")]) == 0
    told = json.loads((tmp_path / "model" / "model.json").read_text())
    assert told["tags"] == ["coral", "rock", "sand"]
    assert told["training"]["probabilities"] == ["coral", "rock"]
    assert told["training"]["augmentation"] == "2 views of each picture, by chance"
    assert {"rmse", "mae", "kl_divergence", "explained_variance", "f1_macro"} <= set(told["scores"])
    assert told["scores"]["rmse"] < 0.3 and told["scores"]["f1_macro"] > 0.8
    thresholds = json.loads((tmp_path / "model" / "threshold.json").read_text())
    assert thresholds["coral"] == thresholds["rock"] == 0.5 and thresholds["sand"] != 0.5
    assert "rmse" in (tmp_path / "model" / "README.md").read_text()
    assert len(list((tmp_path / "kept").iterdir())) == 40 + 2 * 32, "views of those held out are never made"
    assert main([*arguments, "--out", str(tmp_path / "model")]) == 3, "a cache that grew is no other input"
    kept = "".join(each.read_text() for each in (tmp_path / "model").glob("*.json"))
    assert str(tmp_path) not in kept, "a model says nothing of the machine it was made on"
    assert main([*arguments, "--out", str(tmp_path / "again")]) == 0
    same = [(tmp_path / each / "model.safetensors").read_bytes() for each in ("model", "again")]
    assert same[0] == same[1]


def test_what_two_files_say_of_one_tag_has_to_agree(frames: Path, backbone: Path) -> None:
    tags = [Tags(frozenset({"coral"}), frozenset()), Tags(frozenset(), frozenset(), {"coral": 0.25})]
    both = Sample("a", frames / "f00.png", hints=tuple(tags))
    with pytest.raises(InputError, match=r"a: 'coral' is 0\.25 in one file and 1 in another"):
        TrainTags(str(backbone), size=SIZE, device="cpu")([both])
    with pytest.raises(InputError, match="views is -1"):
        TrainTags(views=-1)


def test_too_little_to_learn_from_is_told(frames: Path, backbone: Path) -> None:
    path = frames / "f00.png"
    learner = TrainTags(str(backbone), size=SIZE, device="cpu")
    with pytest.raises(EmptyResultError, match="no picture has tags"):
        learner([Sample("a", path)])
    with pytest.raises(EmptyResultError, match="expected 2 or more"):
        learner([sample("a", path, present="coral")])
    with pytest.raises(UnknownNameError, match="did you mean 'coral'"):
        TrainTags(str(backbone), tags=("corl",), size=SIZE)([sample("a", path, present="coral")])
    with pytest.raises(InputError, match="held_out is 1"):
        TrainTags(held_out=1)


def test_training_needs_masks_or_hints(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "train_tags", str(frames), "--out", str(tmp_path / "model")]) == 2
    assert "give --masks DIR or --hints FILE" in capsys.readouterr().err
