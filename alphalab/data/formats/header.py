"""`Columns`: which column of a table is which of ours, by usual names and by the schema."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from alphalab.data.formats import arrow
from alphalab.data.formats.schema import Schema
from alphalab.errors import DataError, UnknownNameError, led_by
from alphalab.types import BAR_COLUMNS, IntArray

TIME_NAMES = ("time", "timestamp", "date", "datetime", "open_time", "close_time")
SYMBOL_NAMES = ("symbol", "ticker")
TIME_RULE = f"one column is named {', '.join(TIME_NAMES)} (any letter case)."
# Names that writers give an unnamed index: the time, unless another column is.
UNNAMED = ("__index_level_0__", "unnamed: 0", "")
# Similarity from which on a name is a typing error: 'clsoe', but not 'adj_close'.
_SLIP = 0.8


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Parameters
    ----------
    where : str
        Leads the messages.
    names : tuple of str
        All, as they are written.
    mapped : dict of str to str
        Our name to theirs, as the schema gives it.
    others : dict of str to str
        Of the rest: the name in small letters to the name as written.
    shared : dict of str to str
        Columns that the schema maps and that keep the meaning of their own name as well.
    """

    where: str
    names: tuple[str, ...]
    mapped: dict[str, str]
    others: dict[str, str]
    shared: dict[str, str] = field(default_factory=dict)

    def one_of(self, names: tuple[str, ...], what: str) -> str | None:
        """Return the column with one of the names, as written; None if there is none.

        Raises
        ------
        DataError
            Several have, and no schema chooses.
        """
        chosen = [self.mapped[name] for name in names if name in self.mapped]
        there = chosen[:1] or [self.others[name] for name in names if name in self.others]
        there = there or [self.shared[name] for name in names if name in self.shared][:1]
        if len(there) > 1:
            raise DataError(
                f"{self.where}{' and '.join(map(repr, there))} could each be the {what}; "
                f"{self.found}",
                rule=f"exactly one column is the {what}.",
                fix=self._choice(names[0], there),
            )
        return there[0] if there else None

    def _choice(self, ours: str, there: list[str]) -> str:
        if [name.strip().lower() for name in sorted(there, key=str.lower)] == ["date", "time"]:
            date, time = sorted(there, key=str.lower)
            return (
                f"Where they are a date and a time of day: schema={{'columns': "
                f"{{'date': {date!r}, 'time': {time!r}}}}} (-c date={date} -c time={time})."
            )
        return (
            f"Choose one by schema={{'columns': {{{ours!r}: {there[0]!r}}}}} "
            f"(-c {ours}={there[0]}), or drop or rename the others."
        )

    def time(self, names: tuple[str, ...] = TIME_NAMES) -> tuple[str, ...]:
        """Return the column of the time, or the two columns of the date and the time of day.

        Raises
        ------
        DataError
            There is none, or several could be meant.
        """
        if {"date", "time"} <= self.mapped.keys():
            return self.mapped["date"], self.mapped["time"]
        time = self.one_of(names, "time") or self.one_of(("index", *UNNAMED), "time")
        if time is None:
            raise DataError(
                f"{self.where}no time column; {self.found}",
                rule=f"one column is named {', '.join(names)} (any letter case).",
                fix="Name it by schema={'columns': {'time': ...}} (-c time=...); of a file "
                "without a header: header=False (--no-header), and columns by their places; "
                "of one with lines before its header: skip=N (--skip N).",
            )
        return (time,)

    def require(self, names: tuple[str, ...], fix: str = "") -> None:
        """Refuse a table that lacks a column."""
        missing = [name for name in names if name not in self.mapped and name not in self.others]
        if missing:
            raise DataError(
                f"{self.where}no column {', '.join(missing)}; {self.found}",
                rule=f"there are columns {', '.join(names)} (any letter case).",
                fix=fix
                or f"Name them by schema={{'columns': {{{missing[0]!r}: ...}}}} "
                f"(-c {missing[0]}=...).",
            )

    @property
    def found(self) -> str:
        """The list of the columns, for messages."""
        return f"columns found: {', '.join(map(repr, self.names)) or 'none'}"


def columns_of(
    table: pa.Table, schema: Schema, where: str, known: Iterable[str] = BAR_COLUMNS
) -> Columns:
    """Return the columns of a table.

    Parameters
    ----------
    table : pyarrow.Table
    schema : Schema
    where : str
        Leads the messages.
    known : iterable of str
        Our names, besides those of times and symbols; nearly equal names in a schema are refused.

    Raises
    ------
    DataError
        Two columns of one name.
    UnknownNameError
        A schema with an unknown column, or with a name that is nearly one of ours; near names are
        suggested.
    """
    names = tuple(table.column_names)
    written: dict[str, str] = {}
    for name in names:
        key = name.strip().lower()
        if key in written:
            raise DataError(
                f"{where}columns {written[key]!r} and {name!r} have one name",
                rule="names of columns differ in more than letter case.",
            )
        written[key] = name
    mapped = {
        ours: _their_column(theirs, names, written, where)
        for ours, theirs in schema.columns.items()
    }
    used = set(mapped.values())
    others = {key: name for key, name in written.items() if name not in used}
    _check_names(mapped, others, (*known, *TIME_NAMES, *SYMBOL_NAMES), where)
    return Columns(where, names, mapped, others if schema.header else {})


def symbols_of(
    table: pa.Table, named: str | None, schema: Schema, symbol: str, where: str
) -> tuple[tuple[str, ...], IntArray]:
    """Return the symbols in order of appearance and, for each row, the place of its own.

    Parameters
    ----------
    table : pyarrow.Table
    named : str, optional
        The column that names them.
    schema : Schema
        Its symbol counts if no column names one.
    symbol : str
        Counts if the schema names none either.
    where : str
        What leads the messages.
    """
    if named is None:
        return (schema.symbol or symbol,), np.zeros(table.num_rows, np.int64)
    if schema.symbol:
        raise DataError(
            f"{where}symbol={schema.symbol!r}, and column {named!r} names the symbols",
            rule="symbol is for a source that names none.",
        )
    return arrow.symbol_codes(arrow.plain(table[named]), named, where)


def _check_names(
    mapped: Iterable[str], others: Iterable[str], known: tuple[str, ...], where: str
) -> None:
    """Refuse a name that is nearly one of ours, if no column has that one."""
    lacking = set(known).difference(mapped, others)
    for name in mapped:
        if name not in known and difflib.get_close_matches(name, lacking, 1, _SLIP):
            fix = "A schema reads columns={ours: theirs} (-c ours=theirs)."
            with led_by(where):
                raise UnknownNameError("column", name, known, fix=fix)


def _their_column(
    theirs: str | int, names: tuple[str, ...], written: dict[str, str], where: str
) -> str:
    if isinstance(theirs, int):
        if not 0 <= theirs < len(names):
            raise DataError(
                f"{where}column {theirs} of {len(names)}",
                rule=f"the columns of this table are 0 to {len(names) - 1}.",
            )
        return names[theirs]
    if theirs in names:
        return theirs
    if theirs.strip().lower() not in written:
        with led_by(where):
            raise UnknownNameError("column", theirs, names)
    return written[theirs.strip().lower()]
