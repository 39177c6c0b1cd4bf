"""The page of a run: self-contained, the numbers of metrics.json, the worst picture first, nothing made up."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.cli.main import main
from maskwright.errors import InputError
from maskwright.io.masks import write_mask
from maskwright.pipelines.page import curve, number, report_page, whisker
from maskwright.pipelines.report import gather_report, write_report
from maskwright.pipelines.thumbnails import confidence_thumbnail, mask_thumbnail, picture_thumbnail, thinned
from maskwright.types import UNKNOWN, Mask

NAMES = ("", "coral", "sand")
VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Every tag that is opened is closed, in order; keeps what is referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Balanced:
    reader = Balanced()
    reader.feed(page)
    assert reader.open == []
    return reader


def pixels_of(uri: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))))


@pytest.fixture
def run(pictures: Path, tmp_path: Path) -> Path:
    """A run on eight pictures of 20 x 60, from points, against truth; one picture is empty."""
    (pictures / "pics" / "p009.png").write_bytes(b"")
    (pictures / "points.csv").write_text((pictures / "points.csv").read_text() + "p009,3,3,sand\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: <reef> & co\nimages: pics\nhints: [{path: points.csv}]\nclasses: classes.yaml\n"
        "label: [{method: nearest_point}]\nevaluate: {truth: truth}\n"
    )
    assert main(["run", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 1
    return tmp_path / "run"


def test_a_run_ends_with_a_page_that_needs_nothing_else(run: Path) -> None:
    page = (run / "report.html").read_text("utf-8")
    reader = parsed(page)
    assert reader.sources
    assert all(each.startswith("data:image/") for each in reader.sources)
    assert not re.search(r"<script|@import|url\(|https?:", page)
    assert "&lt;reef&gt; &amp; co: 8 masks" in page


def test_the_numbers_are_those_of_metrics_json(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    report = gather_report(run)
    assert report["headlines"][0] == {"label": "mean IoU", **metrics["mean_iou"]}
    coral = next(each for each in report["classes"] if each["name"] == "coral")
    assert coral["iou"] == metrics["iou"]["coral"]
    assert coral["support"] == 8 * 12 * 15
    page = report_page(report)
    assert f"<b>{metrics['mean_iou']['value']:.3f}</b>" in page
    assert "Boundaries match within 2 px." in page


def test_the_worst_picture_comes_first(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    scores = {each["name"]: each["mean_iou"] for each in metrics["by_picture"]}
    report = gather_report(run)
    shown = [each["name"] for each in report["gallery"]]
    assert shown == sorted(scores, key=lambda name: scores[name])
    assert all(each["picture"] and each["truth"] and each["mask"] for each in report["gallery"])


def test_truth_and_mask_wear_the_same_colours(run: Path, pictures: Path) -> None:
    for path in (pictures / "truth").glob("*.png"):  # the same truth with other ids and other colours
        ids = np.where(np.asarray(PIL.Image.open(path)) == 1, 5, 7).astype(np.uint8)
        write_mask(path, Mask(ids, ("", "", "", "", "", "coral", "", "sand")))
    example = gather_report(run)["gallery"][0]
    truth, mask = pixels_of(example["truth"]), pixels_of(example["mask"])
    assert {tuple(each) for each in truth.reshape(-1, 4)} == {tuple(each) for each in mask.reshape(-1, 4)}


def test_statistics_cost_versions_failures_and_recipe(run: Path) -> None:
    report = gather_report(run)
    assert sum(each["pixels"] for each in report["statistics"]) == 8 * 20 * 60
    assert [each["pictures"] for each in report["statistics"]] == [8, 8]
    steps = {each["stage"]: each for each in report["cost"]}
    assert steps["round-1/masks: nearest_point"]["items"] == 8
    assert report["versions"]["maskwright"]
    assert [name for name, _ in report["failed"]] == ["p009"]
    assert "nearest_point" in report["recipe"]
    assert report["weights"] == []


def test_a_run_without_truth_shows_its_first_masks(run: Path) -> None:
    (run / "metrics.json").unlink()
    report = gather_report(run)
    assert report["headlines"] == []
    assert [each["name"] for each in report["gallery"]][:2] == ["p000", "p001"]
    assert "Scores per class" not in report_page(report)


def test_pictures_that_moved_are_shown_as_absent(run: Path, pictures: Path) -> None:
    (pictures / "pics").rename(pictures / "elsewhere")
    report = gather_report(run)
    assert all(each["picture"] is None for each in report["gallery"])
    parsed(report_page(report))


def test_curves_and_rounds_appear_where_there_are_some(run: Path) -> None:
    (run / "round-1" / "model").mkdir()
    history = {"loss": [2.0, 1.0, 0.5], "words": ["a"]}
    (run / "round-1" / "model" / "model.json").write_text(json.dumps({"training": {"history": history}}))
    metrics = json.loads((run / "metrics.json").read_text())
    worse = {**metrics["steps"][0], "round": "round-2", "methods": ["predict"], "gain": {"mean_iou": -0.1234}}
    metrics["steps"].append(worse)
    (run / "metrics.json").write_text(json.dumps(metrics))
    page = write_report(run).read_text("utf-8")
    parsed(page)
    assert page.count("<polyline") == 1
    assert "Round by round" in page and "Learning" in page
    assert "<td>round 2</td><td>predict</td>" in page and "-0.123" in page


def test_a_history_told_line_by_line_becomes_curves(run: Path) -> None:
    (run / "round-1" / "model").mkdir()
    history = [{"step": 50, "loss": 2.0}, {"step": 100, "loss": 1.0, "score": 0.5}]
    (run / "round-1" / "model" / "model.json").write_text(json.dumps({"training": {"history": history}}))
    curves = {each["name"]: each["values"] for each in gather_report(run)["curves"]}
    assert curves == {"round-1: loss": [2.0, 1.0], "round-1: score": [0.5]}


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="round-1/masks"):
        write_report(tmp_path)


def test_thumbnails_show_unknown_as_nothing_and_keep_colours() -> None:
    palette = np.zeros((256, 3), np.uint8)
    palette[1] = (200, 10, 20)
    shown = pixels_of(mask_thumbnail(np.array([[1, 1, UNKNOWN]], np.uint8), palette))
    assert shown.tolist() == [[[200, 10, 20, 255], [200, 10, 20, 255], [0, 0, 0, 0]]]
    ends = pixels_of(confidence_thumbnail(np.array([[0.0, 1.0, np.nan]], np.float32)))
    assert ends.tolist() == [[[0, 34, 78], [254, 232, 56], [0, 34, 78]]]


def test_large_pictures_become_small_ones_of_the_same_shape(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 3000).astype(np.uint16), (1000, 1))
    PIL.Image.fromarray(ramp).save(tmp_path / "deep.png")
    shown = pixels_of(picture_thumbnail(tmp_path / "deep.png"))
    assert shown.shape == (120, 360, 3)
    assert shown[:, 0].max() < 12 and shown[:, -1].min() > 243
    assert (
        thinned(np.arange(100).reshape(5, 20, 1), 10)[..., 0].tolist()
        == np.arange(100).reshape(5, 20)[::2, ::2].tolist()
    )


def test_small_drawings() -> None:
    assert whisker({"value": None}) == "" and whisker(None) == ""
    assert 'x="100.0" width="0.5"' in whisker({"value": 0.5, "low": None, "high": None})
    assert curve([1.0, float("nan"), 3.0]).count(",") == 2
    assert curve([float("nan")]) == ""
    assert number(None) == "–"
