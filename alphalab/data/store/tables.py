"""The tables of a store: columns, keys and partitions.

Times are timestamps in UTC with microseconds, the finest that Delta Lake keeps. ``known`` is when a
row became known: a read as of a date leaves out later rows.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alphalab.errors import UnknownNameError

_TIME = pa.timestamp("us", tz="UTC")
_TEXT, _NUMBER = pa.string(), pa.float64()


class Table(NamedTuple):
    """One kind of table.

    Attributes
    ----------
    name : str
    columns : dict of str to pyarrow.DataType
        In the order of the table.
    key : tuple of str
        The columns that identify a row: another row with the same key is a revision.
    partition : tuple of str
        The partition columns of the files; the first columns of the key.
    optional : tuple of str
        The columns that may be null.
    extra : bool
        True if further columns of numbers are allowed.
    number : str
        The text column of the key, if any, that sorts as numbers where all its values are numbers.
    """

    name: str
    columns: dict[str, pa.DataType]
    key: tuple[str, ...]
    partition: tuple[str, ...]
    optional: tuple[str, ...] = ()
    extra: bool = False
    number: str = ""

    @property
    def time(self) -> str:
        """The time column of the key, to which `start` and `end` of a read apply."""
        return next(name for name in self.key if self.columns[name] == _TIME)


_TABLES = (
    # time: the close.
    Table(
        "bars",
        {
            **dict.fromkeys(("venue", "interval", "symbol"), _TEXT),
            "time": _TIME,
            **dict.fromkeys(("open", "high", "low", "close", "volume"), _NUMBER),
        },
        key=("venue", "interval", "symbol", "time"),
        partition=("venue", "interval", "symbol"),
        optional=("volume",),
        extra=True,
    ),
    # side: "buy" or "sell", of the one who took; id: as the venue writes it.
    Table(
        "trades",
        {
            **dict.fromkeys(("venue", "symbol"), _TEXT),
            "time": _TIME,
            **dict.fromkeys(("id", "side"), _TEXT),
            **dict.fromkeys(("price", "amount"), _NUMBER),
        },
        key=("venue", "symbol", "time", "id"),
        partition=("venue", "symbol"),
        optional=("side",),
        number="id",
    ),
    # rate: a fraction, 0.0001 is one basis point paid by those who are long.
    Table(
        "funding",
        {**dict.fromkeys(("venue", "symbol"), _TEXT), "time": _TIME, "rate": _NUMBER},
        key=("venue", "symbol", "time"),
        partition=("venue", "symbol"),
    ),
    # time: the ex-date. split: new units for an old one. dividend: cash per unit after the split.
    Table(
        "actions",
        {
            **dict.fromkeys(("venue", "symbol"), _TEXT),
            **dict.fromkeys(("time", "known"), _TIME),
            **dict.fromkeys(("split", "dividend"), _NUMBER),
        },
        key=("venue", "symbol", "time"),
        partition=("venue",),
        optional=("split", "dividend"),
    ),
    # time: when the listing ends. price: cash per unit that closes holdings; null: the last close.
    Table(
        "delistings",
        {
            **dict.fromkeys(("venue", "symbol"), _TEXT),
            **dict.fromkeys(("time", "known"), _TIME),
            "price": _NUMBER,
        },
        key=("venue", "symbol", "time"),
        partition=("venue",),
        optional=("price",),
    ),
    # What a venue says about a symbol from `start` on, until the next row of the symbol. The fields
    # of alphalab.types.Instrument; groups: a JSON object of texts.
    Table(
        "instruments",
        {
            **dict.fromkeys(("venue", "symbol"), _TEXT),
            "start": _TIME,
            "kind": _TEXT,
            **dict.fromkeys(
                ("tick", "lot", "min_value", "maker_bps", "taker_bps", "multiplier"), _NUMBER
            ),
            "currency": _TEXT,
            "funding_hours": _NUMBER,
            **dict.fromkeys(("groups", "calendar"), _TEXT),
        },
        key=("venue", "symbol", "start"),
        partition=("venue",),
    ),
    # time: what the value is about (the end of a quarter); symbol: empty where it is about all.
    Table(
        "observations",
        {
            **dict.fromkeys(("name", "symbol"), _TEXT),
            **dict.fromkeys(("time", "known"), _TIME),
            "value": _NUMBER,
        },
        key=("name", "symbol", "time", "known"),
        partition=("name",),
    ),
    # A symbol is a member from `start` to `end` (not included; null: still).
    Table(
        "universe",
        {
            **dict.fromkeys(("name", "symbol"), _TEXT),
            **dict.fromkeys(("start", "end", "known"), _TIME),
        },
        key=("name", "symbol", "start"),
        partition=("name",),
        optional=("end",),
    ),
)

TABLES = {table.name: table for table in _TABLES}


def table_named(name: str) -> Table:
    """Return the table of a name.

    Raises
    ------
    UnknownNameError
        No such table; near names are suggested.
    """
    if name not in TABLES:
        raise UnknownNameError("table", name, TABLES)
    return TABLES[name]
