"""A crash at every write, commit and request: no order lost, none doubled, the same end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from alphalab_live.exchange import LocalExchange
from alphalab_live.lockstep import LockstepVenue
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from live_cases import AT_DECISION, Case, Cross, bars_of, live, replayed, rows_of, venue_of

import alphalab as al
from alphalab.core.event_codec import Event
from alphalab.core.events import RUN_EVENTS
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import Head


class Crash(BaseException):
    """The process dies here."""


class Points:
    """Counts the points at which a process can die, and dies at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.names: list[str] = []
        self.at = at

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if self.at is not None and len(self.names) - 1 == self.at:
            raise Crash(name)


def crashing_journal(points: Points) -> Any:
    class CrashingJournal(Journal):
        def write(self, events: Sequence[tuple[int, Event]], *, durable: bool = True) -> Head:
            kinds = ",".join(type(event).__name__ for _, event in events)
            points(f"before writing {kinds}")
            head = super().write(events, durable=durable)
            points(f"after writing {kinds}")
            return head

    def opened(folder: RunFolder) -> Journal:
        folder.path.mkdir(parents=True, exist_ok=True)
        (folder.path / "commands").mkdir(exist_ok=True)
        return CrashingJournal(folder.journal, RUN_EVENTS, meta={"run": "test"})

    return opened


def crashing_venue(points: Points) -> Any:
    def made(exchange: LocalExchange, case: Case) -> LockstepVenue:
        venue = venue_of(exchange, case)
        for name in ("submit", "cancel", "query", "trades", "signal", "holdings", "open_orders"):
            setattr(venue, name, _wrapped(getattr(venue, name), name, points))
        return venue

    return made


def _wrapped(method: Any, name: str, points: Points) -> Any:
    async def call(*arguments: Any) -> Any:
        points(f"before {name}")
        answer = await method(*arguments)
        points(f"after {name}")
        return answer

    return call


def session(case: Case, path: Path, at: int | None) -> tuple[Points, list[str], int]:
    """Trade a case, dying at one point; return the points, the orders, and the number of lives."""
    points = Points(at)

    async def all_of_it() -> tuple[list[str], int]:
        lives = 0
        async with LocalExchange(case.bars, [case.account()]) as exchange:
            while True:
                lives += 1
                try:
                    state = await live(
                        case,
                        exchange,
                        path,
                        make_venue=crashing_venue(points),
                        open_journal=crashing_journal(points),
                    )
                except Crash:
                    continue
                assert state is RunState.STOPPED
                return [
                    order.client_id
                    for wallet in exchange.desk.wallets.values()
                    for order in {
                        id(x): x for x in (*wallet.algos.values(), *wallet.orders.values())
                    }.values()
                ], lives

    orders, lives = asyncio.run(all_of_it())
    return points, orders, lives


def market(rows: int = 30) -> Case:
    return Case(
        bars_of("BTC/USDT:USDT", rows=rows),
        Cross(),
        al.RunSettings(
            exits=al.Exits(stop_loss=0.004, take_profit=0.006),
            execution=al.Execution(path="ohlc"),
            **AT_DECISION,
        ),
    )


def crash_at(every: int, first: int, tmp_path: Path) -> tuple[int, int]:
    case = market()
    points, orders, _ = session(case, tmp_path / "whole", None)
    whole = rows_of(tmp_path / "whole")
    n_points = len(points.names)
    tried = 0
    for at in range(first, n_points, every):
        path = tmp_path / str(at)
        _, got, lives = session(case, path, at)
        name = points.names[at]
        assert lives == 2, name
        assert sorted(got) == sorted(orders), f"{at}: {name}"
        assert len(set(got)) == len(got), f"{at}: {name}"
        found = rows_of(path)
        assert found[0].tobytes() == whole[0].tobytes(), f"{at}: {name}"
        assert found[1].tobytes() == whole[1].tobytes(), f"{at}: {name}"
        assert replayed(case, path).divergence is None, f"{at}: {name}"
        tried += 1
    return tried, n_points


def test_a_crash_at_some_points(tmp_path: Path) -> None:
    tried, n_points = crash_at(23, 1, tmp_path)
    assert tried >= 10 and n_points > 200


@pytest.mark.slow
def test_a_crash_at_every_point(tmp_path: Path) -> None:
    tried, n_points = crash_at(1, 0, tmp_path)
    assert tried == n_points
