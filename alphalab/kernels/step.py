"""The step: what happens to one account in one row, in the order that every driver shares.

    fill_orders   orders that wait meet the row's price
    mark          positions are valued at the close
    gate          targets -> approved targets, or refusals
    rebalance     approved targets -> orders that wait for the next row
    record        the account as it stands

`run_weights` and `run_decide` push a block of rows through it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import float64, int64

from alphalab.kernels._jit import CACHE_DIR, jit, jit_allocating
from alphalab.kernels.books import N_FILLS, N_REFUSALS, NEXT_OPEN, SAME_CLOSE, Books
from alphalab.kernels.fills import fill_orders
from alphalab.kernels.gate import gate
from alphalab.kernels.identity import identity
from alphalab.kernels.rebalance import rebalance
from alphalab.types import ACCOUNT, FILL, INSTRUMENT, LEDGER, POSITION, REFUSAL, RULES

DAY_NS = 86_400_000_000_000

Account = namedtuple("Account", ["row", "time", "cash", "equity", "drawdown", "positions"])
Account.__doc__ = """What a compiled `decide` sees of the account, marked at the row's close.

`row`, `time` (ns UTC), `cash`, `equity`, `drawdown` (fraction of the peak), and `positions`: one
record per asset with `qty`, `mark`, `entry_price`, `entry_row`, `target` and the rest of
`alphalab.types.POSITION`.
"""


@jit
def start_row(account, time):
    """Move the clock; a new UTC day remembers the equity it began with.

    A row that ends at midnight belongs to the day that ends.
    """
    account["time"] = time
    day = (time - 1) // DAY_NS
    if day != account["day"]:
        account["day"] = day
        account["day_equity"] = account["equity"]


@jit
def mark(books, close, ledger):
    """Value every position at its last known close, into the row's ledger record."""
    value = 0.0
    gross = 0.0
    unrealised = 0.0
    for j in range(close.size):
        position = books.positions[j]
        if close[j] == close[j]:
            position["mark"] = close[j]
        qty = position["qty"]
        if qty != 0.0:
            multiplier = books.instruments[j]["multiplier"]
            worth = qty * position["mark"] * multiplier
            value += worth
            gross += abs(worth)
            unrealised += qty * (position["mark"] - position["entry_price"]) * multiplier
    books.account["equity"] = books.account["cash"] + value
    ledger["value"] = value
    ledger["gross"] = gross
    ledger["unrealised"] = unrealised


@jit
def record(books, ledger, qty):
    """Write the account as it stands."""
    account = books.account
    ledger["equity"] = account["equity"]
    ledger["cash"] = account["cash"]
    ledger["realised"] = account["realised"]
    ledger["fees"] = account["fees"]
    ledger["turnover"] = account["turnover"]
    for j in range(qty.size):
        qty[j] = books.positions[j]["qty"]


@jit
def before_decision(books, time, open_, close, ledger):
    """Take the row up to the point where a strategy may look at it."""
    start_row(books.account, time)
    if books.account["waiting"] > 0:
        fill_orders(books, open_ if books.rules["fill"] == NEXT_OPEN else close)
    mark(books, close, ledger)


@jit
def after_decision(books, period, close, targets, ledger, qty):
    """Take the row from its targets to its record."""
    forced = gate(books, targets)
    rebalance(books, targets, forced, period)
    if books.rules["fill"] == SAME_CLOSE and books.account["waiting"] > 0:
        fill_orders(books, close)
        mark(books, close, ledger)
    record(books, ledger, qty)
    books.account["row"] += 1


@jit
def logs_have_room(books):
    """Tell whether the logs can take whatever one row may write."""
    n_assets = books.positions.size
    return (
        books.fills.size - books.counts[N_FILLS] >= 2 * n_assets
        and books.refusals.size - books.counts[N_REFUSALS] >= 7 * n_assets + 4
    )


# The drivers take flat arguments, because arrays are quickly passed from Python and tuples are not:
# the books (`rules` and `account` as arrays of one), the rows, what is recorded of them, and the
# first row to push. They return the row to go on from: all done, or a log is full.


def _run_weights(
    rules, instruments, groups, account, positions, fills, refusals, counts,
    time, period, open_, close, targets, ledger, qty, first,
):  # fmt: skip
    """Push rows whose targets are known."""
    books = Books(
        rules[0], instruments, groups, account[0], positions, fills, refusals, counts
    )  # fmt: skip
    for t in range(first, time.size):
        if not logs_have_room(books):
            return t
        before_decision(books, time[t], open_[t], close[t], ledger[t])
        after_decision(books, period[t], close[t], targets[t], ledger[t], qty[t])
    return time.size


def _run_decide(
    rules, instruments, groups, account, positions, fills, refusals, counts,
    time, period, open_, close, targets, ledger, qty, first, signals, memory, seen, decide,
):  # fmt: skip
    """Push rows whose targets `decide` computes from `signals` (R, K, N) and the account.

    It is shown a copy of the positions, `seen`: what it writes there changes nothing.
    """
    books = Books(
        rules[0], instruments, groups, account[0], positions, fills, refusals, counts
    )  # fmt: skip
    a = books.account
    for t in range(first, time.size):
        if not logs_have_room(books):
            return t
        before_decision(books, time[t], open_[t], close[t], ledger[t])
        drawdown = 1.0 - a["equity"] / max(a["peak"], a["equity"])
        seen[:] = positions
        view = Account(a["row"], time[t], a["cash"], a["equity"], drawdown, seen)
        weights = decide(signals[t], view, memory)
        if weights.size != positions.size:
            raise ValueError("it did not return one weight per asset")
        targets[t] = weights
        after_decision(books, period[t], close[t], targets[t], ledger[t], qty[t])
    return time.size


def _records(dtype):
    return numba.types.Array(numba.from_dtype(dtype), 1, "C")


_TABLE = float64[:, ::1]
_VIEW = numba.types.NamedTuple(
    [int64, int64, float64, float64, float64, _records(POSITION)], Account
)
_WEIGHTS = (
    *(_records(RULES), _records(INSTRUMENT), int64[::1], _records(ACCOUNT), _records(POSITION)),
    *(_records(FILL), _records(REFUSAL), int64[::1]),
    *(int64[::1], int64[::1], _TABLE, _TABLE, _TABLE, _records(LEDGER), _TABLE, int64),
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
    signature = int64(*_WEIGHTS, float64[:, :, ::1], _TABLE, _records(POSITION), decide)
    return jit_allocating(_run_decide, signature)


def compile_decide(function: Callable[..., Any]) -> Any:
    """Compile a strategy's `decide` to the one type that the step takes, its indices checked."""
    # Kept under its identity: it may name what stands in other files than its own.
    folder = CACHE_DIR / identity(function)
    return jit(function, DECIDE, allocates=True, boundscheck=True, folder=folder)
