"""The ``alphalab`` command: subcommands, exit codes, and error messages.

Exit codes: 0 success, 1 a finding (or an unexpected error), 2 wrong use, 3 refused by a gate, 130
interrupted.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from alphalab.cli.artifact.app import app as artifact
from alphalab.cli.backtest import backtest
from alphalab.cli.check import check
from alphalab.cli.compare import compare
from alphalab.cli.data.app import app as data
from alphalab.cli.doctor import doctor
from alphalab.cli.factors import app as factors
from alphalab.cli.factors import factor
from alphalab.cli.journal.app import app as journal
from alphalab.cli.key import app as key
from alphalab.cli.new import new
from alphalab.cli.ops import ops
from alphalab.cli.output import Output
from alphalab.cli.promote import promote
from alphalab.cli.reproduce import reproduce
from alphalab.cli.sweep import sweep
from alphalab.cli.trials import app as trials
from alphalab.cli.validate import validate
from alphalab.cli.why import why
from alphalab.errors import AlphalabError

INTERRUPTED = 130


class _Stopped(Exception):
    """Ctrl-C with the message of the command, which typer would drop."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            raise _Stopped(*stopped.args) from None


app = typer.Typer(
    name="alphalab",
    cls=_Commands,
    help="Backtest, search and trade alphas with one compiled step.",
    epilog="Exit codes: 0 success, 1 a finding, 2 wrong use, 3 refused by a gate.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    backtest,
    compare,
    why,
    sweep,
    check,
    validate,
    promote,
    reproduce,
    factor,
    ops,
    new,
    doctor,
):
    app.command()(command)
families = {
    "data": data,
    "factors": factors,
    "trials": trials,
    "artifact": artifact,
    "key": key,
    "journal": journal,
}
for name, family in families.items():
    app.add_typer(family, name=name)
# Environments and the runner import alphalab, never the other way: their commands are found.
_found = {point.name: point for point in entry_points(group="alphalab.commands")}
for name in sorted(_found.keys() - families.keys()):
    app.add_typer(_found[name].load(), name=name)


def _print_version(asked: bool) -> None:
    if asked:
        from alphalab import __version__

        typer.echo(f"alphalab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of `alphalab` without a subcommand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Not given: the arguments of the process.

    Examples
    --------
    >>> main(["ops", "ts_mean"])
    ts_mean(x, n)
    Arithmetic mean.
    ...
    0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # An error can come before options are parsed, and --json holds for it too.
    out = Output(json="--json" in given)
    outcome = "nothing was written"
    try:
        code = app(given, prog_name="alphalab", standalone_mode=False) or 0
    except (KeyboardInterrupt, _Stopped) as stopped:
        code, outcome = INTERRUPTED, str(stopped) or outcome
    except typer.TyperException as error:
        code = error.exit_code
        if message := error.format_message():  # without arguments the help has been printed
            out.error("USAGE", message, fix=_help_line(error))
    except AlphalabError as error:
        _show_traceback(given)
        code = error.exit_code
        at = "; ".join(getattr(error, "__notes__", ()))
        out.error(error.code, error.what, rule=error.rule, fix=error.fix, at=at)
    except Exception as error:
        _show_traceback(given)
        code = 1
        fix = "" if "--debug" in given else "Run it again with --debug to see where."
        out.error("UNEXPECTED", f"{type(error).__name__}: {error}", fix=fix)
    if code == INTERRUPTED:
        out.error("INTERRUPTED", f"interrupted, {outcome}")
    return int(code)


def _help_line(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"Try: {context.command_path if context else 'alphalab'} --help"


def _show_traceback(given: Sequence[str]) -> None:
    if "--debug" in given:
        traceback.print_exc()
