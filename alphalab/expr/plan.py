"""From expressions to ordered kernel calls, their state carried from block to block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from alphalab.errors import ExprError, ParameterError, StateError, UnknownNameError
from alphalab.expr.custom import python_function
from alphalab.expr.nodes import Expr
from alphalab.expr.python_rows import run_python
from alphalab.expr.registry import operator
from alphalab.kernels._jit import silent
from alphalab.kernels.blocks import block_kernel
from alphalab.kernels.identity import identity
from alphalab.types import FloatArray, Instrument

Call = tuple[Callable[..., None], tuple[Any, ...]]

_KERNELS: dict[tuple[Any, str], Callable[..., None]] = {}


def kernel_of(name: str) -> Callable[..., None]:
    """Return the compiled block kernel of an operator, loaded or compiled once per process."""
    record = operator(name)
    update = record.update
    key = (update if isinstance(update, str) else identity(update), record.family)
    if key not in _KERNELS:
        if isinstance(update, str):
            module, _, function = update.partition(":")
            update = getattr(import_module(f"alphalab.kernels.{module}"), function)
        try:
            _KERNELS[key] = block_kernel(update, record.family, len(record.inputs))
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
        self.nodes = _merged(self.outputs.values())
        self.columns = tuple(node.params[0] for node in self.nodes if node.op == "column")
        self.warmup = max((expr.warmup for expr in self.outputs.values()), default=0)
        shape = (capacity, len(self.instruments))
        self._buffers = {node.key: np.full(shape, np.nan) for node in self.nodes}
        self._state = {node.key: np.zeros(self._state_shape(node)) for node in self.nodes}
        self._calls: dict[int, list[Call]] = {}
        self._fill_sources()
        self.id = _identity(self.nodes, self.instruments)
        self._calls_for(capacity)  # unknown symbols and users' operators fail here, not later

    def run(self, columns: Mapping[str, FloatArray], n_rows: int) -> dict[str, FloatArray]:
        """Push a block of rows through all nodes.

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (R, N)
            At least the names in `self.columns`.
        n_rows : int
            R, at most the capacity.

        Returns
        -------
        dict of str to ndarray of shape (R, N)
            Views that the next call overwrites.
        """
        if n_rows > self.capacity:
            raise ParameterError(
                f"a block of {n_rows} rows", rule=f"this plan takes at most {self.capacity}."
            )
        for node in self.nodes:
            if node.op == "column":
                self._buffers[node.key][:n_rows] = columns[node.params[0]]
        with silent():
            for function, args in self._calls_for(n_rows):
                function(*args)
        return {name: self._buffers[expr.key][:n_rows] for name, expr in self.outputs.items()}

    def snapshot(self) -> list[bytes]:
        """Return the identity of the plan, then the carried state of each node in plan order."""
        return [self.id, *(self._state[node.key].tobytes() for node in self.nodes)]

    def restore(self, state: Sequence[bytes]) -> None:
        """Take up the state of a `snapshot` of an equal plan.

        Raises
        ------
        StateError
            A snapshot of other expressions or other assets. The plan is as it was then.
        """
        sizes = [self._state[node.key].nbytes for node in self.nodes]
        if state[:1] != [self.id] or [len(item) for item in state[1:]] != sizes:
            raise StateError(
                "the snapshot does not fit this plan",
                rule="a snapshot fits the same expressions over the same assets.",
            )
        for node, item in zip(self.nodes, state[1:], strict=True):
            target = self._state[node.key]
            target[...] = np.frombuffer(item).reshape(target.shape)

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
        return len(self.instruments), record.state.at(record.n(node.params))

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
            self._calls[rows] = [self._call(node, rows) for node in self.nodes if node.args]
        return self._calls[rows]

    def _call(self, node: Expr, rows: int) -> Call:
        inputs = [self._buffers[arg.key][:rows] for arg in node.args]
        out = self._buffers[node.key][:rows]
        state = self._state[node.key]
        if node.op == "of":
            asset = self._index(node.params[0])
            return np.copyto, (out, inputs[0][:, asset : asset + 1])
        if node.op == "per_symbol":
            return _per_symbol, ([self._index(symbol) for symbol in node.params], inputs, out)
        if node.op == "python_op":
            name, _, code = node.params
            return run_python, (python_function(name, code), node.params, state, inputs, out)
        params = np.array(node.params, np.float64)
        params.flags.writeable = False
        args = (state, params, *inputs, out)
        if isinstance(operator(node.op).update, str):
            return kernel_of(node.op), args
        return _run_users, (node.op, kernel_of(node.op), args)


def _merged(roots: Any) -> list[Expr]:
    """Return every distinct node below the roots, inputs first."""
    nodes: dict[bytes, Expr] = {}
    for root in roots:
        for node in root.walk():
            nodes.setdefault(node.key, node)
    return list(nodes.values())


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
