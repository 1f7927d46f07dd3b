"""Training: resumed equals uninterrupted, counted, beside baselines; the command; bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alphalab_envs import Trained, Training, train, tune
from alphalab_envs.training import learning
from alphalab_envs.training.settings import Algorithm
from alphalab_train.command import train as command
from builders import closes, panel
from commands import Run

import alphalab as al
from alphalab.artifact.ledger import close_ledgers, read_trials
from alphalab.cli.main import app
from alphalab.errors import ParameterError, StateError, UnknownNameError

ONE = panel(closes(200))
FEATURES = {"z": "ts_zscore(close, 5)"}
SMALL: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 8, "batch_size": 16, "n_epochs": 1},
    "a2c": {"n_steps": 8},
    "sac": {"learning_starts": 8, "batch_size": 8, "buffer_size": 200, "gradient_steps": 1},
    "ddpg": {"learning_starts": 8, "batch_size": 8, "buffer_size": 40, "gradient_steps": 1},
}


def brief(algo: Algorithm = "ppo", **more: Any) -> Training:
    """Return a training of a moment."""
    given = {"timesteps": 128, "stages": 4, "seeds": 2, "n_envs": 4, "net": (8,)} | more
    return Training(algo=algo, parameters=SMALL[algo], **given)


def trained(folder: Path, training: Training, **options: Any) -> Trained:
    given = {"features": FEATURES, "costs": al.Costs(fee_bps=5), "episode": 20} | options
    return train(ONE, training, folder=folder, **given)


def files(folder: Path) -> dict[str, bytes]:
    return {
        x.relative_to(folder).as_posix(): x.read_bytes() for x in sorted(folder.rglob("*.onnx"))
    }


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trials.sqlite"
    monkeypatch.setenv("ALPHALAB_TRIALS", str(path))
    return path


@pytest.mark.parametrize("algo", ["ppo", "a2c", "sac", "ddpg"])
def test_killed_and_resumed_equals_uninterrupted(
    algo: Algorithm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path / "whole", brief(algo, seeds=1))
    learn_stage, stages = learning._learn_stage, []

    def killed(*arguments: Any) -> None:
        stages.append(arguments[3])
        if len(stages) == 3:
            raise KeyboardInterrupt
        learn_stage(*arguments)

    monkeypatch.setattr(learning, "_learn_stage", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", brief(algo, seeds=1))
    np.random.seed(99)  # noqa: NPY002  (another process has other generators)
    resumed = trained(tmp_path / "killed", brief(algo, seeds=1))
    assert stages == [0, 1, 2, 2, 3]
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert resumed.curves.equals(whole.curves) and resumed.table.equals(whole.table)
    other = trained(tmp_path / "other", brief(algo, seeds=1, net=(9,)))
    assert files(tmp_path / "other") != files(tmp_path / "whole")
    assert list(other.curves.index) == list(whole.curves.index)


def test_every_seed_is_counted(tmp_path: Path, ledger: Path) -> None:
    done = trained(tmp_path / "run", brief())
    close_ledgers()
    found = [trial for _, trial in read_trials(ledger)]
    assert [x.run for x in found] == ["train", "backtest", "train", "backtest", "sweep"]
    assert [x.n_columns for x in found] == [4, 1, 4, 1, 8]  # windows that fit
    assert len({x.family for x in found[:4]}) == 1
    assert found[0].segments and found[0].digest != found[2].digest
    assert done.table["name"].tolist()[2:] == [
        "flat", "buy and hold", "equal weight", "best rule", "random",
    ]  # fmt: skip
    low, high = done.interval
    assert low <= np.nan_to_num(done.table["sharpe"][:2]).mean() <= high
    assert list((tmp_path / "run" / "seed-0" / "tensorboard").iterdir())


def test_the_table_is_what_backtests_of_the_files_give(tmp_path: Path) -> None:
    done = trained(tmp_path, brief(seeds=1))
    policy = al.PolicyStrategy(file=str(tmp_path / "seed-0" / "policy.onnx"))
    start = ONE.time[160].astype("M8[ns]")
    result = al.backtest(policy, ONE, costs=al.Costs(fee_bps=5), start=start)
    assert done.table["total_return"][0] == result.metrics["total_return"]
    assert (tmp_path / "policy.onnx").read_bytes() == Path(policy.file).read_bytes()


def test_patience_ends_a_seed_early(tmp_path: Path) -> None:
    done = trained(tmp_path, brief(seeds=1, stages=8, patience=1))
    curve = done.curves[0].to_numpy()
    assert len(curve) < 8 and curve.argmax() == len(curve) - 2


def test_optuna_counts_all_that_it_tries(tmp_path: Path, ledger: Path) -> None:
    best, done = tune(
        ONE, brief(seeds=1, stages=2), folder=tmp_path / "run", n_trials=2, features=FEATURES,
        episode=20,
    )  # fmt: skip
    close_ledgers()
    runs = [trial.run for _, trial in read_trials(ledger)]
    assert runs == ["train", "train", "train", "backtest", "sweep"]
    assert {"learning_rate", "gamma", "ent_coef", "n_steps"} <= set(best.parameters)
    assert done.folder == tmp_path / "run" / "best"


def test_what_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "run", brief(seeds=1, stages=1))
    with pytest.raises(StateError, match="another environment"):
        trained(tmp_path / "run", brief(seeds=1, stages=1), window=2)
    checkpoint = tmp_path / "run" / "seed-0" / "checkpoint.pt"
    (tmp_path / "other" / "seed-0").mkdir(parents=True)
    (tmp_path / "other" / "seed-0" / "checkpoint.pt").write_bytes(checkpoint.read_bytes())
    with pytest.raises(StateError, match="is a checkpoint of"):
        trained(tmp_path / "other", brief(seeds=1, stages=1), window=2)
    checkpoint.write_bytes(b"\x80\x04\x95")
    with pytest.raises(StateError, match="no checkpoint"):
        trained(tmp_path / "run", brief(seeds=1, stages=1))
    for more in ({"test_from": "1990-01-01"}, {"validate_from": ONE.end, "test_from": ONE.start}):
        with pytest.raises(ParameterError):
            trained(tmp_path / "no", brief(), **more)
    with pytest.raises(ParameterError, match="rows"):
        trained(tmp_path / "no", brief(), rows=slice(0, 50))
    with pytest.raises(UnknownNameError, match="learning_rate"):
        Training(parameters={"learning_rat": 1.0})
    with pytest.raises(ParameterError, match="one step"):
        Training(timesteps=3, stages=4)
    with pytest.raises(ParameterError, match="Stable-Baselines3"):
        trained(tmp_path / "bad", brief(seeds=1).__class__(parameters={"n_steps": -1}, n_envs=2))


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    if "train" not in {x.name for x in app.registered_commands}:
        app.command("train")(command)
    return Run


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path, cli: Any) -> None:
    from alphalab.cli.main import main

    data = ["--data", "sp500", "--end", "2001-12-31", "--json", "--fee-bps", "5"]
    small = ["--timesteps", "128", "--seeds", "1", "--stages", "1"]
    hyper = ["--hyper", "n_steps=8", "--hyper", "batch_size=16"]
    code = main(["train", "trading", "--feature", "z=ts_zscore(close, 20)", *data, *small, *hyper])
    told = json.loads(capsys.readouterr().out)
    assert code == 0 and told["schema"] == "alphalab.train/1", told
    assert Path(told["policy"]).is_file() and len(told["table"]) == 6
    assert main(["train", "sma_cross", *data, *small, *hyper]) == 0
    capsys.readouterr()
    for wrong in (
        ["train", "trading", *data, "--start", "2000-01-01"],
        ["train", "sma_cross", *data, "--feature", "z=close"],
        ["train", "trading", *data, "--param", "fast=3"],
        ["train", "nothing", *data],
        ["train", "trading", *data, "--hyper", "learning_rat=3"],
    ):
        assert main(wrong) == 2, wrong
        assert json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_brief_import_of_the_environments_loads_no_torch() -> None:
    import subprocess

    code = "import sys, alphalab_envs, alphalab_train.command; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", done.stderr
