"""Mistakes of a first hour: each is refused with the remedy that helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import written
from commands import process

import alphalab as al
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import AlphalabError, DataError

BARS = synthetic(50, 1)
FRAME = BARS.to_frame("long").set_index("time").drop(columns="symbol")


class Half(al.Strategy):
    def weights(self) -> al.Expr:
        return al.constant(0.5)


class Named(al.Strategy):
    def signals(self) -> dict[str, al.Expr | float]:
        return {"slow": al.close.ts_mean(20), "c": al.close}

    @staticmethod
    def decide(signals: Any, account: Any, memory: Any) -> Any:
        return signals["c"]


def with_self() -> None:
    class Bound(al.Strategy):
        def signals(self) -> dict[str, al.Expr | float]:
            return {"c": al.close}

        def decide(self, signals: Any, account: Any, memory: Any) -> Any:
            return signals[0]


@pytest.mark.parametrize(
    ("mistake", "remedy"),
    [
        (lambda: al.backtest(BARS, Half()), "Write al.backtest(strategy, bars)"),
        (lambda: al.sweep(BARS, Half), "Write al.sweep(strategy, bars)"),
        (lambda: al.evaluate(BARS, al.close), "Write al.evaluate(expression, bars)"),
        (lambda: al.load(FRAME), "al.Bars.from_frame(frame)"),
        (lambda: al.backtest(Named(), BARS), "Write signals.c"),
        (with_self, "@staticmethod"),
        (lambda: al.Exits(stop_loss=2 * al.close), "units of the price as stop_distance"),
        (lambda: al.Exits(take_profit={30: 0.02}), "Begin with 0"),
        (
            lambda: al.backtest(Half(), BARS, settings=al.RunSettings()),
            "**msgspec.structs.asdict(settings)",
        ),
        (lambda: al.backtest(Half(), BARS, fee_bps=5), "Write costs=al.Costs(fee_bps=...)"),
        (
            lambda: al.backtest(Half(), BARS, exits=al.Exits(stop_distance="2 * atr(close)")),
            "Write stop_distance=2 * al.atr(al.high, al.low, al.close, 14)",
        ),
        (
            lambda: al.Bars.from_frame(FRAME.rename(columns={"close": "Last"})),
            "schema={'columns': {'close': ...}}",
        ),
        (lambda: al.parse("rolling(close, 20)"), "'ts_mean' or 'ts_std' or 'ts_max'"),
    ],
)
def test_the_remedy_is_named(mistake: Callable[[], Any], remedy: str) -> None:
    with pytest.raises(AlphalabError) as error:
        mistake()
    assert remedy in str(error.value)


@pytest.mark.parametrize(
    ("name", "here"),
    [("rolling", "ts_mean"), ("shift", "delay"), ("diff", "delta"), ("pct_change", "returns")],
)
def test_names_of_pandas_lead_to_operators(name: str, here: str) -> None:
    for owner in (al.close, al):
        with pytest.raises(AttributeError, match=f"here it is '{here}'"):
            getattr(owner, name)


def test_the_remedies_of_a_frame_work() -> None:
    renamed = FRAME.rename(columns={"close": "Last"})
    made = al.Bars.from_frame(renamed, schema={"columns": {"close": "Last"}})
    assert (made.close == BARS.close).all()
    texts = FRAME.set_axis(FRAME.index.astype(str))
    assert al.Bars.from_frame(texts) == al.Bars.from_frame(FRAME)
    assert al.Bars.from_frame(texts.rename_axis(None)) == al.Bars.from_frame(FRAME)
    closes = pd.DataFrame({"A": [1.0, 2.0]}, index=["2024-01-02T21:00", "2024-01-03T21:00"])
    assert al.Bars.from_closes(closes).start == "2024-01-02T21:00:00Z"
    with pytest.raises(DataError, match="'soon' is not an ISO date"):
        al.Bars.from_closes(closes.set_axis(["soon", "later"]))


GROUPED = """time,open,high,low,close,volume
2024-01-02T21:00,"1,000.5","1,200","1,000","1,100.25","12,345,678"
2024-01-03T21:00,"1,100","1,300","999.5","1,200","1,000"
"""


def test_marks_between_thousands(tmp_path: Path) -> None:
    path = written(tmp_path, GROUPED)
    with pytest.raises(DataError, match=r"thousands=',' \(--thousands ,\)"):
        al.load(path)
    bars = al.load(path, schema={"thousands": ","})
    assert bars.close.ravel().tolist() == [1100.25, 1200.0] and bars.volume[0, 0] == 12_345_678
    other = written(tmp_path, "time;open;high;low;close\n2024-01-02T21:00;1;1.200;1;1.100,25\n")
    assert al.load(other, schema={"thousands": ".", "decimal": ","}).close[0, 0] == 1100.25
    with pytest.raises(al.errors.ParameterError, match="the two marks differ"):
        al.load(other, schema={"thousands": "."})


def test_commands_take_the_flags_that_their_errors_name(tmp_path: Path) -> None:
    path = written(tmp_path, GROUPED.replace("close", "last"))
    flags = ("--thousands", ",", "-c", "close=last", "--json")
    shown = process("data", "show", str(path), *flags)
    assert shown.code == 0, shown.err
    run = process("backtest", "buy_and_hold", "--data", str(path), "--quality", "accept", *flags)
    assert run.code == 0, run.err
