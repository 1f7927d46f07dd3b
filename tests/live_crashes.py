"""Runs that die at chosen points, and what becomes of their orders."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alphalab_live.exchange import Fault, LocalExchange
from alphalab_live.lockstep import LockstepVenue
from alphalab_live.run_folder import RunFolder
from alphalab_live.settings import LiveSettings
from alphalab_live.states import RunState
from live_cases import AT_DECISION, QUICK, Case, Cross, bars_of, live, replayed, rows_of, venue_of

import alphalab as al
from alphalab.codes import ReportKind
from alphalab.core.event_codec import Event
from alphalab.core.events import RUN_EVENTS, Report
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import Head, JournalReader
from alphalab.errors import HaltError

#: Snapshots are taken often: a restart begins at each kind of place.
SETTINGS = LiveSettings(
    grace_seconds=QUICK.grace_seconds,
    absence_seconds=QUICK.absence_seconds,
    unknown_seconds=QUICK.unknown_seconds,
    settle_seconds=QUICK.settle_seconds,
    snapshot_rows=7,
)


class Crash(BaseException):
    """The process dies here."""


class Points:
    """Counts the points at which a process can die, and dies at some of them.

    Parameters
    ----------
    lives : iterable of int
        The number of points that each life passes before it dies; the life after the last one
        does not die.

    Attributes
    ----------
    names : list of str
        Of the points, over all lives.
    deaths : list of str
        Of the points at which a life has ended.
    """

    def __init__(self, lives: Iterable[int] = ()) -> None:
        self.names: list[str] = []
        self.deaths: list[str] = []
        self._lives = iter(lives)
        self._left = next(self._lives, None)

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if self._left == 0:
            self._left = next(self._lives, None)
            self.deaths.append(name)
            raise Crash(name)
        if self._left is not None:
            self._left -= 1


class _Sql:
    """A connection whose transactions are points."""

    def __init__(self, sql: Any, points: Points) -> None:
        self._sql, self._points = sql, points
        self.writing = "a snapshot"

    def execute(self, statement: str, *arguments: Any) -> Any:
        if statement != "commit":
            return self._sql.execute(statement, *arguments)
        self._points(f"before the commit of {self.writing}")
        done = self._sql.execute(statement)
        self._points(f"after the commit of {self.writing}")
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sql, name)


class _Journal(Journal):
    def die_at(self, points: Points) -> _Journal:
        self._points = points
        self._sql = _Sql(self._sql, points)
        return self

    def write(self, events: Sequence[tuple[int, Event]], *, durable: bool = True) -> Head:
        self._sql.writing = ", ".join(type(event).__name__ for _, event in events)
        self._points(f"before the write of {self._sql.writing}")
        head = super().write(events, durable=durable)
        self._sql.writing = "a snapshot"
        return head


class Whole(NamedTuple):
    """A session that is not disturbed: its points, its orders, and the bytes of its rows."""

    points: list[str]
    orders: Counter[str]
    rows: tuple[bytes, ...]


class Ended(NamedTuple):
    """A session that has died and gone on: how it ended and why, its orders and its points."""

    state: RunState
    reason: str
    orders: Counter[str]
    points: Points


def scripted(rows: int = 30) -> Case:
    """Return a market with limit entries that run out, stops, targets, fills and cancels."""
    settings = al.RunSettings(
        entry=al.Entry(limit_offset_bps=15, ttl=2),
        exits=al.Exits(stop_loss=0.004, take_profit=0.006),
        execution=al.Execution(path="ohlc"),
        **AT_DECISION,
    )
    return Case(bars_of("BTC/USDT:USDT", rows=rows), Cross(), settings)


def trade(
    case: Case,
    path: Path,
    lives: Iterable[int] = (),
    *,
    faults: Sequence[Fault] = (),
    moves: int = 0,
) -> Ended:
    """Trade a case in one life after the other, until one comes to the end of the market.

    Parameters
    ----------
    case : Case
    path : Path
    lives : iterable of int
        As of `Points`.
    faults : sequence of Fault
    moves : int
        Phases by which the market goes on between two lives, and then a last start compares the
        books with the exchange. 0: the market waits, so that the end is that without a crash.
    """
    points = Points(lives)

    def journal(folder: RunFolder) -> Journal:
        folder.path.mkdir(parents=True, exist_ok=True)
        (folder.path / "commands").mkdir(exist_ok=True)
        return _Journal(folder.journal, RUN_EVENTS, meta={"run": "test"}).die_at(points)

    async def life(exchange: LocalExchange) -> RunState | None:
        try:
            return await live(
                case,
                exchange,
                path,
                settings=SETTINGS,
                make_venue=lambda exchange, case: _requesting(venue_of(exchange, case), points),
                open_journal=journal,
            )
        except Crash:
            return None

    async def all_lives() -> Ended:
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            exchange.faults.add(faults)
            try:
                while (state := await life(exchange)) is None:
                    for _ in range(moves):
                        await exchange.step()
                if moves:
                    state = await life(exchange)
                    assert state is not None
            except HaltError as halt:
                return Ended(RunState.HALTED, halt.what, orders_of(exchange), points)
            return Ended(state, "", orders_of(exchange), points)

    return asyncio.run(all_lives())


def _requesting(venue: LockstepVenue, points: Points) -> LockstepVenue:
    """Return a venue whose requests are points."""
    fetch = venue._client.fetch

    async def request(url: str, method: str = "GET", *sent: Any) -> Any:
        name = f"{method} {url.split('?')[0].split('/', 3)[3]}"
        points(f"before the request {name}")
        answer = await fetch(url, method, *sent)
        points(f"after the request {name}")
        return answer

    venue._client.fetch = request
    return venue


def orders_of(exchange: LocalExchange) -> Counter[str]:
    """Return how often the exchange has taken each client id."""
    found: Counter[str] = Counter()
    for wallet in exchange.desk.wallets.values():
        orders = {id(x): x for x in (*wallet.algos.values(), *wallet.orders.values())}
        found.update(order.client_id for order in orders.values())
    return found


def bytes_of(path: Path) -> tuple[bytes, ...]:
    """Return the bytes of ledger and units of the rows in a journal."""
    return tuple(array.tobytes() for array in rows_of(path))


def undisturbed(case: Case, path: Path) -> Whole:
    """Trade a case without a death."""
    ended = trade(case, path)
    assert ended.state is RunState.STOPPED
    return Whole(ended.points.names, ended.orders, bytes_of(path))


def check_same_end(case: Case, path: Path, whole: Whole, ended: Ended) -> None:
    """Check that a session has the orders and the rows of the undisturbed one, and replays."""
    died = f"died at {'; '.join(ended.points.deaths)}"
    _check_orders(whole.orders, ended, died)
    assert bytes_of(path) == whole.rows, f"other rows, {died}"
    found = replayed(case, path).divergence
    assert found is None, f"{found}, {died}"


def check_books(case: Case, path: Path, ended: Ended) -> None:
    """Check a session whose market went on while it was dead: its books are the exchange's.

    Its last start has compared open orders, units and cash. So what is left are the orders: each
    that the journal says was accepted is there, once, and no other.
    """
    died = f"died at {'; '.join(ended.points.deaths)}"
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        accepted = Counter(
            event.client_id
            for _, event in reader.events()
            if isinstance(event, Report) and event.kind == ReportKind.ACCEPTED
        )
    _check_orders(accepted, ended, died)
    found = replayed(case, path).divergence
    assert found is None, f"{found}, {died}"


def _check_orders(expected: Counter[str], ended: Ended, died: str) -> None:
    doubled, lost = ended.orders - expected, expected - ended.orders
    assert not doubled, f"doubled {sorted(doubled)}, {died}"
    assert ended.state is RunState.STOPPED, f"{ended.state}: {ended.reason}, {died}"
    assert not lost, f"lost {sorted(lost)}, {died}"
