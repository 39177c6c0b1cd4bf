"""What the name of a joint says: whether it is of the head, the trunk, the tail or a limb, and where in it."""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = frozenset((
    "nose", "jaw", "ear", "eye", "mouth", "muzzle", "snout", "chin", "antler", "horn", "head", "skull", "beak", "lip",
    "brow", "earbase", "earend", "forehead",
))  # fmt: skip
TRUNK = frozenset((
    "neck", "throat", "back", "belly", "body", "withers", "spine", "chest", "rump", "torso", "pelvis", "flank",
))  # fmt: skip
ORDER = {
    "shoulder": 0, "hip": 0, "thigh": 0, "thai": 0, "elbow": 1, "knee": 2, "stifle": 2, "wrist": 3, "ankle": 3,
    "hock": 3, "fetlock": 3, "paw": 4, "hoof": 4, "foot": 4, "hand": 4, "toe": 5, "finger": 5,
}  # fmt: skip
FRONT, HIND = frozenset(("front", "fore", "f")), frozenset(("back", "rear", "hind", "b", "h"))
FRONT_ALONE = frozenset(("shoulder", "elbow", "wrist", "hand", "finger"))
HIND_ALONE = frozenset(("hip", "knee", "ankle", "foot"))
SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
TOGETHER = {f"{side}{end}": f"{side} {end}" for side in "lr" for end in "fhb"}
TAIL_ROOT = frozenset(("base", "root", "set", "start", "dock", "0"))


class Joint(NamedTuple):
    """What a name says: "head", "trunk", "tail", "limb" or "" (nothing), which limb, and how far down it."""

    role: str
    limb: str = ""
    order: int = 0


def read_joint(name: str) -> Joint:
    """What the name of a joint says, in the words of AP-10K, Animal-Pose, SuperAnimal, BADJA, COCO people and mice.

    >>> read_joint("front_right_1"), read_joint("L_B_Paw"), read_joint("tailBase")
    (Joint(role='limb', limb='front right', order=0), Joint(role='limb', limb='hind left', order=4), Joint(role='trunk', limb='', order=0))
    >>> read_joint("paw1LH_top"), read_joint("thing")
    (Joint(role='limb', limb='hind left', order=4), Joint(role='', limb='', order=0))
    """  # noqa: E501 - the answers of a doctest
    words = words_of(name)
    if words & HEAD or {"neck", "end"} <= words or {"throat", "end"} <= words:
        return Joint("head")
    if words & {"tail"}:
        return Joint("trunk") if words & TAIL_ROOT else Joint("tail", order=_number(words, 4))
    known = [ORDER[word] for word in words if word in ORDER]
    side = next((SIDES[word] for word in sorted(words) if word in SIDES), "")
    if not known and side and words & (FRONT | HIND) and (number := _number(words, 0)):
        known = [2 * (number - 1)]
    if known:
        front = bool(words & FRONT) or (not words & HIND and bool(words & FRONT_ALONE))
        known_end = front or bool(words & (HIND | HIND_ALONE))
        end = "front" if front else "hind" if known_end else ""
        return Joint("limb", f"{end} {side}".strip(), max(known))
    return Joint("trunk") if words & TRUNK else Joint("")


def words_of(name: str) -> set[str]:
    """The words a name is made of, in small letters: `front_right_1`, `L_B_Paw` and `paw1LH_top` alike.

    >>> sorted(words_of("paw1LH_top"))
    ['1', 'h', 'l', 'paw', 'top']
    """
    parts = [each.lower() for each in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    return {word for each in parts for word in TOGETHER.get(each, each).split()}


def _number(words: set[str], otherwise: int) -> int:
    return next((int(each) for each in sorted(words) if each.isdigit()), otherwise)
