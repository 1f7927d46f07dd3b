"""The risk gate: from targets to approved targets; every cut is logged with its reason."""

from __future__ import annotations

import numpy as np

from alphalab.codes import Reason
from alphalab.kernels._jit import jit, jit_late
from alphalab.kernels.market.books import CLOSE, FREE, PORTFOLIO, ROUNDING, refuse
from alphalab.kernels.market.layout import BOOKS, TARGETS, VOID
from alphalab.kernels.market.money import held_weight, is_flat

NOT_FINITE = np.int64(Reason.NOT_FINITE)
WEIGHT_LIMIT, GROUP_LIMIT = np.int64(Reason.WEIGHT_LIMIT), np.int64(Reason.GROUP_LIMIT)
NET_LIMIT, GROSS_LIMIT = np.int64(Reason.NET_LIMIT), np.int64(Reason.GROSS_LIMIT)
DRAWDOWN_LOCK, DAILY_LOSS = np.int64(Reason.DRAWDOWN_LOCK), np.int64(Reason.DAILY_LOSS)
BANKRUPT, MAX_POSITIONS = np.int64(Reason.BANKRUPT), np.int64(Reason.MAX_POSITIONS)

ALL = np.int64(-1)  # in place of a group: every asset
NOBODY = np.int64(-1)  # in place of an asset


@jit
def forced_flat(books):
    """Return True if a risk rule forces the account flat on this row; log when that begins."""
    account = books.account
    rules = books.rules
    equity = account["equity"]
    account["peak"] = max(account["peak"], equity)
    if account["lock"] == 0:
        drawdown = 1.0 - equity / account["peak"]
        if equity <= 0.0:
            account["lock"] = BANKRUPT
            refuse(books, PORTFOLIO, BANKRUPT, equity, 0.0)
        elif drawdown >= rules["drawdown"] * (1.0 - ROUNDING):
            account["lock"] = DRAWDOWN_LOCK
            refuse(books, PORTFOLIO, DRAWDOWN_LOCK, drawdown, rules["drawdown"])
    if account["lock"] == 0 and account["flat_day"] != account["day"]:
        loss = 1.0 - equity / account["day_equity"]
        if loss >= rules["daily_loss"] * (1.0 - ROUNDING):
            account["flat_day"] = account["day"]
            refuse(books, PORTFOLIO, DAILY_LOSS, loss, rules["daily_loss"])
    return account["lock"] != 0 or account["flat_day"] == account["day"]


@jit
def limit_weights(books, targets):
    """Replace infinite targets by NaN, and cut those above the weight limit of one asset."""
    largest = books.rules["weight"]
    for j in range(targets.size):
        weight = targets[j]
        if np.isinf(weight):
            targets[j] = np.nan
            refuse(books, j, NOT_FINITE, weight, np.nan)
        elif abs(weight) > largest * (1.0 + ROUNDING):
            targets[j] = np.sign(weight) * largest
            refuse(books, j, WEIGHT_LIMIT, weight, targets[j])


@jit
def has_place(books, j):
    """Return True if asset j is held, or a live order may open it."""
    if not is_flat(books, j, books.positions[j]["qty"]):
        return True
    for k in range(books.orders.shape[1]):
        o = books.orders[j, k]
        if o["state"] != FREE and o["reduce_only"] == 0:
            return True
    return False


@jit
def asks_again(books, j):
    """Return True if any target of asset j is new: it is out, and its `decide` was silent."""
    position = books.positions[j]
    return books.rules["decides"] == 1 and position["out"] == 1 and position["silent"] == 1


@jit
def wants_place(books, j, target):
    """Return True if a target would open asset j, which has no place yet."""
    position = books.positions[j]
    waits = position["out"] == 1 and target == position["target"] and not asks_again(books, j)
    return np.isfinite(target) and target != 0.0 and not waits and not has_place(books, j)


@jit
def comes_after(targets, j, first):
    """Return True if asset j gets a place after asset `first`: larger weights come before."""
    if first == NOBODY:
        return True
    mine, other = abs(targets[j]), abs(targets[first])
    return mine < other or (mine == other and j > first)


@jit_late(VOID(BOOKS, TARGETS))
def limit_positions(books, targets):
    """Replace by NaN the targets of assets that would open more positions than allowed.

    Assets that have a place keep it until their target is 0. The largest absolute weights get the
    places that are free, the first asset where weights are equal.
    """
    most = books.rules["max_positions"]
    taken = wanted = 0
    for j in range(targets.size):
        if targets[j] != 0.0 and has_place(books, j):
            taken += 1
        elif wants_place(books, j, targets[j]):
            wanted += 1
    room = max(most - taken, 0)
    if wanted <= room:
        return
    refuse(books, PORTFOLIO, MAX_POSITIONS, float(taken + wanted), float(most))
    last = NOBODY  # got the last place so far
    for _ in range(room):
        best = NOBODY
        for j in range(targets.size):
            waits = comes_after(targets, j, last) and wants_place(books, j, targets[j])
            if waits and (best < 0 or comes_after(targets, best, j)):
                best = np.int64(j)
        last = best
    for j in range(targets.size):
        if comes_after(targets, j, last) and wants_place(books, j, targets[j]):
            targets[j] = np.nan


@jit
def weight_to_be(books, j):
    """Return the weight of an asset with a NaN target: of its live order, else as held."""
    o = books.orders[j, 0]
    if o["state"] == FREE:
        return held_weight(books, j)
    return 0.0 if o["sizing"] == CLOSE else books.positions[j]["target"]


@jit
def exposure(books, group, targets):
    """Return sums of absolute weights in a group: (long, short, held long, held short).

    `long` and `short` sum the targets. Assets with a NaN target count as held, with the weight of
    their live order or of their position: the gate cannot scale them down.
    """
    long = short = held_long = held_short = 0.0
    for j in range(targets.size):
        if group != ALL and books.groups[j] != group:
            continue
        if np.isnan(targets[j]):
            weight = weight_to_be(books, j)
            held_long += max(weight, 0.0)
            held_short -= min(weight, 0.0)
        else:
            long += max(targets[j], 0.0)
            short -= min(targets[j], 0.0)
    return long, short, held_long, held_short


@jit
def factor_to(limit, held, free):
    """Return f in [0, 1] for which held + f * free meets the limit, as far as possible."""
    return min(max((limit - held) / free, 0.0), 1.0)


@jit
def scale(books, group, targets, factor, longs, shorts):
    """Multiply the long targets of a group, the short ones, or both, by `factor`."""
    for j in range(targets.size):
        if (group == ALL or books.groups[j] == group) and (
            (longs and targets[j] > 0.0) or (shorts and targets[j] < 0.0)
        ):
            targets[j] *= factor


@jit
def limit_gross(books, group, targets, limit, reason):
    """Scale a group's targets down until their absolute weights add up to the limit."""
    long, short, held_long, held_short = exposure(books, group, targets)
    free = long + short
    held = held_long + held_short
    if free > 0.0 and free + held > limit * (1.0 + ROUNDING):
        factor = factor_to(limit, held, free)
        scale(books, group, targets, factor, True, True)
        refuse(books, PORTFOLIO, reason, free + held, held + factor * free)


@jit_late(VOID(BOOKS, TARGETS))
def limit_net(books, targets):
    """Scale the larger of long and short down until net exposure is within the limit."""
    limit = books.rules["net"]
    long, short, held_long, held_short = exposure(books, ALL, targets)
    net = long + held_long - short - held_short
    side = long if net > 0.0 else short
    if side > 0.0 and abs(net) > limit + ROUNDING:
        rest = abs(net) - side
        factor = factor_to(limit, rest, side)
        scale(books, ALL, targets, factor, net > 0.0, net < 0.0)
        refuse(books, PORTFOLIO, NET_LIMIT, net, np.sign(net) * (rest + factor * side))


@jit
def gate(books, targets):
    """Approve a row of targets in place."""
    rules = books.rules
    if rules["max_positions"] > 0:
        limit_positions(books, targets)
    limit_weights(books, targets)
    if rules["group_gross"] < np.inf:
        for group in range(rules["n_groups"]):
            limit_gross(books, group, targets, rules["group_gross"], GROUP_LIMIT)
    limit_gross(books, ALL, targets, rules["gross"], GROSS_LIMIT)
    # Last: the net limit only reduces gross exposure, so the limits above still hold.
    if rules["net"] < np.inf:
        limit_net(books, targets)
