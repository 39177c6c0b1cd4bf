"""What the report of a map shows, gathered once for its PDF and its page: map, shares, parts at full resolution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour import as_rgb, overlay
from maskwright.arrays.windows import Window, split
from maskwright.io.classes import Classes
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.areas import ClassArea, rounded_shares
from maskwright.pipelines.ground import ground_of
from maskwright.pipelines.mask_files import MaskFile
from maskwright.pipelines.thumbnails import data_uri, thinned
from maskwright.types import UNKNOWN, Image

MAP_PX = 1600
PATCH_PX, MOST_PATCHES = 2048, 10
MAP_OPACITY, PATCH_OPACITY = 0.4, 0.25


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of the map: where it lies in words, the picture, and the classes laid over it."""

    caption: str
    picture: NDArray[np.uint8]
    overlay: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MapReport:
    """Everything a reader is shown. `metres_across` is the width of the map on the ground, None off Earth."""

    title: str
    facts: tuple[str, ...]
    overlay: NDArray[np.uint8]
    metres_across: float | None
    areas: tuple[ClassArea, ...]
    patches: tuple[Patch, ...]


def gather_map_report(
    title: str, mask: MaskFile, classes: Classes, image: Image | None, areas: Sequence[ClassArea], facts: Sequence[str]
) -> MapReport:
    """The report of a mask and its picture; without the picture classes lie on white."""
    ground = ground_of(mask.grid)
    across = math.hypot(*ground.col_m) * mask.grid.width if ground else None
    return MapReport(
        title, (*facts, _size(mask, across)), _map(mask, classes, image), across, tuple(areas),
        tuple(_patches(mask, classes, image)),
    )  # fmt: skip


def shown_classes(areas: Sequence[ClassArea]) -> list[ClassArea]:
    """The classes that occur, the largest first; of equal ones the lower id."""
    there = [each for each in areas if each.class_id != UNKNOWN and each.pixels]
    return sorted(there, key=lambda each: (-(each.share_percent or 0.0), each.class_id))


def area_text(area: ClassArea) -> str:
    """An area as people read it: ha from a hectare on, m2 below, pixels off Earth."""
    if area.area_m2 is None or area.area_ha is None:
        return f"{area.pixels:,} px"
    return f"{area.area_ha:,.2f} ha" if area.area_ha >= 1 else f"{area.area_m2:,.1f} m²"


def write_page(path: Path, report: MapReport) -> None:
    """Write the report as one HTML file that opens offline."""
    style = resources.files("maskwright.pipelines").joinpath("report.css").read_text("utf-8")
    facts = "".join(f"<p class=soft>{escape(each)}</p>" for each in report.facts)
    parts = "".join(
        f"<div class='example of2'><header><b>{escape(each.caption)}</b></header>"
        f"{_figure(each.picture, 'picture')}{_figure(each.overlay, 'classes over it')}</div>"
        for each in report.patches
    )
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>\n{style}</style></head>\n<body>\n"
        f"<h1>{escape(report.title)}</h1>{facts}<section>"
        f'<img src="{_jpeg(report.overlay)}" alt="map of {escape(report.title, quote=True)}" style="max-width:100%">'
        f"</section><section><h2>Classes</h2>{_table(report)}</section>"
        f"<section><h2>Parts at full resolution</h2>{parts}</section>\n</body></html>\n"
    )
    write_atomically(path, text.encode())


def _table(report: MapReport) -> str:
    shown = shown_classes(report.areas)
    shares = rounded_shares([each.share_percent or 0.0 for each in shown])
    rows = "".join(
        f'<tr><td><i class=swatch style="background:{each.color}"></i>{escape(each.name)}</td><td>{share:.1f} %</td>'
        f"<td>{area_text(each)}</td><td>{each.pixels:,}</td></tr>"
        for each, share in zip(shown, shares, strict=True)
    )
    absent = [each.name for each in report.areas if each.class_id != UNKNOWN and not each.pixels]
    note = f"Shares are of what is known. Without class or data: {area_text(report.areas[-1])}."
    note += f" Not found: {', '.join(absent)}." if absent else ""
    head = "<tr><th>class</th><th>share</th><th>area</th><th>pixels</th></tr>"
    return f"<table><caption>{escape(note)}</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _figure(pixels: NDArray[np.uint8], caption: str) -> str:
    return f'<figure><img src="{_jpeg(pixels)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    return data_uri(pixels, "JPEG", quality=88)


def _size(mask: MaskFile, across: float | None) -> str:
    size = f"{mask.grid.height:,} x {mask.grid.width:,} pixels"
    if across is None:
        return size
    return f"{size} of {100 * across / mask.grid.width:.3g} cm, {mask.grid.crs}"


def _map(mask: MaskFile, classes: Classes, image: Image | None) -> NDArray[np.uint8]:
    pixels = None if image is None else _on_white(thinned(image.pixels, MAP_PX), thinned(image.valid, MAP_PX))
    return _shown(mask.thinned(MAP_PX), pixels, classes, MAP_OPACITY)


def _on_white(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A picture to look at, white where it has no data."""
    return np.where(valid[..., None], as_rgb(pixels), np.uint8(255))


def _shown(
    class_ids: NDArray[np.uint8], pixels: NDArray[Any] | None, classes: Classes, opacity: float
) -> NDArray[np.uint8]:
    if pixels is None:
        return classes.palette()[class_ids]
    return overlay(pixels, class_ids, classes.palette()[:UNKNOWN], opacity=opacity, outlines=False)


def _patches(mask: MaskFile, classes: Classes, image: Image | None) -> list[Patch]:
    """Up to ten parts, evenly spread over those of a fixed lattice in which most pixels are known."""
    if image is None:
        return []
    known = [window for window in split(mask.grid.window, PATCH_PX) if _is_known(mask, window)]
    picked = np.unique(np.linspace(0, len(known) - 1, min(MOST_PATCHES, len(known))).round().astype(int))
    return [_patch(mask, classes, image, known[int(each)]) for each in picked]


def _is_known(mask: MaskFile, window: Window) -> bool:
    """Whether at least half of a window is known, by every 16th row and column."""
    known = mask.crop(window).class_ids[::16, ::16] != UNKNOWN
    return float(known.mean()) >= 0.5


def _patch(mask: MaskFile, classes: Classes, image: Image, window: Window) -> Patch:
    step = max(1, max(window.height, window.width) // 1024)
    part = image.crop(window)
    pixels = _on_white(np.asarray(part.pixels)[::step, ::step], np.asarray(part.valid)[::step, ::step])
    class_ids = mask.crop(window).class_ids[::step, ::step]
    caption = f"rows {window.top} to {window.bottom}, columns {window.left} to {window.right}"
    return Patch(caption, pixels, _shown(class_ids, pixels, classes, PATCH_OPACITY))


def facts_of(story: Mapping[str, Any]) -> tuple[str, ...]:
    """What a story says in a line or two: the picture, and the model or methods that made the map."""
    steps, image = story["steps"], story["image"]
    picture = (f"picture {image['path']}",) if image else ()
    models = [each["inputs"]["model"] for each in steps if "model" in each["inputs"]]
    if models:
        return (*picture, f"model {models[-1]['path']} (sha256 {models[-1]['sha256'][:12]})")
    left_out = tuple(each for step in steps if (each := left_out_text(step["inputs"])))
    return (*picture, f"made by {', '.join(each['name'] for each in steps)}", *left_out) if steps else picture


def left_out_text(inputs: Mapping[str, Any]) -> str:
    """How many frames of a survey a step left out, in words; nothing where it was not asked to.

    >>> left_out_text({"frames": {"count": 40, "left_out": 7}})
    '7 of 40 frames of the survey were left out'
    """
    frames = inputs.get("frames")
    if not (isinstance(frames, Mapping) and {"count", "left_out"} <= set(frames)):
        return ""
    return f"{frames['left_out']:,} of {frames['count']:,} frames of the survey were left out"
