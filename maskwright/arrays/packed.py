"""Bytes packed by how often each comes: deflate for numbers that hardly repeat, at a third of a general packer's time.

Differences of neighbours in a picture are mostly small, and seldom the same twice in a row: a packer that searches for
what was there before searches in vain. Here bytes get codes as long as they are rare (Huffman's), and only runs of one
byte are told as runs. Whatever reads deflate unpacks it. The same bytes come out with numba and without. One thread:
compiled parts release the GIL, so lines may be packed side by side.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled

LEAST, MOST, LONGEST = 3, 258, 15
"""How often the byte before may come again in a run that deflate tells as one, and bits of a code at most."""

END, RUN = 256, 257
"""The symbol of the end, and that of the shortest runs; smaller ones are the bytes themselves."""

_FIRST = np.array([*range(3, 11), *range(11, 19, 2), *range(19, 35, 4), *range(35, 67, 8), *range(67, 131, 16),
                   *range(131, 258, 32), 258])  # fmt: skip
_EXTRA = np.array([0] * 8 + [bits for bits in range(1, 6) for _ in range(4)] + [0])
_KIND = np.searchsorted(_FIRST, np.arange(MOST + 1), side="right") - 1
"""By length, which of 29 symbols tells a run; `_FIRST` is the shortest of each, `_EXTRA` bits tell the rest."""

_SYMBOLS = RUN + len(_FIRST)
_SYMBOL = np.concatenate([np.arange(RUN), RUN + np.maximum(_KIND[1:], 0)])
"""By token (a byte, END, or END and the length of a run) its symbol."""

_HEAD = np.array([(0b101, 3), (_SYMBOLS - RUN, 5), (0, 5), (15, 4), *[(0, 3)] * 3, *[(4, 3)] * 16])
"""Value and bits of what begins a stream: one block, with codes of its own, whose lengths take four bits each."""
_FOUR = np.array([0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15])
"""Numbers of four bits, the first bit last."""


def packed(line: NDArray[np.uint8]) -> bytes:
    """A zlib stream of bytes (n,), for `zlib.decompress` and all that reads deflate.

    >>> zlib.decompress(packed(np.uint8([7, 7, 7, 7, 7, 1]))).hex(), zlib.decompress(packed(np.uint8([])))
    ('070707070701', b'')
    """
    line = np.ascontiguousarray(line)
    tokens, counts = _tokens(line)
    counts[END] = 1
    lengths = code_lengths(counts)
    values, bits = _codes_of_tokens(lengths)
    head = np.concatenate([_HEAD[:, 0], _FOUR[lengths], _FOUR[1:2]]).astype(np.uint32)  # in the end: distances are 1
    head_bits = np.concatenate([_HEAD[:, 1], np.full(_SYMBOLS + 1, 4)]).astype(np.uint32)
    needed = head_bits.sum() + (lengths * counts).sum() + ((_EXTRA + 1) * counts[RUN:]).sum()
    words = np.zeros(int(needed) // 32 + 2, "<u4")
    at = _write(np.arange(len(head), dtype=np.uint16), head, head_bits, words, 0)
    at = _write(tokens, values, bits, words, at)
    at = _write(np.array([END], np.uint16), values, bits, words, at)
    return b"\x78\x01" + words.tobytes()[: (at + 7) // 8] + zlib.adler32(line.data).to_bytes(4, "big")


def code_lengths(counts: NDArray[np.int64], longest: int = LONGEST) -> NDArray[np.int64]:
    """How many bits the code of each symbol takes so that all together take fewest, 0 for what never comes.

    Where some code would be longer than `longest`, rare symbols count as less rare until none is.

    >>> code_lengths(np.array([5, 0, 1, 2])).tolist()
    [1, 0, 2, 2]
    """
    weights = counts.copy()
    while (lengths := _lengths(weights, np.flatnonzero(weights))).max(initial=0) > longest:
        weights = (weights + 1) // 2
    return lengths


@compiled
def _lengths(weights: NDArray[np.int64], used: NDArray[np.int64]) -> NDArray[np.int64]:
    """Depths in Huffman's tree: again and again the two lightest become one. Leaves and nodes both come by weight."""
    lengths = np.zeros(len(weights), np.int64)
    leaves = len(used)
    if leaves == 1:
        lengths[used[0]] = 1
    if leaves < 2:
        return lengths
    order = used[np.argsort(weights[used], kind="mergesort")]
    mass = np.zeros(2 * leaves - 1, np.int64)
    mass[:leaves] = weights[order]
    above = np.zeros(2 * leaves - 1, np.int64)
    leaf, node = 0, leaves
    for made in range(leaves, 2 * leaves - 1):
        for _ in range(2):
            if leaf < leaves and (node == made or mass[leaf] <= mass[node]):
                lightest, leaf = leaf, leaf + 1
            else:
                lightest, node = node, node + 1
            mass[made] += mass[lightest]
            above[lightest] = made
    depth = np.zeros(2 * leaves - 1, np.int64)
    for each in range(2 * leaves - 3, -1, -1):
        depth[each] = depth[above[each]] + 1
    lengths[order] = depth[:leaves]
    return lengths


@compiled
def _codes(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The codes of symbols: of one length in order of symbols, shorter ones first; their first bit is the lowest."""
    codes = np.zeros(len(lengths), np.int64)
    code = 0
    for length in range(1, 16):
        for symbol in range(len(lengths)):
            if lengths[symbol] == length:
                turned = 0
                for bit in range(length):
                    turned |= ((code >> bit) & 1) << (length - 1 - bit)
                codes[symbol] = turned
                code += 1
        code <<= 1
    return codes


def _codes_of_tokens(lengths: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What is written for each token and how many bits of it: its code and, for a run, the rest and one bit for the
    distance."""
    values, bits = _codes(lengths)[_SYMBOL], lengths[_SYMBOL]
    runs = np.arange(1, MOST + 1)
    kinds = np.maximum(_KIND[runs], 0)
    values[RUN:] |= (runs - _FIRST[kinds]).clip(0) << bits[RUN:]
    bits[RUN:] += _EXTRA[kinds] + 1
    return values.astype(np.uint32), bits.astype(np.uint32)


def _tokens(line: NDArray[np.uint8]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """What is told of a line: bytes, and how often the last one comes again; and how often each symbol comes."""
    if HAS_NUMBA:
        found, counts = np.empty(len(line), np.uint16), np.zeros((4, _SYMBOLS), np.int64)
        tokens = found[: _tokens_compiled(line, _KIND, found, counts)]
        return tokens, counts.sum(axis=0)
    starts = np.flatnonzero(np.append(True, line[1:] != line[:-1])[: len(line)])
    again = np.diff(np.append(starts, len(line))) - 1
    full, rest = again // MOST, again % MOST
    told = 1 + full + np.where(rest >= LEAST, 1, rest)
    place = np.arange(told.sum()) - np.repeat(np.cumsum(told) - told, told)
    full, rest = np.repeat(full, told), np.repeat(rest, told)
    tokens = np.repeat(line[starts], told).astype(np.uint16)
    tokens[(place > 0) & (place <= full)] = END + MOST
    ends = (place == full + 1) & (rest >= LEAST)
    tokens[ends] = END + rest[ends]
    return tokens, np.bincount(_SYMBOL[tokens], minlength=_SYMBOLS)


@compiled
def _tokens_compiled(
    line: NDArray[np.uint8], kinds: NDArray[np.int64], found: NDArray[np.uint16], counts: NDArray[np.int64]
) -> int:  # pragma: no cover - compiled
    """Fills `found` and the four tables `counts`: one alone would wait for itself where a byte comes often."""
    length, one, count, at = np.uint64(len(line)), np.uint64(1), np.uint64(0), np.uint64(0)
    while at < length:
        value = line[at]
        found[count] = value
        counts[at & np.uint64(3), value] += 1
        count += one
        after = at + one
        while after < length and line[after] == value:
            after += one
        left = after - at - one
        at = after
        while left >= np.uint64(3):
            run = min(left, np.uint64(258))
            found[count] = np.uint64(256) + run
            counts[0, 257 + kinds[run]] += 1
            count += one
            left -= run
        while left > np.uint64(0):
            found[count] = value
            counts[0, value] += 1
            count += one
            left -= one
    return int(count)


def _write(
    tokens: NDArray[np.uint16],
    values: NDArray[np.uint32],
    bits: NDArray[np.uint32],
    words: NDArray[np.uint32],
    at: int,
) -> int:
    """Write values of tokens from bit `at` on, lowest bits first; gives the bit after the last."""
    if HAS_NUMBA:
        return int(_write_compiled(tokens, values, bits, words, at))
    wide = bits[tokens].astype(np.int64)
    start, ends = at % 8, np.cumsum(wide)
    place = np.arange(wide.sum()) - np.repeat(ends - wide, wide)
    alone = np.repeat(values[tokens].astype(np.int64), wide) >> place & 1
    made = np.packbits(np.append(np.zeros(start, np.int64), alone).astype(np.uint8), bitorder="little")
    words.view(np.uint8)[at // 8 : at // 8 + len(made)] |= made
    return at + len(alone)


@compiled
def _write_compiled(
    tokens: NDArray[np.uint16],
    values: NDArray[np.uint32],
    bits: NDArray[np.uint32],
    words: NDArray[np.uint32],
    at: int,
) -> int:  # pragma: no cover - compiled
    word, filled = np.uint64(at // 32), np.uint64(at % 32)
    held, full = np.uint64(words[word]), np.uint64(32)
    for token in tokens:
        held |= np.uint64(values[token]) << filled
        filled += np.uint64(bits[token])
        if filled >= full:
            words[word] = np.uint32(held & np.uint64(0xFFFFFFFF))
            held >>= full
            filled -= full
            word += np.uint64(1)
    words[word] = np.uint32(held & np.uint64(0xFFFFFFFF))
    return int(word * full + filled)
