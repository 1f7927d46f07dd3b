"""Values of the rows of bars, as columns of any bars: each row has what was known by then."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError
from alphalab.types import FloatArray, IntArray


def with_known(
    bars: Bars, fitted_on: Bars, known: IntArray, values: Mapping[str, FloatArray]
) -> Bars:
    """Return bars with a column for each name: at each row the last value known by then.

    Parameters
    ----------
    bars : Bars
        Of any clock.
    fitted_on : Bars
        The T rows that the values are about.
    known : ndarray of shape (T,)
        When the values of each row became known, ns UTC, increasing.
    values : mapping of str to ndarray of shape (T, N)

    Raises
    ------
    DataError
        Bars of other symbols, or with a column of that name.
    """
    if bars.symbols != fitted_on.symbols:
        raise DataError(
            f"bars of {list(bars.symbols)[:5]}, and a fit on {list(fitted_on.symbols)[:5]}",
            rule="values are joined to bars of the same symbols.",
        )
    for name in values:
        if name in bars.columns:
            raise DataError(
                f"the bars have a column {name!r}",
                rule="an output has a name that no column has.",
                fix="Give the fit another name=.",
            )
    last = np.searchsorted(known, bars.time, side="right") - 1
    none = (last < 0)[:, np.newaxis]
    columns = {
        name: np.where(none, np.nan, column[np.maximum(last, 0)]) for name, column in values.items()
    }
    return bars.with_columns(columns)
