"""Accounts whose targets come from outside equal backtests of the same targets, bit for bit."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import Market, random_market
from msgspec import structs
from stepping import begin, different, engine_of, play, pushed, span, without_script
from sweeping import differences

from alphalab.config import Costs, Limits, RunSettings
from alphalab.core.columns import COLUMN
from alphalab.core.record import Record
from alphalab.core.rewards import DEFAULT_WEIGHTS, Reward
from alphalab.core.step_engine import StepEngine, Stretch
from alphalab.errors import DataError, ParameterError, StateError
from alphalab.types import TALLY, Instrument, Records

nojit = pytest.mark.nojit

DAY = 86_400 * 10**9


def drawn(rng: random.Random, **size: int) -> tuple[Market, int, int]:
    """Draw a market of two rows or more, and an episode in it."""
    while True:
        market = without_script(random_market(rng, **size))
        if market.time.size > 1:
            return market, *span(rng, market.time.size)


def compare(rng: random.Random, seen: Counter[str], **size: int) -> None:
    """Fail unless an episode equals the backtest of its rows."""
    market, first, last = drawn(rng, **size)
    engine = engine_of(market, record=True)
    for _ in range(2):  # the second episode begins with what the first has left
        begin(engine, [(first, last)])
        play(engine, market.weights)
        alone = pushed(market, first, int(engine.at[0]))
        assert different(engine.block(), alone) == []
    seen["episodes"] += 1
    seen["terminated"] += bool(engine.terminated[0])
    seen["fills"] += alone.fills.size
    seen["exits, margin"] += bool(market.settings.exits or market.settings.margin)


# --- one account ---------------------------------------------------------------------------------


@nojit
def test_an_episode_is_a_backtest() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        compare(random.Random(seed), seen, max_rows=30, max_assets=3)
    assert seen["terminated"] > 0 and seen["fills"] > 50 and seen["exits, margin"] > 10


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, suppress_health_check=[HealthCheck.large_base_example])
def test_any_episode_is_a_backtest(rng: random.Random) -> None:
    compare(rng, Counter(), max_rows=30, max_assets=4)


@pytest.mark.slow
def test_twenty_thousand_episodes_are_backtests() -> None:
    seen: Counter[str] = Counter()
    for seed in range(20_000):
        compare(random.Random(seed), seen)
    assert seen["episodes"] == 20_000 and seen["terminated"] > 500 and seen["fills"] > 50_000


@nojit
@pytest.mark.parametrize("name", ["ledger", "qty", "targets", "fills", "refusals", "events"])
def test_a_difference_of_one_bit_is_found(name: str) -> None:
    market, first, last = drawn(random.Random(3))
    seed = 3
    while not getattr(pushed(market, first, last), name).size:
        seed += 1
        market, first, last = drawn(random.Random(seed))
    one, other = pushed(market, first, last), pushed(market, first, last)
    assert different(one, other) == []
    getattr(other, name).view(np.uint8).reshape(-1)[0] ^= 1
    assert different(one, other) == [name]


@nojit
def test_logs_that_are_full_are_emptied_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alphalab.core.workspace._USUAL", (0, 0, 0, 0, 0))  # room for two rows
    seen: Counter[str] = Counter()
    emptied: list[int] = []
    empty = Record.empty
    monkeypatch.setattr(Record, "empty", lambda *given: (emptied.append(1), empty(*given))[1])
    for seed in range(10):
        compare(random.Random(seed), seen, max_rows=30, max_assets=3)
    assert len(emptied) > 5 * seen["episodes"] > 0


# --- many accounts -------------------------------------------------------------------------------


def tallies(engine: StepEngine) -> Records:
    figures, words = engine.tallied()
    result: Any = np.empty(figures.size, COLUMN)
    for name in TALLY.names or ():
        result[name] = figures[name]
    result["words"] = words
    return result  # type: ignore[no-any-return]


def compare_many(rng: random.Random, n: int = 4, **size: int) -> None:
    """Fail unless accounts at rows of their own equal the backtests of their rows."""
    market, *_ = drawn(rng, **size)
    spans = [span(rng, market.time.size) for _ in range(n)]
    engine = engine_of(market, n, tally=True)
    begin(engine, spans)
    while True:
        open_ = ~(engine.terminated | engine.truncated)
        if not open_.any():
            break
        some = open_ & (np.array([rng.random() for _ in range(n)]) < 0.7)  # not in step
        engine.asked[some] = market.weights[engine.at[some]]
        engine.step(some)
    blocks = [pushed(market, a, int(b)) for (a, _), b in zip(spans, engine.at, strict=True)]
    assert differences(tallies(engine), blocks) == []


@nojit
def test_accounts_at_rows_of_their_own_are_backtests() -> None:
    for seed in range(15):
        compare_many(random.Random(seed), max_rows=20, max_assets=3)


@given(st.randoms(use_true_random=False))
@settings(max_examples=50, suppress_health_check=[HealthCheck.large_base_example])
def test_any_accounts_are_backtests(rng: random.Random) -> None:
    compare_many(rng, max_rows=30, max_assets=4)


@nojit
def test_rules_of_their_own() -> None:
    rng = random.Random(5)
    market, *_ = drawn(rng, max_assets=2)
    n = market.time.size
    engine = engine_of(market, 2)
    engine.instruments["taker"][1] = engine.instruments["maker"][1] = 0.03
    begin(engine, [(0, n - 1)] * 2)
    alone = engine_of(market)
    alone.instruments["taker"] = alone.instruments["maker"] = 0.03
    begin(alone, [(0, n - 1)])
    play(alone, market.weights)
    while not (engine.terminated | engine.truncated).all():
        engine.asked[:] = market.weights[engine.at]
        engine.step(~(engine.terminated | engine.truncated))
    assert engine.equity[1] == alone.equity[0]


# --- what an account shows and earns -------------------------------------------------------------


def plain(close: list[float], **options: Any) -> StepEngine:
    prices = np.array(close)[:, None]
    time = np.arange(1, len(close) + 1) * DAY
    features = np.arange(2 * len(close), dtype=np.float32).reshape(-1, 2)
    run = RunSettings(cash=100.0, **options.pop("run", {}))
    stretch = Stretch(time, {"open": prices, "close": prices})
    return StepEngine([stretch], [Instrument(symbol="A")], run, features, **options)


@nojit
def test_an_observation_by_hand() -> None:
    engine = plain([10.0, 10.0, 20.0, 15.0], window=2)
    begin(engine, [(1, 3)])
    assert engine.observation[0].tolist() == [0, 1, 2, 3, 1, 0, 0, 0, 0]
    engine.asked[0] = 0.5
    engine.step()  # buys 2.5 at 20
    assert engine.observation[0].tolist() == [2, 3, 4, 5, 0.5, 0, 0.5, 0.5, 0]
    engine.step()
    shown = np.array([4, 5, 6, 7, 50 / 87.5, 0.125, 37.5 / 87.5, 0.5, 1 / 101], np.float32)
    assert engine.observation[0].tolist() == shown.tolist()
    assert engine.truncated[0] and not engine.terminated[0]
    assert engine.reward[0] == np.log(87.5 / 100)


@nojit
def test_a_ruined_account_shows_no_weights() -> None:
    engine = plain([10.0, 10.0, 30.0, 30.0])
    begin(engine, [(0, 3)])
    engine.asked[0] = -1.0
    engine.step()
    engine.step()  # short 10 units at 10, covered by nothing: 100 + 100 - 300
    assert engine.terminated[0] and not engine.truncated[0]
    assert engine.equity[0] == -100.0
    assert engine.observation[0].tolist() == [4, 5, 0, 2, 0, -1, np.float32(1 / 101)]
    assert engine.reward[0] == np.log(1e-6)


@nojit
def test_the_limit_of_drawdown_terminates() -> None:
    engine = plain([10.0, 10.0, 8.0, 8.0], run={"limits": Limits(drawdown=0.1)})
    begin(engine, [(0, 3)])
    engine.asked[0] = 1.0
    engine.step()
    engine.step()
    assert engine.terminated[0] and engine.equity[0] == 80.0


MOVES = [10.0, 10.0, 11.0, 9.9, 12.0, 12.6, 11.0]


def reward_by_hand(kind: str, w: float, equity: list[float], traded: list[float]) -> list[float]:
    mean = square = 0.0
    rewards, peak = [], equity[0]
    for before, after, units in zip(equity, equity[1:], traded, strict=False):
        r, peak = after / before - 1, max(peak, after)
        variance = square - mean * mean
        top = square * (r - mean) - mean * (r * r - square) / 2
        penalty = {
            "log_return": 0.0,
            "drawdown": w * (1 - after / peak),
            "downside": w * min(r, 0.0) ** 2,
            "variance": w * r * r,
            "cost": w * units / before,
        }
        if kind == "differential_sharpe":
            rewards.append(top / variance**1.5 if variance > 1e-12 else 0.0)
        else:
            rewards.append(np.log(after / before) - penalty[kind])
        mean, square = mean + w * (r - mean), square + w * (r * r - square)
    return rewards


@nojit
@pytest.mark.parametrize("kind", DEFAULT_WEIGHTS)
def test_rewards_by_hand(kind: str) -> None:
    run = {"costs": Costs(fee_bps=20)}
    engine = plain(MOVES, reward=Reward(kind=kind), record=True, run=run)  # type: ignore[arg-type]
    for _ in range(2):  # the moments of the first episode are gone
        begin(engine, [(0, len(MOVES) - 1)])
        rewards = play(engine, np.array([1, 1, 0.5, 0.5, 1, 0.5, 0.5])[:, None])
    ledger = engine.block().ledger
    traded = np.diff(ledger["turnover"]).tolist()
    weight = DEFAULT_WEIGHTS[kind]
    expected = reward_by_hand(kind, weight, ledger["equity"].tolist(), traded)
    np.testing.assert_allclose(rewards, expected, rtol=1e-9, atol=1e-15)


@nojit
@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"kind": "log_return", "weight": 1.0}, "has no weight"),
        ({"kind": "differential_sharpe", "weight": 0.0}, "above 0"),
        ({"kind": "differential_sharpe", "weight": 2.0}, "at most 1"),
        ({"kind": "variance", "weight": -1.0}, "weight"),
        ({"kind": "sharpe"}, "kind"),
    ],
)
def test_a_reward_that_is_none_is_refused(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(ParameterError, match=rule):
        Reward(**given)


# --- what is refused -----------------------------------------------------------------------------


@nojit
def test_a_step_after_the_end_is_refused() -> None:
    engine = plain([10.0, 10.0, 10.0])
    begin(engine, [(0, 1)])
    engine.step()
    with pytest.raises(StateError, match="episode has ended"):
        engine.step()


@nojit
@pytest.mark.parametrize("rows", [(-1, 2), (0, 3), (1, 1), (2, 1), (0, 2**40)])
def test_an_episode_outside_of_the_rows_is_refused(rows: tuple[int, int]) -> None:
    engine = plain([10.0, 10.0, 10.0])
    with pytest.raises(ParameterError, match="inside the bars"):
        begin(engine, [rows])


@nojit
def test_a_window_before_the_first_row_is_refused() -> None:
    engine = plain([10.0, 10.0, 10.0], window=2)
    with pytest.raises(ParameterError, match="a whole window"):
        begin(engine, [(0, 2)])


@nojit
def test_records_come_at_the_end_only() -> None:
    engine = plain([10.0, 10.0, 10.0], record=True)
    begin(engine, [(0, 2)])
    with pytest.raises(StateError, match="has not ended"):
        engine.block()
    with pytest.raises(StateError, match="no records"):
        plain([10.0, 10.0]).block()


@nojit
def test_rows_that_break_a_rule_are_refused() -> None:
    with pytest.raises(DataError, match="a price lies between"):
        plain([10.0, -1.0, 10.0])


@nojit
def test_settings_are_those_of_a_run() -> None:
    engine = plain([10.0, 10.0], run={"limits": Limits(gross=0.5)})
    assert engine.rules["gross"][0] == structs.replace(engine.settings).limits.gross
