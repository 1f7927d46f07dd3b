"""Start a run, or go on with one: everything that has to be true before the first request."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alphalab.artifact.keys import Keyring
from alphalab.artifact.stages import StagePolicy
from alphalab.core.events import Command, Run
from alphalab.core.journal import Journal
from alphalab.errors import InputError, ParameterError, RefusedError
from alphalab_live.account_lock import lock_account
from alphalab_live.ccxt_records import interval_of, timeframe
from alphalab_live.paper import (
    ACCOUNT,
    PaperPlace,
    PaperPlan,
    find_exchange,
    paper_venue,
    start_exchange,
    stop_exchange,
)
from alphalab_live.promoted import Promoted, check_columns, check_same_engines, promoted
from alphalab_live.replay import replay
from alphalab_live.run_folder import RunFolder
from alphalab_live.runner import Runner, Start
from alphalab_live.session import Session
from alphalab_live.settings import LiveSettings, api_keys, load_settings
from alphalab_live.states import RunState
from alphalab_live.trader import Trader
from alphalab_live.venue_ccxt import CcxtVenue
from alphalab_live.versions import versions

PAPER, CCXT = "paper", "ccxt:"


class Asked(NamedTuple):
    """What an operator asks for; the fields are the flags of ``alphalab live run``."""

    artifacts: tuple[Path, ...]
    venue: str
    folder: Path | None
    sends: bool
    settings: Path | None
    interval: str | None
    account: str
    api_keys: Path | None
    resume: str | None
    ignore_holdings: bool
    data: dict[str, Any] | None
    funding: Path | None
    pause: float
    pins: tuple[str, ...]
    keys: Path | None
    policy: StagePolicy

    @property
    def is_paper(self) -> bool:
        """True for a paper account."""
        return self.venue == PAPER


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
    if not (asked.is_paper or asked.venue.startswith(CCXT)):
        raise ParameterError(
            f"venue {asked.venue!r}",
            rule="a venue is paper, or ccxt: and the name of an exchange.",
            fix="Such as ccxt:binance for spot, ccxt:binanceusdm for USD-M futures.",
        )
    settings = load_settings(asked.settings, os.environ)
    folder = _folder_of(asked)
    chosen = _chosen(asked, folder, settings)
    with _journal(asked, folder, chosen) as journal:
        is_new = journal.head.seq == 0
        place = _paper_place(asked, folder, chosen, settings, is_new=is_new)
        try:
            _trade(asked, folder, journal, chosen, settings, place, tell)
        except BaseException:
            if is_new and journal.head.seq == 0 and place is not None:
                stop_exchange(place)
            raise
    return folder


def _trade(
    asked: Asked,
    folder: RunFolder,
    journal: Journal,
    chosen: Sequence[Promoted],
    settings: LiveSettings,
    place: PaperPlace | None,
    tell: Callable[[str], None],
) -> None:
    interval = place.interval if place is not None else _interval(asked, chosen)
    traders = [one.trader(i, interval, sends=asked.sends) for i, one in enumerate(chosen)]
    check_columns(traders)
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
        _check_state(folder, session, asked.resume)
    run = _start_event(asked, journal, chosen, traders, interval)
    venue = _venue(asked, settings, traders, place)
    lock = None
    if asked.sends and place is None:
        lock = lock_account(asked.venue, str(venue.key))
    runner = Runner(
        folder,
        journal,
        session,
        venue,
        _paced(settings) if place is not None else settings,
        tell=tell,
    )
    start = Start(
        run=run,
        warmup=[one.warmup for one in chosen],
        commands=_unlatch(folder, asked.resume),
        resumed=asked.resume is not None,
        ignore_holdings=asked.ignore_holdings,
        real=asked.sends and place is None,
    )
    try:
        asyncio.run(_until_stopped(runner, start, venue))
    finally:
        if lock is not None:
            lock.release()
        if place is not None and runner.ended:  # stopped early, it waits
            stop_exchange(place)


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


# ---- the folder and the artifacts


def _folder_of(asked: Asked) -> RunFolder:
    if asked.folder is not None:
        return RunFolder(asked.folder)
    if not asked.artifacts:
        raise InputError(
            "alphalab live run without an artifact",
            rule="a run begins with artifacts, and goes on with its folder.",
            fix="Give ARTIFACT, or --run FOLDER.",
        )
    return RunFolder(Path("runs") / asked.artifacts[0].resolve().name)


def _chosen(asked: Asked, folder: RunFolder, settings: LiveSettings) -> list[Promoted]:
    """Return the artifacts: those given, or the copies of a run that goes on."""
    paths = list(asked.artifacts)
    if folder.exists:
        with folder.reader() as reader:
            starts = (event for _, event in reader.events() if isinstance(event, Run))
            first = next(starts, None)
        if first is not None:
            if first.venue != asked.venue or first.sends != asked.sends:
                raise RefusedError(
                    f"{folder.path} trades at {first.venue}{'' if first.sends else ' as a shadow'}",
                    rule="a run goes on where it began.",
                    fix="Choose another --run, or its venue.",
                )
            copies = [folder.artifact(i) for i in range(len(first.artifacts))]
            paths = paths or copies
    elif not paths:
        raise InputError(f"{folder.path} is no run", fix="Give the artifacts to begin one.")
    ring, now = Keyring(asked.keys), time.time_ns()
    found = [
        promoted(
            path,
            ring,
            asked.policy,
            real=asked.sends and not asked.is_paper,
            capital=settings.capital,
            pins=asked.pins,
            now=now,
        )
        for path in paths
    ]
    if folder.exists and first is not None:
        ids = tuple(one.artifact.id for one in found)
        if ids != first.artifacts:
            raise RefusedError(
                f"{folder.path} trades {', '.join(x[:12] for x in first.artifacts)}, and "
                f"{', '.join(x[:12] for x in ids)} is given",
                rule="a run trades the artifacts that it began with.",
                fix="Choose another --run for another artifact.",
            )
    return found


@contextlib.contextmanager
def _journal(asked: Asked, folder: RunFolder, chosen: Sequence[Promoted]) -> Iterator[Journal]:
    """Open the journal; one that a start has left empty is made again."""
    account = ACCOUNT if asked.is_paper else asked.account
    if folder.exists:
        journal = folder.go_on()
    else:
        artifacts = [one.artifact for one in chosen]
        journal = folder.begin(artifacts, venue=asked.venue, account=account, now=time.time_ns())
    with journal:
        yield journal


def _start_event(
    asked: Asked,
    journal: Journal,
    chosen: Sequence[Promoted],
    traders: Sequence[Trader],
    interval: int,
) -> Run:
    return Run(
        run=journal.meta["run"],
        artifacts=tuple(one.artifact.id for one in chosen),
        engines=tuple(trader.engine.id for trader in traders),
        capital=tuple(one.settings.cash for one in chosen),
        intervals=tuple(interval for _ in chosen),
        venue=asked.venue,
        account=journal.meta["account"],
        symbols=tuple(trader.symbols for trader in traders),
        columns=tuple(trader.columns for trader in traders),
        sends=asked.sends,
        versions=versions(),
    )


def _check_state(folder: RunFolder, session: Session, resume: str | None) -> None:
    """Refuse to go on with a halted or killed run without a reason."""
    latched = session.state in (RunState.HALTED, RunState.KILLED)
    if (latched or folder.is_killed) and resume is None:
        raise RefusedError(
            f"{folder.path} is {RunState.KILLED if folder.is_killed else session.state}: "
            f"{session.reason}",
            rule="a run that has halted goes on when an operator says so.",
            fix="Look at it (alphalab live log), then: alphalab live run --run FOLDER --resume WHY",
        )


def _unlatch(folder: RunFolder, resume: str | None) -> list[Command]:
    """Return the command that lets a latched run go on, for its journal."""
    import getpass

    if resume is None:
        return []
    folder.revive()
    return [
        Command(name="resume", arguments=(("why", resume),), who=getpass.getuser(), signature=b"")
    ]


# ---- the venue


def _paper_place(
    asked: Asked,
    folder: RunFolder,
    chosen: Sequence[Promoted],
    settings: LiveSettings,
    *,
    is_new: bool,
) -> PaperPlace | None:
    if not asked.is_paper:
        return None
    if not is_new:
        return find_exchange(folder.path)
    if len(chosen) > 1:
        raise ParameterError(
            f"{len(chosen)} artifacts on paper",
            rule="a paper account trades one artifact.",
            fix="Begin a run for each.",
        )
    (one,) = chosen
    request = one.artifact.data.request
    data = asked.data or {
        "data": request.name,
        "symbols": None if request.symbols is None else ",".join(request.symbols),
        "end": request.end,
    }
    funding = {} if asked.funding is None else {"funding": str(asked.funding)}
    plan = PaperPlan(
        data={**data, **funding},
        settings=one.settings,
        instruments=one.artifact.instruments.instruments,
        changes=one.artifact.instruments.changes,
        warmup=one.warmup,
        names=settings.symbols,
    )
    return start_exchange(folder.path, plan)


def _venue(
    asked: Asked, settings: LiveSettings, traders: Sequence[Trader], place: PaperPlace | None
) -> CcxtVenue:
    symbols = [symbol for trader in traders for symbol in trader.symbols]
    if place is not None:
        return paper_venue(place, symbols, pause=asked.pause)
    config: dict[str, Any] = {"enableRateLimit": True}
    if asked.sends:
        keys = api_keys(asked.account, asked.api_keys, os.environ)
        config |= {"apiKey": keys.key, "secret": keys.secret}
    return CcxtVenue(
        asked.venue.removeprefix(CCXT),
        asked.account,
        {symbol: settings.symbols.get(symbol, symbol) for symbol in symbols},
        {symbol: trader.interval for trader in traders for symbol in trader.symbols},
        config,
    )


def _interval(asked: Asked, chosen: Sequence[Promoted]) -> int:
    """Return the length of the bars, ns: as given, or as in the artifact's data."""
    if asked.interval is not None:
        return interval_of(asked.interval)
    found = set()
    for one in chosen:
        data = one.artifact.data
        span = _time(data.end) - _time(data.start)
        found.add(round(span / max(data.rows - 1, 1)))
    (length,) = found if len(found) == 1 else (0,)
    if length == 0 or interval_of(timeframe(length)) != length:
        raise ParameterError(
            "the length of the bars is not known",
            rule="the artifact's data has gaps, or artifacts have bars of several lengths.",
            fix="Give it: --interval 1h",
        )
    return length


def _time(text: str) -> int:
    from datetime import datetime

    return math.floor(datetime.fromisoformat(text).timestamp()) * 10**9


def _paced(settings: LiveSettings) -> LiveSettings:
    """Return the settings for a market that waits: nothing is late there."""
    import msgspec

    return msgspec.structs.replace(settings, grace_seconds=0.0)
