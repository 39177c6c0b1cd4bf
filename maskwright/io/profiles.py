"""Skeleton profiles: which joints an animal has, which region each belongs to, and what is drawn between them.

A profile is YAML, shipped in `maskwright/profiles` or written by a user; `docs/keypoints.md` says how.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from maskwright.errors import InputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.profile_checks import checked
from maskwright.io.yaml_files import read_yaml_with_lines
from maskwright.types import Keypoints

SHIPPED = Path(__file__).resolve().parent.parent / "profiles"
BACKGROUND, UNKNOWN_REGION = "background", "unknown"


class Link(NamedTuple):
    """Two joints between which points of a region lie."""

    first: str
    second: str
    region: str


class Way(NamedTuple):
    """A path inside the outline from one joint to another, by `through`, whose points belong to a region."""

    region: str
    start: str
    goal: str
    through: tuple[str, ...]
    points: int


class Derived(NamedTuple):
    """A joint placed by the outline: at a share of the trunk's axis, on its upper or lower edge or in the middle."""

    joint: str
    edge: str
    at: float


@dataclass(frozen=True)
class Derivation:
    """How missing trunk joints come from the outline: the axis' two joints, joints below it, places, and the joint at
    the pixel farthest behind the axis' end ("" for none)."""

    axis: tuple[str, str]
    below: tuple[str, ...]
    places: tuple[Derived, ...]
    farthest_behind: str = ""


class Odds(NamedTuple):
    """Log odds that a pixel has the right part: `even` for one between two parts, more with margin and firmness, less
    far from joints (`anatomy.canvas.confidence_of`). The values here were fitted to quadruped5 on toy animals."""

    even: float = 0.07
    margin: float = 2.57
    firm: float = 1.06
    far: float = 1.6


@dataclass(frozen=True)
class Profile:
    """A skeleton: joints and their regions in order, what lies between them, and the names others give to them.

    `joints` are name to region; `more_joints`, `more_links`, `extent`, `reach` and `derive` are for the default mode
    alone. `extent` says per region which share of a link towards a joint of another region belongs to it, `reach` how
    far from its points a region goes, in square roots of the outline's area; what lies beyond is of the next one.
    `lengths` are how long links are where nothing shortens them, all in one unit: what joints' places are held against.
    `odds` turn distances into confidence.
    `known` maps every spelling of every name to its joint.
    """

    name: str
    regions: tuple[str, ...]
    colors: tuple[str, ...]
    joints: Mapping[str, str]
    description: str = ""
    more_joints: Mapping[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    more_links: tuple[Link, ...] = ()
    paths: tuple[Way, ...] = ()
    mirror: Mapping[str, str] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    merge: Mapping[str, str] = field(default_factory=dict)
    derive: Derivation | None = None
    extent: Mapping[str, float] = field(default_factory=dict)
    reach: Mapping[str, float] = field(default_factory=dict)
    lengths: Mapping[tuple[str, str], float] = field(default_factory=dict)
    odds: Odds = field(default_factory=Odds)
    visible: float = 0.5
    vocabularies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    views: tuple[str, ...] = ()
    other_names: frozenset[str] = frozenset()
    replace: tuple[str, tuple[str, ...]] = ("", ())

    @cached_property
    def region_of(self) -> dict[str, str]:
        """Every joint's region."""
        return {**self.joints, **self.more_joints}

    @property
    def classes(self) -> Classes:
        """Background, then the regions in order without those that are merged into others."""
        kept = [(name, color) for name, color in zip(self.regions, self.colors, strict=True) if name not in self.merge]
        return Classes((BACKGROUND, *(name for name, _ in kept)), ("#000000", *(color for _, color in kept)))

    @cached_property
    def known(self) -> dict[str, str]:
        """Plain spelling of every name, of the profile and of its vocabularies, to the joint it means."""
        names = {plain(alias): joint for each in self.vocabularies.values() for alias, joint in each.items()}
        return names | {plain(joint): joint for joint in self.region_of}

    def joint_of(self, name: str) -> str | None:
        """The joint a name means, or None for what is named in `other_names`; else an UnknownNameError."""
        if (joint := self.known.get(plain(name))) is not None:
            return joint
        if plain(name) in {plain(each) for each in self.other_names}:
            return None
        names = [*self.region_of, *(alias for each in self.vocabularies.values() for alias in each)]
        raise UnknownNameError("joint", name, names, where=f"profile {self.name}")

    def animals_of(self, animal: Keypoints) -> list[Keypoints]:
        """An animal by the names of this profile, without what is no joint; one per view where names have views.

        Two names of one joint are an InputError.
        """
        return [each for view in self.views or ("",) if (each := self._seen(animal, view)) is not None]

    def _seen(self, animal: Keypoints, view: str) -> Keypoints | None:
        joints: dict[str, int] = {}
        for index, name in enumerate(animal.names):
            own = self._without_view(name, view)
            joint = None if own is None else self.joint_of(own)
            if joint is None:
                continue
            if joint in joints:
                raise InputError(
                    f"{animal.names[joints[joint]]!r} and {name!r} both mean the joint {joint!r} of profile "
                    f"{self.name}; expected one name per joint; remove or rename one"
                )
            joints[joint] = index
        order = list(joints.values())
        if not order:
            return None
        rows, cols, scores = animal.rows[order], animal.cols[order], animal.scores[order]
        return Keypoints(tuple(joints), rows, cols, scores, animal.object_id)

    def _without_view(self, name: str, view: str) -> str | None:
        """The name without the ending of its view; None if it is of another one."""
        endings = [each for each in self.views if name.endswith(each)]
        if not endings:
            return name
        return name.removesuffix(view) if view in endings else None

    def mirrored(self, name: str) -> str:
        """The joint on the other side; joints in the middle are their own."""
        return self.mirror.get(name, name)


def plain(name: str) -> str:
    """A name without case, spaces and signs, as names are compared.

    >>> plain("Root of tail"), plain("L_F_Paw")
    ('rootoftail', 'lfpaw')
    """
    return re.sub(r"[^0-9a-z]+", "", name.casefold())


def list_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with Maskwright."""
    return tuple(sorted(each.stem for each in SHIPPED.glob("*.yaml")))


def read_profile(name: str | Path) -> Profile:
    """The profile of a name, or of a YAML file; all that is wrong with it is told at once, with lines."""
    return _shipped(str(name)) if str(name) in list_profiles() else _profile(_content(str(name), ()))


@lru_cache(maxsize=16)
def _shipped(name: str) -> Profile:
    return _profile(_content(name, ()))


def _path_of(name: str, beside: Path | None = None) -> Path:
    if name in list_profiles():
        return SHIPPED / f"{name}.yaml"
    path = Path(name) if beside is None else beside / name
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UnknownNameError("profile", name, list_profiles())
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected a profile; check the path")
    return path


def _content(name: str, above: tuple[Path, ...], beside: Path | None = None) -> dict[str, Any]:
    """What a profile says, over what the one it extends says; checked whole."""
    path = _path_of(name, beside)
    if path in above:
        raise InputError(f"{path}: extends itself by way of {above[0].name}; expected another profile; name one")
    value, lines = read_yaml_with_lines(path)
    parent: dict[str, Any] = {}
    if isinstance(value, dict) and isinstance(value.get("extends"), str):
        parent = _content(value["extends"], (*above, path), path.parent)
    return checked(path, value, lines, parent)


def _profile(content: Mapping[str, Any]) -> Profile:
    regions = content["regions"]
    replace = content.get("replace") or {"vocabulary": "", "joints": ()}
    return Profile(
        content["name"],
        tuple(each["name"] for each in regions),
        tuple(each["color"] for each in regions),
        dict(content["joints"]),
        description=content.get("description", ""),
        more_joints=dict(content.get("more_joints", {})),
        links=_links(content.get("links", {})),
        more_links=_links(content.get("more_links", {})),
        paths=tuple(_way(each) for each in content.get("paths", ())),
        mirror=_both_ways(content.get("mirror", ())),
        ignore=frozenset(content.get("ignore", ())),
        merge=dict(content.get("merge", {})),
        derive=_derivation(content.get("derive")),
        extent={region: float(share) for region, share in content.get("extent", {}).items()},
        reach={region: float(most) for region, most in content.get("reach", {}).items()},
        lengths=_lengths(content.get("lengths", {})),
        odds=Odds(**{key: float(value) for key, value in content.get("odds", {}).items()}),
        visible=float(content.get("visible", 0.5)),
        vocabularies={name: dict(each) for name, each in content.get("vocabularies", {}).items()},
        views=tuple(content.get("views", ())),
        other_names=frozenset(content.get("other_names", ())),
        replace=(replace["vocabulary"], tuple(replace["joints"])),
    )


def _links(table: Mapping[str, Mapping[str, Sequence[str]]]) -> tuple[Link, ...]:
    return tuple(
        Link(first, second, region)
        for region, rows in table.items()
        for first, others in rows.items()
        for second in others
    )


def _lengths(table: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    return {(first, second): float(length) for first, row in table.items() for second, length in row.items()}


def _way(entry: Mapping[str, Any]) -> Way:
    through = tuple(entry.get("through", ()))
    return Way(entry["region"], entry["from"], entry["to"], through, int(entry.get("points", 2)))


def _both_ways(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    return {one: other for pair in pairs for one, other in (tuple(pair), tuple(reversed(pair)))}


def _derivation(entry: Mapping[str, Any] | None) -> Derivation | None:
    if not entry:
        return None
    first, second = entry["axis"]
    places = tuple(Derived(joint, each["edge"], float(each["at"])) for joint, each in entry.get("places", {}).items())
    return Derivation((first, second), tuple(entry.get("below", ())), places, entry.get("farthest_behind", ""))
