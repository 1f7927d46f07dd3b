"""``alphalab why``: one decision of a backtest, explained."""

from __future__ import annotations

from typing import Annotated

import typer

from alphalab.cli.data.options import ReportFlag
from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import STRATEGY_HELP, RunFlags, announce_compilation, check_report


@with_flags(RunFlags)
def why(
    strategy: Annotated[
        str,
        typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP, show_default=False),
    ],
    run: RunFlags,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="A day or an instant (ISO 8601, UTC): the last row that closed by then.",
            show_default=False,
        ),
    ],
    asset: Annotated[
        str | None,
        typer.Option(metavar="SYMBOL", help="The asset.", show_default="the only one"),
    ] = None,
    report: ReportFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Explain a decision: every part of the expression, the gate, the order and its outcome."""
    from alphalab.artifact.loading import blame, load_strategy, make_strategy
    from alphalab.research.pages import page
    from alphalab.research.run.backtest import backtest

    out = Output(json=json, quiet=quiet)
    check_report(report)
    with out.user_code():
        cls = load_strategy(strategy)
        chosen = make_strategy(cls, run.parameters())
    file = run.file()
    keywords = run.whole_keywords(file)
    bars = run.bars(file)
    announce_compilation(out)
    with out.user_code(), blame(cls), run.counted():
        quality = run.quality_settings(file)
        result = backtest(chosen, bars, **keywords, quality=quality, start=run.start)
    found = result.explain(at, asset)
    if report is not None:
        page.write(found.page(page.about(bars)), report)
    if json:
        out.object("why", {**found.to_dict(), "report": report and str(report)})
    else:
        out.text(str(found))
