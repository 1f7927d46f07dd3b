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
from pathlib import Path

import msgspec
import numpy as np

from alphalab.cli.running import RunFlags
from alphalab.errors import AlphalabError, DataError
from alphalab_live.exchange import Account, LocalExchange
from alphalab_live.exchange.listing import listings
from alphalab_live.exchange.tape import Rows
from alphalab_live.paper import PaperPlace, PaperPlan

_ALONE_SECONDS = 3600.0
_LOOK_SECONDS = 5.0


def exchange_of(plan: PaperPlan, key: str, secret: str) -> LocalExchange:
    """Return the exchange of a plan.

    Raises
    ------
    DataError
        Data without one of the symbols, or too few rows.
    """
    account = Account(key=key, secret=secret, settings=plan.settings)
    return LocalExchange(
        _bars_of(plan), [account], lockstep=True, start=plan.warmup, names=plan.names
    )


def _bars_of(plan: PaperPlan) -> Rows:
    given = dict(plan.data)
    funding = given.pop("funding", None)
    flags = RunFlags(**given)
    bars = flags.bars(flags.file())
    wanted = [instrument.symbol for instrument in plan.instruments]
    missing = [symbol for symbol in wanted if symbol not in bars.symbols]
    if missing:
        raise DataError(
            f"{plan.data['data']} has no {', '.join(missing)}",
            rule="the data has the symbols of the artifact.",
            fix=f"It has {', '.join(bars.symbols[:10])}.",
        )
    if tuple(bars.symbols) != tuple(wanted):
        bars = bars.select(wanted)
    bars = bars.with_instruments(list(plan.instruments))
    if funding is not None:
        bars = bars.with_funding(funding)
    if bars.n_rows < plan.warmup + 2:
        raise DataError(
            f"{plan.data['data']} has {bars.n_rows} rows",
            rule=f"the artifact needs {plan.warmup} rows of history, and at least two to trade.",
        )
    return bars


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
