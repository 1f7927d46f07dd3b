"""Libraries of factors: every text against a twin in pandas, and files that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import factor_twin
import numpy as np
import pandas as pd
import pytest
from compare import assert_same

import alphalab as al
from alphalab.errors import AlphalabError, ExprError, InputError, ParameterError, UnknownNameError
from alphalab.expr.plan import Plan
from alphalab.types import Instrument

ROWS, ASSETS = 330, 8
LABELS = {
    "sector": np.array(list("aaaabbbb")),
    "industry": np.array(list("aaccbbdd")),
    "subindustry": np.array(list("aaccbbbd")),
}
INSTRUMENTS = [
    Instrument(symbol=f"S{j}", groups={label: str(codes[j]) for label, codes in LABELS.items()})
    for j in range(ASSETS)
]


def market(n_rows: int = ROWS, seed: int = 1) -> dict[str, np.ndarray]:
    """Columns of walks with ranges and volumes; an asset is listed late, and a cell is unknown."""
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(0.02 * rng.normal(size=(n_rows, ASSETS)), axis=0))
    start = close * np.exp(0.01 * rng.normal(size=close.shape))
    reach = 1.0 + 0.01 * rng.random((2, *close.shape))
    columns = {
        "open": start,
        "high": np.maximum(start, close) * reach[0],
        "low": np.minimum(start, close) / reach[1],
        "close": close,
        "volume": np.exp(10.0 + rng.normal(size=close.shape)),
        "cap": close * 1e6 * np.arange(1, ASSETS + 1),
    }
    for values in columns.values():
        values[:9, -1] = np.nan
        values[20, 2] = np.nan
    return columns


COLUMNS = market()
TYPICAL = (COLUMNS["high"] + COLUMNS["low"] + COLUMNS["close"]) / 3
DOLLARS = COLUMNS["close"] * COLUMNS["volume"]


def values(exprs: dict, columns: dict[str, np.ndarray] = COLUMNS) -> dict[str, np.ndarray]:
    plan = Plan(exprs, INSTRUMENTS, capacity=len(columns["close"]))
    return plan.run(columns, len(columns["close"]))


# ---- WorldQuant ------------------------------------------------------------------------------


def twin(number: int, noise: int | None = None) -> np.ndarray:
    rng = None if noise is None else np.random.default_rng(noise)
    words = factor_twin.Words(COLUMNS | {"vwap": TYPICAL}, LABELS, DOLLARS, rng)
    return words(factor_twin.formulas()[number])


@pytest.fixture(scope="module")
def alphas() -> dict[str, np.ndarray]:
    return values(al.factors.alpha101())


#: Largest share of cells that rounding decides: alpha 45 ranks correlations of two rows, 1 or -1.
ROUNDED = {15: 0.2, 45: 0.8, 96: 0.2}


@pytest.mark.parametrize("number", range(1, 102))
def test_alpha101_equals_the_paper(alphas, number):
    """Every cell is equal, or has no true value: noise of 1e-13 in a window changes it as well.

    Such cells rank or compare numbers that are equal in truth, such as correlations of ranks.
    """
    ours, expected = alphas[f"alpha{number}"], twin(number)
    assert_same(np.isnan(ours), np.isnan(expected))
    known = ~np.isnan(expected)
    assert known[-1].sum() >= ASSETS // 2
    far = known & ~close_to(ours, expected)
    assert far.sum() <= ROUNDED.get(number, 0.1) * known.sum()
    for noise in range(30):
        if not far.any():
            return
        far &= close_to(twin(number, noise), expected)
    assert not far.any(), f"{far.sum()} cells differ, first at {np.argwhere(far)[0]}"


def close_to(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.isclose(a, b, rtol=1e-7, atol=1e-9, equal_nan=True)


def test_a_wrong_formula_differs(alphas):
    for number, wrong in ((9, "-1 * delta(close, 2)"), (6, "-1 * correlation(open, volume, 9)")):
        words = factor_twin.Words(COLUMNS, LABELS, DOLLARS)
        expected = words(wrong)
        assert (~close_to(alphas[f"alpha{number}"], expected)).mean() > 0.5


def test_words_take_the_place_of_others():
    expr = al.factors.alpha101(41, vwap=al.column("vwap"))
    assert str(expr) == "(high * low) ** 0.5 - column('vwap')"
    units = al.factors.alpha101(7, traded="volume")
    assert str(units).startswith("where(ts_mean(volume, 20) < volume")
    all_alike = al.factors.alpha101(
        sector="group('s')", industry="group('s')", subindustry="group('s')"
    )
    assert "group('s')" in str(all_alike["alpha58"]) and len(all_alike) == 101


# ---- qlib ------------------------------------------------------------------------------------

OPEN, HIGH, LOW, CLOSE, VOLUME = (
    pd.DataFrame(COLUMNS[name]) for name in ("open", "high", "low", "close", "volume")
)
EPS = 1e-12


def line(x: pd.DataFrame, n: int, of: Callable[..., float]) -> pd.DataFrame:
    """Apply a function to slope, intercept and values of the regressions on 1 .. n."""
    t = np.arange(1.0, n + 1.0)
    return x.rolling(n).apply(lambda w: of(*np.polyfit(t, w, 1), w, t), raw=True)


def rsquare(slope, intercept, w, t):
    return 1.0 - ((w - slope * t - intercept) ** 2).sum() / ((w - w.mean()) ** 2).sum()


def last_place(x: pd.DataFrame, n: int, sign: float) -> pd.DataFrame:
    """Return the place of the extreme in the window, 1 to n; of equal ones the last."""
    return x.rolling(n).apply(lambda w: n - np.argmax(sign * w[::-1]), raw=True)


def gains(x: pd.DataFrame, n: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    d = x.diff()
    up, down = d.clip(lower=0.0).where(d.notna()), (-d).clip(lower=0.0).where(d.notna())
    return up.rolling(n).sum(), down.rolling(n).sum(), d.abs().rolling(n).sum() + EPS


def share(x: pd.DataFrame, n: int) -> pd.DataFrame:
    return x.astype(float).where(CLOSE.diff().notna()).rolling(n).mean()


ROLLING: dict[str, Callable[[int], pd.DataFrame]] = {
    "ROC": lambda n: CLOSE.shift(n) / CLOSE,
    "MA": lambda n: CLOSE.rolling(n).mean() / CLOSE,
    "STD": lambda n: CLOSE.rolling(n).std() / CLOSE,
    "BETA": lambda n: line(CLOSE, n, lambda slope, *_: slope) / CLOSE,
    "RSQR": lambda n: line(CLOSE, n, rsquare),
    "RESI": lambda n: line(CLOSE, n, lambda a, b, w, t: w[-1] - a * n - b) / CLOSE,
    "MAX": lambda n: HIGH.rolling(n).max() / CLOSE,
    "MIN": lambda n: LOW.rolling(n).min() / CLOSE,
    "QTLU": lambda n: CLOSE.rolling(n).quantile(0.8) / CLOSE,
    "QTLD": lambda n: CLOSE.rolling(n).quantile(0.2) / CLOSE,
    "RANK": lambda n: CLOSE.rolling(n).rank(pct=True),
    "RSV": lambda n: (
        (CLOSE - LOW.rolling(n).min()) / (HIGH.rolling(n).max() - LOW.rolling(n).min() + EPS)
    ),
    "IMAX": lambda n: last_place(HIGH, n, 1.0) / n,
    "IMIN": lambda n: last_place(LOW, n, -1.0) / n,
    "IMXD": lambda n: (last_place(HIGH, n, 1.0) - last_place(LOW, n, -1.0)) / n,
    "CORR": lambda n: CLOSE.rolling(n).corr(np.log(VOLUME + 1)),
    "CORD": lambda n: (CLOSE / CLOSE.shift()).rolling(n).corr(np.log(VOLUME / VOLUME.shift() + 1)),
    "CNTP": lambda n: share(CLOSE.diff() > 0, n),
    "CNTN": lambda n: share(CLOSE.diff() < 0, n),
    "CNTD": lambda n: share(CLOSE.diff() > 0, n) - share(CLOSE.diff() < 0, n),
    "SUMP": lambda n: gains(CLOSE, n)[0] / gains(CLOSE, n)[2],
    "SUMN": lambda n: gains(CLOSE, n)[1] / gains(CLOSE, n)[2],
    "SUMD": lambda n: (gains(CLOSE, n)[0] - gains(CLOSE, n)[1]) / gains(CLOSE, n)[2],
    "VMA": lambda n: VOLUME.rolling(n).mean() / (VOLUME + EPS),
    "VSTD": lambda n: VOLUME.rolling(n).std() / (VOLUME + EPS),
    "WVMA": lambda n: weighted(n).std() / (weighted(n).mean() + EPS),
    "VSUMP": lambda n: gains(VOLUME, n)[0] / gains(VOLUME, n)[2],
    "VSUMN": lambda n: gains(VOLUME, n)[1] / gains(VOLUME, n)[2],
    "VSUMD": lambda n: (gains(VOLUME, n)[0] - gains(VOLUME, n)[1]) / gains(VOLUME, n)[2],
}


def weighted(n: int) -> pd.api.typing.Rolling:
    return ((CLOSE / CLOSE.shift() - 1).abs() * VOLUME).rolling(n)


TOP, BOTTOM, RANGE = np.maximum(OPEN, CLOSE), np.minimum(OPEN, CLOSE), HIGH - LOW + EPS
CANDLES = {
    "KMID": (CLOSE - OPEN) / OPEN,
    "KLEN": (HIGH - LOW) / OPEN,
    "KMID2": (CLOSE - OPEN) / RANGE,
    "KUP": (HIGH - TOP) / OPEN,
    "KUP2": (HIGH - TOP) / RANGE,
    "KLOW": (BOTTOM - LOW) / OPEN,
    "KLOW2": (BOTTOM - LOW) / RANGE,
    "KSFT": (2 * CLOSE - HIGH - LOW) / OPEN,
    "KSFT2": (2 * CLOSE - HIGH - LOW) / RANGE,
    "OPEN0": OPEN / CLOSE,
    "HIGH0": HIGH / CLOSE,
    "LOW0": LOW / CLOSE,
    "VWAP0": (HIGH + LOW + CLOSE) / 3 / CLOSE,
}


@pytest.fixture(scope="module")
def fields() -> dict[str, np.ndarray]:
    return values(al.factors.alpha158())


def test_alpha158_has_the_names_of_qlib(fields):
    rolling = [f"{name}{n}" for name in ROLLING for n in (5, 10, 20, 30, 60)]
    assert list(fields) == [*CANDLES, *rolling]
    assert len(fields) == 158


@pytest.mark.parametrize("name", CANDLES)
def test_alpha158_candles(fields, name):
    assert_same(fields[name], CANDLES[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ROLLING)
def test_alpha158_windows(fields, name):
    for n in (5, 60):  # every n is the same text
        assert_same(fields[f"{name}{n}"], ROLLING[name](n), rtol=1e-6, atol=1e-8)


def test_alpha360_is_the_last_sixty_rows():
    fields = values(al.factors.alpha360())
    assert len(fields) == 360
    for name, x, unit in (
        ("CLOSE", CLOSE, CLOSE),
        ("OPEN", OPEN, CLOSE),
        ("HIGH", HIGH, CLOSE),
        ("LOW", LOW, CLOSE),
    ):
        for lag in (0, 1, 59):
            assert_same(fields[f"{name}{lag}"], x.shift(lag) / unit, rtol=1e-12)
    for lag in (0, 59):
        assert_same(fields[f"VOLUME{lag}"], VOLUME.shift(lag) / (VOLUME + EPS), rtol=1e-12)
        assert_same(fields[f"VWAP{lag}"], ((HIGH + LOW + CLOSE) / 3).shift(lag) / CLOSE, rtol=1e-12)


# ---- the literature --------------------------------------------------------------------------

R = CLOSE.pct_change(fill_method=None)
MARKET = pd.DataFrame(np.repeat(R.mean(axis=1).to_numpy()[:, None], ASSETS, axis=1)).where(
    R.notna()
)
_rng = np.random.default_rng(5)
THREE = {
    name: np.repeat(0.01 * _rng.normal(size=(ROWS, 1)), ASSETS, axis=1)
    for name in ("mkt", "smb", "hml")
}
FUNDAMENTALS = {
    name: np.abs(_rng.normal(size=(ROWS, ASSETS))) + 1.0
    for name in ("book", "earnings", "gross_profit", "assets")
}
CAP = pd.DataFrame(COLUMNS["cap"])


def regression(column: int, n: int) -> np.ndarray:
    """Return the slope on one of three factors, by least squares window by window."""
    out = np.full((ROWS, ASSETS), np.nan)
    for t in range(n - 1, ROWS):
        rows = slice(t - n + 1, t + 1)
        x = np.column_stack([np.ones(n), *(THREE[name][rows, 0] for name in THREE)])
        for j in range(ASSETS):
            y = R.to_numpy()[rows, j]
            if np.isfinite(y).all():
                out[t, j] = np.linalg.lstsq(x, y, rcond=None)[0][column + 1]
    return out


def beta(n: int, n_corr: int) -> pd.DataFrame:
    own, all_ = np.log1p(R), np.log1p(MARKET)
    rho = own.rolling(3).sum().rolling(n_corr).corr(all_.rolling(3).sum())
    return 0.6 * rho * own.rolling(n).std() / all_.rolling(n).std() + 0.4


def residual_std(n: int) -> np.ndarray:
    out = np.full((ROWS, ASSETS), np.nan)
    for t in range(n - 1, ROWS):
        for j in range(ASSETS):
            y, x = (f.to_numpy()[t - n + 1 : t + 1, j] for f in (R, MARKET))
            if np.isfinite(y + x).all():
                out[t, j] = np.std(y - np.polyval(np.polyfit(x, y, 1), x), ddof=1)
    return out


CLASSICS: dict[str, tuple[tuple[int, ...], Callable[[], np.ndarray | pd.DataFrame]]] = {
    "momentum": ((60, 5), lambda: CLOSE.shift(5) / CLOSE.shift(60) - 1),
    "reversal": ((21,), lambda: -CLOSE.pct_change(21, fill_method=None)),
    "low_volatility": ((60,), lambda: -R.rolling(60).std()),
    "betting_against_beta": ((40, 90), lambda: -beta(40, 90)),
    "idiosyncratic_volatility": ((21,), lambda: -residual_std(21)),
    "amihud_illiquidity": ((30,), lambda: 1e6 * (R.abs() / (CLOSE * VOLUME)).rolling(30).mean()),
    "max_return": ((21,), lambda: -R.rolling(21).max()),
    "skewness": ((60,), lambda: -R.rolling(60).skew()),
    "high_52_week": ((100,), lambda: CLOSE / HIGH.rolling(100).max()),
    "size": ((), lambda: -np.log(CAP)),
    "value": ((), lambda: FUNDAMENTALS["book"] / CAP),
    "earnings_yield": ((), lambda: FUNDAMENTALS["earnings"] / CAP),
    "quality": ((), lambda: FUNDAMENTALS["gross_profit"] / FUNDAMENTALS["assets"]),
    "asset_growth": ((60,), lambda: -pd.DataFrame(FUNDAMENTALS["assets"]).pct_change(60)),
    "market_beta": ((60,), lambda: regression(0, 60)),
    "size_beta": ((60,), lambda: regression(1, 60)),
    "value_beta": ((60,), lambda: regression(2, 60)),
}


@pytest.mark.parametrize("name", CLASSICS)
def test_classics_equal_their_papers(name):
    numbers, expected = CLASSICS[name]
    expr = getattr(al.factors, name)(*numbers)
    ours = values({"x": expr}, COLUMNS | THREE | FUNDAMENTALS)["x"]
    assert np.isfinite(ours[-1]).sum() >= ASSETS // 2
    assert_same(ours, expected(), rtol=1e-7, atol=1e-9)


def test_seasonality_is_the_mean_of_the_same_months():
    n_rows = 1300
    close = pd.DataFrame(market(n_rows)["close"])
    ours = values({"x": al.factors.seasonality()}, market(n_rows))["x"]
    months = [close.shift(252 * k - 21) / close.shift(252 * k) - 1 for k in range(1, 6)]
    assert np.isfinite(ours[-1]).sum() >= ASSETS // 2
    assert_same(ours, sum(months) / 5, rtol=1e-9, atol=1e-12)


def test_every_classic_is_compared():
    assert set(al.factors.library("classics")) == {*CLASSICS, "seasonality"}


# ---- texts, names and files ------------------------------------------------------------------


@pytest.mark.parametrize("name", al.factors.BUILT_IN)
def test_texts_parse_back_and_have_a_source(name):
    for factor in al.factors.library(name).values():
        assert al.parse(str(factor.expr)).same_as(factor.expr)
        assert factor.source


@pytest.mark.parametrize(
    ("call", "error", "part"),
    [
        (lambda: al.factors.alpha101(102), UnknownNameError, "alpha102"),
        (lambda: al.factors.alpha101(41, vwp="close"), UnknownNameError, "'vwap'"),
        (lambda: al.factors.momentum(252, 21, 5), ParameterError, "3 numbers"),
        (lambda: al.factors.momentum(window=5), UnknownNameError, "window"),
        (lambda: al.factors.momentum(0, 21), ExprError, "n=0"),
        (lambda: al.factors.library("alpha102"), UnknownNameError, "alpha101"),
        (lambda: al.factors.find_factor("OPEN0"), InputError, "alpha158.OPEN0 or alpha360.OPEN0"),
        (lambda: al.factors.find_factor("momentun"), UnknownNameError, "momentum"),
        (lambda: al.factors.read_library("none.toml"), InputError, "none.toml"),
    ],
)
def test_a_wrong_name_or_number_is_refused(call, error, part):
    with pytest.raises(error, match=part):
        call()


OWN = """\
title = "Mine"

[words]
gap = "open / delay(close, 1) - 1"

[[factor]]
name = "gap$n"
text = "ts_mean($gap, $n)"

[[factor]]
name = "typo"
text = "ts_maen(close, 5)"

[each]
n = [5, 10]
"""


def test_a_library_of_your_own(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace("ts_maen", "ts_mean"))
    mine = al.factors.read_library(path)
    assert list(mine) == ["gap5", "gap10", "typo"]
    assert str(mine["gap5"](20)) == "ts_mean(open / delay(close, 1) - 1.0, 20)"


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("", "", r"mine.toml, line 12: unknown operator 'ts_maen'"),
        ("$gap,", "$gp,", r"mine.toml, line 8: unknown word in mine.gap5 'gp': did you mean 'gap'"),
        ("title", "titel", "unknown field `titel`"),
        ('"Mine"', "Mine", r"not TOML: .*line 1"),
        ('"gap$n"', '"typo"', "'typo' twice"),
        ("open /", "$gap /", "nested"),
        ('name = "typo"', "name = 5", "Expected `str`"),
    ],
)
def test_a_wrong_library_names_file_and_line(tmp_path: Path, old: str, new: str, part: str):
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace(old, new, 1) if old else OWN)
    with pytest.raises(AlphalabError, match=part):
        al.factors.read_library(path)
