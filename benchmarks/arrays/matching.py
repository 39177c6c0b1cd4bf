"""Average precision of masks on 500 pictures with 10,000 objects, against pycocotools and faster-coco-eval."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.encode import Region, counts_text, encode, to_counts
from maskwright.arrays.windows import Window
from maskwright.metrics.instances import average_precision
from maskwright.types import Grid, Instances

HEIGHT, WIDTH, CLASSES = 480, 640, 80
NAMES = ("", *(f"class {k}" for k in range(1, CLASSES + 1)))


def make() -> dict[str, Any]:
    """Truth and detections as Instances and as loaded COCO objects of each peer."""
    random = np.random.default_rng(0)
    truth, found = {}, {}
    for picture in range(500):
        wanted = [_thing(random) for _ in range(20)]
        hits = [_near(each, random) for each in wanted if random.random() < 0.8]
        noise = [(*_thing(random)[:2], float(random.random() * 0.6)) for _ in range(8)]
        truth[str(picture + 1)] = _instances([(*each[:2], 1.0) for each in wanted])
        found[str(picture + 1)] = _instances([*hits, *noise])
    content, results = _coco(truth), _coco(found)["annotations"]
    return {"truth": truth, "found": found, "content": content, "results": results}


def read(inputs: dict[str, Any]) -> Any:
    return inputs["truth"], inputs["found"]


def _thing(random: np.random.Generator) -> tuple[int, Region, tuple[float, ...]]:
    place = (*random.uniform(0, (HEIGHT, WIDTH)), *(random.uniform(4, 90, 2) * random.uniform(0.2, 1)))
    return int(random.integers(1, CLASSES + 1)), _ellipse(*place), place


def _near(thing: tuple[int, Region, tuple[float, ...]], random: np.random.Generator) -> tuple[int, Region, float]:
    row, col, tall, wide = thing[2]
    moved = (row + random.normal(0, 0.1) * tall, col + random.normal(0, 0.1) * wide)
    size = (tall * random.uniform(0.8, 1.2), wide * random.uniform(0.8, 1.2))
    class_id = thing[0] if random.random() < 0.9 else int(random.integers(1, CLASSES + 1))
    return class_id, _ellipse(*moved, *size), float(random.random())


def _ellipse(row: float, col: float, tall: float, wide: float) -> Region:
    top, left = max(0, int(row - tall)), max(0, int(col - wide))
    rows, cols = np.ogrid[top : min(HEIGHT, int(row + tall) + 2), left : min(WIDTH, int(col + wide) + 2)]
    region = encode(((rows - row) / tall) ** 2 + ((cols - col) / wide) ** 2 < 1)
    box = region.box
    return Region(Window(box.top + top, box.left + left, box.bottom + top, box.right + left), region.counts)


def _instances(things: list[tuple[int, Region, float]]) -> Instances:
    things = [each for each in things if each[1].area]
    ids, scores = np.array([each[0] for each in things], np.uint8), np.array([each[2] for each in things])
    return Instances(tuple(each[1] for each in things), ids, scores, NAMES, Grid(HEIGHT, WIDTH))


def _coco(objects: dict[str, Instances]) -> dict[str, Any]:
    annotations = [
        {
            "id": 100_000 * int(name) + k,
            "image_id": int(name),
            "category_id": int(each.class_ids[k]),
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts_text(to_counts(region, HEIGHT, WIDTH))},
            "area": region.area,
            "iscrowd": 0,
            "score": float(each.scores[k]),
        }
        for name, each in objects.items()
        for k, region in enumerate(each.regions)
    ]
    images = [{"id": int(name), "height": HEIGHT, "width": WIDTH} for name in objects]
    categories = [{"id": k, "name": name} for k, name in enumerate(NAMES) if name]
    return {"images": images, "annotations": annotations, "categories": categories}


def ours(inputs: dict[str, Any]) -> Any:
    scores = average_precision(inputs["truth"], inputs["found"])
    return [value for value in scores.values() if isinstance(value, float)]


def pycocotools(inputs: dict[str, Any]) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _evaluated(inputs, COCO, COCOeval)


def faster(inputs: dict[str, Any]) -> Any:
    from faster_coco_eval import COCO, COCOeval_faster

    return _evaluated(inputs, COCO, COCOeval_faster)[:12]


def _evaluated(inputs: dict[str, Any], coco: Any, scoring: Any) -> Any:
    """Loading the peer's own objects once per inputs is not timed after the first run."""
    with contextlib.redirect_stdout(io.StringIO()):
        if coco not in inputs:
            truth = coco()
            truth.dataset = inputs["content"]
            truth.createIndex()
            inputs[coco] = truth, truth.loadRes([dict(each) for each in inputs["results"]])
        evaluation = scoring(*inputs[coco], "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def apart(ours: Any, theirs: Any) -> str:
    return f"differ by up to {np.abs(np.subtract(ours, theirs)).max():.1g}"


SIZE = "500 pictures, 10,000 objects"
CASES = [
    Case("mask AP", SIZE, make, ours, "pycocotools", pycocotools, 10.0, ("pycocotools",), apart, reads=read),
    Case("mask AP", SIZE, make, ours, "faster-coco-eval", faster, None, ("faster_coco_eval",), apart, reads=read),
]
