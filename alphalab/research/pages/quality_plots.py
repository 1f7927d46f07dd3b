"""Figures of a data check: prices with findings, coverage, steps between rows, volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alphalab.data.clock.times import NS_DAY, duration_text
from alphalab.data.quality.findings import Finding
from alphalab.data.quality.gaps import expected_bars
from alphalab.data.quality.registry import RULES, Severity
from alphalab.data.quality.series import Series
from alphalab.errors import DataError
from alphalab.research.pages.style import AMBER, BLUE, GREY, MODE_BAR, MUTED, RED, layout
from alphalab.research.pages.thinning import thin
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS: dict[Severity, str] = {"error": RED, "warning": AMBER, "info": MUTED}

_MOST_POINTS = 4_000
_MOST_MARKS = 300
_MOST_STEPS = 10
_LEAST_BARS = 4
_MOST_COLUMNS = 370
_HEIGHT = 460
_MARKS = ("circle", "x", "diamond", "square", "triangle-up", "cross", "star")
_VOLUME = ("zero_volume", "volume_spikes", "negative_volume", "volume_unknown")
#: Findings on more than this fraction of the rows are not marked.
_EVERYWHERE = 0.2
#: Smallest gap, as a fraction of the span, that breaks a line.
_SEEN = 0.005
_HOUR = NS_DAY // 24


def values(s: Series, name: str, findings: Sequence[Finding], title: str) -> go.Figure:
    """Return a line of a column, with the findings of rules marked on it."""
    import plotly.graph_objects as go

    marked_by = [finding for finding in findings if _belongs(finding, name, s.n)]
    more = {"hovermode": "closest", "showlegend": bool(marked_by)}
    figure = go.Figure(layout=layout(380) | more)
    column = s.columns[name]
    line = {"color": BLUE if name != "volume" else GREY, "width": 1.2}
    x, y = _broken(s, column, findings)
    figure.add_scatter(x=x, y=y, name=title, line=line, mode="lines")
    rules = list(dict.fromkeys(finding.rule for finding in marked_by))
    for finding in marked_by:
        at = finding.at[:_MOST_MARKS]  # a missing bar has no row: use the height of the next one
        marked = np.minimum(np.searchsorted(s.time, at), s.n - 1)
        figure.add_scatter(
            x=_dates(at),
            y=_marked_values(s, marked, name, finding.rule),
            name=_legend(s, name, finding.rule),
            legendgroup=finding.rule,
            showlegend=finding is next(f for f in marked_by if f.rule == finding.rule),
            mode="markers",
            marker={
                "symbol": _MARKS[rules.index(finding.rule) % len(_MARKS)],
                "size": 9,
                "color": COLOURS[finding.severity],
                "line": {"width": 1, "color": "white"},
            },
        )
    if name != "rate" and name != "volume" and _wide(column):
        figure.update_yaxes(type="log", dtick="D2")
    figure.update_xaxes(title_text="Time (UTC)", type="date")
    figure.update_yaxes(title_text=title, tickformat="~s" if name == "volume" else ",.6~g")
    return figure


def coverage(s: Series) -> tuple[go.Figure, str]:
    """Return a heat map of the bars that exist, hours by days or weeks by years, and a note.

    A cell is the share of the bars that the calendar expects; without a calendar, of the usual
    number. A cell without expected bars is empty.
    """
    import plotly.graph_objects as go

    days = s.interval >= NS_DAY - _HOUR
    expected = _expected(s)
    note = "Share of the usual bars at that time, holidays or not; white: closed, or no data."
    if expected is not None:
        note = f"Share of the bars that the calendar {s.calendar} expects; white: it expects none."
        x, y, z = _shares_of(*expected, days)
    else:
        x, y, z = _weeks_by_year(s) if days else _hours_by_day(s)
    figure = go.Figure(layout=layout(_HEIGHT) | {"hovermode": "closest"})
    figure.add_heatmap(
        x=x,
        y=y,
        z=z,
        zmin=0,
        zmax=1,
        colorscale=[[0, RED], [0.5, "#f0c9a0"], [0.9, "#dfe9f6"], [1, "#c6d8ef"]],
        colorbar={
            "thickness": 10,
            "outlinewidth": 0,
            "tickformat": ".0%",
        },
        hovertemplate="%{x}, %{y}<br>%{z:.0%} of the bars<extra></extra>",
    )
    figure.update_layout(margin_t=8 + MODE_BAR)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(title_text="Week of the year" if days else "Day (UTC)")
    figure.update_yaxes(title_text="" if days else "Hour (UTC)")
    return figure, note


def steps(s: Series) -> go.Figure:
    """Return a bar chart of the most frequent steps between rows; counts on a log axis."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(_HEIGHT) | {"hovermode": "closest"})
    apart = np.diff(s.time)
    if s.interval >= NS_DAY - _HOUR:  # clocks change, and some sessions close early
        apart = np.round(apart / NS_DAY).astype(np.int64) * NS_DAY
    sizes, counts = np.unique(apart, return_counts=True)
    most = np.sort(np.argsort(-counts, kind="stable")[:_MOST_STEPS])
    names = [_length(int(size)) for size in sizes[most]]
    colours = [BLUE if size == s.interval else GREY for size in sizes[most]]
    figure.add_bar(x=names, y=counts[most], marker={"color": colours}, width=0.6)
    figure.update_traces(hovertemplate="%{x}: %{y:,} times<extra></extra>")
    figure.update_layout(margin_t=8 + MODE_BAR)
    right = max(len(names), _LEAST_BARS) - 0.5
    figure.update_xaxes(title_text="Step from row to row", type="category", range=[-0.5, right])
    figure.update_yaxes(title_text="Rows", type="log", dtick=1)
    return figure


def _broken(s: Series, column: FloatArray, findings: Sequence[Finding]) -> tuple[Any, FloatArray]:
    """Return times and values of a line that is broken at long gaps."""
    rows = thin(column, _MOST_POINTS)
    gaps = [finding.at for finding in findings if finding.rule in ("gaps", "funding")]
    after = np.unique(np.searchsorted(s.time, np.concatenate([s.time[:0], *gaps])))
    after = after[(after > 0) & (after < s.n)]
    seen = s.time[after] - s.time[after - 1] > _SEEN * (s.time[-1] - s.time[0])
    after = after[seen]
    rows = np.union1d(rows, np.concatenate((after - 1, after)))
    place = np.searchsorted(rows, after)
    x = np.insert(s.time[rows], place, s.time[after])
    return _dates(x), np.insert(column[rows], place, np.nan)


def _legend(s: Series, name: str, rule: str) -> str:
    """Return the legend of the marks of a rule; marks of outliers may be off the line."""
    title = RULES[rule].title
    beside = rule == "outliers" and name == "close" and "high" in s.columns
    return f"{title} (at the high or low of the bar)" if beside else title


def _belongs(finding: Finding, name: str, n_rows: int) -> bool:
    """Return True if the rows of a finding are marked on the line of a column."""
    few = 0 < finding.at.size <= max(_EVERYWHERE * n_rows, 1)
    return few and (finding.rule in _VOLUME) == (name == "volume")


def _marked_values(s: Series, rows: IntArray, name: str, rule: str) -> FloatArray:
    """Return the height of marks; for an outlier, the high or low that is the outlier."""
    column: FloatArray = s.columns[name][rows]
    if rule == "outliers" and name == "close" and "high" in s.columns:
        up, down = s.high[rows] - column, column - s.low[rows]
        return np.where(up > down, s.high[rows], s.low[rows])
    return column


def _expected(s: Series) -> tuple[IntArray, NDArray[np.bool_]] | None:
    """Return the closes that the calendar expects and which of them exist; None without one."""
    if not s.calendar or s.interval > 1.5 * NS_DAY:
        return None
    try:
        expected, there = expected_bars(s)
    except DataError:  # years without sessions in the calendar
        return None
    return (expected, there) if there.any() else None


def _shares_of(
    expected: IntArray, there: NDArray[np.bool_], days: bool
) -> tuple[Any, list[str], FloatArray]:
    """Return columns, lines and cells of the heat map; NaN where no bar is expected."""
    day, hour = (expected - 1) // NS_DAY, (expected - 1) % NS_DAY // _HOUR
    if days:
        line, column, n_columns = *_year_and_week(day), 53
        x: Any = [str(week + 1) for week in range(53)]
        first = int(day[0].astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64))
        names = [str(1970 + first + i) for i in range(int(line.max()) + 1)]
    else:
        size = -(-int(day[-1] - day[0] + 1) // _MOST_COLUMNS)  # days in a column
        line, column = hour, (day - day[0]) // size
        n_columns = int(column[-1]) + 1
        x = (day[0] + size * np.arange(n_columns)).astype("datetime64[D]")
        names = [f"{h:02d}" for h in range(24)]
    due, found = np.zeros((2, len(names), n_columns))
    np.add.at(due, (line, column), 1.0)
    np.add.at(found, (line, column), there.astype(np.float64))
    return x, names, np.divide(found, due, out=np.full(due.shape, np.nan), where=due > 0)


def _year_and_week(day: IntArray) -> tuple[IntArray, IntArray]:
    """Return years since the first one, and weeks of the year, of sorted days."""
    date = day.astype("datetime64[D]")
    year = date.astype("datetime64[Y]")
    years = year.astype(np.int64)
    return years - years[0], (date - year).astype(np.int64) // 7


def _hours_by_day(s: Series) -> tuple[Any, list[str], FloatArray]:
    day, hour = (s.time - 1) // NS_DAY, (s.time - 1) % NS_DAY // _HOUR
    first, n_days = int(day[0]), int(day[-1] - day[0]) + 1
    size = -(-n_days // _MOST_COLUMNS)  # days in a column
    counts = np.zeros((24, -(-n_days // size)))
    np.add.at(counts, (hour, (day - first) // size), 1.0)
    z = _shares(counts)
    z[: hour[0], 0] = np.nan
    z[hour[-1] + 1 :, -1] = np.nan
    x = (first + size * np.arange(counts.shape[1])).astype("datetime64[D]")
    return x, [f"{hour:02d}" for hour in range(24)], z


def _weeks_by_year(s: Series) -> tuple[Any, list[str], FloatArray]:
    day = (s.time - 1) // NS_DAY
    years, week = _year_and_week(day)
    first = int(day[0].astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64))
    counts = np.zeros((int(years[-1]) + 1, 53))
    np.add.at(counts, (years, week), 1.0)
    usual = np.median(counts[counts > 0])
    z = np.minimum(counts / usual, 1.0)
    z[:, 52] = np.where(counts[:, 52] > 0, 1.0, np.nan)  # a day or two
    z[0, : int(week[0])] = np.nan
    z[-1, int(week[-1]) + 1 :] = np.nan
    names = [str(1970 + first + i) for i in range(len(z))]
    return [str(w + 1) for w in range(53)], names, z


def _shares(counts: FloatArray) -> FloatArray:
    """Return counts over the usual count of their row; NaN for rows that are mostly empty."""
    z = np.full(counts.shape, np.nan)
    for row, known in zip(z, counts, strict=True):
        if np.count_nonzero(known) > 0.2 * known.size:
            row[:] = np.minimum(known / np.median(known[known > 0]), 1.0)
    # Many days without any bar are weekends.
    empty = (counts == 0).all(axis=0)
    if empty.mean() > 0.2:
        z[:, empty] = np.nan
    return z


def _dates(time: IntArray) -> Any:
    return time.astype("datetime64[ns]").astype("datetime64[s]")


def _length(ns: int) -> str:
    return duration_text(ns) if ns > 0 else f"{ns / 1e9:g}s"


def _wide(column: FloatArray) -> bool:
    known = column[np.isfinite(column)]
    return bool(known.size and known.min() > 0 and known.max() > 5 * known.min())
