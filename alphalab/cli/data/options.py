"""Flags that several commands share, each with one name and one text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreFlag = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="A folder, or an address such as s3://bucket/prefix.",
        show_default="ALPHALAB_STORE, else data",
    ),
]
StartFlag = Annotated[str | None, typer.Option(help="First day or instant (ISO 8601, UTC).")]
EndFlag = Annotated[str | None, typer.Option(help="Last day (whole) or instant.")]
SymbolsFlag = Annotated[
    str | None, typer.Option(metavar="A,B", help="Only these symbols, in this order.")
]
ReportFlag = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a report, one HTML page.")
]
