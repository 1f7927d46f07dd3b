"""`Rows`: the bars of a source, one in each row, not checked yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.formats.labels import TimeNames
from alphalab.data.formats.notes import Note, Notes
from alphalab.data.panel.rules import PRICES, Broken, broken_cell, broken_order, broken_rules
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Rows:
    """R bars of N symbols, in the order of their source: not checked, not sorted, complete.

    Quality checks read rows, repairs change them, and bars are made of them.

    Parameters
    ----------
    time : ndarray of shape (R,)
        Closing times, ns UTC.
    symbols : tuple of str
        The N symbols in order of appearance.
    symbol : ndarray of shape (R,)
        The place of each row's symbol among them.
    columns : mapping of str to ndarray of shape (R,)
        ``open``, ``high``, ``low``, ``close``, ``volume`` and any further ones; NaN: unknown.
    number : ndarray of shape (R,)
        Row numbers for messages: their place in the source, from 0.
    source : str
        Origin; leads the messages.
    notes : tuple of Note
        Statements that every report on this data shows.
    time_names : {"close", "date"}
        What the times name, as in `Bars`.
    """

    time: IntArray
    symbols: tuple[str, ...]
    symbol: IntArray
    columns: Mapping[str, FloatArray]
    number: IntArray
    source: str = ""
    notes: Notes = ()
    time_names: TimeNames = "close"

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time)

    def take(self, chosen: Any) -> Rows:
        """Return some of the rows, by their places or by a mask."""
        return replace(
            self,
            time=self.time[chosen],
            symbol=self.symbol[chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
            number=self.number[chosen],
        )

    def renamed(self, names: Mapping[str, str]) -> Rows:
        """Return rows with symbols renamed, and a note about each.

        Parameters
        ----------
        names : mapping of str to str
            Old to new. If the new symbol has rows already, both become one series.

        Raises
        ------
        UnknownNameError
            An unknown old symbol.

        Examples
        --------
        >>> from alphalab.data.samples.synthetic import synthetic
        >>> rows = synthetic(100, 2).to_rows().renamed({"SYN1": "OLD"})
        >>> rows.symbols, rows.notes[-1].text
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
        notes = tuple(
            Note("renamed", f"symbol {old!r} was renamed {new!r}") for old, new in names.items()
        )
        return replace(self, symbols=symbols, symbol=places[self.symbol], notes=self.notes + notes)

    def check(self) -> None:
        """Refuse rows that break a rule of bars; messages call a row by its number.

        Raises
        ------
        DataError
            What `broken` finds.
        """
        broken = self.broken()
        if broken is not None:
            raise broken.error

    def broken(self) -> Broken | None:
        """Return the first rule of bars that the rows break, and the error about it.

        Rows, prices that are unknown, and the order of times come first, then the rules of a cell.
        None: they break no rule.
        """
        order = self._broken_order()
        if order is not None:
            return order
        for rule, bad, names in broken_rules(self.columns):
            if bad.any():
                row = int(np.argmax(bad))
                values = {name: float(self.columns[name][row]) for name in names}
                symbol = self.symbols[self.symbol[row]]
                number, time = int(self.number[row]), int(self.time[row])
                return Broken(rule, broken_cell(self.source, number, time, symbol, values, rule))
        return None

    def _broken_order(self) -> Broken | None:
        """Return what keeps rows from being a panel: no rows, no prices, times that go back."""
        where = f"{self.source}: " if self.source else ""
        if not len(self):
            error = DataError(f"{where}no rows", rule="bars have at least one row.")
            return Broken("no_rows", error)
        for name in PRICES:
            unknown = np.isnan(self.columns[name])
            if unknown.any():
                row = int(np.argmax(unknown))
                error = DataError(
                    f"{where}row {self.number[row]} ({iso(self.time[row])}): {name} is NaN",
                    rule="a row that is given has its four prices.",
                    fix="Leave the row out where nothing was traded.",
                )
                return Broken("unknown_price", error)
        for symbol, rows in self.by_symbol():
            series = f"{where}symbol {symbol!r}: " if len(self.symbols) > 1 else where
            broken = broken_order(self.time[rows], self.number[rows], series)
            if broken is not None:
                return broken
        return None

    def by_symbol(self) -> list[tuple[str, IntArray]]:
        """Return the places of the rows of each symbol, in their order."""
        if len(self.symbols) == 1:
            return [(self.symbols[0], np.arange(len(self)))]
        order = np.argsort(self.symbol, kind="stable")
        ends = np.searchsorted(self.symbol[order], np.arange(len(self.symbols) + 1))
        return [
            (name, order[ends[place] : ends[place + 1]]) for place, name in enumerate(self.symbols)
        ]

    def spread(self) -> tuple[IntArray, dict[str, FloatArray]]:
        """Return times, (T,), and columns, (T, N), of a panel; cells without a row are NaN.

        Raises
        ------
        DataError
            No rows, a row without its four prices, or times of a symbol that repeat or go back.
        """
        broken = self._broken_order()
        if broken is not None:
            raise broken.error
        if len(self.symbols) == 1:
            return self.time, {name: x.reshape(-1, 1) for name, x in self.columns.items()}
        time, row = np.unique(self.time, return_inverse=True)
        panel = {}
        for name, values in self.columns.items():
            cells = np.full((len(time), len(self.symbols)), np.nan)
            cells[row, self.symbol] = values
            cells.setflags(write=False)
            panel[name] = cells
        return time, panel
