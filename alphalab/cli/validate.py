"""``alphalab validate``: every check of a policy on one strategy, and a verdict."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import STRATEGY_HELP, RunFlags, announce_compilation
from alphalab.errors import InputError

if TYPE_CHECKING:
    from alphalab.research.validation.gate import Validation

#: Exit code of a gate that says no.
REFUSED = 3


@with_flags(RunFlags)
def validate(
    strategy: Annotated[
        str,
        typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP, show_default=False),
    ],
    run: RunFlags,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TOML file: a table for each check with another limit, and why.",
            show_default="the built-in limits",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where validation.json and report.html are written."),
    ] = Path("validation"),
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Validate a strategy and print the verdict with every reason.

    It counts itself in the trial ledger, and takes the number of trials from there.
    Writes validation.json and report.html. Exits with 3 if it is refused.
    """
    from alphalab.artifact.loading import blame, load_strategy, make_strategy
    from alphalab.research.validation.gate import validate
    from alphalab.research.validation.policy import read_policy

    output = Output(json=json, quiet=quiet)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file", rule="it is a folder; missing ones are made.")
    with output.user_code():
        cls = load_strategy(strategy)
        chosen = make_strategy(cls, run.parameters())
    limits = None if policy is None else read_policy(policy)
    file = run.file()
    keywords = run.whole_keywords(file)
    quality = run.quality_settings(file)
    bars = run.bars(file)
    announce_compilation(output)
    started = time.perf_counter()
    with output.user_code(), blame(cls), run.counted():
        found = validate(
            chosen,
            bars,
            policy=limits,
            seed=seed,
            progress=output.shows_progress,
            quality=quality,
            start=run.start,
            **keywords,
        )
    report = found.to_html(out / "report.html")
    found.to_json(out / "validation.json")
    if not found.trials.counted:
        output.warn("Trials were not counted: the trial ledger is off.")
    if json:
        output.object("validation", {**found.to_dict(), "report": str(report)})
    else:
        _show(output, found, out)
        output.note(f"Validated in {time.perf_counter() - started:.0f} s")
    if not found.passed:
        raise typer.Exit(REFUSED)


def _show(out: Output, found: Validation, folder: Path) -> None:
    from alphalab.research.validation.policy import CHECKS

    rows = []
    for check in found.record.checks:
        kind = CHECKS[check.name]
        figure = "n/a" if check.figure is None else f"{check.figure:.4g}"
        sign = ">=" if kind.side == "least" else "<="
        word = "passed" if check.passed else "REFUSED"
        rows.append((kind.label, figure, f"{sign} {check.threshold:g}", word))
    result = found.evidence.result
    params = ", ".join(f"{name}={value!r}" for name, value in result.params.items())
    title = f"{result.strategy}({params}) on {result.bars.source or 'given bars'}"
    out.table(rows, ("check", "figure", "limit", "verdict"), title)
    for check in found.record.refusals:
        out.text(f"refused: {check.reason}")
    out.text(f"Trials: {found.trials.text}")
    out.text(f"Verdict: {found.record.verdict}")
    out.text(f"Report: {folder / 'report.html'}; record: {folder / 'validation.json'}")
