"""Run lengths: encoding, decoding and IoU of a hundred masks, against pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.combine import iou
from maskwright.arrays.encode import counts_text, decode, encode, to_counts

SIDE = 1024


def shapes() -> list[Any]:
    """A hundred wavy discs, bool, column-major as pycocotools wants them."""
    random = np.random.default_rng(0)
    rows, cols = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    found = []
    for _ in range(100):
        row, col = random.uniform(100, 900, 2)
        tall, wide = random.uniform(30, 250, 2)
        wave = 1 + 0.2 * np.sin(7 * np.arctan2(rows - row, cols - col))
        found.append(np.asfortranarray(((rows - row) / tall) ** 2 + ((cols - col) / wide) ** 2 < wave))
    return found


def plain_shapes() -> list[Any]:
    return [np.ascontiguousarray(mask) for mask in shapes()]


def ours_encoded(masks: list[Any]) -> Any:
    return [encode(mask) for mask in masks]


def coco_encoded(masks: list[Any]) -> Any:
    from pycocotools import mask as tools

    return [tools.encode(np.asfortranarray(mask).view(np.uint8)) for mask in masks]


def same_text(ours: Any, theirs: Any) -> str:
    texts = [counts_text(to_counts(region, SIDE, SIDE)) for region in ours]
    differ = sum(text != rle["counts"].decode() for text, rle in zip(texts, theirs, strict=True))
    return f"{differ} differ" if differ else "equal"


def both() -> dict[str, Any]:
    masks = shapes()
    return {"ours": ours_encoded(masks), "coco": coco_encoded(masks)}


def read(inputs: dict[str, Any]) -> Any:
    return inputs["ours"]


def ours_decoded(inputs: dict[str, Any]) -> Any:
    return [decode(region, SIDE, SIDE) for region in inputs["ours"]]


def coco_decoded(inputs: dict[str, Any]) -> Any:
    from pycocotools import mask as tools

    return [tools.decode(rle) for rle in inputs["coco"]]


def ours_iou(inputs: dict[str, Any]) -> Any:
    return iou(inputs["ours"], inputs["ours"])


def coco_iou(inputs: dict[str, Any]) -> Any:
    from pycocotools import mask as tools

    return tools.iou(inputs["coco"], inputs["coco"], [0] * len(inputs["coco"]))


def same_numbers(ours: Any, theirs: Any) -> str:
    return "equal" if np.array_equal(ours, theirs) else f"differ by up to {np.abs(np.subtract(ours, theirs)).max():.2g}"


SIZE = "100 masks 1024x1024"
NEEDS = ("pycocotools",)
CASES = [
    Case("encode, column-major", SIZE, shapes, ours_encoded, "pycocotools", coco_encoded, 1.5, NEEDS, same_text),
    Case("encode, row-major", SIZE, plain_shapes, ours_encoded, "pycocotools", coco_encoded, 1.5, NEEDS, same_text),
    Case("decode", SIZE, both, ours_decoded, "pycocotools", coco_decoded, None, NEEDS, same_numbers, reads=read),
    Case("IoU of regions", "100 x 100", both, ours_iou, "pycocotools", coco_iou, None, NEEDS, same_numbers, reads=read),
]
