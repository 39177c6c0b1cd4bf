"""What the colours of a map mean, as a small picture."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

from maskwright.io.classes import Classes, rgb

ROW_PX, TEXT_PX, GAP_PX = 28, 16, 10


def legend_png(classes: Classes) -> bytes:
    """A PNG with a swatch and the name of every class, on white, in the order of ids; the same classes, same bytes."""
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    font: Any = PIL.ImageFont.load_default(TEXT_PX)
    names = {class_id: plain_letters(name) for class_id, name in classes.named.items()}
    widest = max((font.getlength(name) for name in names.values()), default=0.0)
    size = int(widest) + 2 * ROW_PX + GAP_PX, ROW_PX * max(1, len(names)) + GAP_PX
    picture = PIL.Image.new("RGB", size, "white")
    pen = PIL.ImageDraw.Draw(picture)
    for index, (class_id, name) in enumerate(names.items()):
        top = GAP_PX + ROW_PX * index
        pen.rectangle((GAP_PX, top, GAP_PX + 18, top + 18), fill=rgb(classes.colors[class_id]), outline=(91, 101, 112))
        pen.text((GAP_PX + 28, top + 9), name, (27, 31, 36), font, "lm")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def plain_letters(text: str) -> str:
    """The text without accents and raised digits, which the font that is always there does not have.

    >>> plain_letters("Récif, 5 m²")
    'Recif, 5 m2'
    """
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
