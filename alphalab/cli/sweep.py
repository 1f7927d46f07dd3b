"""``alphalab sweep``: many variants of a strategy on one data set, the best of them first."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.data.options import ReportFlag
from alphalab.cli.flags import named_texts, with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import (
    STRATEGY_HELP,
    RunFlags,
    announce_compilation,
    check_report,
)
from alphalab.errors import ParameterError

if TYPE_CHECKING:
    from alphalab.core.strategy import Strategy
    from alphalab.research.sweep.result import Sweep
    from alphalab.research.sweep.search import Search

_SHOWN = (
    *("total_return", "annual_return", "sharpe", "deflated_sharpe"),
    *("max_drawdown", "exposure", "n_round_trips"),
)


@with_flags(RunFlags)
def sweep(
    strategy: Annotated[
        str | None,
        typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP, show_default=False),
    ] = None,
    *,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            "-g",
            metavar="NAME=VALUES",
            help="Values of a parameter, or of a setting such as costs.fee_bps or fill: a,b,c, or"
            " first:last, or first:last:step, both ends included, with a step of 1 unless given."
            " Repeat the flag for more names: every combination is run.",
        ),
    ] = None,
    expressions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file of expressions, one a line, in place of STRATEGY."
        ),
    ] = None,
    run: RunFlags,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="Metric that ranks columns; a wrong name lists all.")
    ] = "sharpe",
    top: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    search: Annotated[
        Literal["tpe", "cmaes", "random"] | None,
        typer.Option(help="Search the grid with Optuna in place of running all of it."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Combinations to try.", show_default="200")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Trials chosen at a time.", show_default="50")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search.", show_default="0")] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Save finished columns here; columns found here are not run again."
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Columns that run in parallel.", show_default="all cores")
    ] = None,
    max_columns: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of combinations.", show_default="100,000"),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Run any number of combinations.")
    ] = False,
    report: ReportFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Run many variants of a strategy and print the best.

    Exits with 1 if it was stopped early. The finished columns are printed, and saved with
    --results.
    """
    from alphalab.research.sweep.combinations import MAX_COLUMNS

    out = Output(json=json, quiet=quiet)
    check_report(report)
    most = sys.maxsize if yes else max_columns or MAX_COLUMNS
    with out.user_code():
        chosen, cls = _strategies(strategy, expressions)
    space = _space(cls, grid or [], run.parameters(), most, search, (trials, batch, seed))
    file = run.file()
    keywords = run.keywords(file)
    quality = run.quality_settings(file)
    bars = run.bars(file)

    from alphalab.artifact.loading import blame
    from alphalab.research.sweep.outcome import StoppedWarning
    from alphalab.research.sweep.run import sweep

    announce_compilation(out)
    counted, caught_all = run.counted(), warnings.catch_warnings(record=True)
    with out.user_code(), blame(cls), counted, caught_all as caught:
        warnings.simplefilter("default", UserWarning)
        warnings.simplefilter("ignore", StoppedWarning)  # done.warnings has it
        done = sweep(
            chosen,
            bars,
            space,
            metric=metric,
            results=results,
            max_columns=most,
            n_jobs=jobs,
            progress=out.shows_progress,
            quality=quality,
            start=run.start,
            **keywords,
        )
    if report is not None:
        done.to_html(report)
    for note in () if json else bars.notes:  # the JSON object holds them
        out.note(f"data: {note}")
    for text in (*done.warnings, *dict.fromkeys(str(warning.message) for warning in caught)):
        out.warn(text)
    if json:
        written = {"report": report and str(report), "results": results and str(results)}
        out.object("sweep", {**done.to_dict(top), **written})
    else:
        _show(out, done, top, report)
    if done.stopped:
        raise typer.Exit(1)


def _strategies(
    strategy: str | None, expressions: Path | None
) -> tuple[type[Strategy] | list[str], type[Strategy]]:
    """Return the strategy or the expressions, and the class whose parameters a grid can name."""
    from alphalab.artifact.loading import load_strategy
    from alphalab.cli.grids import expressions_of
    from alphalab.core.expr_strategy import ExprStrategy

    if (strategy is None) == (expressions is None):
        raise ParameterError(
            "neither STRATEGY nor --expressions"
            if strategy is None
            else "both STRATEGY and --expressions",
            rule="a sweep runs one strategy, or the expressions of a file.",
        )
    if expressions is not None:
        return expressions_of(expressions), ExprStrategy
    cls = load_strategy(str(strategy))
    return cls, cls


def _space(
    cls: type[Strategy],
    grid: list[str],
    parameters: dict[str, str],
    most: int,
    sampler: str | None,
    flags: tuple[int | None, int | None, int | None],
) -> dict[str, Any] | Search | None:
    """Return the grid or the search of the flags; None: only expressions are swept."""
    from alphalab.cli.grids import RULE, fixed_values, grid_values, search_space
    from alphalab.core.expr_strategy import ExprStrategy

    texts = named_texts("--grid", grid, f"a grid is written name=values; {RULE}")
    if twice := texts.keys() & parameters.keys():
        raise ParameterError(
            f"--grid and --param for {', '.join(sorted(twice))}",
            rule="a parameter is either swept or given.",
        )
    settings = dict(zip(("n_trials", "batch", "seed"), flags, strict=True))
    chosen: dict[str, Any] = {name: x for name, x in settings.items() if x is not None}
    fixed = fixed_values(parameters, cls)
    if not texts and cls is not ExprStrategy:
        raise ParameterError(
            "a sweep without --grid",
            rule="a sweep runs every combination of the values of --grid.",
            fix="Add --grid NAME=VALUES, such as --grid fast=5:50.",
        )
    if sampler is None:
        if chosen:
            raise ParameterError(
                "--trials, --batch or --seed without --search",
                rule="these flags are for a search.",
                fix="Add --search tpe.",
            )
        return {**fixed, **grid_values(texts, cls, most)} or None
    if cls is ExprStrategy:
        raise ParameterError(
            "--search with --expressions",
            rule="a search needs --grid, and expressions are listed in a file.",
        )
    from alphalab.research.sweep.search import Search

    return Search({**fixed, **search_space(texts, cls, most)}, sampler=sampler, **chosen)


def _show(out: Output, done: Sweep, top: int, report: Path | None) -> None:
    from alphalab.research.results.figures import DEFLATED, FIGURES
    from alphalab.research.sweep.combinations import shown
    from alphalab.research.sweep.plot_parts import value_text

    varying = [
        name for name in done.names if done.table[done.label(name)].map(value_text).nunique() > 1
    ]
    names = varying or done.names
    figures = FIGURES | {"deflated_sharpe": DEFLATED}
    metrics = [*_SHOWN, *([] if done.metric in _SHOWN else [done.metric])]
    best = done.top(top)
    best = best[best["status"] == "ok"]
    rows = [
        [str(column)]
        + [value_text(row[done.label(name)]) for name in names]
        + [figures[name].text(row[name]) for name in metrics]
        for column, row in zip(best.index, best.to_dict("records"), strict=True)
    ]
    bars, label = done.bars, FIGURES[done.metric].label
    span = f"{bars.start[:10]} to {bars.end[:10]}, {bars.n_rows:,} rows"
    title = f"{done.strategy} on {bars.source or 'given bars'}, {span}; best by {label}"
    if rows:
        out.table(rows, ["column", *names, *(figures[name].label for name in metrics)], title)
    parts = [f"{count:,} {status}" for status, count in done.counts.items() if count]
    out.text(f"{len(done.variants):,} combinations: {', '.join(parts)}")
    if done.trials is not None:
        out.text(
            f"Independent trials: {done.trials['n_effective']:,}; by chance alone the best of them "
            f"shows an annual Sharpe ratio of {done.trials['sharpe_by_chance']:.2f}"
        )
    if done.history.n_warm:
        out.text(f"{done.history.n_warm:,} rows before the first one were seen, not traded")
    invalid = next((variant for variant in done.variants if variant.column is None), None)
    if invalid is not None:
        out.text(f"Invalid, for example: {shown(invalid.params)}: {invalid.reason}")
    if done.stopped:
        out.text(f"Stopped: {done.stopped}")
    if report is not None:
        out.text(f"Report: {report}")
