"""``alphalab train``: train policies, beside baselines, and export the best of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from alphalab.cli.flags import named_texts, with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import RunFlags, announce_compilation
from alphalab.errors import InputError, ParameterError


@with_flags(RunFlags)
def train(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="ENV_OR_STRATEGY",
            help="trading (one asset), portfolio (weights over all), or a strategy: the agent sees"
            " its expressions.",
            show_default=False,
        ),
    ],
    run: RunFlags,
    algo: Annotated[
        Literal["ppo", "sac", "ddpg", "a2c"], typer.Option(help="The algorithm.")
    ] = "ppo",
    timesteps: Annotated[int, typer.Option(min=1, help="Steps of each seed.")] = 100_000,
    seeds: Annotated[int, typer.Option(min=1, help="Policies to train, seeds 0, 1, ...")] = 5,
    stages: Annotated[
        int, typer.Option(min=1, help="Checkpoints, each measured on the validation period.")
    ] = 10,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Stop a seed after so many stages without a better Sharpe ratio."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=EXPRESSION", help="A feature of trading or portfolio."),
    ] = None,
    window: Annotated[int, typer.Option(min=1, help="Rows of features in an observation.")] = 1,
    reward: Annotated[
        str, typer.Option(help="log_return, differential_sharpe, ...")
    ] = "log_return",
    validate_from: Annotated[
        str | None,
        typer.Option(help="First day to choose by.", show_default="after 60 % of the rows"),
    ] = None,
    test_from: Annotated[
        str | None,
        typer.Option(help="First day that is reported.", show_default="after 80 % of the rows"),
    ] = None,
    hyper: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A hyperparameter, such as learning_rate=1e-4."),
    ] = None,
    search: Annotated[
        int, typer.Option(min=0, help="Trials of Optuna over hyperparameters first.")
    ] = 0,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", show_default="training/ENV_OR_STRATEGY"),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Train policies with several seeds. The same command again goes on with one that was killed.

    The policy is chosen on the validation period and reported on the test period, beside flat, buy
    and hold, equal weight, the best simple rule and chance. Every seed counts as a trial.
    """
    from alphalab_envs.training.settings import Training
    from alphalab_envs.training.train import train as train_policies
    from alphalab_envs.training.tune import tune

    out = Output(json=json, quiet=quiet)
    if run.start is not None:
        raise InputError(
            f"alphalab train --start {run.start}",
            rule="training takes all rows before the validation period.",
            fix="Give --validate-from and --test-from.",
        )
    parameters = {name: _number(name, text) for name, text in _named("--hyper", hyper).items()}
    training = Training(
        algo=algo, timesteps=timesteps, seeds=seeds, stages=stages, patience=patience,
        parameters=parameters,
    )  # fmt: skip
    file = run.file()
    bars = run.bars(file)
    options: dict[str, Any] = {"window": window}
    with out.user_code():
        options |= _subject(subject, run, bars.n_symbols, _named("--feature", feature))
    options |= {**run.keywords(file), "quality": run.quality_settings(file), "reward": reward}
    folder = out_folder or Path("training") / Path(subject).stem
    announce_compilation(out)
    common: dict[str, Any] = {
        "folder": folder, "validate_from": validate_from, "test_from": test_from,
        "progress": out.shows_progress, **options,
    }  # fmt: skip
    with out.user_code(), run.counted():
        if search:
            training, trained = tune(bars, training, n_trials=search, **common)
        else:
            trained = train_policies(bars, training, **common)
    _say(out, trained, training.parameters if search else {})


def _subject(name: str, run: RunFlags, n_symbols: int, features: dict[str, str]) -> dict[str, Any]:
    """Return the environment and the options that a subject stands for."""
    from alphalab_envs.training.subject import ENVIRONMENTS, subject_of

    from alphalab.artifact.loading import blame, load_strategy, make_strategy

    if name in ENVIRONMENTS:
        if run.param:
            raise InputError("--param without a strategy", rule="an environment has no parameters.")
        return {"env": name, "features": features or None}
    if features:
        raise InputError(
            f"--feature with the strategy {name}",
            rule="the features are the strategy's expressions.",
            fix="Name trading or portfolio to give features.",
        )
    cls = load_strategy(name)
    with blame(cls):
        found = subject_of(make_strategy(cls, run.parameters()), n_symbols)
    return {"env": found.env, "features": found.features, **found.options}


def _named(flag: str, texts: list[str] | None) -> dict[str, str]:
    return named_texts(flag, texts or [], "it is written name=value.")


def _number(name: str, text: str) -> float | int | str:
    """Return a hyperparameter as a number; SB3 takes texts as well, such as ent_coef=auto."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if not text.strip():
        raise ParameterError(f"--hyper {name}=", rule="a hyperparameter has a value.")
    return text


def _say(out: Output, trained: Any, found: dict[str, Any]) -> None:
    table = trained.table
    low, high = trained.interval
    if out.json:
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        out.object(
            "train",
            {
                "folder": str(trained.folder), "policy": str(trained.policy), "table": rows,
                "interval": [low, high], "hyperparameters": found,
            },
        )  # fmt: skip
        return
    header = ("", "validation Sharpe", "test Sharpe", "return", "drawdown", "fills")
    shown = [
        (
            row["name"], _figure(row["validation_sharpe"]), _figure(row["sharpe"]),
            f"{row['total_return']:.2%}", f"{row['max_drawdown']:.2%}", f"{row['n_fills']:,.0f}",
        )
        for row in table.to_dict("records")
    ]  # fmt: skip
    out.table(shown, header)
    if low == low:
        out.text(f"Mean test Sharpe ratio over seeds: 95 % interval {low:.2f} to {high:.2f}")
    if found:
        out.text("Found: " + ", ".join(f"{name}={value:g}" for name, value in found.items()))
    out.text(f"Policy: {trained.policy}")
    out.note(f"Curves: tensorboard --logdir {trained.folder}")


def _figure(value: float) -> str:
    return "n/a" if value != value else f"{value:.2f}"
