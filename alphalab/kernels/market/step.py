"""The step: what happens to one account in one row, in the order that every driver shares.

    post_due      splits, dividends, funding, costs of holding
    meet_bar      orders that wait meet the bar
    mark          positions are valued at the close; a margin account may be liquidated
    handle        what a `decide` asks for
    gate          targets -> approved targets, or refusals
    rebalance     approved targets -> orders that wait for the next row
    write         the account as it stands

`docs/market.md` says each rule; `alphalab.kernels.market.drivers` pushes rows through it.
"""

from __future__ import annotations

from alphalab.kernels._jit import jit, jit_apart
from alphalab.kernels.market.books import CLOSE_COLUMN, row_of
from alphalab.kernels.market.forced import close_delisted, forget_delisted, take_over
from alphalab.kernels.market.gate import gate
from alphalab.kernels.market.liquidation import liquidate
from alphalab.kernels.market.matching import give_room, meet_bar, meet_own_close, take_quotes
from alphalab.kernels.market.money import SPOT, profit, unit_value
from alphalab.kernels.market.postings import post_due, turn_tiers
from alphalab.kernels.market.rebalance import close_old, rebalance
from alphalab.types import NEVER

DAY_NS = 86_400_000_000_000


@jit
def day_of(time):
    """Return the UTC day that a row belongs to: one that ends at midnight, to the day that ends."""
    return (time - 1) // DAY_NS


@jit
def start_row(books, on, bars, t, time):
    """Move the clock, and post what is due. A new day remembers the equity it began with."""
    account = books.account
    account["time"] = time
    day = day_of(time)
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
def mark_asset(books, j, close):
    """Take in an asset's close; return the size of its position, what it adds, and its profit."""
    position = books.positions[j]
    if close == close:
        position["mark"] = close
    qty = position["qty"]
    if qty == 0.0:
        return 0.0, 0.0, 0.0
    instrument = books.instruments[j]
    gain = profit(instrument, position, qty, position["mark"])
    size = qty * unit_value(instrument, position["mark"], position["rate"])
    return size, size if instrument["kind"] == SPOT else gain, gain


@jit
def mark(books, close, ledger):
    """Value every position at its last known close, into the row's ledger record."""
    value = gross = unrealised = 0.0
    for j in range(close.size):
        size, worth, gain = mark_asset(books, j, close[j])
        value += worth
        gross += abs(size)
        unrealised += gain
    books.account["equity"] = books.account["cash"] + value
    ledger["value"] = value
    ledger["gross"] = gross
    ledger["unrealised"] = unrealised


@jit
def mark_row(books, on, bars, t, ledger):
    """Value every position at the row's closes; an asset whose listing ends loses its mark."""
    mark(books, bars[CLOSE_COLUMN, t], ledger)
    if on.delists:
        forget_delisted(books, bars, t)


@jit
def write(ledger, account, equity, value, gross, unrealised):
    """Write the account as it stands."""
    ledger["equity"] = equity
    ledger["cash"] = account["cash"]
    ledger["value"] = value
    ledger["gross"] = gross
    ledger["realised"] = account["realised"]
    ledger["unrealised"] = unrealised
    ledger["fees"] = account["fees"]
    ledger["turnover"] = account["turnover"]
    ledger["carry"] = account["carry"]


@jit_apart
def check_margin(books, on, bars, t, ledger):
    """Liquidate the account if its margin does not last."""
    row = row_of(bars, t)
    if liquidate(books, row):
        mark_row(books, on, bars, t, ledger)


@jit_apart
def fill_at_close(books, on, bars, t, ledger):
    """Fill what was decided on the row at its own close."""
    meet_own_close(books, bars, t)
    mark_row(books, on, bars, t, ledger)


@jit
def before_decision(books, on, bars, t, time, ledger):
    """Take the row up to the point where a strategy may look at it."""
    if books.rules["starts"] == 1 and books.account["row"] == 0:
        books.account["time"] = time
        take_over(books)
    start_row(books, on, bars, t, time)
    if on.participates:
        give_room(books, bars, t)
    if books.account["waiting"] > 0:
        meet_bar(books, on, bars, t)
    elif on.quotes:
        take_quotes(books, bars, t)
    if on.delists:
        close_delisted(books, bars, t)
    mark_row(books, on, bars, t, ledger)
    if on.margin and ledger["gross"] > 0.0:
        check_margin(books, on, bars, t, ledger)


@jit
def after_decision(books, on, bars, t, period, forced, targets, ledger):
    """Take the row from its targets to its record."""
    if forced:
        targets[:] = 0.0
    else:
        gate(books, targets)
    if on.ages:
        close_old(books)
    rebalance(books, targets, forced, period)
    if on.same_close and books.account["waiting"] > 0:
        fill_at_close(books, on, bars, t, ledger)
    marked = ledger["value"], ledger["gross"], ledger["unrealised"]
    write(ledger, books.account, books.account["equity"], *marked)
    books.account["row"] += 1
