"""Sweeps with given figures, to test the plots and tables made from them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

import alphalab as al
from alphalab.core.columns import Column
from alphalab.core.vector_engine import VectorEngine
from alphalab.data.panel.history import History
from alphalab.research.results.segments import N_SEGMENTS, segment_bounds
from alphalab.research.results.tally_metrics import METRICS
from alphalab.research.run.options import run_settings
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.variants import Variant
from alphalab.types import Records


class Hold(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close > 0, 1.0, 0.0)


def grid(**values: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]


@cache
def one_run() -> tuple[al.Bars, Column, Records]:
    bars = al.load("sp500", start="2018-01-01")
    strategy = Hold()
    column = Column.of(strategy, run_settings(strategy, {}), bars.instruments)
    bounds = segment_bounds(bars.n_rows, N_SEGMENTS)
    engine = VectorEngine([column], bars.instruments, bounds=bounds)
    engine.push(bars.time, bars.columns)
    return bars, column, engine.tallies()


def planted(
    params: Sequence[Mapping[str, Any]],
    sharpe: Sequence[float],
    *,
    invalid: Mapping[int, str] | None = None,
    not_run: Sequence[int] = (),
    metric: str = "sharpe",
    **figures: Sequence[float],
) -> Sweep:
    """Return a sweep of one strategy with these values as its figures; others are 0."""
    (bars, column, tally), invalid = one_run(), invalid or {}
    variants = tuple(
        Variant(dict(one), None, invalid[i], rule=invalid[i])
        if i in invalid
        else Variant(dict(one), column)
        for i, one in enumerate(params)
    )
    ran = np.array([i not in invalid and i not in not_run for i in range(len(params))])
    names = tuple(params[0])
    made = Sweep("Hold", names, variants, np.repeat(tally, len(params)), ran, History(bars), metric)
    given = {"sharpe": sharpe, **figures}
    vars(made)["metrics"] = {
        name: np.where(ran, given.get(name, np.zeros(len(params))), np.nan) for name in METRICS
    }
    return made
