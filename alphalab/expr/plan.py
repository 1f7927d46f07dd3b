"""From expressions to ordered kernel calls, their state carried from block to block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from alphalab.errors import ExprError, ParameterError, StateError, UnknownNameError
from alphalab.expr.custom import python_function
from alphalab.expr.nodes import Expr
from alphalab.expr.python_rows import run_python
from alphalab.expr.registry import operator
from alphalab.kernels._jit import silent
from alphalab.kernels.identity import identity
from alphalab.kernels.operators.blocks import block_kernel
from alphalab.kernels.operators.window import ROWS, SLOT
from alphalab.types import FloatArray, Instrument


class Call(NamedTuple):
    """One kernel call and its arguments; of an output: no kernel, its name and its values."""

    kernel: Callable[..., None] | None
    args: tuple[Any, ...]


_KERNELS: dict[tuple[Any, str], Callable[..., None]] = {}


def kernel_of(name: str) -> Callable[..., None]:
    """Return the compiled block kernel of an operator, loaded or compiled once per process."""
    record = operator(name)
    update = record.update
    key = (update if isinstance(update, str) else identity(update), record.family)
    if key not in _KERNELS:
        if isinstance(update, str):
            module, _, function = update.partition(":")
            update = getattr(import_module(f"alphalab.kernels.operators.{module}"), function)
        try:
            _KERNELS[key] = block_kernel(update, record.loop, len(record.inputs))
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
        The N assets, in the order of the columns; their group labels are read here.
    capacity : int
        Largest number of rows of one block.

    Attributes
    ----------
    columns : tuple of str
        The bar columns it reads.
    warmup : int
        Rows at the start before every window of some output is full.
    id : bytes
        Identity of what it computes: expressions, assets, and the code of users' functions.

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
        self.nodes = [item for item in self._order if isinstance(item, Expr)]
        self.columns = tuple(node.params[0] for node in self.nodes if node.op == "column")
        self.warmup = max((expr.warmup for expr in self.outputs.values()), default=0)
        self._buffers = _shared_buffers(self._order, (capacity, len(self.instruments)))
        self._state = {node.key: np.zeros(self._state_shape(node)) for node in self.nodes}
        self._calls: dict[int, list[Call]] = {}
        self._fill_sources()
        self.id = _identity(self.nodes, self.instruments)
        self._calls_for(capacity)  # unknown symbols and users' operators fail here, not later

    def each(
        self, columns: Mapping[str, FloatArray], n_rows: int
    ) -> Iterator[tuple[str, FloatArray]]:
        """Push a block of rows through all nodes, and yield each output when it is known.

        Nodes that several outputs share are computed once; memory is used again as soon as nothing
        needs what it holds.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (R, N)
            At least the names in `self.columns`.
        n_rows : int
            R, at most the capacity.

        Yields
        ------
        str, ndarray of shape (R, N)
            In the order of the outputs. The values are gone when the next output is asked for; the
            rows count as pushed only when all have been.
        """
        if n_rows > self.capacity:
            raise ParameterError(
                f"a block of {n_rows} rows", rule=f"this plan takes at most {self.capacity}."
            )
        calls = self._calls_for(n_rows)
        with silent():
            for kernel, args in calls:
                if kernel is None:
                    yield args
                elif kernel is _read:
                    _read(columns, *args)
                else:
                    kernel(*args)

    def run(self, columns: Mapping[str, FloatArray], n_rows: int) -> dict[str, FloatArray]:
        """Push a block of rows through all nodes, and return all outputs, each (R, N)."""
        return {name: values.copy() for name, values in self.each(columns, n_rows)}

    def snapshot(self) -> list[bytes]:
        """Return the identity of the plan, then the carried state of each node in plan order."""
        return [self.id, *(self._state[node.key].tobytes() for node in self.nodes)]

    def restore(self, state: Sequence[bytes]) -> None:
        """Take up the state of a `snapshot` of an equal plan.

        Raises
        ------
        StateError
            A snapshot of other expressions or other assets, or one whose windows stand at places
            where they cannot be. The plan is as it was then.
        """
        targets = [self._state[node.key] for node in self.nodes]
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
        _check_clocks(self.nodes, read)
        for target, values in zip(targets, read, strict=True):
            target[...] = values

    def _index(self, symbol: str) -> int:
        symbols = [instrument.symbol for instrument in self.instruments]
        if symbol not in symbols:
            raise UnknownNameError("symbol", symbol, symbols)
        return symbols.index(symbol)

    def _state_shape(self, node: Expr) -> tuple[int, int]:
        if node.op == "python_op":
            # One row: the number of rows seen, then the last rows of every input.
            return 1, 1 + node.params[1] * len(node.args) * len(self.instruments)
        record = operator(node.op)
        size = record.state.at(record.n(node.params))
        if record.loop != "rows":
            return len(self.instruments), size
        # Fields whose distance is a multiple of 2 kB would share few places of the cache.
        return size, len(self.instruments) + (8 if len(self.instruments) % 256 == 0 else 0)

    def _fill_sources(self) -> None:
        """Write constants and group codes, which no row changes, into their buffers."""
        for node in self.nodes:
            if node.op == "constant":
                self._buffers[node.key][:] = node.params[0]
            elif node.op == "group":
                self._buffers[node.key][:] = group_codes(self.instruments, node.params[0])

    def _calls_for(self, rows: int) -> list[Call]:
        """Return the calls for a block of this size; blocks come in few sizes, so they are kept."""
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
        inputs = [self._buffers[arg.key][:rows] for arg in node.args]
        out = self._buffers[node.key][:rows]
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
        params = np.array(node.params, np.float64)
        params.flags.writeable = False
        args = (state, params, *inputs, out)
        if isinstance(operator(node.op).update, str):
            return Call(kernel_of(node.op), args)
        return Call(_run_users, (node.op, kernel_of(node.op), args))


#: What no row changes: written once, into memory of its own.
_CONSTANT = ("constant", "group")

#: A node to compute, or an output, by name, to hand over.
Item = Expr | tuple[str, Expr]


def _in_order(outputs: Mapping[str, Expr]) -> Iterator[Item]:
    """Yield every distinct node, inputs first, and each output as soon as it is known."""
    seen: set[bytes] = set()
    for name, root in outputs.items():
        yield from root.walk(seen)
        yield name, root


def _shared_buffers(order: Sequence[Item], shape: tuple[int, int]) -> dict[bytes, FloatArray]:
    """Return memory for every node; nodes that are never needed at one time may share theirs."""
    last_use: dict[bytes, int] = {}
    for place, item in enumerate(order):
        for needed in item.args if isinstance(item, Expr) else (item[1],):
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


def _check_clocks(nodes: Sequence[Expr], states: Sequence[FloatArray]) -> None:
    """Refuse windows whose next slot is not in their ring, or that have seen different rows.

    Kernels write to that slot without looking.
    """
    seen = set()
    for node, state in zip(nodes, states, strict=True):
        if node.op != "python_op" and not operator(node.op).has_clock:
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
        if callable(update):  # a Python function's identity is in the key of its node
            digest.update(identity(update).encode())
    digest.update(repr([instrument.symbol for instrument in instruments]).encode())
    return digest.digest()


def _run_users(name: str, kernel: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Run the kernel of a user's operator; what fails there names the operator."""
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
    """Return each asset's group as a number in sorted order, from 0; NaN without one.

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
