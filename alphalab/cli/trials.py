"""``alphalab trials``: what the project has tried, family by family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.journal.options import HeadFlag
from alphalab.cli.journal.verify import verify_journal
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from alphalab.artifact.trials import Trial
    from alphalab.core.journal_reader import Entry

LedgerFlag = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="The trial ledger.",
        show_default="ALPHALAB_TRIALS, else .alphalab/trials.sqlite of the project",
    ),
]
_DIGITS = 12  # of an identity, as it is printed and asked for

app = typer.Typer(help="What was tried: the ledger of all runs.", no_args_is_help=True)


@app.command("list")
def listing(
    ledger: LedgerFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the families: runs, trials, and the Sharpe ratios of independent ones (per row)."""
    from alphalab.artifact.trials import families
    from alphalab.research.run.family_trials import count_trials

    out = Output(json=json, quiet=quiet)
    trials = _read(ledger)
    names: dict[str, str] = {}
    for _, trial in trials:
        names.setdefault(trial.family, trial.strategy)
    found = {family.name: count_trials(family) for family in families(trials)}
    if json:
        content = [
            {"name": name, "strategy": names[name], **family._asdict()}
            for name, family in found.items()
        ]
        for family in content:
            del family["head"]
        out.object("trials.list", {"ledger": str(_path(ledger)), "families": content})
    elif not found:
        out.text(f"{_path(ledger)}: nothing was tried yet")
    else:
        rows = [
            (
                _short(name),
                names[name],
                f"{family.n_runs:,}",
                f"{family.n_trials:,}",
                f"{family.n_effective:,}",
                _number(family.sharpe_mean),
                _number(family.sharpe_variance),
            )
            for name, family in found.items()
        ]
        header = (
            *("family", "strategy", "runs", "trials", "independent"),
            *("sharpe per row", "its variance"),
        )
        out.table(rows, header)
        out.note(f"{len(trials):,} runs in {_path(ledger)}")


@app.command()
def show(
    family: Annotated[
        str,
        typer.Argument(
            metavar="FAMILY", help="Its name, or how its identity begins.", show_default=False
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, help="Runs to print, the last ones.")] = 20,
    ledger: LedgerFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the runs of one family, the oldest of them first."""
    out = Output(json=json, quiet=quiet)
    trials = _read(ledger)
    name = _matching(family, dict.fromkeys(trial.family for _, trial in trials))
    chosen = [(entry, trial) for entry, trial in trials if trial.is_of(name)][-limit:]
    found = [_described(entry, trial) for entry, trial in chosen]
    if json:
        out.object("trials.show", {"family": name, "runs": found})
        return
    rows = [
        (
            str(run["row"]),
            str(run["time"])[:19],
            str(run["run"]),
            str(run["parameters"])[:60],
            f"{run['n_columns']:,}",
            _number(run["sharpe_best"]),
            str(run["data"])[:_DIGITS],
        )
        for run in found
    ]
    header = ("row", "time", "run", "parameters", "trials", "best sharpe", "data")
    out.table(rows, header, f"{name}: {chosen[0][1].strategy}")


@app.command()
def verify(
    ledger: LedgerFlag = None,
    head: HeadFlag = "",
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Check the hash of every run. Exit code 1 when one was changed; its row is named."""
    verify_journal(Output(json=json, quiet=quiet), _path(ledger), head, "trials.verify")


def _path(ledger: Path | None) -> Path:
    from alphalab.artifact.ledger import OFF, VARIABLE, ledger_path

    path = ledger or ledger_path()
    if path is None:
        raise InputError(
            f"{VARIABLE} is {OFF}", rule="nothing is counted then.", fix="Or name a file: --ledger."
        )
    return path


def _read(ledger: Path | None) -> list[tuple[Entry, Trial]]:
    from alphalab.artifact.ledger import read_trials

    path = _path(ledger)
    if ledger is not None and not path.exists():
        raise InputError(f"there is no ledger {path}", fix="Check the path.")
    return list(read_trials(path))


def _matching(asked: str, names: dict[str, None]) -> str:
    found = [name for name in names if name in (asked, f"name:{asked}")]
    found = found or [name for name in names if name.startswith(asked)]
    if len(found) > 1:
        raise InputError(f"{asked!r} begins {len(found)} families", fix="Give more of its digits.")
    if not found:
        raise UnknownNameError("family", asked, map(_short, names))
    return found[0]


def _described(entry: Entry, trial: Trial) -> dict[str, Any]:
    import msgspec

    from alphalab.data.clock.times import iso

    fields = msgspec.structs.asdict(trial)
    fields |= {"segments": len(trial.segments), "members": len(trial.members) // 8}
    return {"row": entry.seq, "time": iso(entry.time), **fields}


def _short(name: str) -> str:
    return name.removeprefix("name:") if name.startswith("name:") else name[:_DIGITS]


def _number(value: float) -> str:
    return "n/a" if value != value else f"{value:.4g}"
