from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import texts
from hypothesis import given, settings
from hypothesis import strategies as st

from alphalab.data.clock.times import NS_DAY, nanoseconds
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, UnknownNameError

FIRST = nanoseconds("2024-01-01")


class Seen(NamedTuple):
    """One observation; time and known in days since the first row."""

    symbol: str
    time: int
    known: int
    value: float


def panel(n_rows: int = 5, symbols: Sequence[str] = ("A", "B")) -> Bars:
    days = pd.date_range("2024-01-01", periods=n_rows)
    return Bars.from_closes(pd.DataFrame(dict.fromkeys(symbols, 1.0), index=days), label="close")


def table(rows: Sequence[Seen], name: str = "x") -> pa.Table:
    def instants(days: list[int]) -> pa.Array:
        return pa.array([FIRST + day * NS_DAY for day in days], pa.timestamp("ns", "UTC"))

    return pa.table(
        {
            "name": pa.array([name] * len(rows), pa.string()),
            "symbol": pa.array([row.symbol for row in rows], pa.string()),
            "time": instants([row.time for row in rows]),
            "known": instants([row.known for row in rows]),
            "value": pa.array([row.value for row in rows], pa.float64()),
        }
    )


def naive(rows: Sequence[Seen], n_rows: int, symbol: str, max_age: int | None) -> list[float]:
    """Row after row: of what is known, the latest time, its last revision, its own before all."""
    column = []
    for day in range(n_rows):
        known = [row for row in rows if row.known <= day and row.symbol in ("", symbol)]
        best = max(known, key=lambda row: (row.time, row.known, row.symbol != ""), default=None)
        late = best is not None and max_age is not None and day - best.known > max_age
        column.append(np.nan if best is None or late else best.value)
    return column


observations = st.lists(
    st.builds(
        Seen,
        st.sampled_from(["", "A", "B"]),
        st.integers(-4, 9),
        st.integers(-3, 8),
        st.integers(-100, 100).map(float),
    ),
    max_size=25,
    unique_by=lambda row: row[:3],
)


@settings(max_examples=300)
@given(rows=observations, max_age=st.none() | st.integers(1, 4))
def test_each_row_has_what_was_known_by_then(rows: list[Seen], max_age: int | None) -> None:
    bars = panel(8).with_observations(
        table(rows), ["x"] if rows else [], max_age=max_age and f"{max_age}d"
    )
    for asset, symbol in enumerate(bars.symbols if rows else ()):
        expected = naive(rows, 8, symbol, max_age)
        np.testing.assert_array_equal(bars["x"][:, asset], expected)


@settings(max_examples=100)
@given(rows=observations.filter(bool), day=st.integers(0, 7))
def test_what_becomes_known_later_changes_nothing_before(rows: list[Seen], day: int) -> None:
    past = [row for row in rows if row.known <= day]
    whole = panel(8).with_observations(table(rows))["x"][: day + 1]
    if past:
        np.testing.assert_array_equal(
            panel(8).with_observations(table(past))["x"][: day + 1], whole
        )
    else:
        assert np.isnan(whole).all()


def test_a_revision_replaces_the_last_value_and_no_later_one() -> None:
    rows = [
        Seen("A", -10, 0, 1.0),
        Seen("A", -10, 1, 1.5),  # revised at once
        Seen("A", -5, 2, 2.0),
        Seen("A", -10, 3, 1.7),  # of no interest any more
    ]
    column = panel().with_observations(table(rows))["x"]
    assert column[:, 0].tolist() == [1.0, 1.5, 2.0, 2.0, 2.0]
    assert np.isnan(column[:, 1]).all()


def test_a_forecast_counts_from_when_it_is_known() -> None:
    rows = [Seen("", 30, 1, 1.0), Seen("", 31, 3, 2.0), Seen("", 29, 4, 9.0)]
    column = panel().with_observations(table(rows))["x"]
    np.testing.assert_array_equal(column[:, 0], [np.nan, 1.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(column[:, 0], column[:, 1])


def test_what_is_about_the_symbol_goes_before_what_is_about_all() -> None:
    rows = [Seen("A", 0, 1, 1.0), Seen("", 0, 1, 2.0), Seen("", 0, 2, 3.0)]
    column = panel().with_observations(table(rows))["x"]
    np.testing.assert_array_equal(column[:, 0], [np.nan, 1.0, 3.0, 3.0, 3.0])
    np.testing.assert_array_equal(column[:, 1], [np.nan, 2.0, 3.0, 3.0, 3.0])


def test_names_are_columns() -> None:
    both = pa.concat_tables(
        [table([Seen("A", 0, 0, 1.0)], "pe"), table([Seen("Z", 0, 0, 2.0)], "news")]
    )
    bars = panel().with_observations(both)
    assert bars["pe"][0].tolist()[0] == 1.0 and np.isnan(bars["news"]).all()
    assert texts(bars)[-2] == "observations of Z are left out: not among the bars"
    assert "pe" not in panel().with_observations(both, ["news"]).columns
    aged = panel().with_observations(both, ["pe"], max_age="2d")
    np.testing.assert_array_equal(aged["pe"][:, 0], [1.0, 1.0, 1.0, np.nan, np.nan])
    assert "observations count for 2d after they became known" in texts(aged)


def test_frames_and_files(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": ["2024-01-01"], "known": ["2024-01-02"], "value": [7]})
    frame.to_csv(tmp_path / "news.csv", index=False)
    for given_ in (frame, tmp_path / "news.csv", pa.Table.from_pandas(frame)):
        column = panel().with_observations(given_, ["news"])["news"]
        np.testing.assert_array_equal(column[:, 1], [np.nan, 7, 7, 7, 7])


ROW = {"name": ["x"], "time": ["2024-01-01"], "known": ["2024-01-01"], "value": [1.0]}


@pytest.mark.parametrize(
    ("rows", "names", "words"),
    [
        ({key: ROW[key] for key in ("name", "time", "value")}, None, "no column known"),
        ({key: ROW[key] for key in ("time", "known", "value")}, None, "no column name"),
        (ROW | {"value": [np.inf]}, None, "row 0: a value of inf"),
        (ROW | {"value": [None]}, None, "row 0: a value of nan"),
        (ROW | {"value": ["high"]}, None, "'high' is not a number"),
        (ROW | {"known": ["soon"]}, None, "'soon' is not an ISO date"),
        ({key: values * 2 for key, values in ROW.items()}, None, "row 1: 'x' about 2024-01-01"),
        (ROW | {"name": ["close"]}, None, "the bars have a column of that name"),
        (ROW, ["y"], "unknown observation 'y'"),
    ],
)
def test_observations_that_are_refused(
    rows: dict[str, list[object]], names: list[str] | None, words: str
) -> None:
    with pytest.raises((DataError, UnknownNameError), match=words):
        panel().with_observations(pa.table(rows), names)


def test_ages_that_are_refused() -> None:
    with pytest.raises(DataError, match="'soon' is not a length of time"):
        panel().with_observations(pa.table(ROW), max_age="soon")
