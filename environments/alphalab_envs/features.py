"""Features: expressions over bars, computed once for all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphalab.core.accounts import default_capacity
from alphalab.core.checks import check_names
from alphalab.core.step_engine import Stretch
from alphalab.errors import DataError, ParameterError
from alphalab.expr.functions import close
from alphalab.expr.nodes import Expr, as_expr
from alphalab.expr.plan import Plan
from alphalab.expr.text import parse
from alphalab.kernels.market.env_observation import BOUND
from alphalab.types import Instrument


def named(features: Mapping[str, Any] | None) -> dict[str, Expr]:
    """Return features as expressions by name; None: the return of the last row.

    Examples
    --------
    >>> {name: str(expr) for name, expr in named({"z": "ts_zscore(close, 20)"}).items()}
    {'z': 'ts_zscore(close, 20)'}
    """
    if features is None:
        return {"return": close.returns(1)}
    if not isinstance(features, Mapping):
        raise ParameterError(
            f"features={type(features).__name__}",
            rule="features are expressions by name.",
            fix='Write features={"z": al.close.ts_zscore(20)}.',
        )
    return {
        name: parse(expr) if isinstance(expr, str) else as_expr(expr, f"feature {name!r}")
        for name, expr in features.items()
    }


def table_of(
    features: Mapping[str, Expr], stretch: Stretch, instruments: Sequence[Instrument]
) -> NDArray[np.float32]:
    """Return the features of a stretch, (T, F): for each feature one column per asset.

    The operators begin at the first row of the stretch, as in a backtest of it.
    """
    check_names(features, instruments, stretch.columns)
    n_rows, n_assets = stretch.time.size, len(instruments)
    plan = Plan(features, instruments, default_capacity(n_assets))
    table = np.empty((n_rows, len(features), n_assets), np.float32)
    for i in range(0, n_rows, plan.capacity):
        rows = slice(i, min(i + plan.capacity, n_rows))
        block = {name: stretch.columns[name][rows] for name in plan.columns}
        for k, (_, values) in enumerate(
            plan.each(block, rows.stop - rows.start, stretch.time[rows])
        ):
            with np.errstate(over="ignore"):  # infinite: `check` refuses it
                table[rows, k] = values
    return table.reshape(n_rows, -1)


def check(
    table: NDArray[np.float32], rows: slice, names: Sequence[str], symbols: Sequence[str]
) -> None:
    """Refuse features that an observation would show as NaN or beyond its bounds."""
    seen = table[rows]
    bad = ~(np.abs(seen) <= BOUND)
    if not bad.any():
        return
    row, place = np.argwhere(bad)[0]
    name, symbol = names[place // len(symbols)], symbols[place % len(symbols)]
    value = seen[row, place]
    raise DataError(
        f"feature {name!r} of {symbol!r} is {value:g} in row {rows.start + row}",
        rule=f"an observation holds numbers between {-BOUND:g} and {BOUND:g}.",
        fix=f"Say what stands for an unknown value: {name} = (...).fill_nan(0.0), or leave these "
        "rows out: rows=slice(...)."
        if np.isnan(value)
        else "Scale the feature, or clip it.",
    )
