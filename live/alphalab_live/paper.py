"""The paper exchange of a run: a local exchange in a process of its own, which outlives the runner.

A runner that is killed finds its account there when it starts again. The account is in memory: a
run cannot go on once its exchange has gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from alphalab.artifact.files import write_file
from alphalab.config import RunSettings
from alphalab.errors import InputError, ParameterError, VenueError
from alphalab.settings import Settings
from alphalab.types import Instrument, InstrumentChange
from alphalab_live.asked import Asked
from alphalab_live.exchange.local import ccxt_urls
from alphalab_live.lockstep import LockstepVenue
from alphalab_live.promoted import Promoted
from alphalab_live.settings import LiveSettings

_PLAN, _PLACE = "paper.json", "exchange.json"
ACCOUNT = "paper"
#: Exchanges that this process has started and that may still run.
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


class PaperMarket(Settings, frozen=True):
    """The bars of one artifact on a paper exchange.

    Parameters
    ----------
    data : dict
        Flags of the data, as `alphalab backtest` takes them.
    instruments : tuple of Instrument
    changes : tuple of InstrumentChange
    """

    data: dict[str, Any]
    instruments: tuple[Instrument, ...]
    changes: tuple[InstrumentChange, ...] = ()


class PaperPlan(Settings, frozen=True):
    """What the paper exchange of a run is.

    Parameters
    ----------
    markets : tuple of PaperMarket
        One for each artifact.
    settings : RunSettings
        Cash, costs and margin of the account.
    warmup : int
        Rows that are history.
    names : dict of str to str
        Names of the symbols on the exchange, where they differ.
    """

    markets: tuple[PaperMarket, ...]
    settings: RunSettings
    warmup: int = 0
    names: dict[str, str] = {}  # noqa: RUF012

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments of all markets."""
        return tuple(x for market in self.markets for x in market.instruments)


def paper_plan(asked: Asked, chosen: Sequence[Promoted], live: LiveSettings) -> PaperPlan:
    """Return the exchange that trades the bars of some artifacts, or those of ``--data``.

    Raises
    ------
    ParameterError
        Artifacts whose venues differ.
    """
    first = chosen[0].settings
    for one in chosen[1:]:
        for field in ("costs", "margin", "execution"):
            if getattr(one.settings, field) != getattr(first, field):
                raise ParameterError(
                    f"{one.artifact.manifest.name} has other {field} than "
                    f"{chosen[0].artifact.manifest.name}",
                    rule="a paper account has one set of costs, one margin and one execution.",
                    fix="Begin a run for each.",
                )
    cash = sum(one.settings.cash for one in chosen)
    return PaperPlan(
        markets=tuple(_market(asked, one) for one in chosen),
        settings=msgspec.structs.replace(first, cash=cash),
        warmup=max(one.warmup for one in chosen),
        names=live.symbols,
    )


def _market(asked: Asked, one: Promoted) -> PaperMarket:
    request = one.artifact.data.request
    symbols = None if request.symbols is None else ",".join(request.symbols)
    data = asked.data or {"data": request.name, "symbols": symbols, "end": request.end}
    funding = {} if asked.funding is None else {"funding": str(asked.funding)}
    listed = one.artifact.instruments
    return PaperMarket(data | funding, listed.instruments, listed.changes)


class PaperPlace(Settings, frozen=True):
    """Where the exchange is, and what its markets are called."""

    url: str
    control_url: str
    token: str
    key: str
    secret: str
    interval: int
    symbols: dict[str, str]
    linear: bool
    pid: int


def start_exchange(folder: Path, plan: PaperPlan) -> PaperPlace:
    """Start the exchange of a new run, and wait until it is ready.

    Raises
    ------
    InputError
        Data that cannot be loaded, or that the exchange cannot list; its own message.
    """
    write_file(folder / _PLAN, msgspec.json.encode(plan), mode=0o600, replace=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "alphalab_live.paper_exchange", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    _CHILDREN[process.pid] = process
    line = process.stdout.readline()
    process.stdout.close()
    try:
        place = msgspec.json.decode(line, type=PaperPlace)
    except msgspec.MsgspecError:
        _CHILDREN.pop(process.pid).wait()
        told = _error_of(line)
        raise InputError(
            f"the paper exchange did not start: {told.get('what', 'it gave no reason')}",
            rule=str(told.get("rule", "")),
            fix=str(told.get("fix", "")),
        ) from None
    write_file(folder / _PLACE, msgspec.json.encode(place), mode=0o600, replace=True)
    return place


def _error_of(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def find_exchange(folder: Path) -> PaperPlace:
    """Return where the exchange of a run is.

    Raises
    ------
    VenueError
        The run has none.
    """
    try:
        return msgspec.json.decode((folder / _PLACE).read_bytes(), type=PaperPlace)
    except (OSError, msgspec.MsgspecError):
        raise VenueError(
            f"{folder} has no paper exchange",
            rule="a paper run goes on at the exchange that it began with.",
            fix="Begin a new run.",
        ) from None


def stop_exchange(place: PaperPlace) -> None:
    """End the process of an exchange."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(place.pid, signal.SIGTERM)
    if place.pid in _CHILDREN:
        _CHILDREN.pop(place.pid).wait()


def paper_venue(place: PaperPlace, symbols: Sequence[str], *, pause: float) -> LockstepVenue:
    """Return the venue of a paper exchange; `pause`: seconds between two rows."""
    return LockstepVenue(
        "binanceusdm" if place.linear else "binance",
        ACCOUNT,
        {symbol: place.symbols[symbol] for symbol in symbols},
        dict.fromkeys(symbols, place.interval),
        {"apiKey": place.key, "secret": place.secret, "enableRateLimit": False},
        api=ccxt_urls(place.url),
        control_url=place.control_url,
        token=place.token,
        pause=pause,
    )
