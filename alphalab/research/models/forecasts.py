"""`compare_forecasts`: models beside the naive ones, on the same forward fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor

from alphalab.artifact.ledger import uncounted
from alphalab.config import Costs
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError, import_extra
from alphalab.expr.nodes import Expr, Number
from alphalab.research.models.forward import Forward, fit_forward
from alphalab.research.results.values import values_of
from alphalab.research.run.backtest import backtest
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd

#: Name of the feature that only the naive model reads.
_LAST = "last value of the target"


class LastValue(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The naive forecast: the target's value of the row, which is its last feature."""

    def fit(self, X: Any, y: Any) -> Self:
        """Learn nothing."""
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """Return the last feature."""
        return np.asarray(X)[:, -1]


#: What every model has to beat: the mean of the training labels, zero, and the target's last value.
NAIVE: dict[str, Any] = {
    "mean": DummyRegressor(),
    "zero": DummyRegressor(strategy="constant", constant=0.0),
    "last": LastValue(),
}


@dataclass(frozen=True, eq=False, repr=False)
class Forecasts:
    """Forecasts of several models over the same rows.

    Attributes
    ----------
    forwards : dict of str to Forward
        By name, the naive ones last.
    label : ndarray of shape (T, N)
        What came: the value of the target `horizon` rows later.
    costs : Costs
        Of the backtests in the table.
    """

    forwards: dict[str, Forward]
    label: FloatArray
    horizon: int
    costs: Costs

    @property
    def bars(self) -> Bars:
        """The rows that the models were fitted on."""
        return next(iter(self.forwards.values())).bars

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Cells that have a label and a forecast of every model, (T, N)."""
        made = [forward.values["forecast"] for forward in self.forwards.values()]
        return np.asarray(np.isfinite([self.label, *made]).all(axis=0))

    def errors(self, name: str) -> FloatArray:
        """Return forecast less label at the cells in use, (n,)."""
        apart: FloatArray = self.forwards[name].values["forecast"] - self.label
        return apart[self.used]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each model.

        ``rmse`` and ``mae``: of the errors. ``r2``: 1 - sum(e**2) / sum(e_mean**2), out of sample
        against the mean of the training labels: Campbell and Thompson (2008). ``rank_ic``: Spearman
        correlation of forecast and label. ``dm`` and ``dm_p``: Diebold and Mariano (1995) against
        the best naive model, negative where this model is better, and its two-sided p. ``sharpe``:
        of holding while the forecast is positive, after costs. ``beats_naive``: better than the
        best naive model at a p below 0.05.
        """
        import pandas as pd

        best = min(NAIVE, key=lambda name: float((self.errors(name) ** 2).mean()))
        against = (self.errors("mean") ** 2).sum()
        rows = {}
        for name, forward in self.forwards.items():
            error = self.errors(name)
            dm, p = self._diebold_mariano(name, best)
            forecast = forward.values["forecast"][self.used]
            varies = np.ptp(forecast) > 0.0
            rows[name] = {
                "rmse": float(np.sqrt((error**2).mean())),
                "mae": float(np.abs(error).mean()),
                "r2": 1.0 - float((error**2).sum() / against),
                "rank_ic": scipy.stats.spearmanr(forecast, self.label[self.used])[0]
                if varies
                else np.nan,
                "dm": dm,
                "dm_p": p,
                "sharpe": self._sharpe(forward),
                "beats_naive": bool(dm < 0.0 and p < 0.05),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def _diebold_mariano(self, name: str, naive: str) -> tuple[float, float]:
        """Return statistic and p of equal squared errors, with Newey-West errors of horizon lags.

        Errors of the symbols of a row are averaged first. NaN for a model against itself.
        """
        if name == naive:
            return np.nan, np.nan
        apart = np.full(self.used.shape, np.nan)
        apart[self.used] = self.errors(name) ** 2 - self.errors(naive) ** 2
        rows = self.used.any(axis=1)
        by_row = np.nanmean(apart[rows], axis=1)
        if not np.ptp(by_row) > 0.0:
            return np.nan, np.nan
        regression = import_extra("statsmodels.regression.linear_model", "research")
        fit = regression.OLS(by_row, np.ones(len(by_row))).fit(
            cov_type="HAC", cov_kwds={"maxlags": max(self.horizon - 1, 0), "use_correction": True}
        )
        return float(fit.tvalues[0]), float(fit.pvalues[0])

    def _sharpe(self, forward: Forward) -> float:
        """Sharpe ratio of equal weights in the symbols whose forecast is positive, after costs."""
        start = int(np.argmax(self.used.any(axis=1)))
        weight = f"where(column('forecast') > 0, {1.0 / self.bars.n_symbols!r}, 0)"
        with uncounted():
            result = backtest(
                ExprStrategy(text=weight),
                forward.join(),
                costs=self.costs,
                start=self.bars.time[start : start + 1].astype("M8[ns]")[0],
            )
        return float(result.metrics["sharpe"])

    def __repr__(self) -> str:
        beaten = [name for name in self.forwards if name not in NAIVE]
        said = [name for name in beaten if not self.table["beats_naive"][name]]
        note = f"\nNot better than the naive forecasts: {', '.join(said)}." if said else ""
        return f"{self.table.round(4)}{note}"


def compare_forecasts(
    models: Mapping[str, Any],
    bars: Bars,
    *,
    features: Mapping[str, Expr | str | Number],
    target: Expr | str,
    horizon: int,
    costs: Costs | None = None,
    **options: Any,
) -> Forecasts:
    """Fit several models forward on the same rows, and the naive ones with them.

    Parameters
    ----------
    models : mapping of str to estimator
        By name.
    bars : Bars
    features, target, horizon
        As in `alphalab.fit_forward`.
    costs : Costs, optional
        Of the backtests that say what a forecast was worth. Not given: 5 basis points.
    **options
        Further keywords of `alphalab.fit_forward`.

    Returns
    -------
    Forecasts
        With a table. Its text names the models that are not better than the naive ones.

    Raises
    ------
    ParameterError
        No model, or a name of a naive one.
    DataError
        No row with a label and a forecast of every model.

    Examples
    --------
    >>> import alphalab as al
    >>> from sklearn.linear_model import Ridge
    >>> found = compare_forecasts(
    ...     {"ridge": Ridge()},
    ...     al.load("sp500", start="2010-01-01"),
    ...     features={"r1": "returns(close, 1)", "r5": "returns(close, 5)"},
    ...     target="returns(close, 5)",
    ...     horizon=5,
    ...     every="1Y",
    ...     train="3Y",
    ...     cache=None,
    ...     progress=False,
    ... )
    >>> found.table["beats_naive"].to_dict()
    {'ridge': False, 'mean': False, 'zero': False, 'last': False}
    """
    if not isinstance(models, Mapping) or not models:
        raise ParameterError(
            f"models={models!r:.60}", rule="it takes models by their names, at least one."
        )
    taken = sorted({*models} & {*NAIVE})
    if taken:
        raise ParameterError(
            f"a model named {taken[0]!r}",
            rule=f"{', '.join(NAIVE)} are the naive forecasts, which are always compared.",
        )
    asked = dict(features=dict(features), target=target, horizon=horizon, **options)
    forwards = {}
    for name, model in {**models, **NAIVE}.items():
        more = {**asked["features"], _LAST: target} if name == "last" else asked["features"]
        forwards[name] = fit_forward(model, bars, **{**asked, "features": more})
    spec = next(iter(forwards.values())).spec
    assert spec.target is not None
    label = np.full(bars.close.shape, np.nan)
    label[:-horizon] = values_of({"label": spec.target}, bars)["label"][horizon:]
    found = Forecasts(forwards, label, horizon, Costs(fee_bps=5) if costs is None else costs)
    if not found.used.any():
        raise DataError(
            "no row has a label and a forecast of every model",
            rule="models are compared where all of them speak.",
            fix="Use more data, or a shorter train.",
        )
    return found
