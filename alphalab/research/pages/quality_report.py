"""The report of a data check: one HTML page that needs no other file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np

from alphalab.data.clock.times import bar_spacing, duration_text, iso
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rows import Rows
from alphalab.data.quality.bars import series_of
from alphalab.data.quality.cells import once
from alphalab.data.quality.findings import Finding, Verdict, counted
from alphalab.data.quality.gaps import never_closes
from alphalab.data.quality.reading import Events
from alphalab.data.quality.series import Series
from alphalab.data.quality.settings import QualitySettings
from alphalab.research.pages import page, quality_plots
from alphalab.research.pages.page import chart, quiet, section, table, tile
from alphalab.sessions import ALWAYS

#: Most symbols that are drawn, those with the gravest findings first.
MOST_SYMBOLS = 6
#: Most findings and symbols in the tables.
MOST_FINDINGS = 100
MOST_ROWS = 60

_PLAIN = {"trades": "price", "funding": "rate", "actions": "split"}
_WORDS = {"error": "down", "warning": "warn", "info": "quiet"}


def render(verdict: Verdict, data: Bars | Rows | Events, calendar: str = "") -> str:
    """Return the report of a data check as HTML.

    Parameters
    ----------
    verdict : Verdict
    data : Bars, Rows or Events
        The data that was checked.
    calendar : str
        Calendar of the expected bars. Empty: the calendars of the instruments.
    """
    name = Path(verdict.source).name or "bars given by the caller"
    n_symbols = len(verdict.symbols)
    span = ""
    if verdict.start is not None and verdict.end is not None:
        span = f"{iso(verdict.start)} to {iso(verdict.end)}"
    return page.Page(
        title=f"Quality of {name}",
        heading=name,
        detail=f"quality of {verdict.kind}",
        about=(
            verdict.source if verdict.source != name else "",
            verdict.symbols[0] if n_symbols == 1 else f"{n_symbols:,} symbols",
            span,
        ),
        remarks=[f"{finding}" for finding in verdict.errors[:5]],
        tiles=_tiles(verdict),
        sections=_sections(verdict, data, calendar),
        assumptions=_assumptions(verdict),
        footer="alphalab · nothing was changed",
    ).html()


def _tiles(verdict: Verdict) -> Iterator[str]:
    counts = verdict.counts
    colour = {"errors": "down", "ok": "up"}.get(verdict.status, "")
    yield tile("Verdict", verdict.status, colour)
    yield tile("Errors", f"{counts['error']:,}", "down" if counts["error"] else "")
    yield tile("Warnings", f"{counts['warning']:,}")
    yield tile("Rows", f"{verdict.n_rows:,}")
    yield tile("Symbols", f"{len(verdict.symbols):,}")


def _sections(verdict: Verdict, data: Bars | Rows | Events, calendar: str) -> Iterator[str]:
    if len(verdict.symbols) > 1 and verdict.findings:
        yield section("Findings by symbol and rule", *_matrix(verdict))
    yield section("Findings", *_findings(verdict))
    known = {i.symbol: i.calendar for i in data.instruments} if isinstance(data, Bars) else {}
    for s in _chosen(verdict, data):
        own = calendar or known.get(s.symbol) or (ALWAYS if never_closes(s.time) else "")
        yield from _pictures(replace(s, calendar=own), verdict)


def _matrix(verdict: Verdict) -> tuple[str, str]:
    """Return the table of counts by symbol and rule."""
    rules = list(dict.fromkeys(finding.rule for finding in verdict.findings))
    cells = {(finding.symbol, finding.rule): finding for finding in reversed(verdict.findings)}
    sums: dict[tuple[str, str], int] = {}
    for finding in verdict.findings:
        key = finding.symbol, finding.rule
        sums[key] = sums.get(key, 0) + finding.count
    everybody = [""] if any(not finding.symbol for finding in verdict.findings) else []
    named = {finding.symbol for finding in verdict.findings}
    symbols = everybody + [symbol for symbol in verdict.symbols if symbol in named]
    rows = [
        (
            escape(symbol) or "all",
            *(_count(cells.get((symbol, rule)), sums.get((symbol, rule), 0)) for rule in rules),
        )
        for symbol in symbols[:MOST_ROWS]
    ]
    clean = len(verdict.symbols) - len(named - {""})
    note = "Rows, missing bars or missing fundings."
    if clean:
        note += f" Left out: {counted(clean, 'symbol')} without a finding of their own."
    if len(symbols) > MOST_ROWS:
        note += f" The first {MOST_ROWS:,} of {len(symbols):,} are shown."
    return table(("Symbol", *rules), rows), note


def _count(finding: Finding | None, count: int) -> str:
    if finding is None:
        return ""
    return f'<span class="{_WORDS[finding.severity]}">{count:,}</span>'


def _findings(verdict: Verdict) -> tuple[str, str]:
    """Return the table of the findings, and the note on how many are left out."""
    if not verdict.findings:
        return quiet(f"No findings: {', '.join(verdict.silent)}."), ""
    rows = [
        (
            f'<span class="{_WORDS[finding.severity]}">{finding.severity}</span>',
            escape(finding.rule),
            escape(finding.symbol) or "all",
            f"{escape(finding.message)} <span class=quiet>{escape(finding.fix)}</span>",
            f"{finding.count:,}",
            ", ".join(f"{row}" for row in finding.rows),
        )
        for finding in verdict.findings[:MOST_FINDINGS]
    ]
    left = len(verdict.findings) - len(rows)
    note = "The gravest first. Rows are counted from 0 in the order of the source."
    if left:
        note += f" {left:,} more are left out."
    return table(("Severity", "Rule", "Symbol", "What", "Count", "First rows"), rows, text=4), note


def _chosen(verdict: Verdict, data: Bars | Rows | Events) -> list[Series]:
    """Return the series of the symbols that are drawn, sorted by time."""
    weights: dict[str, int] = {}
    for weight, finding in enumerate(reversed(verdict.findings)):
        weights[finding.symbol] = max(weights.get(finding.symbol, 0), weight + 1)
    settings = QualitySettings()
    found = data.series(settings) if isinstance(data, Events) else None
    series = [s for s, _ in found] if found else list(series_of(data, settings))  # type: ignore[arg-type]
    ranked = sorted(series, key=lambda s: -weights.get(s.symbol, 0))[:MOST_SYMBOLS]
    some = [s for s in ranked if s.n > 1]
    return [s.take(np.argsort(s.time, kind="stable")) for s in some]


def _pictures(s: Series, verdict: Verdict) -> Iterator[str]:
    findings = [f for f in verdict.findings if f.symbol in (s.symbol, "")]
    name, label = s.symbol or "Rows", _PLAIN.get(verdict.kind, "close")
    if verdict.kind != "bars":
        shown = label if label in s.columns else next(iter(s.columns))
        figure = quality_plots.values(s, shown, findings, shown.replace("_", " ").capitalize())
        yield chart(f"{name}: {shown.replace('_', ' ')}", figure)
        return
    step = bar_spacing(s.time[once(s)])
    s = replace(s, interval=step)
    yield chart(f"{name}: close", quality_plots.values(s, "close", findings, "Close"), _thinned(s))
    yield '<div class="pair">'
    yield chart(
        "Coverage",
        *quality_plots.coverage(s),
    )
    yield chart(
        "Steps between rows",
        quality_plots.steps(s),
        f"The most frequent ones; bars of {duration_text(step)} are blue.",
    )
    yield "</div>"
    if np.isfinite(s.columns["volume"]).any():
        figure = quality_plots.values(s, "volume", findings, "Volume")
        yield chart(f"{name}: volume", figure)


def _thinned(s: Series) -> str:
    if s.n <= quality_plots._MOST_POINTS:
        return ""
    return f"{s.n:,} rows, drawn with the extremes of equal stretches, so no extreme is lost."


def _assumptions(verdict: Verdict) -> dict[str, str]:
    texts = {"Not checked": "; ".join(f"{r}: {why}" for r, why in verdict.skipped.items())}
    if verdict.findings:  # else the section on findings lists the rules
        texts["No findings"] = ", ".join(verdict.silent)
    rules = {*verdict.silent, *(finding.rule for finding in verdict.findings)}
    settings = QualitySettings(**json.loads(verdict.settings)).of_rules(rules)
    texts["Settings"] = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return {label: text for label, text in texts.items() if text}
