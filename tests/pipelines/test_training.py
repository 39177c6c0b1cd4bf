"""Train and predict from file to file, as typed; killed and typed again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.cli.main import main
from maskwright.io.masks import read_mask, write_mask
from maskwright.io.rasters import write_raster
from maskwright.models.weights import read_record
from maskwright.pipelines.evaluate import evaluate
from maskwright.types import Grid, Mask
from tests.training_scenes import make_samples

QUICK = ["width=6", "steps=60", "crop=32", "batch=4", "score_every=20", "device=cpu", "precision=float32",
         "learning_rate=0.01", "average=0.9"]  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pytest.importorskip("torch").set_num_threads(1)


def _train(folder: Path, out: str = "model", *words: str) -> list[str]:
    settings = [word for each in QUICK for word in ("--set", each)]
    return ["train", "train_semantic", str(folder / "pics"), "--masks", str(folder / "masks"), "--out",
            str(folder / out), *settings, *words]  # fmt: skip


def test_train_then_predict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_samples(tmp_path, 6)
    assert main([*_train(tmp_path, "model", "--onnx"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 6
    names = {each.name for each in (tmp_path / "model").iterdir() if not each.name.startswith(".")}
    assert {"model.safetensors", "model.json", "README.md", "learner.json", "model.onnx"} <= names
    assert main(["predict", str(tmp_path / "model"), str(tmp_path / "pics"), "--out", str(tmp_path / "predicted")]) == 0
    scores = evaluate(tmp_path / "predicted", tmp_path / "masks")
    assert scores["mean_iou"]["value"] > 0.75
    mask = read_mask(tmp_path / "predicted" / "p0.png")
    assert mask.class_names == ("", "coral", "sand") and mask.confidence is not None
    assert main(_train(tmp_path)) == 3  # all is there already


def test_points_alone_through_the_command(tmp_path: Path) -> None:
    samples = make_samples(tmp_path, 4)
    rows = ["image,x,y,class"]
    for sample in samples:
        truth = read_mask(sample.mask_paths[0]).class_ids
        for class_id, name in ((1, "coral"), (2, "sand")):
            for row, col in np.argwhere(truth == class_id)[5::40]:
                rows.append(f"{sample.name},{col},{row},{name}")
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    words = _train(tmp_path, "model", "--hints", str(tmp_path / "points.csv"))
    place = words.index("--masks")
    assert main([*words[:place], *words[place + 2 :]]) == 0
    assert read_record(tmp_path / "model").class_names == ("", "coral", "sand")


def test_the_size_of_pixels_on_the_ground_is_kept_and_respected(tmp_path: Path) -> None:
    """Trained on pixels of 0.5 m, shown the same ground at 0.25 m: the same map."""
    crs, samples = "EPSG:32740", make_samples(tmp_path / "plain", 5, size=(64, 96))
    for number, sample in enumerate(samples):
        for scale, folder in ((1, tmp_path), (2, tmp_path / "fine")):
            pixels = np.asarray(PIL.Image.open(sample.image_path)).repeat(scale, 0).repeat(scale, 1)
            ids = read_mask(sample.mask_paths[0]).class_ids.repeat(scale, 0).repeat(scale, 1)
            grid = Grid(*ids.shape, (0.5 / scale, 0, 3e5 + 100 * number, 0, -0.5 / scale, 7.6e6), crs)
            for each in ("pics", "masks"):
                (folder / each).mkdir(parents=True, exist_ok=True)
            write_raster(folder / "pics" / f"{sample.name}.tif", pixels, grid)
            write_mask(folder / "masks" / f"{sample.name}.tif", Mask(ids, ("", "coral", "sand"), grid))
    assert main(_train(tmp_path)) == 0
    assert read_record(tmp_path / "model").pixel_m == pytest.approx(0.5, rel=1e-3)
    found = []
    for folder in (tmp_path, tmp_path / "fine"):
        assert main(["predict", str(tmp_path / "model"), str(folder / "pics"), "--out", str(folder / "out")]) == 0
        found.append(read_mask(folder / "out" / "p0.tif").class_ids)
    assert found[1].shape == (128, 192)
    assert (found[0].repeat(2, 0).repeat(2, 1) == found[1]).mean() > 0.97


@pytest.mark.timeout(500)
def test_killed_at_some_step_and_typed_again(tmp_path: Path) -> None:
    make_samples(tmp_path, 5)
    more = ["--set", "steps=120", "--set", "score_every=5", "--set", "patience=1000", "--set", "crop=48"]
    words = [sys.executable, "-m", "maskwright", *_train(tmp_path, "killed"), *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not list((tmp_path / "killed").glob(".checkpoint-*")):
        assert first.poll() is None and time.monotonic() < deadline, "it ended, or hung, before its first checkpoint"
        time.sleep(0.01)
    time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL and not (tmp_path / "killed" / "model.json").exists()
    assert main([*_train(tmp_path, "killed"), *more]) == 0
    assert main([*_train(tmp_path, "whole"), *more]) == 0
    for name in ("model.safetensors", "model.json", "README.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list((tmp_path / "killed").glob(".checkpoint-*"))
