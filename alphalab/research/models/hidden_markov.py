"""`GaussianHmm`: regimes as the hidden states of a Markov model, filtered and never smoothed."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from alphalab.errors import DataError, ParameterError, StrategyError, import_extra
from alphalab.kernels._jit import silent
from alphalab.kernels.hidden_states import hidden_states
from alphalab.research.models.regime_model import RegimeModel
from alphalab.types import FloatArray


class GaussianHmm(RegimeModel):
    """A hidden Markov model whose values are normal in each state.

    hmmlearn fits it, by expectation maximisation. What it says of a row is the forward filter: the
    probabilities of the states given the rows so far. hmmlearn's own `predict` and `predict_proba`
    smooth: they know the later rows too, and what they earn in a backtest cannot be traded.

    States are in the order of their variances, the calmest first, so that a state means the same
    after every fit.

    Parameters
    ----------
    n_states : int
        At least 2.
    covariance : {"full", "diag"}
    n_starts : int
        Fits from other random starts; the most likely one is kept.
    n_iter : int
        Iterations of one fit, at most.
    random_state : int, optional
        Seed of the starts.

    Attributes
    ----------
    start_, transitions_ : ndarray of shape (K,), (K, K)
        Probabilities of the states before the first row, and of the next state.
    means_, covariances_ : ndarray of shape (K, D), (K, D, D)

    Examples
    --------
    >>> import alphalab as al
    >>> returns = al.evaluate("returns(close, 1)", al.load("sp500")).to_numpy()[1:]
    >>> model = GaussianHmm(2, n_starts=1, random_state=0).fit(returns)
    >>> np.sqrt(model.covariances_[:, 0, 0] * 252).round(2).tolist()  # volatility a year
    [0.11, 0.29]
    >>> model.predict(returns)[-1]  # the end of 2018
    np.int64(1)
    """

    def __init__(
        self,
        n_states: int = 2,
        *,
        covariance: str = "full",
        n_starts: int = 5,
        n_iter: int = 200,
        random_state: int | None = None,
    ) -> None:
        self.n_states = n_states
        self.covariance = covariance
        self.n_starts = n_starts
        self.n_iter = n_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to rows (n, D) without NaN.

        Raises
        ------
        ParameterError
            An argument outside its range.
        DataError
            Rows of which a feature is constant.
        StrategyError
            A state that no row visits, or a covariance that is singular.
        """
        x = _table(X)
        self._check(x)
        hmm = import_extra("hmmlearn.hmm", "research")
        seeds = np.random.SeedSequence(self.random_state).generate_state(self.n_starts)
        best, most = None, -np.inf
        scale = x.std(axis=0)  # its prior and its least covariance are numbers without a scale
        for seed in seeds:
            model = hmm.GaussianHMM(
                self.n_states,
                self.covariance,
                n_iter=self.n_iter,
                tol=1e-4,
                random_state=int(seed) % 2**31,
            ).fit(x / scale)
            score = model.score(x / scale)
            if score > most:
                best, most = model, score
        if best is None:
            raise StrategyError(
                f"no fit of {self.n_states} states on {len(x):,} rows converged",
                rule="every state needs rows of its own.",
                fix="Use fewer states, or more rows.",
            )
        covariances = best.covars_ * np.multiply.outer(scale, scale)
        order = np.argsort([np.linalg.slogdet(c)[1] for c in covariances], kind="stable")
        self.start_ = best.startprob_[order]
        self.transitions_ = best.transmat_[np.ix_(order, order)]
        self.means_ = best.means_[order] * scale
        self.covariances_ = covariances[order]
        self.n_features_in_ = x.shape[1]
        self._refuse_unvisited(x)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the filtered probabilities of the states at each row, (n, K).

        A row uses itself and the rows before. A row with NaN tells nothing: its
        probabilities follow from the row before and the transitions.
        """
        x = _table(X)
        factors = np.linalg.cholesky(self.covariances_)
        log_det = 2.0 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        log_norms = -0.5 * (x.shape[1] * np.log(2.0 * np.pi) + log_det)
        out = np.empty((len(x), self.n_states))
        with silent():
            hidden_states()(
                x,
                np.ascontiguousarray(self.transitions_),
                np.ascontiguousarray(self.means_),
                np.ascontiguousarray(np.linalg.inv(factors)),
                log_norms,
                self.start_.copy(),
                out,
            )
        return out

    def smoothed(self, X: Any) -> FloatArray:
        """Return the probabilities of the states given all rows, (n, K): not to be traded.

        hmmlearn's forward-backward pass, to show what hindsight seems to earn.
        """
        model = import_extra("hmmlearn.hmm", "research").GaussianHMM(self.n_states, "full")
        model.startprob_, model.transmat_ = self.start_, self.transitions_
        model.means_, model.covars_ = self.means_, self.covariances_
        return np.asarray(model.predict_proba(_table(X)), np.float64)

    def _check(self, x: FloatArray) -> None:
        self.check_states()
        if self.covariance not in ("full", "diag"):
            raise ParameterError(f"covariance={self.covariance!r}", rule="it is 'full' or 'diag'.")
        least = 10 * self.n_states
        if len(x) < least:
            raise DataError(
                f"{len(x)} rows for {self.n_states} states",
                rule=f"a fit needs at least {least} rows.",
            )
        if not (x.std(axis=0) > 0.0).all():
            raise DataError(
                f"feature {int(np.argmin(x.std(axis=0)))} is constant over {len(x):,} rows",
                rule="a state is a mean and a covariance of values that vary.",
            )

    def _refuse_unvisited(self, x: FloatArray) -> None:
        visits = self.predict_proba(x).sum(axis=0)
        if visits.min() < 1.0:
            raise StrategyError(
                f"state {int(np.argmin(visits))} of {self.n_states} is visited by less than one of "
                f"{len(x):,} rows",
                rule="every state needs rows of its own.",
                fix="Use fewer states.",
            )


def _table(given: Any) -> FloatArray:
    x = np.ascontiguousarray(given, np.float64)
    if x.ndim != 2:
        raise DataError(f"rows of shape {x.shape}", rule="rows have shape (n, D).")
    return x
