"""Named tuples that kernels hand to each other, and the types of arguments of late kernels.

A kernel that is compiled on its own has a signature, which is made of these types.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numba
from numba import boolean, float64, int64, void

from alphalab.kernels._reference import Reference
from alphalab.kernels.market.arguments import COLUMNS, ROWS, WORKSPACE
from alphalab.types import ACCOUNT, LEDGER, ORDER

#: One account with everything a stage may read or write. `rules` and `account` are single records;
#: `instruments`, `groups` and `positions` hold one entry per asset; `orders` has several places per
#: asset: 0 for the order of the target, 1 to 3 for the exits, the others for orders of a `decide`.
#: `tiers` are the fee tiers; `traded` is the value traded today and on each of the 30 days before.
#: `ladder` has the targets of the exits by age, without the first.
#: The first `counts` entries of each log are in use; events are not logged if their log has size 0.
#: `starts` holds the positions before the first row. `saved_account`, `saved_position` (one record
#: each) and `saved_orders` keep a copy while a path inside a bar is tried.
Books = namedtuple(
    "Books",
    "rules tiers ladder instruments groups starts accounts account positions orders traded"
    " fills refusals events postings ambiguities counts"
    " saved_account saved_position saved_orders saved_traded",
)

#: One row of bars: arrays of one value per asset. Fields that a run does not use are not set.
Row = namedtuple("Row", "open high low close volume rate funding split dividend bid ask delisting")

CLOSE_COLUMN = Row._fields.index("close")

#: Flags of the per-row rules in force. `rests`: rows may be quiet (see `quiet_rows.py`).
#: `external`: a venue outside matches the orders (see `reports.py`). `measures`: exits have a
#: distance from an expression.
Switches = namedtuple(
    "Switches", "posts participates margin ages same_close quotes delists rests external measures"
)

#: The tally of one column. `figures` is a record of `alphalab.types.TALLY`; `equity` holds the
#: equity before the rows that are not folded yet, then after each; `trips` has one record per
#: asset; `words` is the digest. `segments`, (2, S), holds the sums of returns and of their squares
#: in each segment; segment s begins at row `bounds[s]`, and the last one ends before `bounds[S]`.
#: `equity_bits`, `trip_bits` and `fill_bits` view equity, trips and the log of fills as unsigned
#: integers. `value`, `gross` and `gain` are scratch.
Tally = namedtuple(
    "Tally",
    "figures equity equity_bits value gross gain trips trip_bits fill_bits words segments bounds",
)


INT, FLOAT, BOOL, VOID = int64, float64, boolean, void

ACCOUNT_RECORD, ORDER_RECORD, LEDGER_ROW = (numba.from_dtype(x) for x in (ACCOUNT, ORDER, LEDGER))
FIGURES, WORDS, SEGMENTS = (COLUMNS.part(name) for name in ("figures", "words", "segments"))
EVENTS, COUNTS, REQUESTS = (WORKSPACE.array(name) for name in ("events", "counts", "requests"))
BARS = ROWS.array("bars")
TARGETS = SERIES = numba.types.Array(float64, 1, "C")
TABLE = numba.types.Array(float64, 2, "C")
SWITCHES = numba.types.NamedUniTuple(boolean, len(Switches._fields), Switches)


def _reference(kind: Any, **others: Any) -> Any:
    """Return the type of a reference to a named tuple of one column's parts and of workspace."""
    parts = {name: COLUMNS.part(name) for name in COLUMNS.names}
    arrays = {name: WORKSPACE.array(name) for name in WORKSPACE.names}
    known = parts | arrays | others
    return Reference(numba.types.NamedTuple([known[name] for name in kind._fields], kind))


BOOKS = _reference(Books, account=ACCOUNT_RECORD, accounts=COLUMNS.array("accounts"))
COLUMN_TALLY = _reference(Tally)
