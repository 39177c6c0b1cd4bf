"""The report of a map on A4 pages: title and map, shares and legend, then parts at full resolution."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskwright.io.classes import rgb
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.areas import ClassArea, rounded_shares
from maskwright.pipelines.legend import plain_letters
from maskwright.pipelines.map_report import MapReport, Patch, area_text, shown_classes

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

DPI = 150
WIDTH, HEIGHT, MARGIN = 1240, 1754, 100
INK, SOFT, LINE = (27, 31, 36), (91, 101, 112), (217, 222, 227)


def write_pdf(path: Path, report: MapReport) -> int:
    """Write the report as a PDF; gives its number of pages. The same report gives the same bytes."""
    pages = pages_of(report)
    never = time.gmtime(0)

    def write(temporary: Path) -> None:
        pages[0].save(
            temporary, "PDF", resolution=DPI, save_all=True, append_images=pages[1:], title=report.title,
            creationDate=never, modDate=never,
        )  # fmt: skip

    write_atomically(path, write)
    return len(pages)


def pages_of(report: MapReport) -> list[Picture]:
    """Every page as a picture of 1240 x 1754 pixels."""
    drawn = [_first(report), _shares(report)]
    drawn += [_parts(report.patches[at : at + 2]) for at in range(0, len(report.patches), 2)]
    for number, page in enumerate(drawn, 1):
        page.text(WIDTH - MARGIN, HEIGHT - 60, f"{number} / {len(drawn)}", 22, SOFT, "rs")
        page.text(MARGIN, HEIGHT - 60, report.title, 22, SOFT, "ls")
    return [page.picture for page in drawn]


@dataclass(frozen=True, eq=False)
class _Page:
    """One page to draw on; places are pixels from the top left corner."""

    picture: Picture
    pen: Any

    @classmethod
    def empty(cls) -> _Page:
        import PIL.Image
        import PIL.ImageDraw

        picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), "white")
        return cls(picture, PIL.ImageDraw.Draw(picture))

    def text(
        self, left: float, top: float, text: str, size: int, color: tuple[int, int, int] = INK, anchor: str = "la"
    ) -> None:
        """One line of text, shortened to what fits between the place and the page's edge."""
        import PIL.ImageFont

        font, text = PIL.ImageFont.load_default(size), plain_letters(text)
        room = WIDTH - MARGIN - left if anchor[0] == "l" else left - MARGIN
        while len(text) > 4 and self.pen.textlength(text, font=font) > max(room, 40):
            text = text[:-4] + "..."
        self.pen.text((left, top), text, color, font, anchor)

    def paste(self, pixels: NDArray[np.uint8], left: int, top: int, width: int, height: int) -> tuple[int, int]:
        """A picture as large as fits into a frame, centred across it; gives the width and height it got."""
        import PIL.Image

        share = min(width / pixels.shape[1], height / pixels.shape[0])
        size = max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share))
        way = PIL.Image.Resampling.NEAREST if share >= 1 else PIL.Image.Resampling.BOX
        left += (width - size[0]) // 2
        self.picture.paste(PIL.Image.fromarray(pixels).resize(size, way), (left, top))
        self.pen.rectangle([left, top, left + size[0] - 1, top + size[1] - 1], outline=LINE, width=2)
        return size


def _first(report: MapReport) -> _Page:
    page = _Page.empty()
    page.text(MARGIN, 100, report.title, 54)
    for index, line in enumerate(report.facts):
        page.text(MARGIN, 185 + 36 * index, line, 26, SOFT)
    top = 205 + 36 * len(report.facts)
    room = HEIGHT - top - 190
    _, height = page.paste(report.overlay, MARGIN, top, WIDTH - 2 * MARGIN, room)
    if report.metres_across:
        _scale_bar(page, report, top + height + 30, room)
    return page


def _scale_bar(page: _Page, report: MapReport, top: int, room: int) -> None:
    """A bar of a round number of metres, about a quarter of the map long."""
    assert report.metres_across is not None
    height, width = report.overlay.shape[:2]
    drawn = min((WIDTH - 2 * MARGIN) / width, room / height) * width
    metres = round_length(report.metres_across / 4)
    length = metres / report.metres_across * drawn
    left = MARGIN + (WIDTH - 2 * MARGIN - drawn) / 2
    page.pen.rectangle([left, top, left + length, top + 8], fill=INK)
    page.text(left, top + 18, f"{metres:g} m" if metres < 1000 else f"{metres / 1000:g} km", 22, SOFT)


def round_length(metres: float) -> float:
    """The largest of 1, 2, 5, 10, 20, ... that is not longer.

    >>> round_length(37), round_length(0.7), round_length(5)
    (20.0, 0.5, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9))


def _shares(report: MapReport) -> _Page:
    page = _Page.empty()
    page.text(MARGIN, 100, "What covers the ground" if report.metres_across else "What the picture holds", 40)
    shown = shown_classes(report.areas)
    if not shown:
        page.text(MARGIN, 190, "Nobody knows any pixel of this map.", 28, SOFT)
        return page
    _donut(page, shown, (WIDTH // 2, 530), 310)
    shares = rounded_shares([each.share_percent or 0.0 for each in shown])
    step = min(46, (HEIGHT - 1040) // (len(shown) + 2))
    for index, (each, share) in enumerate(zip(shown, shares, strict=True)):
        top = 920 + step * index
        size = min(26, step - 8)
        page.pen.rectangle([MARGIN, top, MARGIN + size, top + size], fill=rgb(each.color), outline=SOFT)
        page.text(MARGIN + size + 16, top + size / 2, each.name, size, INK, "lm")
        page.text(WIDTH - MARGIN - 260, top + size / 2, f"{share:.1f} %", size, INK, "rm")
        page.text(WIDTH - MARGIN, top + size / 2, area_text(each), size, SOFT, "rm")
    unknown = report.areas[-1]
    note = f"Shares are of what is known. Without class or data: {area_text(unknown)}."
    page.text(MARGIN, 950 + step * len(shown), note, 22, SOFT)
    return page


def _donut(page: _Page, shown: Sequence[ClassArea], centre: tuple[int, int], radius: int) -> None:
    """A ring of shares, clockwise from the top; drawn four times as large and shrunk, so that its edges are smooth."""
    import PIL.Image
    import PIL.ImageDraw

    side, fine = 2 * radius, 4
    ring = PIL.Image.new("RGB", (side * fine, side * fine), "white")
    pen = PIL.ImageDraw.Draw(ring)
    ends = np.cumsum([0.0, *(each.share_percent or 0.0 for each in shown)]) * 3.6 - 90
    for each, start, end in zip(shown, ends[:-1], ends[1:], strict=True):
        if end > start:
            pen.pieslice(((0, 0), (side * fine - 1, side * fine - 1)), start, end, fill=rgb(each.color))
    hole = round(0.6 * radius * fine)
    middle = radius * fine
    pen.ellipse([middle - hole, middle - hole, middle + hole, middle + hole], fill="white")
    page.picture.paste(ring.resize((side, side), PIL.Image.Resampling.BOX), (centre[0] - radius, centre[1] - radius))


def _parts(patches: Sequence[Patch]) -> _Page:
    page = _Page.empty()
    for index, patch in enumerate(patches):
        top = 110 + 790 * index
        page.text(MARGIN, top, patch.caption, 26)
        half = (WIDTH - 2 * MARGIN - 20) // 2
        page.paste(patch.picture, MARGIN, top + 50, half, 660)
        page.paste(patch.overlay, MARGIN + half + 20, top + 50, half, 660)
    return page
