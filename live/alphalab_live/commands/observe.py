"""``alphalab live observe``: tell a run a value, as an observer does."""

from __future__ import annotations

from typing import Annotated

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab_live.commands.options import RunArgument


def observe(
    run: RunArgument,
    column: Annotated[str, typer.Argument(help="Column of the strategy.", show_default=False)],
    value: Annotated[float, typer.Argument(help="A number.", show_default=False)],
    symbol: Annotated[str, typer.Option(help="What it is about.", show_default="all symbols")] = "",
    about: Annotated[
        str | None,
        typer.Option(help="The instant it is about (ISO 8601, UTC).", show_default="now"),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Tell a run a value of a column that it observes; the next row that closes has it."""
    from alphalab_live import observing
    from alphalab_live.commands.options import instant

    out = Output(json=json, quiet=quiet)
    at = None if about is None else instant(about)
    observing.observe(run, column, value, symbol=symbol, about=at)
    if json:
        out.object("live.observe", {"run": str(run), "column": column, "value": value})
    else:
        out.text(f"{run}: {column} {value:g}{' of ' * bool(symbol)}{symbol}")
