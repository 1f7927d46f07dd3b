"""``alphalab backtest``: one strategy on one data set, as a table, a report or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import InputError, ParameterError

if TYPE_CHECKING:
    from alphalab.research.result import Result

# The rest is in the report.
_ASSUMPTIONS = ("Fill", "Costs", "Digest")


def backtest(
    strategy: Annotated[
        str,
        typer.Argument(
            metavar="STRATEGY",
            help="A file (strategies/x.py, or x.py:Class when it defines several), or the name of a"
            " reference strategy such as sma_cross.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            help="A data set (alphalab doctor lists them), or a CSV, Parquet or Feather file.",
            show_default=False,
        ),
    ],
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of the strategy, as often as needed; a wrong name lists them.",
        ),
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day or instant (ISO 8601, UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="Last day (whole) or instant.")] = None,
    symbols: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these symbols, in this order.")
    ] = None,
    bar_label: Annotated[
        Literal["open", "close"],
        typer.Option(help="What the times in a file name: the opening or the close of a bar."),
    ] = "close",
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file of settings; flags go before what it says."),
    ] = None,
    cash: Annotated[
        float | None,
        typer.Option(help="Cash at the start, quote currency.", show_default="100,000"),
    ] = None,
    fee_bps: Annotated[
        float | None,
        typer.Option(help="Fee in basis points of traded value.", show_default="the instrument's"),
    ] = None,
    spread_bps: Annotated[
        float | None, typer.Option(help="From bid to ask, basis points.", show_default="0")
    ] = None,
    slippage_bps: Annotated[
        float | None,
        typer.Option(help="What a taker's price is worse by, basis points.", show_default="0"),
    ] = None,
    fill: Annotated[
        Literal["next_open", "next_close", "same_close"] | None,
        typer.Option(
            help="Price that a decision of row t trades at; same_close has been seen.",
            show_default="next_open",
        ),
    ] = None,
    path: Annotated[
        Literal["pessimistic", "optimistic", "ohlc"] | None,
        typer.Option(help="The price's way inside a bar.", show_default="pessimistic"),
    ] = None,
    participation: Annotated[
        float | None,
        typer.Option(help="Largest share of a bar's volume to fill.", show_default="no limit"),
    ] = None,
    delay: Annotated[
        int | None, typer.Option(help="Rows an order is on its way.", show_default="0")
    ] = None,
    leverage: Annotated[
        float | None,
        typer.Option(help="A margin account with this leverage.", show_default="a cash account"),
    ] = None,
    maintenance: Annotated[
        float | None,
        typer.Option(help="Its equity per value of positions, below which it is liquidated."),
    ] = None,
    funding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Funding rates: time, rate (and symbol).")
    ] = None,
    actions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Splits and dividends: ex-date, split, dividend (and symbol)."
        ),
    ] = None,
    dividends: Annotated[
        Literal["cash", "reinvest"] | None,
        typer.Option(help="What becomes of dividends; splits apply.", show_default="cash"),
    ] = None,
    block_rows: Annotated[
        int | None,
        typer.Option(
            help="Rows per block: changes speed, never the result.", show_default="automatic"
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report, one HTML page.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Backtest a strategy and print its figures."""
    from alphalab.artifact.loading import blame, load_strategy, make_strategy
    from alphalab.cli.settings import margin_flags, read_run_file, run_keywords
    from alphalab.data.load import load

    out = Output(json=json, quiet=quiet)
    _check_report(report)
    with out.user_code():
        cls = load_strategy(strategy)
        chosen = make_strategy(cls, _parameters(param or []))
    file = read_run_file(settings)
    if actions is not None and dividends is None and file.run.get("actions", "none") == "none":
        dividends = "cash"
    flags = {
        "cash": cash,
        "fill": fill,
        "costs.fee_bps": fee_bps,
        "costs.spread_bps": spread_bps,
        "costs.slippage_bps": slippage_bps,
        "execution.path": path,
        "execution.participation": participation,
        "execution.delay": delay,
        "actions": dividends,
        **margin_flags(leverage, maintenance),
    }
    keywords = run_keywords(file, flags)
    bars = file.instruments_of(load(data, bar_label=bar_label))
    # Events come before the choice: their files may hold more than is chosen.
    bars = bars if funding is None else bars.with_funding(funding)
    bars = bars if actions is None else bars.with_actions(actions)
    if symbols is not None:
        bars = bars.select([name.strip() for name in symbols.split(",")])
    if start is not None or end is not None:
        bars = bars.between(start, end)

    from alphalab.research.backtest import backtest as run

    _announce_compilation(out)
    with out.user_code(), blame(cls):
        result = run(
            chosen,
            bars,
            **keywords,
            block_rows=block_rows,
            progress=out.shows_progress,
        )
    if report is not None:
        result.to_html(report)
    for note in () if json else bars.notes:  # they are part of the object
        out.note(f"data: {note}")
    for warning in result.warnings:
        out.warn(warning)
    if json:
        out.object("backtest", {**result.to_dict(), "report": report and str(report)})
    else:
        _show(out, result, report)


def _parameters(given: Sequence[str]) -> dict[str, str]:
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"--param {text!r}", rule="a parameter reads name=value.")
        if name.strip() in values:
            raise ParameterError(f"--param {text!r}", rule="a parameter is given once.")
        values[name.strip()] = value.strip()
    return values


def _check_report(path: Path | None) -> None:
    """Refuse a report that cannot be written before the work is done, not after."""
    if path is None:
        return
    rule = "a report is one HTML file; missing folders are made."
    if path.is_dir():
        raise InputError(f"--report {path} is a folder", rule=rule, fix="Add a file name.")
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report {path}", rule=rule, fix="Give it a name that ends in .html.")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"--report {path}: {above} is a file, not a folder", rule=rule)


def _announce_compilation(out: Output) -> None:
    from alphalab.kernels._jit import CACHE_DIR, DISABLED

    if not DISABLED and next(CACHE_DIR.rglob("*.nbi"), None) is None:
        out.note(f"Compiling kernels, once (up to a minute); kept in {CACHE_DIR.parent}")


def _show(out: Output, result: Result, report: Path | None) -> None:
    from alphalab.research.display import FIGURES, figure_texts, strategy_text

    bars = result.bars
    names = ", ".join(bars.symbols[:5]) + (" ..." if bars.n_symbols > 5 else "")
    span = f"{bars.start[:10]} to {bars.end[:10]}, {bars.n_rows:,} rows of {names}"
    title = f"{strategy_text(result)} on {bars.source or 'given bars'}, {span}"
    rows = [(FIGURES[name].label, text) for name, text in figure_texts(result).items()]
    out.table(rows, ("figure", "value"), title)
    for label in _ASSUMPTIONS:
        out.text(f"{label}: {result.assumptions[label]}")
    if report is not None:
        out.text(f"Report: {report}")
