"""Rows through the step: the two drivers that every way of running a strategy shares.

They push a block of rows for one column after the other. A column is an account of its own, with
rules of its own; all see the same bars. What is kept of it is one of two: every row and every log
entry (then there is one column, and Python takes over the logs when they are full), or its tally.

Flat arguments, because arrays are quickly passed from Python and tuples are not. The first axis of
everything that belongs to columns is the column. They return the row to go on from: the last, or
the one before which a log is full.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import boolean, float64, int64, uint64

from alphalab.kernels._jit import CACHE_DIR, jit, jit_allocating
from alphalab.kernels.identity import identity
from alphalab.kernels.market.books import (
    N_FILLS,
    N_POSTINGS,
    Books,
    fullest,
    logs_have_room,
    switches,
)
from alphalab.kernels.market.gate import forced_flat
from alphalab.kernels.market.order_table import FIRST_EXPLICIT
from alphalab.kernels.market.orders import N_LOST, N_REQUESTS
from alphalab.kernels.market.quiet_rows import rest
from alphalab.kernels.market.requests import cancel_opening, handle
from alphalab.kernels.market.step import after_decision, before_decision
from alphalab.kernels.market.tally import Tally, fold_account, fold_logs, keep_row
from alphalab.types import (
    ACCOUNT,
    AMBIGUITY,
    EVENT,
    FILL,
    INSTRUMENT,
    LEDGER,
    ORDER,
    POSITION,
    POSTED,
    REFUSAL,
    REQUEST,
    RULES,
    START,
    TALLY,
    TIER,
    TRIP_SO_FAR,
)

Account = namedtuple(
    "Account", "row time cash equity drawdown positions orders n_orders requests sent"
)
Account.__doc__ = """What a compiled `decide` sees of the account, marked at the row's close.

`row`, `time` (ns UTC), `cash`, `equity`, `drawdown` (fraction of the peak), `positions`: one record
per asset with `qty`, `mark`, `entry_price`, `entry_row`, `target` and the rest of
`alphalab.types.POSITION`, and `orders`: the order table, records of `alphalab.types.ORDER` of shape
(N, places): place 0 is the target's, 1 to 3 are the exits' stop, target and trailing stop, the
others are those of `decide`. The rest is for the functions of `alphalab.kernels.market.orders`.
"""


@jit
def keep(books, tally, recording, ledger, qty, changes):
    """Keep a row that the step has taken to its end."""
    if recording:
        for j in range(qty.size):
            qty[j] = books.positions[j]["qty"]
    else:
        changed = books.counts[N_FILLS] + books.counts[N_POSTINGS] > changes
        keep_row(tally, books, ledger, changed)


def _run_weights(
    rules, tiers, instruments, groups, starts, accounts, positions, orders, traded,
    fills, refusals, events, postings, ambiguities, counts,
    saved_account, saved_position, saved_orders, saved_traded,
    figures, equity, equity_bits, scratch, trips, trip_bits, fill_bits, words,
    time, period, bars, targets, recording, ledger, qty, first, last,
):  # fmt: skip
    """Push rows whose targets are known."""
    for c in range(accounts.size):
        books = Books(
            rules[c], tiers[c], instruments[c], groups[c], starts[c],
            accounts[c : c + 1], accounts[c], positions[c], orders[c], traded[c],
            fills, refusals, events, postings, ambiguities, counts,
            saved_account, saved_position, saved_orders, saved_traded,
        )  # fmt: skip
        tally = Tally(
            figures[c], equity[c], equity_bits[c], scratch[0], scratch[1], scratch[2],
            trips[c], trip_bits[c], fill_bits, words[c],
        )  # fmt: skip
        on = switches(books)
        most = fullest(books, 0)
        cells = targets[c].reshape(targets[c].size)
        t = first
        while t < last:
            if on.rests:
                kept = recording, ledger[c], qty[c], tally
                t = rest(books, bars, time, targets[c], cells, t, last, *kept)
                if t == last:
                    break
            if not logs_have_room(counts, most):
                if recording:
                    return t
                fold_logs(tally, books)
            row = ledger[c, t if recording else 0]
            changes = counts[N_FILLS] + counts[N_POSTINGS]
            before_decision(books, on, bars, t, time[t], row)
            forced = forced_flat(books)
            after_decision(books, on, bars, t, period[t], forced, targets[c, t], row)
            keep(books, tally, recording, row, qty[c, t if recording else 0], changes)
            t += 1
        if not recording:
            fold_logs(tally, books)
            fold_account(tally, books.account)
    return last


def _run_decide(
    rules, tiers, instruments, groups, starts, accounts, positions, orders, traded,
    fills, refusals, events, postings, ambiguities, counts,
    saved_account, saved_position, saved_orders, saved_traded,
    figures, equity, equity_bits, scratch, trips, trip_bits, fill_bits, words,
    time, period, bars, targets, recording, ledger, qty, first, last,
    signals, memory, seen, seen_orders, requests, sent, decide,
):  # fmt: skip
    """Push rows whose targets `decide` computes from `signals` (C, R, K, N) and the account.

    It is shown copies of the positions and the orders: what it writes there changes nothing.
    """
    sends = orders.shape[2] > FIRST_EXPLICIT
    for c in range(accounts.size):
        books = Books(
            rules[c], tiers[c], instruments[c], groups[c], starts[c],
            accounts[c : c + 1], accounts[c], positions[c], orders[c], traded[c],
            fills, refusals, events, postings, ambiguities, counts,
            saved_account, saved_position, saved_orders, saved_traded,
        )  # fmt: skip
        tally = Tally(
            figures[c], equity[c], equity_bits[c], scratch[0], scratch[1], scratch[2],
            trips[c], trip_bits[c], fill_bits, words[c],
        )  # fmt: skip
        a = books.account
        on = switches(books)
        most = fullest(books, requests.size)
        for t in range(first, last):
            if not logs_have_room(counts, most):
                if recording:
                    return t
                fold_logs(tally, books)
            row = ledger[c, t if recording else 0]
            changes = counts[N_FILLS] + counts[N_POSTINGS]
            before_decision(books, on, bars, t, time[t], row)
            drawdown = 1.0 - a["equity"] / max(a["peak"], a["equity"])
            seen[:] = positions[c]
            sent[:] = 0
            if sends:
                seen_orders[:] = orders[c]
            view = Account(
                *(a["row"], time[t], a["cash"], a["equity"], drawdown),
                *(seen, seen_orders, a["n_orders"], requests, sent),
            )
            weights = decide(signals[c, t], view, memory[c])
            if weights.size != seen.size:
                raise ValueError("it did not return one weight per asset")
            targets[c, t] = weights
            forced = forced_flat(books)
            if forced and sends:
                cancel_opening(books)
            if sent[N_REQUESTS] > 0 or sent[N_LOST] > 0:
                handle(books, requests, sent, forced)
            after_decision(books, on, bars, t, period[t], forced, targets[c, t], row)
            keep(books, tally, recording, row, qty[c, t if recording else 0], changes)
        if not recording:
            fold_logs(tally, books)
            fold_account(tally, a)
    return last


def _records(dtype, ndim=1):
    return numba.types.Array(numba.from_dtype(dtype), ndim, "C")


def _array(kind, ndim):
    return numba.types.Array(kind, ndim, "C")


_TABLE = _array(float64, 2)
_COUNTS = _array(int64, 1)
_VIEW = numba.types.NamedTuple(
    [
        *(int64, int64, float64, float64, float64),
        *(_records(POSITION), _records(ORDER, 2), int64, _records(REQUEST), _COUNTS),
    ],
    Account,
)
_COLUMNS = (
    *(_records(RULES), _records(TIER, 2), _records(INSTRUMENT, 2), _array(int64, 2)),
    _records(START, 2),
    *(_records(ACCOUNT), _records(POSITION, 2), _records(ORDER, 3), _TABLE),
)
_LOGS = (
    *(_records(FILL), _records(REFUSAL), _records(EVENT), _records(POSTED)),
    *(_records(AMBIGUITY), _COUNTS),
)
_SAVED = (_records(ACCOUNT), _records(POSITION), _records(ORDER), _array(float64, 1))
_TALLIES = (
    *(_records(TALLY), _TABLE, _array(uint64, 2), _TABLE, _records(TRIP_SO_FAR, 2)),
    *(_array(uint64, 3), _array(uint64, 2), _array(uint64, 2)),
)
_ROWS = (
    *(_COUNTS, _COUNTS, _array(float64, 3), _array(float64, 3)),
    *(boolean, _records(LEDGER, 2), _array(float64, 3), int64, int64),
)
_WEIGHTS = (*_COLUMNS, *_LOGS, *_SAVED, *_TALLIES, *_ROWS)
_DECIDE = (
    *(_array(float64, 4), _array(float64, 3)),
    *(_records(POSITION), _records(ORDER, 2), _records(REQUEST), _COUNTS),
)

#: decide(signals (K, N), account, memory (M, N)) -> targets (N,)
DECIDE = float64[::1](_TABLE, _VIEW, _TABLE)


@cache
def run_weights():
    """Return the compiled driver for known targets."""
    return jit(_run_weights, int64(*_WEIGHTS))


@cache
def run_decide():
    """Return the compiled driver for strategies with a `decide`."""
    decide = numba.types.FunctionType(DECIDE)
    return jit_allocating(_run_decide, int64(*_WEIGHTS, *_DECIDE, decide))


def compile_decide(function: Callable[..., Any]) -> Any:
    """Compile a strategy's `decide` to the one type that the step takes, its indices checked."""
    # Kept under its identity: it may name what stands in other files than its own.
    folder = CACHE_DIR / identity(function)
    return jit(function, DECIDE, allocates=True, boundscheck=True, folder=folder)
