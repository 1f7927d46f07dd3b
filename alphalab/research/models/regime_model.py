"""`RegimeModel`: models of hidden states, which filter, and number their states."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from alphalab.errors import ParameterError
from alphalab.types import FloatArray, IntArray


class RegimeModel(BaseEstimator):  # type: ignore[misc]
    """A model that gives each row the probabilities of K states, given the rows so far.

    Attributes
    ----------
    sequential : bool
        True: what it says of a row depends on the rows before.
    """

    sequential = True
    n_states: int

    @abstractmethod
    def predict_proba(self, X: Any) -> FloatArray:
        """Return the filtered probabilities of the states at each row, (n, K)."""

    @abstractmethod
    def smoothed(self, X: Any) -> FloatArray:
        """Return the probabilities of the states given all rows, (n, K): not to be traded."""

    def predict(self, X: Any) -> IntArray:
        """Return the most probable state of each row, given the rows so far, (n,)."""
        states: IntArray = np.argmax(self.predict_proba(X), axis=1)
        return states

    def regimes(self, X: Any) -> dict[str, FloatArray]:
        """Return the most probable state under ``""``, and the probabilities under ``"p0"``, ..."""
        p = self.predict_proba(X)
        named = {f"p{k}": np.ascontiguousarray(p[:, k]) for k in range(p.shape[1])}
        return {"": np.argmax(p, axis=1).astype(np.float64), **named}

    def check_states(self) -> None:
        """Refuse fewer than 2 states."""
        if not isinstance(self.n_states, int) or self.n_states < 2:
            raise ParameterError(
                f"n_states={self.n_states!r}", rule="a model of regimes has at least 2 states."
            )
