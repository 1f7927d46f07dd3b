"""Bars made of single trades: of time, of a number of trades, of volume, of value, of imbalance."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphalab.data.formats.notes import Note
from alphalab.data.panel.bars import Bars
from alphalab.data.trades.bar_maker import BarsBy, Imbalance, TradeBars
from alphalab.data.trades.trades import trades_of
from alphalab.errors import DataError
from alphalab.types import Instrument

_SIZES = {"tick": "trades", "volume": "units", "dollar": "units of money"}

#: Columns of bars, and the fields of finished bars that they come from.
_COLUMNS = {
    **{name: name for name in ("open", "high", "low", "close", "volume")},
    **{"n_trades": "n", "buy_volume": "bought", "traded_value": "value"},
}


def trade_bars(
    trades: Any,
    by: BarsBy = "time",
    size: str | float = "1m",
    *,
    symbol: str | None = None,
    offset: str | None = None,
    imbalance: Imbalance | None = None,
    instrument: Instrument | None = None,
) -> Bars:
    """Make bars of the trades of one symbol.

    A bar ends with the last trade of the time stamp at which it is full, and is finished when a
    later trade arrives: the unfinished last bar is left out. The excess of a bar over its size does
    not count for the next one.

    Parameters
    ----------
    trades : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
        A table as `Store.read("trades")` returns it, or a file of one: columns time, price, amount,
        id, and side (``"buy"`` or ``"sell"``, of the one who took; empty: unknown), by these or
        their usual other names. In the order of time; those of one time are taken in the order of
        their ids where all are whole numbers, else as they come.
    by : str
        What makes a bar full:

        - ``"time"``: its window. `size` is text such as ``"1m"``; labels are those of the windows'
          ends, and windows without trades make no bar.
        - ``"tick"``, ``"volume"``, ``"dollar"``: `size` trades, units, or price times units.
        - ``"tick_imbalance"``, ``"volume_imbalance"``, ``"dollar_imbalance"``: an imbalance of
          signs, signed units or signed value that was not expected. `size` is the number of trades
          that the first bar expects.
    size : str or float
        As above.
    symbol : str, optional
        Which one, of a table with several; the name, for a table without names.
    offset : str, optional
        By how much windows of time begin later than multiples since 1970, UTC.
    imbalance : Imbalance, optional
        What imbalance bars expect.
    instrument : Instrument, optional
        Of the symbol.

    Returns
    -------
    Bars
        With the further columns ``n_trades``, ``buy_volume`` (units that buyers took; NaN where the
        side of a trade is unknown) and ``traded_value`` (price times units; by volume: the mean
        price). Times are those of the last trade, or of the end of the window.

    Raises
    ------
    DataError
        Trades that are unsorted, twice there, or outside their range; several symbols; no bar that
        is finished.
    ParameterError
        A size that does not fit the kind.

    Notes
    -----
    Imbalance bars, M. Lopez de Prado, Advances in Financial Machine Learning (2018), 2.3.2: with
    b_t the sign of a trade (its side or, where that is unknown, by the tick rule: that of the last
    change of the price) and v_t 1, its units or its value, a bar ends at the first time at which
    ``|sum b_t v_t| >= E[T] |E[b_t v_t]|``. E[T] is the exponential mean of the numbers of trades of
    the bars before, which begins at `size`; E[b_t v_t] that of the trades of the bars before. A bar
    has `Imbalance.least` to `most` trades, which the book does not say.

    Examples
    --------
    >>> import pandas as pd
    >>> trades = pd.DataFrame({
    ...     "time": pd.to_datetime(["2024-01-02T10:00:10", "2024-01-02T10:00:40",
    ...                             "2024-01-02T10:01:00", "2024-01-02T10:01:05"]),
    ...     "id": ["1", "2", "3", "4"], "side": ["buy", "sell", "buy", "buy"],
    ...     "price": [10.0, 12.0, 11.0, 13.0], "amount": [1.0, 2.0, 3.0, 4.0],
    ... })
    >>> bars = trade_bars(trades, "time", "1m", symbol="ACME")
    >>> bars.end, bars.high.item(), bars.volume.item(), bars["buy_volume"].item()
    ('2024-01-02T10:01:00Z', 12.0, 6.0, 4.0)
    """
    maker = TradeBars(by, size, offset=offset, imbalance=imbalance)
    given = trades_of(trades, symbol)
    made = maker.push(given.time, given.price, given.amount, given.side)
    if not made.size:
        raise DataError(
            f"{len(given.time):,} trades finish no {by} bar of {size}",
            rule="a bar is finished when a trade of a later time than its last comes.",
        )
    kind = f"bars of {_words(by, size)} made of {len(given.time):,} trades"
    last = f"the last bar is not finished: its trades, {maker.n_waiting:,}, are left out"
    return Bars(
        made["time"],
        (given.symbol,),
        {name: made[field].astype(np.float64).reshape(-1, 1) for name, field in _COLUMNS.items()},
        instruments=None if instrument is None else (instrument,),
        source="trades",
        notes=(Note("source", kind), Note("unfinished", last), *given.notes),
    )


def _words(by: str, size: str | float) -> str:
    if by == "time":
        return str(size)
    if by in _SIZES:
        return f"{size:,} {_SIZES[by]}"
    return f"{by.replace('_', ' ')}, {size:,} trades expected at first"
