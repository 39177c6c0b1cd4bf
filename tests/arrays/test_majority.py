"""The commonest class around each pixel, against counting by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from maskwright.arrays import majority as module
from maskwright.arrays.majority import majority

masks = hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 14)), elements=st.sampled_from([0, 1, 4, 255]))


def by_counting(ids: NDArray[np.uint8], radius: int, fill: bool) -> NDArray[np.uint8]:
    result = ids.copy()
    for row, col in np.ndindex(ids.shape):
        around = ids[max(0, row - radius) : row + radius + 1, max(0, col - radius) : col + radius + 1]
        votes = Counter(int(each) for each in around.flat if each != 255)
        if votes and (fill or ids[row, col] != 255):
            best = [class_id for class_id, count in votes.items() if count == max(votes.values())]
            result[row, col] = ids[row, col] if ids[row, col] in best else min(best)
    return result


@given(ids=masks, radius=st.integers(0, 3), fill=st.booleans(), strip=st.sampled_from([1, 30, 1 << 18]))
@settings(max_examples=80, deadline=None)
def test_majority_by_counting(ids: NDArray[np.uint8], radius: int, fill: bool, strip: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRIP", strip)
        np.testing.assert_array_equal(majority(ids, radius, fill_ignored=fill), by_counting(ids, radius, fill))


def test_strided_read_only_wider_ids_and_empty_pictures() -> None:
    ids = np.repeat(np.array([[1, 1, 1], [1, 2, 1]], np.int64), 2, axis=1)[:, ::2]
    ids.flags.writeable = False
    assert majority(ids, 1).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert majority(np.zeros((0, 4), np.uint8), 1).shape == (0, 4)


def test_what_is_no_picture_of_ids_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.255; got -1\.\.300"):
        majority(np.array([[-1, 300]]), 1)
    with pytest.raises(ValueError, match="from 0 to 2000"):
        majority(np.zeros((1, 1), np.uint8), -1)
