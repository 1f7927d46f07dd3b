"""``alphalab data restore``: give a table the content of an earlier version."""

from __future__ import annotations

from typing import Annotated

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag


def restore(
    table: Annotated[str, typer.Argument(help="Such as bars.", show_default=False)],
    version: Annotated[int, typer.Argument(help="Version to restore.", show_default=False)],
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Undo all changes after a version of a table, such as a wrong ingestion.

    A new version gets the content of the old one. The versions in between are kept.
    """
    from alphalab.data.store.store import Store

    out = Output(json=json, quiet=quiet)
    where = Store(store)
    made = where.restore(table, version)
    if json:
        done = {"store": where.url, "table": table, "version": made, "restored": version}
        out.object("data.restore", done)
    else:
        out.text(f"{table}: version {made} has the content of version {version}")
