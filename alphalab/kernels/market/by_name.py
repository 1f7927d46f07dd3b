"""A user's `decide` that takes signals and parameters by name, compiled for the step.

The step has one table of numbers, (K, N): the signals, then the parameters. A short function in
between gives the rows their names. So the driver is compiled for one type of `decide`, and a
`decide` once for all parameters.
"""

from __future__ import annotations

import hashlib
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba

from alphalab.kernels._jit import jit
from alphalab.kernels.market import drivers

#: How a cell of the table becomes a parameter of its type.
_READ = {float: "{}", int: "int({})", bool: "{} != 0.0"}
_NUMBA = {float: numba.float64, int: numba.int64, bool: numba.boolean}


def compile_by_name(
    function: Callable[..., Any],
    takes: Sequence[str],
    signals: Sequence[str],
    params: Mapping[str, tuple[int, type]],
    identity: str,
) -> Any:
    """Return the function, compiled to the one type of `decide` that the step takes.

    Parameters
    ----------
    function : callable
        Plain Python.
    takes : sequence of str
        Its arguments: signals, params, account, memory, table.
    signals : sequence of str
        Names of the first rows of the table.
    params : mapping of str to int and type
        Row of the table, and the type, of each parameter.
    identity : str
        Hash of the function and of all that it names.
    """
    parts = {name: name for name in ("account", "memory", "table")}
    rows = (f"table[{k}]" for k in range(len(signals)))
    cells = (_READ[kind].format(f"table[{row}, 0]") for row, kind in params.values())
    parts["signals"] = f"Signals({', '.join(rows)})"
    parts["params"] = f"Params({', '.join(cells)})"
    source = (
        "def by_name(table, account, memory):\n"
        f"    return decide({', '.join(parts[name] for name in takes)})\n"
    )
    scope: dict[str, Any] = {
        "__name__": __name__,  # the module that numba imports when it reads the code from disk
        "decide": jit(function, allocates=True, boundscheck=True, folder=None),
        "Signals": namedtuple("Signals", signals),
        "Params": namedtuple("Params", list(params)),
    }
    # Numba keeps compiled code under the name of a file: that of the decide.
    exec(compile(source, function.__code__.co_filename, "exec"), scope)
    named = hashlib.blake2b(f"{identity} {list(signals)} {source}".encode(), digest_size=8)
    try:
        return drivers.compile_decide(scope["by_name"], named.hexdigest())
    except numba.core.errors.NumbaError:
        _compile_alone(scope, takes, [_NUMBA[kind] for _, kind in params.values()])
        raise


def _compile_alone(scope: dict[str, Any], takes: Sequence[str], numbers: list[Any]) -> None:
    """Compile a `decide` for its own arguments: the error then names its line."""
    table, view, memory = drivers.DECIDE.args
    row = numba.types.Array(numba.float64, 1, "C")
    kinds = {"table": table, "account": view, "memory": memory}
    if "signals" in takes:
        names = scope["Signals"]._fields
        kinds["signals"] = numba.types.NamedUniTuple(row, len(names), scope["Signals"])
    if "params" in takes:
        kinds["params"] = numba.types.NamedTuple(numbers, scope["Params"])
    scope["decide"].compile(tuple(kinds[name] for name in takes))
