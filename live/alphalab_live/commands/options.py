"""What the commands of ``alphalab live`` share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alphalab.errors import ParameterError

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
]
PinFlag = Annotated[
    list[str] | None,
    typer.Option(metavar="SHA256", help="Run the source file with this hash, as often as needed."),
]


def instant(text: str) -> int:
    """Return an instant in ns UTC; one without a zone is UTC.

    Raises
    ------
    ParameterError
        A text that is none.

    Examples
    --------
    >>> instant("2022-01-01T00:00:00")
    1640995200000000000
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ParameterError(
            f"instant {text!r}", rule="it is written as in ISO 8601: 2024-01-31T12:00."
        ) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * 10**9


def clock(time: int) -> str:
    """Return a time in ns UTC as text, to the second.

    Examples
    --------
    >>> clock(1_640_995_200_000_000_000)
    '2022-01-01 00:00:00'
    """
    return datetime.fromtimestamp(time // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
