"""Expressions on rows of their own: coarser clocks, and the rows in which an asset trades."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from builders import one_price
from compare import assert_identical, assert_same
from hypothesis import given, settings
from hypothesis import strategies as st
from running import assets, cut, random_cut
from test_operators import gaps

import alphalab as al
from alphalab.data.panel.bars import Bars
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import ExprError, ParameterError, StateError
from alphalab.expr.plan import Plan
from alphalab.research.results.values import values_of

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
BARS = synthetic(400, 3, bar="5m", gap_frac=0.1, seed=4)


def holed(bars: Bars, seed: int) -> Bars:
    """Return bars of which some rows are missing: the end of a window is often not there."""
    keep = np.random.default_rng(seed).random(bars.n_rows) < 0.7
    columns = {name: values[keep] for name, values in bars.columns.items()}
    return Bars(bars.time[keep], bars.symbols, columns)


def pushed(expr: al.Expr, bars: Bars, blocks: list[int]) -> np.ndarray:
    plan = Plan({"x": expr}, bars.instruments, capacity=max(blocks))
    parts, start = [], 0
    for length in blocks:
        rows = slice(start, start + length)
        columns = {name: values[rows] for name, values in bars.columns.items()}
        parts.append(plan.run(columns, length, bars.time[rows])["x"])
        start += length
    return np.concatenate(parts)


def coarse_windows(bars: Bars, step: int, shift: int = 0) -> list[tuple[int, list[int]]]:
    """Return the windows with rows: the end of each, and its rows. The obvious way."""
    found: dict[int, list[int]] = {}
    for row, time in enumerate(bars.time.tolist()):
        end = shift
        end += -((shift - time) // step) * step
        found.setdefault(end, []).append(row)
    return sorted(found.items())


def naive_on(x: al.Expr, bars: Bars, step: int, shift: int = 0) -> np.ndarray:
    """The twin: coarse bars by pandas, values on them, each row the last that had closed."""
    windows = coarse_windows(bars, step, shift)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in bars.columns}
    for _, rows in windows:
        for name, kept in columns.items():
            frame = pd.DataFrame(bars[name][rows])
            close = pd.DataFrame(bars.close[rows])
            if name == "volume":
                total = frame.where(close.notna(), 0.0).cumsum().iloc[-1]
                kept.append(total.where(close.notna().any()).to_numpy())
            elif name in ("open", "high", "low"):
                how = {"open": "bfill", "high": "cummax", "low": "cummin"}[name]
                series = getattr(frame, how)()
                series = series.ffill() if name != "open" else series.iloc[:1]
                kept.append(series.iloc[-1].to_numpy())
            else:
                kept.append(frame.ffill().iloc[-1].to_numpy())
    coarse = Bars(
        [end for end, _ in windows],
        bars.symbols,
        {name: np.array(kept) for name, kept in columns.items()},
    )
    values = values_of({"x": x}, coarse)["x"]
    out = np.full(bars.close.shape, np.nan)
    for row, time in enumerate(bars.time.tolist()):
        closed = [place for place, (end, _) in enumerate(windows) if end <= time]
        if closed:
            out[row] = values[closed[-1]]
    return out


INSIDE = [
    al.close.rsi(5),
    al.close.ts_mean(4) / al.open - 1,
    al.high.ts_max(3) - al.low.ts_min(3),
    al.volume.ts_sum(2),
    al.cs_rank(al.close.returns(2)),
    al.close.of("SYN1") - al.close,
]


@pytest.mark.nojit
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("x", INSIDE, ids=str)
def test_a_coarser_clock_has_its_twin(x: al.Expr, seed: int) -> None:
    bars = holed(BARS, seed)
    for interval, step in (("15m", 15 * MINUTE), ("1h", HOUR), ("5m", 5 * MINUTE)):
        assert_same(
            values_of({"x": al.on(interval, x)}, bars)["x"], naive_on(x, bars, step), rtol=1e-9
        )


def test_windows_begin_later_by_an_offset() -> None:
    x = al.close.ts_mean(2)
    found = values_of({"x": al.on("1h", x, "20m")}, BARS)["x"]
    assert_same(found, naive_on(x, BARS, HOUR, 20 * MINUTE), rtol=1e-9)
    assert not np.array_equal(found, values_of({"x": al.on("1h", x)}, BARS)["x"], equal_nan=True)


def test_hours_are_those_of_resample() -> None:
    """The trial's mistake: the RSI of a column of hourly closes counted rows of five minutes."""
    bars = synthetic(2_000, 1, bar="5m", gap_frac=0.0)
    hourly = al.evaluate(al.close.rsi(14), bars.resample("1h"))
    on_hours = al.evaluate(al.on("1h", al.close.rsi(14)), bars)
    assert_identical(on_hours.loc[hourly.index].to_numpy(), hourly.to_numpy())
    rows = al.evaluate(al.column("close_1h").rsi(14), bars.with_timeframe("1h"))
    assert abs(rows.iloc[-1].item() - hourly.iloc[-1].item()) > 1.0


def test_a_window_is_visible_when_it_has_closed() -> None:
    """At its end, or in the first row after it; never before."""
    time = np.array([10, 50, 60, 70, 130, 180], np.int64) * MINUTE
    close = np.arange(1.0, 7.0)[:, None]
    bars = Bars(time, ["A"], dict.fromkeys(("open", "high", "low", "close", "volume"), close))
    found = values_of({"x": al.on("1h", al.close)}, bars)["x"].ravel()
    np.testing.assert_array_equal(found, [np.nan, np.nan, 3, 3, 4, 6])


CLOCKS = [
    al.on("1h", al.close.rsi(5)) + al.on("15m", al.volume.ts_sum(3)).delay(2),
    al.on("1h", al.on("4h", al.high.ts_max(2)) - al.close.ts_mean(3)),
    al.on_traded(al.close.ts_mean(7) - al.close.ema(3)).ffill(),
    al.on("15m", al.on_traded(al.close.returns(2)).cs_rank()),
]


@pytest.mark.nojit
@pytest.mark.parametrize("expr", CLOCKS, ids=str)
def test_blocks_do_not_matter(expr: al.Expr) -> None:
    whole = pushed(expr, BARS, [400])
    for blocks in (cut(400, 1), cut(400, 7), random_cut(400, np.random.default_rng(1))):
        assert_identical(pushed(expr, BARS, blocks), whole)


@pytest.mark.parametrize("expr", CLOCKS, ids=str)
@settings(max_examples=10)
@given(now=st.integers(1, 399), seed=st.integers(0, 9))
def test_later_rows_change_nothing(expr: al.Expr, now: int, seed: int) -> None:
    later = {name: values.copy() for name, values in BARS.columns.items()}
    later["close"][now:] = np.random.default_rng(seed).uniform(1, 2, later["close"][now:].shape)
    other = Plan({"x": expr}, BARS.instruments, capacity=400).run(later, 400, BARS.time)["x"]
    assert_identical(other[:now], pushed(expr, BARS, [400])[:now])


@pytest.mark.parametrize("expr", CLOCKS, ids=str)
def test_a_snapshot_goes_on_inside_a_window(expr: al.Expr) -> None:
    first = Plan({"x": expr}, BARS.instruments, capacity=400)
    columns = dict(BARS.columns)
    whole = first.run(columns, 400, BARS.time)["x"]
    for at in (1, 33, 200):
        begun = Plan({"x": expr}, BARS.instruments, capacity=400)
        begun.run({k: v[:at] for k, v in columns.items()}, at, BARS.time[:at])
        after = Plan({"x": expr}, BARS.instruments, capacity=400)
        after.restore(begun.snapshot())
        rest = {k: v[at:] for k, v in columns.items()}
        assert_identical(after.run(rest, 400 - at, BARS.time[at:])["x"], whole[at:])


def test_a_snapshot_of_another_clock_is_refused() -> None:
    one, other = (
        Plan({"x": al.on(interval, al.close.ts_mean(3))}, BARS.instruments)
        for interval in ("1h", "4h")
    )
    one.run(dict(BARS.columns), 400, BARS.time)
    with pytest.raises(StateError, match="does not fit"):
        other.restore(one.snapshot())
    damaged = [*one.snapshot()]
    damaged[-1] = np.full(len(damaged[-1]) // 8, 7.5).tobytes()
    with pytest.raises(StateError, match="no plan can have taken"):
        one.restore(damaged)


def naive_traded(x: al.Expr, bars: Bars) -> np.ndarray:
    """The twin: each asset alone, without the rows in which it does not trade."""
    out = np.full(bars.close.shape, np.nan)
    for asset, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(~np.isnan(bars.close[:, asset]))
        alone = {name: values[rows, asset : asset + 1] for name, values in bars.columns.items()}
        only = Bars(bars.time[rows], [symbol], alone)
        out[rows, asset] = values_of({"x": x}, only)["x"][:, 0]
    return out


@pytest.mark.nojit
@pytest.mark.parametrize(
    "x",
    [
        al.close.ts_mean(20),
        al.close.ema(5) - al.volume.ts_std(3),
        al.latch(al.close > 100, al.low < 90),
    ],
    ids=str,
)
def test_traded_rows_have_their_twin(x: al.Expr) -> None:
    assert_identical(values_of({"x": al.on_traded(x)}, BARS)["x"], naive_traded(x, BARS))


def test_a_weekday_fund_beside_a_daily_coin_trades() -> None:
    close = 100.0 + 10 * np.sin(np.arange(600.0).reshape(300, 2) / 9)
    close[np.arange(300) % 7 >= 5, 0] = np.nan
    bars = one_price(np.arange(300) * 24 * HOUR, close, ["ETF", "COIN"])

    class Trend(al.Strategy):
        def weights(self) -> al.Expr:
            return 0.4 * al.on_traded(al.close > al.close.ts_mean(20))

    result = al.backtest(Trend(), bars, quality="accept")
    assert set(result.record.fills["asset"].tolist()) == {0, 1}
    assert not any("no signal" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (lambda: al.on_traded(al.close.cs_rank()), "no row across assets"),
        (lambda: al.on_traded(al.close.of("A")), "no row across assets"),
        (lambda: al.on_traded(al.on("1h", al.close)), "no row across assets"),
        (lambda: al.on("1 hour", al.close), "'15m', '1h' or '1d'"),
        (lambda: al.on(al.close, "1h"), "the interval comes first"),
        (lambda: al.on("1h", al.column("dividend")), "belong to the rows of the bars"),
        (lambda: al.close.ts_rank(5, min_periods=2), "take min_periods"),
        (lambda: al.close.ts_mean(5, min_periods=6), "at most n"),
        (lambda: al.close.ts_mean(5, min_periods=0), "at least 1"),
        (lambda: al.close.ffill(0), "at least 1"),
    ],
)
def test_what_has_no_meaning_is_refused(written: object, complaint: str) -> None:
    with pytest.raises(ExprError, match=complaint):
        written()  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "on('1h', rsi(close, 14)) < 30.0",
        "on('7d', close, '4d')",
        "on_traded(ts_mean(close, 20))",
        "ts_mean(close, 20, min_periods=5)",
        "ffill(close, inf)",
        "ffill(close, 3.0)",
    ],
)
def test_the_text_gives_the_expression_back(text: str) -> None:
    assert str(al.parse(text)) == text


def test_forms_are_called_as_they_are_written() -> None:
    assert str(al.close.on("1h")) == "on('1h', close)"
    assert str(al.ffill(al.close, limit=None)) == "ffill(close, inf)"
    assert al.close.ts_mean(20, min_periods=None).same_as(al.close.ts_mean(20))
    assert al.parse("on('1h', close).delay(1)").same_as(al.close.on("1h").delay(1))


def test_min_periods_are_those_of_pandas() -> None:
    rng = np.random.default_rng(0)
    x = pd.DataFrame(gaps(rng.normal(size=(64, 3)), rng))
    bars = {"x": x.to_numpy()}
    for name in ("sum", "mean", "std", "var", "min", "max"):
        expr = getattr(al.column("x"), f"ts_{name}")(10, min_periods=4)
        found = Plan({"x": expr}, assets(3)).run(bars, 64)["x"]
        expected = getattr(x.rolling(10, min_periods=4), name)().to_numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_rows_without_times_are_refused() -> None:
    with pytest.raises(ParameterError, match="need the time of every row"):
        Plan({"x": al.on("1h", al.close)}, BARS.instruments).run(dict(BARS.columns), 400)


class Hourly(al.Strategy):
    n: int = 5

    def weights(self) -> al.Expr:
        return 0.3 * (al.on("1h", al.close.rsi(self.n)) < 50)


def test_a_strategy_on_hours_obeys_the_laws() -> None:
    bars = synthetic(1_500, 2, bar="5m", gap_frac=0.01)
    whole = al.backtest(Hourly(), bars, quality="accept")
    assert len(whole.fills) > 10
    assert al.backtest(Hourly(), bars, block_rows=1, quality="accept").digest == whole.digest
    sweep = al.sweep(Hourly, bars, {"n": [3, 5]}, quality="accept")
    assert sweep.table.digest[1] == whole.digest
    warm = al.backtest(Hourly(), bars, start=pd.Timestamp(bars.time[700]), quality="accept")
    assert warm.record.targets[0].tolist() == whole.record.targets[700].tolist()


def test_a_window_over_a_coarser_column_is_warned_about() -> None:
    class Rows(al.Strategy):
        def weights(self) -> al.Expr:
            return 0.3 * (al.column("close_1h").rsi(14) < 50)

    class Level(al.Strategy):
        def weights(self) -> al.Expr:
            return 0.3 * (al.close > al.column("close_1h"))

    bars = synthetic(1_500, 2, bar="5m", gap_frac=0.0).with_timeframe("1h")
    (warning,) = [w for w in al.backtest(Rows(), bars, quality="accept").warnings if "1h" in w]
    assert warning.startswith("rsi(column('close_1h'), 14) counts rows of the bars, not of 1h")
    assert "al.on('1h', al.close.rsi(14))" in warning
    assert not [w for w in al.backtest(Level(), bars, quality="accept").warnings if "1h" in w]


def test_the_twins_can_fail() -> None:
    x = al.close.ts_mean(3)
    with pytest.raises(AssertionError):
        assert_same(naive_on(x, BARS, HOUR), naive_on(x, BARS, 2 * HOUR), rtol=1e-9)
    with pytest.raises(AssertionError):
        assert_identical(naive_traded(x, BARS), values_of({"x": x}, BARS)["x"])
