"""Columns of a table: which one is what, by the usual names and by what a mapping says."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from alphalab.data.sources.mapping import Mapping
from alphalab.errors import DataError, UnknownNameError

TIME_NAMES = ("time", "timestamp", "date", "datetime", "open_time", "close_time")
SYMBOL_NAMES = ("symbol", "ticker")
TIME_RULE = f"one column is named {', '.join(TIME_NAMES)} (any letter case)."
# What writers of tables call an index without a name: the time if no other column is, else nothing.
UNNAMED = ("__index_level_0__", "unnamed: 0", "")


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
        Our name to theirs, where a mapping says so.
    others : dict of str to str
        Of the rest: the name in small letters to the name as written.
    """

    where: str
    names: tuple[str, ...]
    mapped: dict[str, str]
    others: dict[str, str]

    def one_of(self, names: tuple[str, ...], what: str) -> str | None:
        """Return the column that has one of the names, as written; None: there is none.

        Raises
        ------
        DataError
            There are several, and no mapping chooses.
        """
        chosen = [self.mapped[name] for name in names if name in self.mapped]
        there = chosen[:1] or [self.others[name] for name in names if name in self.others]
        if len(there) > 1:
            raise DataError(
                f"{self.where}{' and '.join(map(repr, there))} could each be the {what}; "
                f"{self.found}",
                rule=f"exactly one column is the {what}.",
                fix=f"Say which by a mapping, such as columns={{{names[0]!r}: {there[0]!r}}}, or "
                "drop or rename the others.",
            )
        return there[0] if there else None

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
                fix="Say which it is by a mapping: columns={'time': ...}; of a file without a "
                "header: header=False, and columns by their places.",
            )
        return (time,)

    def require(self, names: tuple[str, ...], fix: str = "") -> None:
        """Refuse a table that lacks a column."""
        missing = [name for name in names if name not in self.mapped and name not in self.others]
        if missing:
            raise DataError(
                f"{self.where}no column {', '.join(missing)}; {self.found}",
                rule=f"there are columns {', '.join(names)} (any letter case).",
                fix=fix or "Say which they are by a mapping: columns={'" + missing[0] + "': ...}.",
            )

    @property
    def found(self) -> str:
        """The words that list the columns."""
        return f"columns found: {', '.join(map(repr, self.names)) or 'none'}"


def columns_of(table: pa.Table, mapping: Mapping, where: str) -> Columns:
    """Return the columns of a table.

    Raises
    ------
    DataError
        Two columns of one name.
    UnknownNameError
        A mapping to a column that is not there; near names are suggested.
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
        for ours, theirs in mapping.columns.items()
    }
    used = set(mapped.values())
    others = {key: name for key, name in written.items() if name not in used}
    return Columns(where, names, mapped, others if mapping.header else {})


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
        error = UnknownNameError("column", theirs, names)
        error.what = f"{where}{error.what}"
        raise error
    return written[theirs.strip().lower()]
