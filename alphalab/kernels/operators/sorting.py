"""Sorting and ranking the values of one row: by comparison if they are few, else by bits."""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit, jit_allocating

DIGIT = 10  # bits sorted in one pass
QUICK = 2 * DIGIT  # leading bits sorted first; few values are then out of order, unless clustered
FEW = 64  # assets up to which comparing all pairs is faster than the passes over bits
PATIENCE = 16  # moves per value before the insertion sort gives up and all bits are sorted


@jit_allocating
def sort_by_bits(keys, places, first, last):
    """Sort keys and their places by bits `first` to `last` of the keys; return both."""
    other_keys, other_places = np.empty_like(keys), np.empty_like(places)
    mask = np.uint64((1 << DIGIT) - 1)
    for shift in range(first, last, DIGIT):
        counts = np.zeros(1 << DIGIT, np.int64)
        bits = np.uint64(shift)
        for key in keys:
            counts[np.int64((key >> bits) & mask)] += 1
        start = 0
        for i in range(counts.size):
            count = counts[i]
            counts[i] = start
            start += count
        for i in range(keys.size):
            digit = np.int64((keys[i] >> bits) & mask)
            other_keys[counts[digit]] = keys[i]
            other_places[counts[digit]] = places[i]
            counts[digit] += 1
        keys, other_keys = other_keys, keys
        places, other_places = other_places, places
    return keys, places


@jit
def insertion_sort(keys, places, patience):
    """Sort nearly sorted keys; return False if that takes more than `patience` moves."""
    for i in range(1, keys.size):
        key, place, free = keys[i], places[i], i
        while free > 0 and keys[free - 1] > key:
            keys[free] = keys[free - 1]
            places[free] = places[free - 1]
            free -= 1
        keys[free] = key
        places[free] = place
        patience -= i - free
        if patience < 0:
            return False
    return True


@jit_allocating
def few_ascending(x):
    """Return `ascending` of a short row: insertion sort of the places."""
    places = np.empty(x.size, np.int64)
    n = 0
    for j in range(x.size):
        value = x[j]
        if np.isfinite(value):
            free = n
            while free > 0 and x[places[free - 1]] > value:
                places[free] = places[free - 1]
                free -= 1
            places[free] = j
            n += 1
    return places[:n]


@jit
def count_below(x, counts):
    """Write for each value of a row the number of values below it; NaN is below nothing.

    The loops over the row have no branch, so the compiler makes vector instructions of them.
    """
    n = x.size
    for j in range(n):
        counts[j] = 0.0
    i = 0
    while i + 3 < n:  # four at a time: fewer loads and stores of the counts
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(n):
            value = x[j]
            counts[j] += ((1.0 if a < value else 0.0) + (1.0 if b < value else 0.0)) + (
                (1.0 if c < value else 0.0) + (1.0 if d < value else 0.0)
            )
        i += 4
    while i < n:
        a = x[i]
        for j in range(n):
            counts[j] += 1.0 if a < x[j] else 0.0
        i += 1


@jit
def count_ranks(x, n, ranks):
    """Write twice the rank of each of n values of a row, ties averaged; NaN for NaN."""
    count_below(x, ranks)
    total = 0.0
    for j in range(x.size):
        total += ranks[j]
    tied = total < n * (n - 1.0) / 2.0
    for j in range(x.size):
        value = x[j]
        equal = 1.0
        if tied:
            equal = 0.0
            for i in range(x.size):
                equal += 1.0 if x[i] == value else 0.0
        ranks[j] = np.nan if np.isnan(value) else 2.0 * ranks[j] + equal + 1.0


@jit_allocating
def ascending(x):
    """Return the places of a row's finite values in ascending order; ties keep their order.

    Keys of long rows are the bits of the values as ordered integers, minus the smallest key.
    """
    if x.size <= FEW:
        return few_ascending(x)
    sign = np.uint64(1 << 63)
    bits = (x + 0.0).view(np.uint64)  # turns -0.0 into 0.0: the two are equal
    keys, places = np.empty(x.size, np.uint64), np.empty(x.size, np.int64)
    n = 0
    for j in range(x.size):
        if np.isfinite(x[j]):
            keys[n] = ~bits[j] if bits[j] & sign else bits[j] | sign
            places[n] = j
            n += 1
    keys, places = keys[:n], places[:n]
    if n < 2:
        return places
    least, largest = keys[0], keys[0]
    for key in keys:
        least, largest = min(least, key), max(largest, key)
    length = 0
    while length < 64 and (largest - least) >> np.uint64(length) != np.uint64(0):
        length += 1
    for i in range(n):
        keys[i] -= least
    keys, places = sort_by_bits(keys, places, max(length - QUICK, 0), length)
    if not insertion_sort(keys, places, PATIENCE * n):
        places = sort_by_bits(keys, places, 0, length)[1]
    return places
