"""The warm-up certificate: cold starts decide like full history, and operators that never forget
are refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import alphalab as al
from alphalab.artifact.loading import load_strategy, reference_strategies
from alphalab.core.engine import Engine
from alphalab.data.samples.synthetic import synthetic
from alphalab.research.validation.warm_up import Certificate, certify_warmup, memory_of


@al.op(params=["n"], rows="1", state="1", recursive=True)
def warm_up_total(state, params, x):
    """Add up all rows."""
    state[0] += x / params[0]
    return state[0]


def middle(x):
    return np.median(x, axis=0)


def market() -> al.Bars:
    return synthetic(1_500, 3, seed=4, gap_frac=0.0)


def expression(text: str) -> al.Strategy:
    return al.ExprStrategy(text=text)


class Middle(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close > al.python_op(middle, [al.close], 15), 0.3, 0.0)


class Total(al.Strategy):
    def weights(self) -> al.Expr:
        return warm_up_total(al.close, 10)


STRATEGIES = {
    **{n: load_strategy(n)() for n in reference_strategies() if n != "pair_reversion"},
    "ema": expression("where(close > ema(close, 30), 0.3, 0.0)"),
    "rsi": expression("clip(rsi(close, 14) / 300, 0.0, 0.3)"),
    "latch": expression("latch(rsi(close, 5) < 30, rsi(close, 5) > 70)"),
    "python": Middle(),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_cold_start_decides_as_full_history_after_the_certified_rows(name):
    strategy = STRATEGIES[name]
    bars = al.load("sp500_stocks") if name == "ppo_allocator" else market()
    found = certify_warmup(strategy, bars, n_starts=20)
    full = targets(strategy, bars)
    for start in (3, 311, 640):
        cold = targets(strategy, bars.rows(start, bars.n_rows))
        after = slice(found.rows - 1, None)
        np.testing.assert_allclose(cold[after], full[start:][after], atol=1e-6)
    if found.exact:
        assert found.rows == found.bound
    assert json.loads(json.dumps(found.to_dict()))["rows"] == found.rows


def targets(strategy: al.Strategy, bars: al.Bars) -> np.ndarray:
    """Signals of weights; of a `decide` what it reads."""
    engine = Engine(strategy, bars.instruments, al.RunSettings(), capacity=bars.n_rows)
    values = engine.plan.run({name: bars[name] for name in engine.plan.columns}, bars.n_rows)
    return np.stack(list(values.values()), axis=1)


def test_one_row_less_is_not_enough():
    found = certify_warmup(STRATEGIES["sma_cross"], market(), n_starts=20)
    full = targets(STRATEGIES["sma_cross"], market())
    cold = targets(STRATEGIES["sma_cross"], market().rows(100, 1_500))
    assert found.rows == 30
    assert np.isnan(cold[28]).all()
    assert not np.isnan(full[128]).any()


@pytest.mark.parametrize(
    ("text", "bound", "exact"),
    [
        ("ts_mean(delay(close, 5), 10)", 15, True),
        ("cs_rank(returns(close, 20))", 21, True),
        ("ema(ts_mean(close, 10), 30)", 10 - 1 + 30 + 208, False),
        ("wilder(close, 14)", 14 + 187, False),
        ("ema(close, 1)", 1, False),
        ("latch(close > 0, 0.0)", math.inf, False),
    ],
)
def test_memory_comes_from_the_registry(text, bound, exact):
    found = memory_of(expression(text))
    assert found[1:] == (bound, exact)


def test_an_exponential_mean_has_forgotten_after_its_bound():
    bars = market()
    found = memory_of(expression("ema(close, 30)"))[1]
    strategy = expression("ema(close, 30)")
    full, cold = targets(strategy, bars), targets(strategy, bars.rows(200, 1_500))
    gap = np.abs(cold[int(found) - 1 :] - full[200:][int(found) - 1 :])
    # A millionth of how far the close was from its mean at the start.
    assert gap.max() <= 1e-6 * np.ptp(bars.close)


def test_what_never_forgets_is_refused():
    with pytest.raises(
        al.errors.DataError, match=r"(?s)cold starts need .* of 1,500.*never forgets"
    ):
        certify_warmup(Total(), market(), n_starts=10)


def test_a_certificate_names_its_proof():
    found = certify_warmup(STRATEGIES["ema"], market(), n_starts=10)
    assert isinstance(found, Certificate)
    assert (found.n_starts, found.data) == (10, market().id)
    assert found.needed <= found.rows
    assert found.n_compared > 1_000
    assert "cold starts decided as full history did" in str(found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: certify_warmup(STRATEGIES["ema"], market(), n_starts=3), "n_starts=3"),
        (lambda: certify_warmup(STRATEGIES["ema"], market(), tolerance=0), "tolerance=0"),
        (
            lambda: certify_warmup(STRATEGIES["ema"], market().rows(0, 60)),
            "cold starts need 238 rows or more, of 60.*more data",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(al.errors.InputError, match=f"(?s){message}"):
        call()
