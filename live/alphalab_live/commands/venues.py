"""``alphalab live venues`` and ``alphalab live check``: what exchanges offer, and what they do."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab_live.conformance import Check
    from alphalab_live.venue_ccxt import CcxtVenue

_MARKS = {True: "yes", False: "FAILED", None: "not told"}


def venues(json: JsonFlag = False, quiet: QuietFlag = False, debug: DebugFlag = False) -> None:
    """List the exchanges of ccxt that offer what the runner needs."""
    from alphalab_live.offers import offers

    out = Output(json=json, quiet=quiet)
    found = list(offers())
    if json:
        rows = [offer._asdict() | {"lacks": offer.lacks} for offer in found]
        out.object("live.venues", {"venues": rows})
        return
    fit = [offer for offer in found if not offer.lacks]
    names = ("exchange", "spot", "swap", "stops spot", "stops swap", "order stream")
    fields = ("spot", "swap", "stops_spot", "stops_swap", "order_stream")
    out.table([(x.name, *("yes" if getattr(x, f) else "" for f in fields)) for x in fit], names)
    out.note(f"{len(found) - len(fit)} others lack something: --json says what")


def check(
    venue: Annotated[
        str, typer.Option(help="ccxt:NAME, such as ccxt:binance.", show_default=False)
    ],
    symbol: Annotated[
        str, typer.Option(help="As ccxt writes it, such as BTC/USDT.", show_default=False)
    ],
    interval: Annotated[str, typer.Option(help="Length of the candles.")] = "1m",
    api_keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="API keys, mode 0600.", show_default="none: no account"),
    ] = None,
    orders: Annotated[
        bool, typer.Option("--orders", help="Send and cancel a smallest order far from the market.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A local exchange in its place: alphalab exchange serve."),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Check that an exchange does what the runner relies on. Nothing is sent without --orders.

    Exit code 1: something failed.
    """
    from alphalab_live.asked import exchange_of
    from alphalab_live.ccxt_records import interval_of
    from alphalab_live.exchange.local import ccxt_urls
    from alphalab_live.offers import check_offer
    from alphalab_live.settings import api_keys as keys_of
    from alphalab_live.venue_ccxt import CcxtVenue

    out, name, length = Output(json=json, quiet=quiet), exchange_of(venue), interval_of(interval)
    check_offer(name)
    config: dict[str, Any] = {"enableRateLimit": True}
    if api_keys is not None:
        keys = keys_of("", api_keys, os.environ)
        config |= {"apiKey": keys.key, "secret": keys.secret}
    urls = None if at is None else ccxt_urls(at)
    made = CcxtVenue(name, "check", {symbol: symbol}, {symbol: length}, config, api=urls)
    found = asyncio.run(_all(made, symbol, length, orders=orders))
    if json:
        out.object("live.check", {"venue": venue, "checks": [x._asdict() for x in found]})
    else:
        out.table([(x.name, _MARKS[x.passed], x.text) for x in found], ("check", "passed", ""))
    if any(x.passed is False for x in found):
        raise typer.Exit(1)


async def _all(venue: CcxtVenue, symbol: str, interval: int, *, orders: bool) -> list[Check]:
    from alphalab_live.conformance import conformance

    run = secrets.token_hex(4)
    return [x async for x in conformance(venue, symbol, interval, orders=orders, run=run)]
