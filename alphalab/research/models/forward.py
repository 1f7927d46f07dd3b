"""`fit_forward`: models fitted on the past alone, whose values become columns known in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.data.clock.times import iso, parse_duration
from alphalab.data.panel.bars import Bars
from alphalab.errors import ParameterError
from alphalab.expr.nodes import Expr, Number, as_expr
from alphalab.expr.text import parse
from alphalab.research.models.as_known import with_known
from alphalab.research.models.kept_fits import key_of, model_identity, run_fits
from alphalab.research.models.one_fit import Fitted, Job, Sample, fit_once, is_sequential
from alphalab.research.models.schedule import Window, windows
from alphalab.research.results.values import values_of
from alphalab.research.run.arguments import refuse_swapped
from alphalab.research.run.progress import progress_bar
from alphalab.types import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ForwardFit:
    """A model with its features, label and schedule: what `fit_forward` does on any bars.

    The parameters are those of `fit_forward`.
    """

    model: Any
    features: Mapping[str, Expr]
    target: Expr | None
    horizon: int
    every: int | str
    train: int | str
    embargo: int
    latency: str | None
    name: str
    output: str
    per_symbol: bool
    min_rows: int
    seed: int
    cache: Path | None

    def fit(self, bars: Bars, *, n_jobs: int | None = None, progress: bool = False) -> Forward:
        """Fit forward over the bars."""
        if is_sequential(self.model) and bars.n_symbols > 1 and not self.per_symbol:
            raise ParameterError(
                f"{type(self.model).__name__} on {bars.n_symbols} symbols",
                rule="a filter goes along the rows of one symbol.",
                fix="Use per_symbol=True.",
            )
        asked = dict(self.features) | ({} if self.target is None else {"": self.target})
        values = values_of(asked, bars)
        label = None if self.target is None else _later(values.pop(""), self.horizon)
        x = np.stack(list(values.values()), axis=2)
        schedule = tuple(
            windows(
                *(bars.time,),
                every=self.every,
                train=self.train,
                horizon=self.horizon if self.target is not None else 0,
                embargo=self.embargo,
            )
        )
        schedule = schedule[self._first(x, label, schedule) :]
        done: list[Fitted | None] = [None] * len(schedule)
        with progress_bar(self.name, len(schedule), "fits", shown=progress) as advance:
            for place, fitted in self._fits(bars, x, label, schedule, n_jobs):
                done[place] = fitted
                advance(1)
        return Forward(self, bars, schedule, tuple(x for x in done if x is not None))

    def _first(self, x: FloatArray, label: FloatArray | None, schedule: tuple[Window, ...]) -> int:
        """Return the place of the first fit that has enough complete rows; 0 if none has."""
        complete = np.isfinite(x).all(axis=2)
        if label is not None:
            complete &= np.isfinite(label)
        by_row = complete.max(axis=1) if self.per_symbol else complete.sum(axis=1)
        for place, window in enumerate(schedule):
            if by_row[window.first : window.last].sum() >= self.min_rows:
                return place
        return 0

    def _fits(
        self,
        bars: Bars,
        x: FloatArray,
        label: FloatArray | None,
        schedule: tuple[Window, ...],
        n_jobs: int | None,
    ) -> Iterator[tuple[int, Fitted]]:
        """Yield the place of each fit and its values, first those that were kept."""
        job = Job(
            *(self.model, self.name, self.output, self.per_symbol),
            *(self.min_rows, self.seed),
        )

        def work(place: int) -> tuple[Any, tuple[Any, ...]]:
            window = schedule[place]
            when = iso(int(bars.time[window.row]))
            return fit_once, (job, _sample(x, label, window), when)

        facts = None if self.cache is None else self._facts(bars)
        keys = ["" if facts is None else key_of(facts, window) for window in schedule]
        return run_fits(work, keys, self.cache, n_jobs)

    def _facts(self, bars: Bars) -> dict[str, Any]:
        return {
            "data": bars.id,
            "features": {name: str(x) for name, x in self.features.items()},
            "target": str(self.target),
            "horizon": self.horizon,
            "model": model_identity(self.model),
            "name": self.name,
            "output": self.output,
            "per_symbol": self.per_symbol,
            "min_rows": self.min_rows,
            "seed": self.seed,
        }

    def __call__(self, bars: Bars) -> Bars:
        """Return bars with the values as columns: `prepare` of `alphalab.check_causality`."""
        return replace(self, cache=None).fit(bars, n_jobs=1).join(bars)


@dataclass(frozen=True, eq=False, repr=False)
class Forward:
    """The values of a model that was fitted forward, and its fits.

    Attributes
    ----------
    spec : ForwardFit
    bars : Bars
        The rows that it was fitted on.
    windows : tuple of Window
        Training rows, and rows that it speaks about, of each fit.
    made : tuple of Fitted
    """

    spec: ForwardFit
    bars: Bars
    windows: tuple[Window, ...]
    made: tuple[Fitted, ...]

    @cached_property
    def values(self) -> dict[str, FloatArray]:
        """Each output at each row, (T, N); NaN before the first fit and where a feature is."""
        names = dict.fromkeys(name for fitted in self.made for name in fitted.values)
        found = {name: np.full(self.bars.close.shape, np.nan) for name in names}
        for window, fitted in zip(self.windows, self.made, strict=True):
            for name, values in fitted.values.items():
                found[name][window.row : window.end] = values
        return found

    @cached_property
    def known(self) -> IntArray:
        """When the values of each row become known, (T,): its close plus the latency, ns UTC."""
        latency = 0 if self.spec.latency is None else parse_duration(self.spec.latency)
        return self.bars.time + latency

    @property
    def fits(self) -> pd.DataFrame:
        """One row for each fit: its times, the rows that it learned from, seed and model hash."""
        import pandas as pd

        time = pd.DatetimeIndex(self.bars.time.astype("M8[ns]"), tz="UTC")
        return pd.DataFrame(
            {
                "fitted": [time[w.row] for w in self.windows],
                "train_start": [time[w.first] for w in self.windows],
                "train_end": [time[w.last - 1] for w in self.windows],
                "speaks_until": [time[w.end - 1] for w in self.windows],
                "n_rows": [fitted.n_rows for fitted in self.made],
                "seed": self.spec.seed,
                "model": [fitted.model for fitted in self.made],
            },
            index=pd.RangeIndex(len(self.made), name="fit"),
        )

    @property
    def observations(self) -> pd.DataFrame:
        """The values as observations: name, symbol, time, known, value and the number of the fit.

        For `Store.write`, a file, or the journal of a live run. Rows without a value are left out.
        """
        import pandas as pd

        fit = np.full(self.bars.n_rows, -1)
        for place, window in enumerate(self.windows):
            fit[window.row : window.end] = place
        parts = []
        for name, values in self.values.items():
            row, asset = np.nonzero(np.isfinite(values))
            parts.append(
                pd.DataFrame(
                    {
                        "name": name,
                        "symbol": np.array(self.bars.symbols)[asset],
                        "time": pd.DatetimeIndex(self.bars.time[row].astype("M8[ns]"), tz="UTC"),
                        "known": pd.DatetimeIndex(self.known[row].astype("M8[ns]"), tz="UTC"),
                        "value": values[row, asset],
                        "fit": fit[row],
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def join(self, bars: Bars | None = None) -> Bars:
        """Return bars with a column for each output, as it was known at each of their rows.

        Parameters
        ----------
        bars : Bars, optional
            With the same symbols, and any clock. Not given: those of the fit.

        Raises
        ------
        DataError
            Bars of other symbols, or with a column of that name.
        """
        return with_known(self.bars if bars is None else bars, self.bars, self.known, self.values)

    def __repr__(self) -> str:
        model, bars = type(self.spec.model).__name__, self.bars
        symbols = "symbol" if bars.n_symbols == 1 else "symbols"
        return (
            f"<Forward: {model}, {len(self.made)} fits, {', '.join(self.values)}, "
            f"{bars.n_rows:,} rows x {bars.n_symbols} {symbols}>"
        )


def fit_forward(
    model: Any,
    bars: Bars,
    *,
    features: Mapping[str, Expr | str | Number],
    target: Expr | str | None = None,
    horizon: int = 0,
    every: int | str = "1M",
    train: int | str = "5Y",
    embargo: int = 0,
    latency: str | None = None,
    name: str = "forecast",
    output: str = "predict",
    per_symbol: bool = False,
    min_rows: int = 100,
    seed: int = 0,
    n_jobs: int | None = None,
    cache: str | Path | None = ".alphalab/fits",
    progress: bool = True,
) -> Forward:
    """Fit a model repeatedly on past rows, and return its values as columns known in time.

    A fit at a row learns from rows whose labels have ended by then; it speaks about that row and
    the next ones, until the next fit. So no value knows what came after its row.

    Parameters
    ----------
    model : estimator with the interface of scikit-learn
        Cloned for every fit. Scaling belongs in a `sklearn.pipeline.Pipeline`, which learns it from
        the training rows. A model whose values change when later rows are dropped is refused.
    bars : Bars
    features : mapping of str to Expr, str or number
        Causal expressions. A row with a NaN among them is not learned from, and has no value.
    target : Expr or str, optional
        The label of a row is the value of this expression `horizon` rows later. The return that can
        be traded from the next open is ``"close / delay(open, h - 1) - 1"`` with horizon h. Not
        given: a model without labels.
    horizon : int
        Rows that a label looks ahead, at least 1 with a target.
    every : int or str
        Rows between fits, or a calendar length ``"1d"``, ``"1w"``, ``"1M"``, ``"1Y"``.
    train : int or str
        Rows to learn from, or their calendar length; ``"all"``: all rows so far.
    embargo : int
        Further rows left out before a fit.
    latency : str, optional
        How long after the close of its row a value becomes known, such as ``"5m"``. Not given: at
        the close.
    name : str
        Of the column; with several outputs ``name_0``, ``name_1``, ...
    output : str
        The method that gives the values: ``"predict"``, ``"predict_proba"``, ``"transform"``, ...
    per_symbol : bool
        True: a model for each symbol. False: one for all, which learns from the rows of all.
    min_rows : int
        Rows without NaN that a fit needs at least; the first fit waits for them.
    seed : int
        For every ``random_state`` of the model that is None: the same fit gives the same values.
    n_jobs : int, optional
        Processes, as in joblib; `joblib.parallel_config` names a cluster.
    cache : str or Path, optional
        Folder where finished fits are kept, by a hash of data, model, features, rows and seed: what
        was interrupted goes on from there. None: keep nothing.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Forward
        ``.join()`` gives bars with the columns, ``.observations`` a table with the times at which
        values became known, ``.fits`` the fits.

    Raises
    ------
    ParameterError
        A length, a horizon or an output that is none; a model without `fit`.
    DataError
        Too few rows for a fit; a name that the bars have.
    StrategyError
        A model that raises, returns NaN or another shape, or looks at later rows.
    ExprError, UnknownNameError
        Features that are no expressions, or read columns that the bars do not have.

    Notes
    -----
    Labels that reach past the fit are purged, as in Lopez de Prado, Advances in Financial Machine
    Learning (2018), section 7.4.1.

    Examples
    --------
    >>> import alphalab as al
    >>> from sklearn.linear_model import Ridge
    >>> bars = al.load("sp500", start="2010-01-01")
    >>> forward = fit_forward(
    ...     Ridge(),
    ...     bars,
    ...     features={"r1": "returns(close, 1)", "r5": "returns(close, 5)"},
    ...     target="returns(close, 5)",
    ...     horizon=5,
    ...     every="1Y",
    ...     train="3Y",
    ...     cache=None,
    ...     progress=False,
    ... )
    >>> forward
    <Forward: Ridge, 5 fits, forecast, 2,264 rows x 1 symbol>
    >>> forward.fits["fitted"].dt.year.tolist(), forward.fits["n_rows"].tolist()
    ([2014, 2015, 2016, 2017, 2018], [750, 750, 749, 750, 750])
    >>> bars = forward.join()
    >>> al.evaluate("ts_corr(column('forecast'), returns(close, 5), 250)", bars).shape
    (2264, 1)
    """
    refuse_swapped("fit_forward", model, bars)
    _check(model, features, target, horizon, embargo, min_rows)
    spec = ForwardFit(
        model,
        {str(key): _expr(value) for key, value in features.items()},
        None if target is None else _expr(target),
        horizon,
        every,
        train,
        embargo,
        latency,
        name,
        output,
        per_symbol,
        min_rows,
        seed,
        None if cache is None else Path(cache),
    )
    return spec.fit(bars, n_jobs=n_jobs, progress=progress)


def _check(
    model: Any, features: Any, target: Any, horizon: Any, embargo: Any, min_rows: Any
) -> None:
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        given = f"the class {model.__name__}" if isinstance(model, type) else repr(model)
        raise ParameterError(
            f"fit_forward({given:.80}, ...)",
            rule="it takes a model with the interface of scikit-learn: fit, get_params, ...",
            fix="Give an instance, such as Ridge().",
        )
    if not isinstance(features, Mapping) or not features:
        raise ParameterError(
            f"features={features!r:.80}",
            rule="features are expressions by their names, at least one.",
            fix='Write features={"rsi": al.close.rsi(14)}.',
        )
    least = 1 if target is not None else 0
    for name, number, low in (
        ("horizon", horizon, least),
        ("embargo", embargo, 0),
        ("min_rows", min_rows, 1),
    ):
        whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
        if not whole or number < low:
            raise ParameterError(
                f"{name}={number!r}",
                rule=f"{name} is a number of rows, at least {low}"
                + (": a label of a row's own values is no forecast." if name == "horizon" else "."),
            )


def _expr(given: Expr | str | Number) -> Expr:
    return parse(given) if isinstance(given, str) else as_expr(given, "fit_forward")


def _later(values: FloatArray, rows: int) -> FloatArray:
    """Return at each row the value some rows later, NaN at the end."""
    later = np.full_like(values, np.nan)
    later[: len(values) - rows] = values[rows:]
    return later


def _sample(x: FloatArray, label: FloatArray | None, window: Window) -> Sample:
    rows = slice(window.first, window.end)
    return Sample(
        x[rows],
        None if label is None else label[window.first : window.last],
        window.last - window.first,
        window.row - window.first,
    )
