"""Start a run, or go on with one: everything that has to be true before the first request."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from alphalab.core.events import Command, Kind, Run
from alphalab.core.journal import Journal
from alphalab.core.rows import HOUR_NS
from alphalab.errors import RefusedError
from alphalab_live.account_lock import lock_account
from alphalab_live.asked import Asked, exchange_of
from alphalab_live.choose import choose, intervals
from alphalab_live.offers import check_offer
from alphalab_live.paper import (
    ACCOUNT,
    PaperPlace,
    find_exchange,
    paper_plan,
    paper_venue,
    start_exchange,
    stop_exchange,
)
from alphalab_live.promoted import Promoted, check_same_engines, observed_columns
from alphalab_live.replay import replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.runner import Runner, Start
from alphalab_live.session import Session
from alphalab_live.settings import LiveSettings, api_keys, load_settings
from alphalab_live.states import RunState
from alphalab_live.trader import Trader
from alphalab_live.venue_ccxt import CcxtVenue
from alphalab_live.versions import versions

_MOST_STARTS = 20  # within an hour


def trade(asked: Asked, tell: Callable[[str], None]) -> RunFolder:
    """Run until the run ends, and return its folder.

    Parameters
    ----------
    asked : Asked
    tell : callable
        Called with lines for the operator.

    Raises
    ------
    RefusedError
        An artifact that may not trade there, an account that another runner trades, keys that may
        withdraw, or a run that has halted, without a reason to go on.
    HaltError
        The run has halted.
    """
    if not asked.is_paper:
        check_offer(exchange_of(asked.venue))
    settings = load_settings(asked.settings, os.environ)
    folder = asked.run_folder
    chosen = choose(asked, folder, settings)
    with _journal(asked, folder, chosen) as journal:
        is_new = journal.head.seq == 0
        place = None
        if asked.is_paper:
            settings = msgspec.structs.replace(settings, grace_seconds=0.0)  # that market waits
            plan = paper_plan(asked, chosen, settings) if is_new else None
            place = (
                find_exchange(folder.path) if plan is None else start_exchange(folder.path, plan)
            )
        try:
            _trade(asked, folder, journal, chosen, settings, place, tell)
        except BaseException:
            if is_new and journal.head.seq == 0 and place is not None:
                stop_exchange(place)
            raise
    return folder


@contextlib.contextmanager
def _journal(asked: Asked, folder: RunFolder, chosen: Sequence[Promoted]) -> Iterator[Journal]:
    """Open the journal; one that a start has left empty is made again."""
    if folder.exists:
        journal = folder.go_on()
    else:
        account = ACCOUNT if asked.is_paper else asked.account
        artifacts = [one.artifact for one in chosen]
        journal = folder.begin(artifacts, venue=asked.venue, account=account, now=time.time_ns())
    with journal:
        yield journal


def _trade(
    asked: Asked,
    folder: RunFolder,
    journal: Journal,
    chosen: Sequence[Promoted],
    settings: LiveSettings,
    place: PaperPlace | None,
    tell: Callable[[str], None],
) -> None:
    lengths = intervals(asked, chosen) if place is None else [place.interval] * len(chosen)
    traders = [
        one.trader(i, length, sends=asked.sends)
        for i, (one, length) in enumerate(zip(chosen, lengths, strict=True))
    ]
    observes = observed_columns(traders, settings.observe)
    session = _recover(asked, folder, journal, traders)
    venue = _venue(asked, settings, traders, place)
    runner = Runner(folder, journal, session, venue, settings, tell=tell)
    start = Start(
        run=_start_event(asked, journal, chosen, traders, observes),
        warmup=[one.warmup for one in chosen],
        commands=_unlatch(folder, asked.resume),
        resumed=asked.resume is not None,
        ignore_holdings=asked.ignore_holdings,
        real=asked.is_real,
    )
    lock = lock_account(asked.venue, venue.key) if asked.is_real else None
    try:
        asyncio.run(_until_stopped(runner, start, venue))
    finally:
        if lock is not None:
            lock.release()
    if place is not None and runner.ended:  # stopped early, it waits
        stop_exchange(place)


def _recover(
    asked: Asked, folder: RunFolder, journal: Journal, traders: Sequence[Trader]
) -> Session:
    """Replay the journal into the traders, and return the state of the run.

    Raises
    ------
    RefusedError
        A journal that does not replay, other engines, or a halted run without a reason to go on.
    """
    found = replay(journal, traders, from_snapshots=True)
    if found.divergence is not None:
        raise RefusedError(
            f"the journal does not replay: {found.divergence}",
            rule="a run goes on only if what it has decided follows from what it has read.",
            fix=f"Look with: alphalab live verify {folder.path}",
        )
    session = found.session
    if session.run is not None:
        check_same_engines(traders, session.run)
    halted = session.state in (RunState.HALTED, RunState.KILLED)
    if (halted or folder.is_killed) and asked.resume is None:
        raise RefusedError(
            f"{folder.path} is {RunState.KILLED if folder.is_killed else session.state}: "
            f"{session.reason}",
            rule="a run that has halted goes on when an operator says so.",
            fix="Look at it (alphalab live log), then: alphalab live run --run FOLDER --resume WHY",
        )
    if asked.resume is None:
        check_starts(journal, time.time_ns())
    return session


def check_starts(journal: Journal, now: int) -> None:
    """Refuse a run that was started too often within an hour, by the times of its journal.

    A supervisor that starts a failing run again and again would end in a ban by the exchange.

    Parameters
    ----------
    journal : Journal
    now : int
        ns UTC.

    Raises
    ------
    RefusedError
        How often it was started.
    """
    starts = [entry.time for entry in journal.entries() if entry.kind == Kind.RUN]
    recent = sum(begun > now - HOUR_NS for begun in starts)
    if recent >= _MOST_STARTS:
        raise RefusedError(
            f"{journal.path.parent} was started {recent} times within an hour",
            rule=f"a run that was started {_MOST_STARTS} times within an hour is looked at first.",
            fix="Look at it (alphalab live log), then: alphalab live run --run FOLDER --resume WHY",
        )


def _start_event(
    asked: Asked,
    journal: Journal,
    chosen: Sequence[Promoted],
    traders: Sequence[Trader],
    observes: tuple[tuple[str, int], ...],
) -> Run:
    return Run(
        run=journal.meta["run"],
        artifacts=tuple(one.artifact.id for one in chosen),
        engines=tuple(trader.engine.id for trader in traders),
        capital=tuple(one.settings.cash for one in chosen),
        intervals=tuple(trader.interval for trader in traders),
        venue=asked.venue,
        account=journal.meta["account"],
        symbols=tuple(trader.symbols for trader in traders),
        columns=tuple(trader.columns for trader in traders),
        sends=asked.sends,
        versions=versions(),
        observes=observes,
    )


def _unlatch(folder: RunFolder, resume: str | None) -> list[Command]:
    """Return the command that lets a latched run go on, for its journal."""
    if resume is None:
        return []
    folder.revive()
    why = (("why", resume),)
    return [Command(name="resume", arguments=why, who=getpass.getuser(), signature=b"")]


def _venue(
    asked: Asked, settings: LiveSettings, traders: Sequence[Trader], place: PaperPlace | None
) -> CcxtVenue:
    lengths = {symbol: trader.interval for trader in traders for symbol in trader.symbols}
    if place is not None:
        return paper_venue(place, list(lengths), pause=asked.pause)
    config: dict[str, Any] = {"enableRateLimit": True}
    if asked.sends:
        keys = api_keys(asked.account, asked.api_keys, os.environ)
        config |= {"apiKey": keys.key, "secret": keys.secret}
    names = {symbol: settings.symbols.get(symbol, symbol) for symbol in lengths}
    return CcxtVenue(exchange_of(asked.venue), asked.account, names, lengths, config)


async def _until_stopped(runner: Runner, start: Start, venue: CcxtVenue) -> None:
    """Run; SIGINT and SIGTERM stop it in good order."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        runner.stop()
        venue.wake()

    with contextlib.suppress(NotImplementedError):
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop)
    await runner.run(start)
