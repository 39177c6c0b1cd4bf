"""The order of joints in published networks, and which vocabulary a file has."""

from __future__ import annotations

import pytest

from maskwright.errors import InputError, UnknownNameError
from maskwright.models.vocabularies import AS_RELEASED, find_vocabulary, vocabulary_of

PARTNERS_39 = [0, 1, 2, 4, 3, 10, 11, 12, 13, 14, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 21, 22, 23, 27, 28, 29, 24, 25,
               26, 35, 32, 31, 34, 33, 30, 36, 38, 37]  # fmt: skip
PARTNERS_17 = [1, 0, 2, 3, 4, 8, 9, 10, 5, 6, 7, 14, 15, 16, 11, 12, 13]
PARTNERS_20 = [1, 0, 3, 2, 4, 5, 6, 7, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18]


def test_mirror_lists_by_name() -> None:
    assert list(find_vocabulary("superanimal").partners) == PARTNERS_39
    assert list(find_vocabulary("ap10k").partners) == PARTNERS_17
    assert list(find_vocabulary("animal_pose").partners) == PARTNERS_20
    assert find_vocabulary("human17").partners == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


def test_the_order_of_channels() -> None:
    names = find_vocabulary("superanimal").names
    assert (names[0], names[15], names[20], names[23], names[30], names[38]) == (
        "nose", "neck_base", "back_end", "tail_end", "back_left_paw", "body_middle_left",
    )  # fmt: skip
    assert find_vocabulary("ap10k").names == (
        "L_Eye", "R_Eye", "Nose", "Neck", "Root of tail", "L_Shoulder", "L_Elbow", "L_F_Paw", "R_Shoulder", "R_Elbow",
        "R_F_Paw", "L_Hip", "L_Knee", "L_B_Paw", "R_Hip", "R_Knee", "R_B_Paw",
    )  # fmt: skip
    assert find_vocabulary("animal_pose").names == (
        "L_Eye", "R_Eye", "L_EarBase", "R_EarBase", "Nose", "Throat", "TailBase", "Withers", "L_F_Elbow", "R_F_Elbow",
        "L_B_Elbow", "R_B_Elbow", "L_F_Knee", "R_F_Knee", "L_B_Knee", "R_B_Knee", "L_F_Paw", "R_F_Paw", "L_B_Paw",
        "R_B_Paw",
    )  # fmt: skip
    assert find_vocabulary("human17").names[:6] == (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
    )  # fmt: skip


def test_the_list_as_released_differs_where_it_is_known_to() -> None:
    differing = [n for n, each in enumerate(AS_RELEASED) if each != PARTNERS_39[n]]
    assert differing == [0, 1, 2, 3, 4, 20, 21, 30, 31, 32, 33]
    assert sorted(AS_RELEASED) == list(range(39))


def test_a_count_that_only_one_vocabulary_has_is_enough() -> None:
    assert vocabulary_of(39, "pose.pth").name == "superanimal"
    assert vocabulary_of(20, "pose.pth").name == "animal_pose"


def test_seventeen_joints_may_be_an_animal_or_a_person() -> None:
    with pytest.raises(InputError, match="ap10k or human17"):
        vocabulary_of(17, "pose.pth")
    assert vocabulary_of(17, "a/hrnet_w48_ap10k_256x256-d95ab412_20211029.pth").name == "ap10k"
    assert vocabulary_of(17, "hrnet_w32_coco_256x192.pth").name == "human17"
    assert vocabulary_of(17, "pose.pth", chosen="ap10k").name == "ap10k"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="39 channels, the vocabulary ap10k 17 joints"):
        vocabulary_of(39, "pose.pth", chosen="ap10k")
    with pytest.raises(InputError, match="5 joints"):
        vocabulary_of(5, "pose.pth")
    with pytest.raises(UnknownNameError, match="did you mean 'ap10k'"):
        vocabulary_of(17, "pose.pth", chosen="ap10")
    assert vocabulary_of(2, "pose.pth", stated=("left_eye", "right_eye")).partners == (1, 0)
