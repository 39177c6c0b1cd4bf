"""Packing by how often each byte comes: zlib gives back what went in, with numba and without, in about the room due."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays import packed as module
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.packed import LONGEST, code_lengths, packed

RUNS = (1, 2, 3, 4, 5, 257, 258, 259, 260, 261, 262, 263, 516, 517, 518, 519, 520, 521, 100_000)


@given(st.lists(st.tuples(st.integers(0, 255), st.sampled_from((*range(1, 40), 131, 258, 259, 263, 700))), max_size=60))
@settings(max_examples=60, deadline=None)
def test_what_is_unpacked_is_what_was_packed(runs: list[tuple[int, int]]) -> None:
    line = np.repeat(np.uint8([value for value, _ in runs]), [length for _, length in runs])
    assert zlib.decompress(packed(line)) == line.tobytes()


@pytest.mark.parametrize("length", RUNS)
def test_runs_of_all_lengths(length: int) -> None:
    line = np.concatenate([np.uint8([1]), np.full(length, 7, np.uint8), np.uint8([9, 7])])
    assert zlib.decompress(packed(line)) == line.tobytes()


def _fibonacci(symbols: int) -> NDArray[np.int64]:
    counts = [1, 1]
    while len(counts) < symbols:
        counts.append(counts[-1] + counts[-2])
    return np.array(counts)


def test_no_code_is_longer_than_deflate_allows() -> None:
    counts = _fibonacci(26)
    assert code_lengths(counts, longest=99).max() == 25
    lengths = code_lengths(counts)
    assert lengths.max() <= LONGEST
    assert sum(0.5 ** int(each) for each in lengths) == 1
    line = np.repeat(np.arange(26, dtype=np.uint8), counts)
    np.random.default_rng(0).shuffle(line)
    assert zlib.decompress(packed(line)) == line.tobytes()


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(lambda counts: sum(map(bool, counts)) > 1))
@settings(max_examples=60, deadline=None)
def test_codes_fill_all_room_and_frequent_ones_are_not_longer(counts: list[int]) -> None:
    lengths = code_lengths(np.array(counts)).tolist()
    assert sum(0.5**length for length in lengths if length) == 1
    assert all((length > 0) == (count > 0) for length, count in zip(lengths, counts, strict=True))
    pairs = [(count, length) for count, length in zip(counts, lengths, strict=True) if count]
    assert all(one[1] >= other[1] for one in pairs for other in pairs if one[0] < other[0])


def _line(kind: str) -> NDArray[np.uint8]:
    made = np.random.default_rng(1)
    if kind == "noise":
        return made.integers(0, 256, 40_000, dtype=np.uint8)
    if kind == "near 0":
        return made.normal(0, 4, 60_000).astype(np.int64).astype(np.uint8)
    return np.repeat(made.integers(0, 4, 400, dtype=np.uint8), made.integers(1, 700, 400))


@pytest.mark.parametrize(("kind", "most"), [("noise", 1.005), ("near 0", 0.53), ("runs", 0.02)])
def test_packed_bytes_take_the_room_that_is_due(kind: str, most: float) -> None:
    line = _line(kind)
    assert len(packed(line)) < most * len(line)


@pytest.mark.parametrize("kind", ["noise", "near 0", "runs"])
def test_without_numba_the_same_bytes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not HAS_NUMBA:
        pytest.skip("numba is not here or switched off")
    lines = [_line(kind), *(np.full(length, 3, np.uint8) for length in (0, 1, 2, 3, 4, 259, 261, 262))]
    compiled = [packed(line) for line in lines]
    monkeypatch.setattr(module, "HAS_NUMBA", False)
    assert [packed(line) for line in lines] == compiled
