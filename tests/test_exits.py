"""Settings of exits: expressions as text, ladders, and what is refused."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import numpy as np
import pytest

import alphalab as al
from alphalab.core.step_engine import StepEngine, Stretch
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import ParameterError

nojit = pytest.mark.nojit

BARS = synthetic(300, 1)
ATR = al.atr(al.high, al.low, al.close, 14)


class Trend(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(10), 1.0, 0.0)


@nojit
def test_an_expression_is_its_text_in_python_and_in_a_file() -> None:
    exits = al.Exits(stop_distance=2 * ATR, take_profit={0: 0.04, 30: 0.02})
    text = 'stop_distance = "2.0 * atr(high, low, close, 14)"\ntake_profit = {0 = 0.04, 30 = 0.02}'
    read = msgspec.convert(tomllib.loads(text), al.Exits)
    assert read == exits and read.id == exits.id
    assert msgspec.json.decode(exits.canonical_json(), type=al.Exits) == exits
    assert al.Exits(stop_distance=3 * ATR, take_profit={0: 0.04, 30: 0.02}).id != exits.id


@nojit
def test_a_stop_is_two_ranges_below_the_fill() -> None:
    result = al.backtest(Trend(), BARS, exits=al.Exits(stop_distance=2 * ATR))
    ranges = al.evaluate(ATR, BARS).to_numpy().ravel()
    events, fills = result.record.events, result.record.fills
    stops = events[(events["origin"] == 2) & (events["status"] == 1)]
    entries = fills[np.searchsorted(fills["row"], stops["row"])]
    assert stops.size > 5
    expected = entries["price"] - 2 * ranges[stops["row"] - 1]
    np.testing.assert_allclose(stops["stop"], expected, rtol=1e-12)


@nojit
def test_a_sweep_varies_distances_and_ladders() -> None:
    grid = {
        "exits.stop_distance": [1 * ATR, 3 * ATR],
        "exits.take_profit": [{0: 0.03}, {0: 0.05, 2: 0.01}],
    }
    table = al.sweep(Trend, BARS, grid).table
    assert table["total_return"].nunique() == 4
    one = al.Exits(stop_distance=3 * ATR, take_profit={0: 0.05, 2: 0.01})
    alone = al.backtest(Trend(), BARS, exits=one).metrics["total_return"]
    assert alone in table["total_return"].to_list()


def user(x: Any) -> Any:
    return x[-1]


@nojit
@pytest.mark.parametrize(
    ("given", "named"),
    [
        (dict(stop_loss=0.1, stop_distance="close"), "one distance"),
        (dict(trailing_after=0.1, stop_loss=0.1), "without a trailing stop"),
        (dict(take_profit={0: 0.1, "1w": 0.2}), "a number of rows, or"),
        (dict(take_profit={0: 0.1, 5: 0.05, "1h": 0.0}), "all rows or all times"),
        (dict(take_profit={0: -0.1}), "begins at age 0"),
        (dict(), "at least one exit"),
    ],
)
def test_exits_that_say_no_exit_are_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        al.Exits(**given)


@nojit
def test_where_no_expression_has_a_value_distances_are_refused() -> None:
    exits = al.Exits(stop_distance=2 * ATR)
    with pytest.raises(ParameterError, match="buy the asset in the first row"):
        held = {BARS.symbols[0]: al.Holding(qty=1, price=100)}
        al.backtest(Trend(), BARS, exits=exits, holdings=held)
    stretch = Stretch(BARS.time, BARS.columns)
    features = np.zeros((BARS.n_rows, 1), np.float32)
    with pytest.raises(ParameterError, match="the exits of an environment read no expression"):
        StepEngine([stretch], BARS.instruments, al.RunSettings(exits=exits), features)
    own = al.python_op(user, [al.close], 1, name="of_a_user")
    with pytest.raises(ParameterError, match="made of the operators of alphalab"):
        al.backtest(Trend(), BARS, exits=al.Exits(stop_distance=own))
