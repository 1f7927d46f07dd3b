"""The states of a run, what each may send, and which state may follow which."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from alphalab.errors import StateError


class RunState(StrEnum):
    """The state of a run."""

    LOADING = "LOADING"
    RECONCILING = "RECONCILING"
    WARMING = "WARMING"
    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    PAUSED = "PAUSED"
    FLATTENING = "FLATTENING"
    HALTED = "HALTED"
    KILLED = "KILLED"
    STOPPED = "STOPPED"


class Rights(NamedTuple):
    """What a state may send.

    Attributes
    ----------
    increase, reduce : bool
        Orders that can make a position larger; all others.
    cancel : bool
        Cancels of orders that are no longer wanted.
    clear : bool
        Cancels of waiting orders that can make a position larger.
    """

    increase: bool = False
    reduce: bool = False
    cancel: bool = False
    clear: bool = False


NOTHING = Rights()
RIGHTS = {state: NOTHING for state in RunState} | {
    RunState.RUNNING: Rights(increase=True, reduce=True, cancel=True),
    RunState.DEGRADED: Rights(reduce=True, cancel=True),
    RunState.PAUSED: Rights(reduce=True, cancel=True, clear=True),
    RunState.FLATTENING: Rights(reduce=True, cancel=True, clear=True),
    RunState.HALTED: Rights(cancel=True, clear=True),
}

#: States that outlive the process: the next start goes on in them, until a command ends them.
LATCHED = frozenset({RunState.HALTED, RunState.KILLED, RunState.PAUSED, RunState.FLATTENING})

#: States of a start: no order has left yet.
STARTING = frozenset(
    {
        RunState.LOADING,
        RunState.RECONCILING,
        RunState.WARMING,
    }
)

_S = RunState
_WORKING = {_S.RUNNING, _S.DEGRADED, _S.PAUSED, _S.FLATTENING}
_ENDS = {_S.HALTED, _S.KILLED, _S.STOPPED}
#: The states that may follow each state. Any state may be followed by LOADING: a new start.
FOLLOWS: dict[RunState, set[RunState]] = {
    _S.LOADING: {_S.RECONCILING} | _ENDS,
    _S.RECONCILING: {_S.WARMING} | _WORKING | _ENDS,
    _S.WARMING: _WORKING | _ENDS,
    **{state: (_WORKING - {state}) | _ENDS for state in _WORKING},
    _S.HALTED: {_S.KILLED, _S.STOPPED},
    _S.KILLED: set(),
    _S.STOPPED: set(),
}


def check_step(before: RunState, after: RunState) -> None:
    """Refuse a state that may not follow another.

    Raises
    ------
    StateError
        Such as RUNNING after HALTED: only a new start leaves a latched state.

    Examples
    --------
    >>> check_step(RunState.RUNNING, RunState.PAUSED)
    >>> check_step(RunState.HALTED, RunState.RUNNING)
    Traceback (most recent call last):
        ...
    alphalab.errors.StateError: a run goes from HALTED to RUNNING
      Rule: HALTED is followed by KILLED, LOADING, STOPPED.
    """
    allowed = FOLLOWS[before] | {RunState.LOADING}
    if after not in allowed:
        raise StateError(
            f"a run goes from {before} to {after}",
            rule=f"{before} is followed by {', '.join(sorted(allowed))}.",
        )
