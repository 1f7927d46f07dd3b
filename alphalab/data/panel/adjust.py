"""Prices adjusted for splits and dividends."""

from __future__ import annotations

import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.formats.notes import Note
from alphalab.data.panel.panel import Panel
from alphalab.data.panel.rules import PRICES
from alphalab.errors import DataError
from alphalab.types import FloatArray


def adjusted_columns(
    bars: Panel, dividends: bool, ahead: tuple[FloatArray, FloatArray] | None
) -> dict[str, FloatArray]:
    """Return the columns of bars, (T, N) each, with prices and volume adjusted.

    Prices before a split are divided by it and volume is multiplied by it; prices before a dividend
    are multiplied by 1 less its share of the last close. The last bar stays as it was. The
    columns of both are dropped, so that nothing is booked twice; other columns stay.

    Parameters
    ----------
    bars : Bars
        Unadjusted prices with the columns ``split`` and ``dividend``, or one of them.
    dividends : bool
        True to adjust for dividends as well. Returns are then those of a position that reinvests
        dividends in the same asset, at the close before less the dividend.
    ahead : pair of ndarray of shape (N,), optional
        Splits and dividends before the next bar; NaN where there is none.

    Raises
    ------
    DataError
        Bars without these columns (`Bars.with_actions` adds them), or a dividend that is not below
        the price it is paid from.
    """
    if not {"split", "dividend"} & bars.columns.keys():
        raise DataError(
            f"{bars.source or 'the bars'}: no column split or dividend",
            rule="prices are adjusted by the columns split and dividend.",
            fix="Add them with bars.with_actions(...).",
        )
    split, paid = (_with_row_ahead(bars, name, ahead) for name in ("split", "dividend"))
    split = np.where(np.isnan(split), 1.0, split)
    paid = np.nan_to_num(paid) if dividends else np.zeros_like(paid)
    share = paid * split / _close_before(bars.close)
    share[np.isnan(share)] = 0.0  # before the first price
    _check_share(bars, paid, share)
    columns = {
        name: values for name, values in bars.columns.items() if name not in ("split", "dividend")
    }
    to_price = _product_of_later((1 - share) / split)
    for name in PRICES:
        columns[name] = bars.columns[name] * to_price
    columns["volume"] = bars.volume * _product_of_later(split)
    return columns


def adjusted_note(dividends: bool, as_of: str) -> Note:
    """Return the note about adjusted prices.

    Examples
    --------
    >>> adjusted_note(False, "2014-06-06").text
    'prices are adjusted for splits (dividends are left out) as of 2014-06-06: ...'
    """
    what = "splits and dividends" if dividends else "splits (dividends are left out)"
    return Note(
        "adjusted",
        f"prices are adjusted for {what} as of {as_of}: earlier prices are not those that traded",
    )


def _with_row_ahead(
    bars: Panel, name: str, ahead: tuple[FloatArray, FloatArray] | None
) -> FloatArray:
    """Return a column with one more row, (T + 1, N), for the events before the next bar."""
    nothing = np.full((1, bars.n_symbols), np.nan)
    given = bars.columns.get(name)
    body = np.repeat(nothing, bars.n_rows, axis=0) if given is None else given
    last = nothing if ahead is None else ahead[name == "dividend"][None]
    return np.vstack((body, last))


def _product_of_later(factor: FloatArray) -> FloatArray:
    """Return for each of T rows the product of the factors in the rows after it, of T + 1."""
    result: FloatArray = np.multiply.accumulate(factor[::-1])[::-1][1:]
    return result


def _check_share(bars: Panel, paid: FloatArray, share: FloatArray) -> None:
    if (share >= 1).any():
        row, asset = np.argwhere(share >= 1)[0]
        when = iso(bars.time[row]) if row < bars.n_rows else "the next"
        raise DataError(
            f"{bars.symbols[asset]!r}: a dividend of {paid[row, asset]:g} in row {row} ({when})",
            rule="a dividend is below the price it is paid from.",
        )


def _close_before(close: FloatArray) -> FloatArray:
    """Return the last known close before each row and after the last, (T + 1, N); NaN: none yet."""
    known = np.where(np.isnan(close), 0, np.arange(len(close))[:, None])
    last = np.maximum.accumulate(known, axis=0)
    filled = np.take_along_axis(close, last, axis=0)
    result: FloatArray = np.vstack((np.full((1, close.shape[1]), np.nan), filled))
    return result
