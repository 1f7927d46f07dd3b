"""`Plan`: expressions compiled to ordered kernel calls, with state carried between blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from alphalab.errors import ExprError, ParameterError, StateError, UnknownNameError
from alphalab.expr.clocks import OUTPUT, OnInterval, OnTraded
from alphalab.expr.custom import python_function
from alphalab.expr.identity import identity
from alphalab.expr.nodes import CALLS_PYTHON, OWN_CLOCK, Expr
from alphalab.expr.policy_rows import check_symbols, policy_of, run_policy
from alphalab.expr.python_rows import run_python
from alphalab.expr.registry import operator
from alphalab.expr.wall_clock import WORDS, WallClock
from alphalab.kernels._jit import silent
from alphalab.kernels.operators.blocks import block_kernel
from alphalab.kernels.operators.window import ROWS, SLOT
from alphalab.types import FloatArray, Instrument, IntArray


class Call(NamedTuple):
    """One kernel call and its arguments; for an output: None, and its name and values."""

    kernel: Callable[..., None] | None
    args: tuple[Any, ...]


_KERNELS: dict[tuple[Any, str], Callable[..., None]] = {}


def kernel_of(name: str) -> Callable[..., None]:
    """Return the compiled block kernel of an operator, loaded or compiled once per process."""
    record = operator(name)
    update = record.update
    users = "" if isinstance(update, str) else identity(update)
    key = users or update, record.family
    if key not in _KERNELS:
        if isinstance(update, str):
            module, _, function = update.partition(":")
            update = getattr(import_module(f"alphalab.kernels.operators.{module}"), function)
        try:
            _KERNELS[key] = block_kernel(update, record.loop, len(record.inputs), users)
        except Exception as error:
            raise ExprError(
                f"operator {name!r} cannot be compiled: {type(error).__name__}: {error}",
                rule="a compiled operator uses what numba compiles, returns one number, and writes "
                "its state only.",
                fix="Run with NUMBA_DISABLE_JIT=1 to see it as plain Python, or use al.python_op.",
            ) from error
    return _KERNELS[key]


class Plan:
    """Compiled expressions with their state, for one set of assets.

    Parameters
    ----------
    outputs : mapping of str to Expr
    instruments : sequence of Instrument
        The N assets, in the order of the bar columns; they hold the group labels.
    capacity : int
        Largest number of rows in one block.

    Attributes
    ----------
    columns : tuple of str
        The columns of the bars that the plan reads.
    nodes : list of Expr
        Every distinct node, those inside other clocks too.
    needs_time : bool
        True if a part reads the time or has a clock of its own: rows are pushed with their times.
    warmup : int
        Rows at the start before every window of every output is full; windows on other rows than
        those of the bars count their own, so it may take longer.
    id : bytes
        Hash of the expressions, the assets and the code of users' functions, 16 bytes.

    Raises
    ------
    UnknownNameError
        A symbol or a group label that no instrument has.

    Examples
    --------
    >>> from alphalab.expr.functions import close, ts_mean
    >>> plan = Plan({"signal": close / ts_mean(close, 2)}, [Instrument(symbol="A")])
    >>> plan.run({"close": np.array([[1.0], [3.0]])}, 2)["signal"]
    array([[nan],
           [1.5]])
    >>> plan.run({"close": np.array([[3.0]])}, 1)["signal"]  # the state was carried over
    array([[1.]])
    """

    def __init__(
        self, outputs: Mapping[str, Expr], instruments: Sequence[Instrument], capacity: int = 4096
    ) -> None:
        self.outputs = dict(outputs)
        self.instruments = tuple(instruments)
        self.capacity = capacity
        self._order = list(_in_order(self.outputs))
        self._clock = WallClock(self.instruments)
        self._own = [item for item in self._order if isinstance(item, Expr)]
        seen: set[bytes] = set()
        self.nodes = [node for expr in self.outputs.values() for node in expr.walk(seen)]
        self.columns = _columns(self.nodes)
        self.needs_time = any(node.op in ("on", *WORDS) for node in self.nodes)
        self.warmup = max((expr.warmup for expr in self.outputs.values()), default=0)
        self._buffers = _shared_buffers(self._order, (capacity, len(self.instruments)))
        self._state = {node.key: np.zeros(self._state_shape(node)) for node in self._own}
        self._inside = {node.key: self._nested(node) for node in self._own if node.op in OWN_CLOCK}
        self._calls: dict[int, list[Call]] = {}
        self._fill_sources()
        self.id = _identity(self.nodes, self.instruments)
        self._calls_for(capacity)  # unknown symbols and users' operators fail here, not later

    def each(
        self, columns: Mapping[str, FloatArray], n_rows: int, time: IntArray | None = None
    ) -> Iterator[tuple[str, FloatArray]]:
        """Push a block of rows through all nodes, and yield each output when it is computed.

        Nodes that several outputs share are computed once. A buffer is reused after its last
        reader.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (R, N)
            At least the names in `self.columns`.
        n_rows : int
            R, at most the capacity.
        time : ndarray of shape (R,), optional
            int64 ns UTC, increasing; required if the plan `needs_time`.

        Yields
        ------
        str, ndarray of shape (R, N)
            In the order of the outputs. The array is valid until the next output; copy it to keep
            it. The state is complete only after the last output.
        """
        if n_rows > self.capacity:
            raise ParameterError(
                f"a block of {n_rows} rows", rule=f"this plan takes at most {self.capacity}."
            )
        if self.needs_time and time is None:
            raise ParameterError(
                "rows without times",
                rule="al.on(...) and words of the clock need the time of every row.",
            )
        calls = self._calls_for(n_rows)
        with silent():
            for kernel, args in calls:
                if kernel is None:
                    yield args
                elif kernel is _read:
                    _read(columns, *args)
                elif kernel is _read_clock:
                    _read_clock(time, *args)
                elif kernel is _push_inside:
                    _push_inside(columns, time, *args)
                else:
                    kernel(*args)

    def run(
        self, columns: Mapping[str, FloatArray], n_rows: int, time: IntArray | None = None
    ) -> dict[str, FloatArray]:
        """Push a block of rows through all nodes, and return all outputs, each (R, N)."""
        return {name: values.copy() for name, values in self.each(columns, n_rows, time)}

    def snapshot(self) -> list[bytes]:
        """Return the identity of the plan, then the carried state of each node in plan order."""
        return [self.id, *(array.tobytes() for array in self.arrays)]

    @property
    def arrays(self) -> list[FloatArray]:
        """All that is carried from block to block, in plan order; inner plans after their node."""
        arrays = []
        for node in self._own:
            arrays.append(self._state[node.key])
            if node.key in self._inside:
                arrays += self._inside[node.key].arrays
                for plan in self._inside[node.key].plans:
                    arrays += plan.arrays
        return arrays

    def restore(self, state: Sequence[bytes]) -> None:
        """Restore the state of a `snapshot` of an equal plan.

        Raises
        ------
        StateError
            A snapshot of other expressions or other assets, or one with an impossible position of
            a window. The plan is then unchanged.
        """
        targets = self.arrays
        sizes = [target.nbytes for target in targets]
        if state[:1] != [self.id] or [len(item) for item in state[1:]] != sizes:
            raise StateError(
                "the snapshot does not fit this plan",
                rule="a snapshot fits the same expressions over the same assets.",
            )
        read = [
            np.frombuffer(item).reshape(target.shape)
            for item, target in zip(state[1:], targets, strict=True)
        ]
        self.check_arrays(iter(read))
        for target, values in zip(targets, read, strict=True):
            target[...] = values

    def check_arrays(self, read: Iterator[FloatArray]) -> None:
        """Refuse arrays that no plan can have; takes those of this plan, and of plans inside it."""
        own = []
        for node in self._own:
            own.append(next(read))
            if node.key in self._inside:
                for _ in self._inside[node.key].arrays:
                    next(read)
                for plan in self._inside[node.key].plans:
                    plan.check_arrays(read)
        _check_clocks(self._own, own)

    def _nested(self, node: Expr) -> OnTraded | OnInterval:
        """Return what computes a node with a clock of its own."""
        inside = {OUTPUT: node.args[0]}
        if node.op == "on_traded":
            return OnTraded([Plan(inside, [one], self.capacity) for one in self.instruments])
        plan = Plan(inside, self.instruments, self.capacity + 1)  # a block may end one window more
        interval, offset = node.params
        return OnInterval(plan, interval, offset, len(self.instruments))

    def _index(self, symbol: str) -> int:
        symbols = [instrument.symbol for instrument in self.instruments]
        if symbol not in symbols:
            raise UnknownNameError("symbol", symbol, symbols)
        return symbols.index(symbol)

    def _state_shape(self, node: Expr) -> tuple[int, int]:
        if node.op == "python_op":
            # The number of rows seen, then the last rows of every input.
            return 1, 1 + node.params[1] * len(node.args) * len(self.instruments)
        if node.op == "policy":  # and the weights asked for last
            return 1, 1 + (node.params[0] * len(node.args) + 1) * len(self.instruments)
        record = operator(node.op)
        size = record.state.at(record.n(node.params))
        if record.loop != "rows":
            return len(self.instruments), size
        # Pad rows of state to avoid cache conflicts at strides that are multiples of 2 kB.
        return size, len(self.instruments) + (8 if len(self.instruments) % 256 == 0 else 0)

    def _fill_sources(self) -> None:
        """Write constants and group codes to their buffers, once for all blocks."""
        for node in self._own:
            if node.op == "constant":
                self._buffers[node.key][:] = node.params[0]
            elif node.op == "group":
                self._buffers[node.key][:] = group_codes(self.instruments, node.params[0])

    def _calls_for(self, rows: int) -> list[Call]:
        """Return the calls for a block of this size, cached for the few sizes in use."""
        if rows not in self._calls:
            if len(self._calls) >= 8:
                self._calls.clear()
            self._calls[rows] = [
                self._call(item, rows)
                if isinstance(item, Expr)
                else Call(None, (item[0], self._buffers[item[1].key][:rows]))
                for item in self._order
                if not isinstance(item, Expr) or item.op not in _CONSTANT
            ]
        return self._calls[rows]

    def _call(self, node: Expr, rows: int) -> Call:
        if node.op == "column":
            return Call(_read, (node.params[0], self._buffers[node.key][:rows]))
        out = self._buffers[node.key][:rows]
        if node.op in WORDS:
            return Call(_read_clock, (self._clock, node.op, out))
        if node.key in self._inside:
            return Call(_push_inside, (self._inside[node.key], rows, out))
        inputs = [self._buffers[arg.key][:rows] for arg in node.args]
        state = self._state[node.key]
        if node.op == "of":
            asset = self._index(node.params[0])
            return Call(np.copyto, (out, inputs[0][:, asset : asset + 1]))
        if node.op == "per_symbol":
            assets = [self._index(symbol) for symbol in node.params]
            return Call(_per_symbol, (assets, inputs, out))
        if node.op == "python_op":
            name, _, code = node.params
            function = python_function(name, code)
            return Call(run_python, (function, node.params, state, inputs, out))
        if node.op == "policy":
            policy = policy_of(node.params[1])
            check_symbols(policy, tuple(x.symbol for x in self.instruments))
            return Call(run_policy, (policy, state, inputs, out))
        params = np.array(node.params, np.float64)
        params.flags.writeable = False
        args = (state, params, *inputs, out)
        if isinstance(operator(node.op).update, str):
            return Call(kernel_of(node.op), args)
        return Call(_run_users, (node.op, kernel_of(node.op), args))


#: Nodes that are the same on every row: each has its own buffer, written once.
_CONSTANT = ("constant", "group")

#: A node to compute, or an output (name, node) to yield.
Item = Expr | tuple[str, Expr]


def _in_order(outputs: Mapping[str, Expr]) -> Iterator[Item]:
    """Yield every distinct node, inputs first, and each output after its nodes."""
    seen: set[bytes] = set()
    for name, root in outputs.items():
        yield from root.walk(seen, inside=False)
        yield name, root


def _inputs(node: Expr) -> tuple[Expr, ...]:
    """Return the inputs that a node reads on the rows of its own plan."""
    return () if node.op in OWN_CLOCK else node.args


def _columns(nodes: Sequence[Expr]) -> tuple[str, ...]:
    """Return the columns that nodes read; those with a clock of their own read the close."""
    read = [node.params[0] for node in nodes if node.op == "column"]
    if any(node.op in OWN_CLOCK for node in nodes):
        read.append("close")
    return tuple(dict.fromkeys(read))


def _shared_buffers(order: Sequence[Item], shape: tuple[int, int]) -> dict[bytes, FloatArray]:
    """Return a buffer for every node; nodes that are not needed at the same time share one."""
    last_use: dict[bytes, int] = {}
    for place, item in enumerate(order):
        for needed in _inputs(item) if isinstance(item, Expr) else (item[1],):
            last_use[needed.key] = place
    ends: dict[int, list[bytes]] = {}
    for key, place in last_use.items():
        ends.setdefault(place, []).append(key)
    buffers: dict[bytes, FloatArray] = {}
    own: set[bytes] = set()
    free: list[FloatArray] = []
    for place, item in enumerate(order):
        if isinstance(item, Expr):
            if item.op in _CONSTANT:
                own.add(item.key)
            buffers[item.key] = (
                free.pop() if free and item.key not in own else np.full(shape, np.nan)
            )
        free += [buffers[key] for key in ends.get(place, ()) if key not in own]
    return buffers


def _read(columns: Mapping[str, FloatArray], name: str, out: FloatArray) -> None:
    out[:] = columns[name]


def _read_clock(time: Any, clock: WallClock, word: str, out: FloatArray) -> None:
    clock.read(word, time[: len(out)], out)


def _push_inside(
    columns: Mapping[str, FloatArray],
    time: Any,
    inside: OnTraded | OnInterval,
    n_rows: int,
    out: FloatArray,
) -> None:
    inside.push(columns, time, n_rows, out)


def _check_clocks(nodes: Sequence[Expr], states: Sequence[FloatArray]) -> None:
    """Refuse states whose next slot is outside the ring, or whose windows differ in rows seen.

    Kernels write to that slot without a bounds check.
    """
    seen = set()
    for node, state in zip(nodes, states, strict=True):
        if not (node.op in CALLS_PYTHON or operator(node.op).has_clock):
            continue
        if not _clock_holds(node, state):
            raise StateError(
                f"a snapshot that no plan can have taken: the state of {node}",
                rule="a window of n rows that has seen k rows goes on in slot k % n.",
                fix="Take an older snapshot, or push the rows again.",
            )
        seen.add(float(state[ROWS, 0]))
    if len(seen) > 1:
        raise StateError(
            f"a snapshot that no plan can have taken: operators have seen "
            f"{' and '.join(f'{rows:g}' for rows in sorted(seen))} rows",
            rule="all operators of a plan have seen the same rows.",
            fix="Take an older snapshot, or push the rows again.",
        )


def _clock_holds(node: Expr, state: FloatArray) -> bool:
    rows, record = float(state[ROWS, 0]), operator(node.op)
    if not (0.0 <= rows < 2**53 and rows.is_integer()):
        return False
    return not record.has_clock or float(state[SLOT, 0]) == rows % record.n(node.params)


def _identity(nodes: Sequence[Expr], instruments: Sequence[Instrument]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for node in nodes:
        digest.update(node.key)
        update = operator(node.op).update
        if callable(update):  # the key of a python_op node has the identity already
            digest.update(identity(update).encode())
    digest.update(repr([instrument.symbol for instrument in instruments]).encode())
    return digest.digest()


def _run_users(name: str, kernel: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Run the kernel of a user's operator; an error names the operator."""
    try:
        kernel(*args)
    except Exception as error:
        raise ExprError(
            f"operator {name!r} failed: {type(error).__name__}: {error}",
            rule="it writes its state only, and reads state and numbers where there are some.",
            fix="Declare more in al.op(state=..., params=...).",
        ) from error


def _per_symbol(assets: list[int], inputs: list[FloatArray], out: FloatArray) -> None:
    out[:] = np.nan  # for the assets that are not named
    for asset, values in zip(assets, inputs, strict=True):
        out[:, asset] = values[:, asset]


def group_codes(instruments: Sequence[Instrument], label: str) -> FloatArray:
    """Return the group of each asset as its place among the sorted groups; NaN without a label.

    Raises
    ------
    UnknownNameError
        No instrument has this label.
    """
    names = [instrument.groups.get(label) for instrument in instruments]
    known = sorted({name for name in names if name is not None})
    if not known:
        labels = {key for instrument in instruments for key in instrument.groups}
        raise UnknownNameError(
            "group", label, labels, fix="Labels come from Instrument(groups={'sector': 'energy'})."
        )
    return np.array([np.nan if name is None else known.index(name) for name in names], np.float64)
