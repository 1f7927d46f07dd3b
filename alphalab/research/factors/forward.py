"""Returns that a decision at each row can earn: from the next open on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError
from alphalab.types import DELISTING, FloatArray


def checked_horizons(horizons: Iterable[int], n_rows: int) -> tuple[int, ...]:
    """Return horizons, sorted.

    Raises
    ------
    ParameterError
        None, one that is not an integer of at least 1, or one that the rows do not hold.
    """
    given = sorted(set(horizons))
    if not given or any(isinstance(h, bool) or int(h) != h or h < 1 for h in given):
        raise ParameterError(
            f"horizons={given!r}", rule="horizons are integers of at least 1: rows that are held."
        )
    if given[-1] > n_rows - 2:
        raise ParameterError(
            f"horizon {given[-1]} of {n_rows:,} rows",
            rule="a position opens at the next open and is held for the horizon, so the rows hold "
            "at least two more.",
            fix=f"Use horizons of at most {max(n_rows - 2, 0)}, or more rows.",
        )
    return tuple(int(h) for h in given)


def forward_returns(bars: Bars, horizon: int) -> FloatArray:
    """Return what a position of `horizon` rows earns that is decided at the close of each row.

    It is bought at the next open and sold at the open `horizon` rows later, so the price that the
    decision has seen is never traded.

    Parameters
    ----------
    bars : Bars
        Prices before splits and dividends are adjusted for them first. A symbol that is delisted
        while held is sold at its cash price.
    horizon : int
        Rows that the position is held.

    Returns
    -------
    ndarray of shape (T, N)
        As fractions; NaN where one of the opens is unknown, and in the last ``horizon + 1`` rows.

    Raises
    ------
    ParameterError
        A horizon below 1, or one that the rows do not hold.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500")
    >>> float(forward_returns(bars, 1)[0, 0]) == float(bars.open[2, 0] / bars.open[1, 0] - 1)
    True
    """
    (horizon,) = checked_horizons([horizon], bars.n_rows)
    if {"split", "dividend"} & bars.columns.keys():
        bars = bars.adjusted()
    buy, sell = bars.open, _with_last_prices(bars)
    out = np.full(buy.shape, np.nan)
    out[: -horizon - 1] = sell[horizon + 1 :] / buy[1:-horizon] - 1.0
    return out


def _with_last_prices(bars: Bars) -> FloatArray:
    """Return opens, and the cash price of a delisted symbol from the row of its delisting on."""
    if DELISTING not in bars.columns:
        return bars.open
    opens = bars.open.copy()
    for row, asset in np.argwhere(~np.isnan(bars.columns[DELISTING])):
        after = opens[row:, asset]
        after[np.isnan(after)] = bars.columns[DELISTING][row, asset]
    return opens
