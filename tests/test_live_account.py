"""Several artifacts in one account: each has an engine, a capital, orders and fills of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from alphalab_live.exchange import Account
from alphalab_live.promoted import Promoted, check_together
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RunState
from alphalab_live.trader import Trader
from artifact_cases import content_of, made
from commands import Run as Ran
from live_cases import (
    AT_DECISION,
    Case,
    Cross,
    bars_of,
    lockstep,
    replayed,
    with_funding,
)
from live_desk import Desk, know_live_commands

import alphalab as al
from alphalab.core.event_codec import Event
from alphalab.core.events import Intent, Report, Row, Run
from alphalab.errors import ParameterError
from alphalab.types import LEDGER

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "XRP/USDT:USDT")


class Shared(NamedTuple):
    """Several cases in one account; it is traded as one `Case` is."""

    cases: tuple[Case, ...]
    bars: al.Bars

    @property
    def interval(self) -> int:
        return self.cases[0].interval

    def traders(self) -> list[Trader]:
        return [
            Trader(i, case.engine(external=True), case.interval)
            for i, case in enumerate(self.cases)
        ]

    def start(self) -> Run:
        starts = [case.start() for case in self.cases]
        fields = ("artifacts", "engines", "capital", "intervals", "symbols", "columns")
        joined = {name: sum((getattr(x, name) for x in starts), ()) for name in fields}
        given = {name: getattr(starts[0], name) for name in ("run", "venue", "account")}
        return Run(**given, **joined, sends=True, versions=())

    def account(self) -> Account:
        cash = sum(case.settings.cash for case in self.cases)
        return Account(settings=al.RunSettings(cash=cash, **AT_DECISION))


def two() -> Shared:
    """Return two artifacts: one of two symbols and one of a third, with different capital."""
    bars = with_funding(bars_of(*SYMBOLS, rows=120))
    large = al.RunSettings(cash=80_000, **AT_DECISION)
    small = al.RunSettings(cash=20_000, entry=al.Entry(limit_offset_bps=5, ttl=3), **AT_DECISION)
    return Shared(
        (
            Case(bars.select(SYMBOLS[:2]), Cross(long=0.4, short=-0.4), large),
            Case(bars.select(SYMBOLS[2:]), Cross(fast=2, slow=5), small),
        ),
        bars,
    )


def events_of(path: Path) -> list[Event]:
    with RunFolder(path).reader() as reader:
        return [event for _, event in reader.events()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade both artifacts, and return the folder of the run."""
    path = tmp_path_factory.mktemp("run")
    assert lockstep(two(), path) is RunState.STOPPED  # type: ignore[arg-type]
    return path


def test_each_artifact_has_the_bits_of_its_own_backtest(run: Path) -> None:
    account, events = two(), events_of(run)
    for place, case in enumerate(account.cases):
        rows = [x for x in events if isinstance(x, Row) and x.engine == place]
        want = case.backtest()
        assert len(want.fills) > 5
        ledger = np.frombuffer(b"".join(row.ledger for row in rows), LEDGER)
        assert ledger.tobytes() == want.ledger.tobytes()
        assert b"".join(row.qty for row in rows) == want.qty.astype("<f8").tobytes()
        mine = [x for x in events if isinstance(x, Intent | Report) and x.engine == place]
        assert {x.client_id.split("-")[2] for x in mine if x.client_id} == {str(place)}
    found = replayed(account, run)  # type: ignore[arg-type]
    assert found.divergence is None
    assert found.n_rows == 2 * account.bars.n_rows


def test_fundings_of_all_symbols_are_booked_once(run: Path) -> None:
    booked = Counter(
        (x.engine, x.asset, x.venue_time)
        for x in events_of(run)
        if isinstance(x, Report) and x.amount
    )
    assert len({asset for engine, asset, _ in booked if engine == 0}) == 2
    assert set(booked.values()) == {1}


class Named(NamedTuple):
    """What is looked at of an artifact."""

    manifest: SimpleNamespace
    instruments: SimpleNamespace


def promoted(name: str, bars: al.Bars) -> Promoted:
    listed = SimpleNamespace(instruments=bars.instruments)
    artifact: Any = Named(SimpleNamespace(name=name), listed)
    return Promoted(artifact, Cross(), al.RunSettings(**AT_DECISION))


def test_artifacts_that_cannot_share_an_account() -> None:
    one = promoted("one", bars_of("BTC/USDT:USDT"))
    other = promoted("other", bars_of("ETH/USDT:USDT"))
    spot = promoted("spot", bars_of("ETH/USDT", kind="spot"))
    euro = promoted("euro", bars_of("ETH/EUR:EUR").with_instruments(currency="EUR"))
    check_together([one, other])
    with pytest.raises(ParameterError, match="BTC/USDT:USDT is traded by one and by one"):
        check_together([one, one])
    with pytest.raises(ParameterError, match="artifacts of contracts and of spot in one run"):
        check_together([one, spot])
    with pytest.raises(ParameterError, match="artifacts of EUR and of USDT in one run"):
        check_together([one, euro])


@pytest.fixture
def two_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Make two promoted artifacts, `cross` and `slow`, of two symbols."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    know_live_commands()
    desk = Desk(tmp_path).promote()
    given = bars_of("ETH/USDT:USDT", rows=60)
    file = tmp_path / "eth.parquet"
    given.to_frame("long").reset_index().to_parquet(file)
    bars = al.load(str(file)).with_instruments(list(given.instruments))
    strategy = al.ExprStrategy(text=desk.strategy.text.replace("9", "7"))
    content = content_of(
        strategy, data=str(file), bars=bars, record={"warmup_rows": 12}, **AT_DECISION
    )
    made(tmp_path / "slow", strategy, desk.keys, content=content)
    return desk.promote(tmp_path / "slow")


def test_a_paper_run_of_two_artifacts(
    two_artifacts: Desk, cli: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "live.toml").write_text("[capital]\ncross = 30_000\nslow = 5_000\n")
    ran = cli("live", "run", "cross", "slow", "--settings", "live.toml", "--json")
    assert ran.code == 0, ran.err
    engines = ran.object["engines"]
    assert [list(engine["units"]) for engine in engines] == [["BTC/USDT:USDT"], ["ETH/USDT:USDT"]]
    assert 25_000 < engines[0]["equity"] < 35_000
    assert 4_000 < engines[1]["equity"] < 6_000
    proof = cli("live", "verify", "runs/cross")
    assert proof.code == 0, proof
    shown = cli("live", "status", "runs/cross").out
    assert "cross" in shown and "slow" in shown


def test_capital_for_an_artifact_that_is_not_there(
    two_artifacts: Desk, cli: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "live.toml").write_text("[capital]\ncros = 30_000\n")
    ran = cli("live", "run", "cross", "--settings", "live.toml")
    assert ran.code == 2 and "it names one artifact; the run trades cross" in ran.err
    twice: Any = cli("live", "run", "cross", "cross")
    assert twice.code == 2 and "each symbol of an account is traded by one artifact" in twice.err
