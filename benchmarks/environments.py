"""Steps a second of environments: one and many accounts, beside gym-trading-env, gym-anytrading.

python benchmarks/environments.py [--rows 20000] [--seconds 1] [--json]

The speed of single and vector environments through the interface of Gymnasium, and of the compiled
step alone. If gym-trading-env is installed, the same actions on the same prices: equity must agree
to 1e-9, or the exit code is 1. It trades at the close that it decides on and takes fees of
purchases from the units, so `fill="same_close"` and `fee_in="coin"` are set for both. The same for
gym-anytrading to 1e-4, since it counts in float32: it trades at the next close, knows long and
flat, and counts its profit when it sells, so rows in which nothing is held are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import alphalab_envs
import gymnasium as gym
import numpy as np

import alphalab as al

FEE = 0.001
TOLERANCE = {"gym-trading-env": 1e-9, "gym-anytrading": 1e-4}  # the latter counts in float32
FEATURES = {"z": al.close.ts_zscore(20), "move": al.close.returns(1)}


def rate(step: Callable[[], int], seconds: float) -> float:
    """Return environment steps per second of processor time of this process."""
    n, start, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(50):
            n += step()
    return n / (time.process_time() - start)


def single(bars: al.Bars) -> Callable[[], int]:
    env = alphalab_envs.TradingEnv(bars, features=FEATURES, episode=1000)
    actions = np.random.default_rng(0).integers(0, 2, 1000).tolist()
    env.reset(seed=0)
    state = {"i": 0}

    def step() -> int:
        state["i"] = i = (state["i"] + 1) % 1000
        if any(env.step(actions[i])[2:4]):
            env.reset()
        return 1

    return step


def many(bars: al.Bars, n: int, trades: float, window: int = 1) -> Callable[[], int]:
    """Return a step of n environments in which a share of the accounts changes its position."""
    envs = alphalab_envs.TradingVectorEnv(n, bars, features=FEATURES, episode=1000, window=window)
    rng = np.random.default_rng(0)
    actions = (np.cumsum(rng.random((256, n)) < trades, axis=0) % 2).astype(np.int64)
    envs.reset(seed=0)
    state = {"i": 0}

    def step() -> int:
        state["i"] = i = (state["i"] + 1) % 256
        envs.step(actions[i])
        return n

    return step


def kernel(bars: al.Bars, n: int, trades: float, tally: bool) -> Callable[[], int]:
    """Return a step of the compiled driver alone, without the interface of Gymnasium."""
    envs = alphalab_envs.TradingVectorEnv(n, bars, features=FEATURES)
    engine = envs.setup.engine(n, tally=tally)
    rng = np.random.default_rng(0)
    last = bars.n_rows - 1
    engine.start[:] = rng.integers(50, last // 2, n)
    engine.stop[:] = last
    actions = (np.cumsum(rng.random((256, n, 1)) < trades, axis=0) % 2).astype(np.float64)
    engine.reset()
    state = {"i": 0}

    def step() -> int:
        state["i"] = i = (state["i"] + 1) % 256
        engine.asked[:] = actions[i]
        engine.step()
        over = engine.truncated | engine.terminated
        if over.any():
            engine.reset(over)
        return n

    return step


def peer_env(bars: al.Bars) -> Any:
    """Return gym-trading-env on the same prices, or None without it."""
    try:
        from gym_trading_env.environments import TradingEnv
    except ImportError:
        return None
    frame = bars.to_frame()
    frame.columns = [name[0] if isinstance(name, tuple) else name for name in frame.columns]
    frame["feature_move"] = frame["close"].pct_change().fillna(0.0)
    frame.index = frame.index.tz_localize(None)
    return TradingEnv(frame, positions=[0, 1], trading_fees=FEE, initial_position=0, verbose=0)


def peer(env: Any) -> Callable[[], int]:
    actions = np.random.default_rng(0).integers(0, 2, 1000).tolist()
    env.reset(seed=0)
    state = {"i": 0}

    def step() -> int:
        state["i"] = i = (state["i"] + 1) % 1000
        if any(env.step(actions[i])[2:4]):
            env.reset()
        return 1

    return step


def agreement(bars: al.Bars, env: Any, n: int = 2000) -> float:
    """Return the largest relative difference of equity after the same actions."""
    ours = gym.make(
        "alphalab/Trading-v0",
        bars=bars,
        features={"move": al.close.returns(1).fill_nan(0.0)},
        cash=1000.0,
        fill="same_close",
        costs=al.Costs(fee_bps=FEE * 1e4, fee_in="coin"),
    ).unwrapped
    _, info = ours.reset(seed=0)
    env.reset(seed=0)
    for _ in range(info["start"]):  # both at the same row
        env.step(0)
    worst = 0.0
    for action in np.random.default_rng(1).integers(0, 2, n).tolist():
        equity = ours.step(action)[4]["equity"]
        theirs = env.step(action)[4]["portfolio_valuation"]
        worst = max(worst, abs(equity / theirs - 1.0))
    return worst


def anytrading_env(bars: al.Bars) -> Any:
    """Return gym-anytrading on the same prices, or None without it."""
    try:
        from gym_anytrading.envs import StocksEnv
    except ImportError:
        return None
    import pandas as pd

    frame = pd.DataFrame({"Close": bars["close"][:, 0]})
    env = StocksEnv(df=frame, window_size=1, frame_bound=(1, len(frame)))
    env.trade_fee_bid_percent = env.trade_fee_ask_percent = FEE
    return env


def anytrading_agreement(bars: al.Bars, env: Any, n: int = 2000) -> float:
    """Return the largest relative difference of the profit, in rows in which nothing is held."""
    ours = gym.make(
        "alphalab/Trading-v0",
        bars=bars,
        features={"move": al.close.returns(1).fill_nan(0.0)},
        cash=1000.0,
        fill="next_close",
        costs=al.Costs(fee_bps=FEE * 1e4, fee_in="coin"),
    ).unwrapped
    ours.reset(seed=0, options={"start": 1})
    env.reset(seed=0)
    worst, sold = 0.0, 0
    for action in np.random.default_rng(1).integers(0, 2, n).tolist():
        equity = ours.step(action)[4]["equity"]
        theirs = env.step(action)[4]["total_profit"]
        if action == 0:
            sold += 1
            worst = max(worst, abs(equity / 1000.0 / theirs - 1.0))
    return worst if sold else np.inf


def traded(bars: al.Bars) -> al.Bars:
    """Return the rows with prices: gym-trading-env knows no others."""
    rows = ~np.isnan(bars["close"][:, 0])
    return al.Bars(bars.time[rows], bars.symbols, {k: x[rows] for k, x in bars.columns.items()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    bars = al.load(f"synthetic:rows={given.rows},symbols=1,seed=1,bar=1h")
    bars = traded(bars)
    sides = {
        "one account, Gymnasium": single(bars),
        "64 accounts, Gymnasium": many(bars, 64, 0.02),
        "1,024 accounts, Gymnasium, 2 % trade": many(bars, 1024, 0.02),
        "1,024 accounts, Gymnasium, 50 % trade": many(bars, 1024, 0.5),
        "1,024 accounts, 32-row windows": many(bars, 1024, 0.02, window=32),
        "1,024 accounts, the step alone": kernel(bars, 1024, 0.02, False),
        "1,024 accounts, the step with tally": kernel(bars, 1024, 0.02, True),
    }
    other = peer_env(bars)
    if other is not None:
        sides["gym-trading-env"] = peer(other)
    third = anytrading_env(bars)
    if third is not None:
        sides["gym-anytrading"] = peer(third)
    rates = {name: rate(step, given.seconds) for name, step in sides.items()}
    differs = {} if other is None else {"gym-trading-env": agreement(bars, other)}
    if third is not None:
        differs["gym-anytrading"] = anytrading_agreement(bars, third)
    told = {"load": os.getloadavg()[0], "steps_per_cpu_second": rates, "equity_differs": differs}
    if given.json:
        print(json.dumps(told))
    else:
        print(f"load {told['load']:.1f} on {os.cpu_count()} cores")
        for name, value in rates.items():
            print(f"{name:<40} {value:>14,.0f} steps per second of processor time")
        for name, worst in differs.items():
            print(f"equity of the same actions differs from that of {name} by {worst:.1e} at most")
    return int(any(not worst < TOLERANCE[name] for name, worst in differs.items()))


if __name__ == "__main__":
    sys.exit(main())
