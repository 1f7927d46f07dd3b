"""Repairs against what they say: each against a reading of its rule row by row, in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import texts
from hypothesis import given, settings
from hypothesis import strategies as st

from alphalab.data.ingestion.repairs import STEPS, repair
from alphalab.data.panel.rows import Rows
from alphalab.errors import DataError, UnknownNameError

NAMES = ("open", "high", "low", "close", "volume")
#: A row as a plain tuple: symbol, time, the five values, number.
Plain = tuple[int, int, float, float, float, float, float, int]

price = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, float("nan")])
cell = st.tuples(st.integers(0, 1), st.integers(0, 4), price, price, price, price, price)


def rows_of(cells: list[Any]) -> Rows:
    table = np.array([row[2:7] for row in cells], float).reshape(len(cells), 5)
    return Rows(
        time=np.array([row[1] for row in cells], np.int64),
        symbols=("A", "B"),
        symbol=np.array([row[0] for row in cells], np.int64),
        columns={name: table[:, place] for place, name in enumerate(NAMES)},
        number=np.arange(len(cells)),
    )


def plain(rows: Rows) -> list[Plain]:
    columns = [rows.columns[name].tolist() for name in NAMES]
    return list(
        zip(rows.symbol.tolist(), rows.time.tolist(), *columns, rows.number.tolist(), strict=True)
    )


def same(one: Plain, other: Plain) -> bool:
    return repr(one[:7]) == repr(other[:7])


def known(row: Plain) -> bool:
    return not np.isnan(row[2:6]).any()


def kept(test: Callable[[int, list[Plain]], bool]) -> Callable[[list[Plain]], list[Plain]]:
    return lambda rows: [row for place, row in enumerate(rows) if test(place, rows)]


def inconsistent(row: Plain) -> bool:
    high, low = row[3], row[4]
    return known(row) and (high * (1 + 1e-12) < max(row[2:6]) or low * (1 - 1e-12) > min(row[2:6]))


def widened(row: Plain) -> Plain:
    if not known(row):
        return row
    return (*row[:3], max(row[2:6]), min(row[2:6]), *row[5:])


NAIVE: dict[str, Callable[[list[Plain]], list[Plain]]] = {
    "drop_duplicates": kept(lambda i, rows: not any(same(rows[i], row) for row in rows[:i])),
    "keep_first": kept(lambda i, rows: rows[i][:2] not in [row[:2] for row in rows[:i]]),
    "keep_last": kept(lambda i, rows: rows[i][:2] not in [row[:2] for row in rows[i + 1 :]]),
    "drop_unknown": kept(lambda i, rows: known(rows[i])),
    "drop_nonpositive": kept(lambda i, rows: not any(x <= 0 for x in rows[i][2:6])),
    "drop_inconsistent": kept(lambda i, rows: not inconsistent(rows[i])),
    "widen": lambda rows: [widened(row) for row in rows],
    "drop_untraded": kept(
        lambda i, rows: not (rows[i][6] == 0 and len({*rows[i][2:6]}) == 1 and known(rows[i]))
    ),
}


@pytest.mark.parametrize("step", NAIVE)
@settings(max_examples=60)
@given(cells=st.lists(cell, min_size=1, max_size=12))
def test_a_repair_does_what_it_says(step: str, cells: list[Any]) -> None:
    rows = rows_of(cells)
    after, done = repair(rows, [step])
    assert repr(plain(after)) == repr(NAIVE[step](plain(rows)))
    changed = sum(repr(row) not in map(repr, plain(after)) for row in plain(rows))
    assert done[0].n_rows == changed


@settings(max_examples=60)
@given(st.lists(cell, min_size=1, max_size=12))
def test_sorting(cells: list[Any]) -> None:
    rows = rows_of(cells)
    after, done = repair(rows, ["sort"])
    for symbol in (0, 1):
        mine = [row for row in plain(rows) if row[0] == symbol]
        assert repr([row for row in plain(after) if row[0] == symbol]) == repr(
            sorted(mine, key=lambda row: row[1])
        )
    late = sum(
        any(row[:1] == old[:1] and row[1] < old[1] for old in plain(rows)[:place])
        for place, row in enumerate(plain(rows))
    )
    assert done[0].n_rows == late


def test_every_repair_is_tested() -> None:
    assert set(STEPS) == {*NAIVE, "sort"}


def test_what_was_done_is_said_and_nothing_else_is_done() -> None:
    cells = [
        (0, 2, 1, 3, 1, 2, 5),
        (0, 1, 1, 3, 1, 2, 5),
        (0, 1, 1, 3, 1, 2, 5),
        (1, 1, 0, 3, 0, 2, 5),
    ]
    rows, done = repair(rows_of(cells), ["sort", "keep_last", "drop_nonpositive", "widen"])
    assert [one.n_rows for one in done] == [2, 1, 1, 0]
    assert (
        done[1].said
        == "keep_last: 1 of 4 rows, first row 1 (1970-01-01T00:00:00.000000001Z, symbol 'A')"
    )
    assert texts(rows) == tuple(f"repair {one.said}" for one in done[:3])
    assert done[3].said == "widen: none of 2 rows"
    rows.check()
    assert rows.number.tolist() == [2, 0]


def test_rows_keep_their_numbers_in_messages() -> None:
    cells = [(0, 2, 1, 3, 1, 2, 5), (0, 1, 1, 0.5, 1, 2, 5)]
    rows, _ = repair(rows_of(cells), ["sort"])
    with pytest.raises(DataError, match=r"row 1 \(.*\), symbol 'A': open=1, high=0.5"):
        rows.check()


def test_a_name_that_is_no_repair() -> None:
    with pytest.raises(UnknownNameError, match="unknown repair 'dedup'") as error:
        repair(rows_of([(0, 1, 1, 1, 1, 1, 1)]), ["sort", "dedup"])
    assert "drop_duplicates" in str(error.value)
