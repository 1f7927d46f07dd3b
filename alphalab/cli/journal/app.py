"""``alphalab journal``: its commands."""

from __future__ import annotations

import typer

from alphalab.cli.journal.export import export
from alphalab.cli.journal.show import show
from alphalab.cli.journal.verify import verify

app = typer.Typer(help="Read, verify and export journals.", no_args_is_help=True)
for command in (show, verify, export):
    app.command()(command)
