"""The report: complete, self-contained, safe with any text, and written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from accounting import book, panel

import alphalab as al
from alphalab.research import plots, report
from alphalab.research.display import FIGURES
from alphalab.research.result import Result
from alphalab.types import REASONS, REFUSAL, Reason

EVIL = "</script><script>alert(1)</script><img src='https://evil.example/x'>&\"'"
PRICES = 100 + np.arange(60) % 7.0
MINUTE = 60 * 10**9


class Page(HTMLParser):
    """What a browser would see: text, elements, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.figures: list[dict] = []
        self._inside: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = (tag, dict(attrs))
        self.tags.append(self._inside)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ("", {})

    def handle_data(self, data: str) -> None:
        tag, attributes = self._inside
        if tag == "script" and attributes.get("type") == "application/json":
            self.figures.append(json.loads(data, parse_constant=pytest.fail))
        elif tag == "script":
            self.scripts.append(data)
        elif tag != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def loads(self) -> list[str]:
        """Every attribute that makes a browser fetch something."""
        names = ("src", "href", "srcset", "action", "data", "poster", "background")
        return [value for _, attrs in self.tags for n in names if (value := attrs.get(n))]


def test_page_sees_loads() -> None:
    assert Page("<p><img src='https://x.example/a.png'><link href='a.css'>").loads == [
        "https://x.example/a.png",
        "a.css",
    ]


class Trend(al.Strategy):
    n: int = 40

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(self.n), 1.0, 0.0) / 20


@pytest.fixture(scope="module")
def result() -> Result:
    bars = al.load("sp500_stocks", start="2016-01-01", end="2019-12-31")
    return al.backtest(Trend(), bars, costs=al.Costs(fee_bps=5))


@pytest.fixture(scope="module")
def page(result: Result) -> Page:
    return Page(report.render(result))


def small(bars: al.Bars | None = None, **fields: object) -> Result:
    orders = [(3, 0, 10.0), (9, 0, -10.0), (20, 0, 5.0)]
    return book(bars or panel(PRICES), orders, **fields)


def axis_titles(figure: dict, letter: str) -> list[str]:
    axes = [v for name, v in figure["layout"].items() if re.fullmatch(rf"{letter}axis\d*", name)]
    return [axis.get("title", {}).get("text", "") for axis in axes]


def test_nothing_is_loaded(page: Page) -> None:
    assert page.loads == []
    contents = [attrs.get("content") or "" for tag, attrs in page.tags if tag == "meta"]
    assert any(content.startswith("default-src 'none';") for content in contents)
    ours = [script for script in page.scripts if "plotly.js v" not in script[:400]]
    assert len(page.scripts) - len(ours) == 1, "plotly.js is inlined once"
    assert not any("http" in script for script in ours)


def test_every_figure_and_every_assumption_is_there(result: Result, page: Page) -> None:
    for figure in FIGURES.values():
        assert figure.label in page.text
        assert figure.definition in page.text
    for label, statement in result.assumptions.items():
        assert label in page.text
        assert statement in page.text
    assert result.digest in page.text
    assert "n = 40" in page.text


def test_charts_have_titles_and_data(page: Page) -> None:
    assert len(page.figures) == 5
    for figure in page.figures:
        assert figure["data"]
        assert any(axis_titles(figure, "x"))
        symbols_on_y = figure["data"][0]["type"] == "heatmap"
        assert all(axis_titles(figure, "y")) or symbols_on_y


def test_one_asset_has_no_weights_by_symbol() -> None:
    page = Page(report.render(small()))
    assert len(page.figures) == 4
    assert "Weights by symbol" not in page.text


def test_plot_is_one_figure_of_three_panels(result: Result) -> None:
    figure = result.plot()
    assert isinstance(figure, go.Figure)
    assert {trace.yaxis for trace in figure.data} == {"y", "y2", "y3"}
    equity = next(trace for trace in figure.data if trace.name == "Trend")
    np.testing.assert_array_equal(equity.y, result.ledger["equity"])
    drawdown = next(trace for trace in figure.data if trace.name == "Drawdown")
    assert -min(drawdown.y) / 100 == pytest.approx(result.metrics["max_drawdown"])


def test_trades_are_drawn_where_they_happened() -> None:
    result = small()
    buy, sell = (trace for trace in plots.price(result).data if trace.mode == "markers")
    assert buy.x.astype(str).tolist() == ["2020-01-04", "2020-01-21"]
    assert sell.x.astype(str).tolist() == ["2020-01-10"]
    assert buy.y.tolist() == result.fills["price"][[0, 2]].tolist()


def test_no_text_becomes_markup() -> None:
    refusals = np.zeros(1, REFUSAL)
    refusals["reason"] = Reason.LOT
    given = {"refusals": refusals, "benchmark_name": EVIL, "warnings": (EVIL,)}
    bars = panel(PRICES, symbols=[EVIL], source=EVIL, notes=(EVIL,))
    evil = {"strategy": EVIL, "params": {EVIL: EVIL}, "expressions": {EVIL: EVIL}, "bars": bars}
    page, clean = (Page(report.render(small(**given, **fields))) for fields in (evil, {}))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in clean.tags]
    assert page.loads == []
    assert page.text.count("alert(1)") >= 10
    # Plotly reads its own markup inside names: there, too, it must be text.
    for figure in page.figures:
        assert "<" not in "".join(str(trace.get("name")) for trace in figure["data"])


def test_a_seen_price_leads_the_page() -> None:
    page = Page(report.render(small(fill="same_close")))
    assert "Trades at a price the decision has seen." in page.text
    assert "Read first" not in Page(report.render(small())).text


def test_refusals_in_words() -> None:
    assert "every order was filled" in Page(report.render(small())).text
    refusals = np.zeros(3, REFUSAL)
    refusals["reason"], refusals["asset"] = Reason.GROSS_LIMIT, [-1, -1, 0]
    text = Page(report.render(small(refusals=refusals))).text
    assert REASONS[Reason.GROSS_LIMIT] in text
    assert "portfolio and 1 more" in text


def test_round_trips_best_and_worst(result: Result, page: Page) -> None:
    ranked = np.sort(result.round_trips["pnl"])
    assert ranked.size > report.MOST_TRIPS
    assert f"The 10 best and the 10 worst of {ranked.size:,}" in page.text
    for pnl in (*ranked[:10], *ranked[-10:]):
        assert f"{pnl:,.2f}" in page.text


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(lambda: book(panel(np.full(30, 50.0)), []), id="nothing traded"),
        pytest.param(lambda: book(panel([50.0], periods_per_year=None), []), id="one row"),
        pytest.param(lambda: book(panel([50.0, 51.0]), [(1, 0, 1.0)]), id="two rows"),
        pytest.param(
            lambda: book(panel([100.0, 100.0, 150.0, 220.0, 230.0] * 9), [(1, 0, -90.0)]),
            id="ruin",
        ),
        pytest.param(
            lambda: book(panel(np.full((30, 3), 50.0) * [1, 2, np.nan]), [(4, 0, 1.0)]),
            id="a symbol without prices",
        ),
    ],
)
def test_odd_runs_have_a_report(result) -> None:
    page = Page(report.render(result()))
    assert page.loads == []
    assert "nan" not in page.text.split()


def test_long_histories_are_thinned_and_it_is_said() -> None:
    n = 100_000
    prices = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, n)))
    orders = [(row, 0, 10.0 if i % 2 else -10.0) for i, row in enumerate(range(50, n, 50))]
    result = book(panel(prices, step=MINUTE, periods_per_year=525_600), orders)
    html = report.render(result)
    assert len(html) < 10e6
    assert "with about 6,000 of 100,000 rows" in html
    assert "of the last 400 of 1,999 fills" in html
    drawn = result.plot().data[0]
    assert drawn.x.size <= 2 * plots.MOST_POINTS
    assert drawn.y.min() == result.ledger["equity"].min()
    assert drawn.y.max() == result.ledger["equity"].max()


def test_it_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = small()
    path = tmp_path / "made" / "report.html"
    assert result.to_html(path) == path
    before = path.read_text(encoding="utf-8")
    assert before == report.render(result)
    assert list(path.parent.iterdir()) == [path]

    def full_disk(self: Path, text: str, **_: object) -> None:
        self.write_bytes(text[:100].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(al.InputError, match="No space left on device"):
        dataclasses.replace(result, seconds=5.0).to_html(path)
    assert path.read_text(encoding="utf-8") == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(al.InputError, match="cannot write the report"):
        small().to_html(tmp_path)
    assert list(tmp_path.iterdir()) == []
