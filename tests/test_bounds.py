"""Numbers at the edge: beyond a bound a refusal that states it, at the bound a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alphalab as al
from alphalab.errors import DataError, ParameterError
from alphalab.settings import (
    LEAST_PRICE,
    LEAST_SPLIT,
    MOST_DIVIDEND,
    MOST_PRICE,
    MOST_ROWS,
    MOST_SPLIT,
)

DAY = 86_400_000_000_000
N_ROWS = 60
WAVE = 1.0 + 0.5 * np.sin(np.arange(N_ROWS))
TIME = 1_600_000_000_000_000_000 + DAY * np.arange(N_ROWS)


class Turn(al.Strategy):
    """Trades on most rows, on both sides."""

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.delay(1), 0.9, -0.4)


def bars(
    scale: float = 1.0, time: Any = TIME, instrument: al.Instrument | None = None, **more: float
) -> al.Bars:
    """A wave of prices; more columns hold one number, in row 20."""
    prices = (WAVE * scale)[:, np.newaxis]
    made = al.Bars(
        np.asarray(time, np.int64),
        ["A"],
        {
            **dict.fromkeys(("open", "high", "low", "close"), prices),
            "volume": np.full_like(prices, 100.0),
        },
        instruments=[instrument or al.Instrument(symbol="A")],
    )
    columns = {}
    for name, value in more.items():
        columns[name] = np.full_like(prices, np.nan)
        columns[name][20] = value
    return made.with_columns(columns) if columns else made


def run(data: al.Bars, **options: Any) -> al.Result:
    """Run it and look at everything; a warning of numpy is an error here."""
    result = al.backtest(Turn(), data, quality="accept", **options)
    assert result.metrics and len(result.trades) and repr(result)
    return result


def actions(split: float = np.nan, dividend: float = np.nan) -> al.Bars:
    return bars(split=split, dividend=dividend)


PRICE = r"a price lies between 1e-30 and 1e\+30"
SPLIT = r"a split ratio lies between 1e-06 and 1e\+06"
DIVIDEND = r"a dividend lies between 0 and 1e\+30"
BEYOND: list[tuple[str, str, Callable[[], Any]]] = [
    ("price 5e-324", PRICE, lambda: run(bars(5e-324 * 4))),
    ("price 2.3e-308", PRICE, lambda: run(bars(2.3e-308))),
    ("price 1e308", PRICE, lambda: run(bars(1.1e308))),
    ("split 1e-300", SPLIT, lambda: run(actions(split=1e-300), actions="cash")),
    ("split 5e-324", SPLIT, lambda: run(actions(split=5e-324), actions="cash")),
    ("split 1e300", SPLIT, lambda: run(actions(split=1e300), actions="reinvest")),
    ("dividend 1e300", DIVIDEND, lambda: run(actions(dividend=1e300), actions="cash")),
    ("leverage 1e300", "initial=1e-300", lambda: al.Margin(initial=1e-300, maintenance=1e-301)),
    ("gross 1e300", "gross=1e.300", lambda: al.Limits(gross=1e300)),
    ("net 1e300", "net=1e.300", lambda: al.Limits(net=1e300)),
    ("cash 1e300", "cash=1e.300", lambda: al.RunSettings(cash=1e300)),
    ("cash 5e-324", "cash=5e-324", lambda: al.RunSettings(cash=5e-324)),
    ("fee 1e300", "fee_per_unit=1e.300", lambda: al.Costs(fee_per_unit=1e300)),
    ("least fee 1e300", "min_fee=1e.300", lambda: al.Costs(min_fee=1e300)),
    ("loan 1e300", "loan_bps=1e.300", lambda: al.Financing(loan_bps=1e300)),
    ("delay 2**63-1", "int <= 1000000000", lambda: al.Execution(delay=2**63 - 1)),
    ("delay 2**64", "int <= 1000000000", lambda: al.Execution(delay=2**64)),
    ("cooldown", "int <= 1000000000", lambda: al.drift(0.1, cooldown=2**63 - 1)),
    ("ttl", "int <= 1000000000", lambda: al.Entry(limit_offset_bps=1, ttl=2**63 - 1)),
    ("max_holding", "int <= 1000000000", lambda: al.Exits(max_holding=2**63 - 1)),
    (
        "the year 1677",
        "years 1678 to 2261",
        lambda: bars(time=DAY // 4 + 1 - 2**63 + TIME - TIME[0]),
    ),
    ("the year 2262", "years 1678 to 2261", lambda: bars(time=2**63 - 1 + TIME - TIME[-1])),
    (
        "584 years",
        "less than 290 years apart",
        lambda: bars(time=np.linspace(-9.1e18, 9.1e18, N_ROWS)),
    ),
    *(
        (
            f"{name} 1e300",
            f"{name} lies between",
            lambda name=name: run(with_instrument(name, 1e300)),
        )
        for name in ("tick", "lot", "min_value", "multiplier")
    ),
]


def with_instrument(name: str, value: float) -> al.Bars:
    return bars(instrument=al.Instrument(symbol="A", **{name: value}))


@pytest.mark.parametrize(("rule", "make"), [x[1:] for x in BEYOND], ids=[x[0] for x in BEYOND])
def test_what_is_beyond_a_bound_is_refused_by_its_rule(rule: str, make: Callable[[], Any]) -> None:
    with pytest.raises((DataError, ParameterError), match=rule):
        make()


AT: list[tuple[str, Callable[[], al.Result]]] = [
    ("least price", lambda: run(bars(2 * LEAST_PRICE))),
    ("largest price", lambda: run(bars(MOST_PRICE / 1.5))),
    ("least split", lambda: run(actions(split=LEAST_SPLIT), actions="cash")),
    ("largest split", lambda: run(actions(split=MOST_SPLIT), actions="cash")),
    ("largest dividend", lambda: run(actions(dividend=MOST_DIVIDEND), actions="cash")),
    ("least cash", lambda: run(bars(), cash=1e-9)),
    ("largest cash", lambda: run(bars(), cash=1e18)),
    ("all at once", lambda: run(bars(2 * LEAST_PRICE), cash=1e18)),
    (
        "largest leverage",
        lambda: run(
            bars(),
            margin=al.Margin(initial=1e-4, maintenance=1e-5),
            financing=al.Financing(loan_bps=1e7, borrow_bps=1e7),
        ),
    ),
    (
        "longest span, with fee tiers",
        lambda: run(
            bars(time=np.linspace(-4.5e18, 4.5e18, N_ROWS)),
            costs=al.Costs(tiers=(al.FeeTier(value=0, maker_bps=1, taker_bps=2),)),
        ),
    ),
]


@pytest.mark.parametrize("make", [x[1] for x in AT], ids=[x[0] for x in AT])
def test_what_is_at_a_bound_runs(make: Callable[[], al.Result], tmp_path: Path) -> None:
    make().to_html(tmp_path / "report.html")


def test_an_order_that_is_long_on_its_way_does_not_come_early() -> None:
    """A delay of 2**63 - 1 rows was a sum beyond int64: the order was filled at once."""
    result = al.backtest(Turn(), bars(), execution=al.Execution(delay=MOST_ROWS), quality="accept")
    assert len(result.orders) and not len(result.fills)
