"""Checks of tables of events: trades, funding rates, splits and dividends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from alphalab.data.clock.times import NS_SECOND, duration_text, iso
from alphalab.data.quality import assets, cells, prices
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.reading import Events
from alphalab.data.quality.report import Report
from alphalab.data.quality.series import Hit, Series
from alphalab.data.quality.settings import QualitySettings
from alphalab.types import FloatArray

#: Exchanges cap funding rates below this: a larger one is probably a percentage.
_LARGEST_RATE = 0.04
#: A gap between trades is reported if it is this many times the 99.9 % quantile of all gaps.
_SILENCE = 10.0


def check_events(events: Events, settings: QualitySettings, funding_hours: float = 0.0) -> Verdict:
    """Check a table of events.

    Parameters
    ----------
    events : Events
    settings : QualitySettings
    funding_hours : float
        Hours between two fundings; 0: as the rates are apart.

    Examples
    --------
    >>> time = np.array([0, 8, 24]) * 3_600_000_000_000
    >>> rates = Events("funding", "", ("X",), np.zeros(3, int), time, {"rate": np.full(3, 1e-4)})
    >>> print(check_events(rates, QualitySettings(), 8.0).findings[0])
    funding (X): 1 of 4 fundings have no rate, the first is that of 1970-01-01T16:00:00Z, ...
    """
    report = Report(settings)
    for s, ids in events.series(settings):
        report.add(s, cells.order(s))
        if events.kind == "trades":
            _trades(s, ids, report)
        else:
            s, hits = cells.in_order(s)
            report.add(s, hits)
            if events.kind == "funding":
                once = s.take(cells.once(s))
                _funding(once, funding_hours, report)
            else:
                report.add(s, _actions(s))
    time = events.time
    return Verdict(
        source=events.source,
        kind=events.kind,
        n_rows=len(time),
        symbols=events.symbols,
        start=int(time.min()),
        end=int(time.max()),
        findings=report.sorted(len(events.symbols)),
        skipped=report.reasons(len(events.symbols)),
        settings=settings.canonical_json(),
    )


def _funding(s: Series, hours: float, report: Report) -> None:
    rate = s.columns["rate"]
    report.add(s, assets.funding_of_rates(s, rate, hours))
    large = np.flatnonzero(np.abs(rate) > _LARGEST_RATE)
    if large.size:
        at = int(large[np.argmax(np.abs(rate[large]))])
        text = (
            f"{large.size:,} rates are above {_LARGEST_RATE:g}, the largest is {rate[at]:g} in row "
            f"{s.number[at]} ({iso(s.time[at])}): a rate is a fraction, 0.0001 is a basis point"
        )
        report.add(s, [Hit("outliers", large, text)])


def _trades(s: Series, ids: Any, report: Report) -> None:
    report.add(s, _trade_cells(s))
    if ids is not None:
        report.add(s, _trade_ids(s, ids))
    price = s.columns["price"]
    sound = np.flatnonzero((price > 0) & np.isfinite(price))
    sound = sound[np.argsort(s.time[sound], kind="stable")]
    four = dict.fromkeys(("open", "high", "low", "close"), price[sound])
    panel = Series(
        s.symbol,
        s.time[sound],
        {**four, "volume": s.columns["amount"][sound]},
        s.number[sound],
        s.settings,
    )
    for rule in (prices.outliers, prices.shifts, _silences):
        report.add(panel, rule(panel))


def _trade_cells(s: Series) -> Iterator[Hit]:
    for name, values in s.columns.items():
        for rule, bad, words in (
            ("missing_values", np.isnan(values), "is not known"),
            ("nonpositive", (values <= 0) | np.isinf(values), "is not finite and above 0"),
        ):
            rows = np.flatnonzero(bad)
            if rows.size:
                at = int(rows[0])
                text = f"{name} {words} in {rows.size:,} rows, the first is row {s.number[at]}"
                yield Hit(rule, rows, f"{text} ({iso(s.time[at])})")


def _trade_ids(s: Series, ids: Any) -> Iterator[Hit]:
    order = np.argsort(ids, kind="stable")
    again = order[1:][ids[order][1:] == ids[order][:-1]]
    first = order[:-1][ids[order][1:] == ids[order][:-1]]
    same = s.time[again] == s.time[first]
    for values in s.columns.values():
        same &= values[again] == values[first]
    for rule, rows, words in (
        ("duplicates", np.sort(again[same]), "are there twice"),
        ("conflicting_duplicates", np.sort(again[~same]), "are there with other values"),
    ):
        if rows.size:
            at = int(rows[0])
            text = f"{rows.size:,} trades {words}, the first is {ids[at]!r} in row {s.number[at]}"
            yield Hit(rule, rows, text)
    if s.enough and np.char.isdecimal(ids).all() and max(map(len, ids)) < 18:
        numbers = np.unique(ids.astype(np.int64))
        holes = np.diff(numbers) - 1
        # Venues that number all markets together skip more ids than they use.
        if 0 < holes.sum() < 0.1 * numbers.size:
            at = int(np.argmax(holes > 0))
            row = np.flatnonzero(ids == str(numbers[at + 1]))
            text = (
                f"{int(holes.sum()):,} numbers between {numbers[0]} and {numbers[-1]} are left out "
                f"in {int((holes > 0).sum()):,} places, the first after {numbers[at]}"
            )
            yield Hit("ids", row, text, int(holes.sum()))


def _silences(s: Series) -> Iterator[Hit]:
    if not s.enough or s.n < 2:
        return
    steps = np.diff(s.time)
    usual = float(np.quantile(steps, 0.999, method="lower"))
    rows = 1 + np.flatnonzero(steps > max(_SILENCE * usual, 3_600 * NS_SECOND))
    if rows.size:
        at = int(rows[np.argmax(steps[rows - 1])])
        text = (
            f"{rows.size:,} silences are far longer than usual; the longest lasts "
            f"{duration_text(int(steps[at - 1]) // NS_SECOND * NS_SECOND)}, from "
            f"{iso(s.time[at - 1])} to row {s.number[at]} ({iso(s.time[at])})"
        )
        yield Hit("gaps", rows, text)


def _actions(s: Series) -> Iterator[Hit]:
    split = s.columns.get("split")
    if split is not None:
        yield from _not_above_0(s, "split", split, split <= 0)
    dividend = s.columns.get("dividend")
    if dividend is not None:
        yield from _not_above_0(s, "dividend", dividend, dividend < 0)
    unknown = np.logical_and.reduce([np.isnan(values) for values in s.columns.values()])
    rows = np.flatnonzero(unknown)
    if rows.size:
        text = f"{rows.size:,} rows have neither split nor dividend, first row {s.number[rows[0]]}"
        yield Hit("missing_values", rows, text)


def _not_above_0(s: Series, name: str, values: FloatArray, bad: Any) -> Iterator[Hit]:
    rows = np.flatnonzero(bad)
    if rows.size:
        at = int(rows[0])
        text = f"{name} is {values[at]:g} in row {s.number[at]} ({iso(s.time[at])})"
        yield Hit(
            "nonpositive", rows, f"{text}, and {rows.size - 1:,} more" if rows[1:].size else text
        )
