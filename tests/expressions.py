"""Random expressions, drawn from the registry: a new operator is in every property test at once."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from alphalab.expr.custom import python_op
from alphalab.expr.functions import close, column, group, high, low, open, per_symbol, volume
from alphalab.expr.nodes import Expr, apply, constant
from alphalab.expr.registry import REGISTRY, Operator, Param

#: Operators with a kernel of alphalab's own; users' operators carry a function.
OPERATORS = [r for r in REGISTRY.values() if r.update and isinstance(r.update, str)]
LONGEST_WINDOW = 8


def midpoint(*windows: np.ndarray) -> np.ndarray:
    """Middle between the first and the last row, summed over the inputs."""
    with np.errstate(all="ignore"):
        return sum((window[0] + window[-1]) / 2.0 for window in windows)


def constants() -> st.SearchStrategy[Expr]:
    usual = st.floats(-3.0, 3.0) | st.integers(-3, 3)
    rare = st.sampled_from([np.nan, np.inf, -np.inf, -0.0, 1e300, 5e-324, 0.1 + 0.2])
    return st.builds(constant, usual | rare)


def expressions(max_leaves: int = 8, n_symbols: int = 3) -> st.SearchStrategy[Expr]:
    """Expressions of every operator over the bars of the assets S0, S1, ...

    They read open, high, low, close, volume, ``column('extra')`` and ``group('sector')``; windows
    are at most `LONGEST_WINDOW` rows long.
    """
    sources = [open, high, low, close, volume, column("extra"), group("sector")]
    leaves = st.sampled_from(sources) | constants()
    symbols = st.sampled_from([f"S{i}" for i in range(n_symbols)])

    def grown(smaller: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.one_of(
            *(_applied(record, smaller) for record in OPERATORS),
            st.builds(Expr.of, smaller, symbols),
            st.builds(per_symbol, st.dictionaries(symbols, smaller, min_size=1)),
            st.builds(
                python_op,
                st.just(midpoint),
                st.lists(smaller, min_size=1, max_size=2),
                st.integers(1, LONGEST_WINDOW),
            ),
        )

    return st.recursive(leaves, grown, max_leaves=max_leaves)


@st.composite
def _applied(draw: st.DrawFn, record: Operator, smaller: st.SearchStrategy[Expr]) -> Expr:
    inputs = [
        group("sector") if name == "group" else draw(smaller, label=name) for name in record.inputs
    ]
    params = [draw(_numbers(param), label=param.name) for param in record.params]
    if record.name == "clip":
        params.sort()
    if record.form_of:  # n, then min_periods
        params.sort(reverse=True)
    return apply(record.name, *inputs, *params)


def _numbers(param: Param) -> st.SearchStrategy[float]:
    if param.integer:
        return st.integers(int(param.low), LONGEST_WINDOW)
    return st.floats(max(param.low, -5.0), min(param.high, 5.0))
