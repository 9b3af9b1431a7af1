"""Philox4x32-10: random bits as a pure function of a key and a counter.

Source: Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011.

A key is six uint32 words: the two key words, the two high counter words (netdef puts the iteration there), and the low
and high half of ``start``, the index of the first word wanted. Word i of a stream is lane i % 4 of counter block i // 4,
so any part of a stream can be had without the rest.
"""
from __future__ import annotations

import numpy as np

Array = np.ndarray

_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_WORDS_AT_ONCE = 1 << 18  # keeps the temporaries in the cache


def philox_bits(key: Array, out: Array) -> None:
    """Fill ``out`` (uint32, any shape, C order) with the words of the stream ``key`` (uint32, 6 words) from its start on."""
    flat = out.reshape(-1)
    start = int(key[4]) | int(key[5]) << 32
    for first in range(0, flat.size, _WORDS_AT_ONCE):
        part = flat[first: first + _WORDS_AT_ONCE]
        begin = start + first
        block = begin // 4
        blocks = np.arange((begin + part.size + 3) // 4 - block, dtype=np.uint64) + np.uint64(block)
        counter = (blocks & _LOW, blocks >> _SHIFT, np.full_like(blocks, key[2]), np.full_like(blocks, key[3]))
        words = np.stack(philox_rounds(counter, int(key[0]), int(key[1])), axis=1).reshape(-1)
        part[...] = words[begin - 4 * block:][: part.size]
    if not np.shares_memory(flat, out):
        out[...] = flat.reshape(out.shape)


def philox_rounds(counter: tuple[Array, ...], key_0: int, key_1: int) -> tuple[Array, ...]:
    """The ten rounds: four counter words (uint64 arrays holding 32 bits) -> four random words of the same form."""
    c0, c1, c2, c3 = counter
    for number in range(_ROUNDS):
        k0 = np.uint64((key_0 + number * _WEYL_0) & 0xFFFFFFFF)
        k1 = np.uint64((key_1 + number * _WEYL_1) & 0xFFFFFFFF)
        p0, p1 = _MULTIPLY_0 * c0, _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _LOW
    return c0, c1, c2, c3
