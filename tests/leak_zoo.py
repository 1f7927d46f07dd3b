"""Strategies with every common kind of look-ahead leak, and strategies without one.

A case has the arguments of `check_causality`, and for a leak the first output that it reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import alphalab as al
from alphalab.artifact.loading import load_strategy, reference_strategies

ROWS = 400


class Case(NamedTuple):
    strategy: Any
    bars: al.Bars
    prepare: Callable[..., al.Bars] | None = None
    tables: Mapping[str, pd.DataFrame] = {}
    options: Mapping[str, Any] = {}
    output: str = ""  # that a leak is found in first
    source: str = ""  # part of the source that the leak names


class Signal(al.Strategy):
    """Long where the column ``signal`` is above a level."""

    level: float = 0.0

    def weights(self) -> al.Expr:
        return al.where(al.column("signal") > self.level, 1.0, 0.0)


class Proportional(al.Strategy):
    """Hold assets in proportion to the column ``signal``."""

    def weights(self) -> al.Expr:
        return al.cs_scale(al.column("signal"))


class Share(al.Strategy):
    """Equal shares of what rose."""

    def weights(self) -> al.Expr:
        return al.cs_scale(al.where(al.close.returns(5) > 0, 1.0, 0.0))


@cache
def index() -> al.Bars:
    """One index, daily."""
    bars = al.load("sp500")
    return bars.rows(bars.n_rows - ROWS, bars.n_rows)


@cache
def market() -> al.Bars:
    """Four assets, hourly; the last is listed late, the first is delisted early."""
    from alphalab.data.samples.synthetic import synthetic

    bars = synthetic(ROWS, 4, seed=3, gap_frac=0.0)
    columns = {name: values.copy() for name, values in bars.columns.items()}
    for values in columns.values():
        values[:250, 3] = np.nan
        values[300:, 0] = np.nan
    return bars.with_columns(columns)


def closes(bars: al.Bars) -> pd.DataFrame:
    return pd.DataFrame(bars.close, pd.to_datetime(bars.time, utc=True), columns=list(bars.symbols))


def column(make: Callable[[pd.DataFrame], Any], name: str = "signal") -> Callable[..., al.Bars]:
    """Return a function that adds a column made from the closes."""

    def prepare(bars: al.Bars) -> al.Bars:
        return bars.with_columns({name: np.asarray(make(closes(bars)), np.float64)})

    return prepare


def user(make: Callable[[pd.DataFrame], Any], bars: al.Bars | None = None, **more: Any) -> Case:
    """Return a case of a column that a user made."""
    known = {"output": "signals", "source": "column('signal')", **more}
    return Case(Signal(), index() if bars is None else bars, column(make), **known)


# Columns that know the future.


def resample_labelled_at_its_start(x: pd.DataFrame) -> Any:
    weekly = x.resample("W-FRI", label="left", closed="right").last()
    return x - weekly.reindex(x.index, method="ffill")


def day_high_on_its_hours(x: pd.DataFrame) -> Any:
    return x.groupby(x.index.floor("D")).transform("max") - x * 1.005


def share_of_the_day(x: pd.DataFrame) -> Any:
    return x / x.groupby(x.index.floor("D")).transform("sum") - 1 / 24


def smoothed_states(x: pd.DataFrame) -> Any:
    forward = (x.pct_change().fillna(0.0)).ewm(alpha=0.1).mean()
    return forward[::-1].ewm(alpha=0.1).mean()[::-1]


def trend_of_all(x: pd.DataFrame) -> Any:
    t = np.arange(len(x))
    line = np.polyval(np.polyfit(t, x.to_numpy()[:, 0], 1), t)
    return x.to_numpy() - line[:, np.newaxis]


def without_its_index(x: pd.DataFrame) -> Any:
    values = x.pct_change().dropna().to_numpy()  # one row shorter, and nobody looks where
    return np.vstack([values, values[-1:]])


def stacked_fill(x: pd.DataFrame) -> Any:
    long = pd.Series(x.to_numpy().T.ravel()).ffill().to_numpy()  # over the border of the symbols
    return long.reshape(x.shape[1], len(x)).T


def target_encoding(x: pd.DataFrame) -> Any:
    after = x.pct_change().shift(-1)
    return after.groupby(x.index.day_of_week).transform("mean")


def season(x: pd.DataFrame) -> Any:
    return x.pct_change().groupby(x.index.month).transform("mean")


def first_barrier(x: pd.DataFrame) -> Any:
    ahead = x.pct_change(10).shift(-10)
    return ahead.where(ahead.abs() > 0.02, 0.0)


def low_pass(x: pd.DataFrame) -> Any:
    spectrum = np.fft.rfft(x.to_numpy(), axis=0)
    spectrum[20:] = 0.0
    return x - np.fft.irfft(spectrum, len(x), axis=0)


def model_of_all(x: pd.DataFrame) -> Any:
    from sklearn.linear_model import LinearRegression

    past = np.nan_to_num(np.hstack([x.pct_change(k).to_numpy() for k in (1, 2, 5)]))
    after = np.nan_to_num(x.pct_change().shift(-1).to_numpy())
    return LinearRegression().fit(past, after).predict(past)


def scaler_of_all(x: pd.DataFrame) -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit_transform(x)


def first_component(x: pd.DataFrame) -> Any:
    returns = x.pct_change().fillna(0.0).to_numpy()
    _, _, axes = np.linalg.svd(returns - returns.mean(axis=0), full_matrices=False)
    return np.repeat((returns @ axes[:1].T), x.shape[1], axis=1)


def savgol(x: pd.DataFrame) -> Any:
    from scipy.signal import savgol_filter

    return x - savgol_filter(x, 11, 2, axis=0)


# Bars that know the future.


def survivors(bars: al.Bars) -> al.Bars:
    last = bars.close[-1]
    return bars.select([s for s, x in zip(bars.symbols, last, strict=True) if np.isfinite(x)])


def most_traded(bars: al.Bars) -> al.Bars:
    order = np.argsort(-np.nansum(bars.volume, axis=0))
    return bars.select([bars.symbols[i] for i in sorted(order[:2])])


def grouped_by_outcome(bars: al.Bars) -> al.Bars:
    known = [x[np.isfinite(x)] for x in bars.close.T]
    gain = [x[-1] / x[0] if x.size else 0.0 for x in known]
    labels = ["good" if g >= np.median(gain) else "bad" for g in gain]
    return bars.with_instruments(
        [
            al.Instrument(symbol=symbol, groups={"kind": label})
            for symbol, label in zip(bars.symbols, labels, strict=True)
        ]
    )


def with_actions(bars: al.Bars) -> al.Bars:
    """Split the index 2 to 1 at row 300 and let it pay at row 350."""
    columns = {name: bars[name].copy() for name in ("open", "high", "low", "close")}
    for values in columns.values():
        values[300:] /= 2.0
    split, dividend = np.full(bars.close.shape, np.nan), np.full(bars.close.shape, np.nan)
    split[300], dividend[350] = 2.0, 30.0
    return bars.with_columns({**columns, "split": split, "dividend": dividend})


class Neutral(al.Strategy):
    def weights(self) -> al.Expr:
        return al.cs_neutralize(al.close.returns(5), al.group("kind"))


class Cheap(al.Strategy):
    """Long below a price that is a number: adjusted prices move below it."""

    def weights(self) -> al.Expr:
        return al.where(al.close < 2_000.0, 1.0, 0.0)


# Strategies that are made from all rows.


def above_the_median(bars: al.Bars) -> al.Strategy:
    return al.ExprStrategy(text=f"where(close > {float(np.nanmedian(bars.close))!r}, 1.0, 0.0)")


def best_of_all(bars: al.Bars) -> al.Strategy:
    cross = load_strategy("sma_cross")
    grid = {"fast": [2, 3, 5, 8, 13], "slow": [20, 30, 50, 80]}
    found = al.sweep(cross, bars, grid, quality="unchecked", n_jobs=1)
    best = found.variants[found.best].strategy
    assert best is not None
    return best


def scaled_by_all(bars: al.Bars) -> al.Strategy:
    spread = float(np.nanstd(np.diff(np.log(bars.close[:, 0]))))
    return al.ExprStrategy(text=f"clip(returns(close, 1) / {spread!r}, 0.0, 1.0)")


def closest_pair(bars: al.Bars) -> al.Strategy:
    related = closes(bars).pct_change().corr().fillna(0.0).to_numpy().copy()
    np.fill_diagonal(related, -1.0)
    i, j = np.unravel_index(int(np.argmax(related)), related.shape)
    return al.ExprStrategy(
        text=f"per_symbol({{'{bars.symbols[i]}': 0.5, '{bars.symbols[j]}': -0.5}})"
    )


# Functions that hold the data.


def holding_closes(bars: al.Bars) -> al.Strategy:
    held = bars.close[:, 0].copy()

    def peek(x: Any) -> Any:
        return held[min(int(np.argmin(np.abs(held - x[-1, 0]))) + 1, held.size - 1)] - x[-1]

    return Peeking(peek)


def holding_returns(bars: al.Bars) -> al.Strategy:
    held = np.append(np.diff(bars.close[:, 0]) / bars.close[:-1, 0], 0.0)
    keys = bars.close[:, 0] * 3.0

    def peek_at_returns(x: Any) -> Any:
        return np.full(x.shape[1], held[np.argmin(np.abs(keys - 3.0 * x[-1, 0]))])

    return Peeking(peek_at_returns)


def holding_a_default(bars: al.Bars) -> al.Strategy:
    def peek_by_default(x: Any, held: Any = bars.close[:, 0].copy()) -> Any:  # noqa: B008
        return held[np.searchsorted(np.sort(held), x[-1, 0]) - 1] - x[-1]

    return Peeking(peek_by_default)


def holding_a_list(bars: al.Bars) -> al.Strategy:
    held = {"table": bars.close[:, 0].tolist()}

    def peek_in_a_list(x: Any) -> Any:
        return max(held["table"][-20:]) - x[-1]

    return Peeking(peek_in_a_list)


def Peeking(function: Callable[..., Any]) -> al.Strategy:
    signal = al.python_op(function, [al.close], 1)

    class Peeks(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(signal > 0, 1.0, 0.0)

    return Peeks()


def of_bars(make: Callable[[al.Bars], al.Strategy], bars: al.Bars) -> al.Strategy:
    """Return a strategy that was made before the check, and holds what it was made from."""
    return make(bars)


@cache
def held_closes() -> np.ndarray:
    return index().close[:, 0].copy()


HELD = held_closes()


class Deciding(al.Strategy):
    """Reads tomorrow in a global array, at the row it is in."""

    def signals(self) -> dict[str, al.Expr | float]:
        return {"close": al.close}

    @staticmethod
    def decide(table: Any, account: Any, memory: Any) -> Any:
        row = min(account.row + 1, HELD.size - 1)
        out = np.zeros(table.shape[1])
        out[0] = 1.0 if HELD[row] > table[0, 0] else 0.0
        return out


@al.op(params=["n"], rows="1", state="1")
def zoo_peek(state: Any, params: Any, x: Any) -> Any:
    """Look at tomorrow's close in a global array."""
    state[0] += 1.0
    return HELD[min(int(state[0]), HELD.size - 1)] - x


class Compiled(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(zoo_peek(al.close, 1) > 0, 1.0, 0.0)


# Other data.


def surveys(bars: al.Bars, late: int = 10) -> pd.DataFrame:
    """A number about every 20th row that is published `late` rows later, and revised then."""
    time = pd.to_datetime(bars.time, utc=True)
    rng = np.random.default_rng(5)
    rows = []
    for i in range(0, bars.n_rows - 2 * late - 1, 20):
        first, revised = rng.normal(size=2)
        rows += [(time[i], time[i + late], first), (time[i], time[i + 2 * late], revised)]
    return pd.DataFrame(rows, columns=["time", "known", "value"])


def joined(bars: al.Bars, series: pd.Series) -> al.Bars:
    index = pd.to_datetime(bars.time, utc=True)
    values = series.sort_index().reindex(index, method="ffill").to_numpy(np.float64)
    return bars.with_columns({"signal": np.repeat(values[:, np.newaxis], bars.n_symbols, axis=1)})


def stamped_early(bars: al.Bars, survey: pd.DataFrame) -> al.Bars:
    return joined(bars, survey.drop_duplicates("time").set_index("time")["value"])


def last_revision(bars: al.Bars, survey: pd.DataFrame) -> al.Bars:
    latest = survey.groupby("time").agg({"known": "first", "value": "last"})
    return joined(bars, latest.set_index("known")["value"])


def tables() -> dict[str, pd.DataFrame]:
    return {"survey": surveys(index())}


def leaks() -> dict[str, Case]:
    bars, hours = index(), market()
    fitted = {"output": "signals", "source": "the strategy: "}
    held = {"output": "signals", "source": "holds"}
    return {
        "negative shift": user(lambda x: x.pct_change().shift(-1)),
        "negative shift of five rows": user(lambda x: x.pct_change(5).shift(-5)),
        "centred window": user(lambda x: x - x.rolling(7, center=True).mean()),
        "full-sample z-score": user(lambda x: (x - x.mean()) / x.std()),
        "full-sample range": user(lambda x: (x - x.min()) / (x.max() - x.min()) - 0.5),
        "full-sample rank": user(lambda x: x.rank(pct=True) - 0.5),
        "full-sample winsorising": user(
            lambda x: x.pct_change().clip(x.pct_change().quantile(0.4), axis=1)
        ),
        "divided by the last close": user(lambda x: x / x.ffill().iloc[-1] - 1),
        "scaler fitted on everything": user(scaler_of_all),
        "model fitted on everything": user(model_of_all),
        "principal component of everything": user(
            first_component, hours.select(hours.symbols[1:3])
        ),
        "trend line of everything": user(trend_of_all),
        "low pass by Fourier": user(low_pass),
        "Savitzky-Golay filter": user(savgol),
        "smoothed regime states": user(smoothed_states),
        "rolling on reversed rows": user(lambda x: x - x[::-1].rolling(5).mean()[::-1]),
        "label of a resample": user(resample_labelled_at_its_start),
        "higher timeframe join": user(day_high_on_its_hours, hours),
        "share of the day's total": user(share_of_the_day, hours),
        "target encoding": user(target_encoding),
        "season of everything": user(season),
        "label used as a feature": user(first_barrier),
        "index misalignment": user(without_its_index),
        "backward fill across a listing": user(lambda x: x.bfill() - 1e-6, hours),
        "forward fill across a listing": user(stacked_fill, hours)._replace(
            strategy=Proportional()
        ),
        "interpolation across a gap": user(
            lambda x: x.where(np.arange(len(x))[:, np.newaxis] % 7 < 3).interpolate() - x * 0.999
        ),
        "survivorship": Case(Share(), hours, survivors, output="symbols"),
        "universe by later volume": Case(Share(), hours, most_traded, output="symbols"),
        "groups by outcome": Case(
            Neutral(), hours, grouped_by_outcome, output="signals", source="group('kind')"
        ),
        "prices adjusted by later actions": Case(
            Cheap(),
            with_actions(bars),
            lambda x: x.adjusted(),
            options={"actions": "none"},
            output="signals",
            source="close",
        ),
        "threshold from everything": Case(above_the_median, bars, **fitted),
        "best parameters of everything": Case(best_of_all, bars, **fitted),
        "volatility of everything": Case(scaled_by_all, bars, **fitted),
        "pair chosen on everything": Case(closest_pair, hours, **fitted),
        "closure over the data": Case(of_bars(holding_closes, bars), bars, **held),
        "closure over returns": Case(of_bars(holding_returns, bars), bars, **held),
        "data as a default": Case(of_bars(holding_a_default, bars), bars, **held),
        "data in a list": Case(of_bars(holding_a_list, bars), bars, **held),
        "decide that holds the data": Case(Deciding(), bars, output="targets", source="holds"),
        "operator that holds the data": Case(Compiled(), bars, **held),
        "same-bar fill": Case(
            load_strategy("sma_cross")(),
            bars,
            options={"fill": "same_close"},
            output="fills",
            source="same_close",
        ),
        "observation stamped early": Case(
            Signal(), bars, stamped_early, tables(), output="signals", source="column('signal')"
        ),
        "revision before it was published": Case(
            Signal(), bars, last_revision, tables(), output="signals", source="column('signal')"
        ),
    }


# Clean ones.


def range_of(x: Any) -> Any:
    return x.max(axis=0) - x.min(axis=0) - 0.01 * x[-1]


WEIGHTS = np.linspace(-1.0, 1.0, 12)


def by_weights(x: Any) -> Any:
    return WEIGHTS @ x


@al.op(params=["n"], rows="1", state="1", recursive=True)
def zoo_decay(state: Any, params: Any, x: Any) -> Any:
    """Decay towards x."""
    state[0] += (x - state[0]) / params[0]
    return state[0]


class Ranged(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.python_op(range_of, [al.close], 10) > 0, 1.0, 0.0)


class Weighted(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.python_op(by_weights, [al.close], 12) > 0, 1.0, 0.0)


class Decayed(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(zoo_decay(al.close, 20) < al.close, 1.0, 0.0)


def fitted_before_it_trades(bars: al.Bars) -> al.Strategy:
    level = float(np.median(bars.close[: ROWS // 2]))
    return al.ExprStrategy(
        text=f"where(column('row') < 200, nan, where(close > {level!r}, 1.0, 0.0))"
    )


def with_row(bars: al.Bars) -> al.Bars:
    return bars.with_columns({"row": np.arange(bars.n_rows, dtype=float)[:, np.newaxis]})


def point_in_time(bars: al.Bars, survey: pd.DataFrame) -> al.Bars:
    given = survey.assign(name="signal")
    return bars.with_observations(given) if len(given) else joined(bars, pd.Series(dtype=float))


def first_print(bars: al.Bars, survey: pd.DataFrame) -> al.Bars:
    return joined(bars, survey.drop_duplicates("time").set_index("known")["value"])


def refitted(x: pd.DataFrame) -> Any:
    """Fit a slope on the rows before each block of 50 rows, and use it in the block."""
    r = x.pct_change().fillna(0.0).to_numpy()[:, 0]
    out = np.full(len(r), np.nan)
    for start in range(100, len(r), 50):
        past, after = r[: start - 1], r[1:start]
        slope = past @ after / (past @ past)
        out[start : start + 50] = slope * r[start : start + 50]
    return out[:, np.newaxis]


def expression(text: str) -> al.Strategy:
    return al.ExprStrategy(text=text)


def clean() -> dict[str, Case]:
    bars, hours = index(), market()
    stocks = al.load("sp500_stocks", start="2019-01-01")  # those that its policy was trained on
    sector = [
        al.Instrument(symbol=s, groups={"kind": "ab"[i % 2]}) for i, s in enumerate(hours.symbols)
    ]
    cross = load_strategy("sma_cross")()
    made = {
        name: Case(load_strategy(name)(), stocks if name == "ppo_allocator" else hours)
        for name in reference_strategies()
        if name != "pair_reversion"
    }
    one, two = hours.symbols[1:3]
    columns = {
        "positive shift": lambda x: x.pct_change().shift(1),
        "trailing window": lambda x: x - x.rolling(7).mean(),
        "expanding z-score": lambda x: (x - x.expanding().mean()) / x.expanding().std(),
        "expanding rank": lambda x: x.expanding().rank(pct=True) - 0.5,
        "expanding quantile": lambda x: x - x.expanding(20).quantile(0.6),
        "exponential mean": lambda x: x - x.ewm(span=20).mean(),
        "forward fill": lambda x: x.ffill().pct_change(3),
        "filtered states": lambda x: x.pct_change().fillna(0.0).ewm(alpha=0.1).mean(),
        "model refitted on the past": refitted,
        "label of a resample that is known": lambda x: (
            x - x.resample("W-FRI").last().shift(1).reindex(x.index, method="ffill")
        ),
    }
    return {
        **made,
        "pair_reversion": Case(load_strategy("pair_reversion")(first=one, second=two), hours),
        **{name: user(make, output="", source="") for name, make in columns.items()},
        "cross-section": Case(expression("cs_scale(cs_zscore(returns(close, 5)))"), hours),
        "groups": Case(Neutral(), hours.with_instruments(sector)),
        "per symbol": Case(expression(f"per_symbol({{'{one}': 0.5, '{two}': -0.5}})"), hours),
        "another asset's series": Case(
            expression(f"where(close > of(ema(close, 5), '{one}'), 0.2, 0.0)"), hours
        ),
        "recursive operators": Case(
            expression("latch(rsi(close, 14) < 40, rsi(close, 14) > 60)"), bars
        ),
        "rank and regression": Case(
            expression("where(ts_rank(ts_beta(close, volume, 20), 30) > 0.5, 1.0, 0.0)"), bars
        ),
        "fill at the next close": Case(cross, bars, options={"fill": "next_close"}),
        "delayed orders": Case(cross, bars, options={"execution": al.Execution(delay=2)}),
        "protective orders": Case(
            cross, bars, options={"exits": al.Exits(stop_loss=0.02, take_profit=0.03)}
        ),
        "limit entries": Case(cross, bars, options={"entry": al.Entry(limit_offset_bps=20)}),
        "drift": Case(Share(), hours, options={"rebalance": al.Rebalance.drift(0.02)}),
        "listed assets only": Case(Share(), hours),
        "splits and dividends as they come": Case(
            cross, with_actions(bars), options={"actions": "cash"}
        ),
        "python operator": Case(Ranged(), bars),
        "python operator with weights": Case(Weighted(), bars),
        "compiled operator": Case(Decayed(), bars),
        "resampled bars": Case(cross, hours, lambda x: x.resample("4h")),
        "fitted before it trades": Case(fitted_before_it_trades, bars, with_row),
        "observations when they were known": Case(Signal(), bars, point_in_time, tables()),
        "first print of each number": Case(Signal(), bars, first_print, tables()),
    }


def table() -> str:
    """Return what each leak is caught in, for docs/validation.md: ``python tests/leak_zoo.py``."""
    from alphalab.research.validation.causality import check_causality

    lines = ["| leak | caught in | first row | from |", "| --- | --- | --- | --- |"]
    for name, case in leaks().items():
        given = {"prepare": case.prepare, "tables": case.tables, **case.options}
        leak = check_causality(case.strategy, case.bars, **given).leaks[0]
        source = leak.source if len(leak.source) < 60 else f"{leak.source[:57]}..."
        outputs = f"{leak.output} ({leak.how})"
        lines.append(f"| {name} | {outputs} | {leak.row} | `{source}` |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
