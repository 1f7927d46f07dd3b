"""Observers: processes beside a run that tell it values, such as a model or a score of the news.

An observer leaves a file in the folder of the run; the runner takes it, stamps it with the time at
which it became known, and journals it. So a slow or a broken observer delays no row and no order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from alphalab.artifact.files import write_file
from alphalab.core.event_codec import array_bytes
from alphalab.core.events import Observation, Reconcile, Run
from alphalab.errors import InputError, ParameterError, UnknownNameError
from alphalab.settings import Settings
from alphalab_live.run_folder import RunFolder

_MOST_BYTES = 10_000


class Told(Settings, frozen=True):
    """What an observer tells.

    Parameters
    ----------
    column : str
    value : float
    symbol : str
        Empty: about all symbols.
    time : int
        The instant that the value is about, ns UTC.
    """

    column: str
    value: float
    symbol: str
    time: int


def observe(
    run: Path | str, column: str, value: float, *, symbol: str = "", about: int | None = None
) -> None:
    """Tell a run a value.

    Parameters
    ----------
    run : Path or str
        The folder of the run.
    column : str
        As the strategy reads it: ``al.column("mood")``.
    value : float
        A finite number.
    symbol : str
        Empty: it is about all symbols.
    about : int, optional
        The instant that it is about, ns UTC; not given: now. An older one never replaces a newer.

    Raises
    ------
    UnknownNameError
        A column that the run does not observe, or a symbol that it does not trade.
    ParameterError
        A value that is no number.
    InputError
        A folder that is no run, or that cannot be written.
    """
    folder, now = RunFolder(Path(run)), time.time_ns()
    told = Told(column, float(value), symbol, now if about is None else about)
    check(told, folder.first_start())
    name = f"{now:020d}-{os.getpid()}.json"
    write_file(folder.observations / name, msgspec.json.encode(told), mode=0o600)


def check(told: Told, run: Run) -> None:
    """Refuse what a run cannot use.

    Raises
    ------
    UnknownNameError
        See `observe`.
    """
    columns = [name for name, _ in run.observes]
    symbols = [symbol for symbols in run.symbols for symbol in symbols]
    if told.column not in columns:
        raise UnknownNameError("observed column", told.column, columns)
    if told.symbol and told.symbol not in symbols:
        raise UnknownNameError("symbol of the run", told.symbol, symbols)


class Taken(NamedTuple):
    """A file of an observer: the event that it becomes; it is removed once that is journalled."""

    path: Path
    event: Observation | Reconcile


def observations(folder: RunFolder, run: Run, known: int) -> Iterator[Taken]:
    """Yield what observers have left, oldest first; a file that is none is named in a `Reconcile`.

    Parameters
    ----------
    folder : RunFolder
    run : Run
        The start whose columns and symbols they are about.
    known : int
        The time at which the runner takes them, ns UTC.
    """
    for path in sorted(folder.observations.glob("*.json")):
        try:
            told = _read(path)
            check(told, run)
        except (InputError, ParameterError, UnknownNameError) as error:
            yield Taken(
                path,
                Reconcile(
                    subject=f"observation {path.name}",
                    expected=f"one of {', '.join(name for name, _ in run.observes) or 'none'}",
                    found=error.what,
                    action="none: it was left out",
                ),
            )
            continue
        yield Taken(
            path,
            Observation(
                name=told.column,
                known=known,
                values=array_bytes(np.array([told.value])),
                time=told.time,
                symbol=told.symbol,
            ),
        )


def _read(path: Path) -> Told:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=Told)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(str(error)) from None
