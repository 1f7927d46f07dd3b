"""`allocate`: portfolio weights that an optimiser chose from past returns, as a column."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import clone

from alphalab.core.expr_strategy import ExprStrategy
from alphalab.data.clock.times import iso, parse_duration
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError, StrategyError
from alphalab.research.models.as_known import with_known
from alphalab.research.models.kept_fits import key_of, model_identity, run_fits
from alphalab.research.models.one_fit import Fitted
from alphalab.research.models.schedule import Window, windows
from alphalab.research.results.holdings import asset_returns
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.progress import progress_bar
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd

#: Rows of returns without which no covariance of the assets is estimated.
_LEAST_ROWS = 20


@dataclass(frozen=True, eq=False, repr=False)
class Allocation:
    """Weights of each fit of an optimiser, and when they were known.

    Attributes
    ----------
    optimiser : estimator
    bars : Bars
    windows : tuple of Window
        Rows that each fit learned from, and rows for which its weights hold.
    made : tuple of Fitted
    latency : int
        Nanoseconds from the close of a fit's row to its weights.
    name : str
        Of the column.
    """

    optimiser: Any
    bars: Bars
    windows: tuple[Window, ...]
    made: tuple[Fitted, ...]
    latency: int
    name: str

    @cached_property
    def values(self) -> FloatArray:
        """The weights in force at each row, (T, N); NaN before the first fit."""
        values = np.full(self.bars.close.shape, np.nan)
        for window, fitted in zip(self.windows, self.made, strict=True):
            values[window.row : window.end] = fitted.values[self.name]
        return values

    @property
    def weights(self) -> pd.DataFrame:
        """The weights of each fit, by the time of its close; one column for each symbol."""
        import pandas as pd

        rows = [window.row for window in self.windows]
        time = pd.DatetimeIndex(self.bars.time[rows].astype("M8[ns]"), tz="UTC", name="fitted")
        table = np.vstack([fitted.values[self.name] for fitted in self.made])
        return pd.DataFrame(table, index=time, columns=list(self.bars.symbols))

    @property
    def strategy(self) -> ExprStrategy:
        """The strategy that holds these weights, for bars with the column."""
        return ExprStrategy(text=f"column({self.name!r})")

    def join(self, bars: Bars | None = None) -> Bars:
        """Return bars with the weights as a column, as they were known at each row.

        Raises
        ------
        DataError
            Bars of other symbols, or with a column of that name.
        """
        known = self.bars.time + self.latency
        to = self.bars if bars is None else bars
        return with_known(to, self.bars, known, {self.name: self.values})

    def __repr__(self) -> str:
        held = (self.weights.abs() > 1e-6).sum(axis=1)
        return (
            f"<Allocation: {type(self.optimiser).__name__}, {len(self.made)} fits, "
            f"{held.min()} to {held.max()} of {self.bars.n_symbols} symbols held>"
        )


def allocate(
    optimiser: Any,
    bars: Bars,
    *,
    every: int | str = "1M",
    train: int | str = "2Y",
    groups: str | None = None,
    latency: str | None = None,
    name: str = "weight",
    n_jobs: int | None = None,
    cache: str | Path | None = ".alphalab/fits",
    progress: bool = True,
) -> Allocation:
    """Let an optimiser choose weights again and again from the returns before.

    Parameters
    ----------
    optimiser : estimator of `skfolio.optimization`, or any with `fit(returns)` and `weights_`
        Such as ``MeanRisk(risk_measure=RiskMeasure.CVAR)``, ``HierarchicalRiskParity()`` or
        ``RiskBudgeting()``. It gets returns from close to close, splits and dividends
        counted, a DataFrame of rows x symbols.
    bars : Bars
        At least two symbols.
    every, train
        When it chooses, and from which rows: as in `alphalab.fit_forward`.
    groups : str, optional
        A label of the instruments, such as ``"sector"``: constraints of the optimiser may name its
        values, as in ``linear_constraints=["Energy <= 0.3"]``.
    latency : str, optional
        How long after a close the weights are known. Not given: at the close.
    name : str
        Of the column.
    n_jobs : int, optional
        Processes, as in joblib.
    cache : str or Path, optional
        Folder where finished fits are kept. None: keep nothing.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Allocation
        ``.join()`` gives bars with the column, ``.strategy`` what trades it.

    Raises
    ------
    DataError
        One symbol, or too few rows.
    ParameterError
        Something that is no optimiser; a label that the instruments do not have.
    StrategyError
        A problem without a solution: the message names the constraints that clash.

    Notes
    -----
    A symbol with an unknown return in the training rows has weight 0 in that fit.

    Examples
    --------
    >>> import alphalab as al
    >>> from skfolio.optimization import InverseVolatility
    >>> bars = al.load("sp500_stocks", start="2018-01-01")
    >>> chosen = allocate(InverseVolatility(), bars, train="1Y", cache=None, progress=False)
    >>> chosen
    <Allocation: InverseVolatility, 48 fits, 20 to 20 of 20 symbols held>
    >>> rebalance = al.Rebalance.drift(0.02)
    >>> result = al.backtest(chosen.strategy, chosen.join(), rebalance=rebalance)
    >>> result.metrics["n_fills"] > 20
    True
    """
    refuse_swapped("allocate", optimiser, bars)
    if not (hasattr(optimiser, "fit") and hasattr(optimiser, "get_params")):
        raise ParameterError(
            f"allocate({optimiser!r:.60}, ...)",
            rule="it takes an optimiser with fit(returns), get_params and weights_.",
            fix="Give an instance of a class of skfolio.optimization, such as MeanRisk().",
        )
    if bars.n_symbols < 2:
        raise DataError("an allocation over one symbol", rule="it is over at least two.")
    returns = asset_returns(bars)
    # The first row has no return.
    schedule = [
        window._replace(first=max(window.first, 1))
        for window in windows(bars.time, every=every, train=train, horizon=0, embargo=0)
        if window.last - max(window.first, 1) >= _LEAST_ROWS
    ]
    if not schedule:
        raise DataError(
            f"no fit with train={train!r} has {_LEAST_ROWS} rows of returns",
            rule=f"an allocation learns from at least {_LEAST_ROWS} rows.",
            fix="Use a longer train.",
        )
    task = _Task(optimiser, bars.symbols, _labels(bars, groups), name)

    def work(place: int) -> tuple[Any, tuple[Any, ...]]:
        window = schedule[place]
        return _fit_once, (
            task,
            returns[window.first : window.last],
            iso(int(bars.time[window.row])),
        )

    folder, keys = None if cache is None else Path(cache), [""] * len(schedule)
    if folder is not None:
        facts = {"data": bars.id, "groups": groups, "name": name}
        facts["optimiser"] = model_identity(optimiser)
        keys = [key_of(facts, window) for window in schedule]
    done: dict[int, Fitted] = {}
    with progress_bar(name, len(schedule), "fits", shown=progress) as advance:
        for place, fitted in run_fits(work, keys, folder, n_jobs):
            done[place] = fitted
            advance(1)
    made = tuple(done[place] for place in range(len(schedule)))
    delay = 0 if latency is None else parse_duration(latency)
    return Allocation(optimiser, bars, tuple(schedule), made, delay, name)


def _labels(bars: Bars, groups: str | None) -> dict[str, list[str]] | None:
    if groups is None:
        return None
    without = [x.symbol for x in bars.instruments if groups not in x.groups]
    if without:
        raise ParameterError(
            f"groups={groups!r}",
            rule=f"every instrument has a label of that name; {without[0]!r} has none.",
        )
    return {x.symbol: [x.groups[groups]] for x in bars.instruments}


class _Task(NamedTuple):
    """What all fits share."""

    optimiser: Any
    symbols: tuple[str, ...]
    labels: Mapping[str, list[str]] | None
    name: str


def _fit_once(task: _Task, returns: FloatArray, when: str) -> Fitted:
    """Return the weights of a fit, (1, N), from the returns of its rows alone."""
    import pandas as pd

    known = np.asarray(np.isfinite(returns).all(axis=0))
    if known.sum() < 2:
        raise DataError(
            f"at {when} {int(known.sum())} of {len(task.symbols)} symbols have all returns of the "
            "training rows",
            rule="an allocation is over at least two symbols.",
            fix="Use a shorter train, or symbols that were traded throughout.",
        )
    chosen = [symbol for symbol, use in zip(task.symbols, known, strict=True) if use]
    table = pd.DataFrame(returns[:, known], columns=chosen)
    model = clone(task.optimiser)
    if task.labels is not None:
        model.set_params(groups={symbol: task.labels[symbol] for symbol in chosen})
    found = _solved(model, table, when)
    weights = np.zeros((1, len(task.symbols)))
    weights[0, known] = found
    return Fitted({task.name: weights}, len(table), joblib.hash(found)[:16])


def _solved(model: Any, table: Any, when: str) -> FloatArray:
    try:
        found = _weights(model, table)
    except Exception as error:
        raise StrategyError(
            f"{type(model).__name__} at {when} has no solution: {error!s:.200}",
            rule=_clashes(model, table),
        ) from error
    if found.shape != (table.shape[1],) or not np.isfinite(found).all():
        raise StrategyError(
            f"{type(model).__name__} at {when} returned weights of shape {found.shape}, finite: "
            f"{bool(np.isfinite(found).all())}",
            rule=f"it returns one finite weight for each of {table.shape[1]} symbols.",
        )
    return found


def _weights(model: Any, table: Any) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers, before they fail
        return np.asarray(clone(model).fit(table).weights_, np.float64)


def _clashes(model: Any, table: Any) -> str:
    """Say without which single constraint the problem has a solution."""
    kind = type(model)
    usual = kind().get_params(deep=False)
    given = {
        name: value
        for name, value in model.get_params(deep=False).items()
        if name.startswith(("min_", "max_")) and value is not None and value is not usual[name]
    }
    relaxed = {f"{name}={value!r:.40}": {name: usual[name]} for name, value in given.items()}
    lines = list(getattr(model, "linear_constraints", None) or ())
    relaxed |= {
        repr(line): {"linear_constraints": [x for x in lines if x != line] or None}
        for line in lines
    }
    clash = [text for text, change in relaxed.items() if _is_feasible(model, change, table)]
    if clash:
        return f"its constraints clash: without {' or without '.join(clash)} there is a solution."
    if relaxed:
        return f"more than two of its constraints clash: {', '.join(relaxed)}."
    return "its fit has to end with weights."


def _is_feasible(model: Any, change: dict[str, Any], table: Any) -> bool:
    try:
        _weights(clone(model).set_params(**change), table)
    except Exception:
        return False
    return True
