"""Positions and their values for all rows of a run at once: docs/market.md, section 1."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from alphalab.codes import Kind, Posting
from alphalab.config import RunSettings
from alphalab.core.rules import foreign
from alphalab.data.panel.bars import Bars
from alphalab.research.results import series
from alphalab.types import FloatArray, IntArray, Records

#: A change of a position: an execution, or units that came by a split or a reinvested dividend.
CHANGE = np.dtype(
    [
        ("asset", "i8"),  # index into the symbols
        ("row", "i8"),
        ("time", "i8"),  # close time of that row, ns UTC
        ("fill", "i8"),  # which of the fills; -1: no execution
        ("order", "i8"),  # id; 0: no execution
        ("qty", "f8"),  # units, negative when fewer
        ("price", "f8"),  # NaN for a split
        ("rate", "f8"),  # quote currency per unit of the asset's currency
        ("fee", "f8"),  # quote currency
        ("realised", "f8"),  # profit it closed, before its fee
        ("ratio", "f8"),  # of a split; 1 for all others
    ]
)


class Assets(NamedTuple):
    """Kind and multiplier of N assets, which turn their prices into money.

    Every method takes prices or conversion rates, and the indices of their assets; without indices
    the last axis has one entry for each asset.

    Examples
    --------
    >>> future = Assets(np.array([Kind.LINEAR]), np.array([50.0]), np.array([1.0]))
    >>> future.unit(np.array([4000.0]), np.array([1.0]))
    array([200000.])
    """

    kind: IntArray  # (N,), a Kind code
    multiplier: FloatArray  # (N,)
    lot: FloatArray  # (N,), 0: any number of units

    def unit(self, price: FloatArray, rate: FloatArray, asset: Any = ...) -> FloatArray:
        """Return the value of one unit, quote currency."""
        multiplier = self.multiplier[asset]
        inverse = self.kind[asset] == Kind.INVERSE
        worth: FloatArray = np.where(inverse, multiplier / price, price * multiplier) * rate
        return worth

    def basis(self, price: FloatArray, rate: FloatArray, asset: Any = ...) -> FloatArray:
        """Return the basis of a price: its change times `scale` is the profit of one unit."""
        kind = self.kind[asset]
        return np.select(
            [kind == Kind.SPOT, kind == Kind.LINEAR], [price * rate, price], -1 / price
        )

    def scale(self, rate: FloatArray, asset: Any = ...) -> FloatArray:
        """Return quote currency per unit of basis."""
        spot = self.kind[asset] == Kind.SPOT
        scale: FloatArray = self.multiplier[asset] * np.where(spot, 1.0, rate)
        return scale


def assets_of(bars: Bars) -> Assets:
    """Return kinds, multipliers and lots of the assets of bars."""
    return Assets(
        np.array([Kind[instrument.kind.upper()] for instrument in bars.instruments], np.int64),
        np.array([instrument.multiplier for instrument in bars.instruments]),
        np.array([instrument.lot for instrument in bars.instruments]),
    )


def marks_of(bars: Bars, settings: RunSettings) -> FloatArray:
    """Return the last known close at every row, (T, N), in the units after splits."""
    mark = series.last_known(bars.close)
    if settings.actions == "none" or mark is bars.close:
        return mark
    ratio = bars.columns["split"]
    total = np.cumprod(np.where(np.isnan(ratio), 1.0, ratio), axis=0)
    gap = np.isnan(bars.close)
    return np.where(gap, series.last_known(bars.close * total) / total, bars.close)


def rates_of(bars: Bars, settings: RunSettings) -> FloatArray:
    """Return quote currency per unit of each asset's currency at every row, (T, N)."""
    rate: FloatArray = np.broadcast_to(1.0, bars.close.shape)
    columns = foreign(settings, bars.instruments)
    if not columns:
        return rate
    rate = rate.copy()
    for j, symbol in enumerate(bars.symbols):
        if symbol in columns:
            rate[:, j] = series.last_known(bars.columns[columns[symbol]][:, j])
    return rate


def closes_to_compare(bars: Bars, settings: RunSettings) -> FloatArray:
    """Return closes, (T, N), whose returns are those of owning each asset, in the quote currency.

    Splits and dividends count if the run applies them: a dividend buys more at the close of its
    row. Contracts are not converted, because their currency is not bought.
    """
    close = bars.close
    if settings.actions != "none":
        split, dividend = bars.columns["split"], bars.columns["dividend"] / close
        grown = np.where(np.isnan(split), 1.0, split) * (
            1.0 + np.where(np.isnan(dividend), 0.0, dividend)
        )
        close = close * np.cumprod(grown, axis=0)
    if foreign(settings, bars.instruments):
        owned = np.array([instrument.kind == "spot" for instrument in bars.instruments])
        close = np.where(owned, close * rates_of(bars, settings), close)
    return close


def asset_returns(bars: Bars) -> FloatArray:
    """Return what owning each asset earns in each row, close to close, (T, N); NaN in the first.

    Splits and dividends count where the bars have them; a return knows no later row.
    """
    close = bars.close
    returns = np.full_like(close, np.nan)
    grown = close[1:] / close[:-1]
    if "split" in bars.columns:
        split = bars.columns["split"][1:]
        grown = grown * np.where(np.isnan(split), 1.0, split)
    if "dividend" in bars.columns:
        paid = bars.columns["dividend"][1:] / close[1:]
        grown = grown * (1.0 + np.where(np.isnan(paid), 0.0, paid))
    returns[1:] = grown - 1.0
    return returns


def changes_of(fills: Records, postings: Records, rates: FloatArray) -> Records:
    """Return all changes of positions, by asset and then in order.

    Parameters
    ----------
    fills : records of `alphalab.types.FILL`
    postings : records of `alphalab.types.POSTED`
        Only splits and reinvestments are used.
    rates : ndarray of shape (T, N)
        Conversion rates.

    Returns
    -------
    records of `CHANGE`
    """
    split, again = (
        postings[postings["kind"] == kind] for kind in (Posting.SPLIT, Posting.REINVESTMENT)
    )
    changes = np.zeros(fills.size + split.size + again.size, CHANGE)
    changes["fill"], changes["ratio"] = -1, 1.0
    fill, came = changes[: fills.size], changes[fills.size :]
    fill["fill"] = np.arange(fills.size)
    for name in ("asset", "row", "time", "order", "qty", "price", "fee", "realised"):
        fill[name] = fills[name]
    for name in ("asset", "row", "time", "qty"):
        came[name] = np.concatenate([split[name], again[name]])
    came["price"] = np.append(np.full(split.size, np.nan), again["rate"])
    came["ratio"][: split.size] = split["rate"]
    changes["rate"] = rates[changes["row"], changes["asset"]]
    kept: Records = changes[np.lexsort((_turns(changes), changes["row"], changes["asset"]))]
    return kept


def _turns(changes: Records) -> IntArray:
    """Return the place of each change among those of its asset and row.

    Postings come before fills, except that the fill that books a holding at the start comes before
    the postings of the first row. It is the first fill of its asset: before any other first fill
    nothing is held, so postings add no units.
    """
    is_fill = changes["fill"] >= 0
    turns = np.where(is_fill, 2 + changes["fill"], 1)
    _, first = np.unique(changes["asset"][is_fill], return_index=True)
    turns[first] = 0  # fills stand before postings here
    turns[~is_fill & (changes["qty"] == 0.0)] = -1
    return turns


def costs_of(changes: Records, assets: Assets) -> FloatArray:
    """Return the change in cost basis per change: quantity times average basis.

    A purchase adds its price. A sale subtracts the average price, which is its own price less the
    profit it realised. A split changes nothing.
    """
    asset, rate = changes["asset"], changes["rate"]
    basis = assets.basis(changes["price"], rate, asset)
    cost = changes["qty"] * basis + changes["realised"] / assets.scale(rate, asset)
    return np.where(np.isnan(changes["price"]), 0.0, cost)


def position_sizes(
    qty: FloatArray, assets: Assets, marks: FloatArray, rates: FloatArray
) -> FloatArray:
    """Return quantity times the value of a unit at the mark, (T, N)."""
    unit = assets.unit(marks, rates)
    return np.multiply(qty, unit, out=np.zeros(qty.shape), where=qty != 0)


def position_values(
    qty: FloatArray, assets: Assets, marks: FloatArray, rates: FloatArray, changes: Records
) -> FloatArray:
    """Return what each position adds to equity, (T, N): a contract its open profit."""
    sizes = position_sizes(qty, assets, marks, rates)
    spot = assets.kind == Kind.SPOT
    if spot.all():
        return sizes
    cost = np.zeros(sizes.shape)
    np.add.at(cost, (changes["row"], changes["asset"]), costs_of(changes, assets))
    cost = np.cumsum(cost, axis=0)
    basis = assets.basis(marks, rates)
    profit = (qty * basis - cost) * assets.scale(rates)
    return np.where(spot | (qty == 0), sizes, profit)
