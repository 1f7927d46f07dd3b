"""Count a run in the trial ledger, as one row."""

from __future__ import annotations

import hashlib
import math
import time as clock
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

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
from alphalab.artifact.trials import (
    Trial,
    family_of,
    member_ids,
    packed,
    sharpe_moments,
)
from alphalab.core.strategy import Strategy
from alphalab.errors import DataError, JournalError
from alphalab.research.results.segments import segment_sums
from alphalab.research.results.series import periods_per_year
from alphalab.research.results.summary import Summary
from alphalab.research.run.family_trials import Counted, count_trials
from alphalab.types import FloatArray, Records

if TYPE_CHECKING:
    from alphalab.research.results.result import Result

_Run = TypeVar("_Run", "Result", "Summary")
_Noted = TypeVar("_Noted")

#: What the warnings of a result say if there was no ledger.
OFF_NOTE = f"Not counted as a trial: {VARIABLE} is {OFF}"


class NotCountedWarning(UserWarning):
    """A run was finished, and the trial ledger could not be written."""


def count_backtest(strategy: Strategy, result: _Run, *, data: str) -> _Run:
    """Count a backtest as one trial, and return it; with the ledger off it says so.

    `data` is the identity of all rows that it has seen.
    """
    if not is_counting():
        return with_note(result)
    record_trial(**_fields(strategy, result, "backtest", data))
    return result


def count_validation(strategy: Strategy, result: Result, *, data: str) -> Counted | None:
    """Count a validation as one trial, and return all trials of its family, this one included.

    A family that the user named adds trials to those of the strategy's own family, and hides none.

    Returns
    -------
    Counted or None
        None: the ledger is off, or inside a context of `uncounted`.

    Raises
    ------
    JournalError
        A ledger that cannot be written or read: a validation needs the number of trials.
    """
    if not is_counting():
        return None
    trial = Trial(**_fields(strategy, result, "validate", data))
    record(trial, time=clock.time_ns())
    own = family_id(strategy, result.bars.symbols, trial.periods_per_year)
    return count_trials(family_of(read_trials(), trial.family, own))


def _fields(strategy: Strategy, result: Result | Summary, run: str, data: str) -> dict[str, Any]:
    """Return the fields of the `Trial` of one run of one strategy."""
    if isinstance(result, Summary):
        scan = result.scan
        symbols, year = scan.symbols, scan.periods_per_year
        n_rows, segments = result.n_rows, b""
        sharpes = row_sharpes(result.tally[np.newaxis])
    else:
        bars, returns = result.bars, result.row_returns
        symbols, year = bars.symbols, periods_per_year(bars)
        n_rows, segments = bars.n_rows, _segments(returns)
        sharpes = _sharpe(returns)
    return {
        "run": run,
        **family_fields([family_id(strategy, symbols, year)]),
        "strategy": type(strategy).__name__,
        "strategy_id": strategy_id(strategy),
        "parameters": strategy.canonical_json(),
        "data": data,
        "settings": result.settings.id,
        "n_columns": 1,
        "n_rows": n_rows,
        "periods_per_year": float(year),
        "segments": segments,
        "digest": result.digest,
        **sharpe_moments(sharpes),
    }


def family_fields(ids: Sequence[str]) -> dict[str, Any]:
    """Return the fields `family` and `members` of a `Trial` of these hypotheses.

    `members` keeps their ids where `family` does not say them: where there are several, or where
    the user named the family.
    """
    family = family_name(ids[0] if len(ids) == 1 else hashed(sorted(ids)))
    return {"family": family, "members": b"" if [family] == list(ids) else member_ids(ids)}


def with_note(found: _Noted) -> _Noted:
    """Return a result that says that it was not counted, if the ledger is off."""
    if ledger_path() is not None:
        return found
    warned: Any = found
    return replace(warned, warnings=(*warned.warnings, OFF_NOTE))  # type: ignore[no-any-return]


def row_sharpes(tallies: Records) -> FloatArray:
    """Return the Sharpe ratio per row of every column, (C,), ddof 1; NaN: not defined."""
    with np.errstate(all="ignore"):
        ratio = tallies["mean"] / np.sqrt(tallies["m2"] / (tallies["rows"] - 1))
        known = (tallies["rows"] > 1) & (tallies["least_before"] > 0) & np.isfinite(ratio)
    return np.where(known, ratio, np.nan)


def _sharpe(returns: FloatArray) -> FloatArray:
    """Return the Sharpe ratio per row of one series of returns, (1,)."""
    if returns.size < 2 or not np.isfinite(returns).all() or not returns.std() > 0:
        return np.array([np.nan])
    return np.array([returns.mean() / returns.std(ddof=1)])


def _segments(returns: FloatArray) -> bytes:
    """Return the packed segment sums; empty for too few rows, or ruin."""
    try:
        sums = segment_sums(returns)
    except DataError:
        return b""
    return packed(*sums)


def record_trial(**fields: Any) -> None:
    """Append a row; a disk that fails by now costs the row and a warning, not the result."""
    try:
        record(Trial(**fields), time=clock.time_ns())
    except JournalError as error:
        warnings.warn(f"this run was not counted: {error.what}", NotCountedWarning, stacklevel=4)


def canonical(value: Any) -> str:
    """Return a value as JSON with sorted keys."""
    plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_plain)
    return msgspec.json.encode(plain, order="sorted").decode()


def _plain(value: Any) -> Any:
    """Return numpy numbers as Python's, and all else that JSON lacks as text."""
    if isinstance(value, np.generic):
        number = value.item()
        return str(number) if isinstance(number, float) and not math.isfinite(number) else number
    return str(value)


def hashed(texts: Iterable[str]) -> str:
    """Return the SHA-256 of some texts, in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()
