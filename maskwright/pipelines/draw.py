"""Drawings of pictures with their parts, joints and confidence: one plate per picture, and a gallery of all."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from maskwright.anatomy.doubts import Doubter
from maskwright.anatomy.refusals import animals_by
from maskwright.anatomy.seeds import visible_joints
from maskwright.arrays.encode import decode
from maskwright.errors import EmptyResultError, InputError, MaskwrightError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.images import read_image
from maskwright.io.masks import read_mask
from maskwright.io.outputs import write_atomically
from maskwright.io.profiles import Profile, list_profiles, read_profile
from maskwright.io.samples import find_samples
from maskwright.io.stories import read_story, story_path
from maskwright.pipelines.drawing import Drawing, Panel, draw_panel
from maskwright.pipelines.folders import prepare_folder
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.pipelines.plates import Legend, plate
from maskwright.types import Instances, Keypoints, Mask, Sample

Format = Literal["png", "pdf"]
SHEET_COLUMNS, SHEET_ROWS, SHEET_CELL_PX = 6, 11, 400
DPI = 300
SAME_PLACE = 0.1
"""A story's joint is that of a file when both lie within so many pixels: methods round places."""


@dataclass(frozen=True)
class _Style:
    """How pictures are drawn."""

    panels: tuple[Panel, ...]
    profile: str | None
    width: int
    named_joints: bool
    close_up: bool


def draw(
    images: str | Path,
    *,
    out: str | Path,
    masks: str | Path | None = None,
    hints: str | Path | Sequence[str | Path] | None = None,
    panels: Sequence[str] = ("parts",),
    profile: str | None = None,
    width: int = 1200,
    format: Format = "png",
    gallery: bool = False,
    named_joints: bool = False,
    close_up: bool = False,
    fresh: bool = False,
    progress: Report | None = None,
) -> Outcome:
    """Draw what is known of pictures over them: NAME.png or NAME.pdf in the folder `out`, each with its legend.

    `masks` is a folder of masks, `hints` files with joints and outlines. `panels` are drawn side by side: "picture",
    "parts" (regions, joints, lines) and "confidence". Joints take the colours of their regions by the skeleton
    `profile`; without it, by the one the mask was made with, else by the first shipped one that knows their names.
    `close_up` cuts pictures to their animals. With `gallery` all pictures come close up on sheets of 66 as well:
    gallery.png, gallery-2.png, ... What was drawn before is drawn again.
    """
    style = _Style(_panels(panels), profile, width, named_joints, close_up)
    if profile is not None:
        read_profile(profile)  # what is wrong with it is told once, before anything is written
    samples, _ = find_samples(images, hints=hints, masks=masks)
    known = [each for each in samples if each.mask_paths or each.hints]
    if not known:
        raise EmptyResultError(f"nothing is known of the {len(samples)} pictures; give --masks or --hints, or both")
    folder = _folder(Path(out), samples, fresh=fresh)
    began, failed, shown = time.perf_counter(), [], []
    for number, sample in enumerate(known, 1):
        try:
            drawing = _drawing(sample, style)
            _write_plate(folder / f"{sample.name}.{format}", [drawing], style.panels, width)
            if gallery:
                shown.append((sample.name, *_small(drawing)))
        except (MaskwrightError, OSError) as error:
            failed.append((sample.name, str(error)))
        if progress is not None:
            progress(Progress(number - len(failed), len(known), 0, len(failed), time.perf_counter() - began))
    _write_sheets(folder, shown)
    return Outcome(len(known) - len(failed), 0, tuple(failed), folder)


def _panels(names: Sequence[str]) -> tuple[Panel, ...]:
    for name in names:
        if name not in get_args(Panel):
            raise UnknownNameError("panel", name, get_args(Panel))
    if not names:
        raise InputError("no panel is named; expected picture, parts or confidence; name one")
    return tuple(names)  # type: ignore[arg-type]  # checked above


def _folder(out: Path, samples: Sequence[Sample], *, fresh: bool) -> Path:
    """The folder to draw into, which is none that pictures or masks lie in."""
    taken = {path.resolve().parent for each in samples for path in (each.image_path, *each.mask_paths)}
    if out.resolve() in taken:
        raise InputError(f"--out {out} holds pictures or masks that drawings would replace; name another folder")
    return prepare_folder(out, fresh=fresh)


def _drawing(sample: Sample, style: _Style) -> Drawing:
    """All that is known of a picture, ready to be drawn."""
    image = read_image(sample.image_path)
    mask, classes = None, Classes(())
    if sample.mask_paths:
        path = sample.mask_paths[-1]  # masks come after outlines that are hints
        mask = read_mask(path, grid=image.grid)
        has_story = story_path(path).is_file()
        classes = read_story(story_path(path)).classes if has_story else Classes(mask.class_names)
    animals = tuple(each for each in sample.hints if isinstance(each, Keypoints))
    outlines = tuple(
        decode(region, *image.grid.shape)
        for each in sample.hints
        if isinstance(each, Instances)
        for region in each.regions
    )
    profile = _profile(style.profile, mask, animals)
    if profile is not None:
        animals = tuple(animals_by(profile, animals))
        classes = classes if mask is not None else profile.classes
    drawing = Drawing(
        image, mask, classes, animals, joint_colors(profile, classes, animals), outlines,
        0.5 if profile is None else profile.visible, style.named_joints, _doubted(mask, profile, animals),
    )  # fmt: skip
    return drawing.close_up() if style.close_up else drawing


def _doubted(mask: Mask | None, profile: Profile | None, animals: Sequence[Keypoints]) -> dict[tuple[int, str], str]:
    """The joints that the mask's story doubts, by number of the animal and name; without a mask those we doubt."""
    doubts: list[tuple[str, str, float, float]] = []
    if mask is not None:
        told = [each for step in mask.history for each in step.inputs.get("joints", ()) if "doubted" in each]
        doubts = [(each["joint"], each["why"], each["y"], each["x"]) for some in told for each in some["doubted"]]
    elif profile is not None:
        doubter = Doubter(profile)
        doubts = [one for each in animals for one in doubter.doubts(visible_joints(each, profile, profile.visible))]
    found = {}
    for joint, why, row, col in doubts:
        for number, animal in enumerate(animals):
            k = animal.names.index(joint) if joint in animal.names else -1
            if k >= 0 and math.dist((row, col), (animal.rows[k], animal.cols[k])) < SAME_PLACE:
                found[number, joint] = why
    return found


def _profile(name: str | None, mask: Mask | None, animals: Sequence[Keypoints]) -> Profile | None:
    """The profile asked for, or the mask's own, or the first shipped one that knows every joint."""
    if name is not None:
        return read_profile(name)
    joints = frozenset(joint for animal in animals for joint in animal.names)
    own = [step.settings["profile"] for step in (mask.history if mask else ()) if "profile" in step.settings]
    return _first_that_knows(joints, tuple(each for each in own if each in list_profiles()))


@functools.lru_cache(maxsize=64)
def _first_that_knows(joints: frozenset[str], first: tuple[str, ...]) -> Profile | None:
    for name in (*first, "quadruped5", "human17", "mouse"):
        profile = read_profile(name)
        if joints and all(_means(profile, joint)[0] for joint in joints):
            return profile
    return None


def _means(profile: Profile, name: str) -> tuple[bool, str | None]:
    """Whether a profile knows a name, without or with the ending of a view, and the joint it means."""
    plain = next((name.removesuffix(view) for view in profile.views if name.endswith(view)), name)
    try:
        return True, profile.joint_of(plain)
    except UnknownNameError:
        return False, None


def joint_colors(profile: Profile | None, classes: Classes, animals: Sequence[Keypoints]) -> dict[str, str]:
    """The colour of each joint's region: the mask's own where it has that class, else the profile's."""
    if profile is None:
        return {}
    own = profile.classes
    colors = {**dict(zip(own.names, own.colors, strict=True)), **dict(zip(classes.names, classes.colors, strict=True))}
    table: dict[str, str] = {}
    for name in {name for animal in animals for name in animal.names}:
        joint = _means(profile, name)[1]
        region = None if joint is None else profile.region_of[joint]
        region = region if region is None else profile.merge.get(region, region)
        if region in colors:
            table[name] = colors[region]
    return table


def _write_plate(path: Path, drawings: Sequence[Drawing], panels: Sequence[Panel], width: int) -> None:
    pictures = [draw_panel(each, panel, width) for each in drawings for panel in panels]
    legend = Legend.of(drawings, drawings[0].classes, panels)
    titles = [f"{chr(97 + k)}  {panel}" for k, panel in enumerate(panels)] if len(panels) > 1 else []
    made = plate(pictures, legend, titles)
    write_atomically(path, functools.partial(_save, made, path.stem))


def _save(picture: Any, title: str, path: Path) -> None:
    never = time.gmtime(0)
    if path.suffix == ".pdf":
        picture.save(path, "PDF", resolution=DPI, title=title, creationDate=never, modDate=never)
    else:
        picture.save(path, "PNG", dpi=(DPI, DPI))


def _small(drawing: Drawing) -> tuple[Any, Drawing]:
    """The cell of a gallery, and what its legend needs to know, without the pixels."""
    cell = draw_panel(drawing.close_up(), "parts", 2 * SHEET_CELL_PX)
    cell = cell.resize((SHEET_CELL_PX, cell.height // 2))
    nothing = replace(drawing.image, pixels=np.broadcast_to(np.uint8(0), (*drawing.image.grid.shape, 1)))
    return cell, replace(drawing, image=nothing, outlines=())


def _write_sheets(folder: Path, shown: Sequence[tuple[str, Any, Drawing]]) -> None:
    many = SHEET_COLUMNS * SHEET_ROWS
    for start in range(0, len(shown), many):
        names, cells, drawings = zip(*shown[start : start + many], strict=True)
        legend = Legend.of(drawings, drawings[0].classes, ("parts",))
        sheet = plate(cells, legend, names, columns=min(SHEET_COLUMNS, len(cells)))
        number = start // many + 1
        name = "gallery.png" if number == 1 else f"gallery-{number}.png"
        write_atomically(folder / name, functools.partial(_save, sheet, name))
