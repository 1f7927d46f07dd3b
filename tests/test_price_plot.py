"""The price chart: candles, the strategy's own series, positions and fills."""

from __future__ import annotations

import numpy as np
import pytest
from accounting import book
from builders import panel
from test_report import Page

import alphalab as al
from alphalab.errors import DataError, UnknownNameError
from alphalab.research.pages.style import MODE_BAR, layout
from alphalab.research.results import price_plot, report
from alphalab.research.results.price_series import price_series
from alphalab.research.results.result import Result
from alphalab.types import BAR_COLUMNS

BARS = al.load("sp500")


class Bands(al.Strategy):
    """Reads two series near the price, one far from it, and one with the price itself."""

    def weights(self) -> al.Expr:
        mean = al.close.ts_mean(20)
        low = mean - 2 * al.close.ts_std(20)
        quiet = al.close.rsi(14) < 90
        return al.where((al.close < low) & quiet, 1.0, al.where(al.close > mean, 0.0, float("nan")))


@pytest.fixture(scope="module")
def result() -> Result:
    return al.backtest(Bands(), BARS, quality="unchecked")


def traces(figure, **fields: object) -> dict:
    return {trace.name: trace for trace in figure.select_traces(fields)}


def test_twenty_years_are_candles_of_every_row(result: Result) -> None:
    (candles,) = traces(result.plot_trades(), type="candlestick").values()
    assert len(candles.x) == BARS.n_rows
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(getattr(candles, name), BARS.columns[name][:, 0], rtol=1e-6)


def test_rows_without_a_range_and_too_many_rows_are_a_line(monkeypatch) -> None:
    row = np.linspace(50, 60, 40)[:, None]
    bars = panel(row)
    flat = al.Bars(bars.time, bars.symbols, dict.fromkeys(BAR_COLUMNS, row), periods_per_year=252.0)
    assert "Close" in traces(book(flat, [(3, 0, 10.0)]).plot_trades())
    ranged = book(BARS.between("2008-01-01", "2008-12-31"), [(3, 0, 10.0)])
    assert "Price" in traces(ranged.plot_trades())
    monkeypatch.setattr(price_plot, "MOST_CANDLES", ranged.bars.n_rows - 1)
    assert "Close" in traces(ranged.plot_trades())


def test_series_near_the_price_are_drawn_with_their_values(result: Result) -> None:
    series = price_series(result, [0])
    assert list(series) == ["ts_mean(close, 20)", "ts_mean(close, 20) - 2.0 * ts_std(close, 20)"]
    close = BARS.close[:, 0]
    assert series["ts_mean(close, 20)"][500, 0] == pytest.approx(close[481:501].mean())
    drawn = traces(result.plot_trades(), mode="lines")
    assert set(series) <= set(drawn)
    np.testing.assert_allclose(
        drawn["ts_mean(close, 20)"].y[19:], series["ts_mean(close, 20)"][19:, 0], rtol=1e-6
    )


def test_the_strategy_names_come_first() -> None:
    class Named(al.Strategy):
        def signals(self) -> dict[str, al.Expr]:
            return {"slow_average": al.close.ts_mean(200), "momentum": al.close.rsi(14)}

        @staticmethod
        def decide(table, account, memory):
            return np.full(table.shape[1], np.nan)

    result = al.backtest(Named(), BARS, quality="unchecked")
    assert list(price_series(result, [0])) == ["slow_average"]


def test_python_is_not_called_again() -> None:
    calls = []

    def mean(window):
        calls.append(1)
        return window.mean(axis=0)

    class Slow(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(al.close > al.python_op(mean, [al.close], lookback=5), 1.0, 0.0)

    result = al.backtest(Slow(), BARS.between("2008-01-01", "2008-03-31"), quality="unchecked")
    n_calls = len(calls)
    assert price_series(result, [0]) == {}
    assert len(calls) == n_calls > 0


def test_every_fill_of_twenty_years_has_a_mark_that_lets_the_price_through(result: Result) -> None:
    marks = traces(result.plot_trades(), mode="markers")
    assert sum(trace.x.size for trace in marks.values()) == len(result.fills)
    for trace in marks.values():
        assert trace.marker.size >= 7
        assert trace.marker.color.startswith("rgba(") and trace.marker.line.width < 1


def test_held_rows_are_shaded() -> None:
    shown = book(panel(np.linspace(50, 60, 40)), [(3, 0, 10.0), (9, 0, -10.0), (20, 0, -5.0)])
    figure = shown.plot_trades()
    held = traces(figure, fill="toself")
    assert list(held["Long held"].x)[:4] == ["2020-01-04"] * 2 + ["2020-01-10"] * 2
    assert held["Short held"].x[0] == "2020-01-21"
    assert {trace.yaxis for trace in held.values()} == {"y2"}
    assert figure.layout.yaxis2.range == (0, 1) and figure.layout.yaxis.overlaying == "y2"


def test_a_period_is_drawn_alone(result: Result) -> None:
    figure = result.plot_trades("SP500", start="2008-01-01", end="2008-12-31")
    inside = result.fills["time"].dt.year == 2008
    marks = traces(figure, mode="markers").values()
    assert sum(trace.x.size for trace in marks) == inside.sum() > 0
    (candles,) = traces(figure, type="candlestick").values()
    assert {str(day)[:4] for day in candles.x} == {"2008"}
    assert all(end[:7] in ("2007-12", "2008-01", "2009-01") for end in figure.layout.xaxis.range)


def test_wrong_places_are_refused(result: Result) -> None:
    with pytest.raises(DataError, match="rows lie between"):
        result.plot_trades(start="2030-01-01")
    with pytest.raises(UnknownNameError, match="SP500"):
        result.plot_trades("SP50")
    two = book(panel(np.full((30, 2), 50.0)), [(3, 0, 1.0)])
    with pytest.raises(DataError, match="Name it"):
        two.plot_trades()


def test_choosing_an_asset_shows_its_traces_alone() -> None:
    prices = np.linspace(50, 60, 40)[:, None] * [1.0, 2.0]
    figure = price_plot.price(book(panel(prices), [(3, 0, 10.0), (4, 1, 10.0)]))
    (choice,) = (menu for menu in figure.layout.updatemenus if menu.type == "dropdown")
    shown = [button.args[1] for button in choice.buttons]
    assert np.array_equal(np.sum(shown, axis=0), np.ones(len(figure.data)))
    assert [trace.visible is not False for trace in figure.data] == list(shown[0])


def test_a_report_with_candles_and_series_can_be_sent_by_mail(result: Result) -> None:
    html = report.render(result)
    assert len(html) < 3_000_000
    types = {trace["type"] for figure in Page(html).figures for trace in figure["data"]}
    assert "candlestick" in types


def test_the_mode_bar_has_a_strip_of_its_own(result: Result) -> None:
    for figure in (result.plot(), result.plot_trades(), result.explain("2008-10-07").plot()):
        margin = figure.layout.margin.t or figure.layout.template.layout.margin.t
        assert margin >= MODE_BAR + 40, "legend and menus are below the bar"
    assert layout(300)["height"] == 300 + MODE_BAR
    (first, *_) = Page(report.render(result)).figures
    assert first["layout"]["margin"]["t"] == 40, "pages have no bar"
