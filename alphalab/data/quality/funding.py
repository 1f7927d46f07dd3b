"""The check of funding rates against the bars of their contracts."""

from __future__ import annotations

from dataclasses import replace

from alphalab.data.clock.times import iso
from alphalab.data.panel.panel import Panel
from alphalab.data.panel.rows import Rows
from alphalab.data.quality import assets, cells
from alphalab.data.quality.findings import Verdict, ordered
from alphalab.data.quality.reading import Events
from alphalab.data.quality.report import Report
from alphalab.data.quality.series import Hit, Series
from alphalab.data.quality.settings import QualitySettings


def checked_with_funding(
    verdict: Verdict, data: Panel | Rows, rates: Events, settings: QualitySettings
) -> Verdict:
    """Return the verdict of bars with the findings about their funding rates added.

    Parameters
    ----------
    verdict : Verdict
        Of the bars alone.
    data : Bars or Rows
    rates : Events
        Of kind funding. Without a column symbol: of the one symbol of the bars.
    settings : QualitySettings
    """
    report = Report(settings)
    hours = {}
    if isinstance(data, Panel):
        hours = {i.symbol: i.funding_hours for i in data.instruments}
    covered = set()
    for raw, _ in rates.series(settings):
        s = replace(raw, symbol=raw.symbol or data.symbols[0])
        if s.n and s.symbol not in data.symbols:
            report.add(s, [Hit("funding", s.number[:0], "there are rates, and no bars", s.n)])
        elif s.n:
            covered.add(s.symbol)
            _add(s, _span(data, s.symbol), hours.get(s.symbol, 0.0), report)
    said = covered | ({""} if covered == set(data.symbols) else set())
    kept = [f for f in verdict.findings if f.rule != "funding" or f.symbol not in said]
    return replace(
        verdict,
        findings=ordered([*kept, *report.findings]),
        skipped=verdict.skipped | report.reasons(len(data.symbols)),
    )


def _add(s: Series, span: tuple[int, int], hours: float, report: Report) -> None:
    """Add the findings about the rates of one symbol."""
    report.add(s, cells.order(s))
    s, hits = cells.in_order(s)
    report.add(s, hits)
    s = s.take(cells.once(s))
    report.add(s, assets.funding_of_rates(s, s.columns["rate"], hours, span))
    outside = int(((s.time < span[0]) | (s.time > span[1])).sum())
    if outside:
        note = f"{outside:,} of {s.n:,} rates lie outside the bars, {iso(span[0])} to "
        report.skip(("funding",), s.symbol, f"{note}{iso(span[1])}")


def _span(data: Panel | Rows, symbol: str) -> tuple[int, int]:
    """Return first and last time of a symbol's rows."""
    place = data.symbols.index(symbol)
    if isinstance(data, Panel):
        return int(data.time[0]), int(data.time[-1])
    time = data.time[data.symbol == place]
    return int(time.min()), int(time.max())
