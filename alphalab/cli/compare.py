"""``alphalab compare``: several strategies on the same data, side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from alphalab.cli.data.options import ReportFlag
from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import RunFlags, announce_compilation, check_report
from alphalab.errors import InputError


@with_flags(RunFlags)
def compare(
    strategies: Annotated[
        list[str],
        typer.Argument(
            metavar="STRATEGY ...",
            help="Files of strategies, or names of reference strategies; each with its defaults.",
            show_default=False,
        ),
    ],
    run: RunFlags,
    report: ReportFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Backtest several strategies with the same data and settings, and print them side by side."""
    from alphalab.artifact.loading import blame, load_strategy, make_strategy

    out = Output(json=json, quiet=quiet)
    check_report(report)
    if run.param:
        raise InputError(
            "--param with several strategies",
            rule="each strategy runs with the defaults of its file.",
            fix="Compare results in Python: al.compare([...]).",
        )
    with out.user_code():
        classes = [load_strategy(strategy) for strategy in strategies]
        chosen = [make_strategy(cls, {}) for cls in classes]
    file = run.file()
    keywords = run.whole_keywords(file)
    bars = run.bars(file)

    from alphalab.research.results.comparison import compare as side_by_side
    from alphalab.research.run.backtest import backtest

    announce_compilation(out)
    results = []
    for cls, strategy in zip(classes, chosen, strict=True):
        with out.user_code(), blame(cls), run.counted():
            quality = run.quality_settings(file)
            results.append(backtest(strategy, bars, **keywords, quality=quality, start=run.start))
    found = side_by_side(results)
    for name, result in found.runs.items():
        for warning in result.warnings:
            out.warn(f"{name}: {warning}")
    if report is not None:
        found.to_html(report)
    if json:
        out.object("compare", {**found.to_dict(), "report": report and str(report)})
    else:
        out.table(found.texts(), ("figure", *found.runs))
