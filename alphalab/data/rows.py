"""`Rows`: bars as a source has them, one in each row, before any rule is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alphalab.data.bars import Bars
from alphalab.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Rows:
    """R bars of N symbols, in the order of their source; nothing is checked, sorted or left out.

    What a check of quality looks at, what repairs change, and what bars are made of.

    Parameters
    ----------
    time : ndarray of shape (R,)
        Closing times, ns UTC.
    symbols : tuple of str
        The N symbols in order of appearance.
    symbol : ndarray of shape (R,)
        The place of each row's symbol among them.
    columns : mapping of str to ndarray of shape (R,)
        ``open``, ``high``, ``low``, ``close``, ``volume`` and what else is there; NaN: unknown.
    number : ndarray of shape (R,)
        What messages call the rows by: their place in the source, from 0.
    source : str
        Where they came from; leads the messages.
    notes : tuple of str
        What every report on this data has to show.
    """

    time: IntArray
    symbols: tuple[str, ...]
    symbol: IntArray
    columns: Mapping[str, FloatArray]
    number: IntArray
    source: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, bars: Bars) -> Rows:
        """Return the rows of bars, symbol by symbol; cells that did not trade are left out.

        Examples
        --------
        >>> from alphalab.data.synthetic import synthetic
        >>> rows = Rows.of(synthetic(100, 2, gap_frac=0.0))
        >>> rows.time.size, rows.symbols
        (200, ('SYN1', 'SYN2'))
        """
        symbol, row = np.nonzero(~np.isnan(bars.close).T)
        return cls(
            time=bars.time[row],
            symbols=bars.symbols,
            symbol=symbol,
            columns={name: values[row, symbol] for name, values in bars.columns.items()},
            number=row,
            source=bars.source,
            notes=bars.notes,
        )
