"""Rows in which nothing can happen but that prices move: most rows of most runs.

On such a row the step would only mark and record. `rest` does just that for many rows at once,
asset by asset. Nothing else may be different: the twin compares both bit for bit.
"""

from __future__ import annotations

from alphalab.kernels._jit import jit
from alphalab.kernels.books import CLOSE_COLUMN, ROUNDING
from alphalab.kernels.money import SPOT, profit_of, unit_of
from alphalab.kernels.step import day_of, write
from alphalab.kernels.tally import CHUNK, fold_kept


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
def same(a, b):
    """Tell whether two rows hold the same numbers, unknown ones in the same places."""
    different = False
    for j in range(a.size):
        different |= a[j] != b[j] and (a[j] == a[j] or b[j] == b[j])
    return not different


@jit
def value_rows(books, bars, j, t, n, value):
    """Add what an asset's position is worth after each of n rows."""
    position = books.positions[j]
    kind, multiplier = books.instruments[j]["kind"], books.instruments[j]["multiplier"]
    qty, basis, rate = position["qty"], position["basis"], position["rate"]
    mark = position["mark"]
    if kind == SPOT:
        for k in range(n):
            close = bars[CLOSE_COLUMN, t + k, j]
            mark = close if close == close else mark
            value[k] += qty * unit_of(SPOT, multiplier, mark, rate)
    else:
        for k in range(n):
            close = bars[CLOSE_COLUMN, t + k, j]
            mark = close if close == close else mark
            value[k] += profit_of(kind, multiplier, rate, basis, qty, mark)


@jit
def describe_rows(books, bars, j, t, n, gross, gain):
    """Add the size and the open profit of an asset's position after each of n rows."""
    position = books.positions[j]
    kind, multiplier = books.instruments[j]["kind"], books.instruments[j]["multiplier"]
    qty, basis, rate = position["qty"], position["basis"], position["rate"]
    mark = position["mark"]
    for k in range(n):
        close = bars[CLOSE_COLUMN, t + k, j]
        mark = close if close == close else mark
        gross[k] += abs(qty * unit_of(kind, multiplier, mark, rate))
        gain[k] += profit_of(kind, multiplier, rate, basis, qty, mark)


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
def pass_rows(account, time, t, n, equity, peak):
    """Move the account over n rows; `equity` holds the one before them, then theirs."""
    last = day_of(time[t + n - 1])
    if last != account["day"]:
        k = n - 1
        while k > 0 and day_of(time[t + k - 1]) == last:
            k -= 1
        account["day"] = last
        account["day_equity"] = equity[k]
    account["time"] = time[t + n - 1]
    account["row"] += n
    account["equity"] = equity[n]
    account["peak"] = peak


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
def rest(books, bars, time, targets, t, last, recording, ledger, qty, tally):
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
        value[0] = 0.0
        wanted = 1
        while wanted < most and same(targets[t], targets[t + wanted]):
            value[wanted] = 0.0
            wanted += 1
        held = False
        for j in range(targets.shape[1]):
            if books.positions[j]["qty"] != 0.0:
                held = True
                value_rows(books, bars, j, t, wanted, value)
        cash = account["cash"]
        peak = account["peak"]
        n = 0
        while n < wanted and cash + value[n] > 0.0:  # else the gate has to see it
            equity[n + 1] = cash + value[n]
            peak = max(peak, equity[n + 1])
            n += 1
        if n == 0:
            return t
        if recording:
            write_rows(books, bars, t, n, tally, ledger, qty)
        else:
            figures["invested"] += n if held else 0
            figures["kept"] += n
        pass_rows(account, time, t, n, equity, peak)
        take_marks(books, bars, t, n)
        if figures["kept"] == CHUNK:
            fold_kept(tally)
        t += n
        if n < most:
            return t
    return t
