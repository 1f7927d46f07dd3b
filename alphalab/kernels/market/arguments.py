"""The arguments of the driver: their names, types and order, defined once.

The compiled signature and the arguments that Python passes both come from the groups below. Kernels
read an argument by its name.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numba
import numpy as np

from alphalab.types import (
    ACCOUNT,
    AMBIGUITY,
    EVENT,
    FILL,
    INSTRUMENT,
    LEDGER,
    ORDER,
    POSITION,
    POSTED,
    REFUSAL,
    REQUEST,
    RULES,
    RUNG,
    START,
    TALLY,
    TIER,
    TRIP_SO_FAR,
)

FLOAT, INT, BITS = np.float64, np.int64, np.uint64


class Group:
    """Arrays that are passed together, as a named tuple.

    Parameters
    ----------
    name : str
    layout : pairs of dtype and int
        Element type and number of axes of each array. All are C-contiguous, aligned and writable.

    Attributes
    ----------
    names : tuple of str
        Names of the arrays, in order.
    kind : type
        The named tuple.
    type : numba type
        Its type in a compiled signature.
    """

    def __init__(self, name: str, **layout: tuple[Any, int]) -> None:
        self.names = tuple(layout)
        self.layout = {key: (np.dtype(dtype), ndim) for key, (dtype, ndim) in layout.items()}
        self.kind: Any = namedtuple(name, self.names)  # type: ignore[misc]
        self.type = numba.types.NamedTuple([self.array(key) for key in self.names], self.kind)

    def array(self, name: str) -> Any:
        """Return the numba type of an array."""
        dtype, ndim = self.layout[name]
        return numba.types.Array(numba.from_dtype(dtype), ndim, "C")

    def part(self, name: str) -> Any:
        """Return the numba type of one element along an array's first axis: array or record."""
        array = self.array(name)
        return array.dtype if array.ndim == 1 else array.copy(ndim=array.ndim - 1)

    def pack(self, **arrays: Any) -> Any:
        """Return the arrays as the named tuple that the compiled driver takes.

        Python calls the driver's entry point, which checks no argument. So they are checked here.

        Raises
        ------
        TypeError
            An array that is missing, unknown, or of another layout.

        Examples
        --------
        >>> group = Group("Pair", a=(np.float64, 1), b=(np.int64, 2))
        >>> group.pack(a=np.zeros(2), b=np.zeros((1, 3), np.int64)).b.shape
        (1, 3)
        >>> group.pack(a=np.zeros(2), b=np.zeros((3, 1)))
        Traceback (most recent call last):
        TypeError: Pair.b is a writable C-contiguous array of int64 with 2 axes, not of float64 ...
        """
        packed = self.kind(**arrays)
        for (name, (dtype, ndim)), array in zip(self.layout.items(), packed, strict=True):
            if not (array.dtype == dtype and array.ndim == ndim and array.flags.carray):
                raise TypeError(
                    f"{self.kind.__name__}.{name} is a writable C-contiguous array of {dtype} "
                    f"with {ndim} axes, not of {array.dtype} with {array.ndim} axes"
                )
        return packed


#: The columns: one account with its own rules each. The first axis of every array is the column.
COLUMNS = Group(
    "Columns",
    rules=(RULES, 1),
    tiers=(TIER, 2),
    ladder=(RUNG, 2),  # rungs after the first, by age
    instruments=(INSTRUMENT, 2),
    groups=(INT, 2),
    starts=(START, 2),
    accounts=(ACCOUNT, 1),
    positions=(POSITION, 2),
    orders=(ORDER, 3),
    traded=(FLOAT, 2),
    memory=(FLOAT, 3),  # (C, M, N), memory of a `decide`
    figures=(TALLY, 1),
    equity=(FLOAT, 2),
    equity_bits=(BITS, 2),  # view of `equity`
    trips=(TRIP_SO_FAR, 2),
    trip_bits=(BITS, 3),  # view of `trips`
    words=(BITS, 2),
    segments=(FLOAT, 3),  # (C, 2, S): sums of returns and of their squares
)

#: Working memory of the step: logs, saved copies, scratch. The columns use it in turn.
WORKSPACE = Group(
    "Workspace",
    fills=(FILL, 1),
    fill_bits=(BITS, 2),  # view of `fills`
    refusals=(REFUSAL, 1),
    events=(EVENT, 1),
    postings=(POSTED, 1),
    ambiguities=(AMBIGUITY, 1),
    counts=(INT, 1),
    saved_account=(ACCOUNT, 1),
    saved_position=(POSITION, 1),
    saved_orders=(ORDER, 1),
    saved_traded=(FLOAT, 1),
    value=(FLOAT, 1),
    gross=(FLOAT, 1),
    gain=(FLOAT, 1),
    bounds=(INT, 1),  # first row of each segment, and the row after the last one
    seen=(POSITION, 1),
    seen_orders=(ORDER, 2),
    requests=(REQUEST, 1),
    sent=(INT, 1),
)

#: A block of rows: arrays with room for R rows.
ROWS = Group(
    "Rows",
    time=(INT, 1),
    period=(INT, 1),
    bars=(FLOAT, 3),  # (fields of `Row`, R, N)
    delists=(INT, 1),  # one element; 1: the listing of an asset ends in these rows
    signals=(FLOAT, 4),  # (C, R, K, N), signals of a `decide`
    distances=(FLOAT, 4),  # (C, R, 3, N) of new stops, targets, trailing stops, price; or no 3
)

#: Results of the columns. In a sweep (tallies only) ledger and qty hold one row.
OUTPUT = Group(
    "Output",
    targets=(FLOAT, 3),  # (C, R, N), weights, given or from a `decide`; the gate edits them
    ledger=(LEDGER, 2),  # (C, R)
    qty=(FLOAT, 3),  # (C, R, N)
)

#: C environments of N assets that share T rows; the driver of environments takes it as well.
ENVS = Group(
    "Envs",
    command=(INT, 1),  # an EnvCommand code
    start=(INT, 1),  # row of the bars at which the next reset begins
    at=(INT, 1),  # row of the bars whose decision is open
    stop=(INT, 1),  # last row of the episode: it has no decision
    forced=(INT, 1),  # 1: a risk rule forces the account flat in this row
    asked=(FLOAT, 2),  # (C, N) weights that the next step asks for; after a step, the last action
    features=(np.float32, 2),  # (T, F), shared
    observation=(np.float32, 2),  # (C, window * F + 2 + 3 * N), see `env_observation.py`
    last_equity=(FLOAT, 1),  # at the open decision
    turnover=(FLOAT, 1),  # at the open decision
    moments=(FLOAT, 2),  # (C, 2) of the differential Sharpe ratio
    reward=(FLOAT, 1),
    weight=(FLOAT, 1),  # one element, shared: the weight of the reward's penalty, or its rate
    terminated=(np.bool_, 1),
    truncated=(np.bool_, 1),
)

#: The named tuples are importable by name: otherwise numba does not recognise them in the next
#: process, and compiles the driver again in each.
Columns, Workspace, Rows, Output, Envs = (x.kind for x in (COLUMNS, WORKSPACE, ROWS, OUTPUT, ENVS))
