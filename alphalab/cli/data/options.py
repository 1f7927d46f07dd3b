"""The flag that all data commands share."""

from __future__ import annotations

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
