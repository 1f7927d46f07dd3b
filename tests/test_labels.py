"""Tables are put in place by their labels, or refused with the first label that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import alphalab as al
from alphalab.data.panel.bars import Bars
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import DataError, ParameterError

BARS = synthetic(40, 3, gap_frac=0.0)
RIGHT = pd.DataFrame(
    np.arange(120.0).reshape(40, 3), index=BARS.to_frame().index, columns=list(BARS.symbols)
)


def as_polars(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.from_pandas(frame.reset_index())


def as_arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame.reset_index(), preserve_index=False)


KINDS: tuple[Callable[[pd.DataFrame], Any], ...] = (lambda frame: frame, as_polars, as_arrow)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_is_put_in_place_by_time_and_symbol(kind: Callable[..., Any]) -> None:
    shuffled = RIGHT.sample(frac=1.0, random_state=3)[list(BARS.symbols)[::-1]]
    bars = BARS.with_columns({"x": kind(shuffled)})
    np.testing.assert_array_equal(bars["x"], RIGHT.to_numpy())


def test_the_symbols_of_a_frame_need_not_be_in_the_order_of_the_bars() -> None:
    """The trial's mistake: a frame in the order of the alphabet gave other assets' signals."""

    class Told(al.Strategy):
        def weights(self) -> al.Expr:
            return al.column("told")

    bars = BARS.select(list(BARS.symbols)[::-1])
    told = pd.DataFrame(0.0, index=RIGHT.index, columns=sorted(bars.symbols))
    told[BARS.symbols[0]] = 1.0
    result = al.backtest(Told(), bars.with_columns({"told": told}), quality="accept")
    assert {bars.symbols[j] for j in np.flatnonzero(result.record.qty.any(axis=0))} == {
        BARS.symbols[0]
    }


def test_a_frame_in_another_zone_holds_the_same_instants() -> None:
    moved = RIGHT.tz_convert("America/New_York")
    np.testing.assert_array_equal(BARS.with_columns({"x": moved})["x"], RIGHT.to_numpy())


def test_a_series_holds_for_every_symbol() -> None:
    series = RIGHT.iloc[::-1, 0]
    found = BARS.with_columns({"vix": series})["vix"]
    np.testing.assert_array_equal(found, np.repeat(RIGHT.to_numpy()[:, :1], 3, axis=1))


def test_the_constructor_reads_labels_too() -> None:
    columns = {name: BARS.to_frame()[name].iloc[::-1, ::-1] for name in BARS.columns}
    made = Bars(BARS.time, BARS.symbols, columns, instruments=BARS.instruments)
    assert made == BARS


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (RIGHT.iloc[:-2], "2 of 40 rows of the bars have no label"),
        (RIGHT.rename(index={RIGHT.index[5]: RIGHT.index[5] + pd.Timedelta("1s")}), "no rows of"),
        (RIGHT.rename(columns={BARS.symbols[1]: "OTHER"}), "symbol 'OTHER', which the bars do not"),
        (RIGHT.iloc[:, :2], f"symbol {BARS.symbols[2]!r}, which the table does not have"),
        (pd.concat([RIGHT, RIGHT.iloc[:1]]), "is there twice"),
        (RIGHT.reset_index(drop=True), "its index is a RangeIndex"),
        (as_polars(RIGHT).drop("time"), "0 time columns"),
        (RIGHT.astype(object).replace(7.0, "seven"), "seven"),
        (BARS.to_frame(), "2 levels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(spoilt: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        BARS.with_columns({"x": spoilt})


def test_the_remedy_for_dates_names_sessions() -> None:
    dates = RIGHT.set_axis(pd.date_range("2020-01-01", periods=40))
    with pytest.raises(DataError, match="label='session'"):
        BARS.with_columns({"x": dates})


def test_an_array_whose_shape_leaves_doubt_is_refused() -> None:
    square = BARS.rows(0, 3)
    with pytest.raises(DataError, match="tells rows from symbols"):
        square.with_columns({"x": np.ones((3, 3))})
    with pytest.raises(DataError, match="shape"):
        BARS.with_columns({"x": np.ones((3, 40))})
    assert BARS.with_columns({"x": np.ones((40, 3))})["x"].sum() == 120


class Hold(al.Strategy):
    def weights(self) -> al.Expr:
        return al.constant(0.3)


@pytest.mark.parametrize("make", [lambda s: s[::-1], lambda s: s.to_frame().iloc[::-1]])
def test_a_benchmark_is_put_in_place_by_time(make: Callable[[pd.Series], Any]) -> None:
    """The trial's mistake: a reversed series gave a loss in place of the gain."""
    closes = pd.Series(np.linspace(10.0, 20.0, 40), index=RIGHT.index, name="bench")
    result = al.backtest(Hold(), BARS, benchmark=make(closes), quality="accept")
    assert result.metrics["benchmark_return"] == pytest.approx(1.0)


def test_a_benchmark_that_does_not_fit_is_refused() -> None:
    closes = pd.Series(np.linspace(10.0, 20.0, 40), index=RIGHT.index)
    with pytest.raises(DataError, match="benchmark: 1 of 40 rows"):
        al.backtest(Hold(), BARS, benchmark=closes.iloc[1:], quality="accept")
    with pytest.raises(DataError, match="a table of 3 columns"):
        al.backtest(Hold(), BARS, benchmark=RIGHT, quality="accept")
    with pytest.raises(ParameterError, match="one series"):
        al.backtest(Hold(), BARS, benchmark=np.ones((40, 3)), quality="accept")


def test_a_python_operator_keeps_the_order_of_the_assets() -> None:
    """A labelled series in another order would give each asset another one's value."""

    def ranked(x: Any) -> Any:
        return pd.Series(x[-1]).sort_values()

    with pytest.raises(al.errors.ExprError, match="order of the assets"):
        al.evaluate(al.python_op(ranked, [al.close], 2), BARS)

    def plain(x: Any) -> Any:
        return pd.DataFrame(x).mean()

    assert al.evaluate(al.python_op(plain, [al.close], 2), BARS).iloc[-1].notna().all()
