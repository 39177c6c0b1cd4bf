"""Scores of files against files: equal to numpy by hand, whatever the folder, the ids, the size of the raster."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from maskwright.cli.main import main
from maskwright.errors import EmptyResultError, GridError, InputError
from maskwright.io.masks import write_mask
from maskwright.pipelines import mask_files
from maskwright.pipelines.evaluate import evaluate
from maskwright.types import UNKNOWN, Grid, Mask

NAMES = ("", "coral", "sand", "weed", "rock")
Folders = tuple[Path, Path, dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]]


def by_hand(pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]], count: int = 5) -> dict[str, Any]:
    """The definitions of the interface, with sets of pixels and nothing of ours."""
    ours = np.concatenate([a.ravel() for a, _ in pairs])
    truth = np.concatenate([b.ravel() for _, b in pairs])
    ours, truth = ours[truth != 255], truth[truth != 255]
    iou, dice, present, either = {}, {}, [], []
    for c in range(1, count):
        tp = int(((ours == c) & (truth == c)).sum())
        fp, fn = int(((ours == c) & (truth != c)).sum()), int(((ours != c) & (truth == c)).sum())
        iou[NAMES[c]] = tp / (tp + fp + fn) if tp + fp + fn else math.nan
        dice[NAMES[c]] = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else math.nan
        present += [iou[NAMES[c]]] if tp + fn else []
        either += [iou[NAMES[c]]] if tp + fp + fn else []
    return {
        "iou": iou,
        "dice": dice,
        "mean_iou": sum(present) / len(present),
        "mean_iou_predicted": sum(either) / len(either),
        "pixel_accuracy": float((ours == truth).mean()),
        "pixels": len(truth),
    }


def check_equal(scores: dict[str, Any], expected: dict[str, Any]) -> None:
    for key in ("mean_iou", "mean_iou_predicted", "pixel_accuracy"):
        assert scores[key]["value"] == pytest.approx(expected[key], abs=1e-12)
    for key in ("iou", "dice"):
        for name, value in expected[key].items():
            assert scores[key][name]["value"] == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert scores["pixels"] == expected["pixels"]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Five pictures of 20 x 60: rock is only predicted, weed is nowhere, some pixels are unknown on either side."""
    rng = np.random.default_rng(3)
    pairs = {}
    for k in range(5):
        truth = np.where(np.arange(60) < 20 + 4 * k, 1, 2).astype(np.uint8) * np.ones((20, 1), np.uint8)
        ours = np.where(rng.random((20, 60)) < 0.2, 3 - truth, truth).astype(np.uint8)
        ours[:2, :3] = 4
        truth[5:8, 50:] = UNKNOWN
        ours[12:14, 10:20] = UNKNOWN
        write_mask(tmp_path / "ours" / f"p{k}.png", Mask(ours, NAMES))
        write_mask(tmp_path / "truth" / f"p{k}.png", Mask(truth, NAMES))
        pairs[f"p{k}"] = (ours, truth)
    return tmp_path / "ours", tmp_path / "truth", pairs


def test_scores_equal_numpy_by_hand(folders: Folders) -> None:
    ours, truth, pairs = folders
    scores = evaluate(ours, truth)
    check_equal(scores, by_hand(list(pairs.values())))
    assert scores["pictures"] == 5
    assert math.isnan(scores["iou"]["weed"]["value"])
    assert scores["iou"]["rock"]["value"] == 0
    assert scores["mean_iou_predicted"]["value"] < scores["mean_iou"]["value"]
    for one in scores["by_picture"]:
        assert one["mean_iou"] == pytest.approx(by_hand([pairs[one["name"]]])["mean_iou"], abs=1e-12)


def test_intervals_hold_the_value_and_come_from_pictures(folders: Folders, tmp_path: Path) -> None:
    ours, truth, _ = folders
    scores = evaluate(ours, truth)
    assert scores["mean_iou"]["low"] < scores["mean_iou"]["value"] < scores["mean_iou"]["high"]
    assert scores["intervals"] == "picture"
    (tmp_path / "sites.csv").write_text("image,site\n" + "".join(f"p{k},{'ab'[k % 2]}\n" for k in range(5)))
    sited = evaluate(ours, truth, sites=tmp_path / "sites.csv")
    assert sited["mean_iou"]["value"] == scores["mean_iou"]["value"]
    assert sited["mean_iou"]["low"] != scores["mean_iou"]["low"]
    alone = evaluate(ours / "p1.png", truth / "p1.png")
    assert math.isnan(alone["mean_iou"]["low"])


def test_the_command_prints_one_strict_object(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    ours, truth, pairs = folders
    assert main(["evaluate", str(ours), str(truth), "--json"]) == 0
    shown = capsys.readouterr()
    scores = json.loads(shown.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert scores["iou"]["weed"]["value"] is None
    assert scores["mean_iou"]["value"] == pytest.approx(by_hand(list(pairs.values()))["mean_iou"], abs=1e-9)
    assert "mean_iou" in shown.err
    assert main(["evaluate", str(ours), str(truth)]) == 0
    table = capsys.readouterr().out
    assert f"{scores['mean_iou']['value']:.4f}" in table and "rock" in table


def test_masks_that_count_their_classes_differently_meet_by_name(folders: Folders, tmp_path: Path) -> None:
    ours, truth, pairs = folders
    names = ("rock", "sand", "coral")
    table = np.full(256, UNKNOWN, np.uint8)
    table[[1, 2, 4]] = [2, 1, 0]
    for name, (ids, _) in pairs.items():
        write_mask(tmp_path / "other" / f"{name}.png", Mask(table[ids], names))
    scores, same = evaluate(tmp_path / "other", truth), evaluate(ours, truth)
    for key in ("mean_iou", "iou", "boundary_f"):
        assert repr(scores[key]) == repr(same[key])


def test_a_truth_without_a_story_has_the_ids_of_the_other_side(folders: Folders, tmp_path: Path) -> None:
    ours, _, pairs = folders
    (tmp_path / "drawn").mkdir()
    for name, (_, truth) in pairs.items():
        PIL.Image.fromarray(truth).save(tmp_path / "drawn" / f"{name}.png")
    check_equal(evaluate(ours, tmp_path / "drawn"), by_hand(list(pairs.values())))


def test_without_any_story_the_ids_are_the_names(folders: Folders, tmp_path: Path) -> None:
    _, _, pairs = folders
    for side in (0, 1):
        (tmp_path / str(side)).mkdir()
        for name, pair in pairs.items():
            PIL.Image.fromarray(pair[side]).save(tmp_path / str(side) / f"{name}.png")
    scores = evaluate(tmp_path / "0", tmp_path / "1")
    assert list(scores["iou"]) == ["1", "2", "4"]
    assert scores["mean_iou"]["value"] == pytest.approx(by_hand(list(pairs.values()))["mean_iou"])


def test_classes_given_name_and_bound_the_ids(folders: Folders, tmp_path: Path) -> None:
    _, _, pairs = folders
    for side in (0, 1):
        (tmp_path / str(side)).mkdir()
        for name, pair in pairs.items():
            PIL.Image.fromarray(pair[side]).save(tmp_path / str(side) / f"{name}.png")
    classes = tmp_path / "classes.yaml"
    classes.write_text("classes: [{id: 1, name: coral}, {id: 2, name: sand}, {id: 3, name: weed}, {id: 4, name: rock}]")
    check_equal(evaluate(tmp_path / "0", tmp_path / "1", classes=classes), by_hand(list(pairs.values())))
    classes.write_text("classes: [{id: 1, name: coral}, {id: 2, name: sand}]")
    with pytest.raises(InputError, match=r"has the ids 4 \(6 pixels\)"):
        evaluate(tmp_path / "0", tmp_path / "1", classes=classes)


def test_a_mask_of_another_size_is_named_and_the_others_are_scored(
    folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, truth, pairs = folders
    write_mask(ours / "p2.png", Mask(np.ones((21, 60), np.uint8), NAMES))
    assert main(["evaluate", str(ours), str(truth), "--json", "--quiet"]) == 1
    shown = capsys.readouterr()
    scores = json.loads(shown.out)
    assert scores["pictures"] == 4
    check_equal(
        {**scores, "iou": {}, "dice": {}}, {**by_hand([pairs[k] for k in pairs if k != "p2"]), "iou": {}, "dice": {}}
    )
    assert [each["name"] for each in scores["failed"]] == ["p2"]
    assert all(word in shown.err for word in ("ours", "truth", "21 x 60", "20 x 60"))
    with pytest.raises(GridError, match="21 x 60"):
        evaluate(ours / "p2.png", truth / "p2.png")


def test_pairs_that_are_no_pairs(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    ours, truth, _ = folders
    (ours / "p3.png").unlink()
    (truth / "p4.png").unlink()
    scores = evaluate(ours, truth)
    assert scores["pictures"] == 3
    assert [each["name"] for each in scores["failed"]] == ["p3"]
    assert scores["without_truth"] == ["p4"]
    assert main(["evaluate", str(ours), str(truth)]) == 1
    assert "no mask called 'p3'" in capsys.readouterr().err


def test_two_files_are_a_pair_whatever_they_are_called(folders: Folders) -> None:
    ours, truth, pairs = folders
    scores = evaluate(ours / "p1.png", truth / "p2.png")
    check_equal(scores, by_hand([(pairs["p1"][0], pairs["p2"][1])]))


def test_nothing_in_common_nothing_there_nothing_to_score_with(folders: Folders, tmp_path: Path) -> None:
    ours, _, _ = folders
    write_mask(tmp_path / "else" / "q.png", Mask(np.ones((20, 60), np.uint8), NAMES))
    with pytest.raises(EmptyResultError, match="rename one side"):
        evaluate(ours, tmp_path / "else")
    assert main(["evaluate", str(ours), str(tmp_path / "else")]) == 3
    assert main(["evaluate", str(ours), str(tmp_path / "absent")]) == 2
    assert main(["evaluate", str(ours)]) == 2


def test_a_truth_in_which_nothing_is_known_scores_nothing(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, _, pairs = folders
    for name in pairs:
        write_mask(tmp_path / "blank" / f"{name}.png", Mask(np.full((20, 60), UNKNOWN, np.uint8), NAMES))
    assert main(["evaluate", str(ours), str(tmp_path / "blank"), "--json"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["pixels"] == 0 and "nothing was scored" in shown.err


def test_a_large_raster_is_scored_in_bands_like_a_small_one(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, truth, pairs = folders
    grid = Grid(100, 60, (0.5, 0.0, 300000.0, 0.0, -0.5, 7600000.0), "EPSG:32740")
    for side, folder in enumerate((ours, truth)):
        ids = np.vstack([pair[side] for pair in pairs.values()])
        write_mask(folder.with_name(f"{folder.name}_big") / "map.tif", Mask(ids, NAMES, grid))
    whole = evaluate(tmp_path / "ours_big", tmp_path / "truth_big")
    monkeypatch.setattr(mask_files, "LARGE_PIXELS", 1000)
    monkeypatch.setattr("maskwright.pipelines.evaluate.BAND_PIXELS", 60 * 7)
    assert repr(evaluate(tmp_path / "ours_big", tmp_path / "truth_big")) == repr(whole)
    check_equal(whole, by_hand(list(pairs.values())))


def test_points_alone_and_besides_a_truth(folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, truth, pairs = folders
    rows, hits = ["image,x,y,class"], []
    for name, (mine, right) in pairs.items():
        for row, col in ((3, 4), (10, 30), (18, 55), (13, 15)):
            rows.append(f"{name},{col},{row},{NAMES[right[row, col]]}")
            hits.append(mine[row, col] == right[row, col])
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    scores = evaluate(ours, points=tmp_path / "points.csv")
    assert scores["points"] == 20
    assert scores["pixel_accuracy"]["value"] == pytest.approx(np.mean(hits))
    both = evaluate(ours, truth, points=tmp_path / "points.csv")
    assert both["by_points"]["pixel_accuracy"] == scores["pixel_accuracy"]
    assert main(["evaluate", str(ours), "--points", str(tmp_path / "points.csv")]) == 0
    assert "20 points" in capsys.readouterr().out


def test_points_on_a_picture_without_a_mask_are_a_failure(folders: Folders, tmp_path: Path) -> None:
    ours, _, _ = folders
    (tmp_path / "points.csv").write_text("image,x,y,class\np0,4,3,coral\nnowhere,4,3,coral\n")
    scores = evaluate(ours, points=tmp_path / "points.csv")
    assert [each["name"] for each in scores["failed"]] == ["nowhere"]
    assert scores["without_truth"] == ["p1", "p2", "p3", "p4"]
    (tmp_path / "points.csv").write_text("image,x,y,class\nnowhere,4,3,coral\n")
    with pytest.raises(EmptyResultError):
        evaluate(ours, points=tmp_path / "points.csv")


COCO_NUMBERS = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


@pytest.mark.parametrize(
    ("results", "kind", "key"), [("fakesegm", "mask", "val2014_100_segm"), ("fakebbox", "box", "val2014_100_bbox")]
)
def test_objects_score_as_in_cocos_own_example(shared_data: Path, results: str, kind: str, key: str) -> None:
    folder = shared_data / "oracles" / "coco"
    scores = evaluate(folder / f"instances_val2014_{results}100_results.json", folder / "instances_val2014_100.json")
    expected = json.loads((folder / "expected.json").read_text())[key]
    assert scores["kind"] == kind
    for name, value in zip(COCO_NUMBERS, expected, strict=True):
        assert scores[name]["value"] == pytest.approx(value, abs=1e-6)
        assert scores[name]["low"] <= value <= scores[name]["high"]


def test_objects_against_masks_are_refused(folders: Folders, shared_data: Path) -> None:
    with pytest.raises(InputError, match="same form"):
        evaluate(folders[0], shared_data / "oracles" / "coco" / "instances_val2014_100.json")
