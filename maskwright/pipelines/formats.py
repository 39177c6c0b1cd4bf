"""Which format lies at a path: told by what the files hold, not only by their ending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskwright.errors import FormatError, InputError
from maskwright.io.hints import hint_kind
from maskwright.io.images import picture_grid
from maskwright.io.masks import MASK_SUFFIXES, MaskFolder
from maskwright.io.texts import read_json
from maskwright.io.vectors import layer_geometry

OBJECT_FORMATS = ("masks", "geotiff", "coco", "panoptic", "yolo", "labelme", "geojson", "gpkg")
"""What holds masks or objects, and can be written from any of the others."""
HINT_TARGETS = {"points": ("csv", "coralnet", "geojson"), "keypoints": ("coco", "dlc"), "tags": ("csv",)}
"""What hints of each kind can be written as."""
PART_TOKENS = "part-tokens"
"""Part masks for networks with one token per part; written from masks alone."""
ONE_FILE = {
    "coco": "instances.json",
    "panoptic": "panoptic.json",
    "geojson": "objects.geojson",
    "gpkg": "objects.gpkg",
}
"""Formats of one file, and how it is called in a folder that somebody names in its place."""
TARGETS = (*OBJECT_FORMATS, "csv", "coralnet", "dlc", PART_TOKENS)


def find_format(source: str | Path) -> str:
    """One of OBJECT_FORMATS, or points, keypoints or tags; an InputError where nothing known lies there."""
    source = Path(source)
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder; check the path")
    return _folder_format(source) if source.is_dir() else _file_format(source)


def file_in(source: Path) -> Path:
    """The file a conversion wrote into the folder `source`, where that holds one and no masks; else `source`."""
    if not source.is_dir() or MaskFolder(source).names():
        return source
    found = [source / name for name in ONE_FILE.values() if (source / name).is_file()]
    return found[0] if len(found) == 1 else source


def _folder_format(folder: Path) -> str:
    if (folder / "data.yaml").is_file():
        return "yolo"
    if (folder / "present").is_dir() or (folder / "absent").is_dir():
        return "tags"
    masks = MaskFolder(folder)
    if names := masks.names():
        return _mask_format(masks.path_of(names[0]))
    if any(_is_labelme(path) for path in sorted(folder.glob("*.json"))[:3]):
        return "labelme"
    raise InputError(
        f"{folder}: holds no masks, no labelme files and no data.yaml; expected one of these; name the file"
    )


def _file_format(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in MASK_SUFFIXES:
        return _mask_format(path)
    if suffix in (".json", ".geojson"):
        return _json_format(path)
    if suffix == ".gpkg":
        return "gpkg" if layer_geometry(path).endswith("Polygon") else "points"
    return hint_kind(path)


def _mask_format(path: Path) -> str:
    if path.suffix.lower() == ".png":
        return "masks"
    return "masks" if picture_grid(path).transform is None else "geotiff"


def _json_format(path: Path) -> str:
    content = read_json(path)
    if isinstance(content, list):
        return "coco"
    if not isinstance(content, dict):
        raise FormatError(
            f"{path}: holds {type(content).__name__}; expected COCO, GeoJSON or labelme; is it the right file?"
        )
    if content.get("type") == "FeatureCollection":
        return "geojson" if _geometry(content).endswith("Polygon") else "points"
    if isinstance(content.get("shapes"), list):
        return "labelme"
    entries: list[Any] = content["annotations"] if isinstance(content.get("annotations"), list) else []
    keys = set().union(*(each for each in entries[:50] if isinstance(each, dict)))
    if "segments_info" in keys:
        return "panoptic"
    return "keypoints" if "keypoints" in keys else "coco" if "segmentation" in keys or not entries else hint_kind(path)


def _geometry(content: dict[str, Any]) -> str:
    features = content.get("features")
    for each in features if isinstance(features, list) else []:
        geometry = each.get("geometry") if isinstance(each, dict) else None
        if isinstance(geometry, dict):
            return str(geometry.get("type"))
    return "Polygon"


def _is_labelme(path: Path) -> bool:
    content = read_json(path)
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)
