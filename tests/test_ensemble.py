"""Votes of an ensemble, against loops over the cells; it is an expression like any other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from builders import panel

import alphalab as al
from alphalab.errors import AlphalabError, ParameterError
from alphalab.research.portfolio.ensemble import LEVELS, Ensemble, Votes

NAN = math.nan


def bars(n: int = 60, n_assets: int = 2) -> al.Bars:
    rng = np.random.default_rng(0)
    shape = n, n_assets
    columns = {
        "a": rng.uniform(-2, 2, shape),
        "b": np.where(rng.random(shape) < 0.3, NAN, rng.uniform(-1, 1, shape)),
        "c": np.where(rng.random(shape) < 0.3, NAN, rng.uniform(-1, 1, shape)),
        "state": rng.choice([0.0, 1.0, 2.0, NAN], shape),
        "stop": rng.choice([0.0, 1.0, NAN], shape, p=[0.8, 0.1, 0.1]),
    }
    return panel(100 * np.exp(rng.normal(0, 0.01, shape).cumsum(axis=0))).with_columns(columns)


BARS = bars()
MEMBERS = {name: f"column('{name}')" for name in "abc"}
VOTES = {"a": 1.0, "b": 2.0}
REGIMES = {"calm": {"a": 1.0, "c": 3.0}, "stressed": {"b": 1.0}}


def naive(ensemble: Ensemble) -> np.ndarray:
    weights = np.full(BARS.close.shape, NAN)
    for cell in np.ndindex(weights.shape):
        state = BARS["state"][cell]
        votes = ensemble.votes or dict.fromkeys(ensemble.members, 1.0)
        if ensemble.regime and state in range(len(ensemble.by_regime)):
            votes = list(ensemble.by_regime.values())[int(state)]
        total = counted = 0.0
        for name in ensemble.members:
            value = BARS[name][cell]
            if not math.isnan(value):
                total += votes.get(name, 0.0) * min(max(value, -1.0), 1.0)
                counted += votes.get(name, 0.0)
        if counted:
            score = total / counted
            _, _, weight = next(level for level in ensemble.levels if score >= level[1])
            weights[cell] = NAN if weight is None else weight
        if ensemble.veto and BARS["stop"][cell] == 1.0:
            weights[cell] = 0.0
    return weights


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"votes": VOTES},
        {"votes": VOTES, "by_regime": REGIMES, "regime": "column('state')"},
        {"by_regime": REGIMES, "regime": "column('state')", "veto": "column('stop')"},
        {"levels": (("up", 0.1, 0.7), ("down", -1.0, -0.3))},
    ],
    ids=str,
)
def test_the_weight_of_every_cell(options: dict[str, Any]) -> None:
    ensemble = Ensemble(members=MEMBERS, **options)
    found = al.evaluate(ensemble.weights(), BARS).to_numpy()
    np.testing.assert_array_equal(found, naive(ensemble))
    assert np.isfinite(found).any()


def test_it_is_an_expression_and_trades_as_its_text() -> None:
    ensemble = Ensemble(members=MEMBERS, votes=VOTES, veto="column('stop')")
    alone = al.backtest(ensemble, BARS)
    assert alone.digest == al.backtest(al.ExprStrategy(text=str(ensemble.weights())), BARS).digest
    assert alone.metrics["n_fills"] > 0
    assert not al.check_causality(ensemble, BARS, n_cuts=2).leaks


def test_who_voted_for_what_and_what_it_earned() -> None:
    ensemble = Ensemble(members=MEMBERS, votes=VOTES, veto="column('stop')")
    votes = Votes(ensemble, BARS)
    table = votes.table
    np.testing.assert_array_equal(table["a"], np.clip(BARS["a"], -1, 1).ravel())
    assert table["vetoed"].sum() == (BARS["stop"] == 1.0).sum()
    for score, level in zip(table["score"], table["level"], strict=True):
        expected = "" if math.isnan(score) else next(x[0] for x in LEVELS if score >= x[1])
        assert level == expected
    earned = votes.earned
    later = BARS.close[1:] / BARS.close[:-1] - 1
    b = BARS["b"][:-1]
    known = np.isfinite(b)
    assert earned["annual_return"]["b"] == pytest.approx(
        (b[known] * later[known]).mean() * BARS.periods_per_year
    )
    assert earned["voted"]["a"] == 1.0
    assert earned["agreed"]["score"] == 1.0
    alone = Votes(ensemble, BARS.select(["S0"])).table
    assert alone.index.name == "time"
    np.testing.assert_array_equal(alone["a"], np.clip(BARS["a"], -1, 1)[:, 0])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"members": {}}, "at least one"),
    ({"votes": {"d": 1.0}}, "members are a, b, c"),
    ({"votes": {"a": -1.0}}, "0 or more"),
    ({"votes": {"a": 0.0}}, "one of them counts more"),
    ({"by_regime": REGIMES}, "need the expression of the regime"),
    ({"regime": "column('state')"}, "need the expression of the regime"),
    ({"levels": ()}, "fall from the first"),
    ({"levels": (("a", 0.1, 1.0), ("b", 0.1, 0.0))}, "fall from the first"),
    ({"veto": "cloze > 1"}, "close"),
]


@pytest.mark.parametrize(("change", "text"), REFUSED)
def test_what_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(AlphalabError, match=text) as caught:
        Ensemble(**({"members": MEMBERS} | change))
    assert isinstance(caught.value, ParameterError) or "cloze" in str(caught.value)
