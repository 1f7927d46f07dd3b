"""``alphalab backtest``: one strategy on one data set, as a table, a report or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alphalab.cli.data.options import ReportFlag
from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import (
    STRATEGY_HELP,
    RunFlags,
    announce_compilation,
    check_report,
)
from alphalab.errors import InputError

if TYPE_CHECKING:
    from alphalab.research.results.result import Result
    from alphalab.research.results.summary import Summary

#: Assumptions that are printed; the report has all of them.
_ASSUMPTIONS = ("Fill", "Costs", "Warm-up", "Digest")


@with_flags(RunFlags)
def backtest(
    strategy: Annotated[
        str,
        typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP, show_default=False),
    ],
    run: RunFlags,
    block_rows: Annotated[
        int | None,
        typer.Option(
            help="Rows per block: changes speed, never the result.", show_default="automatic"
        ),
    ] = None,
    scan: Annotated[
        bool,
        typer.Option(
            "--scan",
            help="Read a store block by block, for more rows than fit in memory; metrics only.",
        ),
    ] = False,
    report: ReportFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Backtest a strategy and print its metrics."""
    from alphalab.artifact.loading import blame, load_strategy, make_strategy

    out = Output(json=json, quiet=quiet)
    check_report(report)
    if scan and report is not None:
        raise InputError(
            "--report with --scan",
            rule="a report shows every fill, and a scan keeps metrics only.",
            fix="Leave one of them out.",
        )
    with out.user_code():
        cls = load_strategy(strategy)
        chosen = make_strategy(cls, run.parameters())
    file = run.file()
    keywords = run.whole_keywords(file)
    quality = run.quality_settings(file)
    bars = run.scan(file) if scan else run.bars(file)

    from alphalab.research.results.result import Result
    from alphalab.research.run.backtest import backtest

    announce_compilation(out)
    with out.user_code(), blame(cls), run.counted():
        result = backtest(
            chosen,
            bars,
            **keywords,
            block_rows=block_rows,
            progress=out.shows_progress,
            quality=quality,
            start=None if scan else run.start,
        )
    if isinstance(result, Result) and report is not None:
        result.to_html(report)
    for note in () if json else bars.notes:  # the JSON object holds them
        out.note(f"data: {note}")
    for warning in result.warnings:
        out.warn(warning)
    if json:
        out.object("backtest", {**result.to_dict(), "report": report and str(report)})
    else:
        _show(out, result, report)


def _show(out: Output, result: Result | Summary, report: Path | None) -> None:
    from alphalab.research.results.figures import FIGURES, figure_texts, strategy_text

    data = result.to_dict()["data"]
    names = ", ".join(data["symbols"][:5]) + (" ..." if len(data["symbols"]) > 5 else "")
    span = f"{data['start'][:10]} to {data['end'][:10]}, {data['rows']:,} rows of {names}"
    name = strategy_text(result.strategy, result.params)
    title = f"{name} on {data['source'] or 'given bars'}, {span}"
    texts = figure_texts(result.metrics, result.currency)
    rows = [(FIGURES[name].label, text) for name, text in texts.items()]
    out.table(rows, ("figure", "value"), title)
    said = result.assumptions
    for label in (label for label in _ASSUMPTIONS if label in said):
        out.text(f"{label}: {said[label]}")
    if report is not None:
        out.text(f"Report: {report}")
