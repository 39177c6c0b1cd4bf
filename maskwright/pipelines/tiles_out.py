"""A mask as layers of a web map: a folder of tiles, a PMTiles file, and a legend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from maskwright.errors import EmptyResultError
from maskwright.io.classes import Classes
from maskwright.io.outputs import write_atomically
from maskwright.io.pmtiles import Address, write_pmtiles
from maskwright.io.pyramids import Pyramid, flipped, tile_png
from maskwright.pipelines.mask_files import MaskFile

Scheme = Literal["xyz", "tms"]


def pyramid_of(mask: MaskFile, *, min_zoom: int | None = None, max_zoom: int | None = None) -> Pyramid:
    """The tiles of a mask file, cut from it as they are asked for."""
    return Pyramid(mask.grid, lambda window: mask.crop(window).class_ids, max_zoom, min_zoom)


def write_tiles(folder: Path, pyramid: Pyramid, classes: Classes, scheme: Scheme = "xyz") -> int:
    """Write FOLDER/z/x/y.png and, last, FOLDER/tiles.json (TileJSON); gives the number of tiles.

    `tms` counts y from the south, `xyz` from the north. Tiles that would be wholly transparent are not written.
    """
    count = 0
    for (zoom, x, y), content in _pictures(pyramid, classes):
        row = y if scheme == "xyz" else flipped(zoom, y)
        path = folder / str(zoom) / str(x) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        count += 1
    if not count:
        raise EmptyResultError(f"{folder}: there is no tile to write; the map holds no known pixel")
    told = {
        "tilejson": "3.0.0",
        "tiles": ["{z}/{x}/{y}.png"],
        "scheme": scheme,
        **_about(folder.name, pyramid, classes),
    }
    write_atomically(folder / "tiles.json", (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    return count


def write_map(path: Path, pyramid: Pyramid, classes: Classes) -> int:
    """Write the same tiles as one PMTiles file; gives their number."""
    about = {"format": "png", "type": "overlay", **_about(path.stem, pyramid, classes)}
    return write_pmtiles(path, _pictures(pyramid, classes), pyramid.bounds, about)


def _pictures(pyramid: Pyramid, classes: Classes) -> Iterator[tuple[Address, bytes]]:
    palette = classes.palette()
    for tile in pyramid.tiles():
        yield (tile.zoom, tile.x, tile.y), tile_png(tile.class_ids, palette)


def _about(name: str, pyramid: Pyramid, classes: Classes) -> dict[str, Any]:
    low, high = pyramid.zooms
    legend = [{"id": each, "name": said, "color": classes.colors[each]} for each, said in classes.named.items()]
    return {"name": name, "minzoom": low, "maxzoom": high, "bounds": list(pyramid.bounds), "legend": legend}
