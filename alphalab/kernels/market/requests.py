"""Requests of a `decide`: each submits, amends or cancels an order, or is refused."""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderStatus, Origin, Reason, RequestKind, Sizing, TimeInForce
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import FREE, HELD, NO_REASON, PORTFOLIO, ROUNDING, refuse, tell
from alphalab.kernels.market.exits import lacks_distance
from alphalab.kernels.market.gate import MAX_POSITIONS, has_place
from alphalab.kernels.market.layout import BOOKS, BOOL, COUNTS, REQUESTS, VOID
from alphalab.kernels.market.matching import TAKER
from alphalab.kernels.market.money import (
    SPOT,
    fee_rate,
    held_weight,
    nearest_lot,
    nearest_tick,
    size,
    unit_at_mark,
    unit_value,
)
from alphalab.kernels.market.order_table import (
    FIRST_EXPLICIT,
    end,
    new_order,
    submit,
    trailing_level,
)
from alphalab.kernels.market.order_types import (
    TRAILING,
    bad_price,
    needs_limit,
    needs_stop,
    off_grid,
    wrong_side,
)
from alphalab.kernels.market.orders import N_LOST, N_REQUESTS

SUBMIT, AMEND, CANCEL = (np.int64(x) for x in RequestKind)
DECIDE, QTY, GTD = np.int64(Origin.DECIDE), np.int64(Sizing.QTY), np.int64(TimeInForce.GTD)
WAS_SUBMITTED, AMENDED = np.int64(OrderStatus.SUBMITTED), np.int64(OrderStatus.AMENDED)
CANCELLED, REFUSED = np.int64(OrderStatus.CANCELLED), np.int64(OrderStatus.REFUSED)
BANKRUPT, DRAWDOWN_LOCK = np.int64(Reason.BANKRUPT), np.int64(Reason.DRAWDOWN_LOCK)
DAILY_LOSS, MIN_VALUE = np.int64(Reason.DAILY_LOSS), np.int64(Reason.MIN_VALUE)
LOT, OFF_TICK = np.int64(Reason.LOT), np.int64(Reason.OFF_TICK)
LARGEST_ORDER, WEIGHT_LIMIT = np.int64(Reason.LARGEST_ORDER), np.int64(Reason.WEIGHT_LIMIT)
GROUP_LIMIT, NET_LIMIT = np.int64(Reason.GROUP_LIMIT), np.int64(Reason.NET_LIMIT)
GROSS_LIMIT, NO_DISTANCE = np.int64(Reason.GROSS_LIMIT), np.int64(Reason.NO_DISTANCE)
CASH, MARGIN = np.int64(Reason.CASH), np.int64(Reason.MARGIN)
UNKNOWN_ASSET, UNKNOWN_ORDER = np.int64(Reason.UNKNOWN_ASSET), np.int64(Reason.UNKNOWN_ORDER)
BAD_QUANTITY, BAD_PRICE = np.int64(Reason.BAD_QUANTITY), np.int64(Reason.BAD_PRICE)
NO_PRICE, WRONG_SIDE = np.int64(Reason.NO_PRICE), np.int64(Reason.WRONG_SIDE)
NOTHING_TO_REDUCE = np.int64(Reason.NOTHING_TO_REDUCE)
PARENT_ENDED, TOO_MANY_ORDERS = np.int64(Reason.PARENT_ENDED), np.int64(Reason.TOO_MANY_ORDERS)
ASKED_FOR, COMMANDED = np.int64(Reason.ASKED_FOR), np.int64(Reason.COMMANDED)

NEW = np.bool_(True)
NOWHERE = np.int64(-1)  # no place in the order table
ANY = np.int64(0)  # both sides
ALL = np.int64(-1)  # every asset, instead of one group


@jit
def reference(books, j, o):
    """Return the price that values an order or a request: its limit, its stop, or the mark."""
    if needs_limit(o["type"]):
        return o["limit"]
    return o["stop"] if needs_stop(o["type"]) else books.positions[j]["mark"]


@jit
def waiting_weight(books, j, k, side):
    """Return the weight of a live order on one side or ANY; 0 if it is reduce-only."""
    o = books.orders[j, k]
    if o["state"] == FREE or o["reduce_only"] == 1 or (side != ANY and o["side"] != side):
        return 0.0
    unit = unit_value(books.instruments[j], reference(books, j, o), books.positions[j]["rate"])
    return o["qty"] * unit / books.account["equity"]


@jit
def gross_weight(books, group):
    """Return the absolute weight of positions and live orders in a group."""
    total = 0.0
    for i in range(books.positions.size):
        if group == ALL or books.groups[i] == group:
            total += abs(held_weight(books, i))
            for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
                total += waiting_weight(books, i, k, ANY)
    return total


@jit
def net_weight(books, side):
    """Return net weight held plus live orders of one side, positive in its direction."""
    held = 0.0
    waiting = 0.0
    for i in range(books.positions.size):
        held += held_weight(books, i)
        for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
            waiting += waiting_weight(books, i, k, side)
    return side * held + waiting


@jit
def beyond(limit, weight):
    return weight > limit * (1.0 + ROUNDING)


@jit
def broken_limit(books, j, side, weight):
    """Return (reason, weight) for the first limit that an order would break, or (0, 0)."""
    rules = books.rules
    if beyond(rules["order"], weight):
        return LARGEST_ORDER, weight
    if rules["max_positions"] > 0 and not has_place(books, j):
        n_held = 0
        for i in range(books.positions.size):
            n_held += 1 if has_place(books, i) else 0
        if n_held >= rules["max_positions"]:
            return MAX_POSITIONS, n_held + 1.0
    waiting = 0.0
    for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
        waiting += waiting_weight(books, j, k, side)
    asked = weight + waiting + max(side * held_weight(books, j), 0.0)
    if beyond(rules["weight"], asked):
        return WEIGHT_LIMIT, asked
    if rules["group_gross"] < np.inf and books.groups[j] >= 0:
        asked = gross_weight(books, books.groups[j]) + weight
        if beyond(rules["group_gross"], asked):
            return GROUP_LIMIT, asked
    if rules["net"] < np.inf:
        asked = net_weight(books, side) + weight
        if beyond(rules["net"], asked):
            return NET_LIMIT, asked
    asked = gross_weight(books, ALL) + weight
    if beyond(rules["gross"], asked):
        return GROSS_LIMIT, asked
    return NO_REASON, 0.0


@jit
def beyond_means(books, j, side, extra, owed, unit):
    """Return (reason, value) if the account cannot pay for `extra` units, else (0, 0)."""
    account = books.account
    rate = fee_rate(books, j, TAKER)
    value = extra * unit
    if books.rules["margin"] == 1 or books.instruments[j]["kind"] != SPOT:
        gross = -owed * unit_at_mark(books, j)
        for i in range(books.positions.size):
            gross += abs(size(books, i))
        need = (gross + value) * books.rules["initial"] + value * rate
        if need > account["equity"] * (1.0 + ROUNDING):
            return MARGIN, value
    elif side > 0 and value * (1.0 + rate) > account["cash"] * (1.0 + ROUNDING):
        return CASH, value * (1.0 + rate)
    return NO_REASON, 0.0


@jit
def why_flat(books):
    """Return (reason, figure) of the risk rule that forces the account flat."""
    account = books.account
    if account["lock"] == BANKRUPT:
        return BANKRUPT, account["equity"]
    if account["lock"] == DRAWDOWN_LOCK:
        return DRAWDOWN_LOCK, 1.0 - account["equity"] / account["peak"]
    if account["lock"] == COMMANDED:
        return COMMANDED, account["equity"]
    return DAILY_LOSS, 1.0 - account["equity"] / account["day_equity"]


@jit
def place_of(books, j, order):
    """Return the place of an order of a `decide` in the table of asset j, or -1."""
    for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != FREE and o["id"] == order:
            return k
    return NOWHERE


@jit
def fault_of_form(books, j, r, moves_stop, forced):
    """Return (reason, figure) for the first invalid field of an order, or (0, 0).

    `r` is a request, or an order with its amended fields.
    """
    side, qty = r["side"], r["qty"]
    if not (qty > 0.0 and qty < np.inf and (side == 1 or side == -1)):
        return BAD_QUANTITY, qty
    bad, price = bad_price(r)
    if bad:
        return BAD_PRICE, price
    position, instrument = books.positions[j], books.instruments[j]
    if np.isnan(position["mark"]):
        return NO_PRICE, qty
    if needs_limit(r["type"]) and off_grid(r["limit"], instrument["tick"]):
        return OFF_TICK, r["limit"]
    if needs_stop(r["type"]) and off_grid(r["stop"], instrument["tick"]):
        return OFF_TICK, r["stop"]
    if off_grid(qty, instrument["lot"]):
        return LOT, qty
    price = position["mark"]
    place = place_of(books, j, r["parent"]) if r["parent"] != 0 else NOWHERE
    if place >= 0:
        parent = books.orders[j, place]
        if parent["filled"] == 0.0 and parent["limit"] == parent["limit"]:
            price = parent["limit"]
    if moves_stop and wrong_side(r["type"], side, r["stop"], price):
        return WRONG_SIDE, r["stop"]
    at_once = r["parent"] == 0 or (place >= 0 and books.orders[j, place]["filled"] > 0.0)
    if r["reduce_only"] == 1 and at_once and side * position["qty"] >= 0.0:
        return NOTHING_TO_REDUCE, qty
    if forced and r["reduce_only"] == 0:
        return why_flat(books)
    if r["parent"] != 0 and place < 0:
        return PARENT_ENDED, float(r["parent"])
    return NO_REASON, 0.0


@jit
def fault_of_size(books, j, side, qty, price, reduce_only):
    """Return (reason, figure) for the first rule that an order of this size breaks, or (0, 0)."""
    if reduce_only == 1:
        return NO_REASON, 0.0
    position = books.positions[j]
    unit = unit_value(books.instruments[j], price, position["rate"])
    if qty * unit < books.instruments[j]["min_value"]:
        return MIN_VALUE, qty * unit
    owed = min(qty, max(-side * position["qty"], 0.0))
    extra = qty - owed
    if extra > 0.0:
        if (position["qty"] == 0.0 or owed > 0.0) and lacks_distance(books, j):
            return NO_DISTANCE, side * extra * unit / books.account["equity"]
        reason, figure = broken_limit(books, j, side, extra * unit / books.account["equity"])
        if reason != 0:
            return reason, figure
        return beyond_means(books, j, side, extra, owed, unit)
    return NO_REASON, 0.0


@jit
def free_place(books, j):
    for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
        if books.orders[j, k]["state"] == FREE:
            return k
    return NOWHERE


@jit
def copy_request(books, j, r, o):
    """Copy the fields of a request to a new order, rounded to ticks and lots."""
    instrument = books.instruments[j]
    o["qty"] = nearest_lot(instrument, r["qty"])
    o["limit"] = nearest_tick(instrument, r["limit"]) if needs_limit(r["type"]) else np.nan
    o["stop"] = nearest_tick(instrument, r["stop"]) if needs_stop(r["type"]) else np.nan
    o["tif"] = r["tif"]
    if r["tif"] == GTD:
        o["until_time"] = r["until"]
    o["reduce_only"] = r["reduce_only"]
    o["post_only"] = r["post_only"]
    o["group"] = r["group"]
    o["parent"] = r["parent"]
    if r["type"] == TRAILING:
        o["trail"] = r["trail"]
        o["trail_frac"] = r["trail_frac"]
        o["best"] = books.positions[j]["mark"]
        o["stop"] = trailing_level(books, j, o, o["best"])


@jit
def refuse_submit(books, r, j, reason, figure):
    """Log a refused order: its submission and its refusal."""
    account = books.account
    account["n_orders"] += 1
    o = books.saved_orders[0]
    o["id"] = account["n_orders"]
    o["origin"] = DECIDE
    o["type"] = r["type"]
    o["side"] = r["side"]
    o["qty"] = r["qty"]
    o["filled"] = 0.0
    o["limit"] = r["limit"]
    o["stop"] = r["stop"]
    o["logged"] = 1
    tell(books, j, o, WAS_SUBMITTED, NO_REASON)
    tell(books, j, o, REFUSED, reason)
    refuse(books, j, reason, figure, 0.0)


@jit
def submit_order(books, r, forced):
    """Add an order to the table, or refuse it."""
    j = r["asset"]
    if j < 0 or j >= books.positions.size:
        refuse_submit(books, r, PORTFOLIO, UNKNOWN_ASSET, float(j))
        return
    reason, figure = fault_of_form(books, j, r, NEW, forced)
    if reason == 0:
        price = reference(books, j, r)
        reason, figure = fault_of_size(books, j, r["side"], r["qty"], price, r["reduce_only"])
    k = free_place(books, j)
    if reason == 0 and k < 0:
        reason, figure = TOO_MANY_ORDERS, float(books.orders.shape[1] - FIRST_EXPLICIT + 1)
    if reason != 0:
        refuse_submit(books, r, j, reason, figure)
        return
    parent = place_of(books, j, r["parent"]) if r["parent"] != 0 else NOWHERE
    o = new_order(books, j, k, DECIDE, r["type"], QTY, r["side"])
    copy_request(books, j, r, o)
    submit(books, j, o)
    if parent >= 0 and books.orders[j, parent]["filled"] == 0.0:
        o["state"] = HELD


@jit
def find(books, order):
    """Return (asset, place) of an order of a `decide`, or (-1, -1)."""
    for j in range(books.orders.shape[0]):
        k = place_of(books, j, order)
        if k >= 0:
            return j, k
    return NOWHERE, NOWHERE


@jit
def amend_order(books, r, forced):
    """Amend an order, or refuse the request."""
    j, k = find(books, r["order"])
    if k < 0:
        refuse(books, PORTFOLIO, UNKNOWN_ORDER, float(r["order"]), 0.0)
        return
    o = books.orders[j, k]
    moves_limit, moves_stop = r["limit"] == r["limit"], r["stop"] == r["stop"]
    moves_trail = r["trail"] == r["trail"] or r["trail_frac"] == r["trail_frac"]
    if moves_limit and not needs_limit(o["type"]):
        refuse(books, j, BAD_PRICE, r["limit"], 0.0)
        return
    if moves_stop and not needs_stop(o["type"]):
        refuse(books, j, BAD_PRICE, r["stop"], 0.0)
        return
    if moves_trail and o["type"] != TRAILING:
        distance = r["trail_frac"] if np.isnan(r["trail"]) else r["trail"]
        refuse(books, j, BAD_PRICE, distance, 0.0)
        return
    books.saved_orders[0] = books.orders[j, k]
    changed = books.saved_orders[0]
    if r["qty"] == r["qty"]:
        changed["qty"] = r["qty"]
    if moves_limit:
        changed["limit"] = r["limit"]
    if moves_stop:
        changed["stop"] = r["stop"]
    if moves_trail:
        changed["trail"], changed["trail_frac"] = r["trail"], r["trail_frac"]
    if o["state"] != HELD:
        changed["parent"] = 0
    reason, figure = fault_of_form(books, j, changed, moves_stop, forced)
    if reason == 0:
        state = o["state"]
        o["state"] = FREE  # the limits count the other live orders only
        price = reference(books, j, changed)
        reason, figure = fault_of_size(books, j, o["side"], changed["qty"], price, o["reduce_only"])
        o["state"] = state
    if reason != 0:
        refuse(books, j, reason, figure, 0.0)
        return
    instrument = books.instruments[j]
    o["qty"] = nearest_lot(instrument, changed["qty"])
    if moves_limit:
        o["limit"] = nearest_tick(instrument, changed["limit"])
        o["met_row"] = -1  # it may trade as a taker at the next open
    if moves_stop:
        o["stop"] = nearest_tick(instrument, changed["stop"])
    if moves_trail:
        o["trail"], o["trail_frac"] = changed["trail"], changed["trail_frac"]
        o["stop"] = trailing_level(books, j, o, o["best"])
    tell(books, j, o, AMENDED, NO_REASON)


@jit
def cancel_order(books, order):
    """Cancel an order, or refuse the request."""
    j, k = find(books, order)
    if k < 0:
        refuse(books, PORTFOLIO, UNKNOWN_ORDER, float(order), 0.0)
    else:
        end(books, j, books.orders[j, k], CANCELLED, ASKED_FOR)


@jit_late(VOID(BOOKS, REQUESTS, COUNTS, BOOL))
def handle(books, requests, sent, forced):
    """Process the requests of a `decide`, in order."""
    for i in range(sent[N_REQUESTS]):
        r = requests[i]
        if r["kind"] == SUBMIT:
            submit_order(books, r, forced)
        elif r["kind"] == AMEND:
            amend_order(books, r, forced)
        else:
            cancel_order(books, r["order"])
    if sent[N_LOST] > 0:
        refuse(books, PORTFOLIO, TOO_MANY_ORDERS, float(sent[N_LOST]), 0.0)


@jit_late(VOID(BOOKS))
def cancel_opening(books):
    """Cancel all orders that may open a position: a risk rule forces the account flat."""
    reason, _ = why_flat(books)
    for held in (False, True):  # parents first, so that children are logged as PARENT_ENDED
        for j in range(books.orders.shape[0]):
            for k in range(FIRST_EXPLICIT, books.orders.shape[1]):
                o = books.orders[j, k]
                lives = o["state"] != FREE and (o["state"] == HELD) == held
                if lives and o["reduce_only"] == 0:
                    end(books, j, o, CANCELLED, reason)
