"""The report of a sweep: complete, self-contained, and honest about the best of many."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from planted import grid, planted
from test_report import EVIL, Page

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.research.sweep import report as sweep_report
from alphalab.research.sweep.plot_parts import metric_figure
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.robustness import robustness_of


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    space = {"fast": range(10, 100, 10), "slow": range(20, 120, 10), "costs.fee_bps": [0, 10]}
    return al.sweep(load_strategy("sma_cross"), al.load("sp500"), space)


@pytest.fixture(scope="module")
def page(sweep: Sweep) -> Page:
    return Page(sweep_report.render(sweep))


def policy(page: Page) -> str:
    contents = [attrs.get("content") or "" for tag, attrs in page.tags if tag == "meta"]
    (found,) = (content for content in contents if content.startswith("default-src"))
    return found


def test_nothing_is_loaded(page: Page) -> None:
    assert page.loads == []
    assert policy(page).startswith("default-src 'none';")
    ours = [script for script in page.scripts if "plotly.js v" not in script[:400]]
    assert len(page.scripts) - len(ours) == 1, "plotly.js is inlined once"
    assert not any("http" in script for script in ours)


def test_no_page_compiles_code(page: Page) -> None:
    assert page.figures and "'unsafe-eval'" not in policy(page)


def test_the_counts_lead_the_page(sweep: Sweep, page: Page) -> None:
    counts = Counter(sweep.table["status"])
    assert counts["invalid"] > 50
    assert (
        f"180 combinations of fast, slow, costs.fee_bps: {counts['ok']} ran, "
        f"{counts['invalid']} invalid" in page.text
    )
    for label, count in (("Combinations", 180), ("Ran", counts["ok"]), ("Not run", 0)):
        assert page.words[page.words.index(label) + 1] == str(count)


def test_the_best_are_listed_with_their_figures(sweep: Sweep, page: Page) -> None:
    best = sweep.top(20)
    plateau = robustness_of(sweep).plateau
    at = page.words.index("Digest") + 1
    for column, row in best.iterrows():
        at = page.words.index(row["digest"][:8], at)
        cells = page.words[at - 14 : at]
        assert cells[:4] == [str(column), *(f"{row[name]:g}" for name in sweep.names)]
        shown = metric_figure("sharpe")
        assert cells[4:6] == [shown.text(row["sharpe"]), shown.text(plateau[column])]
        assert metric_figure("max_drawdown").text(row["max_drawdown"]) in cells
    assert np.isfinite(plateau[best.index]).any()


def test_what_the_best_rests_on(sweep: Sweep, page: Page) -> None:
    result = sweep.result(sweep.best)
    for label, statement in result.assumptions.items():
        assert label in page.text
        assert statement in page.text
    assert f"digest of the best {sweep.table.digest[sweep.best]}" in page.text
    assert "fast: 10, 20, 30, 40, 50, 60, 70, 80, 90 (9 values)" in page.text
    equity = page.figures[-1]["data"][0]
    assert equity["name"] == "SmaCross"


def test_combinations_that_break_one_rule_are_counted_together(sweep: Sweep, page: Page) -> None:
    invalid = sweep.table[sweep.table["status"] == "invalid"]
    assert page.words.count(invalid["reason"].iloc[0]) == 1
    assert page.words[page.words.index(invalid["reason"].iloc[0]) + 1] == str(len(invalid))
    reasons = {k: f"kind {chr(97 + k // 2)}" for k in range(60)}
    text = Page(sweep_report.render(planted(grid(n=range(70)), range(70), invalid=reasons))).text
    assert "60 of 70" in text and "10 rarer rules are left out" in text


def said(sweep: Sweep) -> str:
    return " ".join(sweep_report.sentences(sweep, robustness_of(sweep)))


def test_robustness_in_words() -> None:
    values = [0.0, 0.2, 0.5, 0.3, 0.1, -0.1, -0.2, 0.25]
    text = said(planted(grid(n=range(8)), values))
    assert "The best has Sharpe ratio 0.50 (n 2); the median of all 8 is 0.15." in text
    assert "Its 2 neighbours have 0.20 to 0.30, median 0.25;" in text
    assert "the 2 columns two steps away have 0.00 to 0.10, median 0.05." in text
    assert "2 of 2 neighbours are better than the median of all" in text
    assert "2 of 2 are above 0" in text
    assert "It is also the best by neighbourhood: with its neighbours its median is 0.30." in text
    assert "may be luck" not in text


def test_a_needle_is_called_one() -> None:
    values = [0.0, 9.0, 0.1, 0.2, 2.0, 2.1, 2.0, 0.3]
    text = said(planted(grid(n=range(8)), values, invalid={3: "because"}))
    assert "0 of 2 neighbours are better" in text
    assert "the best may be luck" in text
    assert "column 5 (n 5): 2.10 itself, and 2.00 as the median with its neighbours" in text
    assert "against 0.10 for the best." in text
    lone = said(planted(grid(n=range(4)), [5.0, 1, 2, 2], invalid={1: "because"}))
    assert "No column beside it has a value" in lone
    two = said(planted(grid(n=range(4)), [5.0, 1, 2, 2], invalid={2: "because"}))
    assert "Its neighbour has 1.00." in two


def test_a_drawdown_is_best_when_small() -> None:
    sweep = planted(
        grid(n=range(5)),
        range(5),
        metric="max_drawdown",
        max_drawdown=[0.5, 0.3, 0.1, 0.2, 0.6],
    )
    assert "The best has max drawdown 10.00% (n 2); the median of all 5 is 30.00%" in said(sweep)
    assert "are above 0" not in said(sweep)


@pytest.mark.parametrize(
    "sweep",
    [
        pytest.param(planted(grid(n=[1]), [0.5]), id="one column"),
        pytest.param(planted(grid(n=[1, 2]), [1, 2], not_run=[1]), id="one that ran"),
        pytest.param(planted([{"n": 1}, {"n": 1}], [1, 1]), id="copies"),
        pytest.param(planted(grid(word=["a", "b", "c"]), [1, 3, 2]), id="words"),
        pytest.param(planted(grid(n=range(50)), [np.nan] * 49 + [1]), id="one that traded"),
        pytest.param(
            planted(grid(expression=[f"close > {k}" for k in range(90)]), range(90)),
            id="expressions",
        ),
    ],
)
def test_odd_sweeps_have_a_report(sweep: Sweep) -> None:
    page = Page(sweep_report.render(sweep))
    assert page.loads == []
    assert "nan" not in page.text.split()
    assert "Sharpe ratio of the best" in page.text
    if np.isfinite(sweep.metrics["sharpe"]).sum() == 1:
        assert "The only column with a value" in page.text and len(page.figures) == 1


def test_nothing_finished_has_a_report_too() -> None:
    sweep = planted(grid(n=[1, 2, 3]), [1, 2, 3], invalid={0: "too small"}, not_run=[1, 2])
    page = Page(sweep_report.render(sweep))
    assert "None of the 3 columns has run." in page.text
    assert "too small" in page.text and sweep.bars.id in page.text
    assert page.figures == []


def test_what_stopped_it_leads_the_page() -> None:
    sweep = planted(grid(n=[1, 2, 3]), [1, 2, 3], not_run=[2])
    vars(sweep)["warnings"] = ("interrupted: 2 columns are finished, 1 are not",)
    words = Page(sweep_report.render(sweep)).words
    assert words.index("Read first") < words.index("Combinations")
    assert "Interrupted: 2 columns are finished, 1 are not." in words


def test_a_seen_price_leads_the_page() -> None:
    strategy, bars = load_strategy("sma_cross"), al.load("sp500", start="2015-01-01")
    some = al.sweep(strategy, bars, {"fill": ["next_open", "same_close"]})
    assert (
        "1 column with fill same_close: Trades at a price" in Page(sweep_report.render(some)).text
    )
    every = al.sweep(strategy, bars, {"fast": [5, 10]}, fill="same_close")
    words = Page(sweep_report.render(every)).words
    assert words.index("Trades at a price the decision has seen.") < words.index("Combinations")


def test_no_text_becomes_markup() -> None:
    figures = {"invalid": {1: EVIL}, "not_run": [2]}
    evil = planted(grid(**{EVIL: [EVIL, f"{EVIL} 2"], "n": [1, 2, 3]}), np.arange(6.0), **figures)
    clean = planted(grid(word=["a", "b"], n=[1, 2, 3]), np.arange(6.0), **figures)
    vars(evil)["warnings"] = vars(clean)["warnings"] = (EVIL,)
    vars(evil)["strategy"] = EVIL
    pages = [Page(sweep_report.render(sweep)) for sweep in (evil, clean)]
    tags = [[tag for tag, attrs in page.tags if attrs.get("class") != "long"] for page in pages]
    assert tags[0] == tags[1]
    assert pages[0].loads == [] and pages[0].text.count("alert(1)") >= 10
    for figure in pages[0].figures:
        shown = re.sub(r'"hovertemplate": "[^"]*"', "", str(figure))
        assert "<script" not in shown and "<img" not in shown


def test_it_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = planted(grid(n=[1, 2, 3]), [1, 3, 2])
    path = tmp_path / "made" / "sweep.html"
    assert sweep.to_html(path) == path
    assert path.read_text(encoding="utf-8") == sweep_report.render(sweep)

    def full_disk(self: Path, text: str, **_: object) -> None:
        self.write_bytes(text[:100].encode())
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(al.errors.InputError, match="No space left on device"):
        planted(grid(n=[1, 2]), [1, 3]).to_html(path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    with pytest.raises(al.errors.InputError, match="cannot write the report"):
        sweep.to_html(tmp_path)
