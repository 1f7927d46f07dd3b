"""Count a sweep or a search in the trial ledger: one row for all of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from alphalab.artifact.identity import family_id
from alphalab.artifact.ledger import is_counting
from alphalab.artifact.trials import packed, sharpe_moments
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.data.panel.history import History
from alphalab.errors import DataError
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.tally_metrics import digest_of
from alphalab.research.run.count import (
    canonical,
    family_fields,
    hashed,
    record_trial,
    row_sharpes,
    with_note,
)
from alphalab.research.sweep.combinations import key_of
from alphalab.research.sweep.result import Sweep

_MOST_VALUES = 50  # of one swept name, written out


def count_sweep(sweep: Sweep, run: Literal["sweep", "search"] = "sweep") -> Sweep:
    """Count the columns of a sweep that were run, and return it; with the ledger off it says so."""
    if not is_counting() or not sweep.ran.any():
        return with_note(sweep)
    sharpes = np.where(sweep.ran, row_sharpes(sweep.tallies), np.nan)
    known = not np.isnan(sharpes).all()
    best = int(np.nanargmax(sharpes) if known else np.argmax(sweep.ran))
    record_trial(
        run=run,
        **of_columns(sweep, sweep.history),
        n_columns=int(sweep.ran.sum()),
        digest=digest_of(sweep.tallies["words"][best]),
        **sharpe_moments(sharpes),
    )
    return sweep


def of_columns(sweep: Sweep, history: History) -> dict[str, Any]:
    """Return what a row says of the columns that were run: who they are, and what they vary."""
    bars = history.traded
    places = np.flatnonzero(sweep.ran).tolist()
    columns = [column for i in places if (column := sweep.variants[i].column) is not None]
    strategies = [column.strategy for column in columns]
    year = periods_per_year(bars)
    ids = dict.fromkeys(family_id(s, bars.symbols, year) for s in _different(strategies))
    settings = {id(column.settings): column.settings for column in columns}
    known = {key: value.id for key, value in settings.items()}
    texts = (f"{c.strategy.canonical_json()}{known[id(c.settings)]}" for c in columns)
    varied = [sweep.variants[i].params for i in places]
    return {
        **family_fields(list(ids)),
        "strategy": sweep.strategy,
        "strategy_id": "",
        "parameters": canonical({"varied": _values(sweep.names, varied), "columns": hashed(texts)}),
        "data": history.bars.id,
        "settings": hashed(sorted(set(known.values()))),
        "n_rows": bars.n_rows,
        "periods_per_year": float(year),
        "segments": packed_sums(sweep),
    }


def packed_sums(sweep: Sweep) -> bytes:
    """Return the packed segment sums of the columns; empty if there are none."""
    try:
        return packed(*sweep.selection.sums)
    except DataError:
        return b""


def _different(strategies: Sequence[Strategy]) -> Iterable[Strategy]:
    """Return the strategies that may be of different families: one of each class, all texts."""
    if isinstance(strategies[0], ExprStrategy):
        return strategies
    return {type(strategy): strategy for strategy in strategies}.values()


def _values(names: Sequence[str], varied: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of each swept name, in order; of many their number and their ends."""
    found: dict[str, Any] = {}
    for name in names:
        given = (params[name] for params in varied)
        values = list({(type(value), key_of(value)): value for value in given}.values())
        if len(values) <= _MOST_VALUES:
            found[name] = values
        else:
            found[name] = {"n": len(values), "first": values[0], "last": values[-1]}
    return found
