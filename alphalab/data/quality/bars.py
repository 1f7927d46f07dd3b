"""Checks of bars, and of rows before they become bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from alphalab.data.clock.times import NS_DAY, bar_spacing
from alphalab.data.panel.panel import Panel
from alphalab.data.panel.rows import Rows
from alphalab.data.quality import assets, cells, clock, gaps, prices, volumes
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.report import Report
from alphalab.data.quality.series import Series
from alphalab.data.quality.settings import QualitySettings
from alphalab.errors import DataError
from alphalab.sessions import ALWAYS
from alphalab.types import FloatArray, Instrument, IntArray

Splits = Mapping[str, tuple[IntArray, FloatArray]]

_LIKE = (
    *("stale", "outliers", "splits", "jumps", "zero_volume", "volume_spikes"),
    *("off_grid", "spacing"),
)
_CLOCK = ("gaps", "off_session", "zone", "label")


def check_bars(
    data: Panel | Rows,
    settings: QualitySettings,
    *,
    exact: bool,
    calendar: str | None = None,
    interval: int | None = None,
    splits: Splits | None = None,
    progress: bool = False,
) -> Verdict:
    """Check bars against the rules.

    Parameters
    ----------
    data : Bars or Rows
        The rules that `Bars` enforce are checked of rows only.
    settings : QualitySettings
    exact : bool
        True to look up the sessions of exchanges: about a second for each calendar, once.
    calendar : str, optional
        Of all symbols. Not given: those of the instruments.
    interval : int, optional
        Length of a bar, ns. Not given: the most frequent step between rows.
    splits : mapping of str to tuple of ndarray, optional
        By symbol, times in ns UTC and new units for an old one. Not given: the column ``split``.
    progress : bool
        Show a progress bar on stderr: symbols.

    Raises
    ------
    UnknownNameError
        No such calendar; near names are suggested.
    """
    instruments = {i.symbol: i for i in data.instruments} if isinstance(data, Panel) else {}
    series = list(series_of(data, settings))
    step = interval or _interval(series)
    report = Report(settings)
    done: list[Series] = []
    for raw in _shown(series) if progress else series:
        known = instruments.get(raw.symbol, Instrument(symbol=raw.symbol))
        s = replace(
            raw,
            interval=step,
            calendar=calendar or known.calendar,
            funding_hours=known.funding_hours,
            splits=(splits or {}).get(raw.symbol) or _splits_of(raw),
        )
        if isinstance(data, Rows):
            s = _as_it_is(s, report)
            report.add(s, clock.whole_days_by_open(s))
        _one(s, report, exact)
        _funding(data, s, report)
        done.append(s)
    times = [s.time for s in done if s.n]
    start = min((int(time[0]) for time in times), default=None)
    end = max((int(time[-1]) for time in times), default=None)
    return Verdict(
        source=data.source,
        kind="bars",
        n_rows=sum(s.n for s in series),
        symbols=tuple(s.symbol for s in series),
        start=start,
        end=end,
        findings=report.sorted(len(series)),
        skipped=report.reasons(len(series)),
        settings=settings.canonical_json(),
    )


def _one(s: Series, report: Report, exact: bool) -> None:
    """Check the rules for sorted rows whose prices are sound."""
    if s.n < s.settings.min_rows:
        report.skip(_LIKE, s.symbol, f"fewer than {s.settings.min_rows} rows")
    for rule in (
        *(prices.stale, prices.outliers, prices.shifts),
        *(volumes.unknown, volumes.without_volume, volumes.spikes),
        *(gaps.spacing, gaps.off_grid),
    ):
        report.add(s, rule(s))
    real = bool(s.calendar) and s.calendar != ALWAYS
    if not (real and exact):
        report.add(s, clock.dates_as_times(s))
    if not real and s.calendar != ALWAYS and not gaps.never_closes(s.time):
        report.skip(_CLOCK, s.symbol, "no calendar is known: seen from the rows alone")
    elif real and not exact:
        why = f"the sessions of {s.calendar} are looked up by alphalab data check only"
        report.skip(_CLOCK, s.symbol, why)
    try:
        hits = list(clock.against_sessions(s)) if real and exact else []
        report.add(s, hits)
        if any(hit.rule == "zone" or (hit.rule == "label" and s.interval < NS_DAY) for hit in hits):
            report.skip(("gaps",), s.symbol, "times that are shifted tell of no gaps")
        else:
            report.add(s, gaps.missing(s, exact=exact))
    except DataError as error:  # years that the calendar does not cover
        report.skip(_CLOCK, s.symbol, error.what)
        report.add(s, gaps.missing(s, exact=False))


def _as_it_is(s: Series, report: Report) -> Series:
    """Check the rules about raw rows, and return the sound ones sorted by time."""
    report.add(s, cells.order(s))
    s, hits = cells.in_order(s)
    report.add(s, hits)
    report.add(s, cells.cells(s))
    rows = cells.usable(s)
    return s if len(rows) == s.n else s.take(rows)


def _funding(data: Panel | Rows, s: Series, report: Report) -> None:
    if not s.funding_hours:
        return
    if isinstance(data, Panel):  # a rate may stand in a row in which nothing traded
        asset = data.symbols.index(s.symbol)
        first = int(np.searchsorted(data.time, s.time[0])) if s.n else data.n_rows
        columns = {
            name: values[first:, asset]
            for name, values in data.columns.items()
            if name == "funding"
        }
        rows = np.arange(first, data.n_rows)
        s = Series(
            s.symbol,
            data.time[first:],
            columns,
            rows,
            s.settings,
            s.interval,
            funding_hours=s.funding_hours,
        )
    report.add(s, assets.funding_of_bars(s))


def series_of(data: Panel | Rows, settings: QualitySettings) -> Iterator[Series]:
    """Yield the rows of each symbol, in the order of the source."""
    if isinstance(data, Panel):
        for j, symbol in enumerate(data.symbols):
            known = ~np.isnan(data.close[:, j])
            rows: Any = slice(None) if known.all() else known
            columns = {
                name: np.ascontiguousarray(values[rows, j]) for name, values in data.columns.items()
            }
            yield Series(symbol, data.time[rows], columns, np.arange(data.n_rows)[rows], settings)
        return
    by_symbol = np.argsort(data.symbol, kind="stable")
    ends = np.searchsorted(data.symbol[by_symbol], np.arange(len(data.symbols) + 1))
    for j, symbol in enumerate(data.symbols):
        rows = by_symbol[ends[j] : ends[j + 1]]
        columns = {name: values[rows] for name, values in data.columns.items()}
        yield Series(symbol, data.time[rows], columns, data.number[rows], settings)


def _splits_of(s: Series) -> tuple[IntArray, FloatArray]:
    """Return times and ratios of the column ``split``."""
    ratio = s.columns.get("split")
    if ratio is None:
        return np.zeros(0, np.int64), np.zeros(0)
    rows = np.flatnonzero(ratio > 0)
    return s.time[rows], ratio[rows]


def _interval(series: list[Series]) -> int:
    """Return the step, ns, that most rows of all symbols share; 0 if no symbol has two rows."""
    votes: dict[int, int] = {}
    for s in series:
        time = s.time if (s.time[1:] > s.time[:-1]).all() else np.unique(s.time)
        if len(time) > 1:
            step = bar_spacing(time)
            votes[step] = votes.get(step, 0) + len(time)
    return max(votes, key=lambda step: (votes[step], -step), default=0)


def _shown(series: list[Series]) -> Iterable[Series]:
    """Yield series, with a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import track

    return track(series, "check", console=Console(stderr=True), transient=True)
