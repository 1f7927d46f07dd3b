"""What a run trades: the artifacts that are given, or those that it began with."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime

from alphalab.artifact.format import DataDocument
from alphalab.artifact.keys import Keyring
from alphalab.errors import InputError, ParameterError, RefusedError
from alphalab_live.asked import Asked
from alphalab_live.ccxt_records import interval_of, timeframe
from alphalab_live.promoted import Promoted, check_together, promoted
from alphalab_live.run_folder import RunFolder
from alphalab_live.settings import LiveSettings


def choose(asked: Asked, folder: RunFolder, settings: LiveSettings) -> list[Promoted]:
    """Return the artifacts of a run: those given, or the copies of a run that goes on.

    Raises
    ------
    InputError
        A folder that is no run, and no artifact to begin one.
    ParameterError
        Artifacts that cannot share an account, or a capital for one that is not there.
    RefusedError
        An artifact that may not trade there, or another venue or artifact than the run began with.
    """
    first = folder.first_start() if folder.exists else None
    if first is None and not asked.artifacts:
        raise InputError(f"{folder.path} is no run", fix="Give the artifacts to begin one.")
    if first is not None and (first.venue, first.sends) != (asked.venue, asked.sends):
        raise RefusedError(
            f"{folder.path} trades at {first.venue}{'' if first.sends else ' as a shadow'}",
            rule="a run goes on where it began.",
            fix="Choose another --run, or its venue.",
        )
    copies = [] if first is None else [folder.artifact(i) for i in range(len(first.artifacts))]
    ring, now = Keyring(asked.keys), time.time_ns()
    chosen = [
        promoted(path, ring, asked.policy, settings, real=asked.is_real, pins=asked.pins, now=now)
        for path in asked.artifacts or copies
    ]
    check_together(chosen)
    _check_capital(chosen, settings)
    ids = tuple(one.artifact.id for one in chosen)
    if first is not None and ids != first.artifacts:
        raise RefusedError(
            f"{folder.path} trades {_short(first.artifacts)}, and {_short(ids)} is given",
            rule="a run trades the artifacts that it began with.",
            fix="Choose another --run for another artifact.",
        )
    return chosen


def _short(ids: Sequence[str]) -> str:
    return ", ".join(name[:12] for name in ids)


def _check_capital(chosen: Sequence[Promoted], settings: LiveSettings) -> None:
    """Refuse a capital by name that names no artifact, or two of them."""
    if not isinstance(settings.capital, dict):
        return
    names = [one.artifact.manifest.name for one in chosen]
    for name in settings.capital:
        if names.count(name) != 1:
            raise ParameterError(
                f"a capital for {name!r}",
                rule=f"it names one artifact; the run trades {', '.join(names)}.",
                fix="Correct [capital] in the live settings.",
            )


def intervals(asked: Asked, chosen: Sequence[Promoted]) -> list[int]:
    """Return the length of the bars of each artifact, ns: as asked for, or as in its data.

    Raises
    ------
    ParameterError
        The data of an artifact has gaps, so that its length is not known.
    """
    if asked.interval is not None:
        return [interval_of(asked.interval)] * len(chosen)
    return [_interval(one.artifact.manifest.name, one.artifact.data) for one in chosen]


def _interval(name: str, data: DataDocument) -> int:
    length = round((_time(data.end) - _time(data.start)) / max(data.rows - 1, 1))
    if length == 0 or interval_of(timeframe(length)) != length:
        raise ParameterError(
            f"{name}: the length of its bars is not known",
            rule="it is the time between two rows, where the artifact's data has no gaps.",
            fix="Give it: --interval 1h",
        )
    return length


def _time(text: str) -> int:
    return math.floor(datetime.fromisoformat(text).timestamp()) * 10**9
