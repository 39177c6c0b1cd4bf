"""What the channels of a pose network mean: the joints' names, in the order of the published weights.

The names stand in the skeleton profiles, so that masks and networks speak of the same joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from maskwright.arrays.joints import mirror_partners
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.profiles import plain, read_profile

COUNTS = {"superanimal": 39, "ap10k": 17, "animal_pose": 20, "human17": 17}
SPELLINGS = {"superanimal": ("quadruped", "superanimal"), "ap10k": ("ap10k",), "animal_pose": ("animalpose",),
             "human17": ("coco", "human", "body")}  # fmt: skip
AS_RELEASED = (2, 3, 4, 1, 0, 10, 11, 12, 13, 14, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 21, 20, 22, 23, 27, 28, 29,
               24, 25, 26, 32, 34, 35, 31, 33, 30, 36, 38, 37)  # fmt: skip
"""The mirror list PAW-ViT's masks were made with: that of 39 joints in the order in which a table listed them."""


@dataclass(frozen=True)
class Vocabulary:
    """A list of joints, as the channels of a network have them."""

    name: str
    names: tuple[str, ...]

    @property
    def partners(self) -> tuple[int, ...]:
        """For each joint the index of the one on the other side of the animal, by name."""
        return mirror_partners(self.names)


@cache
def find_vocabulary(name: str) -> Vocabulary:
    """One of "superanimal" (39 joints), "ap10k" (17), "animal_pose" (20) and "human17" (COCO's).

    >>> find_vocabulary("ap10k").names[3:6]
    ('Neck', 'Root of tail', 'L_Shoulder')
    """
    if name not in COUNTS:
        raise UnknownNameError("vocabulary", name, COUNTS)
    if name in ("ap10k", "animal_pose"):
        return Vocabulary(name, tuple(read_profile("quadruped5").vocabularies[name]))
    return Vocabulary(name, tuple(read_profile("human17" if name == "human17" else "quadruped5").joints))


def vocabulary_of(
    joints: int, where: str, *, stated: tuple[str, ...] | None = None, chosen: str = "auto"
) -> Vocabulary:
    """What `joints` channels mean: as chosen, as the weights themselves state, or as their file is called and counted.

    `where` names the file. Where several vocabularies would fit, and where none does, that is an InputError.
    """
    if chosen != "auto":
        return _fitting(find_vocabulary(chosen), joints, where)
    if stated:
        return _fitting(Vocabulary("stated", stated), joints, where)
    fitting = [name for name, count in COUNTS.items() if count == joints]
    if len(fitting) > 1:
        called = plain(where.replace("\\", "/").rstrip("/").rpartition("/")[2])
        fitting = [name for name in fitting if any(word in called for word in SPELLINGS[name])] or fitting
    if len(fitting) == 1:
        return find_vocabulary(fitting[0])
    counts = ", ".join(f"{name} ({count})" for name, count in COUNTS.items())
    found = f"{joints} joints, which may be those of {' or '.join(fitting)}" if fitting else f"{joints} joints"
    raise InputError(f"{where}: {found}; expected one of {counts}; say which with vocabulary")


def _fitting(vocabulary: Vocabulary, joints: int, where: str) -> Vocabulary:
    if len(vocabulary.names) != joints:
        raise InputError(
            f"{where}: its head has {joints} channels, the vocabulary {vocabulary.name} {len(vocabulary.names)} "
            "joints; expected one channel per joint; choose the vocabulary these weights were trained for"
        )
    return vocabulary
