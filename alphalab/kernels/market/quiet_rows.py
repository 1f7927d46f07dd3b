"""Quiet rows: only prices move, and nothing can trade. Most rows of most runs are quiet.

On a quiet row the step only marks positions and records. `rest` does the same for many rows at
once, asset by asset. Its results equal those of the step bit for bit; the twin checks it.
"""

from __future__ import annotations

from alphalab.kernels._jit import jit
from alphalab.kernels.market.books import ROUNDING
from alphalab.kernels.market.layout import CLOSE_COLUMN
from alphalab.kernels.market.money import SPOT, profit_of, unit_of
from alphalab.kernels.market.step import day_of, write
from alphalab.kernels.market.tally import CHUNK, extremes, fold_kept

LANES = 64  # numbers compared at once


@jit
def wants_nothing(books, targets):
    """Return True if gate and rebalancing would change nothing for these targets."""
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
    # The weight of a position with a NaN target changes with prices: the gate has to check it.
    if without_opinion and total > 0.0:
        return False
    return total <= books.rules["gross"] * (1.0 + ROUNDING)


@jit
def differ(a, b):
    """Return True if two numbers differ, without a branch; NaN equals NaN."""
    return (a != b) & ((a == a) | (b == b))


@jit
def rows_alike(cells, n_assets, t, most):
    """Return the number of rows from t on that equal row t, at most `most`."""
    first, end = t * n_assets, (t + most) * n_assets
    here, before = cells[first + n_assets : end], cells[first : end - n_assets]
    i = 0
    while i < here.size and not differ(here[i], before[i]):
        i += 1
        if i % LANES == 0:  # probably a long run of equal rows: compare LANES numbers at once
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
    """Add the value of an asset's position after each of n rows to `value`."""
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
    """Add size and open profit of an asset's position after each of n rows to gross and gain."""
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
    """Compute the equity of n rows; return the number of rows before equity is 0 or less."""
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
    """Set the mark of every asset to its last close among n rows."""
    for j in range(books.positions.size):
        for k in range(n - 1, -1, -1):
            close = bars[CLOSE_COLUMN, t + k, j]
            if close == close:
                books.positions[j]["mark"] = close
                break


@jit
def rows_before_day(time, day):
    """Return the number of rows before a UTC day (binary search)."""
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
    """Move the account over n rows; `equity` holds the value before them, then after each."""
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
    """Record the ledger and the units held for n rows."""
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
    """Push the quiet rows from t on; return the first row that is not quiet, or `last`."""
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
            return t  # the gate has to lock the account
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
