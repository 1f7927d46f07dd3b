"""What decides and is not built in: users' functions, and what gives them away without a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from alphalab.codes import Origin
from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import iso
from alphalab.expr.custom import python_function
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import operator
from alphalab.research.validation.held_data import held_data
from alphalab.research.validation.leaks import Leak
from alphalab.research.validation.outputs import Outputs

_NAN = float("nan")


def free_code(strategy: Strategy) -> tuple[str, ...]:
    """Return the names of the user's functions that decide; empty: the language proves causality.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> free_code(load_strategy("sma_cross")())
    ()
    >>> free_code(load_strategy("donchian_breakout")())
    ('decide',)
    """
    return tuple(dict.fromkeys(name for name, _, _ in _functions(strategy)))


def held_leaks(run: Outputs) -> Iterator[Leak]:
    """Yield a leak for every function of the strategy that holds rows of the bars it runs on."""
    for name, function, first in _functions(run.strategy):
        found = held_data(function, run.bars)
        if found:
            # Rows of targets are counted from the first one that is traded.
            bars = run.history.traded if name == "decide" else run.bars
            row = min(first, bars.n_rows - 1)
            yield Leak(
                output="targets" if name == "decide" else "signals",
                row=row,
                time=iso(bars.time[row]),
                symbol="",
                source=f"{name}: {found}",
                how="held data",
                cut=row,
                was=_NAN,
                now=_NAN,
                counter_example="from alphalab.research.validation.held_data import held_data\n"
                f"print(held_data(function, bars))  # {name}",
            )


def same_bar_leaks(run: Outputs) -> Iterator[Leak]:
    """Yield a leak for the first fill of ``fill="same_close"``: its decision has seen the price.

    What the venue does by itself (a liquidation, the end of a listing) nobody has decided.
    """
    events, fills = run.block.events, run.block.fills
    by_venue = np.isin(fills["order"], events["order"][events["origin"] == Origin.VENUE])
    seen = fills[(fills["row"] <= fills["order_row"]) & ~by_venue]
    if seen.size:
        row, price = int(seen["row"][0]), float(seen["price"][0])
        yield Leak(
            output="fills",
            row=row,
            time=iso(run.history.traded.time[row]),
            symbol=run.bars.symbols[int(seen["asset"][0])],
            source='fill="same_close"',
            how="same bar",
            cut=row,
            was=price,
            now=price,
            counter_example="import alphalab as al\n"
            'frame = al.backtest(strategy, bars, fill="same_close").fills\n'
            "print(frame.head(1))  # decided and filled at one close",
        )


def _functions(strategy: Strategy) -> Iterator[tuple[str, Callable[..., Any], int]]:
    """Yield the user's functions that decide: name, function, and the first row it is called in."""
    decide = type(strategy).decide
    if decide is not None:
        yield "decide", decide, 0
    for node in _user_nodes(strategy):
        if node.op == "python_op":
            name, lookback, code = node.params
            yield f"python_op {name!r}", python_function(name, code), lookback - 1
        else:
            update = cast(Callable[..., Any], operator(node.op).update)
            yield f"operator {node.op!r}", update, 0


def _user_nodes(strategy: Strategy) -> Iterator[Expr]:
    seen: set[bytes] = set()
    for expression in strategy.expressions().values():
        for node in expression.walk(seen):
            if node.op == "python_op" or callable(operator(node.op).update):
                yield node
