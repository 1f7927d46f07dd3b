"""The step: what happens to one account in one row, in the order that every driver shares.

    post_due      splits, dividends, funding, costs of holding
    meet_bar      orders that wait meet the bar
    mark          positions are valued at the close; a margin account may be liquidated
    handle        what a `decide` asks for
    gate          targets -> approved targets, or refusals
    rebalance     approved targets -> orders that wait for the next row
    record        the account as it stands

`docs/market.md` says each rule. `run_weights` and `run_decide` push a block of rows through it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import float64, int64

from alphalab.kernels._jit import CACHE_DIR, jit, jit_allocating, jit_apart
from alphalab.kernels.books import (
    CLOSE_COLUMN,
    Books,
    fullest,
    logs_have_room,
    row_of,
    switches,
)
from alphalab.kernels.gate import forced_flat, gate
from alphalab.kernels.identity import identity
from alphalab.kernels.liquidation import liquidate
from alphalab.kernels.matching import AT_CLOSE, ON_THE_WAY, give_room, meet_bar
from alphalab.kernels.money import SPOT, profit, unit_value
from alphalab.kernels.orders import N_LOST, N_REQUESTS
from alphalab.kernels.postings import post_due, turn_tiers
from alphalab.kernels.rebalance import close_old, rebalance
from alphalab.kernels.requests import cancel_opening, handle
from alphalab.kernels.table import FIRST_EXPLICIT
from alphalab.types import (
    ACCOUNT,
    AMBIGUITY,
    EVENT,
    FILL,
    INSTRUMENT,
    LEDGER,
    NEVER,
    ORDER,
    POSITION,
    POSTED,
    REFUSAL,
    REQUEST,
    RULES,
    TIER,
)

DAY_NS = 86_400_000_000_000

Account = namedtuple(
    "Account", "row time cash equity drawdown positions orders n_orders requests sent"
)
Account.__doc__ = """What a compiled `decide` sees of the account, marked at the row's close.

`row`, `time` (ns UTC), `cash`, `equity`, `drawdown` (fraction of the peak), `positions`: one record
per asset with `qty`, `mark`, `entry_price`, `entry_row`, `target` and the rest of
`alphalab.types.POSITION`, and `orders`: the order table, records of `alphalab.types.ORDER` of shape
(N, places): place 0 is the target's, 1 to 3 are the exits' stop, target and trailing stop, the
others are those of `decide`. The rest is for the functions of `alphalab.kernels.orders`.
"""


@jit
def start_row(books, on, bars, t, time):
    """Move the clock, and post what is due.

    A row that ends at midnight belongs to the day that ends. A new UTC day remembers the equity it
    began with.
    """
    account = books.account
    account["time"] = time
    day = (time - 1) // DAY_NS
    days = 0
    if day != account["day"]:
        if account["day"] != NEVER:
            days = day - account["day"]
            if books.tiers.size > 0:
                turn_tiers(books, days)
        account["day"] = day
        account["day_equity"] = account["equity"]
    if on.posts:
        post_due(books, bars, t, days)


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
            instrument = books.instruments[j]
            gain = profit(instrument, position, qty, position["mark"])
            worth = qty * unit_value(instrument, position["mark"], position["rate"])
            value += worth if instrument["kind"] == SPOT else gain
            gross += abs(worth)
            unrealised += gain
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
    ledger["carry"] = account["carry"]
    for j in range(qty.size):
        qty[j] = books.positions[j]["qty"]


@jit_apart
def check_margin(books, bars, t, ledger):
    """Liquidate the account if its margin does not last."""
    row = row_of(bars, t)
    if liquidate(books, row):
        mark(books, row.close, ledger)


@jit_apart
def fill_at_close(books, bars, t, ledger):
    """Fill what was decided on the row at its own close."""
    meet_bar(books, bars, t, AT_CLOSE)
    mark(books, bars[CLOSE_COLUMN, t], ledger)


@jit
def before_decision(books, on, bars, t, time, ledger):
    """Take the row up to the point where a strategy may look at it."""
    start_row(books, on, bars, t, time)
    if on.participates:
        give_room(books, bars, t)
    if books.account["waiting"] > 0:
        meet_bar(books, bars, t, ON_THE_WAY)
    mark(books, bars[CLOSE_COLUMN, t], ledger)
    if on.margin and ledger["gross"] > 0.0:
        check_margin(books, bars, t, ledger)


@jit
def after_decision(books, on, bars, t, period, forced, targets, ledger, qty):
    """Take the row from its targets to its record."""
    if forced:
        targets[:] = 0.0
    else:
        gate(books, targets)
    if on.ages:
        close_old(books)
    rebalance(books, targets, forced, period)
    if on.same_close and books.account["waiting"] > 0:
        fill_at_close(books, bars, t, ledger)
    record(books, ledger, qty)
    books.account["row"] += 1


# The drivers take flat arguments, because arrays are quickly passed from Python and tuples are not:
# the books (`rules` and `accounts` as arrays of one), the rows, what is recorded of them, and which
# of the rows to push. They return the row to go on from: all done, or a log is full.


def _run_weights(
    rules, tiers, instruments, groups, accounts, positions, orders, traded,
    fills, refusals, events, postings, ambiguities, counts,
    saved_account, saved_position, saved_orders, saved_traded,
    time, period, bars, targets, ledger, qty, first, last,
):  # fmt: skip
    """Push rows whose targets are known."""
    books = Books(
        rules[0], tiers, instruments, groups, accounts, accounts[0], positions, orders, traded,
        fills, refusals, events, postings, ambiguities, counts,
        saved_account, saved_position, saved_orders, saved_traded,
    )  # fmt: skip
    on = switches(rules[0])
    most = fullest(books, 0)
    for t in range(first, last):
        if not logs_have_room(counts, most):
            return t
        before_decision(books, on, bars, t, time[t], ledger[t])
        forced = forced_flat(books)
        after_decision(books, on, bars, t, period[t], forced, targets[t], ledger[t], qty[t])
    return last


def _run_decide(
    rules, tiers, instruments, groups, accounts, positions, orders, traded,
    fills, refusals, events, postings, ambiguities, counts,
    saved_account, saved_position, saved_orders, saved_traded,
    time, period, bars, targets, ledger, qty, first, last,
    signals, memory, seen, seen_orders, requests, sent, decide,
):  # fmt: skip
    """Push rows whose targets `decide` computes from `signals` (R, K, N) and the account.

    It is shown copies of the positions and the orders: what it writes there changes nothing.
    """
    books = Books(
        rules[0], tiers, instruments, groups, accounts, accounts[0], positions, orders, traded,
        fills, refusals, events, postings, ambiguities, counts,
        saved_account, saved_position, saved_orders, saved_traded,
    )  # fmt: skip
    a = books.account
    sends = orders.shape[1] > FIRST_EXPLICIT
    on = switches(rules[0])
    most = fullest(books, requests.size)
    for t in range(first, last):
        if not logs_have_room(counts, most):
            return t
        before_decision(books, on, bars, t, time[t], ledger[t])
        drawdown = 1.0 - a["equity"] / max(a["peak"], a["equity"])
        seen[:] = positions
        sent[:] = 0
        if sends:
            seen_orders[:] = orders
        view = Account(
            *(a["row"], time[t], a["cash"], a["equity"], drawdown),
            *(seen, seen_orders, a["n_orders"], requests, sent),
        )
        weights = decide(signals[t], view, memory)
        if weights.size != positions.size:
            raise ValueError("it did not return one weight per asset")
        targets[t] = weights
        forced = forced_flat(books)
        if forced and sends:
            cancel_opening(books)
        if sent[N_REQUESTS] > 0 or sent[N_LOST] > 0:
            handle(books, requests, sent, forced)
        after_decision(books, on, bars, t, period[t], forced, targets[t], ledger[t], qty[t])
    return last


def _records(dtype, ndim=1):
    return numba.types.Array(numba.from_dtype(dtype), ndim, "C")


_TABLE = float64[:, ::1]
_COUNTS = int64[::1]
_VIEW = numba.types.NamedTuple(
    [
        *(int64, int64, float64, float64, float64),
        *(_records(POSITION), _records(ORDER, 2), int64, _records(REQUEST), _COUNTS),
    ],
    Account,
)
_WEIGHTS = (
    *(_records(RULES), _records(TIER), _records(INSTRUMENT), _COUNTS),
    *(_records(ACCOUNT), _records(POSITION), _records(ORDER, 2), float64[::1]),
    *(_records(FILL), _records(REFUSAL), _records(EVENT), _records(POSTED)),
    *(_records(AMBIGUITY), _COUNTS),
    *(_records(ACCOUNT), _records(POSITION), _records(ORDER), float64[::1]),
    *(_COUNTS, _COUNTS, float64[:, :, ::1], _TABLE, _records(LEDGER), _TABLE, int64, int64),
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
    more = (float64[:, :, ::1], _TABLE, _records(POSITION), _records(ORDER, 2), _records(REQUEST))
    return jit_allocating(_run_decide, int64(*_WEIGHTS, *more, _COUNTS, decide))


def compile_decide(function: Callable[..., Any]) -> Any:
    """Compile a strategy's `decide` to the one type that the step takes, its indices checked."""
    # Kept under its identity: it may name what stands in other files than its own.
    folder = CACHE_DIR / identity(function)
    return jit(function, DECIDE, allocates=True, boundscheck=True, folder=folder)
