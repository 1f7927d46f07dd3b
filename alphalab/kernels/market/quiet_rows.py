"""Rows in which nothing can happen but that prices move: most rows of most runs.

On such a row the step would only mark and record. `rest` does just that for many rows at once,
asset by asset. Nothing else may be different: the twin compares both bit for bit.
"""

from __future__ import annotations

from alphalab.kernels._jit import jit
from alphalab.kernels.market.books import CLOSE_COLUMN, ROUNDING
from alphalab.kernels.market.money import SPOT, profit_of, unit_of
from alphalab.kernels.market.step import day_of, write
from alphalab.kernels.market.tally import CHUNK, extremes, fold_kept

LANES = 64


@jit
def wants_nothing(books, targets):
    """Tell whether gate and rebalancing would leave everything as it is."""
    total = 0.0
    without_opinion = False
    for j in range(targets.size):
        position = books.positions[j]
        target = targets[j]
        if target == position["target"]:
            if position["unmet"] == 1:
                return False
            total += abs(target)
        elif target == target:
            return False
        elif position["qty"] != 0.0:
            without_opinion = True
    # What is held of assets without an opinion changes with the prices: the gate has to look.
    if without_opinion and total > 0.0:
        return False
    return total <= books.rules["gross"] * (1.0 + ROUNDING)


@jit
def differ(a, b):
    """Tell whether two numbers differ, bit by bit: no branch, and NaN is the same as NaN."""
    return (a != b) & ((a == a) | (b == b))


@jit
def rows_alike(cells, n_assets, t, most):
    """Return how many rows, t and those after it, hold the same numbers in the same places."""
    first, end = t * n_assets, (t + most) * n_assets
    here, before = cells[first + n_assets : end], cells[first : end - n_assets]
    i = 0
    while i < here.size and not differ(here[i], before[i]):
        i += 1
        if i % LANES == 0:  # a long stretch, it seems: the processor can look at many at once
            while i + LANES <= here.size:
                different = False
                for k in range(LANES):
                    different |= differ(here[i + k], before[i + k])
                if different:
                    break
                i += LANES
    return 1 + i // n_assets


@jit
def value_rows(books, bars, j, t, n, value):
    """Add what an asset's position is worth after each of n rows."""
    position = books.positions[j]
    kind, multiplier = books.instruments[j]["kind"], books.instruments[j]["multiplier"]
    qty, basis, rate = position["qty"], position["basis"], position["rate"]
    mark = position["mark"]
    closes = bars[CLOSE_COLUMN, t:]
    gaps = False
    for k in range(n):
        close = closes[k, j]
        gaps |= close != close
    if kind == SPOT and not gaps:
        for k in range(n):
            value[k] += qty * unit_of(SPOT, multiplier, closes[k, j], rate)
    elif kind == SPOT:
        for k in range(n):
            close = closes[k, j]
            mark = close if close == close else mark
            value[k] += qty * unit_of(SPOT, multiplier, mark, rate)
    else:
        for k in range(n):
            close = closes[k, j]
            mark = close if close == close else mark
            value[k] += profit_of(kind, multiplier, rate, basis, qty, mark)


@jit
def describe_rows(books, bars, j, t, n, gross, gain):
    """Add the size and the open profit of an asset's position after each of n rows."""
    position = books.positions[j]
    kind, multiplier = books.instruments[j]["kind"], books.instruments[j]["multiplier"]
    qty, basis, rate = position["qty"], position["basis"], position["rate"]
    mark = position["mark"]
    closes = bars[CLOSE_COLUMN, t:]
    for k in range(n):
        close = closes[k, j]
        mark = close if close == close else mark
        gross[k] += abs(qty * unit_of(kind, multiplier, mark, rate))
        gain[k] += profit_of(kind, multiplier, rate, basis, qty, mark)


@jit
def rows_above_zero(equity, value, cash, n):
    """Add up the equity of n rows; return how many come before one at zero or below."""
    for k in range(n):
        equity[k + 1] = cash + value[k]
    if extremes(equity[1:], n)[0] > 0.0:
        return n
    above = 0
    while above < n and equity[above + 1] > 0.0:
        above += 1
    return above


@jit
def take_marks(books, bars, t, n):
    """Take in the last close of every asset among n rows."""
    for j in range(books.positions.size):
        for k in range(n - 1, -1, -1):
            close = bars[CLOSE_COLUMN, t + k, j]
            if close == close:
                books.positions[j]["mark"] = close
                break


@jit
def rows_before_day(time, day):
    """Return how many of some rows come before a day."""
    low, high = 0, time.size
    while low < high:
        middle = (low + high) // 2
        if day_of(time[middle]) < day:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def pass_rows(account, time, t, n, equity):
    """Move the account over n rows; `equity` holds the one before them, then theirs."""
    last = day_of(time[t + n - 1])
    if last != account["day"]:
        account["day"] = last
        account["day_equity"] = equity[rows_before_day(time[t : t + n], last)]
    account["time"] = time[t + n - 1]
    account["row"] += n
    account["equity"] = equity[n]
    account["peak"] = max(account["peak"], extremes(equity[1:], n)[1])


@jit
def write_rows(books, bars, t, n, tally, ledger, qty):
    """Record n rows, and what is held after each."""
    gross, gain = tally.gross, tally.gain
    for k in range(n):
        gross[k] = gain[k] = 0.0
    for j in range(qty.shape[1]):
        units = books.positions[j]["qty"]
        for k in range(n):
            qty[t + k, j] = units
        if units != 0.0:
            describe_rows(books, bars, j, t, n, gross, gain)
    for k in range(n):
        equity = tally.equity[k + 1]
        write(ledger[t + k], books.account, equity, tally.value[k], gross[k], gain[k])


@jit
def rest(books, bars, time, targets, cells, t, last, recording, ledger, qty, tally):
    """Push the rows from t on in which nothing can happen; return the row to go on from."""
    account = books.account
    if account["waiting"] > 0 or account["lock"] != 0:
        return t
    figures = tally.figures
    value = tally.value
    while t < last:
        kept = 0 if recording else figures["kept"]
        most = min(last - t, CHUNK - kept)
        equity = tally.equity[kept:]
        equity[0] = account["equity"]
        if not wants_nothing(books, targets[t]):
            return t
        wanted = rows_alike(cells, targets.shape[1], t, most)
        for k in range(wanted):
            value[k] = 0.0
        held = False
        for j in range(targets.shape[1]):
            if books.positions[j]["qty"] != 0.0:
                held = True
                value_rows(books, bars, j, t, wanted, value)
        n = rows_above_zero(equity, value, account["cash"], wanted)
        if n == 0:
            return t  # the gate has to see it
        if recording:
            write_rows(books, bars, t, n, tally, ledger, qty)
        else:
            figures["invested"] += n if held else 0
            figures["kept"] += n
        pass_rows(account, time, t, n, equity)
        take_marks(books, bars, t, n)
        if figures["kept"] == CHUNK:
            fold_kept(tally)
        t += n
        if n < most:
            return t
    return t
