"""Average precision equals pycocotools: on the published reference and on random cases full of ties and crowds."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.arrays import combine, encode
from maskwright.arrays.encode import EMPTY
from maskwright.errors import GridError, InputError
from maskwright.io.coco import read_instances, read_objects, write_instances
from maskwright.metrics.instances import AveragePrecision, average_precision, join, picture_tallies
from maskwright.types import Grid, Instances

pycocotools = pytest.importorskip("pycocotools", reason="pycocotools is the oracle; install the bench extra")

KEYS = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"]
KEYS += ["ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"]
POINT_KEYS = ["ap", "ap50", "ap75", "ap_medium", "ap_large", "ar20", "ar50", "ar75", "ar_medium", "ar_large"]


def oracle(truth: Path, found: Path, kind: str) -> list[float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(str(truth))
        scoring = COCOeval(reference, reference.loadRes(str(found)), kind)
        scoring.evaluate()
        scoring.accumulate()
        scoring.summarize()
    return [math.nan if value == -1 else float(value) for value in scoring.stats]


def same(ours: dict[str, Any], theirs: list[float], keys: list[str] = KEYS) -> None:
    np.testing.assert_allclose([ours[key] for key in keys], theirs, rtol=0, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize(("kind", "file"), [("box", "fakebbox100"), ("mask", "fakesegm100")])
def test_the_twelve_published_numbers(shared_data: Path, kind: Any, file: str) -> None:
    folder = shared_data / "oracles" / "coco"
    truth, found = folder / "instances_val2014_100.json", folder / f"instances_val2014_{file}_results.json"
    expected = json.loads((folder / "expected.json").read_text())
    scores = average_precision(read_instances(truth), read_instances(found, like=truth), kind=kind)
    same(scores, expected["val2014_100_bbox" if kind == "box" else "val2014_100_segm"])
    same(average_precision(read_objects(truth), read_objects(found, like=truth), kind=kind), oracle_numbers(scores))


def oracle_numbers(scores: dict[str, Any]) -> list[float]:
    return [scores[key] for key in KEYS]


def test_the_published_keypoint_numbers(shared_data: Path) -> None:
    folder = shared_data / "oracles" / "coco"
    truth, found = folder / "keypoints_gt_dataset.json", folder / "keypoints_dt_dataset.json"
    scores = average_precision(read_objects(truth), read_objects(found, like=truth), kind="keypoint")
    same(scores, oracle(truth, found, "keypoints"), POINT_KEYS)
    expected = json.loads((folder / "expected.json").read_text())["keypoints_small"]
    same(scores, expected, POINT_KEYS)


def random_case(seed: int, folder: Path) -> tuple[Path, Path]:
    """Truth and results with crowds, empty pictures, tied scores, tied overlaps and all sizes."""

    random = np.random.default_rng(seed)
    height, width = 40, 120
    scale = random.choice([1, 4])
    categories = int(random.integers(1, 5))
    images = [
        {"id": k, "file_name": f"{k}.png", "height": height * int(scale), "width": width * int(scale)}
        for k in (7, 2, 11, 5)
    ]
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image in images[: int(random.integers(1, 5))]:
        for _ in range(random.integers(0, 8)):
            box = [
                int(v)
                for v in (
                    random.integers(0, 80),
                    random.integers(0, 20),
                    random.integers(1, 41),
                    random.integers(1, 21),
                )
            ]
            crowd = int(random.random() < 0.15)
            truth.append(
                annotation(image, box, int(scale), random, categories) | {"iscrowd": crowd, "id": len(truth) + 1}
            )
            for _ in range(random.integers(0, 4)):
                moved = [max(1, v + int(random.integers(-3, 4))) for v in box]
                each = annotation(image, moved, int(scale), random, categories)
                if random.random() < 0.8:
                    each["category_id"] = truth[-1]["category_id"]
                found.append(each | {"score": float(random.choice([0.1, 0.3, 0.5, 0.5, 0.9, random.random()]))})
    if not found:
        found.append(annotation(images[0], [1, 1, 5, 5], 1, random, categories) | {"score": 0.5})
    for each in found:
        del each["bbox"], each["area"]
    names = [{"id": 1 + k, "name": f"class {k}"} for k in range(categories)]
    (folder / "truth.json").write_text(json.dumps({"images": images, "annotations": truth, "categories": names}))
    (folder / "found.json").write_text(json.dumps(found))
    return folder / "truth.json", folder / "found.json"


def annotation(
    image: dict[str, Any], box: list[int], scale: int, random: np.random.Generator, categories: int
) -> dict[str, Any]:
    import pycocotools.mask

    x, y, w, h = (scale * v for v in box)
    mask = np.zeros((image["height"], image["width"]), np.uint8, order="F")
    mask[y : y + h, x : x + w] = 1
    if random.random() < 0.5:
        mask[y + h // 2 :, x + w // 2 :] = 0
    rle = pycocotools.mask.encode(mask)
    shape = {"size": [image["height"], image["width"]], "counts": rle["counts"].decode()}
    category = int(random.integers(1, categories + 1))
    area = float(mask.sum()) * float(random.choice([1.0, 0.9]))
    return {"image_id": image["id"], "category_id": category, "segmentation": shape, "bbox": [x, y, w, h], "area": area}


@pytest.mark.parametrize("block", range(10))
def test_random_masks_equal_pycocotools(block: int, tmp_path: Path) -> None:
    for seed in range(20 * block, 20 * block + 20):
        truth, found = random_case(seed, tmp_path)
        ours = average_precision(read_instances(truth), read_instances(found, like=truth))
        same(ours, oracle(truth, found, "segm"))


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_random_boxes_equal_pycocotools(seed: int, tmp_path: Path) -> None:
    truth, found = random_case(seed, tmp_path)
    content = json.loads(found.read_text())
    random = np.random.default_rng(seed)
    for each in content:
        del each["segmentation"]
        each["bbox"] = np.round(random.uniform((0, 0, 1, 1), (80, 20, 40, 20)), 2).tolist()
    found.write_text(json.dumps(content))
    same(
        average_precision(read_instances(truth), read_instances(found, like=truth), kind="box"),
        oracle(truth, found, "bbox"),
    )


@pytest.mark.parametrize("seed", range(20))
def test_random_keypoints_equal_pycocotools(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    images = [{"id": k, "file_name": f"{k}.png", "height": 200, "width": 300} for k in range(1, 5)]
    truth, found = [], []
    for image in images:
        for _ in range(random.integers(0, 5)):
            points = random.uniform(0, 200, (17, 2)).round(1)
            seen = (random.random(17) < random.choice([0.0, 0.5, 1.0])) * 2
            triples = np.column_stack([points, seen]).reshape(-1).tolist()
            side = float(random.uniform(20, 180))
            truth.append(
                {
                    "id": len(truth) + 1, "image_id": image["id"], "category_id": 1,
                    "iscrowd": int(random.random() < 0.1),

                    "area": side * side / 2, "bbox": [10, 10, side, side], "keypoints": triples,
                    "num_keypoints": int((seen > 0).sum()),
                }
            )  # fmt: skip
            for _ in range(random.integers(0, 3)):
                moved = points + random.normal(0, random.choice([0.5, 4, 12]), points.shape)
                triples = np.column_stack([moved.round(2), np.ones(17)]).reshape(-1).tolist()
                score = float(random.choice([0.2, 0.6, random.random()]))
                found.append({"image_id": image["id"], "category_id": 1, "keypoints": triples, "score": score})
    if not found:
        return
    (tmp_path / "t.json").write_text(
        json.dumps({"images": images, "annotations": truth, "categories": [{"id": 1, "name": "person"}]})
    )
    (tmp_path / "f.json").write_text(json.dumps(found))
    reference = read_objects(tmp_path / "t.json")
    ours = average_precision(reference, read_objects(tmp_path / "f.json", like=tmp_path / "t.json"), kind="keypoint")
    same(ours, oracle(tmp_path / "t.json", tmp_path / "f.json", "keypoints"), POINT_KEYS)


def test_the_plain_path_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.arrays import matching

    truth, found = random_case(3, tmp_path)
    fast = average_precision(read_instances(truth), read_instances(found, like=truth))
    for module in (encode, combine):
        monkeypatch.setattr(module, "HAS_NUMBA", False)
    monkeypatch.setattr(matching, "_match", getattr(matching._match, "py_func", matching._match))
    assert str(average_precision(read_instances(truth), read_instances(found, like=truth))) == str(fast)


def blocks(
    *boxes: tuple[int, int, int, int], scores: list[float] | None = None, names: tuple[str, ...] = ("", "a")
) -> Instances:
    regions = []
    for top, left, bottom, right in boxes:
        mask = np.zeros((100, 120), bool)
        mask[top:bottom, left:right] = True
        regions.append(encode.encode(mask))
    values = np.array([1.0] * len(boxes) if scores is None else scores, np.float32)
    return Instances(tuple(regions), np.full(len(boxes), len(names) - 1, np.uint8), values, names, Grid(100, 120))


def test_cases_to_check_by_eye() -> None:
    square, other = (10, 10, 50, 50), (60, 60, 90, 90)
    exact = average_precision({"p": blocks(square)}, {"p": blocks(square)})
    assert (exact["ap"], exact["by_class"]["a"]["ap75"], exact["ar1"]) == pytest.approx((1, 1, 1))
    shifted = average_precision({"p": blocks((10, 10, 20, 90))}, {"p": blocks((10, 30, 20, 110))})
    assert (shifted["ap"], shifted["ap50"], shifted["ap75"]) == pytest.approx((0.3, 1, 0))
    three = blocks(square, (0, 90, 9, 99), other, scores=[0.9, 0.8, 0.7])
    assert abs(average_precision({"p": blocks(square, other)}, {"p": three})["ap"] - (51 + 50 * 2 / 3) / 101) < 1e-12
    twice = blocks(square, square, scores=[0.9, 0.8])
    assert average_precision({"p": blocks(square)}, {"p": twice})["ap"] == pytest.approx(1)
    assert math.isnan(exact["ap_small"]) and exact["ap_medium"] == pytest.approx(1)


def test_detections_on_empty_pictures_count_against() -> None:
    square = (10, 10, 50, 50)
    truth = {"p": blocks(square), "q": blocks()}
    found = {"p": blocks(square, scores=[0.5]), "q": blocks(square, scores=[0.9])}
    assert average_precision(truth, found)["ap"] == pytest.approx(0.5)
    assert average_precision(truth, {"p": blocks(square)})["ap"] == pytest.approx(1)


def test_classes_are_paired_by_name() -> None:
    square = (10, 10, 50, 50)
    truth = {"p": blocks(square, names=("", "", "cup"))}
    assert average_precision(truth, {"p": blocks(square, names=("cup",))})["ap"] == pytest.approx(1)
    assert average_precision(truth, {"p": blocks(square, names=("", "dog"))})["ap"] == 0


def test_nothing_to_find_is_nan() -> None:
    assert math.isnan(average_precision({"p": blocks()}, {"p": blocks((1, 1, 5, 5))})["ap"])
    assert math.isnan(average_precision({}, {})["ap"])
    assert average_precision({"p": blocks((1, 1, 5, 5))}, {})["ap"] == 0


def test_pictures_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match="picture 'q', which the truth does not know"):
        average_precision({"p": blocks()}, {"q": blocks()})
    small = Instances((EMPTY,), np.zeros(1, np.uint8), np.ones(1, np.float32), ("a",), Grid(5, 9))
    with pytest.raises(GridError, match="picture 'p' is 100 x 120 in the truth and 5 x 9"):
        average_precision({"p": blocks()}, {"p": small})


def test_tallies_add_up(tmp_path: Path) -> None:
    truth, found = (
        read_instances(path, like=like)
        for path, like in zip(random_case(8, tmp_path), (None, tmp_path / "truth.json"), strict=True)
    )
    metric = AveragePrecision("mask")
    tallies = picture_tallies(truth, found, metric)
    assert list(tallies) == list(truth)
    together = metric.scores(join(tallies.values()))
    assert str(metric.scores(sum(tallies.values()))) == str(together)  # type: ignore[arg-type]
    assert str({key: value for key, value in average_precision(truth, found).items() if key in together}) == str(
        together
    )


def test_what_was_written_scores_like_what_was_read(tmp_path: Path) -> None:
    truth, found = random_case(12, tmp_path)
    reference, results = read_instances(truth), read_instances(found, like=truth)
    write_instances(tmp_path / "t2.json", reference)
    write_instances(tmp_path / "f2.json", results)
    again = average_precision(read_instances(tmp_path / "t2.json"), read_instances(tmp_path / "f2.json"))
    assert str(again) == str(average_precision(reference, results))


def test_sigmas_must_fit_the_keypoints(shared_data: Path) -> None:
    folder = shared_data / "oracles" / "coco"
    truth = read_objects(folder / "example_crowdpose_val.json")
    found = read_objects(folder / "example_crowdpose_preds.json", like=folder / "example_crowdpose_val.json")
    with pytest.raises(InputError, match="14 in the truth, and there are 17 sigmas"):
        average_precision(truth, found, kind="keypoint")
