"""``alphalab exchange serve``: a local exchange over bars."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.data.options import EndFlag, StoreFlag, SymbolsFlag
from alphalab.cli.data.schema_flags import SchemaFlags
from alphalab.cli.flags import named_texts, with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import InputError, import_extra

if TYPE_CHECKING:
    from alphalab_live.exchange.local import LocalExchange

LOOPBACK = ("127.0.0.1", "::1", "localhost")

app = typer.Typer(help="An exchange on this machine, to trade against.", no_args_is_help=True)


@app.callback()
def _family() -> None:
    """Keep `serve` a subcommand."""


@app.command()
@with_flags(SchemaFlags)
def serve(
    form: SchemaFlags,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            help="A data set, a CSV, Parquet or Feather file, or an address in a store.",
            show_default=False,
        ),
    ],
    port: Annotated[int, typer.Option(help="Port of the exchange; 0: any free one.")] = 8100,
    control_port: Annotated[
        int, typer.Option(help="Port of the signal to go on and of faults; 0: any free one.")
    ] = 0,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = LOOPBACK[0],
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="Wait for the signal of a client after each event.")
    ] = False,
    speed: Annotated[
        float, typer.Option(help="How much faster than the bars' own time it runs.")
    ] = 60.0,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=SECRET", help="A key pair; may be repeated.", show_default="key=secret"
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYMBOL=NAME",
            help="Name of a symbol on the exchange, such as btc_perp=BTC/USDT:USDT; may be "
            "repeated.",
        ),
    ] = None,
    clid_policy: Annotated[
        Literal["open_only", "forever", "ttl"],
        typer.Option(help="When a client order id may be used again."),
    ] = "open_only",
    rate_limits: Annotated[
        bool, typer.Option("--rate-limits", help="Refuse requests above the request limits.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(help="First day or instant that is played; rows before it are history."),
    ] = None,
    end: EndFlag = None,
    symbols: SymbolsFlag = None,
    store: StoreFlag = None,
    funding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Funding rates: time, rate (and symbol).")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TOML file of settings, as for alphalab backtest: cash, costs, margin, ticks and"
            " lots.",
        ),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Serve an exchange that speaks the protocol of Binance and fills as a backtest does.

    It runs until it is interrupted. Its address, and those of its control port with its token, are
    printed when it is ready. Any client of this machine may read the market; an account needs a key
    pair. Outside of this machine it is not protected: leave --host alone.
    """
    from alphalab.cli.running import RunFlags, announce_compilation
    from alphalab.config import RunSettings

    import_extra("aiohttp", "live")
    from alphalab_live.exchange import Account, Limits, LocalExchange

    out = Output(json=json, quiet=quiet)
    run = RunFlags(
        **vars(form),
        data=data,
        store=store,
        end=end,
        symbols=symbols,
        funding=funding,
        settings=settings,
    )
    file = run.file()
    traded = RunSettings(**run.keywords(file))
    pairs = named_texts("--account", account or ["key=secret"], "a key pair is written KEY=SECRET.")
    bars = run.bars(file)
    first = 0 if start is None else bars.n_rows - bars.between(start, None).n_rows
    announce_compilation(out)
    exchange = LocalExchange(
        bars,
        [Account(key, secret, traded) for key, secret in pairs.items()],
        lockstep=lockstep,
        speed=speed,
        start=first,
        names=named_texts("--name", name or [], "a name is written SYMBOL=BASE/QUOTE."),
        clid_policy=clid_policy,
        limits=Limits() if rate_limits else None,
        host=host,
        port=port,
        control_port=control_port,
    )
    if host not in LOOPBACK:
        out.warn(f"{host}: others can reach this exchange, and its traffic is not encrypted")
    asyncio.run(_serve(exchange, out, list(pairs)))


async def _serve(exchange: LocalExchange, out: Output, keys: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    try:
        async with exchange:
            _show(exchange, out, keys)
            await stopped.wait()
    except OSError as error:
        raise InputError(
            f"the exchange cannot listen: {error.strerror or error}",
            rule="its ports are free, and its address is one of this machine.",
            fix="Choose others: --port 0 takes any free port.",
        ) from None
    out.note("the exchange has stopped")


def _show(exchange: LocalExchange, out: Output, keys: Sequence[str]) -> None:
    """Print where the exchange is, and what it lists."""
    markets = [listing.unified for listing in exchange.desk.listings]
    content: dict[str, Any] = {
        "url": exchange.url,
        "control": exchange.control_url,
        "token": exchange.token,
        "keys": list(keys),
        "markets": markets,
        "interval": exchange.desk.tape.interval,
    }
    if out.json:
        out.object("exchange.serve", content)
    else:
        shown = ", ".join(markets[:5]) + (" ..." if len(markets) > 5 else "")
        out.text(f"Exchange  {exchange.url}  {shown}, candles of {content['interval']}")
        out.text(f"Control   {exchange.control_url}  X-Token: {exchange.token}")
    sys.stdout.flush()
