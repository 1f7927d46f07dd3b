"""`al.ops`: every function of the alpha language, operators and indicators, by name.

`ops.pyi` has the types of all of them. The module of an indicator is imported when one is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from alphalab.expr import functions
from alphalab.expr.indicators import HOME as _HOME


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        return getattr(functions, name)
    value = getattr(import_module(f"alphalab.expr.indicators.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*dir(functions), *_HOME])
