"""The analysis of factors against alphalens, scipy, statsmodels and pandas; and its refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from compare import assert_same
from scipy import stats

import alphalab as al
from alphalab.errors import ExprError, ParameterError, UnknownNameError
from alphalab.research.factors.analysis import Analysis
from alphalab.research.factors.correlation import pearson_ic, rank_ic
from alphalab.research.factors.forward import forward_returns
from alphalab.research.factors.inference import newey_west, residuals, slopes, standardised
from alphalab.research.factors.quantiles import rank_autocorrelation, turnover
from alphalab.research.factors.report import FactorReport

SECTORS = ("a", "b", "a", "b", "c", "a", "b", "a", "b", "a", "b", "a")


def market(n_rows: int = 300, n_assets: int = 12, seed: int = 2, gaps: bool = False) -> al.Bars:
    """Daily bars whose returns follow the column ``signal`` a little."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_rows, n_assets))
    steps = 0.02 * rng.normal(size=(n_rows, n_assets))
    steps[2:] += 0.004 * signal[:-2]
    opens = 50.0 * np.exp(np.cumsum(steps, axis=0))
    closes = opens * np.exp(0.002 * rng.normal(size=opens.shape))
    if gaps:
        hole = rng.random(opens.shape) < 0.05
        opens[hole] = closes[hole] = np.nan
        signal[rng.random(opens.shape) < 0.05] = np.nan
    columns = {
        "open": opens,
        "high": np.maximum(opens, closes),
        "low": np.minimum(opens, closes),
        "close": closes,
        "volume": np.where(np.isnan(opens), np.nan, 1e6),
        "signal": signal,
    }
    days = pd.bdate_range("2020-01-01", periods=n_rows)
    time = (days + pd.Timedelta(hours=21)).to_numpy()
    symbols = [f"S{j}" for j in range(n_assets)]
    instruments = [
        al.Instrument(symbol=s, currency="USD", groups={"sector": SECTORS[j % len(SECTORS)]})
        for j, s in enumerate(symbols)
    ]
    return al.Bars(time, symbols, columns, instruments=instruments, periods_per_year=252)


@pytest.fixture(scope="module")
def bars() -> al.Bars:
    return market()


@pytest.fixture(scope="module")
def report(bars: al.Bars) -> FactorReport:
    return al.factor_report(
        {"signal": "column('signal')", "reversal": al.factors.reversal(5)},
        bars,
        horizons=(1, 5),
        quantiles=4,
        groups="sector",
        costs=al.Costs(fee_bps=1),
        known={"momentum": al.factors.momentum(20, 2)},
    )


@pytest.fixture(scope="module")
def alphalens():  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("alphalens")


# ---- forward returns -------------------------------------------------------------------------


def test_returns_run_from_the_next_open(bars):
    for h in (1, 5):
        opens = pd.DataFrame(bars.open)
        expected = opens.shift(-1 - h) / opens.shift(-1) - 1
        assert_same(forward_returns(bars, h), expected, rtol=1e-12)


def test_the_price_that_was_seen_is_not_traded():
    """A close that is wrong for one row predicts nothing, since nobody can trade at it."""
    rng = np.random.default_rng(0)
    bars = market()
    error = np.exp(0.05 * rng.normal(size=bars.close.shape))
    columns = dict(bars.columns)
    columns["close"] = bars.close * error
    columns["high"] = np.maximum(columns["high"], columns["close"])
    columns["low"] = np.minimum(columns["low"], columns["close"])
    wrong = al.Bars(bars.time, bars.symbols, columns, periods_per_year=252)
    seen = np.full(wrong.close.shape, np.nan)
    seen[:-1] = wrong.close[1:] / wrong.close[:-1] - 1
    factor = -al.evaluate("returns(close, 1)", wrong).to_numpy()
    assert newey_west(rank_ic(factor, seen), 1).t > 20
    assert abs(newey_west(rank_ic(factor, forward_returns(wrong, 1)), 1).t) < 4


def test_splits_and_delistings_are_returns():
    days = pd.bdate_range("2024-01-02", periods=6)
    closes = pd.DataFrame(
        {"A": [10.0, 10, 10, 5, 5, 5], "B": [8.0, 8, 8, None, None, None]}, index=days
    )
    plain = al.Bars.from_closes(closes, label="session", calendar="XNYS")
    split = plain.with_actions(
        pd.DataFrame({"ex_date": [days[3]], "symbol": ["A"], "split": [2.0]})
    )
    assert_same(forward_returns(split, 1)[:4, 0], [0.0] * 4, atol=1e-15)
    ends = pd.DataFrame({"time": [days[3]], "symbol": ["B"], "price": [2.0]})
    gone = plain.with_delistings(ends)
    assert_same(forward_returns(gone, 1)[:3, 1], [0.0, -0.75, np.nan])
    assert np.isnan(forward_returns(plain, 1)[1, 1])


# ---- correlations ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_assets", [2, 7, 64, 65, 90])
def test_correlations_equal_scipy(n_assets):
    rng = np.random.default_rng(n_assets)
    x, y = rng.normal(size=(2, 40, n_assets))
    x[:, : n_assets // 2] = np.round(x[:, : n_assets // 2])  # ties
    x[rng.random(x.shape) < 0.1], y[rng.random(x.shape) < 0.1] = np.nan, np.nan
    x[3], y[4], x[5, 1:], x[6, 0] = 1.0, -0.0, np.nan, np.inf
    for ours, theirs in ((rank_ic(x, y), stats.spearmanr), (pearson_ic(x, y), stats.pearsonr)):
        for t in range(len(x)):
            known = np.isfinite(x[t]) & np.isfinite(y[t])
            a, b = x[t, known], y[t, known]
            if known.sum() < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
                assert np.isnan(ours[t])
            else:
                assert_same(ours[t], theirs(a, b).statistic, rtol=1e-12, atol=1e-13)


def test_rank_ic_equals_alphalens(alphalens, report):
    """alphalens ranks the cells that are known for every horizon, so the last rows are left out."""
    data = report.to_alphalens("signal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = alphalens.performance.factor_information_coefficient(data)
    ours = report.rank_ic["signal"]
    n = len(theirs)
    assert n == len(ours) - 6
    assert_same(ours[:n][[1, 5]], theirs[["1D", "5D"]], rtol=0.0, atol=1e-12)


def test_with_gaps_rank_ic_equals_alphalens(alphalens):
    bars = market(gaps=True)
    report = al.factor_report("column('signal')", bars, horizons=(1,), quantiles=3, known={})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = alphalens.performance.factor_information_coefficient(report.to_alphalens())
    ours = report.rank_ic["factor"][1].dropna()
    assert_same(ours, theirs["1D"].dropna(), rtol=0.0, atol=1e-12)


def test_alphalens_cleans_to_the_same(alphalens, bars, report):
    """The data that alphalens makes of the next opens is the data that we hand over.

    The last row has no next open; alphalens would fill it with the one before.
    """
    values = pd.DataFrame(
        report.factors["signal"].values,
        index=pd.DatetimeIndex(bars.time.astype("M8[ns]")).normalize(),
        columns=bars.symbols,
    )
    prices = pd.DataFrame(bars.open, index=values.index, columns=bars.symbols).shift(-1).iloc[:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = alphalens.utils.get_clean_factor_and_forward_returns(
            values.stack(), prices, quantiles=4, periods=(1, 5), max_loss=1.0
        )
    ours = report.to_alphalens("signal")
    assert list(ours.index) == list(theirs.index)
    for name in ("1D", "5D", "factor"):
        assert_same(ours[name], theirs[name], rtol=0.0, atol=1e-12)
    assert (ours["factor_quantile"] == theirs["factor_quantile"]).all()


@pytest.mark.slow
def test_all_tear_sheets_of_alphalens_run(alphalens, report):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alphalens.plotting.plt.show = lambda *_, **__: None
        data = report.to_alphalens("signal")
        alphalens.tears.create_full_tear_sheet(data, by_group=True)
        alphalens.tears.create_summary_tear_sheet(data)
    plt.close("all")


def test_quantile_returns_equal_alphalens(alphalens, report):
    data = report.to_alphalens("signal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        means, _ = alphalens.performance.mean_return_by_quantile(data, by_date=True, demeaned=False)
    ours = report.factors["signal"].quantile_returns[1]
    theirs = means["1D"].unstack(0).to_numpy()
    assert_same(ours[: len(theirs)], theirs, rtol=1e-10, atol=1e-12)


def test_turnover_and_autocorrelation_equal_alphalens(alphalens, report):
    data = report.to_alphalens("signal")
    one = report.factors["signal"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = alphalens.performance.quantile_turnover(data["factor_quantile"], 4, 1)
        auto = alphalens.performance.factor_rank_autocorrelation(data, 1)
    ours = turnover(one.buckets, 4, 1)[: len(theirs)]
    assert_same(ours[1:], theirs.to_numpy()[1:], rtol=1e-12)
    ours = rank_autocorrelation(one.values, 1)[: len(auto)]
    assert_same(ours[1:], auto.to_numpy()[1:], rtol=0.0, atol=1e-12)


# ---- inference -------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 8])
def test_newey_west_equals_statsmodels(horizon):
    api = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    x = 0.1 + rng.normal(size=200)
    x[1:] += 0.5 * x[:-1]
    x[17] = np.nan
    known = x[np.isfinite(x)]
    lags = {1: 4, 8: 7}[horizon]
    fit = api.OLS(known, np.ones(known.size)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    found = newey_west(x, horizon)
    assert_same([found.t, found.p], [fit.tvalues[0], fit.pvalues[0]], rtol=1e-9)
    assert found.n == 199


def test_overlap_widens_the_error():
    rng = np.random.default_rng(4)
    steps = 0.05 + rng.normal(size=3000)
    overlapping = pd.Series(steps).rolling(21).mean().dropna().to_numpy()
    naive = overlapping.mean() / overlapping.std(ddof=1) * np.sqrt(overlapping.size)
    assert newey_west(overlapping, 21).t < naive / 2.5


@pytest.mark.parametrize("n", [0, 1, 5])
def test_few_rows_have_no_t(n):
    found = newey_west(np.arange(float(n)), 1)
    assert np.isnan(found.t) and found.n == n


def test_slopes_are_regressions_of_rows():
    rng = np.random.default_rng(5)
    a, b, y = rng.normal(size=(3, 30, 9))
    a[4, 2], y[5, 3] = np.nan, np.nan
    found = slopes([a, b], y)
    for t in range(30):
        frame = pd.DataFrame({"a": a[t], "b": b[t]})
        frame = (frame - frame.mean()) / frame.std()
        frame["y"] = y[t]
        frame = frame.dropna()
        design = np.column_stack([np.ones(len(frame)), frame[["a", "b"]]])
        expected = np.linalg.lstsq(design, frame["y"], rcond=None)[0][1:]
        assert_same(found[t], expected, rtol=1e-9)
    assert np.isnan(slopes([a, 2 * a], y)).all()  # no line: they depend on each other


def test_residuals_have_nothing_of_the_known():
    rng = np.random.default_rng(6)
    known = standardised(rng.normal(size=(20, 12)))
    mixed = 0.7 * known + 0.1 * rng.normal(size=known.shape)
    rest = residuals(mixed, [known])
    assert_same(pearson_ic(rest, known), np.zeros(20), atol=1e-10)
    assert np.isnan(residuals(3 * known + 1, [known])).all()


# ---- the report ------------------------------------------------------------------------------


def test_a_signal_is_found_and_noise_is_not(report):
    table = report.summary
    assert table.loc[("signal", 1), "t"] > 5
    assert abs(table.loc[("reversal", 1), "t"]) < 3
    assert table.loc[("signal", 1), "spread"] > 0
    assert (table["coverage"] == 1.0).all()
    decay = report.decay.loc["signal", "rank_ic"]
    assert decay[1] > decay[10]
    assert report.fama_macbeth.loc[("signal", 1), "t"] > 5
    assert report.orthogonal.loc[("signal", 1), "t"] > 5


def test_years_and_groups_are_parts(bars, report):
    years = report.by_year.loc["signal"]
    whole = report.summary.loc[("signal", 1)]
    weighted = (years["rank_ic"] * years["rows"]).sum() / years["rows"].sum()
    assert_same(weighted, whole["rank_ic"], rtol=1e-12)
    members = [j for j, x in enumerate(bars.instruments) if x.groups["sector"] == "b"]
    one = report.factors["signal"]
    inside = rank_ic(one.values[:, members], forward_returns(bars, 1)[:, members])
    assert_same(report.by_group.loc[("signal", "b", 1), "rank_ic"], np.nanmean(inside), rtol=1e-12)
    assert np.isnan(report.by_group.loc[("signal", "c", 1), "rank_ic"])  # one asset


def test_long_short_is_the_backtest_of_its_weights(bars, report):
    weights = "cs_scale(cs_demean(cs_rank(column('signal'))))"
    alone = al.backtest(al.ExprStrategy(text=weights), bars, costs=al.Costs(fee_bps=1))
    assert report.factors["signal"].long_short.digest == alone.digest
    assert report.long_short.loc["sharpe", "signal"] == alone.metrics["sharpe"]


def test_correlations_with_others(report):
    table = report.correlations
    assert list(table.columns) == ["signal", "reversal", "momentum"]
    assert_same(np.diag(table[["signal", "reversal"]]), [1.0, 1.0], rtol=1e-12)
    assert table.loc["reversal", "momentum"] < -0.2


def test_the_page_is_one_file(report, tmp_path):
    path = report.to_html(tmp_path / "factors.html")
    text = path.read_text()
    for part in ("Fama-MacBeth", "Decay", "By sector", "Long-short after costs", "Newey-West"):
        assert part in text
    assert "http://" not in text.split("</style>")[0]


def test_plain_data_is_json(report):
    import json

    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["factors"]["signal"] == "column('signal')"
    assert {"summary", "decay", "quantiles", "by_group", "correlations"} <= plain.keys()


def test_figures_and_reprs(report):
    assert len(report.plot("reversal").data) > 3
    assert "signal rank IC" in repr(report) and "<table" in report._repr_html_()
    assert len(report.ic) == len(report.rank_ic) == len(report.bars)


def test_blocks_of_rows_change_nothing(bars, report):
    one: Analysis = report.factors["signal"]
    parts = [one.returns[1].rank_ic(one.values[i : i + 37], i)[0] for i in range(0, len(bars), 37)]
    assert (np.concatenate(parts)[:-2] == one.rank_ic[1][:-2]).all()


# ---- wrong input -----------------------------------------------------------------------------


def few_known() -> al.Bars:
    bars = market()
    rare = np.where(np.random.default_rng(1).random(bars.close.shape) < 0.1, 1.0, np.nan)
    return bars.with_columns({"rare": rare * bars["signal"]})


def still() -> al.Bars:
    bars = market()
    columns = {name: np.full(bars.close.shape, 7.0) for name in bars.columns}
    return al.Bars(bars.time, bars.symbols, columns | {"signal": bars["signal"]})


@pytest.mark.parametrize(
    ("call", "error", "part"),
    [
        (lambda b: al.factor_report("close", b.select(["S0"])), ParameterError, "one symbol"),
        (lambda b: al.factor_report("close", b, horizons=(300,)), ParameterError, "at most 298"),
        (lambda b: al.factor_report("close", b, horizons=()), ParameterError, "horizons="),
        (lambda b: al.factor_report("close", b, horizons=(0,)), ParameterError, "at least 1"),
        (lambda b: al.factor_report("close", b, quantiles=13), ParameterError, "symbols, 12"),
        (lambda b: al.factor_report("clse", b), UnknownNameError, "close"),
        (lambda b: al.factor_report("column('sgnal')", b), UnknownNameError, "signal"),
        (lambda b: al.factor_report("close", b, groups="industry"), UnknownNameError, "sector"),
        (lambda b: al.factor_report({}, b), ParameterError, "at least one factor"),
        (lambda b: al.factor_report("1", b), ParameterError, "equal for all assets"),
        (lambda b: al.factor_report("ts_mean(close, 900)", b), ParameterError, "known after 899"),
        (lambda b: al.factor_report("column('signal')", still()), ParameterError, "returns of all"),
        (lambda b: al.factor_report(b, "close"), (ParameterError, ExprError), "factor_report"),
        (lambda b: al.factor_report("close", b, known={}).by_group, ParameterError, "groups"),
        (lambda b: al.factor_report("close", b, known={}).plot("x"), UnknownNameError, "factor"),
    ],
)
def test_wrong_input_is_refused(bars, call, error, part):
    with pytest.raises(error, match=part):
        call(bars)


def test_a_factor_that_is_rarely_known_is_remarked():
    report = al.factor_report("column('rare')", few_known(), horizons=(1,), known={})
    assert any("known in 10% of the cells" in remark for remark in report.remarks)


# ---- the command -----------------------------------------------------------------------------

DATA = "synthetic:rows=400,symbols=6,seed=3,bar=1d"


def test_the_command_prints_and_writes(cli, tmp_path):
    path = tmp_path / "factor.html"
    run = cli(
        "factor",
        "momentum",
        "r=-returns(close, 5)",
        "--data",
        DATA,
        "--quantiles",
        3,
        "--report",
        path,
    )
    assert run.code == 0, run.err
    assert "r " in run.out and "rank IC" in run.out and path.exists()
    assert "momentum: long-short after costs" in run.out


def test_the_command_speaks_json(cli):
    run = cli(
        "factor", "close.delta(3)", "--data", DATA, "--quantiles", 3, "--horizons", "1,2", "--json"
    )
    assert run.object["schema"] == "alphalab.factor/1"
    assert run.object["horizons"] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("close", "--horizons", "1;2"), "--horizons"),
        (("close", "--groups", "sector"), "group"),
        (("a=close", "a=open"), "twice"),
        (("momentun",), "momentun"),
        (("alpha101.alpha200",), "alpha200"),
    ],
)
def test_the_command_refuses(cli, arguments, part):
    run = cli("factor", *arguments, "--data", DATA, "--quantiles", 3)
    assert run.code == 2 and part in run.err and "Traceback" not in run.err


def test_libraries_are_listed_and_shown(cli):
    assert "alpha101" in cli("factors", "list").out
    assert "alpha42" in cli("factors", "list", "alpha101").out
    shown = cli("factors", "show", "momentum")
    assert "n=252, skip=21" in shown.out and "Jegadeesh" in shown.out
    found = cli("factors", "show", "alpha101.alpha42", "--json").object
    assert found["words"] == {"vwap": "(high + low + close) / 3"}
    assert cli("factors", "show", "OPEN0").code == 2
    assert len(cli("factors", "list", "--json").object["libraries"]) == 4
