"""The step: everything that happens to one account on one row, in one order for all drivers.

    post_due      post splits, dividends, funding, costs of holding
    meet_bar      match live orders with the bar; a venue outside reports both instead
    mark          value positions at the close; liquidate a margin account if needed
    handle        process the requests of a `decide`
    gate          targets -> approved targets, or refusals
    rebalance     approved targets -> orders for the next row
    write         record the account

`docs/market.md` has the rules; `alphalab.kernels.market.drivers` pushes rows through the step.
"""

from __future__ import annotations

from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import row_of
from alphalab.kernels.market.exits import step_down
from alphalab.kernels.market.forced import close_delisted, forget_delisted, take_over
from alphalab.kernels.market.gate import gate
from alphalab.kernels.market.layout import (
    BARS,
    BOOKS,
    CLOSE_COLUMN,
    INT,
    LEDGER_ROW,
    SWITCHES,
    VOID,
)
from alphalab.kernels.market.liquidation import liquidate
from alphalab.kernels.market.matching import (
    expire_entries,
    give_room,
    meet_bar,
    meet_own_close,
    take_quotes,
)
from alphalab.kernels.market.money import SPOT, profit, unit_value
from alphalab.kernels.market.postings import post_due, take_rates, turn_tiers
from alphalab.kernels.market.rebalance import close_old, rebalance
from alphalab.types import NEVER

DAY_NS = 86_400_000_000_000


@jit
def day_of(time):
    """Return the UTC day of a row; a row that ends at midnight belongs to the day before."""
    return (time - 1) // DAY_NS


@jit
def begin_account(books, time):
    """Book the holdings at the start, before anything else happens in the account."""
    account = books.account
    if books.rules["starts"] == 1 and account["row"] == 0 and account["n_orders"] == 0:
        account["time"] = time
        take_over(books)


@jit
def turn_clock(books, time):
    """Set the time; on a new day, store the equity it begins with. Return the days that passed."""
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
    return days


@jit
def mark_asset(books, j, close):
    """Mark asset j at its close; return size, value and open profit of its position."""
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
    """Value every position at its last known close, and write the sums to the ledger row."""
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
    """Value every position at the row's closes; delisted assets lose their mark."""
    mark(books, bars[CLOSE_COLUMN, t], ledger)
    if on.delists:
        forget_delisted(books, bars, t)


@jit
def write(ledger, account, equity, value, gross, unrealised):
    """Write the account to its ledger row."""
    ledger["equity"] = equity
    ledger["cash"] = account["cash"]
    ledger["value"] = value
    ledger["gross"] = gross
    ledger["realised"] = account["realised"]
    ledger["unrealised"] = unrealised
    ledger["fees"] = account["fees"]
    ledger["turnover"] = account["turnover"]
    ledger["carry"] = account["carry"]


@jit_late(VOID(BOOKS, SWITCHES, BARS, INT, LEDGER_ROW))
def check_margin(books, on, bars, t, ledger):
    """Liquidate the account if its margin is too small."""
    row = row_of(bars, t)
    if liquidate(books, row):
        mark_row(books, on, bars, t, ledger)


@jit_late(VOID(BOOKS, SWITCHES, BARS, INT, LEDGER_ROW))
def fill_at_close(books, on, bars, t, ledger):
    """Fill the market orders decided on this row at its own close (`same_close`)."""
    meet_own_close(books, bars, t)
    mark_row(books, on, bars, t, ledger)


@jit
def be_venue(books, on, bars, t, days):
    """Do what the venue does with the account on a row: post what is due, and match its orders."""
    if on.posts:
        post_due(books, bars, t, days)
    if on.participates:
        give_room(books, bars, t)
    if books.account["waiting"] > 0:
        meet_bar(books, on, bars, t)
    elif on.quotes:
        take_quotes(books, bars, t)
    if on.delists:
        close_delisted(books, bars, t)


@jit_late(VOID(BOOKS, SWITCHES, BARS, INT))
def follow_venue(books, on, bars, t):
    """Take from a row what a venue outside does not report: rates, quotes, the age of entries."""
    if books.rules["converts"] == 1:
        take_rates(books, row_of(bars, t))
    if on.quotes:
        take_quotes(books, bars, t)
    if books.rules["entry_ttl"] > 0 and books.account["waiting"] > 0:
        expire_entries(books)


@jit
def before_decision(books, on, bars, t, time, ledger):
    """Process the row up to the decision: postings, fills, marks, margin."""
    begin_account(books, time)
    days = turn_clock(books, time)
    if on.external:
        follow_venue(books, on, bars, t)
    else:
        be_venue(books, on, bars, t, days)
    mark_row(books, on, bars, t, ledger)
    if on.margin and ledger["gross"] > 0.0 and not on.external:
        check_margin(books, on, bars, t, ledger)


@jit
def after_decision(books, on, bars, t, period, forced, targets, ledger):
    """Process the row from its targets on: gate, rebalancing, record."""
    if forced:
        targets[:] = 0.0
    else:
        gate(books, targets)
    if on.ages:
        step_down(books)
        close_old(books)
    rebalance(books, targets, forced, period)
    if on.same_close and books.account["waiting"] > 0:
        fill_at_close(books, on, bars, t, ledger)
    marked = ledger["value"], ledger["gross"], ledger["unrealised"]
    write(ledger, books.account, books.account["equity"], *marked)
    books.account["row"] += 1
