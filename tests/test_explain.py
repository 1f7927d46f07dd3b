"""One decision explained, and the expressions of a result over time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from test_report import Page

import alphalab as al
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import DataError, UnknownNameError

BARS = al.load("sp500", start="2007-01-01", end="2009-12-31")


class Cross(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close.ts_mean(10) > al.close.ts_mean(30), 1.0, 0.0)


RESULT = al.backtest(Cross(), BARS, costs=al.Costs(fee_bps=5))


def test_signals_are_what_the_engine_saw() -> None:
    seen = RESULT.signals["weights"]["SP500"]
    np.testing.assert_array_equal(seen, RESULT.record.targets[:, 0])
    warm = al.backtest(Cross(), BARS, start="2008-01-01")
    assert warm.signals.shape[0] == warm.bars.n_rows
    np.testing.assert_array_equal(warm.signals["weights"]["SP500"], warm.record.targets[:, 0])


def test_a_decision_has_its_tree_its_order_its_fill_and_its_outcome() -> None:
    trip = RESULT.trades.iloc[1]
    decided = RESULT.fills[RESULT.fills["time"] == trip["entry_time"]]["decided"].iloc[0]
    found = RESULT.explain(decided)
    close = BARS.close[: found.row + 1, 0]
    tree = found.signals["weights"]
    fast, slow = tree.parts[0].parts
    assert (fast.value, slow.value) == pytest.approx((close[-10:].mean(), close[-30:].mean()))
    assert tree.value == found.target == 1.0
    assert len(found.orders) == len(found.fills) == 1
    assert found.trades["pnl"].tolist() == [trip["pnl"]]
    text = str(found)
    for part in ("ts_mean(close, 10) = ", "gate: it approved", "buy market, filled", "profit "):
        assert part in text


def test_a_row_without_a_trade_says_so() -> None:
    found = RESULT.explain("2008-10-07")
    assert found.time == np.datetime64("2008-10-07T20:00").astype("M8[ns]").astype(int)
    assert "none: the target asked for no trade" in str(found)
    assert not len(found.fills)
    first = RESULT.explain(BARS.start)
    assert math.isnan(first.target) and "= unknown" in str(first)


def test_a_refusal_is_told_with_its_reason() -> None:
    class Much(al.Strategy):
        def weights(self) -> al.Expr:
            return al.close / al.close.delay(1) * 2

    result = al.backtest(Much(), BARS)
    row = result.refusals.iloc[0]
    found = result.explain(row["time"])
    assert len(found.refusals) and row["meaning"] in str(found)


def test_parts_with_a_clock_of_their_own_end_the_tree() -> None:
    bars = synthetic(500, 2, bar="5m", gap_frac=0.0)

    class Hourly(al.Strategy):
        def weights(self) -> al.Expr:
            return 0.4 * (al.on("1h", al.close.rsi(5)) < 50)

    found = al.backtest(Hourly(), bars, quality="accept").explain(bars.end, bars.symbols[1])
    (below,) = [part for part in found.signals["weights"].parts]
    assert below.parts[0].text == "on('1h', rsi(close, 5))" and below.parts[0].parts == ()


def test_what_cannot_be_explained_is_refused() -> None:
    with pytest.raises(DataError, match="rows lie between"):
        RESULT.explain("1990-01-01")
    with pytest.raises(UnknownNameError, match="unknown symbol 'SP50'"):
        RESULT.explain("2008-01-02", "SP50")
    two = synthetic(50, 2)
    result = al.backtest(al.ExprStrategy(text="where(close > 0, 0.3, 0)"), two, quality="accept")
    with pytest.raises(DataError, match="it shows one asset"):
        result.explain(two.end)


def test_the_command(cli, tmp_path: Path) -> None:
    flags = ("why", "sma_cross", "--data", "sp500", "--at", "2008-10-07")
    text = cli(*flags)
    assert text.code == 0 and "ts_mean(close, 10) = 1,130.88" in text.out
    path = tmp_path / "why.html"
    found = cli(*flags, "--json", "--report", path).object
    assert found["time"] == "2008-10-07T20:00:00Z" and found["orders"] == []
    assert found["signals"]["weights"]["parts"][0]["parts"][0]["text"] == "ts_mean(close, 10)"
    page = Page(path.read_text())
    assert page.loads == [] and len(page.figures) == 1
    decided = cli("why", "sma_cross", "--data", "sp500", "--at", "1999-08-26", "--json").object
    assert decided["orders"][0]["status"] == "filled" and decided["fills"][0]["qty"] > 0


def test_the_figure_has_every_part_in_a_line_of_its_own() -> None:
    found = RESULT.explain("2008-10-07")
    (parts,) = found.plot().select_traces({"mode": "markers+text"})
    tree = found.signals["weights"]
    assert len(parts.text) == 1 + len(list(tree.lines())) == len(set(parts.y))
    assert any("ts_mean(close, 30) = <b" in text for text in parts.text)
    indents = [len(line) - len(line.lstrip(" │├└")) for line in tree.lines()]
    assert [2 * (x - 1) for x in parts.x[1:]] == indents
    unknown, *_ = RESULT.explain(BARS.start).plot().select_traces({"mode": "markers+text"})
    assert "unknown" in unknown.text[1]
    assert "Assumptions" not in found.page(()), "it has none"


def test_a_long_part_is_cut_in_the_figure_and_whole_under_the_pointer() -> None:
    far = al.close
    for n in range(2, 60):
        far = far + al.close.delay(n)
    result = al.backtest(al.ExprStrategy(text=f"where(on('1d', {far}) > 0, 1, 0)"), BARS)
    (parts,) = result.explain(BARS.end).plot().select_traces({"mode": "markers+text"})
    assert all(len(text) < 200 for text in parts.text)
    assert any(len(text) > 500 for text in parts.hovertext)
