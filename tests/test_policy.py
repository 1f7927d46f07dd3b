"""Policies: the file, the node of an expression, and the same decisions everywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from alphalab_envs.training.export import export
from artifact_cases import NOW, content_of, keyring, made
from builders import closes, panel
from policy_cases import FEATURES, model_of, policy_of, task_of

import alphalab as al
from alphalab.artifact.identity import family_id
from alphalab.artifact.loading import load_strategy
from alphalab.artifact.open import open_artifact
from alphalab.errors import (
    ArtifactError,
    DataError,
    ExprError,
    ParameterError,
    StateError,
    UnknownNameError,
)
from alphalab.expr import policy_rows
from alphalab.expr.policy_file import DESCRIPTION, PolicyDiffersWarning, PolicyFile

ONE = panel(closes(80))
THREE = panel(closes(80, n_assets=3))
KINDS: dict[str, tuple[al.Bars, str, dict[str, Any]]] = {
    "ppo, positions": (ONE, "ppo", {"positions": (-1.0, 0.0, 0.5)}),
    "ppo, continuous": (ONE, "ppo", {"continuous": True, "positions": (-1.0, 1.0), "window": 3}),
    "a2c, portfolio": (THREE, "a2c", {"high": 0.5}),
    "sac, portfolio": (THREE, "sac", {"low": -0.3, "high": 0.3, "window": 2}),
    "ddpg, continuous": (ONE, "ddpg", {"continuous": True, "account": ()}),
}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> tuple[PolicyFile, Path]:
    """One policy with its file; its environment has three positions."""
    found = policy_of(task_of(ONE, positions=(-1.0, 0.0, 0.5)), seed=3)
    path = tmp_path_factory.mktemp("policy") / "policy.onnx"
    path.write_bytes(found.content)
    return found, path


def changed(path: Path, tmp_path: Path, change: Any) -> Path:
    """Return a copy of a policy whose ONNX model was changed."""
    model = onnx.load(path)
    change(model)
    copy = tmp_path / "changed.onnx"
    onnx.save(model, copy)
    return copy


# --- equality ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_it_asks_for_what_stable_baselines_asks_for(kind: str) -> None:
    bars, algo, options = KINDS[kind]
    task = task_of(bars, **options)
    model = model_of(task, algo)
    found = export(model, task.sample.setup, task.sample.actions)
    normaliser, asked = model.get_vec_normalize_env(), np.zeros((1, bars.n_symbols))
    assert normaliser is not None
    rng = np.random.default_rng(1)
    for _ in range(300):
        seen = rng.normal(0.0, 2.0, found.description.size).astype(np.float32)
        action, _ = model.predict(normaliser.normalize_obs(seen[np.newaxis]), deterministic=True)
        task.sample.actions.many(action, asked)
        np.testing.assert_allclose(found.weights(seen), asked[0], rtol=0, atol=1e-6)
        if "positions" in kind:  # a decision is a place among the positions
            assert found.weights(seen).tolist() == asked[0].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_of_the_policy_equals_its_backtest(kind: str) -> None:
    bars, algo, options = KINDS[kind]
    task = task_of(bars, **options)
    found = policy_of(task, algo)
    setup, engine = task.sample.setup, task.sample.setup.engine(1, record=True)
    first = setup.episodes.spans[0].first
    engine.start[0], engine.stop[0] = first, bars.n_rows - 1
    engine.reset()
    while not (engine.terminated[0] or engine.truncated[0]):
        engine.asked[0] = found.weights(engine.observation[0].take(setup.places))
        engine.step()
    block = engine.block()
    run = al.backtest(strategy_text(found), bars)
    np.testing.assert_array_equal(run.record.ledger["equity"][first:], block.ledger["equity"])
    assert len(run.record.fills) == len(block.fills) > 0


def strategy_text(found: PolicyFile) -> al.ExprStrategy:
    from alphalab_envs.training.task import strategy_of

    return strategy_of(found)


def test_blocks_snapshots_and_text_change_nothing(policy: tuple[PolicyFile, Path]) -> None:
    expr = al.policy(policy[1])
    strategy = al.ExprStrategy(text=str(expr))
    assert al.parse(str(expr)).same_as(expr)
    whole = al.backtest(strategy, ONE)
    assert whole.digest == al.backtest(strategy, ONE, block_rows=1).digest
    assert whole.digest == al.backtest(al.PolicyStrategy(file=str(policy[1])), ONE).digest
    settings = al.RunSettings()
    engine, other = (al.Engine(strategy, ONE.instruments, settings) for _ in range(2))
    half = {name: x[:40] for name, x in ONE.columns.items()}
    rest = {name: x[40:] for name, x in ONE.columns.items()}
    engine.push(ONE.time[:40], half)
    other.restore(engine.snapshot())
    one, two = (x.push(ONE.time[40:], rest) for x in (engine, other))
    assert one.ledger.tobytes() == two.ledger.tobytes()


def test_a_wrong_row_count_in_a_snapshot_is_refused(policy: tuple[PolicyFile, Path]) -> None:
    plan = al.Engine(al.PolicyStrategy(file=str(policy[1])), ONE.instruments, al.RunSettings()).plan
    state = plan.snapshot()
    last = np.frombuffer(state[-1]).copy()
    last[0] = 0.5
    with pytest.raises(StateError):
        plan.restore([*state[:-1], last.tobytes()])


def test_it_is_causal_and_has_a_warm_up(policy: tuple[PolicyFile, Path]) -> None:
    strategy = al.PolicyStrategy(file=str(policy[1]))
    found = al.check_causality(strategy, ONE, n_cuts=4)
    assert found.ok and found.proved
    finite = task_of(ONE, account=())
    strategy = strategy_text(policy_of(finite))
    certificate = al.certify_warmup(strategy, ONE, n_starts=10)
    assert certificate.exact and certificate.rows == 5


def test_unknown_features_give_no_opinion(policy: tuple[PolicyFile, Path]) -> None:
    close = closes(80)
    close[40] = np.nan
    weights = al.evaluate(al.policy(policy[1]), panel(close)).to_numpy()[:, 0]
    assert np.isnan(weights[:4]).all() and np.isfinite(weights[5:40]).all()
    assert np.isnan(weights[40:45]).all() and np.isfinite(weights[46:]).all()


def test_policies_of_the_same_features_are_one_family(policy: tuple[PolicyFile, Path]) -> None:
    task = task_of(ONE, positions=(-1.0, 0.0, 0.5))
    other = strategy_text(policy_of(task, seed=9))
    mine = al.PolicyStrategy(file=str(policy[1]))
    assert family_id(mine, ["A"], 252.0) == family_id(other, ["A"], 252.0)
    fewer = strategy_text(policy_of(task_of(ONE, features={"z": FEATURES["z"]})))
    assert family_id(mine, ["A"], 252.0) != family_id(fewer, ["A"], 252.0)


def test_an_artifact_holds_it(policy: tuple[PolicyFile, Path], tmp_path: Path) -> None:
    strategy = al.PolicyStrategy(file=str(policy[1]))
    ring, keys = keyring(tmp_path, "anna")
    folder = tmp_path / "out" / "held"
    made(folder, strategy, keys, content=content_of(strategy, bars=ONE))
    artifact = open_artifact(folder, ring.public(), now=NOW)
    assert artifact.manifest.kind == "expressions"
    policy_rows._POLICIES.pop(policy[0].sha256)  # as in a process that has not read it
    again = artifact.make_strategy()
    assert al.backtest(again, ONE).digest == al.backtest(strategy, ONE).digest


# --- the file ------------------------------------------------------------------------------------


def test_files_that_are_no_policy(policy: tuple[PolicyFile, Path], tmp_path: Path) -> None:
    _, path = policy
    with pytest.raises(ArtifactError, match="SHA-256"):
        al.policy(path, sha256="0" * 64)
    with pytest.raises(DataError, match="No such file"):
        al.policy(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(DataError, match="onnxruntime"):
        al.policy(tmp_path / "text.onnx")

    def newer(model: Any) -> None:
        model.opset_import[0].version = 99

    with pytest.raises(DataError, match="older opset"):
        al.policy(changed(path, tmp_path, newer))
    with pytest.raises(DataError, match="no description"):
        al.policy(changed(path, tmp_path, lambda model: model.ClearField("metadata_props")))
    with pytest.raises(DataError, match="its description"):
        al.policy(
            changed(path, tmp_path, lambda m: onnx.helper.set_model_props(m, {DESCRIPTION: "{"}))
        )

    def wider(model: Any) -> None:
        text = model.metadata_props[0].value.replace('"window":1', '"window":2')
        onnx.helper.set_model_props(model, {DESCRIPTION: text})

    with pytest.raises(DataError, match=r"\[1, 3\]"):
        al.policy(changed(path, tmp_path, wider))

    def random(model: Any) -> None:
        noise = onnx.helper.make_node("RandomNormal", [], ["noise"], shape=[1, 1], dtype=11)
        model.graph.node.insert(0, noise)
        last = model.graph.node[-1]
        add = onnx.helper.make_node("Add", [last.input[0], "noise"], list(last.output))
        model.graph.node.remove(last)
        model.graph.node.append(add)

    with pytest.raises(DataError, match="random numbers"):
        al.policy(changed(path, tmp_path, random))

    def broken(model: Any) -> None:
        weights = onnx.numpy_helper.to_array(model.graph.initializer[-1]) * np.nan
        table = onnx.numpy_helper.from_array(weights, model.graph.initializer[-1].name)
        model.graph.initializer[-1].CopyFrom(table)

    with pytest.raises(DataError, match="weights"):
        al.policy(changed(path, tmp_path, broken))


def test_a_machine_that_computes_differently_says_so(
    policy: tuple[PolicyFile, Path], tmp_path: Path
) -> None:
    found, path = policy
    assert found.description.probe == found.probe()

    def other(model: Any) -> None:
        text = model.metadata_props[0].value.replace(found.description.probe, "0" * 64)
        onnx.helper.set_model_props(model, {DESCRIPTION: text})

    with pytest.warns(PolicyDiffersWarning, match="last digits"):
        al.policy(changed(path, tmp_path, other))


def test_other_features_and_other_assets(policy: tuple[PolicyFile, Path]) -> None:
    found, path = policy
    assert al.policy(path, features=FEATURES).same_as(al.policy(path))
    for features in ({"z": FEATURES["z"]}, FEATURES | {"move": al.close.returns(2)}):
        with pytest.raises(ExprError, match="trained on z=ts_zscore"):
            al.policy(path, features=features)
    with pytest.raises(ExprError, match="3 assets"):
        al.backtest(al.PolicyStrategy(file=str(path)), THREE)
    with pytest.raises(UnknownNameError, match="unknown policy"):
        al.parse(f"policy('{'0' * 64}', close, 1)")
    with pytest.raises(ExprError, match="2 features"):
        al.parse(f"policy('{found.sha256}', close, 1)")
    stocks = task_of(THREE)
    swapped = THREE.select(list(THREE.symbols[::-1]))
    with pytest.raises(ExprError, match="the order counts"):
        al.backtest(strategy_text(policy_of(stocks, "a2c")), swapped)


def test_what_cannot_be_exported() -> None:
    task = task_of(ONE, account=("held",))
    with pytest.raises(ParameterError, match="sees held"):
        policy_of(task)
    model: Any = model_of(task_of(ONE), "ppo")
    from torch import nn

    model.policy.mlp_extractor.policy_net = nn.Sequential(nn.Linear(3, 8), nn.Sigmoid())
    shown = task_of(ONE).sample
    with pytest.raises(ParameterError, match="Sigmoid"):
        export(model, shown.setup, shown.actions)


def test_trading_a_policy_needs_no_torch() -> None:
    path = Path(__file__).parents[1] / "strategies" / "ppo_allocator.py"
    code = (
        "import sys, alphalab as al\n"
        f"strategy = al.load_strategy({str(path)!r})()\n"
        "bars = al.load('sp500_stocks', start='2022-06-01')\n"
        "al.Engine(strategy, bars.instruments, al.RunSettings()).push(bars.time, bars.columns)\n"
        "print(sorted({'torch', 'onnx', 'gymnasium', 'stable_baselines3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_reference_policy_is_what_its_strategy_says() -> None:
    strategy = load_strategy("ppo_allocator")()
    (expr,) = strategy.expressions().values()
    described = policy_rows.policy_of(expr.params[1]).description
    assert described.symbols == al.load("sp500_stocks").symbols and described.shows_asked
    for text in described.training.values():
        assert "/" not in text
