"""What a notebook shows."""

from __future__ import annotations

import pytest

import alphalab as al
from alphalab.data.samples.synthetic import synthetic

BARS = al.load("sp500", start="2016-01-01")


class Cross(al.Strategy):
    fast: int = 10

    def weights(self) -> al.Expr:
        return al.where(al.close.ts_mean(self.fast) > al.close.ts_mean(50), 1.0, 0.0)


def test_bars_show_their_symbols_and_notes() -> None:
    html = BARS._repr_html_()
    assert "SP500" in html and "2016-01-04" in html and f"{BARS.close[-1, 0]:,.6g}" in html
    assert "without dividends, and not tradable itself" in html
    many = synthetic(20, 12)._repr_html_()
    assert "... 12 in all" in many and "SYN11" not in many


def test_an_expression_is_a_tree() -> None:
    html = (al.close > al.close.ts_mean(10))._repr_html_()
    assert "close &gt; ts_mean(close, 10)" in html and "└ ts_mean 10" in html
    deep = al.close
    for _ in range(80):
        deep = deep + 1
    assert "..." in deep._repr_html_()


def test_a_verdict_lists_its_findings_with_remedies() -> None:
    bad = synthetic(300, 1, gap_frac=0.3)
    verdict = al.data.check(bad)
    html = verdict._repr_html_()
    assert verdict.findings and all(finding.rule in html for finding in verdict.findings)


def test_a_sweep_shows_its_best_columns() -> None:
    sweep = al.sweep(Cross, BARS, {"fast": [5, 10, 20]})
    html = sweep._repr_html_()
    assert html.index(">20<") != html.index(">5<") and "sharpe" in html
    best = sweep.table.sharpe.max()
    assert f"{best:.6f}" in html


def test_a_walk_forward_shows_its_folds() -> None:
    walk = al.walk_forward(Cross, BARS, {"fast": [5, 10]}, train=250, test=125)
    # The head of the table has two rows: its columns, and the name of its index.
    assert walk._repr_html_().count("<tr") == len(walk.folds) + 2


@pytest.mark.parametrize("thing", [BARS, al.close])
def test_words_from_outside_are_escaped(thing: object) -> None:
    bars = synthetic(5, 1)
    named = al.Bars(bars.time, ["<b>"], dict(bars.columns), source="<script>")
    assert "<script>" not in named._repr_html_() and "&lt;b&gt;" in named._repr_html_()
