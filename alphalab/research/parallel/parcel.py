"""Columns as bytes for worker processes: expressions, settings, and the code of users.

The class of a strategy is not sent: its expressions are data. Its `decide`, and the operators and
Python functions in the expressions, are pickled by value with the functions and constants that they
use, unless they come from an installed package. So a worker needs alphalab and its dependencies,
but neither the strategy's file nor its folder.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from types import FunctionType, ModuleType, new_class
from typing import Any, NamedTuple

from alphalab.artifact.loading import PREFIX
from alphalab.core.columns import Column
from alphalab.core.strategy import Strategy
from alphalab.errors import StateError, StrategyError
from alphalab.expr.custom import PYTHON_FUNCTIONS, python_function
from alphalab.expr.identity import adopt, identity, installed
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import REGISTRY, Operator, operator, register
from alphalab.kernels._jit import CACHE_DIR, compiled

#: Version of kernels and layouts, equal in all processes of a sweep.
VERSION = CACHE_DIR.name

#: Suffix of the identity of code from another process. Numba looks up compiled code by file and
#: line, and code compiled in the sending process needs its module.
_SENT = "_sent"


class Parcel(NamedTuple):
    """Columns as bytes."""

    version: str
    code: bytes  # code of users; equal for equal code, so that a worker reads it once
    columns: bytes


class Code(NamedTuple):
    """The code of users that some columns need."""

    operators: tuple[Operator, ...]
    functions: tuple[tuple[tuple[str, str], Callable[..., Any]], ...]
    decides: tuple[Callable[..., Any] | None, ...]

    def identities(self) -> list[tuple[Any, str]]:
        """Return the functions that workers compile, each with its name in the cache."""
        named = [*(record.update for record in self.operators), *self.decides]
        return [(x, identity(x).removesuffix(_SENT) + _SENT) for x in named if callable(x)]


_NO_CODE = Code((), (), (None,))


class Sender:
    """Packs columns for worker processes; code that they share is pickled once."""

    def __init__(self) -> None:
        self._pickled: dict[Code, bytes] = {}

    def pack(self, columns: Sequence[Column]) -> Parcel:
        """Return columns as bytes.

        Raises
        ------
        StrategyError
            Code that uses an object that cannot be sent, such as an open file.
        """
        nodes: dict[bytes, Expr] = {}
        decides: dict[Callable[..., Any] | None, int] = {}
        rows = []
        for strategy, settings, expressions in columns:
            for expr in expressions.values():
                for node in expr.walk():
                    nodes.setdefault(node.key, node)
            cls = type(strategy)
            kind: tuple[Any, ...] = (cls.__name__, decides.setdefault(cls.decide, len(decides)))
            outputs = {name: expr.key for name, expr in expressions.items()}
            kind += (cls.memory_rows, cls.max_orders, tuple(cls.numbers_of_class().items()))
            rows.append((*kind, repr(strategy), outputs, settings))
        table = [(n.key, n.op, [arg.key for arg in n.args], n.params) for n in nodes.values()]
        code = _code(nodes.values(), tuple(decides))
        if code not in self._pickled:
            self._pickled[code] = _by_value(code)
        return Parcel(VERSION, self._pickled[code], pickle.dumps((table, rows)))


@contextmanager
def unpacked(parcel: Parcel) -> Iterator[list[Column]]:
    """Return the columns, with their operators registered in this process.

    Raises
    ------
    StateError
        This process runs another release of alphalab than the sender.
    """
    if parcel.version != VERSION:
        raise StateError(
            f"a worker has kernels {VERSION}, the sweep {parcel.version}",
            rule="all processes of a sweep run one release of alphalab.",
            fix="Install the same one on the workers.",
        )
    with _registered(parcel.code) as code:
        yield list(_columns(parcel.columns, code))


class _Ready(Strategy, frozen=True):
    """Stands for a strategy of another process, of which only the repr was sent."""

    shown: str

    def __post_init__(self) -> None:
        """Skip the check of the parameters, which the sender has done."""

    def __repr__(self) -> str:
        return self.shown


def _columns(data: bytes, code: Code) -> Iterator[Column]:
    table, rows = pickle.loads(data)
    nodes: dict[bytes, Expr] = {}
    for key, op, args, params in table:
        nodes[key] = Expr(op, tuple(nodes[arg] for arg in args), params)
    classes: dict[Any, Any] = {}
    for *kind, shown, outputs, settings in rows:
        name, decide, memory_rows, max_orders, numbers = kind
        if tuple(kind) not in classes:
            function = code.decides[decide]
            body = {
                "__module__": __name__,
                "decide": function and staticmethod(function),
                "memory_rows": memory_rows,
                "max_orders": max_orders,
                "numbers_of_class": classmethod(lambda _, numbers=numbers: dict(numbers)),
            }
            classes[tuple(kind)] = new_class(name, (_Ready,), {}, partial(dict.update, **body))
        strategy = classes[tuple(kind)](shown=shown)
        yield Column(strategy, settings, {name: nodes[key] for name, key in outputs.items()})


def _code(nodes: Iterator[Expr] | Any, decides: tuple[Any, ...]) -> Code:
    operators: dict[str, Operator] = {}
    functions: dict[tuple[str, str], Callable[..., Any]] = {}
    for node in nodes:
        record = operator(node.op)
        if callable(record.update):
            operators[node.op] = record
        elif node.op == "python_op":
            name, _, code = node.params
            functions[name, code] = python_function(name, code)
    return Code(
        tuple(operators[name] for name in sorted(operators)),
        tuple((key, functions[key]) for key in sorted(functions)),
        decides,
    )


def _by_value(code: Code) -> bytes:
    """Pickle code by value, with everything it uses; installed modules go by name."""
    import cloudpickle

    if code == _NO_CODE:
        return b""
    registered = cloudpickle.list_registry_pickle_by_value()
    modules = [m for name, m in list(sys.modules.items()) if _travels(name, m)]
    modules = [m for m in modules if m.__name__ not in registered]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return _dumped((tuple(code), code.identities()))
    except Exception as error:
        names = [record.name for record in code.operators] + [key[0] for key, _ in code.functions]
        names += [decide.__qualname__ for decide in code.decides if decide is not None]
        raise StrategyError(
            f"{', '.join(names)}: {type(error).__name__}: {error}",
            rule="code for other processes is sent with everything it uses.",
            fix="Use numbers, arrays and functions only, or run in threads "
            "(without joblib.parallel_config).",
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _dumped(value: Any) -> bytes:
    """Pickle functions under this module's name, so that no worker imports their own module.

    Numba imports the module of a function it compiles; on the worker that module may be other code,
    and importing a module of operators registers them.
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if compiled(obj):
                return _reduced(obj)
            reduced = super().reducer_override(obj)
            if isinstance(obj, FunctionType) and reduced is not NotImplemented:
                _, slots = reduced[2]
                slots["__module__"] = __name__
            return reduced

    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


def _reduced(dispatcher: Any) -> tuple[Any, ...]:
    """Return the reduction of a compiled function; numba's own one uses another pickler."""
    plain = dispatcher.py_func
    home = sys.modules.get(plain.__module__)
    if getattr(home, plain.__name__, None) is dispatcher and installed(plain.__code__.co_filename):
        return getattr, (home, plain.__name__)
    return type(dispatcher), (plain, dispatcher.locals, dispatcher.targetoptions)


def _travels(name: str, module: ModuleType) -> bool:
    """Return True for modules that a worker probably does not have."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or getattr(module, "__name__", None) != name:
        return False
    return name != "__main__" and (name.startswith(PREFIX) or not installed(file))


@lru_cache(maxsize=16)
def _read(code: bytes) -> Code:
    if not code:
        return _NO_CODE
    parts, identities = pickle.loads(code)
    for function, known in identities:
        adopt(function, known)
    return Code(*parts)


def _known(record: Operator) -> bool:
    known = REGISTRY.get(record.name)
    return (
        known is not None
        and callable(known.update)
        and callable(record.update)
        and identity(record.update).startswith(identity(known.update))
    )


_CHANGED = threading.Condition()
_RUNNING: list[bytes] = []  # the code of every running task of this process
_BEFORE: dict[str, Operator | None] = {}  # replaced entries of the registry


@contextmanager
def _registered(code: bytes) -> Iterator[Code]:
    """Register the operators of a task while it runs, after all tasks with other code ended.

    Operators are registered by name, and two sweeps that share a process, as threads of one Dask
    worker, may use one name for two functions.
    """
    with _CHANGED:
        _CHANGED.wait_for(lambda: not code or {code, b""}.issuperset(_RUNNING))
        read = _read(code)
        new = () if code in _RUNNING else [x for x in read.operators if not _known(x)]
        _BEFORE.update({record.name: REGISTRY.get(record.name) for record in new})
        for record in new:
            register(record)
        for key, function in read.functions:
            PYTHON_FUNCTIONS.setdefault(key, function)
        _RUNNING.append(code)
    try:
        yield read
    finally:
        with _CHANGED:
            _RUNNING.remove(code)
            if code and code not in _RUNNING:
                for name, before in _BEFORE.items():
                    del REGISTRY[name]
                    if before is not None:
                        register(before)
                _BEFORE.clear()
            _CHANGED.notify_all()
