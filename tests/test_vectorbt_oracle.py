"""vectorbt's Portfolio as an oracle, where its orders mean what ours mean.

They agree, to 1e-9 of the equity, when

- one asset is held in full or not at all, with fees, filled at the next open (vectorbt is given
  orders shifted by one row and the opens as prices) or at the same close: a purchase of everything
  spends all the cash in both;
- weights of several assets that share their cash are traded without fees at the close that decided
  them: value sizing and ``targetpercent`` ask for the same units then;
- the budget of a purchase and the units of a sale are ours, and vectorbt executes them with fees.

They differ, and are not compared, in

- fees inside a budget: half the equity is half with its fee here, and half without it there;
- the moment of sizing: a target is valued at the close that decided it here, at the price of its
  fill there, so fractional weights at the next open buy other amounts;
- ``on_change``: vectorbt orders wherever a size is not NaN, so an unchanged target is given as NaN;
- shorts and flips: vectorbt locks cash for a short and cuts what the free cash does not cover; here
  a short's proceeds are cash, and the gate bounds the exposure;
- missing prices: an order without a price is dropped there and waits here;
- lots: ``size_granularity`` rounds every order there, also the one that closes a position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from markets import DAY, MONDAY, Market

from alphalab.config import Costs, Rebalance, RunSettings
from alphalab.core.engine import Block
from alphalab.types import FloatArray, Instrument

CASH = 10_000.0


@pytest.fixture(scope="module")
def portfolio() -> Any:
    return pytest.importorskip("vectorbt").Portfolio


def market_of(weights: FloatArray, seed: int, **fields: Any) -> Market:
    """A random walk for each column of weights."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(rng.normal(0.0, 0.02, weights.shape).cumsum(axis=0))
    open_ = close * np.exp(rng.normal(0.0, 0.01, weights.shape))
    return Market(
        time=MONDAY + DAY * np.arange(len(weights)),
        open=open_,
        close=close,
        weights=weights,
        instruments=[Instrument(symbol=f"S{i}") for i in range(weights.shape[1])],
        settings=RunSettings(cash=CASH, **fields),
    )


def in_and_out(seed: int, n_rows: int = 500) -> FloatArray:
    """Spells of one and of zero."""
    return (np.random.default_rng(seed).normal(size=n_rows).cumsum() > 0.0)[:, None] * 1.0


def shifted(values: FloatArray, first: float) -> FloatArray:
    """What was decided on the row before."""
    return np.concatenate([np.full_like(values[:1], first), values[:-1]])


def assert_equal_equity(block: Block, theirs: Any) -> None:
    equity = np.asarray(theirs.value(), np.float64).reshape(-1)
    assert np.abs(block.ledger["equity"] / equity - 1.0).max() < 1e-9
    assert theirs.orders.records.shape[0] == block.fills.size >= 4


@pytest.mark.parametrize("fee", [0.0, 0.001, 0.02])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_full_in_and_out_at_the_next_open(portfolio: Any, fee: float, seed: int) -> None:
    market = market_of(in_and_out(seed), seed, costs=Costs(fee_bps=fee * 1e4))
    changed = np.diff(market.weights, axis=0, prepend=0.0) != 0.0
    theirs = portfolio.from_orders(
        market.close,
        size=shifted(np.where(changed, market.weights, np.nan), np.nan),
        size_type="targetpercent",
        price=market.open,
        fees=fee,
        init_cash=CASH,
    )
    assert_equal_equity(market.run(), theirs)


@pytest.mark.parametrize("fee", [0.0, 0.001, 0.02])
@pytest.mark.parametrize("seed", [4, 5])
def test_signals_at_the_next_open(portfolio: Any, fee: float, seed: int) -> None:
    market = market_of(in_and_out(seed), seed, costs=Costs(fee_bps=fee * 1e4))
    step = np.diff(market.weights, axis=0, prepend=0.0)
    theirs = portfolio.from_signals(
        market.close,
        entries=shifted(step > 0.0, False),
        exits=shifted(step < 0.0, False),
        price=market.open,
        fees=fee,
        init_cash=CASH,
    )
    assert_equal_equity(market.run(), theirs)


@pytest.mark.parametrize("fee", [0.0, 0.001])
def test_signals_at_the_same_close(portfolio: Any, fee: float) -> None:
    market = market_of(in_and_out(6), 6, costs=Costs(fee_bps=fee * 1e4), fill="same_close")
    step = np.diff(market.weights, axis=0, prepend=0.0)
    theirs = portfolio.from_signals(
        market.close,
        entries=step > 0.0,
        exits=step < 0.0,
        price=market.close,
        fees=fee,
        init_cash=CASH,
    )
    assert_equal_equity(market.run(), theirs)


@pytest.mark.parametrize("n_assets", [1, 2, 5])
@pytest.mark.parametrize(
    "rule", [Rebalance.every_row(), Rebalance.on_change()], ids=["every_row", "on_change"]
)
def test_weights_of_shared_cash_without_fees(portfolio: Any, n_assets: int, rule: Any) -> None:
    rng = np.random.default_rng(n_assets)
    weights = rng.dirichlet(np.ones(n_assets + 1), 300)[:, :n_assets]
    weights = np.repeat(weights[::3], 3, axis=0)  # each for three rows
    market = market_of(weights, n_assets, fill="same_close", rebalance=rule)
    changed = np.diff(weights, axis=0, prepend=np.nan) != 0.0
    theirs = portfolio.from_orders(
        market.close,
        size=weights if rule == Rebalance.every_row() else np.where(changed, weights, np.nan),
        size_type="targetpercent",
        init_cash=CASH,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
    )
    assert_equal_equity(market.run(), theirs)


@pytest.mark.parametrize("fee", [0.0, 0.001, 0.02])
def test_what_ours_decides_vectorbt_executes(portfolio: Any, fee: float) -> None:
    """Fractional weights at the next open with fees: purchases by value, sales by units."""
    rng = np.random.default_rng(7)
    weights = np.repeat(rng.uniform(0.0, 0.9, 100), 3)[:, np.newaxis]
    market = market_of(weights, 7, costs=Costs(fee_bps=fee * 1e4))
    block = market.run()
    enums = pytest.importorskip("vectorbt.portfolio.enums")
    held = block.qty[:, 0] * market.close[:, 0]
    value = weights[:, 0] * block.ledger["equity"] - held
    changed = np.diff(weights[:, 0], prepend=np.nan) != 0.0
    size = np.where(value > 0.0, value / (1.0 + fee), value / market.close[:, 0])
    size_type = np.where(value > 0.0, enums.SizeType.Value, enums.SizeType.Amount)
    theirs = portfolio.from_orders(
        market.close[:, 0],
        size=shifted(np.where(changed, size, np.nan), np.nan),
        size_type=shifted(size_type, enums.SizeType.Amount),
        price=market.open[:, 0],
        fees=fee,
        init_cash=CASH,
    )
    assert_equal_equity(block, theirs)


def test_the_comparison_can_fail(portfolio: Any) -> None:
    market = market_of(in_and_out(1), 1)
    theirs = portfolio.from_signals(
        market.close,
        entries=market.weights > 0.0,
        exits=market.weights == 0.0,
        price=market.close,
        fees=0.0,
        init_cash=CASH,
    )
    with pytest.raises(AssertionError):
        assert_equal_equity(market.run(), theirs)
