"""``alphalab data``: its commands."""

from __future__ import annotations

from collections.abc import Callable

import typer

from alphalab.cli.data.check import check
from alphalab.cli.data.fetch import fetch
from alphalab.cli.data.ingest import ingest
from alphalab.cli.data.listing import listing
from alphalab.cli.data.log import log
from alphalab.cli.data.restore import restore
from alphalab.cli.data.show import show
from alphalab.cli.data.sql import sql

_COMMANDS: dict[str, Callable[..., None]] = {
    "ingest": ingest,
    "fetch": fetch,
    "check": check,
    "show": show,
    "list": listing,
    "log": log,
    "restore": restore,
    "sql": sql,
}

app = typer.Typer(help="Bring data into a store, check it, query it.", no_args_is_help=True)
for name, command in _COMMANDS.items():
    app.command(name)(command)
