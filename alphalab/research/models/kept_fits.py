"""Fits that are kept on disk by a hash of all that determines them, and run where none is kept."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np

import alphalab
from alphalab.errors import ExprError, ParameterError
from alphalab.expr.identity import identity, installed
from alphalab.kernels._jit import source_hash
from alphalab.research.models.one_fit import Fitted
from alphalab.research.models.schedule import Window


def run_fits(
    work: Callable[[int], tuple[Callable[..., Fitted], tuple[Any, ...]]],
    keys: Sequence[str],
    folder: Path | None,
    n_jobs: int | None,
) -> Iterator[tuple[int, Fitted]]:
    """Yield the place of each fit and what it says, first those that were kept.

    Parameters
    ----------
    work : callable
        ``work(place)`` returns the function of a fit and its arguments.
    keys : sequence of str
        One for each fit, from `key_of`; not read without a folder.
    folder : Path, optional
        Where fits are kept, as soon as each is finished.
    n_jobs : int, optional
        Processes, as in joblib.
    """
    left = []
    for place, key in enumerate(keys):
        known = None if folder is None else _kept(folder, key)
        if known is None:
            left.append(place)
        else:
            yield place, known
    calls = (joblib.delayed(_placed)(place, *work(place)) for place in left)
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    for place, fitted in parallel(calls):
        if folder is not None:
            _keep(folder, keys[place], fitted)
        yield place, fitted


def key_of(parts: Mapping[str, Any], window: Window) -> str:
    """Return the name under which a fit is kept: a hash of all that determines it."""
    whole = {**parts, "window": list(window), "code": [alphalab.__version__, source_hash()]}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


def model_identity(model: Any) -> str:
    """Return a hash of a model: its classes, their code where it is the user's own, parameters.

    Raises
    ------
    ParameterError
        A part whose code or content cannot be hashed: its fits cannot be told from those of an
        edited one.
    """
    try:
        return hashlib.sha256("\n".join(_facts(model)).encode()).hexdigest()
    except ExprError as error:
        raise ParameterError(
            f"{type(model).__name__}: {error.what}",
            rule="a fit is kept under a hash of the model's code and parameters.",
            fix="Use cache=None.",
        ) from error


def _facts(value: Any) -> Iterator[str]:
    """Yield the texts that determine a model, or a parameter of one."""
    kind = type(value)
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | np.ufunc | type):
        yield _code(value) if isinstance(value, type) else identity(value)
    elif isinstance(value, list | tuple):
        yield f"{kind.__qualname__} {len(value)}"
        for item in value:
            yield from _facts(item)
    elif isinstance(value, Mapping):
        yield f"{kind.__qualname__} {len(value)}"
        for key, item in value.items():
            yield from (repr(key), *_facts(item))
    elif hasattr(value, "get_params"):
        yield _code(kind)
        for name, item in sorted(value.get_params(deep=False).items()):
            yield from (name, *_facts(item))
    else:
        yield f"{_code(kind)} {_hash(value, kind.__qualname__)}"


def _hash(value: Any, name: str) -> str:
    try:
        return str(joblib.hash(value))
    except Exception as error:
        raise ExprError(f"{name} cannot be hashed: {error}") from error


def _code(kind: type) -> str:
    """Return the name of a class with its version, or with the code of its methods."""
    facts = []
    for cls in kind.__mro__:
        module = sys.modules[cls.__module__]
        file = getattr(module, "__file__", None)
        if cls.__module__ == "builtins" or (file is not None and installed(file)):
            package = sys.modules[cls.__module__.partition(".")[0]]
            own = "alphalab" in cls.__module__ and file is not None
            version = Path(str(file)).read_text() if own else getattr(package, "__version__", "")
            facts.append(f"{cls.__module__}.{cls.__qualname__} {version}")
            continue
        facts.append(cls.__qualname__)
        for name, part in sorted(vars(cls).items()):
            function = getattr(part, "__func__", getattr(part, "fget", part))
            if isinstance(function, types.FunctionType):
                facts.append(f"{name} {identity(function)}")
            elif not name.startswith(("__", "_abc_", "_sklearn_")):  # of Python and scikit-learn
                facts.append(f"{name} {_hash(part, f'{cls.__qualname__}.{name}')}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _placed(
    place: int, function: Callable[..., Fitted], arguments: tuple[Any, ...]
) -> tuple[int, Fitted]:
    return place, function(*arguments)


def _keep(folder: Path, key: str, fitted: Fitted) -> None:
    """Write a fit's values; a file is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = np.array([json.dumps({"n_rows": fitted.n_rows, "model": fitted.model})])
    arrays: Any = {"facts": facts, **{f"v {name}": v for name, v in fitted.values.items()}}
    part = folder / f"{key}.{os.getpid()}.part"
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.replace(folder / f"{key}.npz")


def _kept(folder: Path, key: str) -> Fitted | None:
    """Return a fit that was kept; None: there is none, or its file is damaged."""
    try:
        with np.load(folder / f"{key}.npz", allow_pickle=False) as file:
            facts = json.loads(str(file["facts"][0]))
            values = {name[2:]: file[name] for name in file.files if name.startswith("v ")}
    except (OSError, ValueError, KeyError):
        return None
    return Fitted(values, int(facts["n_rows"]), str(facts["model"]))
