"""Scores of many factors equal the report's; worlds in which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from compare import assert_identical, assert_same

import alphalab as al
from alphalab.errors import ParameterError, UnknownNameError
from alphalab.research.factors.correlation import rank_ic
from alphalab.research.factors.forward import forward_returns
from alphalab.research.factors.inference import newey_west, standardised
from alphalab.research.factors.score import Refusal, Scorer, score_factors

TEXTS = [
    "-returns(close, 3)",
    "ts_mean(close, 5) / close",
    "cs_rank(volume)",
    "ts_corr(close, volume, 10)",
    "where(close > delay(close, 1), 1, 0)",
]


@pytest.fixture(scope="module")
def bars() -> al.Bars:
    return al.load("synthetic:rows=700,symbols=9,seed=4,bar=1d")


# ---- scores ----------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_score_is_the_mean_rank_ic(bars, horizon):
    returns = forward_returns(bars, horizon)
    for score in score_factors(TEXTS, bars, horizon=horizon):
        values = al.evaluate(score.name, bars).to_numpy()
        expected = newey_west(rank_ic(values, returns), horizon)
        assert_same(
            [score.rank_ic, score.std, score.n_rows], [expected.mean, expected.std, expected.n]
        )
        assert score.t == expected.t or score.refusal


def test_neither_company_nor_threads_nor_blocks_change_a_bit(bars):
    alone = [score_factors([text], bars)[0] for text in TEXTS]
    assert score_factors(TEXTS, bars) == alone
    assert score_factors(TEXTS * 40, bars, n_jobs=2)[: len(TEXTS)] == alone
    scorer = Scorer(bars)
    scorer._block = 13
    assert scorer.of_batch([(text, al.parse(text)) for text in TEXTS]) == alone
    ics = scorer.rank_ics([al.parse(text) for text in TEXTS])
    assert_same(np.nanmean(ics, axis=1), [score.rank_ic for score in alone], rtol=1e-12)


def test_a_wide_market_is_ranked_by_bits():
    """More assets than are ranked by comparison."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 20, 90))
    y[:, 80:] = np.nan
    assert_same(rank_ic(x, y), rank_ic(x[:, :64], y[:, :64]) * 0 + rank_ic(x[:, :80], y[:, :80]))


def test_few_known_cells_are_refused(bars):
    rare = "where(cs_rank(close) > 0.5, close, nan)"
    few, enough = score_factors([rare, "close"], bars)
    assert few.refusal is Refusal.COVERAGE and few.t == 0.0 and 0.3 < few.coverage < 0.6
    assert enough.refusal is Refusal.NONE and enough.coverage > 0.8
    (kept,) = score_factors([rare], bars, least_coverage=0.0)
    assert kept.refusal is Refusal.NONE and np.isfinite(kept.t)


def test_the_warm_up_is_no_missing_coverage():
    bars = al.load("synthetic:rows=400,symbols=5,seed=1,bar=1d,gaps=0")
    (score,) = score_factors(["ts_mean(close, 300)"], bars)
    assert score.coverage == 1.0


def test_a_constant_has_no_score(bars):
    scores = score_factors({"one": 1, "close": al.close}, bars)
    assert [score.refusal for score in scores] == [Refusal.CONSTANT, Refusal.NONE]


@pytest.mark.parametrize(
    ("call", "error", "part"),
    [
        (
            lambda b: score_factors(["close"], b.select([b.symbols[0]])),
            ParameterError,
            "one symbol",
        ),
        (lambda b: score_factors(["close"], b, horizon=700), ParameterError, "horizon 700"),
        (lambda b: score_factors(["close"], b, least_coverage=2), ParameterError, "least_coverage"),
        (lambda b: score_factors(["column('x')"], b), UnknownNameError, "column 'x'"),
        (lambda b: score_factors(["cs_neutralize(close, group('s'))"], b), UnknownNameError, "'s'"),
    ],
)
def test_wrong_input_is_refused(bars, call, error, part):
    with pytest.raises(error, match=part):
        call(bars)


# ---- a world with a truth --------------------------------------------------------------------


@pytest.mark.parametrize("text", ["-returns(close, 2)", "cs_neutralize(volume, group('sector'))"])
def test_what_is_planted_is_found(text):
    strength = 0.15
    world = al.planted(text, strength, n_rows=600, n_assets=15, seed=4)
    truth, other = score_factors([text, "ts_mean(low / high, 7)"], world)
    assert abs(truth.rank_ic - strength) < 0.05 and truth.t > 8
    assert abs(other.t) < 3.5


def test_a_planted_world_is_the_factor_of_its_own_bars():
    """What drove a row is what the factor says of the bars up to the row before."""
    text = "ts_zscore(close, 10)"
    world = al.planted(text, 0.9, n_rows=60, n_assets=8, seed=1)
    z = standardised(al.evaluate(text, world).to_numpy())
    moves = np.log(world.close / world.open)
    known = np.flatnonzero(np.isfinite(z).all(axis=1))[:-1]
    r = [np.corrcoef(z[t], moves[t + 1])[0, 1] for t in known]
    assert np.mean(r) > 0.8


def test_worlds_are_functions_of_their_seed():
    world = al.planted("volume", 0.1, n_rows=50, seed=5)
    assert world == al.planted("volume", 0.1, n_rows=50, seed=5)
    assert world != al.planted("volume", 0.1, n_rows=50, seed=6)
    assert al.null(world, 1) == al.null(world, 1) != al.null(world, 2)
    assert "correlation of 0.1" in str(world.notes[0])


def test_longer_worlds_begin_alike():
    short, long = (al.planted("-delta(close, 1)", 0.2, n_rows=n, seed=2) for n in (40, 80))
    assert_identical(long.close[:40], short.close)


def test_no_strength_is_noise():
    world = al.planted("-returns(close, 2)", 0.0, n_rows=800, n_assets=12, seed=9)
    assert abs(score_factors(["-returns(close, 2)"], world)[0].t) < 3.5


@pytest.mark.parametrize(
    ("call", "error", "part"),
    [
        (lambda: al.planted("close", 1.5), ParameterError, "strength"),
        (lambda: al.planted("close", 0.1, n_rows=1), ParameterError, "n_rows"),
        (lambda: al.planted("close", 0.1, n_assets=1), ParameterError, "n_assets"),
        (lambda: al.planted("close", 0.1, seed=-1), ParameterError, "seed"),
        (lambda: al.planted("column('x')", 0.1), UnknownNameError, "column 'x'"),
        (lambda: al.null(al.load("sp500")), ParameterError, "one symbol"),
    ],
)
def test_a_world_that_cannot_be_is_refused(call, error, part):
    with pytest.raises(error, match=part):
        call()


# ---- a world without one ---------------------------------------------------------------------


def test_the_null_keeps_the_market_and_its_tails(bars):
    shuffled = al.null(bars, seed=7)
    assert shuffled.symbols == bars.symbols and (shuffled.time == bars.time).all()
    assert (np.isnan(shuffled.close) == np.isnan(bars.close)).all()

    def moves(b: al.Bars) -> np.ndarray:
        table = b.to_frame()["close"].ffill()
        own = (table / table.shift() - 1).to_numpy()
        return np.sort(np.where(np.isnan(b.close), np.nan, own), axis=1)

    assert_same(moves(shuffled), moves(bars), rtol=1e-9, atol=1e-12)
    assert_identical(shuffled.volume, bars.volume)
    first = bars.close[np.isfinite(bars.close).argmax(axis=0), range(bars.n_symbols)]
    assert_identical(shuffled.close[np.isfinite(bars.close).argmax(axis=0), range(9)], first)


def test_the_null_ends_what_was_planted():
    world = al.planted("-returns(close, 1)", 0.3, n_rows=500, seed=1)
    real, none = (score_factors(["-returns(close, 1)"], b)[0].t for b in (world, al.null(world)))
    assert real > 10 and abs(none) < 3.5


def test_the_null_adjusts_for_splits():
    import pandas as pd

    days = pd.bdate_range("2024-01-02", periods=5)
    closes = pd.DataFrame({"A": [10.0, 11, 12, 6, 6], "B": [5.0, 5, 5, 5, 5]}, index=days)
    bars = al.Bars.from_closes(closes, label="session", calendar="XNYS")
    split = bars.with_actions(pd.DataFrame({"ex_date": [days[3]], "symbol": ["A"], "split": [2.0]}))
    moves = al.null(split).close[3] / al.null(split).close[2]
    assert_same(np.sort(moves), [1.0, 1.0], rtol=1e-12)
    ends = split.with_delistings(pd.DataFrame({"time": [days[4]], "symbol": ["B"], "price": [5.0]}))
    with pytest.raises(ParameterError, match="delistings"):
        al.null(ends)
