"""``alphalab artifact``: its commands."""

from __future__ import annotations

from collections.abc import Callable

import typer

from alphalab.cli.artifact.diff import diff
from alphalab.cli.artifact.listing import listing
from alphalab.cli.artifact.show import show, verify
from alphalab.cli.artifact.stage import sign, stage

_COMMANDS: dict[str, Callable[..., None]] = {
    "show": show,
    "verify": verify,
    "list": listing,
    "diff": diff,
    "stage": stage,
    "sign": sign,
}

app = typer.Typer(help="Look at artifacts, verify them, move them.", no_args_is_help=True)
for name, command in _COMMANDS.items():
    app.command(name)(command)
