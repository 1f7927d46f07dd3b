"""Episodes of a step engine, beside backtests of the same targets."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from markets import DISTANCES, Given, Market
from msgspec import structs

from alphalab.core.engine import Block, Engine
from alphalab.core.step_engine import StepEngine, Stretch
from alphalab.types import FloatArray

NAMES = ("ledger", "qty", "targets", "fills", "refusals", "events", "postings", "ambiguities")


def without_script(market: Market) -> Market:
    """Return a market that is traded by targets alone, with exits at fractions of a price."""
    exits = market.settings.exits
    if exits is not None and exits.distances:
        fractions = {DISTANCES[name]: 0.02 for name in exits.distances}
        exits = structs.replace(exits, **dict.fromkeys(exits.distances), **fractions)
        market = market._replace(settings=structs.replace(market.settings, exits=exits))
    return market._replace(requests=())


def engine_of(market: Market, n_accounts: int = 1, **options: Any) -> StepEngine:
    """Return a step engine over all rows of a market; its one feature is the number of the row."""
    features = np.arange(market.time.size, dtype=np.float32)[:, None]
    stretch = Stretch(market.time, market.columns)
    options = {"n_accounts": n_accounts} | options
    return StepEngine([stretch], market.instruments, market.settings, features, **options)


def begin(engine: StepEngine, spans: list[tuple[int, int]]) -> None:
    """Reset every account to its own first and last row."""
    engine.start[:], engine.stop[:] = np.array(spans).T
    engine.reset()


def play(engine: StepEngine, targets: FloatArray) -> FloatArray:
    """Step the only account with rows of the targets until its episode ends; return the rewards."""
    rewards = []
    while not (engine.terminated[0] or engine.truncated[0]):
        engine.asked[0] = targets[engine.at[0]]
        engine.step()
        rewards.append(engine.reward[0])
    return np.array(rewards)


def pushed(market: Market, first: int, last: int) -> Block:
    """Return the backtest of the rows from first to last, without an opinion in the last."""
    weights = market.weights.copy()
    weights[last] = np.nan
    columns = {k: x[first : last + 1] for k, x in market._replace(weights=weights).columns.items()}
    engine = Engine(Given(), market.instruments, market.settings)
    return engine.push(market.time[first : last + 1], columns)


def different(one: Block, other: Block) -> list[str]:
    """Return the names of the records in which two blocks differ by a bit; NaN equals NaN."""
    return [
        name for name in NAMES if getattr(one, name).tobytes() != getattr(other, name).tobytes()
    ]


def span(rng: random.Random, n_rows: int) -> tuple[int, int]:
    """Draw the first and the last row of an episode."""
    first = rng.randrange(n_rows - 1)
    return first, rng.randint(first + 1, n_rows - 1)


def with_fee(market: Market, fee_bps: float) -> Market:
    """Return the market with another fee."""
    costs = structs.replace(market.settings.costs, fee_bps=fee_bps, tiers=())
    return market._replace(settings=structs.replace(market.settings, costs=costs))
