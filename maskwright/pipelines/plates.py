"""Plates: panels side by side, or many pictures on one sheet, with one legend below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.io.classes import Classes, rgb
from maskwright.pipelines.drawing import (
    BACKGROUND,
    DOUBT,
    INK,
    PAPER,
    PLAIN,
    Drawing,
    draw_cross,
    draw_joint,
    ramp_colours,
    shown_classes,
    unit,
)

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SOFT = (91, 101, 112)
_FINE = 3


@dataclass(frozen=True)
class Legend:
    """What a legend explains: names of colours, sides of joints, and whether the unknown, unsure joints, confidence,
    doubted joints."""

    colors: tuple[tuple[str, str], ...] = ()
    unknown: bool = False
    sides: tuple[str, ...] = ()
    unsure: bool = False
    confidence: bool = False
    doubted: bool = False

    @classmethod
    def of(cls, drawings: Sequence[Drawing], classes: Classes, panels: Sequence[str]) -> Legend:
        """What the panels of some drawings need explained."""
        from maskwright.arrays.bones import side_of

        masks = [each.mask for each in drawings if each.mask is not None]
        names, unknown = shown_classes(masks, classes) if "parts" in panels else ({}, False)
        if "parts" in panels:
            used = {color for each in drawings for color in each.joint_colors.values()}
            names |= {k: name for k, name in classes.named.items() if classes.colors[k] in used and name != BACKGROUND}
        animals = [(each, animal) for each in drawings for animal in each.animals] if "parts" in panels else []
        known = {side_of(name) for _, animal in animals for name in animal.names}
        unsure = any(((animal.scores > 0) & (animal.scores < each.visible)).any() for each, animal in animals)
        return cls(
            tuple((name, classes.colors[class_id]) for class_id, name in sorted(names.items())),
            unknown,
            tuple(side for side in ("left", "right", "") if side in known),
            unsure,
            "confidence" in panels and any(each.confidence is not None for each in masks),
            "parts" in panels and any(each.doubted for each in drawings),
        )


def plate(panels: Sequence[Picture], legend: Legend, titles: Sequence[str] = (), *, columns: int = 0) -> Picture:
    """Panels in rows of `columns` (0: all in one), each with its title above, and the legend below, on white."""
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    columns = columns or len(panels)
    cell, tall = panels[0].width, max(each.height for each in panels)
    line = unit(cell)
    gap, size = round(6 * line), max(11, round(11 * line))
    above = round(1.6 * size) if titles else 0
    rows = -(-len(panels) // columns)
    width = columns * cell + (columns + 1) * gap
    top = rows * (tall + above) + (rows + 1) * gap
    scale = max(11, round(0.011 * width)) if columns > 3 else size
    below = legend_strip(legend, width - 2 * gap, scale)
    sheet = PIL.Image.new("RGB", (width, top + (below.height + gap if below is not None else 0)), PAPER)
    pen = PIL.ImageDraw.Draw(sheet)
    font = PIL.ImageFont.load_default(size)
    for k, panel in enumerate(panels):
        left, high = gap + (k % columns) * (cell + gap), gap + (k // columns) * (tall + above + gap)
        if titles:
            pen.text((left, high + above / 2), titles[k], INK, font, "lm")
        sheet.paste(panel, (left, high + above))
    if below is not None:
        sheet.paste(below, (gap, top))
    return sheet


def legend_strip(legend: Legend, width: int, size: int) -> Picture | None:
    """The legend in lines of a width, letters of a size; None where nothing needs explaining."""
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    entries = list(_entries(legend))
    if not entries:
        return None
    font = PIL.ImageFont.load_default(size * _FINE)
    step = round(1.9 * size * _FINE)
    pen = PIL.ImageDraw.Draw(PIL.Image.new("RGB", (1, 1)))
    places = []
    left, line = 0.0, 0
    for kind, name, _ in entries:
        long = size * _FINE * (5.2 if kind == "ramp" else 1.5) + pen.textlength(name, font) + 1.6 * size * _FINE
        if left and left + long > width * _FINE:
            left, line = 0.0, line + 1
        places.append((left, line * step))
        left += long
    strip = PIL.Image.new("RGB", (width * _FINE, (line + 1) * step), PAPER)
    pen = PIL.ImageDraw.Draw(strip)
    for (kind, name, color), (left, high) in zip(entries, places, strict=True):
        used = _mark(pen, kind, color, left, high + step / 2, size * _FINE)
        pen.text((left + used, high + step / 2), name, INK, font, "lm")
    return strip.resize((width, strip.height // _FINE), PIL.Image.Resampling.BOX)


def _entries(legend: Legend) -> Iterator[tuple[str, str, tuple[int, int, int]]]:
    """Kind of mark, name and colour."""
    for name, color in legend.colors:
        yield "swatch", name.replace("_", " "), rgb(color)
    if legend.unknown:
        yield "hatch", "unknown", SOFT
    titles = {
        "left": "left joint",
        "right": "right joint",
        "": "joint in the middle" if legend.sides != ("",) else "joint",
    }
    for side in legend.sides:
        yield f"joint {side}", titles[side], PLAIN
    if legend.unsure:
        yield "unsure", "joint not seen", SOFT
    if legend.doubted:
        yield "cross", "doubted joint", DOUBT
    if legend.confidence:
        yield "ramp", "confidence 0 to 1", INK


def _mark(pen: Any, kind: str, color: tuple[int, int, int], left: float, middle: float, size: float) -> float:
    """Draw a mark before a name; gives how much room it takes."""
    high, low = middle - 0.5 * size, middle + 0.5 * size
    if kind == "ramp":
        for k, each in enumerate(ramp_colours(np.linspace(0, 1, 64))):
            x = left + 4.7 * size * k / 64
            pen.rectangle([x, high, x + 4.7 * size / 64 + 1, low], fill=tuple(each.tolist()))
        return 5.2 * size
    if kind in ("swatch", "hatch"):
        pen.rectangle([left, high, left + size, low], fill=color, outline=SOFT, width=_FINE)
        if kind == "hatch":
            for k in range(-3, 4):
                ends = left + max(0, k) * size / 3.5, left + min(3.5, k + 3.5) * size / 3.5
                pen.line(
                    [
                        (ends[0], low - (ends[0] - left - k * size / 3.5)),
                        (ends[1], low - (ends[1] - left - k * size / 3.5)),
                    ],
                    PAPER,
                    round(size / 9),
                )
        return 1.5 * size
    if kind == "cross":
        draw_cross(pen, (left + size / 2, middle), 0.45 * size)
        return 1.5 * size
    side = kind.removeprefix("joint ") if kind.startswith("joint") else ""
    draw_joint(pen, (left + size / 2, middle), 0.5 * size, color, side, hollow=kind == "unsure")
    return 1.5 * size
