"""Rows as one line: the same numbers, at the steps that were told, whatever part of an array it is."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays.flat import flat_rows

WHOLE = np.arange(2 * 5 * 70, dtype=np.float32).reshape(2, 5, 70)


@pytest.mark.parametrize(
    "array",
    [
        WHOLE,
        WHOLE[:, 1:4, 7:60],
        WHOLE[1:, :1],
        WHOLE[:, ::2],
        WHOLE[:, ::-1],
        WHOLE[:, :, ::3],
        WHOLE[..., :1],
        WHOLE.transpose(0, 2, 1),
        np.broadcast_to(WHOLE[:1], WHOLE.shape),
        np.asfortranarray(WHOLE),
        WHOLE[:, :0],
        WHOLE[:0],
    ],
)
def test_every_row_lies_where_the_steps_say(array: np.ndarray) -> None:
    line, (channel_step, row_step) = flat_rows(array)
    for channel, rows in enumerate(array):
        for number, row in enumerate(rows):
            first = channel * channel_step + number * row_step
            assert line[first : first + len(row)].tolist() == row.tolist()


def test_a_part_is_a_view_and_stays_read_only() -> None:
    own = WHOLE.copy()
    line, _ = flat_rows(own[:, 2:, 5:])
    line[0] = -1
    assert own[0, 2, 5] == -1
    own.flags.writeable = False
    assert not flat_rows(own)[0].flags.writeable
