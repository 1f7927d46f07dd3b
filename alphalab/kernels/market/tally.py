"""The tally of a column: the figures of a whole run, updated as its rows are pushed.

Rows are folded into the figures CHUNK at a time, counted from the first row of the run: so no
figure depends on the block size. Inside a chunk the moments take two passes (mean, then
deviations). Chunks are merged by Pébay (2008), Formulas for Robust, One-Pass Parallel Computation
of Covariances and Arbitrary-Order Statistical Moments, section 2.1.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from numba import float64, int64, uint64, void

from alphalab.codes import Posting
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import N_AMBIGUITIES, N_FILLS, N_POSTINGS, N_REFUSALS
from alphalab.kernels.market.digest import fold_equity, fold_fills, fold_position
from alphalab.kernels.market.layout import (
    BOOKS,
    COLUMN_TALLY,
    COUNTS,
    FIGURES,
    SEGMENTS,
    SERIES,
    VOID,
    WORDS,
)
from alphalab.types import TALLY, TRIP_SO_FAR

SPLIT, REINVESTMENT = np.int64(Posting.SPLIT), np.int64(Posting.REINVESTMENT)

CHUNK = 512  # rows; a multiple of 4, the number of equity words of the digest
QTY = list(TRIP_SO_FAR.fields or ()).index("qty")  # field number in `trip_bits`
DUST = 1e-9  # a position smaller than this part of its last change is a rounding error: flat


@jit
def sum_of(x, n):
    """Return the sum of n numbers, as four partial sums that the CPU adds in parallel."""
    a = b = c = d = 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        a += x[i]
        b += x[i + 1]
        c += x[i + 2]
        d += x[i + 3]
    for i in range(whole, n):
        a += x[i]
    return (a + b) + (c + d)


@jit
def extremes(x, n):
    """Return the lowest and the highest of n numbers, four at a time."""
    low, a, b, c = x[0], x[0], x[0], x[0]
    high, d, e, f = x[0], x[0], x[0], x[0]
    whole = n - n % 4
    for i in range(0, whole, 4):
        low, a, b, c = min(low, x[i]), min(a, x[i + 1]), min(b, x[i + 2]), min(c, x[i + 3])
        high, d, e, f = max(high, x[i]), max(d, x[i + 1]), max(e, x[i + 2]), max(f, x[i + 3])
    for i in range(whole, n):
        low, high = min(low, x[i]), max(high, x[i])
    return min(low, a, b, c), max(high, d, e, f)


@jit_late(VOID(FIGURES, SERIES, WORDS, WORDS, SEGMENTS, COUNTS, SERIES))
def fold_rows(f, equity, equity_bits, words, segments, bounds, r):
    """Fold the kept rows into the figures; `r` is scratch for their returns."""
    n = f["kept"]
    for i in range(n):
        r[i] = equity[i + 1] / equity[i] - 1.0
    mean = sum_of(r, n) / n
    m2 = m3 = m4 = gained = lost = downside = money = 0.0
    # One loop for each piece of a segment. Its sums are added row after row, in the order of
    # `alphalab.research.results.segments.segment_sums`, whatever the chunks.
    n_segments = bounds.size - 1
    segment = first = 0
    while first < n:
        while segment < n_segments and bounds[segment + 1] <= f["rows"] + first:
            segment += 1
        end = n
        total = squares = 0.0
        if segment < n_segments:
            end = min(n, bounds[segment + 1] - f["rows"])
            total, squares = segments[0, segment], segments[1, segment]
        for i in range(first, end):
            from_mean = r[i] - mean
            square = from_mean * from_mean
            m2 += square
            m3 += square * from_mean
            m4 += square * square
            below = min(r[i], 0.0)
            downside += below * below
            lost -= below
            gained += max(r[i], 0.0)
            money += equity[i + 1]
            total += r[i]
            squares += r[i] * r[i]
        if segment < n_segments:
            segments[0, segment], segments[1, segment] = total, squares
        first = end
    merge_moments(f, n, mean, m2, m3, m4)
    f["gained"] += gained
    f["lost"] += lost
    f["downside"] += downside
    f["equity_sum"] += money
    fold_drawdown(f, equity, n)
    fold_equity(words, equity_bits[1 : n + 1])
    equity[0] = equity[n]
    f["rows"] += n
    f["kept"] = 0


@jit
def fold_kept(tally):
    """Fold the kept rows into the figures."""
    fold_rows(
        *(tally.figures, tally.equity, tally.equity_bits, tally.words),
        *(tally.segments, tally.bounds, tally.value),
    )


def _fold_all(figures, equity, equity_bits, words, segments, bounds, scratch):
    for c in range(figures.size):
        if figures[c]["kept"] > 0:
            fold_rows(figures[c], equity[c], equity_bits[c], words[c], segments[c], bounds, scratch)


@cache
def fold_all():
    """Return the compiled function that folds the kept rows of all columns.

    `f(figures (C,), equity, equity_bits, words, segments (C, 2, S), bounds (S + 1,), scratch)`,
    with scratch for CHUNK numbers.
    """
    table, bits = (numba.types.Array(kind, 2, "C") for kind in (float64, uint64))
    records = numba.types.Array(numba.from_dtype(TALLY), 1, "C")
    segments, scratch = (numba.types.Array(float64, ndim, "C") for ndim in (3, 1))
    bounds = numba.types.Array(int64, 1, "C")
    return jit(_fold_all, void(records, table, bits, bits, segments, bounds, scratch))


@jit
def merge_moments(f, n, mean, m2, m3, m4):
    """Merge the moments of n more numbers into the figures."""
    a = float(f["rows"])
    b = float(n)
    both = a + b
    d = mean - f["mean"]
    d2 = d * d
    f["m4"] += (
        m4
        + d2 * d2 * a * b * (a * a - a * b + b * b) / (both * both * both)
        + 6.0 * d2 * (a * a * m2 + b * b * f["m2"]) / (both * both)
        + 4.0 * d * (a * m3 - b * f["m3"]) / both
    )
    f["m3"] += (
        m3 + d2 * d * a * b * (a - b) / (both * both) + 3.0 * d * (a * m2 - b * f["m2"]) / both
    )
    f["m2"] += m2 + d2 * a * b / both
    f["mean"] += d * b / both


@jit
def fold_drawdown(f, equity, n):
    """Update peak and maximum drawdown; scan the rows only if a deeper fall is possible."""
    lowest, highest = extremes(equity[1:], n)
    f["least_before"] = min(f["least"], extremes(equity, n)[0])
    f["least"] = min(f["least"], lowest)
    peak = f["peak"]
    if lowest < 0.0 or 1.0 - lowest / max(peak, highest) > f["max_drawdown"]:
        deepest = f["max_drawdown"]
        for i in range(n):
            peak = max(peak, equity[i + 1])
            deepest = max(deepest, 1.0 - equity[i + 1] / peak)
        f["max_drawdown"] = deepest
    f["peak"] = max(f["peak"], highest)


@jit
def keep_row(tally, books, ledger, changed):
    """Add a completed row to the tally; `changed`: its positions may have changed."""
    f = tally.figures
    f["kept"] += 1
    tally.equity[f["kept"]] = ledger["equity"]
    f["invested"] += ledger["gross"] > 0.0
    if f["kept"] == CHUNK:
        fold_kept(tally)
    if not changed:
        return
    for j in range(books.positions.size):
        trip = tally.trips[j]
        if books.positions[j]["qty"] != trip["qty"]:
            trip["qty"] = books.positions[j]["qty"]
            row = books.account["row"] - 1  # the step has advanced it already
            fold_position(tally.words, row, j, tally.trip_bits[j, QTY])


@jit
def close_trip(f, trip, row, part_of_fee):
    """Add a closed round trip to the figures."""
    pnl = trip["realised"] - (trip["fees"] + part_of_fee)
    f["n_trips"] += 1
    f["trip_rows"] += row - trip["entry_row"]
    if pnl > 0.0:
        f["n_won"] += 1
        f["trips_won"] += pnl
    else:
        f["trips_lost"] -= pnl


@jit
def fold_change(trip, qty, lot):
    """Add units to a trip; return the units held before and after."""
    before = trip["held"]
    trip["total"] += qty
    after = trip["total"]
    if abs(after) <= DUST * abs(qty) and (lot == 0.0 or abs(after) < 0.5 * lot):
        after = 0.0
    trip["held"] = after
    return before, after


@jit
def fold_fill(f, trip, fill, lot):
    """Add a fill to its round trip, by the rules of `alphalab.research.results.round_trips`."""
    qty = fill["qty"]
    before, after = fold_change(trip, qty, lot)
    if before * after < 0.0:
        trip["realised"] += fill["realised"]
        close_trip(f, trip, fill["row"], fill["fee"] * (-before / qty))
        before = 0.0
        trip["fees"] = fill["fee"] * (after / qty)
        trip["realised"] = 0.0
        trip["entry_row"] = fill["row"]
        return
    if before == 0.0:
        trip["fees"] = 0.0
        trip["realised"] = 0.0
        trip["entry_row"] = fill["row"]
    trip["realised"] += fill["realised"]
    trip["fees"] += fill["fee"]
    if after == 0.0:
        close_trip(f, trip, fill["row"], 0.0)


@jit_late(VOID(COLUMN_TALLY, BOOKS))
def fold_logs(tally, books):
    """Fold all log entries into the tally, and empty the logs."""
    f = tally.figures
    counts = books.counts
    p = 0
    for i in range(counts[N_FILLS]):
        fill = books.fills[i]
        while p < counts[N_POSTINGS] and books.postings[p]["row"] <= fill["row"]:
            fold_posting(tally, books, books.postings[p])
            p += 1
        j = fill["asset"]
        fold_fill(f, tally.trips[j], fill, books.instruments[j]["lot"])
    for rest in range(p, counts[N_POSTINGS]):
        fold_posting(tally, books, books.postings[rest])
    fold_fills(tally.words, tally.fill_bits[: counts[N_FILLS]])
    f["n_fills"] += counts[N_FILLS]
    f["n_refusals"] += counts[N_REFUSALS]
    f["n_ambiguities"] += counts[N_AMBIGUITIES]
    for i in range(counts.size):
        counts[i] = 0


@jit
def fold_posting(tally, books, posting):
    """Add the units of a split or a reinvestment to the round trip.

    A posting with units on a flat trip is one on a holding of the first row: the fill that books
    the holding is in the same row, and opens the trip with these units.
    """
    kind = posting["kind"]
    if kind in (SPLIT, REINVESTMENT):
        j = posting["asset"]
        trip = tally.trips[j]
        if trip["held"] == 0.0:
            trip["total"] += posting["qty"]
        else:
            fold_change(trip, posting["qty"], books.instruments[j]["lot"])


@jit
def fold_account(tally, account):
    """Copy the totals that the account keeps."""
    f = tally.figures
    f["equity"] = account["equity"]
    f["fees"] = account["fees"]
    f["turnover"] = account["turnover"]
    f["carry"] = account["carry"]
