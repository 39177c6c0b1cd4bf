"""Joints and outlines of three toy animals become body parts, drawn with `maskwright draw`'s own pen.

Run it: python docs/examples/parts.py [FOLDER FOR THE PICTURE]
"""

from __future__ import annotations

import sys
from pathlib import Path

from maskwright.io.profiles import read_profile
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.pipelines.draw import joint_colors
from maskwright.pipelines.drawing import Drawing, draw_panel
from maskwright.pipelines.plates import Legend, plate
from maskwright.toys import animals
from maskwright.types import Keypoints


def main(folder: Path) -> list[str]:
    """Draw parts.jpg into `folder`; gives the names of the parts in it."""
    method, profile = KeypointParts(), read_profile("quadruped5")
    classes, drawings = method.own_classes, []
    for scene in animals.make(3, random_state=11, size=(240, 360)):
        animal = scene.hints["keypoints"]
        assert isinstance(animal, Keypoints)
        mask = method(scene.image, [animal, scene.hints["outline"]], classes.names)
        colors = joint_colors(profile, classes, [animal])
        drawings.append(Drawing(scene.image, mask, classes, (animal,), colors).close_up(0.05))
    legend = Legend.of(drawings, classes, ("parts",))
    sheet = plate([draw_panel(each, "parts", 600) for each in drawings], legend)
    folder.mkdir(parents=True, exist_ok=True)
    sheet.resize((sheet.width * 3 // 4, sheet.height * 3 // 4)).save(folder / "parts.jpg", quality=85)
    return [name for name, _ in legend.colors]


if __name__ == "__main__":
    print("drawn:", ", ".join(main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))))
