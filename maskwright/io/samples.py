"""Pictures on disk and what is known about them, joined by name."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from maskwright.errors import EmptyResultError, InputError
from maskwright.io.classes import Classes, classes_from_names, read_classes
from maskwright.io.hints import Hints, read_hints
from maskwright.io.masks import MaskFolder
from maskwright.io.names import PICTURE_SUFFIXES, known_picture, natural_order, picture_name
from maskwright.io.surveys import session_pictures
from maskwright.io.tables import read_table
from maskwright.types import Sample


def find_pictures(images: str | Path) -> dict[str, Path]:
    """The pictures of a folder (with its subfolders), a file, a glob, sessions or a list, by name, in natural order.

    Of a session folder, a folder of sessions or a CSV list of them the orthophotos are taken. Else a picture's name is
    its file name without the ending. Hidden files and folders are left out; links are followed, each folder once. Two
    pictures of one name are an InputError that names both; none at all is an EmptyResultError.
    """
    if not str(images).strip():
        raise InputError("the path of the pictures is empty; expected a folder, a file or a glob; is a variable unset?")
    if (orthophotos := session_pictures(images)) is not None:
        return orthophotos
    paths = _paths(Path(images), str(images))
    pictures: dict[str, Path] = {}
    for path in sorted(paths, key=natural_order):
        name = picture_name(path)
        if name in pictures:
            both = f"{pictures[name]} and {path} are both called {name!r}"
            raise InputError(f"{both}; expected one picture per name; rename one or give one of their folders")
        pictures[name] = path
    if not pictures:
        kinds = " ".join(PICTURE_SUFFIXES)
        raise EmptyResultError(f"no picture in {images}; expected files ending in {kinds}; check the path")
    return dict(sorted(pictures.items(), key=lambda pair: natural_order(pair[0])))


def find_samples(
    images: str | Path,
    *,
    hints: str | Path | Sequence[str | Path] | None = None,
    classes: str | Path | Classes | None = None,
    masks: str | Path | None = None,
    sites: str | Path | Mapping[str, str] | None = None,
) -> tuple[list[Sample], Classes]:
    """Pictures with their hints, masks and sites, in natural order of their names, and the classes.

    `hints` are files or folders as `read_hints` takes them; `masks` a folder of masks; `sites` a CSV `image,site` or a
    mapping. Without `classes` their ids follow the sorted names found in the hints, from 1; where hints name none,
    those of the masks' stories. A hint for a picture that is not there is an error, unless it lies beside the chosen
    ones: choosing one file of a folder needs no hints of its own. A picture without any hint is a sample too.
    """
    pictures = find_pictures(images)
    known = {**_beside(images, pictures), **pictures}
    files = [hints] if isinstance(hints, str | Path) else list(hints or ())
    table = classes if isinstance(classes, Classes) else None if classes is None else read_classes(classes)
    read = [read_hints(each, table, pictures=known) for each in files]
    if table is None:
        table = _classes(read, masks)
        read = [read_hints(each, table, pictures=known) if found.class_names else found
                for each, found in zip(files, read, strict=True)]  # fmt: skip
    places = _sites(sites, known)
    mask_paths = _mask_paths(masks, read)
    samples = [
        Sample(
            name,
            path,
            hints=tuple(hint for each in read for hint in each.by_picture.get(name, ())),
            mask_paths=tuple(mask_paths.get(name, ())),
            site=places.get(name),
        )
        for name, path in pictures.items()
    ]
    return samples, table


def _paths(path: Path, text: str) -> list[Path]:
    if path.is_dir():
        return _walk(path)
    if os.path.lexists(path):
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            raise InputError(
                f"{path}: is no picture by its name; expected one of {' '.join(PICTURE_SUFFIXES)}; rename it"
            )
        return [path]
    if not glob.has_magic(text):
        raise InputError(f"{path}: there is no such file or folder; expected pictures; check the path")
    found = [Path(each) for each in glob.glob(text, recursive=True)]  # noqa: PTH207  # takes absolute patterns too
    return [each for each in found if each.suffix.lower() in PICTURE_SUFFIXES and not each.is_dir()]


def _walk(folder: Path) -> list[Path]:
    """All pictures below a folder. Links to folders are followed, but no folder twice, so a loop of links ends."""
    paths, seen = [], set()
    for top, folders, files in os.walk(folder, followlinks=True):
        status = Path(top).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        paths += [
            Path(top, each) for each in files if not each.startswith(".") and each.lower().endswith(PICTURE_SUFFIXES)
        ]
    return paths


def _beside(images: str | Path, pictures: Mapping[str, Path]) -> dict[str, Path]:
    """Pictures in the same folders as chosen ones: tables may speak of them too."""
    if Path(images).is_dir():
        return {}
    folders = sorted({path.parent for path in pictures.values()})
    return {
        picture_name(path): path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
    }


def _classes(read: Sequence[Hints], masks: str | Path | None) -> Classes:
    names = sorted({name for each in read for name in each.class_names})
    if names:
        return classes_from_names(names)
    tables = [each.classes for each in read if each.classes is not None]
    if masks is not None and (folder := MaskFolder(masks)).names():
        tables.append(_classes_of(folder))
    return tables[0] if tables else Classes(())


def _classes_of(folder: MaskFolder) -> Classes:
    """The classes of a folder of masks: its classes.yaml, else the story of its first mask, else its ids."""
    if (folder.path / "classes.yaml").is_file():
        return read_classes(folder.path / "classes.yaml")
    mask = folder.read(folder.names()[0])
    return Classes(mask.class_names)


def _mask_paths(masks: str | Path | None, read: Sequence[Hints]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for each in read:
        for name, paths in each.mask_paths.items():
            found[name] += paths
    if masks is not None:
        folder = MaskFolder(masks)
        if not folder.path.is_dir():
            raise InputError(f"{masks}: there is no such folder; expected masks; check the path")
        for name in folder.names():
            found[name].append(folder.path_of(name))
    return found


def _sites(sites: str | Path | Mapping[str, str] | None, pictures: Mapping[str, Path]) -> dict[str, str]:
    if sites is None:
        return {}
    if isinstance(sites, Mapping):
        return {known_picture(image, pictures, "sites"): site for image, site in sites.items()}
    table = read_table(sites)
    rows = table.records(table.columns(["image", "site"]))
    return {known_picture(cells["image"], pictures, where): cells["site"] for where, cells in rows if cells["site"]}
