"""The bar columns that a run reads, and the checks of the rows that are pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphalab.config import RunSettings
from alphalab.core.rules import foreign
from alphalab.errors import DataError, UnknownNameError
from alphalab.settings import (
    FIRST_YEAR,
    LAST_YEAR,
    LEAST_PRICE,
    LEAST_SPLIT,
    MOST_DIVIDEND,
    MOST_PRICE,
    MOST_SPLIT,
)
from alphalab.types import DELISTING, NEVER, FloatArray, Instrument, IntArray

FIRST_TIME = int(np.datetime64(f"{FIRST_YEAR}", "ns").astype(np.int64))
LAST_TIME = int(np.datetime64(f"{LAST_YEAR}-12-31", "ns").astype(np.int64))
_BOUNDS = f"between {LEAST_PRICE:g} and {MOST_PRICE:g}"
_MOST_VOLUME = 1e30  # units
_MOST_FUNDING = 1e3
HOUR_NS = 3_600_000_000_000
_REMEDIES = {
    "funding": "Add it with bars.with_funding(...), or set funding_hours=0.",
    "split": 'Add it with bars.with_actions(...), or run with actions="none".',
    "dividend": 'Add it with bars.with_actions(...), or run with actions="none".',
    "bid": 'Add it with bars.with_columns({"bid": ...}), or run with Costs(quotes="none").',
    "ask": 'Add it with bars.with_columns({"ask": ...}), or run with Costs(quotes="none").',
    "volume": "Run without execution=al.Execution(participation=...).",
}


def market_columns(
    settings: RunSettings, instruments: Sequence[Instrument], inside: bool, external: bool
) -> tuple[str, ...]:
    """Return the columns of a bar that the step reads.

    `inside`: orders can fill inside bars. `external`: a venue outside reports fills and postings.
    """
    quotes = [name for name in ("bid", "ask") if settings.costs.quotes in ("both", name)]
    if external:
        return ("close", *quotes)
    names = ["open", "close"]
    if inside or settings.margin is not None:
        names += ["high", "low"]
    if settings.execution.participation is not None:
        names.append("volume")
    if any(instrument.funding_hours for instrument in instruments):
        names.append("funding")
    names += quotes
    if settings.actions != "none":
        names += ["split", "dividend"]
    return tuple(names)


def check_rows(
    settings: RunSettings,
    instruments: Sequence[Instrument],
    names: Sequence[str],
    market: Sequence[str],
    account: Any,
    marks: FloatArray,
    time: IntArray,
    columns: Mapping[str, FloatArray],
) -> None:
    """Refuse rows that break a rule.

    Parameters
    ----------
    names, market : sequence of str
        All columns that the run reads, and those among them that the market reads. Volume, funding
        and splits that only a strategy reads have no rule here: an unknown one is NaN.
    account, marks
        The account, and the marks, after the last row.
    """
    last = int(account["row_time"])
    _check_time(time, last)
    if time.size and time[0] < account["time"]:
        raise DataError(
            f"a row that ends at {stamp(int(time[0]))}, after reports of the row that ends at "
            f"{stamp(int(account['time']))}",
            rule="a report belongs to the row in progress, which is pushed next.",
        )
    shape = (time.size, len(instruments))
    for name in names:
        if name not in columns:
            raise UnknownNameError(
                "column",
                name,
                columns,
                fix=_REMEDIES.get(name, "Add a column of your own with bars.with_columns({...})."),
            )
        if np.shape(columns[name]) != shape:
            raise DataError(
                f"column {name!r} of shape {np.shape(columns[name])}",
                rule=f"a column has one value per row and asset: {shape}.",
            )
    check = _Cells(instruments, time)
    for name in ("open", "high", "low", "close", "bid", "ask"):
        if name in names:
            x = columns[name]
            check.refuse(name, x, beyond(x, LEAST_PRICE, MOST_PRICE), f"a price lies {_BOUNDS}")
    if DELISTING in columns:
        x = columns[DELISTING]
        inverse = np.array([instrument.kind == "inverse" for instrument in instruments])
        bad = beyond(x, 0.0, MOST_PRICE) | ((x == 0.0) & inverse)
        check.refuse(DELISTING, x, bad, "a delisting pays a finite price of at least 0")
    listed = ~np.isnan(columns["close"])
    if "volume" in market:
        x = columns["volume"]
        bad = listed & ~((x >= 0.0) & (x <= _MOST_VOLUME))
        said = f"with participation every bar has a volume, and it is at most {_MOST_VOLUME:g}"
        check.refuse("volume", x, bad, said)
    for symbol, name in foreign(settings, instruments).items():
        j = [instrument.symbol for instrument in instruments].index(symbol)
        x, bad = columns[name], np.zeros(shape, np.bool_)
        bad[:, j] = listed[:, j] & ~((x[:, j] >= LEAST_PRICE) & (x[:, j] <= MOST_PRICE))
        check.refuse(name, x, bad, f"every bar has a conversion rate, {_BOUNDS}")
    if "split" in market:
        _check_actions(check, instruments, columns)
    if "funding" in market:
        x = columns["funding"]
        known = np.maximum.accumulate(listed, axis=0) | ~np.isnan(marks)
        due = due_funding(time, last, instruments)
        missing = due & known & np.isnan(x)
        check.refuse("funding", x, missing, "a funding rate is known where it is due")
        said = f"a funding rate is a fraction between -{_MOST_FUNDING:g} and {_MOST_FUNDING:g}"
        check.refuse("funding", x, np.abs(x) > _MOST_FUNDING, said)
        if last == NEVER:
            due[:1] = True  # whether funding was due since the row before it is not known
        extra = ~due & ~np.isnan(x) & (x != 0.0)
        check.refuse("funding", x, extra, "a funding rate stands only where one is due")


def due_funding(time: IntArray, last: int, instruments: Sequence[Instrument]) -> NDArray[np.bool_]:
    """Return where funding is due, (R, N).

    A multiple of the asset's funding hours lies between the row before (included) and the row
    (excluded).
    """
    due = np.zeros((time.size, len(instruments)), np.bool_)
    if not time.size:
        return due
    before = np.concatenate([[time[0] if last == NEVER else last], time[:-1]])
    for j, instrument in enumerate(instruments):
        if instrument.funding_hours:
            span = round(instrument.funding_hours * HOUR_NS)
            due[:, j] = -(-time // span) > -(-before // span)
    return due


def stamp(time: int) -> str:
    """Return a time, ns UTC, as text."""
    return str(np.datetime64(time, "ns"))


def _check_time(time: IntArray, last: int) -> None:
    if time.ndim != 1 or time.dtype != np.int64:
        raise DataError(
            f"times of type {time.dtype} and shape {time.shape}",
            rule="time is one int64 per row, nanoseconds UTC.",
        )
    if time.size and (time[0] < FIRST_TIME or time[-1] > LAST_TIME):
        first, end = (stamp(int(t)) for t in (time[0], time[-1]))
        raise DataError(
            f"rows from {first} to {end}",
            rule=f"times lie in the years {FIRST_YEAR} to {LAST_YEAR}.",
        )
    backwards = time.size > 1 and (time[1:] <= time[:-1]).any()
    if time.size and (time[0] <= last or backwards):
        raise DataError(
            f"rows from {stamp(int(time[0]))}, after {stamp(last)}",
            rule="rows are pushed in strictly increasing time.",
        )


def _check_actions(
    check: _Cells, instruments: Sequence[Instrument], columns: Mapping[str, FloatArray]
) -> None:
    split, dividend = columns["split"], columns["dividend"]
    said = f"a split ratio lies between {LEAST_SPLIT:g} and {MOST_SPLIT:g}"
    check.refuse("split", split, beyond(split, LEAST_SPLIT, MOST_SPLIT), said)
    said = f"a dividend lies between 0 and {MOST_DIVIDEND:g}"
    check.refuse("dividend", dividend, beyond(dividend, 0.0, MOST_DIVIDEND), said)
    contracts = np.array([instrument.kind != "spot" for instrument in instruments])
    for name in ("split", "dividend"):
        x = columns[name]
        check.refuse(name, x, ~np.isnan(x) & contracts, "splits and dividends are for spot")


def beyond(x: FloatArray, least: float, most: float) -> NDArray[np.bool_]:
    """Return where known numbers lie outside of bounds."""
    return (x < least) | (x > most)


class _Cells:
    """Raises for the first cell that breaks a rule."""

    def __init__(self, instruments: Sequence[Instrument], time: IntArray) -> None:
        self.instruments = instruments
        self.time = time

    def refuse(self, name: str, values: FloatArray, bad: NDArray[np.bool_], rule: str) -> None:
        if not np.count_nonzero(bad):  # a third of the time of `any`, for one row
            return
        row, asset = np.argwhere(bad)[0]
        raise DataError(
            f"{name} of {self.instruments[asset].symbol!r} in row {row} of this push "
            f"({np.datetime64(int(self.time[row]), 'ns').astype('M8[s]')}): {values[row, asset]:g}",
            rule=f"{rule}.",
            fix=_REMEDIES.get(name, ""),
        )
