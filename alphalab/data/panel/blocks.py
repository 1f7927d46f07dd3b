"""`BlockSource`: bars that are not in memory and arrive block by block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from alphalab.data.formats.notes import Notes
from alphalab.data.panel.bars import Bars
from alphalab.types import FloatArray, Instrument, InstrumentChange, IntArray


class Block(NamedTuple):
    """The next rows of a source: closing times, (R,), and columns by name, (R, N)."""

    time: IntArray
    columns: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False, repr=False)
class BlockSource(ABC):
    """Bars that can be read again and again in blocks, the same each time.

    A backtest takes one in place of `Bars`; what reads the blocks (a store, say) stays unknown to
    it.

    Parameters
    ----------
    source, version : str
        The address of the bars, without and with versions: the second reads the same rows again.
    symbols : tuple of str
    instruments : tuple of Instrument
        One for each symbol.
    instrument_changes : tuple of InstrumentChange
        Their later changes.
    notes : tuple of Note
        Statements that every report on this data shows.
    n_rows : int
        An estimate of the number of rows.
    periods_per_year : float
        Rows a year holds; NaN where it is not known.
    """

    source: str
    version: str
    symbols: tuple[str, ...]
    instruments: tuple[Instrument, ...]
    instrument_changes: tuple[InstrumentChange, ...]
    notes: Notes
    n_rows: int
    periods_per_year: float

    @property
    @abstractmethod
    def belonging(self) -> tuple[str, ...]:
        """The columns that stand beside the bars: funding, split, member ..."""

    @property
    @abstractmethod
    def n_splits(self) -> int:
        """Number of splits of the symbols in the span of the rows."""

    @abstractmethod
    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield the rows block by block, with some of the columns."""

    @abstractmethod
    def pieces(self, names: Sequence[str]) -> Iterator[tuple[Bars, Block]]:
        """Yield each block together with bars of all columns, for a check of the data."""
