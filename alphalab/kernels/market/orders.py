"""Orders of a compiled `decide`: the functions that submit, amend and cancel them.

A strategy that sends orders sets the largest number of live orders per asset (`max_orders`). Its
`decide` calls these functions with the `account` it receives, and returns NaN as the target of an
asset that it trades by orders. A request of row t is checked at the end of that row, and meets the
market from row t + 1 on. A refusal raises no error: `result.orders` has the outcome of each order.

Every function that submits takes

- `asset` : int, index of the column; `side` : `BUY` or `SELL`; `qty` : float, units, above 0;
- `tif` : `GTC` (until cancelled), `DAY` (the UTC day on which it becomes active), `IOC` (fills what
  it can at the first open, the rest is cancelled), `FOK` (fills whole at the first open, or is
  cancelled), `GTD` (bars that close at `until`, ns UTC, or before);
- `reduce_only` : never opens a position; `post_only` (limit orders) : never trades as a taker;
- `group` : a fill of one order cancels the other orders of the asset with the same group above 0;
- `parent` : id of an order of the same asset; this order is held until the parent's first fill;

and returns the order's id. `amend` and `cancel` take it, also in the same call of `decide`.

Examples
--------
>>> import numpy as np
>>> import alphalab as al
>>> class Dip(al.Strategy):
...     max_orders = 3
...     def signals(self):
...         return {"close": al.close}
...     @staticmethod
...     def decide(signals, account):
...         if account.row == 0:
...             price = signals.close[0]
...             al.orders.bracket(
...                 account, 0, al.orders.BUY, 2.0, 0.99 * price, 1.02 * price, 0.97 * price
...             )
...         return np.full(signals.close.size, np.nan)
>>> result = al.backtest(Dip(), al.load("sp500").rows(0, 60))
>>> len(result.orders)
3
"""

from __future__ import annotations

import numpy as np

from alphalab.codes import OrderType, RequestKind, TimeInForce
from alphalab.kernels._jit import jit, jit_public

BUY, SELL = np.int64(1), np.int64(-1)
GTC, DAY, IOC, FOK, GTD = (np.int64(x) for x in TimeInForce)
MARKET, LIMIT, STOP, STOP_LIMIT, TAKE_PROFIT, TRAILING = (
    np.int64(OrderType.MARKET),
    np.int64(OrderType.LIMIT),
    np.int64(OrderType.STOP),
    np.int64(OrderType.STOP_LIMIT),
    np.int64(OrderType.TAKE_PROFIT),
    np.int64(OrderType.TRAILING),
)
ON_OPEN, ON_CLOSE = np.int64(OrderType.MARKET_ON_OPEN), np.int64(OrderType.MARKET_ON_CLOSE)
IF_TOUCHED = np.int64(OrderType.LIMIT_IF_TOUCHED)
SUBMIT, AMEND, CANCEL = (np.int64(x) for x in RequestKind)

N_REQUESTS, N_SUBMITTED, N_LOST = 0, 1, 2  # places in `sent`


@jit
def _request(account, kind, order):
    sent = account.sent
    last = account.requests.size - 1  # a spare record takes the requests that do not fit
    r = account.requests[min(sent[N_REQUESTS], last)]
    if sent[N_REQUESTS] == last:
        sent[N_LOST] += 1
    else:
        sent[N_REQUESTS] += 1
    r["kind"] = kind
    r["order"] = order
    r["asset"] = -1
    r["side"] = 0
    r["type"] = 0
    r["qty"] = np.nan
    r["limit"] = np.nan
    r["stop"] = np.nan
    r["trail"] = np.nan
    r["trail_frac"] = np.nan
    r["tif"] = GTC
    r["until"] = 0
    r["reduce_only"] = 0
    r["post_only"] = 0
    r["group"] = 0
    r["parent"] = 0
    return r


@jit
def _submit(account, asset, side, kind, qty, tif, until, reduce_only, group, parent):
    if account.sent[N_REQUESTS] < account.requests.size - 1:
        account.sent[N_SUBMITTED] += 1
    r = _request(account, SUBMIT, account.n_orders + account.sent[N_SUBMITTED])
    r["asset"] = int(asset)
    r["side"] = int(side)
    r["type"] = kind
    r["qty"] = qty
    r["tif"] = int(tif)
    r["until"] = int(until)
    r["reduce_only"] = int(reduce_only)
    r["group"] = int(group)
    r["parent"] = int(parent)
    return r


@jit_public
def market(
    account, asset, side, qty, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Buy or sell at market: at the next open, or where the setting `fill` says."""
    r = _submit(account, asset, side, MARKET, qty, tif, until, reduce_only, group, parent)
    return r["order"]


@jit_public
def market_on_open(
    account, asset, side, qty, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Buy or sell at the next open, for every setting of `fill`."""
    r = _submit(account, asset, side, ON_OPEN, qty, tif, until, reduce_only, group, parent)
    return r["order"]


@jit_public
def market_on_close(
    account, asset, side, qty, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Buy or sell at the close of the next row, for every setting of `fill`."""
    r = _submit(account, asset, side, ON_CLOSE, qty, tif, until, reduce_only, group, parent)
    return r["order"]


@jit_public
def limit(
    account, asset, side, qty, price, tif=GTC, until=0, reduce_only=False, post_only=False,
    group=0, parent=0,
):  # fmt: skip
    """Buy or sell at `price` or better."""
    r = _submit(account, asset, side, LIMIT, qty, tif, until, reduce_only, group, parent)
    r["limit"] = price
    r["post_only"] = int(post_only)
    return r["order"]


@jit_public
def stop(
    account, asset, side, qty, price, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Buy as soon as the price has risen to `price`, or sell as soon as it has fallen to it."""
    r = _submit(account, asset, side, STOP, qty, tif, until, reduce_only, group, parent)
    r["stop"] = price
    return r["order"]


@jit_public
def stop_limit(
    account, asset, side, qty, stop, limit, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Place a limit order at `limit` as soon as the price has reached `stop`."""
    r = _submit(account, asset, side, STOP_LIMIT, qty, tif, until, reduce_only, group, parent)
    r["stop"] = stop
    r["limit"] = limit
    return r["order"]


@jit_public
def take_profit(
    account, asset, side, qty, price, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Sell at market once the price has risen to `price`, or buy once it has fallen to it."""
    r = _submit(account, asset, side, TAKE_PROFIT, qty, tif, until, reduce_only, group, parent)
    r["stop"] = price
    return r["order"]


@jit_public
def limit_if_touched(
    account, asset, side, qty, touch, limit, tif=GTC, until=0, reduce_only=False, group=0, parent=0
):  # fmt: skip
    """Place a limit order at `limit` once the price has fallen to `touch` (a sale: risen to it)."""
    r = _submit(account, asset, side, IF_TOUCHED, qty, tif, until, reduce_only, group, parent)
    r["stop"] = touch
    r["limit"] = limit
    return r["order"]


@jit_public
def trailing_stop(
    account, asset, side, qty, distance=np.nan, fraction=np.nan, tif=GTC, until=0,
    reduce_only=False, group=0, parent=0,
):  # fmt: skip
    """Place a stop that follows the best price at a `distance` (price) or a `fraction` of it."""
    r = _submit(account, asset, side, TRAILING, qty, tif, until, reduce_only, group, parent)
    r["trail"] = distance
    r["trail_frac"] = fraction
    return r["order"]


@jit_public
def bracket(account, asset, side, qty, limit, take_profit, stop_loss):
    """Enter at `limit` (NaN: at market), with a take-profit and a stop held until the entry fills.

    Returns the id of the entry order; the take-profit has the next id, the stop the one after.
    """
    kind = MARKET if np.isnan(limit) else LIMIT
    r = _submit(account, asset, side, kind, qty, GTC, 0, False, 0, 0)
    r["limit"] = limit
    entry = r["order"]
    r = _submit(account, asset, -side, LIMIT, qty, GTC, 0, True, -entry, entry)
    r["limit"] = take_profit
    r = _submit(account, asset, -side, STOP, qty, GTC, 0, True, -entry, entry)
    r["stop"] = stop_loss
    return entry


@jit_public
def amend(
    account, order, qty=np.nan, limit=np.nan, stop=np.nan, distance=np.nan, fraction=np.nan
):  # fmt: skip
    """Change the units still to fill, the limit or the stop of an order; NaN keeps the old value.

    `distance` or `fraction` changes a trailing stop; its best price so far stays.
    """
    r = _request(account, AMEND, int(order))
    r["qty"] = qty
    r["limit"] = limit
    r["stop"] = stop
    r["trail"] = distance
    r["trail_frac"] = fraction


@jit_public
def cancel(account, order):
    """Cancel an order."""
    _request(account, CANCEL, int(order))
