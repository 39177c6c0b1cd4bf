"""What users take away from a mask: areas, polygons, map layers, a report; made from the files, by windows.

Any mask will do, whoever made it. Products of NAME lie in products/NAME/ beside the masks:

    cog        valid.tif        where the picture has data (the mask and its confidence are COGs already)
    areas      areas.csv, areas.json     pixels, m2, hectares and share of every class
    polygons   objects.gpkg     objects with class and mean confidence
    xyz, tms   xyz/z/x/y.png    tiles of a web map with tiles.json; tms/ counts y from the south; legend.png
    pmtiles    map.pmtiles      the same tiles in one file; legend.png
    pdf, html  report.pdf, report.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.connected import components
from maskwright.arrays.encode import label_regions
from maskwright.arrays.windows import Window
from maskwright.errors import GridError, InputError, MaskwrightError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.masks import confidence_path, read_story
from maskwright.io.outputs import write_atomically
from maskwright.io.stories import story_dict, story_path
from maskwright.pipelines.areas import ClassArea, class_areas, write_areas
from maskwright.pipelines.mask_files import BAND_PIXELS, LARGE_PIXELS, MaskFile
from maskwright.pipelines.workers import reason_of
from maskwright.types import Image, Instances

if TYPE_CHECKING:
    from maskwright.pipelines.map_report import MapReport

FOLDER = "products"
VALID_PX = 2048


@dataclass(frozen=True)
class MaskMap:
    """A mask on disk, the picture it is of where that is known, and the folder its products go to."""

    name: str
    mask: MaskFile
    picture: Path | None
    folder: Path

    @cached_property
    def classes(self) -> Classes:
        """The classes of its story, or those the mask was given."""
        told = self.mask.own_classes or self.mask.classes
        if told is None:
            raise InputError(
                f"{self.mask.path}: nothing says what its ids mean; "
                "expected a story beside it or classes; give classes.yaml"
            )
        return told

    @cached_property
    def image(self) -> Image | None:
        """The picture, read where it is looked at if it is big."""
        from maskwright.io.images import read_image

        return None if self.picture is None else read_image(self.picture)

    @cached_property
    def areas(self) -> tuple[ClassArea, ...]:
        """Counted once for all products."""
        return class_areas(self.mask, self.classes)


def write_products(
    masks: Mapping[str, Path],
    out: str | Path,
    products: Sequence[str],
    *,
    pictures: Mapping[str, Path] | None = None,
) -> tuple[tuple[str, str], ...]:
    """Write products of masks, by name, into OUT/products/NAME; gives (name, reason) of those that could not be made.

    `pictures` are the pictures of the same names; products that show them do without where there is none.
    """
    makers = [find_product(each) for each in dict.fromkeys(products)]
    failed = []
    for name, path in masks.items():
        work = MaskMap(name, MaskFile(path), (pictures or {}).get(name), Path(out) / FOLDER / name)
        for product, make in zip(dict.fromkeys(products), makers, strict=True):
            try:
                make(work)
            except (MaskwrightError, OSError) as error:
                failed.append((name, f"{product}: {reason_of(error)}"))
    return tuple(failed)


def find_product(name: str) -> Callable[[MaskMap], None]:
    """The function that makes a product, or an UnknownNameError."""
    if name not in PRODUCTS:
        raise UnknownNameError("product", name, PRODUCTS, where="--products")
    return PRODUCTS[name]


def _cog(work: MaskMap) -> None:
    """valid.tif: 1 where the picture has data."""
    from maskwright.arrays.windows import split
    from maskwright.io.rasters import RasterWriter

    image, grid = _picture(work, "cog"), work.mask.grid
    if grid.crs is None:
        raise GridError(f"{work.mask.path}: a COG lies on Earth and this mask does not; georeference the picture first")
    colors = np.zeros((256, 3), np.uint8)
    colors[1] = 255
    with RasterWriter(work.folder / "valid.tif", grid, np.uint8, colors=colors) as writer:
        for window in split(grid.window, VALID_PX):
            writer.write(window, np.asarray(image.valid[window.slices]).astype(np.uint8))


def _areas(work: MaskMap) -> None:
    write_areas(work.folder, work.areas)


def _polygons(work: MaskMap) -> None:
    """objects.gpkg; a mask too large to hold is cut into bands of rows, and so are the objects that cross them."""
    from maskwright.io.vectors import write_vectors

    parts = list(_objects(work))
    regions = tuple(region for part in parts for region in part.regions)
    class_ids = np.concatenate([part.class_ids for part in parts]) if parts else np.zeros(0, np.uint8)
    scores = np.concatenate([part.scores for part in parts]) if parts else np.zeros(0)
    whole = Instances(regions, class_ids, scores, work.classes.names, work.mask.grid)
    write_vectors(work.folder / "objects.gpkg", {work.name: whole})


def _objects(work: MaskMap) -> Iterator[Instances]:
    grid = work.mask.grid
    height = grid.height if grid.height * grid.width <= LARGE_PIXELS else max(1, BAND_PIXELS // grid.width)
    for top in range(0, grid.height, height):
        window = Window(top, 0, min(top + height, grid.height), grid.width)
        labels, count, class_of = components(work.mask.crop(window).class_ids)
        _, regions = label_regions(labels, background=-1)
        sure = _confidence(work, window)
        sums = np.bincount(labels[labels >= 0], sure[labels >= 0], minlength=count)
        scores = sums / np.maximum(1, np.bincount(labels[labels >= 0], minlength=count))
        moved = (
            dataclasses.replace(
                each, box=Window(each.box.top + top, each.box.left, each.box.bottom + top, each.box.right)
            )
            for each in regions
        )
        yield Instances(tuple(moved), class_of.astype(np.uint8), scores, work.classes.names, grid)


def _confidence(work: MaskMap, window: Window) -> NDArray[np.float64]:
    """The confidence inside a window, 1 everywhere for a mask without one."""
    from maskwright.io.images import read_image

    path = confidence_path(work.mask.path)
    if not path.exists():
        return np.ones((window.height, window.width))
    return np.asarray(read_image(path).pixels[window.slices])[..., 0] / 255.0


def _xyz(work: MaskMap) -> None:
    _tiles(work, "xyz")


def _tms(work: MaskMap) -> None:
    _tiles(work, "tms")


def _tiles(work: MaskMap, scheme: str) -> None:
    from maskwright.pipelines.tiles_out import pyramid_of, write_tiles

    write_tiles(work.folder / scheme, pyramid_of(work.mask), work.classes, "tms" if scheme == "tms" else "xyz")
    _legend(work)


def _pmtiles(work: MaskMap) -> None:
    from maskwright.pipelines.tiles_out import pyramid_of, write_map

    write_map(work.folder / "map.pmtiles", pyramid_of(work.mask), work.classes)
    _legend(work)


def _legend(work: MaskMap) -> None:
    from maskwright.pipelines.legend import legend_png

    write_atomically(work.folder / "legend.png", legend_png(work.classes))


def _pdf(work: MaskMap) -> None:
    from maskwright.pipelines.pdf import write_pdf

    write_pdf(work.folder / "report.pdf", _report(work))


def _html(work: MaskMap) -> None:
    from maskwright.pipelines.map_report import write_page

    write_page(work.folder / "report.html", _report(work))


def _report(work: MaskMap) -> MapReport:
    from maskwright.pipelines.map_report import facts_of, gather_map_report

    story = story_path(work.mask.path)
    facts = facts_of(story_dict(read_story(story))) if story.is_file() else (f"mask {work.mask.path.name}",)
    return gather_map_report(work.name, work.mask, work.classes, work.image, work.areas, facts)


def _picture(work: MaskMap, product: str) -> Image:
    if work.image is None:
        raise InputError(f"{work.name}: {product} shows the picture and there is none; name the pictures too")
    return work.image


PRODUCTS: dict[str, Callable[[MaskMap], None]] = {
    "cog": _cog,
    "areas": _areas,
    "polygons": _polygons,
    "xyz": _xyz,
    "tms": _tms,
    "pmtiles": _pmtiles,
    "pdf": _pdf,
    "html": _html,
}


def known_products(words: Iterable[str]) -> tuple[str, ...]:
    """Product names as typed, `all` standing for every one but tms; a name nobody knows is an UnknownNameError."""
    names = [name for word in words for name in word.split(",") if name]
    if "all" in names:
        return tuple(each for each in PRODUCTS if each != "tms")
    for each in names:
        find_product(each)
    return tuple(dict.fromkeys(names))
