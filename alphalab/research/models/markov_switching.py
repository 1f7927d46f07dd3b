"""`MarkovSwitching`: regimes by the Markov-switching regression of statsmodels, filtered."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np

from alphalab.errors import DataError, import_extra
from alphalab.research.models.regime_model import RegimeModel
from alphalab.types import FloatArray


class MarkovSwitching(RegimeModel):
    """A series whose mean and variance depend on a hidden state.

    Hamilton (1989), A New Approach to the Economic Analysis of Nonstationary Time Series. What it
    says of a row are the filtered probabilities, never the smoothed ones. States are in the order
    of their variances, the calmest first.

    Parameters
    ----------
    n_states : int
        At least 2.
    n_iter : int
        Iterations of the fit, at most.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scale = np.repeat([1.0, 4.0, 1.0], [200, 100, 200])
    >>> x = rng.normal(0.0, scale)[:, np.newaxis]
    >>> MarkovSwitching().fit(x).predict(x)[[150, 280, 450]]
    array([0, 1, 0])
    """

    def __init__(self, n_states: int = 2, *, n_iter: int = 100) -> None:
        self.n_states = n_states
        self.n_iter = n_iter

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to rows (n, 1) without NaN.

        Raises
        ------
        ParameterError
            Fewer than 2 states.
        DataError
            More than one feature, or a feature that does not vary.
        """
        self.check_states()
        x = self._series(X)
        if not x.std() > 0.0:
            raise DataError(
                f"the feature is constant over {len(x):,} rows",
                rule="a state is a mean and a variance of values that vary.",
            )
        self.scale_ = float(x.std())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of starts, and of the last iteration
            found = self._model(x).fit(maxiter=self.n_iter, disp=False)
        self.params_ = np.asarray(found.params)
        variances = self.params_[-self.n_states :]
        self.order_ = np.argsort(variances, kind="stable")
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the filtered probabilities of the states, (n, K); a row uses the rows so far."""
        found = self._model(self._series(X)).filter(self.params_)
        p = np.asarray(found.filtered_marginal_probabilities, np.float64)
        return np.ascontiguousarray(p[:, self.order_])

    def smoothed(self, X: Any) -> FloatArray:
        """Return the probabilities of the states given all rows, (n, K): not to be traded."""
        found = self._model(self._series(X)).smooth(self.params_)
        p = np.asarray(found.smoothed_marginal_probabilities, np.float64)
        return np.ascontiguousarray(p[:, self.order_])

    def _model(self, x: FloatArray) -> Any:
        regression = import_extra("statsmodels.tsa.regime_switching.markov_regression", "research")
        return regression.MarkovRegression(
            x / self.scale_, k_regimes=self.n_states, switching_variance=True
        )

    @staticmethod
    def _series(given: Any) -> FloatArray:
        x = np.asarray(given, np.float64)
        if x.ndim != 2 or x.shape[1] != 1:
            raise DataError(
                f"rows of shape {x.shape}", rule="it takes one feature: rows of shape (n, 1)."
            )
        return np.ascontiguousarray(x[:, 0])
