"""`ChangePoints`: how long mean and variance have been what they are, seen row by row.

Adams and MacKay (2007), Bayesian Online Changepoint Detection, arXiv 0710.3742.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.special import gammaln
from sklearn.base import BaseEstimator

from alphalab.errors import DataError, ParameterError
from alphalab.types import FloatArray


class ChangePoints(BaseEstimator):  # type: ignore[misc]
    """The run length: rows since mean and variance of a series last changed.

    Values are normal with a mean and a variance that are unknown and change together at random
    rows. At every row it has the probability of every run length, given the rows so far.

    Parameters
    ----------
    every : float
        Rows between changes on average, above 1; the hazard is 1 / every.
    longest : int
        Runs of this many rows and more are one; at least 2.
    recent : int
        `said` gives the probability that the last change is at most this many rows ago.
    prior : tuple of four floats, optional
        Mean, kappa, alpha and beta of the normal-inverse-gamma distribution of mean and variance
        after a change. Not given: `fit` takes mean and variance from its rows, worth one row.

    Attributes
    ----------
    prior_ : tuple of float

    Notes
    -----
    Algorithm 1 of the paper. The predictive distribution of a run is Student's t, Murphy (2007),
    Conjugate Bayesian analysis of the Gaussian distribution, equation 110.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, 100), rng.normal(6, 1, 20)])[:, np.newaxis]
    >>> found = ChangePoints(100, prior=(0.0, 0.1, 1.0, 1.0)).fit(x).said(x)
    >>> found["likely"][[99, 105, 119]]
    array([100.,   6.,  20.])
    """

    sequential = True

    def __init__(
        self,
        every: float = 250.0,
        *,
        longest: int = 500,
        recent: int = 10,
        prior: tuple[float, float, float, float] | None = None,
    ) -> None:
        self.every = every
        self.longest = longest
        self.recent = recent
        self.prior = prior

    def fit(self, X: Any, y: Any = None) -> Self:
        """Take the prior from rows (n, 1), if none is given.

        Raises
        ------
        ParameterError
            An argument outside its range.
        DataError
            More than one feature, or rows that do not vary.
        """
        x = _series(X)
        if not self.every > 1.0:
            raise ParameterError(f"every={self.every!r}", rule="every is above 1 row.")
        if not 1 <= self.recent < self.longest:
            raise ParameterError(
                f"recent={self.recent!r}, longest={self.longest!r}",
                rule="recent is at least 1, and longest is above it.",
            )
        self.prior_ = self.prior or (float(x.mean()), 1.0, 1.0, float(x.var()))
        if not min(self.prior_[1:]) > 0.0:
            raise DataError(
                f"a prior of {self.prior_}",
                rule="kappa, alpha and beta are above 0, so the rows of a fit vary.",
            )
        return self

    def run_lengths(self, X: Any) -> FloatArray:
        """Return the probability of each run length at each row, (n, longest + 1).

        A run length of 1 means that the row is the first one after a change. A row with NaN repeats
        the row before.
        """
        x = _series(X)
        mean, kappa, alpha, beta = (np.full(self.longest + 1, value) for value in self.prior_)
        p = np.zeros(self.longest + 1)  # by the rows of the run before the next row
        p[0] = 1.0
        out = np.zeros((len(x), self.longest + 1))
        for t, value in enumerate(x):
            if not np.isnan(value):
                n = min(t, self.longest) + 1
                weight = p[:n] * _student(value, mean[:n], kappa[:n], alpha[:n], beta[:n])
                weight /= weight.sum()
                self._learn(value, mean, kappa, alpha, beta)
                grown = np.zeros(self.longest + 1)
                grown[1 : n + 1] = weight[: self.longest]
                grown[self.longest] += weight[self.longest :].sum()
                p = grown * (1.0 - 1.0 / self.every)
                p[0] = 1.0 / self.every
                out[t] = grown
            elif t:
                out[t] = out[t - 1]
        return out

    def _learn(
        self,
        value: float,
        mean: FloatArray,
        kappa: FloatArray,
        alpha: FloatArray,
        beta: FloatArray,
    ) -> None:
        """Update the beliefs of every run with one more row, and move them to the next length."""
        apart = value - mean
        new = (
            mean + apart / (kappa + 1.0),
            kappa + 1.0,
            alpha + 0.5,
            beta + kappa * apart**2 / (2.0 * (kappa + 1.0)),
        )
        for old, now, first in zip((mean, kappa, alpha, beta), new, self.prior_, strict=True):
            # The longest run goes on; the one that grows into it is about as long.
            old[-1] = now[-1]
            old[1:-1] = now[:-2]
            old[0] = first

    def said(self, X: Any) -> dict[str, FloatArray]:
        """Return three series, (n,) each, by their names.

        ``""``: the probability that the last change is at most `recent` rows ago; ``"length"``: the
        expected run length; ``"likely"``: the most probable one.
        """
        p = self.run_lengths(X)
        lengths = np.arange(self.longest + 1.0)
        return {
            "": p[:, : self.recent + 1].sum(axis=1),
            "length": p @ lengths,
            "likely": p.argmax(axis=1).astype(np.float64),
        }


def _student(
    value: float, mean: FloatArray, kappa: FloatArray, alpha: FloatArray, beta: FloatArray
) -> FloatArray:
    """Return the density of the next value for each run."""
    scale = beta * (kappa + 1.0) / (alpha * kappa)
    log: FloatArray = (
        gammaln(alpha + 0.5)
        - gammaln(alpha)
        - 0.5 * np.log(2.0 * np.pi * alpha * scale)
        - (alpha + 0.5) * np.log1p((value - mean) ** 2 / (2.0 * alpha * scale))
    )
    return np.exp(log)


def _series(given: Any) -> FloatArray:
    x = np.asarray(given, np.float64)
    if x.ndim != 2 or x.shape[1] != 1:
        raise DataError(
            f"rows of shape {x.shape}", rule="change points are those of one feature: (n, 1)."
        )
    return np.ascontiguousarray(x[:, 0])
