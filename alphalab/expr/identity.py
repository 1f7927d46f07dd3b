"""The identity of a user's function: a hash of its code and of all that it names.

Two functions with the same identity give the same results. The hash is the same in every process.
"""

from __future__ import annotations

import dis
import enum
import hashlib
import os
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from alphalab.errors import ExprError

#: Types whose repr determines the value.
_PLAIN = (int, float, complex, bool, str, bytes, type(None), type(...), range)
_ADOPTED: WeakKeyDictionary[Callable[..., Any], str] = WeakKeyDictionary()
_HOMES = (Path(os.__file__).parent, Path(__file__).parents[1])  # standard library and alphalab


def identity(function: Callable[..., Any]) -> str:
    """Return the identity of a user's function: 16 hexadecimal digits.

    The hash covers the function's file and code, its defaults, the values it closes over, and the
    globals it names, also in lambdas and comprehensions. Functions among these are hashed in the
    same way. A module is hashed by its file and by the names that the function uses of it, an
    installed module by its name and version.

    Raises
    ------
    ExprError
        A function that draws random numbers, or names an object whose content cannot be hashed.
    """
    plain = getattr(function, "py_func", function)
    known = _ADOPTED.get(plain) if isinstance(plain, types.FunctionType) else None
    return known or _digest(_Walk(function).facts(function, "it", {})).hex()


def adopt(function: Callable[..., Any], known: str) -> None:
    """Set the identity of a function that came from another process, where its files were read."""
    _ADOPTED[getattr(function, "py_func", function)] = known


def _digest(facts: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=8)
    for fact in facts:
        digest.update(len(fact).to_bytes(8, "little") + fact)
    return digest.digest()


class _Walk:
    """Yields the bytes to hash for one function, then for every value that it names."""

    def __init__(self, function: Any) -> None:
        self.owner = getattr(function, "__qualname__", type(function).__name__)
        self.package = _package(getattr(function, "__module__", None))

    def facts(self, value: Any, name: str, seen: dict[int, Any]) -> Iterator[bytes]:
        """Yield the bytes that identify a value; `seen` ends recursion in cyclic containers."""
        if not isinstance(value, types.ModuleType):
            value = getattr(value, "py_func", value)  # the Python function behind a compiled one
        self._refuse_chance(value, name)
        kind = type(value)
        yield kind.__qualname__.encode()
        if isinstance(value, types.FunctionType | list | dict):
            if id(value) in seen:
                yield str(list(seen).index(id(value))).encode()
                return
            seen[id(value)] = value
        if kind in _PLAIN or isinstance(value, np.generic | np.dtype):
            yield repr(value).encode()
        elif isinstance(value, enum.Enum):
            yield f"{kind.__module__}.{value!r}".encode()
        elif kind is np.ndarray:
            yield f"{value.dtype!r} {value.shape}".encode()
            if value.dtype.hasobject:
                yield from self.facts(value.tolist(), name, seen)
            else:
                yield value.tobytes()
        elif kind is list or isinstance(value, tuple):
            yield str(len(value)).encode()
            for i, item in enumerate(value):
                yield from self.facts(item, f"{name}[{i}]", seen)
        elif kind is dict:
            yield str(len(value)).encode()
            for key, item in value.items():
                yield from self.facts(key, f"a key of {name}", seen)
                yield from self.facts(item, f"{name}[{key!r}]", seen)
        elif isinstance(value, set | frozenset):
            yield from sorted(_digest(self.facts(v, f"a part of {name}", {**seen})) for v in value)
        elif isinstance(value, types.CodeType):
            yield from self._code(value, name, seen)
        elif isinstance(value, types.ModuleType):
            yield self._module(value.__name__)
        elif isinstance(value, types.FunctionType) and not self._installed_code(value):
            yield from self._function(value, seen)
        elif isinstance(value, types.MethodType):
            yield from self.facts((value.__func__, value.__self__), name, seen)
        elif (called := _called(value)) and (
            isinstance(value, type | types.BuiltinFunctionType) or self._installed_module(called[0])
        ):
            yield ".".join(called).encode()
            yield self._module(called[0])
        elif isinstance(value, types.BuiltinMethodType):
            yield value.__name__.encode()
            yield from self.facts(value.__self__, name, seen)
        else:
            raise ExprError(
                f"{self.owner}: {name} is of type {kind.__module__}.{kind.__qualname__}",
                rule="a function names numbers, text, arrays, functions and modules, or tuples, "
                "lists, dicts and sets of them: their content is part of its identity.",
                fix="Pass plain numbers or arrays, or give al.python_op(..., version='...').",
            )

    def _function(self, function: types.FunctionType, seen: dict[int, Any]) -> Iterator[bytes]:
        code = function.__code__
        yield _content(code.co_filename)
        yield from self._code(code, "it", seen)
        yield from self.facts((function.__defaults__, function.__kwdefaults__), "a default", seen)
        steps = _steps(code)
        scope = {
            step.argval: function.__globals__[step.argval]
            for step in steps
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval in function.__globals__
        }
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                scope[name] = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
        for name in sorted(scope):
            yield name.encode()
            yield from self.facts(scope[name], name, seen)
        for name, part in sorted({(str(a.argval), str(b.argval)) for a, b in pairwise(steps)}):
            module = scope.get(name)
            if (
                isinstance(module, types.ModuleType)
                and not self._installed_module(module.__name__)
                and part in vars(module)
            ):
                yield f"{name}.{part}".encode()
                yield from self.facts(vars(module)[part], f"{name}.{part}", seen)

    def _code(self, code: types.CodeType, name: str, seen: dict[int, Any]) -> Iterator[bytes]:
        for word in code.co_names:
            if "random" in word.split("."):
                self._refuse_random(word)
        yield code.co_code + code.co_exceptiontable
        yield repr((code.co_argcount, code.co_kwonlyargcount, code.co_flags)).encode()
        yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)).encode()
        yield from self.facts(code.co_consts, name, seen)

    def _module(self, name: str) -> bytes:
        module = sys.modules.get(name)
        if self._installed_module(name):
            version = getattr(sys.modules.get(_package(name)), "__version__", "")
            return f"{name} {version}".encode()
        return name.encode() + b"\0" + _content(getattr(module, "__file__", None) or "")

    def _installed_module(self, name: str) -> bool:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None:
            return name != "__main__"
        return _package(name) != self.package and installed(file)

    def _installed_code(self, function: types.FunctionType) -> bool:
        return _package(function.__module__) != self.package and installed(
            function.__code__.co_filename
        )

    def _refuse_chance(self, value: Any, name: str) -> None:
        module = isinstance(value, types.ModuleType)
        for home in (
            value.__name__ if module else getattr(value, "__module__", None),
            type(value).__module__,
        ):
            if home == "random" or f"{home}.".startswith("numpy.random."):
                self._refuse_random(name)

    def _refuse_random(self, name: str) -> None:
        raise ExprError(
            f"{self.owner} names random numbers: {name}",
            rule="the same data give the same results, in blocks of any size.",
            fix="Draw them beforehand with a seed, and read them as a column: "
            "bars.with_columns({'noise': ...}) and al.column('noise').",
        )


@lru_cache(maxsize=256)
def _steps(code: types.CodeType) -> tuple[dis.Instruction, ...]:
    """Return the instructions of code and of the code within it."""
    inner = (_steps(part) for part in code.co_consts if isinstance(part, types.CodeType))
    return (*dis.get_instructions(code), *chain.from_iterable(inner))


def _called(value: Any) -> tuple[str, str] | None:
    """Return module and name of a class or a function; None for any other value."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    module = getattr(value, "__module__", None) or ("numpy" if type(value) is np.ufunc else None)
    return (module, name) if isinstance(module, str) and isinstance(name, str) else None


def _package(module: Any) -> str:
    return str(module).partition(".")[0]


@lru_cache(maxsize=1024)
def installed(file: str) -> bool:
    """Return True if a file belongs to Python, to alphalab or to an installed package."""
    path = Path(file)
    return (
        file.startswith("<frozen")
        or not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
        or any(home in path.parents for home in _HOMES)
    )


def _content(path: str) -> bytes:
    file = Path(path)
    return file.read_bytes() if file.is_file() else b""
