"""A progress bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    task: str, total: int, unit: str, *, shown: bool
) -> Iterator[Callable[[float], None]]:
    """Show how much of a task is done, and the time left; yield ``advance(n)``.

    Parameters
    ----------
    task : str
        Name in front of the bar.
    total : int
        Number of units.
    unit : str
        Noun of the units, in the plural.
    shown : bool
        False: show nothing.
    """
    if not shown:
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    parts = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, left:"),
        TimeRemainingColumn(),
    )
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        done = bar.add_task(task, total=total)
        yield lambda n: bar.advance(done, n)
