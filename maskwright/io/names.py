"""Picture names: the file name without its ending, the same in every table, folder and mask."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

from maskwright.errors import UnknownNameError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""What pictures end in, in small letters."""


def picture_name(text: str | Path) -> str:
    """The name of the picture a path or table cell means: no folders, no picture ending, accents composed.

    >>> picture_name("survey\\\\2024/reef.v2.JPG"), picture_name("reef.v2")
    ('reef.v2', 'reef.v2')
    """
    name = unicodedata.normalize("NFC", re.split(r"[\\/]", str(text).strip())[-1].strip())
    for suffix in PICTURE_SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def known_picture(text: str, pictures: Mapping[str, Path] | Collection[str] | None, where: str = "") -> str:
    """The name of a picture a table speaks of; with `pictures` it must be one of them.

    >>> known_picture("reef.png", {"reef"}), known_picture("a.png", {"a.png"}), known_picture("b.jpg", None)
    ('reef', 'a.png', 'b')
    """
    whole = unicodedata.normalize("NFC", re.split(r"[\\/]", text.strip())[-1].strip())
    name = picture_name(text)
    if pictures is None or name in pictures:
        return name
    if whole in pictures:
        return whole
    raise UnknownNameError("picture", name, pictures, where=where)


def natural_order(text: str | Path) -> tuple[list[tuple[int, int, str]], str]:
    """A key to sort names as people count: reef2 before reef10.

    >>> sorted(["reef10", "reef2", "Reef1"], key=natural_order)
    ['Reef1', 'reef2', 'reef10']
    """
    parts = re.split(r"([0-9]+)", str(text))
    return [(0, int(each), "") if each.isdecimal() else (1, 0, each.casefold()) for each in parts], str(text)
