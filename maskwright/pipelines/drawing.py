"""A picture with what is known of it drawn over it: regions, joints and the lines between them, confidence, a legend.

Everything is drawn at a chosen width, whatever the size of the picture, so that lines and letters look the same in
print. Regions get smooth borders for the eye; their pixels are those of the mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.bones import bones_of, side_of
from maskwright.arrays.colour import as_rgb, blend, borders
from maskwright.arrays.windows import Window
from maskwright.io.classes import Classes, rgb
from maskwright.types import UNKNOWN, Image, Keypoints, Mask

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Panel = Literal["picture", "parts", "confidence"]
BACKGROUND = "background"
INK, PAPER, PLAIN, DOUBT = (27, 31, 36), (255, 255, 255), (238, 238, 238), (204, 17, 17)
RAMP = ((0, 34, 78), (87, 93, 109), (165, 156, 116), (254, 232, 56))
"""Confidence 0 to 1, dark blue to yellow: lighter with every step, for any kind of colour vision and in print."""
_FINE = 3  # lines are drawn so many times larger and shrunk, which makes their edges smooth


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn: a picture, its mask, its animals' joints, and colours by region and by joint.

    `joint_colors` are "#rrggbb" by the names in `animals`; joints without one are grey. A joint with a score below
    `visible` is hollow. `outlines` are bool regions (height, width) whose borders are drawn in white. `doubted` joints,
    by the number of their animal and their name, are crossed out, and lines go past them.
    """

    image: Image
    mask: Mask | None = None
    classes: Classes = field(default_factory=lambda: Classes(()))
    animals: tuple[Keypoints, ...] = ()
    joint_colors: Mapping[str, str] = field(default_factory=dict)
    outlines: tuple[NDArray[np.bool_], ...] = ()
    visible: float = 0.5
    named_joints: bool = False
    doubted: Mapping[tuple[int, str], str] = field(default_factory=dict)

    def close_up(self, margin: float = 0.15) -> Drawing:
        """The part of the picture around its animals, in the picture's own proportions; all of it where none is."""
        window = _around(self, margin)
        mask = self.mask
        if mask is not None:
            sure = None if mask.confidence is None else mask.confidence[window.slices]
            mask = Mask(mask.class_ids[window.slices], mask.class_names, mask.grid.crop(window), sure, mask.history)
        animals = tuple(
            replace(each, rows=each.rows - window.top, cols=each.cols - window.left) for each in self.animals
        )
        outlines = tuple(each[window.slices] for each in self.outlines)
        return replace(self, image=self.image.crop(window), mask=mask, animals=animals, outlines=outlines)


def draw_panel(drawing: Drawing, panel: Panel, width: int) -> Picture:
    """One panel, `width` pixels wide: the picture alone, its regions and joints, or the confidence of its regions."""
    import PIL.Image

    height = max(1, round(width * drawing.image.grid.height / drawing.image.grid.width))
    pixels = _resized(as_rgb(np.asarray(drawing.image.pixels)), (height, width))
    if panel == "parts" and drawing.mask is not None:
        pixels = _with_regions(pixels, drawing.mask, drawing.classes)
    if panel == "confidence" and drawing.mask is not None and drawing.mask.confidence is not None:
        pixels = _with_confidence(pixels, drawing.mask)
    if panel != "picture":
        for outline in drawing.outlines:
            pixels = _with_outline(pixels, outline)
    picture = PIL.Image.fromarray(pixels)
    return _with_joints(picture, drawing) if panel == "parts" and drawing.animals else picture


def _around(drawing: Drawing, margin: float) -> Window:
    """A window of the picture's proportions with every joint and every pixel that is no background."""
    height, width = drawing.image.grid.shape
    shown = np.zeros((height, width), bool)
    if drawing.mask is not None and BACKGROUND in drawing.mask.class_names:
        shown |= drawing.mask.class_ids != drawing.mask.class_names.index(BACKGROUND)
    for outline in drawing.outlines:
        shown |= outline
    for animal in drawing.animals:
        seen = np.isfinite(animal.rows) & np.isfinite(animal.cols)
        at = animal.rows[seen].astype(int).clip(0, height - 1), animal.cols[seen].astype(int).clip(0, width - 1)
        shown[at] = True
    rows, cols = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if not len(rows):
        return Window(0, 0, height, width)
    share = max((np.ptp(rows) + 1) / height, (np.ptp(cols) + 1) / width) * (1 + 2 * margin)
    high, wide = (min(side, max(1, round(side * share))) for side in (height, width))
    top = int(np.clip(round((rows[0] + rows[-1] - high) / 2), 0, height - high))
    left = int(np.clip(round((cols[0] + cols[-1] - wide) / 2), 0, width - wide))
    return Window(top, left, top + high, left + wide)


def unit(width: int) -> float:
    """The thickness of a line in pixels, in a panel of a width."""
    return max(width / 500, 1.0)


def _resized(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    import cv2

    shrinks = size[0] < pixels.shape[0]
    resized: NDArray[Any] = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return resized


def smooth_classes(class_ids: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Class ids (height, width) at another size, borders smooth instead of in steps; of equal ones the lower id.

    >>> smooth_classes(np.array([[1, 255]], np.uint8), (1, 4)).tolist()
    [[1, 1, 255, 255]]
    """
    best = np.full(size, -1, np.float32)
    smooth = np.zeros(size, np.uint8)
    for class_id in np.unique(class_ids):
        share = _softened(class_ids == class_id, size)
        wins = share > best
        smooth[wins], best[wins] = class_id, share[wins]
    return smooth


def _softened(region: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    import cv2

    scale = size[0] / region.shape[0]
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    share = cv2.resize(region.astype(np.float32), size[::-1], interpolation=kind)
    softened: NDArray[np.float32] = cv2.GaussianBlur(share, (0, 0), 0.5 * scale) if scale > 1 else share
    return softened


def _with_regions(pixels: NDArray[np.uint8], mask: Mask, classes: Classes) -> NDArray[np.uint8]:
    import cv2

    size = pixels.shape[0], pixels.shape[1]
    ids = smooth_classes(mask.class_ids, size)
    background = classes.names.index(BACKGROUND) if BACKGROUND in classes.names else None
    painted = (ids != UNKNOWN) & (ids != (UNKNOWN if background is None else background))
    result = blend(pixels, classes.palette()[ids], 0.5 * painted)
    if background is not None:
        result = _hatched(result, ids == UNKNOWN)
        result = blend(result, np.full_like(result, 255), 0.2 * (ids == background))
    # A border to the unknown is one as well, but not the picture's edge.
    edges = borders(np.where(ids == UNKNOWN, 254, ids).astype(np.uint8)).astype(np.uint8)
    line = cv2.GaussianBlur(edges.astype(np.float32), (0, 0), 0.5 * unit(size[1])) * 1.6
    return blend(result, np.full_like(result, 255), np.clip(line, 0, 0.9))


def _hatched(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Slanted white lines where nobody knows the region."""
    step = max(4, round(5 * unit(pixels.shape[1])))
    slanted = np.arange(where.shape[0])[:, None] + np.arange(where.shape[1])
    line = slanted % step < max(1, step // 3)
    return blend(pixels, np.full_like(pixels, 255), np.where(where, np.where(line, 0.85, 0.15), 0))


def _with_confidence(pixels: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Grey picture, the confidence of everything but the background over it."""
    assert mask.confidence is not None
    size = pixels.shape[0], pixels.shape[1]
    grey = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    grey = (0.5 * grey + 110).astype(np.uint8)
    sure = np.clip(_resized(np.nan_to_num(mask.confidence), size), 0, 1)
    background = mask.class_names.index(BACKGROUND) if BACKGROUND in mask.class_names else UNKNOWN
    shown = smooth_classes((mask.class_ids != background).astype(np.uint8), size) == 1
    return blend(grey, ramp_colours(sure), 0.85 * shown)


def ramp_colours(share: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Colours (..., 3) of shares 0 to 1.

    >>> ramp_colours(np.array([0.0, 1.0])).tolist()
    [[0, 34, 78], [254, 232, 56]]
    """
    levels = np.linspace(0, 1, len(RAMP))
    channels = [np.interp(share, levels, [each[channel] for each in RAMP]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _with_outline(pixels: NDArray[np.uint8], outline: NDArray[np.bool_]) -> NDArray[np.uint8]:
    import cv2

    size = pixels.shape[0], pixels.shape[1]
    smooth = smooth_classes(outline.astype(np.uint8), size)
    contours, _ = cv2.findContours(smooth, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    drawn = np.ascontiguousarray(pixels)
    for color, thickness in ((INK, 2.0), (PAPER, 1.0)):
        cv2.drawContours(drawn, contours, -1, color, max(1, round(thickness * unit(size[1]))), cv2.LINE_AA)
    return drawn


def _with_joints(picture: Picture, drawing: Drawing) -> Picture:
    import PIL.Image
    import PIL.ImageDraw

    layer = PIL.Image.new("RGBA", (picture.width * _FINE, picture.height * _FINE), (*INK, 0))
    pen = PIL.ImageDraw.Draw(layer)
    scale = picture.width * _FINE / drawing.image.grid.width
    thick = unit(picture.width) * _FINE
    for number in range(len(drawing.animals)):
        _draw_animal(pen, number, drawing, scale, thick)
    layer = layer.resize(picture.size, PIL.Image.Resampling.BOX)
    drawn = PIL.Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
    if drawing.named_joints:
        _write_names(drawn, drawing)
    return drawn


def _draw_animal(pen: Any, number: int, drawing: Drawing, scale: float, thick: float) -> None:
    animal = drawing.animals[number]
    known = np.isfinite(animal.rows) & np.isfinite(animal.cols) & (animal.scores > 0)
    trusted = known & [(number, name) not in drawing.doubted for name in animal.names]
    rows, cols = np.where(known, animal.rows, np.nan), np.where(known, animal.cols, np.nan)
    places = [((col + 0.5) * scale, (row + 0.5) * scale) for row, col in zip(rows, cols, strict=True)]
    colors = [rgb(drawing.joint_colors[name]) if name in drawing.joint_colors else PLAIN for name in animal.names]
    bones = bones_of(animal.names, np.where(trusted, rows, np.nan), cols)
    for width, is_casing in ((2.6 * thick, True), (1.5 * thick, False)):
        for first, second in bones:
            color = INK if is_casing else colors[second]
            pen.line([places[first], places[second]], fill=(*color, 255), width=max(1, round(width)))
    for k in np.flatnonzero(known):
        is_seen = bool(animal.scores[k] >= drawing.visible)
        draw_joint(pen, places[k], 3.0 * thick, colors[k], side_of(animal.names[k]), hollow=not is_seen)
    for k in np.flatnonzero(known & ~trusted):
        draw_cross(pen, places[k], 6.0 * thick)


def draw_cross(pen: Any, place: tuple[float, float], radius: float) -> None:
    """A red cross with a white rim over a joint that is doubted."""
    x, y = place
    for width, color in ((0.62, PAPER), (0.34, DOUBT)):
        for up in (-1, 1):
            ends = [(x - radius, y - up * radius), (x + radius, y + up * radius)]
            pen.line(ends, fill=(*color, 255), width=max(1, round(width * radius)))


def draw_joint(
    pen: Any, place: tuple[float, float], radius: float, color: tuple[int, int, int], side: str, *, hollow: bool
) -> None:
    """A mark with a dark rim: circle on the left, square on the right, diamond in the middle; hollow if unsure."""
    x, y = place
    for reach, fill in ((1.0, INK), (0.72, color), (0.42, PAPER if hollow else color)):
        r = radius * reach
        if side == "left":
            pen.ellipse([x - r, y - r, x + r, y + r], fill=(*fill, 255))
        elif side == "right":
            r *= 0.88
            pen.rectangle([x - r, y - r, x + r, y + r], fill=(*fill, 255))
        else:
            r *= 1.25
            pen.polygon([(x - r, y), (x, y - r), (x + r, y), (x, y + r)], fill=(*fill, 255))


def _write_names(picture: Picture, drawing: Drawing) -> None:
    import PIL.ImageDraw
    import PIL.ImageFont

    pen = PIL.ImageDraw.Draw(picture)
    line = unit(picture.width)
    font = PIL.ImageFont.load_default(max(9, round(6 * line)))
    scale = picture.width / drawing.image.grid.width
    for number, animal in enumerate(drawing.animals):
        for name, row, col in zip(animal.names, animal.rows, animal.cols, strict=True):
            if np.isfinite(row) and np.isfinite(col):
                why = f" ({drawing.doubted[number, name]}?)" if (number, name) in drawing.doubted else ""
                text, x, y = name.replace("_", " ") + why, (col + 0.5) * scale, (row + 0.5) * scale
                fits = x + 6 * line + pen.textlength(text, font) <= picture.width
                at, anchor = (x + 4 * line, "lm") if fits else (x - 4 * line, "rm")
                pen.text((at, y), text, INK, font, anchor, stroke_width=round(line), stroke_fill=PAPER)


def shown_classes(masks: Sequence[Mask], classes: Classes) -> tuple[dict[int, str], bool]:
    """Id and name of the classes that occur in some mask, without background, and whether something is unknown."""
    used = {int(each) for mask in masks for each in np.unique(mask.class_ids)}
    names = {class_id: name for class_id, name in classes.named.items() if class_id in used and name != BACKGROUND}
    return names, UNKNOWN in used and BACKGROUND in classes.names
