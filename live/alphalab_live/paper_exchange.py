"""``python -m alphalab_live.paper_exchange FOLDER``: the process of a paper exchange.

It prints one line of JSON: where it is, or why it could not start. It ends when it is told to, or
when no runner has asked for a phase for an hour.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from alphalab.cli.running import RunFlags
from alphalab.errors import AlphalabError, DataError
from alphalab.types import FloatArray, Instrument, InstrumentChange, IntArray
from alphalab_live.exchange import Account, LocalExchange
from alphalab_live.exchange.listing import listings
from alphalab_live.exchange.tape import Rows
from alphalab_live.paper import PaperMarket, PaperPlace, PaperPlan

_ALONE_SECONDS = 3600.0
_LOOK_SECONDS = 5.0


def exchange_of(plan: PaperPlan, key: str, secret: str) -> LocalExchange:
    """Return the exchange of a plan.

    Raises
    ------
    DataError
        Data that cannot be played: see `bars_of`.
    """
    account = Account(key=key, secret=secret, settings=plan.settings)
    return LocalExchange(
        bars_of(plan), [account], lockstep=True, start=plan.warmup, names=plan.names
    )


@dataclass(frozen=True)
class _Joined:
    """The bars of several artifacts beside each other."""

    time: IntArray
    instruments: Sequence[Instrument]
    instrument_changes: Sequence[InstrumentChange]
    columns: Mapping[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        return self.columns[name]


def bars_of(plan: PaperPlan) -> Rows:
    """Return the bars of a plan, those of its markets beside each other.

    Raises
    ------
    DataError
        Data without one of the symbols, of other times than the other data, or with too few rows.
    """
    parts = [_bars(market) for market in plan.markets]
    first = parts[0]
    if len(first.time) < plan.warmup + 2:
        raise DataError(
            f"{plan.markets[0].data['data']} has {len(first.time)} rows",
            rule=f"the artifact needs {plan.warmup} rows of history, and at least two to trade.",
        )
    for market, bars in zip(plan.markets, parts, strict=True):
        if not np.array_equal(bars.time, first.time):
            raise DataError(
                f"{market.data['data']} has other times than {plan.markets[0].data['data']}",
                rule="the artifacts of a paper account are traded on rows of the same times.",
                fix="Give data with the symbols of all of them: --data FILE.",
            )
    if len(parts) == 1:
        return first
    names = sorted({name for bars in parts for name in bars.columns})
    return _Joined(
        time=first.time,
        instruments=plan.instruments,
        instrument_changes=[x for bars in parts for x in bars.instrument_changes],
        columns={
            name: np.column_stack(
                [
                    bars[name] if name in bars.columns else np.full_like(bars["close"], np.nan)
                    for bars in parts
                ]
            )
            for name in names
        },
    )


def _bars(market: PaperMarket) -> Rows:
    given = dict(market.data)
    funding = given.pop("funding", None)
    flags = RunFlags(**given)
    bars = flags.bars(flags.file())
    wanted = [instrument.symbol for instrument in market.instruments]
    missing = [symbol for symbol in wanted if symbol not in bars.symbols]
    if missing:
        raise DataError(
            f"{market.data['data']} has no {', '.join(missing)}",
            rule="the data has the symbols of the artifact.",
            fix=f"It has {', '.join(bars.symbols[:10])}.",
        )
    bars = bars.select(wanted).with_instruments(list(market.instruments))
    return bars if funding is None else bars.with_funding(funding)


async def _serve(exchange: LocalExchange, plan: PaperPlan, key: str, secret: str) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with exchange:
        listed = listings(plan.instruments, plan.names)
        place = PaperPlace(
            url=exchange.url,
            control_url=exchange.control_url,
            token=exchange.token,
            key=key,
            secret=secret,
            interval=int(np.min(np.diff(exchange.desk.tape.time))),
            symbols={plan.instruments[x.asset].symbol: x.unified for x in listed},
            linear={x.kind for x in listed} == {"linear"},
            pid=os.getpid(),
        )
        _say(msgspec.json.encode(place))
        seen, since = -1, time.monotonic()
        while not ended.is_set():
            if len(exchange.requests) + exchange.desk.tape.row != seen:
                seen, since = len(exchange.requests) + exchange.desk.tape.row, time.monotonic()
            if time.monotonic() - since > _ALONE_SECONDS:
                return
            try:
                await asyncio.wait_for(ended.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()


def main(folder: Path) -> int:
    """Serve the exchange of a run until it is told to end; return the exit code."""
    try:
        plan = msgspec.json.decode((folder / "paper.json").read_bytes(), type=PaperPlan)
        key, secret = "paper", secrets.token_urlsafe(24)
        asyncio.run(_serve(exchange_of(plan, key, secret), plan, key, secret))
    except AlphalabError as error:
        _say(msgspec.json.encode({"what": error.what, "rule": error.rule, "fix": error.fix}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
