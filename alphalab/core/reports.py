"""Reports of a venue outside: how they are made, and what is checked before they are booked."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from alphalab.codes import Posting, Reason, ReportKind
from alphalab.config import RunSettings
from alphalab.core.rows import FIRST_TIME, LAST_TIME, stamp
from alphalab.errors import DataError, ParameterError
from alphalab.settings import LEAST_PRICE, MOST_PRICE
from alphalab.types import REPORT, Records

_Fields = namedtuple("_Fields", tuple(REPORT.names or ()))  # type: ignore[misc]  # as Python numbers

_OF_AN_ORDER = (
    ReportKind.ACCEPTED,
    ReportKind.TRIGGERED,
    ReportKind.MOVED,
    ReportKind.CANCELLED,
    ReportKind.EXPIRED,
)
_KINDS, _REASONS, _POSTINGS = (frozenset(map(int, x)) for x in (ReportKind, Reason, Posting))
_NUMBERS = ("qty", "filled", "fee", "amount")


def report(kind: ReportKind, *, time: int, **fields: float) -> Records:
    """Return one report as records of shape (1,).

    Parameters
    ----------
    kind : ReportKind
    time : int
        Close time of the row in progress, ns UTC.
    **fields
        The other fields of `alphalab.types.REPORT`. Not given: 0, of `asset` -1, of `stop` and
        `rate` NaN.

    Examples
    --------
    >>> from alphalab.codes import Posting
    >>> paid = report(ReportKind.POSTED, time=60, asset=0, code=Posting.FUNDING, amount=-0.5)
    >>> paid[["kind", "asset", "amount"]].tolist()
    [(8, 0, -0.5)]
    """
    records: Any = np.zeros(1, REPORT)
    records["asset"] = -1
    for name in ("stop", "rate"):
        records[name] = np.nan
    for name, value in {"kind": kind, "time": time, **fields}.items():
        records[name] = value
    return records  # type: ignore[no-any-return]


def check_external(settings: RunSettings) -> None:
    """Refuse settings with which no venue outside can trade."""
    if settings.fill == "same_close":
        raise ParameterError(
            'fill="same_close" with a venue outside',
            rule="an order is sent after the close that decided it.",
            fix='Use fill="next_open".',
        )
    exits = settings.exits
    if exits is not None and (exits.trailing_after or exits.trailing_distance):
        name = "trailing_after" if exits.trailing_after else "trailing_distance"
        raise ParameterError(
            f"Exits({name}={getattr(exits, name)!r}) with a venue outside",
            rule="venues take a trailing stop at a fraction of the best price, from the fill on.",
            fix="Use trailing alone, or a stop_distance.",
        )


def check_reports(reports: Records, n_assets: int, account: Any) -> None:
    """Refuse reports that break a rule, before any of them is booked.

    Parameters
    ----------
    reports : records
        `alphalab.types.REPORT`.
    n_assets : int
    account : record
        `alphalab.types.ACCOUNT`, before them.

    Raises
    ------
    DataError
        The message names the first report that breaks a rule, and the field.
    """
    if getattr(reports, "dtype", None) != REPORT or reports.ndim != 1:
        raise DataError(
            f"reports of type {getattr(reports, 'dtype', type(reports).__name__)}",
            rule="reports are records of alphalab.types.REPORT, of shape (n,).",
        )
    last = max(int(account["time"]), int(account["row_time"]) + 1)
    for place, values in enumerate(reports.tolist()):
        record: Any = _Fields(*values)
        fault = _fault(record, n_assets, last)
        if fault is not None:
            name, rule = fault
            raise DataError(
                f"report {place}: {name}={getattr(record, name)}", rule=f"{name} is {rule}."
            )
        last = record.time


def _fault(record: Any, n_assets: int, last: int) -> tuple[str, str] | None:
    """Return the first field that breaks a rule, and the rule."""
    if record.kind not in _KINDS:
        return "kind", "a code of ReportKind"
    if not max(last, FIRST_TIME) <= record.time <= LAST_TIME:
        return "time", f"the close of a row after the last one: at least {stamp(last)}"
    if not -1 <= record.asset < n_assets:
        return "asset", f"an index from 0 to {n_assets - 1}, or -1 for the account"
    if record.order < 0 or (record.kind in _OF_AN_ORDER and record.order == 0):
        return "order", "the id of an order"
    for name in _NUMBERS:
        if not math.isfinite(getattr(record, name)):
            return name, "a finite number"
    if not (math.isnan(record.rate) or LEAST_PRICE <= record.rate <= MOST_PRICE):
        return "rate", f"NaN, or between {LEAST_PRICE:g} and {MOST_PRICE:g}"
    # A stop may follow a price at a distance above it.
    if not (math.isnan(record.stop) or abs(record.stop) <= MOST_PRICE):
        return "stop", f"NaN, or between {-MOST_PRICE:g} and {MOST_PRICE:g}"
    return _fault_of_kind(record)


def _fault_of_kind(record: Any) -> tuple[str, str] | None:
    kind = ReportKind(record.kind)
    trades = kind is ReportKind.EXECUTED or (kind is ReportKind.ADJUSTED and record.qty != 0.0)
    of_asset = trades or kind in _OF_AN_ORDER
    if of_asset and record.asset < 0:
        return "asset", f"the asset of a report of kind {kind.name}"
    if trades and record.qty == 0.0:
        return "qty", "the units that came or went"
    if kind is ReportKind.EXECUTED and record.order > 0 and not record.filled > 0.0:
        return "filled", "above 0"
    if trades and not LEAST_PRICE <= record.price <= MOST_PRICE:
        return "price", f"between {LEAST_PRICE:g} and {MOST_PRICE:g}"
    if kind is ReportKind.POSTED:
        return _fault_of_posting(record)
    if kind is ReportKind.COMMAND and record.code not in (0, Reason.COMMANDED):
        return "code", "COMMANDED or 0"
    return None if record.code == 0 or record.code in _REASONS else ("code", "0 or a Reason")


def _fault_of_posting(record: Any) -> tuple[str, str] | None:
    if record.code not in _POSTINGS:
        return "code", "a code of Posting"
    if not math.isfinite(record.price):
        return "price", "a finite number"
    if record.code in (Posting.SPLIT, Posting.REINVESTMENT):
        if record.asset < 0:
            return "asset", f"the asset of a {Posting(record.code).name}"
        if not record.price > 0.0:
            return "price", "above 0"
    return None
