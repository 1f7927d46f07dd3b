"""``alphalab journal export``: a journal as a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alphalab.cli.journal.options import PathArgument, codec_of
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag


def export(
    path: PathArgument,
    to: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The Parquet file to write.", show_default=False),
    ],
    until: Annotated[
        int | None, typer.Option(min=0, help="The last row to write.", show_default="all")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Write seq, time, kind, event (JSON), payload and hash of every event to a Parquet file."""
    from alphalab.core.journal_reader import JournalReader
    from alphalab.core.journal_table import write_parquet

    out = Output(json=json, quiet=quiet)
    with JournalReader(path) as reader:
        n_rows = write_parquet(reader, codec_of(reader.meta["codec"]), to, until=until)
    if json:
        out.object("journal.export", {"path": str(path), "file": str(to), "rows": n_rows})
    else:
        out.text(f"{to}: {n_rows:,} events")
