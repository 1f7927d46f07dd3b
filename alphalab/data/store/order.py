"""The order of the rows of a table."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from alphalab.data.store.tables import Table

_LENGTH = "length of the number"


def order_of(table: Table, rows: pa.Table) -> pa.Array:
    """Return the places of the rows in the order of the key of a table.

    Ids that are numbers sort as numbers: trade ``1000`` follows ``999`` at the same time.

    Examples
    --------
    >>> from alphalab.data.store.tables import TABLES
    >>> rows = {"venue": ["x"] * 3, "symbol": ["A"] * 3, "time": [7, 7, 5], "id": ["10", "9", "11"]}
    >>> order_of(TABLES["trades"], pa.table(rows)).to_pylist()
    [2, 1, 0]
    """
    names = list(table.key)
    if table.number:
        names.insert(names.index(table.number), _LENGTH)
        rows = rows.append_column(_LENGTH, pc.utf8_length(rows[table.number]))
    return pc.sort_indices(rows, [(name, "ascending") for name in names])
