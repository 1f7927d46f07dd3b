"""``alphalab live``: run artifacts, look at runs, verify them."""

from __future__ import annotations

import typer

from alphalab_live.commands.log import log
from alphalab_live.commands.observe import observe
from alphalab_live.commands.run import run
from alphalab_live.commands.status import status
from alphalab_live.commands.stop import stop
from alphalab_live.commands.venues import check, venues
from alphalab_live.commands.verify import verify

app = typer.Typer(help="Trade artifacts, on paper or for real.", no_args_is_help=True)
for command in (run, status, log, observe, stop, verify, venues, check):
    app.command()(command)
