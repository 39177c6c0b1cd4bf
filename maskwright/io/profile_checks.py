"""What a profile file has to keep: the right keys, joints and regions that are there, and mirror pairs that fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from maskwright.errors import FormatError, InputError, UnknownNameError, nearest_name
from maskwright.io.problems import Problems
from maskwright.io.yaml_files import Lines

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "extends": (str, "the name of another profile"),
    "name": (str, "a text"),
    "description": (str, "a text"),
    "version": ((str, int, float), "a text or number"),
    "regions": (list, "a list of {name, color}"),
    "joints": (dict, "joint: region"),
    "more_joints": (dict, "joint: region"),
    "mirror": (list, "a list of pairs of joints"),
    "ignore": (list, "a list of joints"),
    "links": (dict, "region: {joint: [joints]}"),
    "more_links": (dict, "region: {joint: [joints]}"),
    "paths": (list, "a list of {region, from, to}"),
    "extent": (dict, "region: share"),
    "reach": (dict, "region: size"),
    "lengths": (dict, "joint: {joint: length}"),
    "odds": (dict, "{even, margin, firm, far}"),
    "derive": (dict, "{axis, below, places}"),
    "merge": (dict, "region: region"),
    "visible": ((int, float), "a number"),
    "vocabularies": (dict, "vocabulary: {name: joint}"),
    "views": (list, "a list of endings of names"),
    "other_names": (list, "a list of names"),
    "replace": (dict, "{vocabulary, joints}"),
}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_EDGES = ("upper", "lower", "middle")
MOST_REGIONS = 250


def checked(path: Path, value: Any, lines: Lines, parent: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a profile file over its parent's, or every problem of it at once."""
    if not isinstance(value, dict):
        raise FormatError(f"{path}: holds {type(value).__name__}; expected a profile (regions, joints); see the docs")
    check = _Check(path, lines)
    check.keys(value)
    content = {**parent, **value}
    content.setdefault("name", path.stem)
    check.problems.check()
    if value.get("regions") is not None and "merge" not in value:
        content.pop("merge", None)
    if "lengths" not in value and isinstance(content.get("lengths"), dict):
        content["lengths"] = _of_known_joints(content)
    check.whole(content)
    check.problems.check()
    return content


def _of_known_joints(content: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The lengths a profile inherits, of the joints that it still has."""
    joints = {**(content.get("joints") or {}), **(content.get("more_joints") or {})}
    return {
        first: {second: length for second, length in row.items() if second in joints}
        for first, row in content["lengths"].items()
        if first in joints
    }


class _Check:
    """Collects the problems of one profile, each with its line."""

    def __init__(self, path: Path, lines: Lines) -> None:
        self.path, self.lines, self.problems = path, lines, Problems(path, limit=100)
        self.joints: dict[str, Any] = {}
        self.regions: list[str] = []

    def keys(self, value: Mapping[Any, Any]) -> None:
        for key, given in value.items():
            if key not in _KINDS:
                near = nearest_name(str(key), _KINDS)
                advice = f"did you mean {near!r}?" if near else f"known: {', '.join(_KINDS)}"
                self.say((str(key),), f"no key of a profile is called {key!r}; {advice}")
            elif not isinstance(given, _KINDS[key][0]) or isinstance(given, bool):
                kind = type(given).__name__
                self.say((key,), f"{key} is a {kind}; expected {_KINDS[key][1]}; write it so")

    def whole(self, content: Mapping[str, Any]) -> None:
        """Everything that names something else."""
        for key in ("regions", "joints"):
            if not content.get(key):
                self.say((key,), f"has no {key}; expected {_KINDS[key][1]}; add them")
        self._regions(content.get("regions") or [])
        self.joints = {**(content.get("joints") or {}), **(content.get("more_joints") or {})}
        for key in ("joints", "more_joints"):
            for joint, region in (content.get(key) or {}).items():
                self.region((key, str(joint)), region)
        for key in ("links", "more_links"):
            self._links(key, content.get(key) or {})
        self._paths(content.get("paths") or [])
        self._mirror(content.get("mirror") or [])
        self.names(("ignore",), content.get("ignore") or [])
        self._merge(content.get("merge") or {})
        for region, share in (content.get("extent") or {}).items():
            self.region(("extent", str(region)), region)
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                self.say(("extent", str(region)), f"the extent is {share!r}; expected a share from 0 to 1; try 0.33")
        for region, most in (content.get("reach") or {}).items():
            self.region(("reach", str(region)), region)
            if not isinstance(most, int | float) or not most > 0:
                self.say(("reach", str(region)), f"the reach is {most!r}; expected a size above 0; try 0.2")
        self._lengths(content.get("lengths") or {})
        for key, value in (content.get("odds") or {}).items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if key not in ("even", "margin", "firm", "far") or not is_number or (key != "even" and value < 0):
                text = f"odds have {key!r}: {value!r}; expected even, and margin, firm, far from 0; mend or remove it"
                self.say(("odds", str(key)), text)
        self._derive(content.get("derive") or {})
        self._vocabularies(content)
        if not math.isfinite(float(content.get("visible", 0.5))):
            self.say(("visible",), f"visible is {content['visible']}; expected a score; try 0.5")

    def say(self, at: tuple[str | int, ...], text: str) -> None:
        """Note a problem at the line of a value, or of the nearest thing around it that has one."""
        while at and at not in self.lines:
            at = at[:-1]
        self.problems.add(InputError(f"{self.path}:{self.lines.get(at, 1)}: {text}"))

    def joint(self, at: tuple[str | int, ...], name: Any) -> None:
        if name not in self.joints:
            self._unknown(at, "joint", name, self.joints)

    def region(self, at: tuple[str | int, ...], name: Any, more: tuple[str, ...] = ()) -> None:
        if name not in self.regions and name not in more:
            self._unknown(at, "region", name, (*self.regions, *more))

    def names(self, at: tuple[str | int, ...], joints: Any) -> None:
        if not isinstance(joints, list):
            self.say(at, f"{at[-1]} is {joints!r}; expected a list of joints; write [{joints}]")
            return
        for index, name in enumerate(joints):
            self.joint((*at, index), name)

    def _unknown(self, at: tuple[str | int, ...], kind: str, name: Any, known: Iterable[str]) -> None:
        self.say(at, str(UnknownNameError(kind, str(name), map(str, known))))

    def _regions(self, regions: list[Any]) -> None:
        for index, each in enumerate(regions):
            at = ("regions", index)
            if not isinstance(each, dict) or set(each) != {"name", "color"}:
                self.say(at, f"a region is {each!r}; expected {{name: ..., color: ...}}; write it so")
                continue
            name, color = str(each["name"]), str(each["color"])
            if name in self.regions or name in ("background", "unknown", ""):
                self.say(at, f"a region is called {name!r}; expected a name of its own; rename it")
            if not _COLOR.fullmatch(color):
                self.say(at, f'the color of {name!r} is {color!r}; expected "#rrggbb" in quotes; mend it')
            self.regions.append(name)
        if len(regions) > MOST_REGIONS:
            self.say(("regions",), f"{len(regions)} regions; expected at most {MOST_REGIONS}; merge some")

    def _links(self, key: str, table: Mapping[Any, Any]) -> None:
        seen: set[frozenset[str]] = set()
        for region, rows in table.items():
            self.region((key, str(region)), region)
            if not isinstance(rows, dict):
                self.say((key, str(region)), f"links of {region!r} are {rows!r}; expected joint: [joints]; write so")
                continue
            for first, others in rows.items():
                self.joint((key, str(region), str(first)), first)
                self.names((key, str(region), str(first)), others)
                for second in others if isinstance(others, list) else []:
                    pair = frozenset((str(first), str(second)))
                    if len(pair) == 1 or pair in seen:
                        what = "is linked to itself" if len(pair) == 1 else f"is linked to {second!r} twice"
                        at = (key, str(region), str(first))
                        self.say(at, f"{first!r} {what}; expected each pair of joints once; remove it")
                    seen.add(pair)

    def _paths(self, paths: list[Any]) -> None:
        for index, each in enumerate(paths):
            at = ("paths", index)
            if not isinstance(each, dict) or not {"region", "from", "to"} <= set(each) <= {
                "region", "from", "to", "through", "points",
            }:  # fmt: skip
                self.say(at, f"a path is {each!r}; expected {{region, from, to}} and maybe through, points; write so")
                continue
            self.region((*at, "region"), each["region"])
            for end in ("from", "to"):
                self.joint((*at, end), each[end])
            self.names((*at, "through"), each.get("through", []))
            points = each.get("points", 2)
            if not isinstance(points, int) or isinstance(points, bool) or points < 0:
                self.say((*at, "points"), f"points is {points!r}; expected a whole number from 0; try 2")

    def _mirror(self, pairs: list[Any]) -> None:
        partners: dict[str, str] = {}
        for index, pair in enumerate(pairs):
            at = ("mirror", index)
            if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
                self.say(at, f"a mirror pair is {pair!r}; expected two joints, left and right; write [left, right]")
                continue
            for one, other in (pair, pair[::-1]):
                self.joint(at, one)
                if one in partners:
                    text = f"{one!r} is mirrored to {partners[one]!r} and {other!r}; expected one partner; remove one"
                    self.say(at, text)
                partners[str(one)] = str(other)
        self._mirrored_regions(partners)

    def _mirrored_regions(self, partners: Mapping[str, str]) -> None:
        """Joints of one region are mirrored into one region, else a mirrored picture has other parts."""
        to: dict[str, tuple[str, str]] = {}
        for joint, region in self.joints.items():
            other = self.joints.get(partners.get(joint, joint))
            if other is None:
                continue
            first, target = to.setdefault(str(region), (joint, str(other)))
            if other != target:
                self.say(
                    ("mirror",),
                    f"{joint!r} of {region!r} is mirrored into {other!r} but {first!r} into {target!r}; expected one "
                    f"region; change the pairs or the regions",
                )

    def _merge(self, merge: Mapping[Any, Any]) -> None:
        for region, into in merge.items():
            self.region(("merge", str(region)), region)
            self.region(("merge", str(region)), into, ("background", "unknown"))
            if into == region or into in merge:
                text = f"{region!r} is merged into {into!r}, which is merged away; expected one that stays; name it"
                self.say(("merge", str(region)), text)

    def _lengths(self, table: Mapping[Any, Any]) -> None:
        for first, row in table.items():
            at = ("lengths", str(first))
            self.joint(at, first)
            if not isinstance(row, dict):
                self.say(at, f"lengths from {first!r} are {row!r}; expected joint: length; write {{joint: 0.4}}")
                continue
            for second, length in row.items():
                self.joint((*at, str(second)), second)
                is_length = isinstance(length, int | float) and not isinstance(length, bool) and 0 < length < math.inf
                if not is_length or second == first:
                    text = f"from {first!r} to {second!r} it is {length!r}; expected a length above 0; try 0.4"
                    self.say((*at, str(second)), text)

    def _derive(self, derive: Mapping[str, Any]) -> None:
        if not derive:
            return
        for key in set(derive) - {"axis", "below", "places", "farthest_behind"}:
            self.say(
                ("derive", str(key)), f"derive has {key!r}; expected axis, below, places, farthest_behind; mend it"
            )
        axis = derive.get("axis")
        if not isinstance(axis, list) or len(axis) != 2:
            self.say(("derive", "axis"), f"the axis is {axis!r}; expected two joints, front and back; write both")
        else:
            self.names(("derive", "axis"), axis)
        self.names(("derive", "below"), derive.get("below", []))
        if derive.get("farthest_behind"):
            self.joint(("derive", "farthest_behind"), derive["farthest_behind"])
        places = derive.get("places") or {}
        for joint, each in places.items() if isinstance(places, dict) else []:
            at = ("derive", "places", str(joint))
            self.joint(at, joint)
            share = each.get("at") if isinstance(each, dict) else None
            is_share = isinstance(share, int | float) and 0 <= share <= 1
            if not is_share or each.get("edge") not in _EDGES:
                text = f"{joint!r} is at {each!r}; expected {{edge: upper|lower|middle, at: 0..1}}; write it so"
                self.say(at, text)

    def _vocabularies(self, content: Mapping[str, Any]) -> None:
        vocabularies = content.get("vocabularies") or {}
        meant = {_plain(joint): str(joint) for joint in self.joints}
        for vocabulary, names in vocabularies.items():
            if not isinstance(names, dict):
                self.say(("vocabularies", str(vocabulary)), f"{vocabulary!r} is {names!r}; expected name: joint")
                continue
            for name, joint in names.items():
                at = ("vocabularies", str(vocabulary), str(name))
                self.joint(at, joint)
                before = meant.setdefault(_plain(name), str(joint))
                if before != joint:
                    self.say(at, f"{name!r} means {joint!r} and elsewhere {before!r}; expected one joint; remove one")
        replace = content.get("replace") or {}
        if replace:
            self.names(("replace", "joints"), replace.get("joints", []))
            if replace.get("vocabulary") not in vocabularies:
                self._unknown(("replace", "vocabulary"), "vocabulary", replace.get("vocabulary"), vocabularies)


def _plain(name: Any) -> str:
    return re.sub(r"[^0-9a-z]+", "", str(name).casefold())
