"""Matching of orders with a bar: at its open, on the path inside it, at its close."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OnExpiry, OrderStatus, Origin, Path, Reason, TimeInForce
from alphalab.kernels._jit import jit, jit_apart, jit_late
from alphalab.kernels.market.books import (
    ACTIVE,
    FREE,
    N_AMBIGUITIES,
    N_EVENTS,
    N_FILLS,
    N_POSTINGS,
    N_REFUSALS,
    NO_REASON,
    ROUNDING,
    SUBMITTED,
    leave_due,
    refuse,
    refuse_once,
    row_of,
    tell,
)
from alphalab.kernels.market.fills import execute
from alphalab.kernels.market.layout import BARS, BOOKS, INT, SWITCHES, VOID
from alphalab.kernels.market.money import value_at
from alphalab.kernels.market.order_table import (
    FIRST_EXPLICIT,
    activate,
    end,
    follow,
    free,
    trailing_level,
)
from alphalab.kernels.market.order_types import (
    AT_CLOSE,
    AT_OPEN,
    AT_OWN_CLOSE,
    MARKET,
    NEXT_CLOSE,
    TRAILING,
    by_market,
    is_untriggered,
    met_at,
    reached,
    rests,
    takes_part,
)

PESSIMISTIC, OPTIMISTIC, OHLC = (np.int64(x) for x in Path)
GTC, DAY, IOC, FOK, GTD = (np.int64(x) for x in TimeInForce)
GIVE_UP, BY_MARKET = np.int64(OnExpiry.GIVE_UP), np.int64(OnExpiry.MARKET)
TARGET = np.int64(Origin.TARGET)
TRIGGERED, CANCELLED = np.int64(OrderStatus.TRIGGERED), np.int64(OrderStatus.CANCELLED)
EXPIRED, REFUSED = np.int64(OrderStatus.EXPIRED), np.int64(OrderStatus.REFUSED)
POST_ONLY = np.int64(Reason.POST_ONLY)
FILL_OR_KILL, IMMEDIATE = np.int64(Reason.FILL_OR_KILL), np.int64(Reason.IMMEDIATE_OR_CANCEL)

LOW_FIRST, HIGH_FIRST = np.int64(0), np.int64(1)
TAKER = np.bool_(False)
WITHIN = np.bool_(False)  # a price equal to the level reaches it
NO_ORDER = np.int64(0)  # smaller than every order id


@jit
def turn_to_target(books, j, o):
    """Leave the target of an unfilled entry order unmet, to requote or go by market order."""
    if o["origin"] == TARGET and books.rules["entry_then"] != GIVE_UP:
        position = books.positions[j]
        leave_due(position)
        position["chase"] = 1 if books.rules["entry_then"] == BY_MARKET else 0


@jit
def refuse_taker(books, j, o):
    """Refuse a post-only order that would trade at once."""
    turn_to_target(books, j, o)
    if o["origin"] != TARGET:
        refuse(books, j, POST_ONLY, o["limit"], 0.0)
    elif not refuse_once(books, j, POST_ONLY, o["limit"]):
        free(books, o)
        return
    end(books, j, o, REFUSED, POST_ONLY)


@jit
def begin(books):
    """Expire orders whose time is over, and activate those that reach the venue on this row."""
    account = books.account
    for j in range(books.orders.shape[0]):
        for k in range(books.orders.shape[1]):
            o = books.orders[j, k]
            state = o["state"]
            if state != SUBMITTED and state != ACTIVE:
                continue
            if account["time"] > o["until_time"] or (
                o["tif"] == DAY and state == ACTIVE and account["day"] > o["day"]
            ):
                end(books, j, o, EXPIRED, NO_REASON)
            elif state == SUBMITTED and account["row"] >= o["live_row"]:
                activate(books, j, o)


@jit
def begin_now(books):
    """Activate the market orders that fill at the close that decided them."""
    for j in range(books.orders.shape[0]):
        for k in range(books.orders.shape[1]):
            o = books.orders[j, k]
            fresh = o["state"] == SUBMITTED and o["row"] == books.account["row"]
            if fresh and o["type"] == MARKET:
                o["live_row"] = o["row"]
                activate(books, j, o)


@jit
def trigger(books, j, o):
    """Turn a stop-limit or limit-if-touched order into a limit order."""
    o["triggered"] = 1
    tell(books, j, o, TRIGGERED, NO_REASON)


@jit
def past_limit(books, o):
    """Return True if only a price beyond its limit fills this limit order (`traded_through`)."""
    return books.rules["through"] == 1 and rests(o)


@jit
def meet(books, row, j, k, price):
    """Match an order with a single price: the open, or the close for a market order."""
    o = books.orders[j, k]
    first = o["met_row"] < 0
    o["met_row"] = books.account["row"]
    if by_market(o["type"]):
        execute(books, row.volume[j], j, k, price, TAKER)
    else:
        maker = rests(o) and not first
        if not reached(o, price, price, maker and past_limit(books, o)):
            return
        if is_untriggered(o):
            trigger(books, j, o)
        if o["post_only"] == 1 and not maker:
            refuse_taker(books, j, o)
            return
        # An order that has just been triggered may be beyond its limit.
        if maker or reached(o, price, price, WITHIN):
            execute(books, row.volume[j], j, k, price, maker)


@jit
def end_immediate(books, j, o):
    """Cancel the rest of an IOC or FOK order after its first price."""
    if o["state"] == ACTIVE:
        if o["tif"] == IOC:
            end(books, j, o, CANCELLED, IMMEDIATE)
        elif o["tif"] == FOK:
            end(books, j, o, CANCELLED, FILL_OR_KILL)


@jit
def next_order(books, j, side, after, moment):
    """Return the place of the next order, by id after `after`, that meets a price; or -1."""
    place = -1
    lowest = 0
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if (
            o["state"] == ACTIVE
            and o["side"] == side
            and o["id"] > after
            and (place < 0 or o["id"] < lowest)
            and o["met_row"] != books.account["row"]
            and o["live_row"] <= books.account["row"]
            and takes_part(o["type"], books.rules["fill"], moment)
        ):
            place = k
            lowest = o["id"]
    return place


@jit
def cross(books, row, prices, moment):
    """Match orders with one price: sales first (they free cash), by symbol, then by id."""
    for side in (np.int64(-1), np.int64(1)):
        for j in range(prices.size):
            if np.isnan(prices[j]):
                continue
            k = next_order(books, j, side, NO_ORDER, moment)
            while k >= 0:
                after = books.orders[j, k]["id"]
                meet(books, row, j, k, prices[j])
                end_immediate(books, j, books.orders[j, k])
                k = next_order(books, j, side, after, moment)


@jit
def first_reached(books, j, a, b):
    """Return the place of the order that is reached first on the path from a to b, or -1."""
    place = -1
    shortest = np.inf
    low, high = min(a, b), max(a, b)
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if (
            o["state"] != ACTIVE
            or by_market(o["type"])
            or o["spent_row"] == books.account["row"]
            or not reached(o, low, high, past_limit(books, o))
        ):
            continue
        way = abs(met_at(o, a) - a)
        if (
            place < 0
            or way < shortest
            or (way == shortest and o["id"] < books.orders[j, place]["id"])
        ):
            place = k
            shortest = way
    return place


@jit
def follow_all(books, j, price):
    """Move the trailing stops of asset j to a price."""
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] == ACTIVE and o["type"] == TRAILING:
            follow(books, j, o, price)


@jit
def walk(books, row, j, first):
    """Move the price of asset j along one path of the bar, and execute the orders it reaches."""
    if first == LOW_FIRST:
        points = (row.open[j], row.low[j], row.high[j], row.close[j])
    else:
        points = (row.open[j], row.high[j], row.low[j], row.close[j])
    for leg in range(3):
        a, b = points[leg], points[leg + 1]
        k = first_reached(books, j, a, b)
        while k >= 0:
            o = books.orders[j, k]
            a = met_at(o, a)
            follow_all(books, j, a)
            maker = rests(o)
            if is_untriggered(o):
                trigger(books, j, o)
            # An order that has just been triggered may be beyond its limit.
            if maker or reached(o, a, a, WITHIN):
                execute(books, row.volume[j], j, k, a, maker)
            k = first_reached(books, j, a, b)
        follow_all(books, j, b)


@jit
def save(books, j):
    """Copy the account, and the position and orders of asset j."""
    books.saved_account[0] = books.accounts[0]
    books.saved_position[0] = books.positions[j]
    for k in range(books.saved_orders.size):
        books.saved_orders[k] = books.orders[j, k]
    for i in range(books.traded.size):
        books.saved_traded[i] = books.traded[i]


@jit
def go_back(books, j):
    """Restore the copy that `save` made."""
    books.accounts[0] = books.saved_account[0]
    books.positions[j] = books.saved_position[0]
    for k in range(books.saved_orders.size):
        books.orders[j, k] = books.saved_orders[k]
    for i in range(books.traded.size):
        books.traded[i] = books.saved_traded[i]


@jit
def may_trade_inside(books, row, j):
    """Return True if the bar can reach an order of asset j after its open.

    If not, trailing stops move to the bar's extremes here: both paths would move them alike.
    """
    low, high = row.low[j], row.high[j]
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != ACTIVE or by_market(o["type"]) or o["spent_row"] == books.account["row"]:
            continue
        if o["type"] == TRAILING:
            sells = o["side"] < 0
            best = max(o["best"], high) if sells else min(o["best"], low)
            level = trailing_level(books, j, o, best)
            if low <= level if sells else high >= level:
                return True
        elif reached(o, low, high, past_limit(books, o)):
            return True
    follow_all(books, j, low)
    follow_all(books, j, high)
    return False


@jit_apart
def inside(books, row, j):
    """Try both paths inside a bar, and keep the one that `path` selects."""
    counts = books.counts
    n_fills, n_refusals = counts[N_FILLS], counts[N_REFUSALS]
    n_events, n_postings = counts[N_EVENTS], counts[N_POSTINGS]
    low_first = 0.0
    high_first = 0.0
    taken = LOW_FIRST
    save(books, j)
    for attempt in range(3):
        if attempt > 0:
            go_back(books, j)
            counts[N_FILLS], counts[N_REFUSALS] = n_fills, n_refusals
            counts[N_EVENTS], counts[N_POSTINGS] = n_events, n_postings
        walk(books, row, j, HIGH_FIRST if attempt == 1 else LOW_FIRST)
        worth = value_at(books.instruments[j], books.positions[j], row.close[j])
        left = books.account["cash"] + worth
        if attempt == 0:
            low_first = left
        elif attempt == 1:
            high_first = left
            path = books.rules["path"]
            if path == PESSIMISTIC:
                high = high_first < low_first
            elif path == OPTIMISTIC:
                high = high_first > low_first
            else:
                high = row.high[j] - row.open[j] < row.open[j] - row.low[j]
            if high:
                taken = HIGH_FIRST
                break
    if abs(high_first - low_first) > ROUNDING * abs(books.saved_account[0]["equity"]):
        a = books.ambiguities[counts[N_AMBIGUITIES]]
        a["row"] = books.account["row"]
        a["time"] = books.account["time"]
        a["asset"] = j
        a["low_first"] = low_first
        a["high_first"] = high_first
        a["taken"] = taken
        counts[N_AMBIGUITIES] += 1


@jit
def have_met(books, j):
    """Set `met_row` of orders that became active inside the bar: they have met a price."""
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] == ACTIVE and o["met_row"] < 0 and not by_market(o["type"]):
            o["met_row"] = books.account["row"]


@jit
def known(row, j):
    """Return True if all four prices of the bar are known."""
    total = row.open[j] + row.high[j] + row.low[j] + row.close[j]
    return total == total


@jit_late(VOID(BOOKS, BARS, INT))
def give_room(books, bars, t):
    """Set the units of each asset that the bar can fill: a share of its volume."""
    volume = row_of(bars, t).volume
    for j in range(books.positions.size):
        room = books.rules["participation"] * volume[j]
        books.positions[j]["room"] = room if room == room else 0.0


@jit_late(VOID(BOOKS))
def expire_entries(books):
    """Expire the entry orders whose last row this was."""
    for j in range(books.positions.size):
        o = books.orders[j, 0]
        if o["state"] != FREE and books.account["row"] >= o["until_row"]:
            turn_to_target(books, j, o)
            end(books, j, o, EXPIRED, NO_REASON)


@jit_late(VOID(BOOKS, BARS, INT))
def meet_inside(books, bars, t):
    """Match orders with the prices between open and close."""
    row = row_of(bars, t)
    for j in range(books.positions.size):
        if row.open[j] == row.open[j]:
            follow_all(books, j, row.open[j])
        if known(row, j):
            if may_trade_inside(books, row, j):
                inside(books, row, j)
            have_met(books, j)


@jit_late(VOID(BOOKS, BARS, INT))
def take_quotes(books, bars, t):
    """Store the distances of the row's ask and bid from its close, as fractions of it."""
    row = row_of(bars, t)
    for j in range(books.positions.size):
        position = books.positions[j]
        close, ask, bid = row.close[j], row.ask[j], row.bid[j]
        if ask == ask and close == close:
            position["over"] = max(ask / close - 1.0, 0.0)
        if bid == bid and close == close:
            position["under"] = max(1.0 - bid / close, 0.0)


@jit_late(VOID(BOOKS, SWITCHES, BARS, INT))
def meet_bar(books, on, bars, t):
    """Match the orders at the venue, and those that arrive on this row, with the bar."""
    row = row_of(bars, t)
    begin(books)
    cross(books, row, row.open, AT_OPEN)
    if books.orders.shape[1] > 1:
        meet_inside(books, bars, t)
    if on.quotes:
        take_quotes(books, bars, t)
    if books.rules["fill"] == NEXT_CLOSE or books.orders.shape[1] > FIRST_EXPLICIT:
        cross(books, row, row.close, AT_CLOSE)
    if books.rules["entry_ttl"] > 0:
        expire_entries(books)


@jit
def meet_own_close(books, bars, t):
    """Match the market orders decided on this row with its own close (`same_close`)."""
    row = row_of(bars, t)
    begin_now(books)
    cross(books, row, row.close, AT_OWN_CLOSE)
