"""The driver: it pushes rows through the step, for every way of running a strategy.

It pushes a block of rows for one column after the other. Each column is an account with its own
rules; all columns see the same bars. A run of one column records every row and log entry, and
Python empties the logs when they are full. A sweep keeps the tally of each column instead.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import boolean, float64, int64

from alphalab.kernels._jit import CACHE_DIR, DISABLED, jit, jit_late, jit_pointer
from alphalab.kernels._reference import by_reference
from alphalab.kernels.market.arguments import COLUMNS, OUTPUT, ROWS, WORKSPACE
from alphalab.kernels.market.books import (
    N_FILLS,
    N_POSTINGS,
    fullest,
    logs_have_room,
    switches,
)
from alphalab.kernels.market.exits import take_distances
from alphalab.kernels.market.gate import forced_flat
from alphalab.kernels.market.layout import INT, TABLE, TARGETS, VOID, Books, Tally
from alphalab.kernels.market.order_table import FIRST_EXPLICIT
from alphalab.kernels.market.orders import N_LOST, N_REQUESTS
from alphalab.kernels.market.quiet_rows import rest
from alphalab.kernels.market.requests import cancel_opening, handle
from alphalab.kernels.market.step import after_decision, before_decision
from alphalab.kernels.market.tally import fold_account, fold_logs, keep_row
from alphalab.types import ORDER, POSITION, REQUEST

Account = namedtuple(
    "Account", "row time cash equity drawdown positions orders n_orders requests sent"
)
Account.__doc__ = """The account as a compiled `decide` sees it, marked at the row's close.

`row`, `time` (ns UTC), `cash`, `equity`, `drawdown` (fraction of the peak), `positions`: one record
per asset with `qty`, `mark`, `entry_price`, `entry_row`, `target` and the rest of
`alphalab.types.POSITION`, and `orders`: the order table, records of `alphalab.types.ORDER` of shape
(N, places): place 0 holds the order of the target, places 1 to 3 the stop, take-profit and trailing
stop of the exits, the others the orders of `decide`. The functions of
`alphalab.kernels.market.orders` use the remaining fields.
"""


def _records(dtype, ndim=1):
    return numba.types.Array(numba.from_dtype(dtype), ndim, "C")


_COUNTS = numba.types.Array(int64, 1, "C")
_VIEW = numba.types.NamedTuple(
    [
        *(int64, int64, float64, float64, float64),
        *(_records(POSITION), _records(ORDER, 2), int64, _records(REQUEST), _COUNTS),
    ],
    Account,
)

#: decide(signals (K, N), account, memory (M, N)) -> targets (N,)
DECIDE = float64[::1](TABLE, _VIEW, TABLE)


@jit
def show(books, view):
    """Copy positions and orders for a `decide`, so that its writes change nothing."""
    for j in range(books.positions.size):
        view.positions[j] = books.positions[j]
    if books.orders.shape[1] > FIRST_EXPLICIT:
        for j in range(books.orders.shape[0]):
            for k in range(books.orders.shape[1]):
                view.orders[j, k] = books.orders[j, k]
    for i in range(view.sent.size):
        view.sent[i] = 0


@jit_pointer(DECIDE)
def decided(decide, signals, view, memory):
    """Return the weights of the `decide` at an address."""
    return decide(signals, view, memory)


@jit_late(VOID(INT, TABLE, _VIEW, TABLE, TARGETS), allocates=True)
def ask(decide, signals, view, memory, targets):
    """Write the weights that `decide` returns into `targets`."""
    weights = decided(decide, signals, view, memory)
    if weights.size != targets.size:
        raise ValueError("it did not return one weight per asset")
    for j in range(targets.size):
        targets[j] = weights[j]


@jit
def take_requests(books, requests, sent, forced):
    """Process the requests of a `decide`; if forced flat, cancel orders that may open first."""
    if forced and books.orders.shape[1] > FIRST_EXPLICIT:
        cancel_opening(books)
    if sent[N_REQUESTS] > 0 or sent[N_LOST] > 0:
        handle(books, requests, sent, forced)


@jit
def keep(books, tally, recording, ledger, qty, changes):
    """Record the units held after a row, or add the row to the tally."""
    if recording:
        for j in range(qty.size):
            qty[j] = books.positions[j]["qty"]
    else:
        changed = books.counts[N_FILLS] + books.counts[N_POSTINGS] > changes
        keep_row(tally, books, ledger, changed)


def _run(columns, work, rows, output, recording, first, last, decide):
    """Push the rows from `first` to `last` (excluded); return the next row to push.

    That is `last`, or the first row for which a log has no room. `decide` is from `entry_of`, or 0:
    then the targets are read from `output.targets`.
    """
    asks = decide != 0
    for c in range(columns.accounts.size):
        books = by_reference(Books(
            columns.rules[c], columns.tiers[c], columns.ladder[c],
            columns.instruments[c], columns.groups[c], columns.starts[c],
            columns.accounts[c : c + 1], columns.accounts[c],
            columns.positions[c], columns.orders[c], columns.traded[c],
            work.fills, work.refusals, work.events, work.postings, work.ambiguities, work.counts,
            work.saved_account, work.saved_position, work.saved_orders, work.saved_traded,
        ))  # fmt: skip
        tally = by_reference(Tally(
            columns.figures[c], columns.equity[c], columns.equity_bits[c],
            work.value, work.gross, work.gain,
            columns.trips[c], columns.trip_bits[c], work.fill_bits, columns.words[c],
            columns.segments[c], work.bounds,
        ))  # fmt: skip
        a, counts = books.account, books.counts
        on = switches(books, rows.delists[0] == 1)
        most = fullest(books, work.requests.size if asks else 0)
        targets = output.targets[c]
        cells = targets.reshape(targets.size)
        t = first
        while t < last:
            if on.rests and not asks:
                kept = recording, output.ledger[c], output.qty[c], tally
                t = rest(books, rows.bars, rows.time, targets, cells, t, last, *kept)
                if t == last:
                    break
            if not logs_have_room(counts, most):
                if recording:
                    return t
                fold_logs(tally, books)
            place = t if recording else 0
            row = output.ledger[c, place]
            changes = counts[N_FILLS] + counts[N_POSTINGS]
            before_decision(books, on, rows.bars, t, rows.time[t], row)
            if on.measures:
                take_distances(books, rows.distances[c, t])
            if asks:
                view = Account(
                    *(a["row"], rows.time[t], a["cash"], a["equity"]),
                    1.0 - a["equity"] / max(a["peak"], a["equity"]),
                    *(work.seen, work.seen_orders, a["n_orders"], work.requests, work.sent),
                )
                signals, memory = rows.signals[c, t], columns.memory[c]
                show(books, view)
                ask(decide, signals, view, memory, targets[t])
            forced = forced_flat(books)
            if asks:
                take_requests(books, work.requests, work.sent, forced)
            after_decision(books, on, rows.bars, t, rows.period[t], forced, targets[t], row)
            keep(books, tally, recording, row, output.qty[c, place], changes)
            t += 1
        if not recording:
            fold_logs(tally, books)
            fold_account(tally, a)
    return last


@cache
def run() -> Any:
    """Return the compiled driver.

    It is the entry point of the machine code, which checks no argument: pack them by their groups
    (`alphalab.kernels.market.arguments`).
    """
    groups = COLUMNS.type, WORKSPACE.type, ROWS.type, OUTPUT.type
    driver = jit(_run, int64(*groups, boolean, int64, int64, int64))
    if DISABLED:
        return driver
    (overload,) = driver.overloads.values()
    return overload.entry_point


def compile_decide(function: Callable[..., Any], identity: str) -> Any:
    """Compile a strategy's `decide` to the one type that the step takes, its indices checked.

    `identity` is the hash of the function and of all that it names; it names the cache folder.
    Numba would not notice a change in another file that the function reads from.
    """
    folder = CACHE_DIR / identity
    return jit(function, DECIDE, allocates=True, boundscheck=True, folder=folder)
