"""What the commands of ``alphalab live`` share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from alphalab.core.events import Run
    from alphalab_live.run_folder import RunFolder


RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)
]
PinFlag = Annotated[
    list[str] | None,
    typer.Option(metavar="SHA256", help="Run the source file with this hash, as often as needed."),
]


def clock(time: int) -> str:
    """Return a time in ns UTC as text, to the second.

    Examples
    --------
    >>> clock(1_640_995_200_000_000_000)
    '2022-01-01 00:00:00'
    """
    return datetime.fromtimestamp(time // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def first_start(folder: RunFolder) -> Run:
    """Return the first start of a run.

    Raises
    ------
    InputError
        No run was begun there.
    JournalError
        Its journal does not begin with a start.
    """
    from alphalab.core.events import Run
    from alphalab.errors import JournalError

    with folder.reader() as reader:
        for _, event in reader.events():
            if isinstance(event, Run):
                return event
            break
    raise JournalError(
        f"{folder.journal} does not begin with a start",
        fix="The first start did not come far: begin a new run.",
    )
