"""Maskwright turns hints into masks.

    import maskwright as mw

    image = mw.read_image("reef.png")
    classes = mw.read_classes("classes.yaml")
    points = mw.read_points("points.csv", classes)["reef"]
    mask = mw.NearestPoint(reach_px=40)(image, [points], classes.names)
    mw.write_mask("out/reef.png", mask)

Every name below is loaded when it is first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "UNKNOWN": "maskwright.types",
    "Grid": "maskwright.types",
    "Image": "maskwright.types",
    "Mask": "maskwright.types",
    "Instances": "maskwright.types",
    "Points": "maskwright.types",
    "Keypoints": "maskwright.types",
    "Tags": "maskwright.types",
    "Survey": "maskwright.types",
    "ScoreMap": "maskwright.types",
    "Sample": "maskwright.types",
    "Step": "maskwright.types",
    "MaskwrightError": "maskwright.errors",
    "read_classes": "maskwright.io.classes",
    "read_image": "maskwright.io.images",
    "read_points": "maskwright.io.points",
    "read_keypoints": "maskwright.io.keypoints",
    "read_mask": "maskwright.io.masks",
    "write_mask": "maskwright.io.masks",
    "NearestPoint": "maskwright.methods.nearest_point",
    "GeodesicPoint": "maskwright.methods.geodesic_point",
    "RandomWalk": "maskwright.methods.random_walk",
    "CoarseMask": "maskwright.methods.coarse_mask",
    "SurveyScores": "maskwright.methods.survey_scores",
    "joints": "maskwright.pipelines.joints",
    "draw": "maskwright.pipelines.draw",
    "label": "maskwright.pipelines.commands",
    "refine": "maskwright.pipelines.commands",
    "train": "maskwright.pipelines.commands",
    "predict": "maskwright.pipelines.commands",
    "run": "maskwright.pipelines.run",
    "evaluate": "maskwright.pipelines.evaluate",
    "measure": "maskwright.pipelines.measure",
    "convert": "maskwright.pipelines.convert",
    "explain": "maskwright.pipelines.explain",
    "replay": "maskwright.pipelines.explain",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from maskwright.errors import MaskwrightError as MaskwrightError
    from maskwright.types import UNKNOWN as UNKNOWN
    from maskwright.types import Grid as Grid
    from maskwright.types import Image as Image
    from maskwright.types import Instances as Instances
    from maskwright.types import Keypoints as Keypoints
    from maskwright.types import Mask as Mask
    from maskwright.types import Points as Points
    from maskwright.types import Sample as Sample
    from maskwright.types import ScoreMap as ScoreMap
    from maskwright.types import Step as Step
    from maskwright.types import Survey as Survey
    from maskwright.types import Tags as Tags


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'maskwright' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
