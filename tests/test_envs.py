"""Gymnasium environments: conformance, equality with backtests and with each other, bad input."""

from __future__ import annotations

import random
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from alphalab_envs import (
    PortfolioEnv,
    PortfolioVectorEnv,
    Randomise,
    Reward,
    TradingEnv,
    TradingVectorEnv,
)
from alphalab_envs.paths import path_of
from alphalab_envs.sb3 import Sb3VecEnv
from alphalab_envs.single import SingleEnv
from alphalab_envs.vector import ManyEnvs
from builders import closes, panel
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from stable_baselines3.common.env_checker import check_env as check_for_sb3

import alphalab as al
from alphalab.errors import (
    AlphalabError,
    DataError,
    ParameterError,
    RefusedError,
    StateError,
    UnknownNameError,
)
from alphalab.research.results.tally_metrics import digest_of

nojit = pytest.mark.nojit

ONE = panel(closes(60))
THREE = panel(closes(60, n_assets=3))
COSTS = al.Costs(fee_bps=10, slippage_bps=2)
Z = {"z": al.close.ts_zscore(5)}


class Told(al.Strategy):
    """Targets that an episode asked for, in the column `asked`."""

    def weights(self) -> al.Expr:
        return al.column("asked")


def trading(**options: Any) -> TradingEnv:
    return TradingEnv(ONE, **{"episode": 20, "costs": COSTS} | options)


def act(env: SingleEnv, seed: int) -> tuple[list[Any], list[Any]]:
    """Play an episode of random actions; return targets and all that `step` returned."""
    env.action_space.seed(seed)
    env.reset(seed=seed)
    asked, steps, over = [], [], False
    while not over:
        steps.append(env.step(env.action_space.sample()))
        asked.append(env.engine.asked[0].copy())
        over = steps[-1][2] or steps[-1][3]
    return asked, steps


# --- conformance ---------------------------------------------------------------------------------

MADE = {
    "discrete": lambda **more: trading(features=Z, **more),
    "continuous": lambda **more: trading(continuous=True, positions=(-1, 1), window=3, **more),
    "portfolio": lambda **more: PortfolioEnv(THREE, low=-0.5, high=0.5, episode=20, **more),
}


@nojit
@pytest.mark.parametrize("name", MADE)
def test_gymnasium_finds_no_fault(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(MADE[name](), skip_render_check=True)


@nojit
@pytest.mark.parametrize("name", MADE)
def test_stable_baselines_finds_no_fault(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_for_sb3(MADE[name](), warn=True)


@nojit
@pytest.mark.parametrize("name", ["Trading", "Portfolio"])
def test_they_are_made_by_name(name: str) -> None:
    env = gym.make(f"alphalab/{name}-v0", bars=ONE, episode=5)
    assert type(env.unwrapped).__name__ == f"{name}Env"
    envs: Any = gym.make_vec(f"alphalab/{name}-v0", num_envs=2, bars=ONE, episode=5)
    assert type(envs).__name__ == f"{name}VectorEnv"
    assert envs.metadata["autoreset_mode"] is gym.vector.AutoresetMode.NEXT_STEP


# --- an episode is a backtest --------------------------------------------------------------------

RUNS: list[dict[str, Any]] = [
    {},
    {"exits": al.Exits(stop_loss=0.01, take_profit=0.02)},
    {"margin": al.Margin(initial=0.5, maintenance=0.4), "limits": al.Limits(drawdown=0.03)},
    {"rebalance": al.Rebalance.every_row(), "execution": al.Execution(delay=1)},
    {"fill": "same_close", "entry": None},
]


@nojit
@pytest.mark.parametrize("options", RUNS, ids=range(len(RUNS)))
@pytest.mark.parametrize("bars", [ONE, THREE], ids=["one asset", "three"])
def test_an_episode_is_a_backtest_that_was_warmed_up(bars: al.Bars, options: Any) -> None:
    options = {"costs": COSTS} | options
    env = PortfolioEnv(bars, low=-1.0, features=Z, episode=20, window=2, **options)
    for seed in range(3):
        asked, steps = act(env, seed)
        start, at = int(env.engine.start[0]), int(env.engine.at[0])
        column = np.full((bars.n_rows, bars.n_symbols), np.nan)
        column[start:at] = asked
        traded = bars.with_columns({"asked": column}).rows(0, at + 1)
        when = str(traded.time[start].astype("M8[ns]"))
        result = al.backtest(Told(), traded, start=when, **options)
        block = env.block()
        assert result.record.fills.size > 0
        assert result.record.ledger.tobytes() == block.ledger.tobytes()
        assert result.record.fills.tobytes() == block.fills.tobytes()
        assert result.record.targets.tobytes() == block.targets.tobytes()
        # What the agent saw: the same features that a strategy sees.
        z = al.evaluate(Z["z"], bars).to_numpy()[start : at + 1].astype(np.float32)
        n = bars.n_symbols
        seen = np.array([observation[n : 2 * n] for observation, *_ in steps])
        np.testing.assert_array_equal(seen, z[1:])
        growth = np.log(steps[-1][4]["equity"] / 100_000)
        assert abs(sum(reward for _, reward, *_ in steps) - growth) < 1e-12


@nojit
def test_the_digest_is_that_of_the_backtest() -> None:
    env = TradingEnv("sp500", episode=250, costs=COSTS)
    asked, _ = act(env, 7)
    start, stop = int(env.engine.start[0]), int(env.engine.stop[0])
    bars = env.setup.bars
    column = np.full((bars.n_rows, 1), np.nan)
    column[start:stop] = asked
    rows = bars.with_columns({"asked": column}).rows(start, stop + 1)
    result = al.backtest(Told(), rows, costs=COSTS)
    vector = ManyEnvs(env.setup, env.actions, 2, "Disabled", tally=True)
    vector.reset(options={"start": start})
    for weights in asked:
        vector.step(np.full(2, int(weights[0])))
    _, words = vector.engine.tallied()
    assert digest_of(words[0]) == digest_of(words[1]) == result.digest


# --- many are as one -----------------------------------------------------------------------------

RANDOM = Randomise(fee_bps=(2, 20), spread_bps=(0, 4), slippage_bps=(0, 3), delay=(0, 2), paths=2)


def alike(one: Any, other: Any) -> bool:
    """Return True if nested results are equal bit for bit, with the same keys."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, tuple) or (isinstance(one, np.ndarray) and one.dtype == object):
        return len(one) == len(other) and all(map(alike, one, other))
    if one is None or other is None:
        return one is other
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()


@nojit
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("kind", ["trading", "portfolio"])
def test_many_environments_are_single_ones(mode: str, kind: str) -> None:
    single, many = (
        (TradingEnv, TradingVectorEnv) if kind == "trading" else (PortfolioEnv, PortfolioVectorEnv)
    )
    options: Any = {
        "bars": ONE if kind == "trading" else THREE,
        "episode": 6,
        "randomise": RANDOM,
        "limits": al.Limits(drawdown=0.02),
        "reward": "differential_sharpe",
    }
    made = [lambda: single(**options)] * 3
    theirs = SyncVectorEnv(made, autoreset_mode=gym.vector.AutoresetMode(mode))
    ours = many(3, autoreset_mode=mode, **options)
    assert alike(ours.reset(seed=5), theirs.reset(seed=5))
    ours.action_space.seed(1)
    n_ends = 0
    for _ in range(40):
        actions = ours.action_space.sample()
        got, expected = ours.step(actions), theirs.step(actions)
        assert alike(got[:4], expected[:4])
        assert alike(got[4], expected[4])
        over = got[2] | got[3]
        n_ends += int(over.sum())
        if mode == "Disabled" and over.any():
            assert alike(
                ours.reset(options={"reset_mask": over}),
                theirs.reset(options={"reset_mask": over}),
            )
    assert n_ends > 10


@nojit
def test_a_difference_between_results_is_found() -> None:
    one = (np.array([1.0, 2.0]), {"a": np.array([None, np.array([1.0])], object)})
    assert alike(one, (np.array([1.0, 2.0]), {"a": np.array([None, np.array([1.0])], object)}))
    assert not alike(one, (np.array([1.0, 2.0]), {"a": np.array([None, np.array([1.5])], object)}))
    assert not alike(one, (np.array([1.0, -2.0]), one[1]))
    assert not alike(one, (one[0], {"b": one[1]["a"]}))


@nojit
def test_a_face_for_stable_baselines() -> None:
    def envs() -> TradingVectorEnv:
        return TradingVectorEnv(3, ONE, episode=4, costs=COSTS, autoreset_mode="SameStep")

    ours, theirs = Sb3VecEnv(envs()), envs()
    ours.seed(3)
    first, _ = theirs.reset(seed=3)
    assert ours.reset().tobytes() == first.tobytes()
    sums = np.zeros(3)
    for step in range(4):
        actions = np.array([step % 2, 1, 0])
        observations, rewards, dones, infos = ours.step(actions)
        shown, paid, terminated, truncated, given = theirs.step(actions)
        assert observations.tobytes() == shown.tobytes()
        assert rewards.tobytes() == paid.astype(np.float32).tobytes()
        assert (dones == (terminated | truncated)).all()
        sums += paid
    assert dones.all()
    for c, info in enumerate(infos):
        assert info["terminal_observation"].tobytes() == given["final_obs"][c].tobytes()
        assert info["TimeLimit.truncated"] is True
        assert info["episode"] == {"r": sums[c], "l": 4}
    with pytest.raises(ParameterError, match="SameStep"):
        Sb3VecEnv(TradingVectorEnv(2, ONE))


# --- where episodes lie --------------------------------------------------------------------------


@nojit
def test_episodes_stay_inside_the_rows() -> None:
    rows = [*range(10, 25), *range(40, 50)]
    env = trading(rows=rows, episode=8, features=Z, window=2)
    starts = set()
    for seed in range(200):
        _, info = env.reset(seed=seed)
        starts.add(info["start"])
        assert set(range(info["start"], info["stop"] + 1)) <= set(rows)
    assert starts == {*range(10, 17), 40, 41}


@nojit
def test_the_first_decision_has_a_whole_window() -> None:
    env = trading(features=Z, window=3, episode=None)
    _, info = env.reset()
    assert (info["start"], info["stop"]) == (4 + 2, 59)


@nojit
def test_a_seed_gives_the_same_episode_and_another_seed_another() -> None:
    env = trading(randomise=RANDOM)
    first, again, other = (env.reset(seed=s) for s in (1, 1, 2))
    assert alike(first, again) and not alike(first, other)
    assert not alike(env.reset(), env.reset())


@nojit
def test_costs_and_delays_are_drawn() -> None:
    env = trading(randomise=Randomise(fee_bps=(2, 20), delay=(0, 1), spread_bps=(2, 4)))
    drawn = [env.reset(seed=seed)[1] for seed in range(20)]
    fees = [info["fee_bps"] for info in drawn]
    assert min(fees) >= 2 and max(fees) <= 20 and len(set(fees)) == 20
    assert {info["delay"] for info in drawn} == {0, 1}
    rules = env.engine.rules[0]
    assert rules["slippage"] == (drawn[-1]["spread_bps"] / 2 + COSTS.slippage_bps) / 1e4
    assert env.engine.instruments["taker"][0, 0] == fees[-1] / 1e4


@nojit
def test_a_path_has_the_moves_of_the_given_rows() -> None:
    setup = PortfolioEnv(THREE, randomise=Randomise(paths=1, block=5), episode=10).setup
    given, path = setup.stretches
    moves = given.columns["close"][1:] / given.columns["close"][:-1]
    made = path.columns["close"][1:] / path.columns["close"][:-1]
    near = np.abs(made[:, None] - moves[None]).max(axis=2).min(axis=1)
    assert near.max() < 1e-12  # every row of the path is a row of the history, all assets alike
    assert len(path.time) == 60 and not np.array_equal(made, moves)
    al.Bars(path.time, THREE.symbols, path.columns)  # high and low enclose open and close


@nojit
def test_a_path_draws_from_the_given_rows_alone() -> None:
    close = np.where(np.arange(40) < 20, 1.01, 1.5) ** np.arange(40)
    setup = TradingEnv(panel(close), rows=slice(0, 20), episode=5, randomise=Randomise(paths=3))
    for path in setup.setup.stretches[1:]:
        made = path.columns["close"][1:] / path.columns["close"][:-1]
        np.testing.assert_allclose(made, 1.01, rtol=1e-12)


@nojit
def test_gaps_move_the_open() -> None:
    env = TradingEnv(ONE, episode=5, randomise=Randomise(paths=1, gap_bps=50))
    path = env.setup.stretches[1].columns
    jumps = np.log(path["open"][1:] / path["close"][:-1])
    assert 0.002 < jumps.std() < 0.01  # in `ONE` the open is the close before it


# --- pictures ------------------------------------------------------------------------------------


@nojit
@pytest.mark.parametrize("name", MADE)
def test_an_episode_is_drawn(name: str) -> None:
    env = MADE[name](render_mode="rgb_array")
    env.action_space.seed(1)
    env.reset(seed=1)
    pictures = [env.render()]
    for _ in range(10):
        env.step(env.action_space.sample())
    pictures.append(env.render())
    assert all(x.shape == (500, 800, 3) and x.dtype == np.uint8 for x in pictures)
    assert (pictures[0] != pictures[1]).mean() > 0.01


# --- what is refused -----------------------------------------------------------------------------

ACTIONS: list[tuple[str, Any]] = [
    *(("discrete", x) for x in (2, -1, 0.5, np.nan, "buy", None, [0, 1])),
    *(("continuous", np.array([x], np.float32)) for x in (1.5, -1.5, np.nan, np.inf)),
    ("continuous", np.zeros(2, np.float32)),
    ("portfolio", np.zeros(2, np.float32)),
    ("portfolio", np.array([0.0, np.nan, 0.0], np.float32)),
    ("portfolio", "buy"),
]


@nojit
@pytest.mark.parametrize(("name", "action"), ACTIONS)
def test_an_action_outside_the_space_is_refused(name: str, action: Any) -> None:
    env = MADE[name]()
    env.reset(seed=1)
    before = env.engine.at[0]
    with pytest.raises(ParameterError, match="action"):
        env.step(action)
    assert env.engine.at[0] == before


@nojit
@pytest.mark.parametrize("actions", [[0, 2], [0, -1], [0], [0.0, 1.0], [[0], [1]]])
def test_actions_of_many_are_checked(actions: Any) -> None:
    envs = TradingVectorEnv(2, ONE, episode=5)
    envs.reset(seed=1)
    with pytest.raises(ParameterError, match="action"):
        envs.step(np.array(actions))


@nojit
def test_a_step_after_the_end_is_refused() -> None:
    env = trading(episode=1)
    env.reset()
    env.step(0)
    with pytest.raises(StateError, match="Reset it first"):
        env.step(0)
    envs = TradingVectorEnv(2, ONE, episode=1, autoreset_mode="Disabled")
    envs.reset()
    envs.step(np.array([0, 0]))
    with pytest.raises(StateError, match="Reset it first"):
        envs.step(np.array([0, 0]))


BAD: list[tuple[dict[str, Any], type[AlphalabError], str]] = [
    ({"episode": 60}, ParameterError, "at most 58 steps"),
    ({"episode": 0}, ParameterError, "one step or more"),
    ({"window": 0}, ParameterError, "one row or more"),
    ({"window": 80}, ParameterError, "shorter windows"),
    ({"rows": []}, ParameterError, "at least one"),
    ({"rows": [5, 4]}, ParameterError, "ascend"),
    ({"rows": range(50, 70)}, ParameterError, "rows 0 to 59"),
    ({"rows": [1, 3, 5]}, ParameterError, "episode"),
    ({"features": {"z": al.column("mood")}}, UnknownNameError, "mood"),
    ({"features": {"z": "close +"}}, AlphalabError, "close"),
    ({"features": [al.close]}, ParameterError, "by name"),
    ({"features": {"z": al.log(al.close - 100)}}, DataError, "fill_nan"),
    ({"features": {"z": al.close * 1e8}}, DataError, "Scale"),
    ({"positions": [1.0]}, ParameterError, "two weights"),
    ({"positions": [0.0, 2.0]}, ParameterError, "gross limit"),
    ({"positions": [0.0, np.nan]}, ParameterError, "gross limit"),
    ({"reward": "profit"}, ParameterError, "kind"),
    ({"cots": COSTS}, UnknownNameError, "costs"),
    ({"render_mode": "ansi"}, ParameterError, "render_mode"),
    ({"randomise": Randomise(delay=(0, 2)), "fill": "same_close"}, ParameterError, "later open"),
    ({"bars": THREE}, ParameterError, "one asset"),
    ({"bars": 7}, ParameterError, "al.load"),
    ({"bars": "sp50"}, AlphalabError, "sp500"),
]


@nojit
@pytest.mark.parametrize(("options", "error", "match"), BAD, ids=range(len(BAD)))
def test_options_that_break_a_rule_are_refused(
    options: dict[str, Any], error: type[AlphalabError], match: str
) -> None:
    with pytest.raises(error, match=match):
        TradingEnv(**{"bars": ONE} | options)


@nojit
@pytest.mark.parametrize(
    "given", [{"fee_bps": (5, 2)}, {"fee_bps": (-1, 2)}, {"gap_bps": 5}, {"paths": -1}]
)
def test_a_range_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        Randomise(**given)


@nojit
@pytest.mark.parametrize("options", [{"start": 0}, {"start": 45}, {"stop": 50}])
def test_an_option_of_a_reset_is_checked(options: dict[str, Any]) -> None:
    env = trading(features=Z)
    assert env.reset(options={"start": 39})[1]["stop"] == 59
    with pytest.raises(ParameterError):
        env.reset(options=options)


@nojit
def test_vectors_are_checked() -> None:
    with pytest.raises(ParameterError, match="1 or more"):
        TradingVectorEnv(0, ONE)
    with pytest.raises(ParameterError, match="SameStep"):
        TradingVectorEnv(2, ONE, autoreset_mode="Never")
    envs = TradingVectorEnv(2, ONE)
    with pytest.raises(ParameterError, match="one seed for each"):
        envs.reset(seed=[1, 2, 3])
    for mask in (np.zeros(2, bool), np.ones(3, bool), np.ones(2)):
        with pytest.raises(ParameterError, match="reset_mask"):
            envs.reset(options={"reset_mask": mask})


@nojit
def test_data_with_errors_is_refused_unless_accepted() -> None:
    split = np.where(np.arange(60) == 30, 2.0, np.nan)[:, None]
    bars = ONE.with_columns({"split": split, "dividend": np.full((60, 1), np.nan)})
    with pytest.raises(RefusedError, match="1 split is known"):
        TradingEnv(bars)
    TradingEnv(bars, quality="accept")
    TradingEnv(bars, actions="cash")


@nojit
def test_paths_need_prices_that_are_known_and_nothing_bound_to_rows() -> None:
    close = closes(30)
    close[7] = np.nan
    with pytest.raises(DataError, match="unknown"):
        TradingEnv(panel(close), randomise=Randomise(paths=1), rows=slice(0, 20))
    setup = TradingEnv(ONE).setup
    stretch = setup.stretches[0]
    split = stretch._replace(columns={**stretch.columns, "split": stretch.columns["close"]})
    with pytest.raises(DataError, match="'split'"):
        path_of(split, [(0, 9)], block=2, gap_bps=0.0, rng=np.random.default_rng(0))


@nojit
def test_features_are_causal() -> None:
    """Later rows change no observation of an episode."""
    rng = random.Random(1)
    env = trading(features={**Z, "trend": al.close.ema(9)}, window=2, episode=10)
    changed = closes(60)
    changed[30:] *= 1.5
    other = TradingEnv(
        panel(changed),
        features={**Z, "trend": al.close.ema(9)},
        window=2,
        episode=10,
        costs=COSTS,
        quality="accept",
    )
    actions = [rng.randint(0, 1) for _ in range(10)]
    for each in (env, other):
        each.reset(options={"start": 19})
    for action in actions:
        assert alike(env.step(action), other.step(action))


@nojit
def test_a_reward_has_a_weight() -> None:
    env = trading(reward=Reward(kind="variance", weight=40))
    assert env.engine._envs.weight[0] == 40.0
