"""The digest of a run, updated row by row from every bit of equity, positions and fills.

The digest is sixteen words of 64 bits. For a fixed input the update permutes the word, and for a
fixed word it permutes the input. So two runs that differ once have equal digests only if a later
difference cancels the first, a chance of 1 in 2^64. It detects accidents, not forgery.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import types, uint64

from alphalab.kernels._jit import jit, jit_apart

EQUITY = 0  # four words: row i goes into word i modulo 4, so that the CPU updates four at a time
POSITIONS = 4  # three words: row, asset and units of every change
FILLS = 7  # one word for each field of a fill
N_WORDS = 16

ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
HALF = np.uint64(29)
ZERO = np.uint64(0)  # also the bits of 0.0


@jit
def mixed(word, bits):
    """Return the word updated by 64 bits."""
    word = (word ^ bits) * ODD
    return word ^ (word >> HALF)


@jit_apart
def fold_equity(words, bits):
    """Fold the equity bits of rows; the number of the first row is a multiple of 4."""
    a, b, c, d = words[EQUITY], words[EQUITY + 1], words[EQUITY + 2], words[EQUITY + 3]
    whole = bits.size - bits.size % 4
    for i in range(0, whole, 4):
        a = mixed(a, bits[i])
        b = mixed(b, bits[i + 1])
        c = mixed(c, bits[i + 2])
        d = mixed(d, bits[i + 3])
    words[EQUITY], words[EQUITY + 1], words[EQUITY + 2], words[EQUITY + 3] = a, b, c, d
    for i in range(whole, bits.size):
        words[EQUITY + i % 4] = mixed(words[EQUITY + i % 4], bits[i])


@jit
def fold_position(words, row, asset, units):
    """Fold a change of position: the units held from `row` on, as unsigned bits."""
    words[POSITIONS] = mixed(words[POSITIONS], np.uint64(row))
    words[POSITIONS + 1] = mixed(words[POSITIONS + 1], np.uint64(asset))
    words[POSITIONS + 2] = mixed(words[POSITIONS + 2], units)


@jit
def fold_fills(words, fills):
    """Fold fills, (F, fields), as unsigned bits."""
    for f in range(fills.shape[0]):
        for i in range(fills.shape[1]):
            words[FILLS + i] = mixed(words[FILLS + i], fills[f, i])


def _fold_run(words, equity, qty, fills):
    fold_equity(words, equity)
    for t in range(qty.shape[0]):
        for j in range(qty.shape[1]):
            if qty[t, j] != (qty[t - 1, j] if t > 0 else ZERO):
                fold_position(words, t, j, qty[t, j])
    fold_fills(words, fills)


@cache
def fold_run():
    """Return the compiled `f(words, equity (T,), qty (T, N), fills (F, fields))`, all as bits."""
    bits, table = (types.Array(uint64, n, "C") for n in (1, 2))
    return jit(_fold_run, types.void(bits, bits, table, table))
