"""The report: complete, self-contained, safe with any text, and written whole or not at all."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from accounting import book
from builders import AboveMean, panel

import alphalab as al
from alphalab.codes import REASONS, Reason
from alphalab.kernels.market import orders as venue
from alphalab.research.results import order_lives, plots, price_plot, report, report_orders
from alphalab.research.results.figures import FIGURES
from alphalab.research.results.result import Result
from alphalab.types import REFUSAL, Instrument

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
        if tag == "script" and attributes.get("type") == "application/gzip":
            text = gzip.decompress(base64.b64decode(data)).decode()
            if attributes.get("class") == "figure":
                self.figures.append(json.loads(text, parse_constant=pytest.fail))
            else:
                self.scripts.append(text)
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


@pytest.fixture(scope="module")
def result() -> Result:
    bars = al.load("sp500_stocks", start="2016-01-01", end="2019-12-31")
    return al.backtest(AboveMean(n=40, above=0.05), bars, costs=al.Costs(fee_bps=5))


@pytest.fixture(scope="module")
def html(result: Result) -> str:
    return report.render(result)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def small(bars: al.Bars | None = None, **fields: object) -> Result:
    orders = [(3, 0, 10.0), (9, 0, -10.0), (20, 0, 5.0)]
    return book(bars or panel(PRICES), orders, **fields)


def axis_titles(figure: dict, letter: str) -> list[str]:
    axes = [v for name, v in figure["layout"].items() if re.fullmatch(rf"{letter}axis\d*", name)]
    shown = (axis for axis in axes if axis.get("visible", True))
    return [axis.get("title", {}).get("text", "") for axis in shown]


def test_nothing_is_loaded(page: Page, html: str) -> None:
    assert page.loads == []
    contents = [attrs.get("content") or "" for tag, attrs in page.tags if tag == "meta"]
    assert any(content.startswith("default-src 'none';") for content in contents)
    assert len(html) < 3_000_000, "a report can be sent by mail"
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
    equity = next(trace for trace in figure.data if trace.name == "AboveMean")
    np.testing.assert_array_equal(equity.y, result.record.ledger["equity"])
    drawdown = next(trace for trace in figure.data if trace.name == "Drawdown")
    assert -min(drawdown.y) / 100 == pytest.approx(result.metrics["max_drawdown"])


def test_trades_are_drawn_where_they_happened() -> None:
    result = small()
    buy, sell = price_plot.price(result).select_traces({"mode": "markers"})
    assert buy.x.astype(str).tolist() == ["2020-01-04", "2020-01-21"]
    assert sell.x.astype(str).tolist() == ["2020-01-10"]
    assert buy.y.tolist() == result.record.fills["price"][[0, 2]].tolist()


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
    assert "no order was refused" in Page(report.render(small())).text
    refusals = np.zeros(3, REFUSAL)
    refusals["reason"], refusals["asset"] = Reason.GROSS_LIMIT, [-1, -1, 0]
    text = Page(report.render(small(refusals=refusals))).text
    assert REASONS[Reason.GROSS_LIMIT] in text
    assert "portfolio and 1 more" in text


class Dip(al.Strategy):
    exits = al.Exits(stop_loss=0.012, take_profit=0.012, max_holding=3)

    def weights(self) -> al.Expr:
        return al.where(al.close < al.close.ts_mean(20), 1.0, 0.0)


@pytest.fixture(scope="module")
def exited() -> Result:
    return al.backtest(Dip(), al.load("sp500"), costs=al.Costs(fee_bps=0.1))


def test_the_interval_and_the_break_even_fee(exited: Result) -> None:
    page = Page(report.render(exited))
    assert "Pessimistic (this report)" in page.words and "Optimistic" in page.words
    table = exited.interval()
    assert table.loc["total_return"].nunique() == 3
    for name in report_orders.COMPARED:
        for value in table.loc[name]:
            assert FIGURES[name].text(value) in page.words
    stake = exited.ambiguities["at_stake"].sum()
    assert f"matters in {len(exited.ambiguities)} bars, by {stake:,.2f} USD" in page.text
    assert f"Break-even fee: {exited.break_even_bps():,.2f} bps" in page.text
    assert "(0.10 bps on average)" in page.text


def test_without_a_path_there_is_no_interval(result: Result, page: Page) -> None:
    assert "nothing had to be run again" in page.text
    assert "Optimistic" not in page.words
    assert f"Break-even fee: {result.break_even_bps():,.2f} bps" in page.text
    assert "cannot be run again" in Page(report.render(small())).text


def test_break_even_in_every_case() -> None:
    def said(told: np.ndarray, prices: np.ndarray) -> str:
        class Told(al.Strategy):
            def weights(self) -> al.Expr:
                return al.column("told")

        bars = panel(prices).with_columns({"told": told[:, None]})
        return report_orders.break_even(al.backtest(Told(), bars))

    half, rising = np.full(60, 0.5), np.geomspace(1, 1e6, 60)
    assert "loses even without a fee" in said(half, rising[::-1])
    assert "gains whatever the fee" in said(half, rising)
    assert "nothing was traded" in said(np.zeros(60), rising)


def test_marks_say_what_closed_a_trade(exited: Result) -> None:
    trips = exited.trades[exited.trades["closed"]]
    drawn = price_plot.price(exited).select_traces({"mode": "markers"})
    marks = {trace.name: trace for trace in drawn}
    shown = exited.record.fills[-price_plot.MOST_FILLS :]
    assert set(marks) == {"Buy", "Sell", "Stop", "Take-profit", "Held as long as allowed"}
    assert len({trace.marker.symbol for trace in marks.values()}) == 5
    assert sum(trace.x.size for trace in marks.values()) == shown.size
    late = trips[trips["exit_time"] >= exited.fills["time"].iloc[-price_plot.MOST_FILLS]]
    counts = late["left_by"].value_counts()
    for way, name in (("stop", "Stop"), ("target", "Take-profit"), ("time", "Held as long as a")):
        (trace,) = (trace for label, trace in marks.items() if label.startswith(name))
        assert trace.x.size == counts[way] > 5
    ends = late[late["left_by"] == "stop"]["exit_price"].to_numpy()
    np.testing.assert_allclose(marks["Stop"].y, ends)


class Breakout(al.Strategy):
    """Enters by a stop order, and leaves by market order."""

    max_orders = 2

    def signals(self) -> dict[str, al.Expr]:
        return {"close": al.close}

    @staticmethod
    def decide(table, account, memory):
        if account.row == 1:
            venue.stop(account, 0, venue.BUY, 1.0, 102.0)
        if account.row == 10:
            venue.market(account, 0, venue.SELL, 1.0)
        return np.full(table.shape[1], np.nan)


def test_a_stop_that_enters_is_a_purchase() -> None:
    figure = price_plot.price(al.backtest(Breakout(), panel(PRICES)))
    marks = {trace.name: trace.x.size for trace in figure.select_traces({"mode": "markers"})}
    assert marks == {"Buy": 1, "Sell": 1}


def test_what_a_dividend_buys_is_no_carry() -> None:
    class Hold(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(al.close > 0, 0.5, 0.0)

    dividend = np.where(np.arange(60) % 20 == 10, 1.0, np.nan)[:, None]
    bars = panel(PRICES).with_columns({"split": dividend * np.nan, "dividend": dividend})
    result = al.backtest(Hold(), bars, actions="reinvest")
    (line,) = plots.carry(result).data
    assert line.name == "Dividend" and line.y[-1] == pytest.approx(result.metrics["carry"])
    assert "its purchase does not" in Page(report.render(result)).text


def test_how_trades_ended_and_what_became_of_orders(exited: Result, page: Page) -> None:
    words = Page(report.render(exited)).words
    trips = exited.trades[exited.trades["closed"]]
    for way, ours in trips.groupby("left_by"):
        at = words.index(order_lives.LEFT_BY[way].capitalize())
        assert words[at + 1] == f"{len(ours):,}"
        assert words[at + 4] == f"{ours['pnl'].sum():,.2f}"
    table = exited.orders
    at = words.index("Alive") + 1
    counts = table.groupby(["origin", "type"]).size()
    rows = [words[at + 8 * i : at + 8 * i + 8] for i in range(len(counts))]
    origins = {"target": "target", "exits": "exit"}
    for (origin, kind), count in counts.items():
        (row,) = (row for row in rows if row[:2] == [origins[origin], kind])
        same = table[(table["origin"] == origin) & (table["type"] == kind)]["status"]
        ends = ("filled", "cancelled", "expired", "refused")
        want = [count, *((same == end).sum() for end in ends), (~same.isin(ends)).sum()]
        assert row[2:] == [f"{n:,}" for n in want]
    at = words.index("Why (unit)") + 2
    ended = table[table["status"].isin(["cancelled", "expired", "refused"])]
    whys = ended.groupby(["status", "reason"]).size()
    rows = [words[at + 3 * i : at + 3 * i + 3] for i in range(len(whys))]
    assert rows == [[*why, f"{count:,}"] for why, count in whys.items()]
    assert next(filter(str.strip, words[at + 3 * len(whys) :])) == "Refusals"
    assert "How trades ended" not in page.text, "all by signal"


def test_what_was_posted(page: Page) -> None:
    close = 100 + np.arange(60) % 7.0
    perp = Instrument(symbol="P", kind="linear", funding_hours=8)
    bars = panel(close, symbols=["P"], instruments=[perp]).with_columns(
        {"told": np.full((60, 1), 0.5), "funding": np.full((60, 1), 1e-4)}
    )

    class Told(al.Strategy):
        def weights(self) -> al.Expr:
            return al.column("told")

    result = al.backtest(Told(), bars, financing=al.Financing(interest_bps=200))
    posted = result.postings.groupby("kind")["amount"].agg(["size", "sum"])
    assert len(posted) == 2
    shown = Page(report.render(result))
    for kind, (count, total) in posted.iterrows():
        at = shown.words.index(f"{kind[0].upper()}{kind[1:]}")
        assert shown.words[at + 1] == f"{count:,.0f}"
        assert shown.words[at + 4] == f"{total:,.2f}"
    assert f"{result.metrics['carry']:,.2f}" in shown.words
    (figure,) = (f for f in shown.figures if {t.get("name") for t in f["data"]} >= {"Funding"})
    ends = {trace["name"]: trace["y"] for trace in figure["data"]}
    drawn = plots.carry(result).data
    assert len(ends) == 2
    assert sum(trace.y[-1] for trace in drawn) == pytest.approx(result.metrics["carry"])
    assert "Carry: sum of the postings" not in page.text


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
    assert len(html) < 3e6
    assert "with about 6,000 of 100,000 rows" in html
    assert "the last 200 of 1,999 fills" in json.dumps(Page(html).figures)
    drawn = result.plot().data[0]
    assert drawn.x.size <= 2 * plots.MOST_POINTS
    assert drawn.y.min() == result.record.ledger["equity"].min()
    assert drawn.y.max() == result.record.ledger["equity"].max()


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
    with pytest.raises(al.errors.InputError, match="No space left on device"):
        dataclasses.replace(result, seconds=5.0).to_html(path)
    assert path.read_text(encoding="utf-8") == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(al.errors.InputError, match="cannot write the report"):
        small().to_html(tmp_path)
    assert list(tmp_path.iterdir()) == []
