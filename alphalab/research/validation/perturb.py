"""Other futures: bars and tables whose rows after a cut are dropped or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError, UnknownNameError
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

How = Literal["drop", "nan", "shuffle", "scale", "sign"]

#: Every way to change the future: to leave it out, make it unknown, put its rows in another order,
#: multiply it, turn its direction.
HOWS: tuple[How, ...] = get_args(How)

_FACTOR = 1.37
_PRICES = ("open", "high", "low", "close")
#: Columns of events keep their values: no venue pays a negative dividend.
_EVENTS = frozenset({"split", "dividend", "delisting", "funding", "member"})


def perturbed(bars: Bars, cut: int, how: How, seed: int = 0) -> Bars:
    """Return bars with another future: rows up to `cut` are the same, those after it are not.

    Parameters
    ----------
    bars : Bars
    cut : int
        The last row that stays, before the last row of the bars.
    how : {"drop", "nan", "shuffle", "scale", "sign"}
        ``sign`` reflects positive columns on a log scale about their value at the cut, so that a
        rise becomes a fall, and negates the others. Columns of events (split, dividend,
        delisting, funding, member) are dropped and shuffled only.
    seed : int
        Of the shuffle.

    Raises
    ------
    ParameterError
        A cut after which there is no row.
    UnknownNameError
        A way that does not exist.

    Examples
    --------
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> bars = synthetic(100, 1)
    >>> changed = perturbed(bars, 59, "sign")
    >>> bool((changed.close[:60] == bars.close[:60]).all()), changed.close[60] == bars.close[60]
    (True, array([False]))
    """
    if how not in HOWS:
        raise UnknownNameError("way to change the future", how, HOWS)
    if not 0 <= cut < bars.n_rows - 1:
        raise ParameterError(
            f"cut={cut} of {bars.n_rows} rows", rule=f"0 <= cut < {bars.n_rows - 1}."
        )
    if how == "drop":
        return bars.rows(0, cut + 1)
    order = np.random.default_rng(seed).permutation(bars.n_rows - cut - 1)
    prices = _centre(bars.close, cut)
    columns = {
        name: _changed(values, cut, how, order, prices if name in _PRICES else _centre(values, cut))
        for name, values in bars.columns.items()
        if how == "shuffle" or name not in _EVENTS
    }
    if how == "sign":  # the lowest price becomes the highest
        columns["high"], columns["low"] = columns["low"], columns["high"]
        columns["high"][: cut + 1], columns["low"][: cut + 1] = (
            bars.columns[name][: cut + 1] for name in ("high", "low")
        )
    return bars.joined(columns)


def _changed(
    values: FloatArray, cut: int, how: How, order: IntArray, centre: FloatArray
) -> FloatArray:
    """Return a column, (T, N), with other values after the cut."""
    out = values.copy()
    after = out[cut + 1 :]
    if how == "nan":
        after[:] = np.nan
    elif how == "shuffle":
        after[:] = values[cut + 1 :][order]
    elif how == "scale":
        after *= _FACTOR
    elif np.nanmin(values, initial=np.inf) > 0.0:
        after[:] = centre**2 / after
    else:
        after *= -1.0
    return out


def _centre(values: FloatArray, cut: int) -> FloatArray:
    """Return the last known value up to the cut, or the first one after it, of each asset."""
    known = np.isfinite(values)
    last = np.where(known[: cut + 1], np.arange(cut + 1)[:, np.newaxis], -1).max(axis=0)
    first = np.argmax(known, axis=0)
    row = np.where(last >= 0, last, first)
    return np.take_along_axis(values, row[np.newaxis], axis=0)


def perturbed_table(table: pd.DataFrame, moment: int, how: How, seed: int = 0) -> pd.DataFrame:
    """Return a table with other values in the rows that were not known at a moment.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column ``known`` or, without one, ``time``: when each row became known, UTC.
    moment : int
        ns UTC.
    how : {"drop", "nan", "shuffle", "scale", "sign"}
        Columns that are not numbers stay as they are, unless their rows are dropped.
    seed : int

    Raises
    ------
    DataError
        A table without such a column.
    """
    import pandas as pd

    name = next((name for name in ("known", "time") if name in table.columns), "")
    if not name:
        raise DataError(
            f"a table with the columns {', '.join(map(str, table.columns))}",
            rule="a column 'known', or 'time', says when each row became known.",
        )
    known = pd.to_datetime(table[name], utc=True)
    later = np.asarray(known > pd.Timestamp(moment, tz="UTC"))
    if how == "drop":
        return table.loc[~later]
    out = table.copy()
    order = np.random.default_rng(seed).permutation(int(later.sum()))
    for column in out.columns[[pd.api.types.is_numeric_dtype(kind) for kind in out.dtypes]]:
        values = out[column].to_numpy(np.float64, copy=True)
        values[later] = _other(values[later], how, order)
        out[column] = values
    return out


def _other(values: FloatArray, how: How, order: IntArray) -> FloatArray:
    if how == "nan":
        return np.full(values.shape, np.nan)
    if how == "shuffle":
        return values[order]
    return values * (_FACTOR if how == "scale" else -1.0)
