"""A labeler that sees the whole collection first: learned once, kept, named in stories, the same for any worker."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from maskwright.io.masks import read_mask
from maskwright.methods.point_forest import PointForest
from maskwright.pipelines.commands import label
from maskwright.pipelines.explain import replay

QUICK = {"trees": 10}


def project(folder: Path, count: int = 3) -> tuple[Path, Path]:
    """Pictures with a bright block on dark ground and three points in each."""
    random, pictures = np.random.default_rng(0), folder / "pictures"
    pictures.mkdir()
    lines = ["image,x,y,class"]
    for number in range(count):
        pixels = random.normal(60, 10, (40, 70, 3))
        pixels[10:30, 20 + number : 50] += 120
        Pillow.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(pictures / f"p{number}.png")
        lines += [f"p{number},{x},{y},{name}" for x, y, name in
                  ((5, 5, "ground"), (60, 33, "ground"), (35, 20, "block"), (30, 14, "block"))]  # fmt: skip
    (folder / "points.csv").write_text("\n".join(lines) + "\n")
    return pictures, folder / "points.csv"


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(folder.glob("p*"))}


def test_learned_once_and_kept_with_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, points = project(tmp_path)
    out = tmp_path / "out"
    outcome = label("point_forest", pictures, hints=points, out=out, settings=QUICK)
    assert (outcome.done, outcome.failed) == (3, ())
    truth = np.zeros((40, 70), bool)
    truth[10:30, 22:50] = True
    assert (read_mask(out / "p2.png").class_ids == np.where(truth, 1, 2)).mean() > 0.97
    step = json.loads((out / "p0.json").read_text())["steps"][-1]
    assert step["inputs"]["learned"] == {"path": "learned/1-point_forest", "sha256": step["weights"]}
    assert (out / "learned/1-point_forest/point_forest.npz").is_file()

    monkeypatch.setattr(PointForest, "__call__", lambda self, samples: pytest.fail("it learned again"))
    again = label("point_forest", pictures, hints=points, out=out, settings=QUICK)
    assert (again.done, again.skipped) == (0, 3)
    (out / "p1.png").unlink()
    assert label("point_forest", pictures, hints=points, out=out, settings=QUICK).done == 1


def test_any_worker_gives_the_same_bytes_and_replay_too(tmp_path: Path) -> None:
    pictures, points = project(tmp_path)
    label("point_forest", pictures, hints=points, out=tmp_path / "one", settings=QUICK)
    label("point_forest", pictures, hints=points, out=tmp_path / "two", settings=QUICK, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert replay(tmp_path / "one" / "p1.png", tmp_path / "again").identical


def test_more_points_are_learned_anew(tmp_path: Path) -> None:
    pictures, points = project(tmp_path)
    label("point_forest", pictures, hints=points, out=tmp_path / "out", settings=QUICK)
    points.write_text(points.read_text() + "p0,45,20,block\n")
    assert label("point_forest", pictures, hints=points, out=tmp_path / "out", settings=QUICK).done == 3


def test_a_broken_picture_stops_nothing(tmp_path: Path) -> None:
    pictures, points = project(tmp_path)
    (pictures / "p1.png").write_bytes(b"no picture at all")
    outcome = label("point_forest", pictures, hints=points, out=tmp_path / "out", settings=QUICK)
    assert outcome.done == 2
    assert [name for name, _ in outcome.failed] == ["p1"]
