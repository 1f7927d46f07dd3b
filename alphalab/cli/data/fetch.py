"""``alphalab data fetch``: candles, trades, funding rates and instruments of an exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.data.exchanges.fill import Fetched, Progress


def fetch(
    exchange: Annotated[
        str, typer.Argument(help="A name that ccxt knows, such as binance.", show_default=False)
    ],
    symbols: Annotated[
        str,
        typer.Argument(
            metavar="SYMBOL[,...]",
            help="In the notation of ccxt: BTC/USDT, or BTC/USDT:USDT for the perpetual contract;"
            " all: every symbol, for instruments only.",
            show_default=False,
        ),
    ],
    what: Annotated[
        str,
        typer.Argument(
            help="An interval of candles such as 1h; or trades, funding, instruments.",
            show_default=False,
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option(help="First day or instant (ISO 8601, UTC).", show_default="the stored end"),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Last day (whole) or instant.", show_default="now")
    ] = None,
    store: StoreFlag = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Request stored rows again too: fills gaps, reports changes."),
    ] = False,
    revise: Annotated[
        bool,
        typer.Option(
            "--revise", help="As --again, and replace rows that the exchange has changed."
        ),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(help="Address of the exchange, in place of the one in ccxt."),
    ] = None,
    retry_wait: Annotated[
        float,
        typer.Option(min=0.0, help="Seconds before the first retry; each further wait doubles."),
    ] = 1.0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Fetch candles, trades, funding rates or instruments of an exchange into a store.

    Rows that are stored are not requested again, so the same command continues where it ended or
    was interrupted. The candle that is still open is never stored. No API keys are needed.
    """
    from alphalab.data.exchanges.fetch import fetch
    from alphalab.data.store.store import Store

    out = Output(json=json, quiet=quiet)
    place = Store(store)
    with _progress(out) as progress:
        done = fetch(
            exchange,
            symbols,
            what,
            since=start,
            until=end,
            store=place,
            url=url,
            again=again,
            revise=revise,
            retry_wait=retry_wait,
            progress=progress,
        )
    if json:
        series = [one._asdict() for one in done]
        out.object("data.fetch", {"exchange": exchange, "store": place.url, "series": series})
        return
    _show(out, done, f"{exchange} into {place.url}")


def _show(out: Output, done: list[Fetched], title: str) -> None:
    header = ("symbol", "what", "new", "revised", "first", "last", "version")
    rows = [
        (
            one.symbol,
            one.what,
            f"{one.n_new:,}",
            f"{one.n_revised:,}",
            one.first or "n/a",
            one.last or "n/a",
            "n/a" if one.version is None else str(one.version),
        )
        for one in done
    ]
    out.table(rows, header, title)
    for one in done:
        for note in one.notes:
            out.warn(f"{one.symbol}: {note}")


@contextmanager
def _progress(out: Output) -> Iterator[Callable[[Progress], None]]:
    """Show progress and the reason of each wait: a bar on a terminal, elsewhere only the waits."""
    notes = not (out.json or out.quiet)
    if not out.shows_progress:
        yield lambda now: out.note(now.waiting) if now.waiting and notes else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[reached]}, {task.fields[n_rows]:,} rows, left:"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {}

        def show(now: Progress) -> None:
            if now.symbol not in tasks:
                tasks[now.symbol] = bar.add_task(now.symbol, total=1.0, reached="", n_rows=0)
            reached = now.reached[:16].replace("T", " ")
            task = tasks[now.symbol]
            bar.update(task, completed=now.done_frac, reached=reached, n_rows=now.n_rows)
            if now.waiting and notes:
                bar.console.print(now.waiting, style="dim", highlight=False, markup=False)

        yield show
