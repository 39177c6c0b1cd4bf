"""Pictures to the joints of their animals: boxes given, found or whole pictures, one or two pose networks, one file.

Joints are hints, not masks, and networks want many pictures at once; so this is a command of its own and no labeler.
The file is COCO keypoints, and `maskwright label keypoint_parts` takes it as hints.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from maskwright.arrays.joints import Merge
from maskwright.errors import InputError, nearest_name
from maskwright.io.images import file_sha256
from maskwright.io.keypoints import read_keypoints, write_keypoints
from maskwright.io.samples import find_pictures
from maskwright.io.texts import read_json
from maskwright.pipelines.fingerprints import path_hash, versions
from maskwright.pipelines.joint_finder import Found, JointFinder, Shown, read_picture
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.pipelines.workers import reason_of
from maskwright.types import Keypoints

SECONDS_BETWEEN_SAVES = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JointSettings:
    """How joints are looked for.

    Of several boxes the `rule` takes one, unless `animals` is "all". A detector looks for `things` ("animals", "all" or
    class names with commas) of at least `least_score`. Of two models `merge` says per joint, or for all, what counts:
    "second" (of the joints that `profile` replaces), "first", "higher" or "mean" (of all joints both know). The rest is
    how crops are cut and heat-maps read: see `maskwright.models.pose.TopDown`.
    """

    rule: Literal["largest", "surest"] = "largest"
    animals: Literal["one", "all"] = "one"
    things: str = "animals"
    least_score: float = 0.3
    merge: Merge | dict[str, Merge] = "second"
    profile: str = "quadruped5"
    padding: float = 1.25
    flip: bool = True
    refine: Literal["auto", "quarter", "dark", "none"] = "auto"
    batch: int = 16
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    context: bool = True
    swap_colours: bool = False
    mirror: Literal["by_name", "as_released"] = "by_name"


def joints(
    images: str | Path,
    *,
    model: str | Path | Sequence[str | Path],
    out: str | Path,
    boxes: str | Path | None = None,
    detector: str | Path | None = None,
    vocabulary: str | Sequence[str] = "auto",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    fresh: bool = False,
    progress: Report | None = None,
) -> Outcome:
    """Write the joints of the animals in `images` as COCO keypoints; what is in `out` already is continued.

    `model` is one pose network or two, as names of known weights, files or folders: the second one mends the joints of
    the first. Boxes come from the COCO file `boxes`, else from `detector`; a picture without any is taken whole, and
    the file says so under `info.maskwright`. `vocabulary` says what a network's channels mean where its file does not.
    """
    chosen = check_settings(settings or {})
    models = [model] if isinstance(model, str | Path) else list(model)
    words = [vocabulary] * len(models) if isinstance(vocabulary, str) else list(vocabulary)
    if not 1 <= len(models) <= 2 or len(words) != len(models):
        raise InputError(
            f"{len(models)} models and {len(words)} vocabularies; "
            "expected one or two, and one for each; give --vocabulary as often as --model"
        )
    pictures = find_pictures(images)
    path = _out_path(Path(out), fresh=fresh)
    finder = JointFinder.of(chosen, models, words, boxes, detector, device)
    made_with = {
        "settings": asdict(chosen), "weights": finder.weights,
        "boxes": None if boxes is None else path_hash(Path(boxes)),
    }  # fmt: skip
    file = JointFile.open(path, made_with)
    return _fill(file, finder, pictures, chosen.batch, progress)


def check_settings(settings: Mapping[str, Any]) -> JointSettings:
    """Settings by name as a record; all that is wrong with them is one InputError."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(JointSettings).validate_python(dict(settings), extra="forbid")
    except ValidationError as error:
        raise InputError("; ".join(_problem(each) for each in error.errors(include_url=False))) from None


def _problem(error: Mapping[str, Any]) -> str:
    key = str(error["loc"][0]) if error["loc"] else "settings"
    if error["type"] == "unexpected_keyword_argument":
        near = nearest_name(key, JointSettings.__dataclass_fields__)
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(JointSettings.__dataclass_fields__)}."
        return f"joints has no setting {key!r}; {hint}"
    return f"joints.{key} is {error['input']!r}; {str(error['msg'])[:1].lower()}{str(error['msg'])[1:]}"


@dataclass
class JointFile:
    """The file that is filled: what was found in which picture, and what it was made with."""

    path: Path
    made_with: Mapping[str, Any]
    keypoints: dict[str, list[Keypoints]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, made_with: Mapping[str, Any]) -> JointFile:
        """An empty one, or the one that is there, if the same settings, weights and boxes made it."""
        from maskwright.io.stories import plain

        made_with = plain(made_with)
        if not path.exists():
            return cls(path, made_with)
        content = read_json(path)
        info = content.get("info") if isinstance(content, dict) else None
        story = info.get("maskwright") if isinstance(info, dict) else None
        if not isinstance(story, dict) or "made_with" not in story:
            raise InputError(f"{path}: was not made by this command, and would be replaced; give another --out")
        if story["made_with"] != made_with:
            differing = [key for key in made_with if story["made_with"].get(key) != made_with[key]]
            raise InputError(
                f"{path}: was made with other {' and '.join(differing)}; expected the same to go on; give another "
                "--out, or --fresh to write a file beside it"
            )
        about = dict(story["pictures"])
        names = {name: Path(each["file"]) for name, each in about.items()}
        return cls(path, made_with, {**{name: [] for name in about}, **read_keypoints(path)}, about, names)

    def holds(self, name: str, sha256: str) -> bool:
        """Whether a picture, unchanged, is there already."""
        return name in self.about and self.about[name]["sha256"] == sha256

    def add(self, shown: Shown, found: Found) -> None:
        self.keypoints[shown.name] = found.animals
        self.files[shown.name] = Path(shown.path.name)
        height, width = shown.pixels.shape[:2]
        self.about[shown.name] = {
            "file": shown.path.name, "sha256": shown.sha256, "height": height, "width": width,
            "animals": [dict(each) for each in found.boxes],
        }  # fmt: skip

    def write(self) -> None:
        sizes = {name: (each["height"], each["width"]) for name, each in self.about.items()}
        about = {name: self.about[name] for name in sorted(self.about)}
        story = {"made_with": self.made_with, "versions": versions(), "pictures": about}
        write_keypoints(self.path, self.keypoints, files=self.files, sizes=sizes, story=story)


def _out_path(out: Path, *, fresh: bool) -> Path:
    if out.suffix.lower() != ".json" or out.is_dir():
        raise InputError(f"--out {out}: expected the name of a file that ends in .json; name one, keypoints.json say")
    number = 1
    path = out
    while fresh and path.exists():
        number += 1
        path = out.with_name(f"{out.stem}-{number}{out.suffix}")
    return path


def _fill(
    file: JointFile, finder: JointFinder, pictures: Mapping[str, Path], batch: int, progress: Report | None
) -> Outcome:
    began = saved = time.perf_counter()
    done, skipped, failed, unsaved = 0, 0, list[tuple[str, str]](), 0
    try:
        for chunk in _chunks(list(pictures.items()), batch):
            shown, there, broken = _read(chunk, file)
            skipped += there
            failed += broken
            for each, found in _asked(finder, shown):
                if isinstance(found, str):
                    failed.append((each.name, found))
                else:
                    file.add(each, found)
                    done, unsaved = done + 1, unsaved + 1
            if progress is not None:
                seconds = time.perf_counter() - began
                progress(Progress(done, len(pictures), skipped, len(failed), seconds))
            if unsaved and time.perf_counter() - saved > SECONDS_BETWEEN_SAVES:
                file.write()
                saved, unsaved = time.perf_counter(), 0
    finally:
        if unsaved:
            file.write()
    _tell_whole(file, finder, pictures)
    return Outcome(done, skipped, tuple(failed), file.path)


def _chunks(items: list[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _read(chunk: Sequence[tuple[str, Path]], file: JointFile) -> tuple[list[Shown], int, list[tuple[str, str]]]:
    """The pictures of a chunk, how many are in the file already, and those that would not open."""
    shown: list[Shown] = []
    there, broken = 0, []
    for name, path in chunk:
        try:
            sha256 = file_sha256(path)
            if file.holds(name, sha256):
                there += 1
            else:
                shown.append(Shown(name, path, sha256, read_picture(path)))
        except Exception as error:  # noqa: BLE001  # one picture's failure, whatever it is, stops no other picture
            broken.append((name, reason_of(error)))
    return shown, there, broken


def _asked(finder: JointFinder, shown: Sequence[Shown]) -> list[tuple[Shown, Found | str]]:
    """What was found in each picture, or why nothing was. If a batch fails, its pictures are asked one by one."""
    if not shown:
        return []
    try:
        found: list[Found] = finder(shown)
    except Exception as error:  # noqa: BLE001  # as above
        if len(shown) == 1:
            return [(shown[0], reason_of(error))]
        return [answer for each in shown for answer in _asked(finder, [each])]
    empty = "no joint was found in it: every heat-map is empty; expected an animal"
    return [(each, told if told.animals else empty) for each, told in zip(shown, found, strict=True)]


def _tell_whole(file: JointFile, finder: JointFinder, pictures: Mapping[str, Path]) -> None:
    """Warn of pictures that were taken whole although boxes were to be had."""
    here = [file.about[name]["animals"] for name in pictures if name in file.about]
    whole = sum(any(each["box_from"] == "picture" for each in animals) for animals in here)
    if whole and finder.has_boxes:
        _log.warning("%d of %d pictures had no box and were taken whole; box_from says which", whole, len(here))
