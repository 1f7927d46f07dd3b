"""`Rows`: bars as a source has them, one in each row, before any rule is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rules import PRICES, broken_cell, broken_rules, check_increasing
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, Instrument, IntArray


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
        >>> from alphalab.data.samples.synthetic import synthetic
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

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time)

    def take(self, chosen: Any) -> Rows:
        """Return some of the rows, by their places or by one truth value for each."""
        return replace(
            self,
            time=self.time[chosen],
            symbol=self.symbol[chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
            number=self.number[chosen],
        )

    def renamed(self, names: Mapping[str, str]) -> Rows:
        """Return rows of which some symbols have other names; a note says so.

        Parameters
        ----------
        names : mapping of str to str
            Old to new. Where there are rows of the new name as well, both become one series.

        Raises
        ------
        UnknownNameError
            An old name that is not there.

        Examples
        --------
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> rows = Rows.of(synthetic(100, 2)).renamed({"SYN1": "OLD"})
        >>> rows.symbols, rows.notes[-1]
        (('OLD', 'SYN2'), "symbol 'SYN1' was renamed 'OLD'")
        """
        if not names:
            return self
        for old in names:
            if old not in self.symbols:
                raise UnknownNameError("symbol", old, self.symbols)
        renamed = [names.get(symbol, symbol) for symbol in self.symbols]
        symbols = tuple(dict.fromkeys(renamed))
        places = np.array([symbols.index(symbol) for symbol in renamed], np.int64)
        said = tuple(f"symbol {old!r} was renamed {new!r}" for old, new in names.items())
        return replace(self, symbols=symbols, symbol=places[self.symbol], notes=self.notes + said)

    def check(self) -> None:
        """Refuse rows that break a rule of bars; messages call a row by its number.

        Raises
        ------
        DataError
            No rows, a row without its four prices, times of a symbol that repeat or go back, or a
            row that breaks a rule of `Bars`.
        """
        self._check_order()
        for bad, names, rule in broken_rules(self.columns):
            if bad.any():
                row = int(np.argmax(bad))
                values = {name: float(self.columns[name][row]) for name in names}
                symbol = self.symbols[self.symbol[row]]
                raise broken_cell(
                    self.source, int(self.number[row]), int(self.time[row]), symbol, values, rule
                )

    def _check_order(self) -> None:
        """Refuse what cannot be spread over a panel: no rows, no prices, times that go back."""
        where = f"{self.source}: " if self.source else ""
        if not len(self):
            raise DataError(f"{where}no rows", rule="bars have at least one row.")
        for name in PRICES:
            unknown = np.isnan(self.columns[name])
            if unknown.any():
                row = int(np.argmax(unknown))
                raise DataError(
                    f"{where}row {self.number[row]} ({iso(self.time[row])}): {name} is NaN",
                    rule="a row that is given has its four prices.",
                    fix="Leave the row out where nothing was traded.",
                )
        for symbol, rows in self.by_symbol():
            series = f"{where}symbol {symbol!r}: " if len(self.symbols) > 1 else where
            check_increasing(self.time[rows], self.number[rows], series)

    def by_symbol(self) -> list[tuple[str, IntArray]]:
        """Return the places of each symbol's rows, in their order."""
        if len(self.symbols) == 1:
            return [(self.symbols[0], np.arange(len(self)))]
        order = np.argsort(self.symbol, kind="stable")
        ends = np.searchsorted(self.symbol[order], np.arange(len(self.symbols) + 1))
        return [
            (name, order[ends[place] : ends[place + 1]]) for place, name in enumerate(self.symbols)
        ]

    def to_bars(
        self,
        *,
        instruments: Sequence[Instrument] | None = None,
        periods_per_year: float | None = None,
    ) -> Bars:
        """Return the bars of the rows; cells without a row are NaN.

        Parameters
        ----------
        instruments, periods_per_year
            As in `Bars`.

        Raises
        ------
        DataError
            As in `check`.
        """
        self._check_order()
        if len(self.symbols) == 1:
            time = self.time
            panel = {name: values.reshape(-1, 1) for name, values in self.columns.items()}
        else:
            time, row = np.unique(self.time, return_inverse=True)
            panel = {}
            for name, values in self.columns.items():
                cells = np.full((len(time), len(self.symbols)), np.nan)
                cells[row, self.symbol] = values
                cells.setflags(write=False)
                panel[name] = cells
        try:
            return Bars(
                time,
                self.symbols,
                panel,
                instruments=instruments,
                periods_per_year=periods_per_year,
                source=self.source,
                notes=self.notes,
            )
        except DataError:
            self.check()  # names the row of the source instead of that of the panel
            raise
