"""Count what is run in the trial ledger: a backtest, a sweep, a walk-forward as one row each."""

from __future__ import annotations

import hashlib
import math
import time as clock
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
import numpy as np

from alphalab.artifact.identity import family_id, strategy_id
from alphalab.artifact.ledger import (
    OFF,
    VARIABLE,
    family_name,
    is_counting,
    ledger_path,
    read_trials,
    record,
)
from alphalab.artifact.trials import Family, Trial, family_of, member_ids, packed, sharpe_moments
from alphalab.core.expression import Expression
from alphalab.core.strategy import Strategy
from alphalab.errors import JournalError
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.summary import Summary
from alphalab.research.results.tally_metrics import digest_of
from alphalab.types import FloatArray, Records

if TYPE_CHECKING:
    from alphalab.data.panel.bars import Bars
    from alphalab.research.results.result import Result
    from alphalab.research.sweep.result import Sweep
    from alphalab.research.validation.walk_forward import WalkForward

_Run = TypeVar("_Run", "Result", "Summary")
_Any = TypeVar("_Any", "Result", "Summary", "Sweep")

#: What the warnings of a result say if there was no ledger.
OFF_NOTE = f"Not counted as a trial: {VARIABLE} is {OFF}"
_N_SEGMENTS = 16
_MOST_VALUES = 50  # of one swept name, written out


class NotCountedWarning(UserWarning):
    """A run was finished, and the trial ledger could not be written."""


def count_backtest(strategy: Strategy, result: _Run) -> _Run:
    """Count a backtest as one trial, and return it; with the ledger off it says so."""
    if not is_counting():
        return _with_note(result)
    _count(strategy, result, "backtest")
    return result


def count_validation(strategy: Strategy, result: Result) -> Family | None:
    """Count a validation as one trial, and return what is known of its family, this included.

    None: the ledger is off, or the runs inside a context of `uncounted` are counted by another.

    Raises
    ------
    JournalError
        A ledger that cannot be read.
    """
    if not is_counting():
        return None
    return family_of(read_trials(), _count(strategy, result, "validate"))


def _count(strategy: Strategy, result: Result | Summary, run: str) -> str:
    """Record one run of one strategy, and return its family."""
    if isinstance(result, Summary):
        scan = result.scan
        data, symbols, year = scan.version, scan.symbols, scan.periods_per_year
        n_rows, segments = result.n_rows, b""
        sharpes = row_sharpes(result.tally[np.newaxis])
    else:
        bars, returns = result.bars, result.row_returns
        data, symbols, year = bars.id, bars.symbols, periods_per_year(bars)
        n_rows, segments = bars.n_rows, _segments(returns)
        sharpes = _sharpe(returns)
    family = family_name(family_id(strategy, symbols, year))
    _record(
        run=run,
        family=family,
        members=b"",
        strategy=type(strategy).__name__,
        strategy_id=strategy_id(strategy),
        parameters=strategy.canonical_json(),
        data=data,
        settings=result.settings.id,
        n_columns=1,
        n_rows=n_rows,
        periods_per_year=float(year),
        segments=segments,
        digest=result.digest,
        **sharpe_moments(sharpes),
    )
    return family


def count_sweep(sweep: Sweep, run: Literal["sweep", "search"] = "sweep") -> Sweep:
    """Count the columns of a sweep that were run, and return it; with the ledger off it says so."""
    if not is_counting() or not sweep.ran.any():
        return _with_note(sweep)
    sharpes = row_sharpes(sweep.tallies[sweep.ran])
    best = 0 if np.isnan(sharpes).all() else int(np.nanargmax(sharpes))
    _record(
        run=run,
        **_of_columns(sweep, sweep.bars),
        n_columns=int(sweep.ran.sum()),
        digest=digest_of(sweep.tallies[sweep.ran]["words"][best]),
        **sharpe_moments(sharpes),
    )
    return sweep


def count_walk_forward(walk: WalkForward) -> WalkForward:
    """Count the variants that a walk-forward chose from, and return it.

    The Sharpe ratios in the ledger are those of the last choice.
    """
    if not is_counting():
        return replace(walk, result=_with_note(walk.result))
    sweep = max(walk.sweeps, key=lambda sweep: int(sweep.ran.sum()))
    _record(
        run="walk_forward",
        **_of_columns(sweep, walk.bars),
        n_columns=int(sweep.ran.sum()),
        digest=walk.result.digest,
        **sharpe_moments(row_sharpes(walk.sweeps[-1].tallies[walk.sweeps[-1].ran])),
    )
    return walk


def _with_note(found: _Any) -> _Any:
    """Return a result that says that it was not counted, if the ledger is off."""
    if ledger_path() is not None:
        return found
    warned: _Any = replace(found, warnings=(*found.warnings, OFF_NOTE))
    return warned


def row_sharpes(tallies: Records) -> FloatArray:
    """Return the Sharpe ratio per row of every column, (C,), ddof 1; NaN: not defined."""
    with np.errstate(all="ignore"):
        ratio = tallies["mean"] / np.sqrt(tallies["m2"] / (tallies["rows"] - 1))
        known = (tallies["rows"] > 1) & (tallies["least_before"] > 0) & np.isfinite(ratio)
    return np.where(known, ratio, np.nan)


def _of_columns(sweep: Sweep, bars: Bars) -> dict[str, Any]:
    """Return what a row says of the columns that were run: who they are, and what they vary."""
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
        "family": family_name(next(iter(ids)) if len(ids) == 1 else _hashed(sorted(ids))),
        "members": member_ids(ids) if len(ids) > 1 else b"",
        "strategy": sweep.strategy,
        "strategy_id": "",
        "parameters": _json({"varied": _values(sweep.names, varied), "columns": _hashed(texts)}),
        "data": bars.id,
        "settings": _hashed(sorted(set(known.values()))),
        "n_rows": bars.n_rows,
        "periods_per_year": float(year),
        "segments": b"",
    }


def _different(strategies: Sequence[Strategy]) -> Iterable[Strategy]:
    """Return the strategies that may be of different families: one of each class, all texts."""
    if isinstance(strategies[0], Expression):
        return strategies
    return {type(strategy): strategy for strategy in strategies}.values()


def _values(names: Sequence[str], varied: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of each swept name, in order; of many their number and their ends."""
    found: dict[str, Any] = {}
    for name in names:
        values = list({_json(params[name]): params[name] for params in varied}.values())
        if len(values) <= _MOST_VALUES:
            found[name] = values
        else:
            found[name] = {"n": len(values), "first": values[0], "last": values[-1]}
    return found


def _sharpe(returns: FloatArray) -> FloatArray:
    """Return the Sharpe ratio per row of one series of returns, (1,)."""
    if returns.size < 2 or not np.isfinite(returns).all() or not returns.std() > 0:
        return np.array([np.nan])
    return np.array([returns.mean() / returns.std(ddof=1)])


def _segments(returns: FloatArray) -> bytes:
    """Return the packed sums of 16 segments of equal length; empty for too few rows, or ruin."""
    if returns.size < 2 * _N_SEGMENTS or not np.isfinite(returns).all():
        return b""
    bounds = np.arange(_N_SEGMENTS + 1) * returns.size // _N_SEGMENTS
    sums = [np.add.reduceat(x, bounds[:-1]) for x in (returns, returns * returns)]
    return packed(np.array([*sums, np.diff(bounds)])[:, :, np.newaxis])


def _record(**fields: Any) -> None:
    """Append a row; a disk that fails by now costs the row and a warning, not the result."""
    try:
        record(Trial(**fields), time=clock.time_ns())
    except JournalError as error:
        warnings.warn(f"this run was not counted: {error.what}", NotCountedWarning, stacklevel=4)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted", enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    """Return numpy numbers as Python's, and all else that JSON lacks as text."""
    if isinstance(value, np.generic):
        number = value.item()
        return str(number) if isinstance(number, float) and not math.isfinite(number) else number
    return str(value)


def _hashed(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()
