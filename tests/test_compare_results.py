"""Results side by side, and what stands at the top of a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_report import Page

import alphalab as al
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError
from alphalab.research.results import report
from alphalab.research.results.metrics import drawdowns, max_drawdown, sharpe

BARS = al.load("sp500", start="2015-01-01")
HALF = BARS.between("2015-01-01", "2015-06-30")


def run(text: str, bars: Bars = BARS) -> al.Result:
    return al.backtest(al.ExprStrategy(text=text), bars)


HOLD, TREND = run("where(close > 0, 1, 0)"), run("where(close > ts_mean(close, 50), 1, 0)")


def test_metrics_stand_side_by_side() -> None:
    both = al.compare({"hold": HOLD, "trend": TREND})
    assert list(both.table.columns) == ["hold", "trend"]
    for name, result in (("hold", HOLD), ("trend", TREND)):
        assert both.table[name].to_dict() == pytest.approx(result.metrics, nan_ok=True)
    lines = {trace.name for trace in both.plot().data}
    assert lines == {"hold", "trend", "Benchmark"}
    assert "trend" in repr(both) and "<table>" in both._repr_html_()


def test_results_of_one_strategy_are_named_by_what_differs() -> None:
    cross = al.load_strategy("sma_cross")
    some = [al.backtest(cross(fast=n), BARS) for n in (5, 20)]
    assert list(al.compare(some).runs) == ["SmaCross(fast=5)", "SmaCross(fast=20)"]
    dear = al.backtest(cross(fast=5), BARS, costs=al.Costs(fee_bps=5), exits=al.Exits(trailing=0.1))
    assert list(al.compare([some[0], dear]).runs) == [
        "SmaCross",
        "SmaCross(costs.fee_bps=5.0, exits.trailing=0.1)",
    ]
    assert list(al.compare([HOLD, some[0]]).runs) == ["ExprStrategy", "SmaCross"]
    assert list(al.compare([HOLD, HOLD]).runs) == ["ExprStrategy", "ExprStrategy 2"]


def test_the_page_of_a_comparison(tmp_path: Path) -> None:
    page = Page(al.compare([HOLD, TREND]).to_html(tmp_path / "both.html").read_text())
    assert page.loads == [] and len(page.figures) == 1
    assert HOLD.digest in page.text and TREND.digest in page.text


def test_results_over_other_rows_are_refused() -> None:
    with pytest.raises(DataError, match="over the same rows"):
        al.compare([HOLD, run("where(close > 0, 1, 0)", HALF)])
    with pytest.raises(ParameterError, match=r"results of al\.backtest"):
        al.compare([BARS])  # type: ignore[list-item]
    with pytest.raises(ParameterError, match="at least one"):
        al.compare([])


def test_the_command(cli, tmp_path: Path) -> None:
    flags = ("--data", "sp500", "--start", "2016-01-01")
    shown = cli("compare", "buy_and_hold", "sma_cross", *flags, "--json")
    assert shown.code == 0, shown.err
    runs = shown.object["runs"]
    assert set(runs) == {"BuyAndHold", "SmaCross"}
    alone = cli("backtest", "sma_cross", *flags, "--json").object
    assert runs["SmaCross"]["digest"] == alone["digest"]
    assert cli("compare", "buy_and_hold", "sma_cross", *flags, "-p", "fast=3").code == 2


def test_the_benchmark_has_a_sharpe_ratio_and_a_drawdown() -> None:
    bench = TREND.benchmark_returns
    path = np.cumprod(np.append(1.0, 1 + bench))
    assert TREND.metrics["benchmark_sharpe"] == sharpe(bench, TREND.periods_per_year)
    assert TREND.metrics["benchmark_drawdown"] == max_drawdown(path, drawdowns(path))
    page = Page(report.render(TREND))
    shown = page.words[page.words.index("Sharpe ratio") :][:3]
    assert shown[2] == f"benchmark {TREND.metrics['benchmark_sharpe']:.2f}"


def test_less_than_a_year_is_not_annualised_at_the_top() -> None:
    short = run("where(close > 0, 1, 0)", HALF)
    assert "Sharpe" not in repr(short) and "Sharpe" in repr(HOLD)
    assert "Annual return" not in short._repr_html_()
    text = Page(report.render(short)).text
    assert "Figures a year are extrapolated from 0.49 years." in text
    assert "extrapolated" not in Page(report.render(HOLD)).text


def test_money_has_its_currency() -> None:
    euros = run("where(close > 0, 1, 0)", HALF.with_instruments(currency="EUR"))
    fees = euros.metrics["fees"]
    assert f"{fees:,.2f} EUR" in euros._repr_html_()
    assert "Profit, EUR" in Page(report.render(euros)).text
