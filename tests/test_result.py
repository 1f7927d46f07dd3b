"""`Result`: tables, figures, identity and hand-overs, on real runs and on booked accounts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from accounting import book
from builders import Cross, panel

import alphalab as al
from alphalab.codes import REASONS, Posting, Reason
from alphalab.kernels.market import orders
from alphalab.research.results.figures import FIGURES
from alphalab.research.results.result import Result
from alphalab.types import REFUSAL, Instrument

NAN = float("nan")
HOUR = 3_600 * 10**9


class Reversal(al.Strategy):
    """Long what fell, short what rose."""

    rebalance = al.Rebalance.every_row()

    def weights(self) -> al.Expr:
        return -1 * (al.close.returns(5).cs_demean()).cs_scale()


@pytest.fixture(scope="module")
def cross() -> Result:
    return al.backtest(Cross(), al.load("sp500"), costs=al.Costs(fee_bps=10))


@pytest.fixture(scope="module")
def reversal() -> Result:
    return al.backtest(Reversal(), al.load("synthetic"), costs=al.Costs(fee_bps=2))


@pytest.fixture(scope="module")
def stocks() -> Result:
    bars = al.load("sp500_stocks", start="2015-01-01", end="2018-12-31")
    return al.backtest(Reversal(), bars, costs=al.Costs(fee_bps=5))


@pytest.fixture(params=["cross", "reversal", "stocks"])
def real(request: pytest.FixtureRequest) -> Result:
    return request.getfixturevalue(request.param)


def wiggle(n: int = 40, symbols: int = 1) -> np.ndarray:
    rng = np.random.default_rng(5)
    return 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (n, symbols)), axis=0))


def test_tables_have_utc_rows_and_symbol_columns(real: Result) -> None:
    index = pd.DatetimeIndex(real.bars.time, tz="UTC")
    for table in (real.equity, real.returns, real.positions, real.weights):
        assert (table.index == index).all()
        assert table.index.name == "time"
    assert list(real.positions.columns) == list(real.bars.symbols)
    np.testing.assert_array_equal(real.positions, real.record.qty)
    assert real.equity.iloc[-1] == real.record.ledger["equity"][-1]


def test_returns_compound_to_the_equity(real: Result) -> None:
    grown = real.settings.cash * (1 + real.returns).cumprod()
    np.testing.assert_allclose(grown, real.equity, rtol=1e-10)


def test_weights_are_position_values_over_equity(real: Result) -> None:
    gross = real.weights.abs().sum(axis=1).to_numpy()
    ledger = real.record.ledger
    np.testing.assert_allclose(gross, ledger["gross"] / ledger["equity"], atol=1e-12)
    net = real.position_values.sum(axis=1)
    np.testing.assert_allclose(net, real.record.ledger["value"], atol=1e-6)


def test_trips_explain_every_cent(real: Result) -> None:
    trips = real.trades
    gained = real.metrics["final_equity"] - real.settings.cash
    assert trips["pnl"].sum() == pytest.approx(gained, abs=1e-6)
    assert trips["fees"].sum() == pytest.approx(real.metrics["fees"], abs=1e-6)
    assert trips["closed"].sum() == real.metrics["n_round_trips"]
    assert (~trips["closed"]).sum() == np.count_nonzero(real.record.qty[-1])
    sides = np.where(trips["side"] == "long", 1, -1)
    # Prices say the same, as all is spot in one currency.
    by_price = sides * trips["qty"] * (trips["exit_price"] - trips["entry_price"]) - trips["fees"]
    np.testing.assert_allclose(trips["pnl"], by_price, atol=1e-6)


def test_fills(real: Result) -> None:
    fills = real.fills
    np.testing.assert_array_equal(fills["qty"], real.record.fills["qty"])
    assert len(fills) == real.metrics["n_fills"]
    assert (fills["decided"] < fills["time"]).all()
    assert fills["value"].abs().sum() == pytest.approx(real.record.ledger["turnover"][-1])
    assert fills["fee"].sum() == pytest.approx(real.record.ledger["fees"][-1])


class Told(al.Strategy):
    """Holds what the column says."""

    def weights(self) -> al.Expr:
        return al.column("told")


SPOT = tuple(Instrument(symbol=f"S{i}") for i in range(3))
LINEAR = tuple(
    Instrument(symbol=f"L{i}", kind="linear", multiplier=3, funding_hours=8) for i in range(3)
)
MIXED = (
    Instrument(symbol="I", kind="inverse", multiplier=100, currency="BTC"),
    Instrument(symbol="E", currency="EUR"),
    Instrument(symbol="F", kind="linear", currency="EUR"),
)
MARGIN = al.Margin(initial=0.2, maintenance=0.1)
MARKETS = {
    "spot": (SPOT, {}),
    "spot on margin": (SPOT, {"margin": MARGIN, "financing": al.Financing(loan_bps=500)}),
    "linear": (LINEAR, {"margin": MARGIN, "rebalance": al.Rebalance.every_row()}),
    "currencies": (
        MIXED,
        {"margin": MARGIN, "currency": "USD", "conversions": {"BTC": "btc", "EUR": "eur"}},
    ),
    "dividends": (SPOT, {"actions": "cash"}),
    "reinvested": (SPOT, {"actions": "reinvest"}),
    "exits": (SPOT, {"exits": al.Exits(stop_loss=0.02, take_profit=0.03, max_holding=9)}),
    "entries": (SPOT, {"entry": al.Entry(limit_offset_bps=50, ttl=3)}),
}


@pytest.fixture(params=MARKETS)
def market(request: pytest.FixtureRequest) -> Result:
    """A run in which much happens: gaps, turns, splits, dividends, funding, conversion."""
    instruments, settings = MARKETS[request.param]
    rng = np.random.default_rng(7)
    shape = (300, 3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    close[rng.random(shape) < 0.1] = NAN
    rate = np.exp(np.cumsum(rng.normal(0, 0.01, shape), axis=0))
    rate[np.isnan(close)] = NAN
    told = rng.choice([-0.4, -0.2, 0.0, 0.3, 0.4, NAN], shape)
    told[-12:-9], told[-9:] = 0.2, NAN  # what is held at the end has been held for a while
    columns = {
        "told": told,
        "funding": rng.normal(0, 1e-3, shape),
        "split": np.where(rng.random(shape) < 0.02, rng.choice([2.0, 0.5, 1.5], shape), NAN),
        "dividend": np.where(rng.random(shape) < 0.03, 0.7, NAN),
        "btc": 40_000 * rate,
        "eur": 1.1 * rate**0.5,
    }
    bars = panel(close, symbols=[i.symbol for i in instruments], instruments=instruments)
    costs = al.Costs(fee_bps=5, slippage_bps=1)
    return al.backtest(
        Told(), bars.with_columns(columns), costs=costs, quality="accept", **settings
    )


def test_trips_explain_every_cent_of_every_market(market: Result) -> None:
    last = market.record.ledger[-1]
    trips = market.trades
    traded = last["realised"] + last["unrealised"] - last["fees"]
    assert trips["pnl"].sum() == pytest.approx(traded, abs=1e-6)
    assert trips["fees"].sum() == pytest.approx(last["fees"], abs=1e-6)
    assert market.metrics["final_equity"] - market.settings.cash == pytest.approx(
        traded + market.metrics["carry"], abs=1e-6
    )
    assert (~trips["closed"]).sum() == np.count_nonzero(market.record.qty[-1])


def closed_trips(result: Result, asset: int) -> list[tuple[int, float, float]]:
    """(entry row, exit row, profit after fees) of one asset's closed trips, walked one by one."""
    units = (Posting.SPLIT, Posting.REINVESTMENT)
    came = [
        (p["row"], 0, p)
        for p in result.record.postings
        if p["asset"] == asset and p["kind"] in units
    ]
    fills = [(f["row"], 1, f) for f in result.record.fills if f["asset"] == asset]
    done, held, begun, profit = [], 0.0, 0, 0.0
    for row, is_fill, x in sorted(came + fills, key=lambda change: change[:2]):
        after = held + x["qty"]
        if not is_fill:
            held = after
            continue
        if abs(after) < 1e-9 * abs(x["qty"]):
            after = 0.0
        share = 1.0
        if held == 0.0:
            begun, profit = row, 0.0
        if held * after <= 0.0 and held != 0.0:
            share = abs(held / x["qty"])
            done.append((begun, row, profit + x["realised"] - share * x["fee"]))
            begun, profit = row, -(1 - share) * x["fee"]
        else:
            profit += x["realised"] - x["fee"]
        held = after
    return done


def test_trips_against_a_walk(market: Result) -> None:
    assert (market.trades["left_by"].ne("") == market.trades["closed"]).all()
    trips = market.round_trips[market.round_trips["closed"]]
    assert trips.size > 20
    for asset in range(3):
        ours = trips[trips["asset"] == asset][["entry_row", "exit_row", "pnl"]]
        want = closed_trips(market, asset)
        np.testing.assert_allclose([tuple(trip) for trip in ours.tolist()], want, atol=1e-6)
    places = {(f["row"], f["asset"]): i for i, f in reversed([*enumerate(market.record.fills)])}
    entered = [places[t["entry_row"], t["asset"]] for t in market.round_trips]
    assert entered == sorted(entered)


def test_sizes_and_values_are_those_of_the_ledger(market: Result) -> None:
    ledger = market.record.ledger
    gross = np.abs(market.position_sizes).sum(axis=1)
    np.testing.assert_allclose(gross, ledger["gross"], rtol=1e-12, atol=1e-7)
    np.testing.assert_allclose(market.position_values.sum(axis=1), ledger["value"], atol=1e-6)
    exposed = market.weights.abs().sum(axis=1)
    np.testing.assert_allclose(exposed, ledger["gross"] / ledger["equity"], rtol=1e-12)
    assert market.metrics["max_gross_exposure"] == pytest.approx(exposed.max())
    assert market.fills["value"].abs().sum() == pytest.approx(ledger["turnover"][-1])


def test_orders_and_fills_tell_one_story(market: Result) -> None:
    orders, fills, events = market.orders, market.fills, market.order_events
    assert orders["id"].is_monotonic_increasing and orders["id"].is_unique
    assert set(fills["order"]) <= set(orders["id"]) and len(orders) == market.metrics["n_orders"]
    units = fills["qty"].abs().groupby(fills["order"]).sum().reindex(orders["id"], fill_value=0)
    np.testing.assert_allclose(orders["filled"], units)
    filled = orders[orders["status"] == "filled"]
    assert (filled["filled"] > 0).all() and filled["price"].notna().all()
    assert (filled["ended"] >= filled["active"]).all()
    assert (filled["active"] >= filled["submitted"]).all()
    lives = {"filled", "cancelled", "expired", "refused"}
    assert (orders["ended"].notna() == orders["status"].isin(lives)).all()
    assert (orders["reason"][orders["status"].isin(["cancelled", "refused"])] != "").all()
    assert (orders["reason"][~orders["status"].isin([*lives])] == "").all()
    assert len(events) == len(market.record.events)
    assert events.groupby("order")["status"].last().tolist() == orders["status"].tolist()
    assert events.groupby("order")["time"].first().tolist() == orders["submitted"].tolist()


KINDS = {
    "linear": {"funding of a perpetual contract"},
    "dividends": {"dividend", "split"},
    "reinvested": {"dividend", "split", "dividend reinvested in the same asset"},
    "spot on margin": {"interest on borrowed cash"},
}


def test_postings_add_up_to_the_carry(market: Result, request: pytest.FixtureRequest) -> None:
    posted = market.postings
    name = request.node.callspec.params["market"]
    assert set(posted["kind"]) == KINDS.get(name, set())
    held = posted["kind"] != "dividend reinvested in the same asset"  # that is a purchase
    assert posted["amount"][held].sum() == pytest.approx(market.metrics["carry"], abs=1e-7)
    assert (market.metrics["carry"] != 0) == (name in KINDS)


def test_a_trip_in_an_inverse_contract_by_hand() -> None:
    venue = (Instrument(symbol="X", kind="inverse", multiplier=100, currency="BTC"),)
    bars = panel([100.0, 100.0, 100.0, 125.0, 160.0, 160.0], symbols=["X"], instruments=venue)
    told = np.array([0.5, 0.5, 0.5, 0.0, 0.0, 0.0])[:, None]
    rate = np.array([200.0, 200.0, 200.0, 240.0, 300.0, 300.0])[:, None]
    bars = bars.with_columns({"told": told, "btc": rate})
    result = al.backtest(Told(), bars, cash=1_000.0, currency="USD", conversions={"BTC": "btc"})
    # 100 face / 100 = 1 BTC = 200 USD a unit: 2.5 units for half the equity, bought at 100 in row 1
    # and sold at 125, the open of row 4, where a BTC is 300 USD: 2.5 * 100 * (1/100 - 1/125) BTC.
    (trip,) = result.trades.to_dict("records")
    assert (trip["qty"], trip["entry_price"], trip["exit_price"]) == (2.5, 100.0, 125.0)
    assert trip["pnl"] == pytest.approx(2.5 * 100 * (1 / 100 - 1 / 125) * 300)
    assert trip["return"] == pytest.approx(150 / 500)
    # Row 3 is held at 125: one unit is 0.8 BTC of 240 USD.
    assert result.weights["X"].iloc[3] == pytest.approx(2.5 * 0.8 * 240 / result.equity.iloc[3])
    assert result.position_values[3, 0] == pytest.approx(2.5 * 100 * (1 / 100 - 1 / 125) * 240)


def test_a_trip_through_a_split_by_hand() -> None:
    # 3 units at 100, 2 for 1 in row 3 with a gap in row 4, half sold at 55, the rest at 60.
    close = [100.0, 100.0, 100.0, 50.0, NAN, 55.0, 60.0, 60.0]
    told = np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.15, 0.0, 0.0])[:, None]
    split = np.array([NAN, NAN, NAN, 2.0, NAN, NAN, NAN, NAN])[:, None]
    bars = panel(close).with_columns({"told": told, "split": split, "dividend": split * NAN})
    opened = dict(bars.columns) | {"open": np.array(close)[:, None]}
    bars = al.Bars(bars.time, bars.symbols, opened, periods_per_year=252.0)
    result = al.backtest(Told(), bars, cash=1_000.0, actions="cash")
    assert result.positions["S0"].iloc[2:5].tolist() == [3.0, 6.0, 6.0]
    (trip,) = result.trades.to_dict("records")
    assert (trip["qty"], trip["entry_price"], trip["closed"]) == (6.0, 50.0, True)
    gained = result.equity.iloc[-1] - 1_000
    assert gained > 0 and trip["pnl"] == pytest.approx(gained)
    assert trip["pnl"] == pytest.approx(6 * (trip["exit_price"] - 50))
    assert result.weights["S0"].iloc[4] == pytest.approx(0.3)  # the gap knows of the split


def test_units_are_told_as_at_the_end_of_their_trip() -> None:
    # 3 bought at 100, doubled in row 3; 3 of the new ones bought at 50 in row 5, doubled in row 7.
    close = np.array([100.0, 100.0, 100.0, 50.0, 50.0, 50.0, 50.0, 25.0, 25.0])
    told = np.array([0.3, 0.3, 0.3, 0.3, 0.45, 0.45, 0.45, 0.45, 0.45])[:, None]
    split = np.full((9, 1), NAN)
    split[[3, 7]] = 2.0
    bars = panel(close).with_columns({"told": told, "split": split, "dividend": split * NAN})
    columns = dict(bars.columns) | {"open": close[:, None], "high": close[:, None]}
    bars = al.Bars(bars.time, bars.symbols, columns, periods_per_year=252.0)
    result = al.backtest(Told(), bars, cash=1_000.0, actions="cash")
    (trip,) = result.trades.to_dict("records")
    assert (trip["qty"], result.record.qty[-1, 0]) == (18.0, 18.0)
    assert (trip["entry_price"], trip["exit_price"], trip["pnl"]) == (25.0, 25.0, 0.0)


def test_a_position_over_a_split_without_a_price_has_the_new_units() -> None:
    close = [100.0, 100.0, 100.0, NAN, NAN]
    split = np.array([NAN, NAN, NAN, 4.0, NAN])[:, None]
    columns = {"told": np.full((5, 1), 0.5), "split": split, "dividend": split * NAN}
    result = al.backtest(Told(), panel(close).with_columns(columns), actions="cash")
    assert result.marks[:, 0].tolist() == [100.0, 100.0, 100.0, 25.0, 25.0]
    assert result.weights["S0"].iloc[-1] == pytest.approx(0.5)
    (trip,) = result.trades.to_dict("records")
    assert (trip["entry_price"], trip["exit_price"], trip["pnl"]) == (25.0, 25.0, 0.0)


class Bracket(al.Strategy):
    """One bracket, one order that is too dear, one for an asset that does not exist."""

    max_orders = 4

    def signals(self) -> dict[str, al.Expr]:
        return {"close": al.close}

    @staticmethod
    def decide(table, account, memory):
        if account.row == 2:
            orders.bracket(account, 0, orders.BUY, 2.0, 98.0, 105.0, 95.0)
            orders.limit(account, 0, orders.BUY, 1e9, 90.0)
            orders.market(account, 5, orders.SELL, 1.0)
        return np.full(table.shape[1], np.nan)


def test_orders_of_a_decide_by_hand() -> None:
    close = np.array([100.0, 100.0, 100.0, 97.0, 101.0, 106.0, 104.0])
    result = al.backtest(Bracket(), panel(close), cash=1_000.0)
    table = result.orders
    assert table["type"].tolist() == ["limit", "limit", "stop", "limit", "market"]
    assert table["origin"].tolist() == ["decide"] * 5
    assert table["side"].tolist() == ["buy", "sell", "sell", "buy", "sell"]
    assert table["symbol"].tolist() == ["S0", "S0", "S0", "S0", "unknown"]
    assert table["qty"].tolist() == [2.0, 2.0, 2.0, 1e9, 1.0]
    assert table["filled"].tolist() == [2.0, 2.0, 0.0, 0.0, 0.0]
    assert table["price"].iloc[:2].tolist() == [98.0, 105.0]
    assert table["status"].tolist() == ["filled", "filled", "cancelled", "refused", "refused"]
    assert table["reason"].iloc[2] == REASONS[Reason.ONE_CANCELS_OTHER]
    assert table["reason"].iloc[4] == REASONS[Reason.UNKNOWN_ASSET]
    assert table["submitted"].dt.day.tolist() == [3] * 5
    assert table["active"].dt.day.iloc[:3].tolist() == [4, 4, 4]
    assert table["ended"].dt.day.tolist() == [4, 6, 6, 3, 3]
    assert table["active"].iloc[3:].isna().all()
    (trip,) = result.trades.to_dict("records")
    assert (trip["left_by"], trip["pnl"]) == ("limit", 14.0)
    assert any("order for an asset that does not exist" in text for text in result.warnings)


def test_an_order_beyond_the_gross_limit_is_refused_in_words() -> None:
    limits = al.Limits(gross=0.1)
    result = al.backtest(Bracket(), panel(np.full(5, 100.0)), cash=1_000.0, limits=limits)
    assert result.orders["reason"].iloc[0] == REASONS[Reason.GROSS_LIMIT]
    (said,) = (text for text in result.warnings if "gross" in text)
    assert said.endswith(f"{REASONS[Reason.GROSS_LIMIT]}.")


class Changing(al.Strategy):
    """An order of 4 units, filled in parts, of which only 3 are wanted after the first."""

    max_orders = 1

    def signals(self) -> dict[str, al.Expr]:
        return {"close": al.close}

    @staticmethod
    def decide(table, account, memory):
        if account.row == 0:
            orders.limit(account, 0, orders.BUY, 4.0, 100.0)
        if account.row == 1:
            orders.amend(account, 1, 2.0, 99.0)
        return np.full(table.shape[1], np.nan)


def test_an_order_is_told_as_it_stood_last() -> None:
    bars = panel(np.array([100.0, 98.0, 97.0, 96.0, 96.0]))
    columns = dict(bars.columns) | {"volume": np.full((5, 1), 10.0)}
    bars = al.Bars(bars.time, bars.symbols, columns, periods_per_year=252.0)
    execution = al.Execution(participation=0.1)
    result = al.backtest(Changing(), bars, cash=1_000.0, execution=execution)
    (order,) = result.orders.to_dict("records")
    assert result.record.fills["qty"].tolist() == [1.0, 1.0, 1.0]
    assert (order["qty"], order["filled"], order["limit"]) == (3.0, 3.0, 99.0)
    assert order["price"] == pytest.approx(result.record.fills["price"].mean())
    stages = ["submitted", "active", "partially filled", "amended", "partially filled", "filled"]
    assert result.order_events["status"].tolist() == stages


def test_what_closed_a_trade() -> None:
    """Stop, target, trailing stop, time and signal, each alone in a market made for it."""
    exits = al.Exits(stop_loss=0.1, take_profit=0.2, trailing=0.15, max_holding=4)
    steady = [100.0] * 9
    ways = {
        "stop": [100.0, 100.0, 100.0, 85.0, *steady],
        "target": [100.0, 100.0, 100.0, 125.0, *steady],
        "trailing": [100.0, 100.0, 100.0, 119.0, 95.0, *steady],
        "time": [100.0, 100.0, 100.0, 101.0, *steady],
        "signal": [100.0, 100.0, 100.0, 101.0, *steady],
    }
    for way, close in ways.items():
        told = np.full((len(close), 1), 0.5)
        told[3 if way == "signal" else len(close) :] = 0.0
        bars = panel(close).with_columns({"told": told})
        result = al.backtest(Told(), bars, exits=exits)
        assert result.trades["left_by"].tolist() == [way]


def test_what_is_not_applied_is_said() -> None:
    told = np.full((40, 1), 0.5)
    some, none = np.where(told == 0.5, 2.0, NAN), np.full((40, 1), NAN)
    for columns, words in (
        ({"split": none, "dividend": none, "funding": none}, ()),
        ({"funding": some}, ("no instrument has funding_hours",)),
        ({"split": some, "dividend": some}, ("split and a column dividend",)),
        ({"split": some, "dividend": none}, ("column split, which is not applied",)),
        ({"member": some / 2}, ("does not read the column member",)),
    ):
        bars = panel(wiggle()).with_columns({"told": told} | columns)
        said = al.backtest(Told(), bars, quality="accept").warnings
        assert len(said) == len(words)
        assert all(word in text for word, text in zip(words, said, strict=True))
        if columns.get("split") is some:
            with pytest.raises(
                al.errors.RefusedError, match="40 splits are known, and not applied"
            ):
                al.backtest(Told(), bars)
            with pytest.raises(al.errors.RefusedError, match="not applied"):
                al.sweep(Told(), bars, {"costs.fee_bps": [0, 1]})
    bars = panel(wiggle()).with_columns({"told": told, "split": some, "dividend": none})
    assert not al.backtest(Told(), bars, actions="cash").warnings


class Dip(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.close < al.close.ts_mean(20), 1.0, 0.0)


@pytest.mark.parametrize(
    ("stop_loss", "take_profit", "least", "most"),
    [(0.01, 0.01, 3, 5), (0.01, 0.02, 0.10, 0.11), (0.02, 0.012, 0.01, 0.10)],
)
def test_profit_that_hangs_on_paths_is_said(
    stop_loss: float, take_profit: float, least: float, most: float
) -> None:
    exits = al.Exits(stop_loss=stop_loss, take_profit=take_profit)
    result = al.backtest(Dip(), al.load("sp500"), exits=exits)
    gained = result.metrics["final_equity"] - result.settings.cash
    share = result.ambiguities["at_stake"].sum() / abs(gained)
    assert least < share < most
    n_bars = len(result.ambiguities)
    what = "profit" if gained > 0 else "loss"
    bars = f"{n_bars} bar{'s' if n_bars > 1 else ''} with an unknown path"
    said = [text for text in result.warnings if "path" in text]
    assert bool(said) == (share > 0.1)
    assert all(text.startswith(f"{share:.0%} of the {what} depends on {bars}") for text in said)


def test_entries_that_are_not_filled_are_said() -> None:
    bars = panel(wiggle(200)).with_columns({"told": np.full((200, 1), 0.5)})
    entry = al.Entry(limit_offset_bps=900, ttl=2)
    (never, *rest) = al.backtest(Told(), bars, entry=entry).warnings
    assert "Nothing was traded" in never
    assert "limit orders to enter ended unfilled" in rest[0]
    told = np.where(np.arange(200) % 9 < 5, 0.5, 0.0)[:, None]
    often = al.backtest(
        Told(), bars.with_columns({"told": told}), entry=al.Entry(limit_offset_bps=20, ttl=2)
    )
    entries = often.orders[often.orders["type"] == "limit"]
    assert 0 < (entries["filled"] == 0).mean() < 0.5
    assert not often.warnings


def test_a_class_says_how_it_enters_and_leaves_unless_the_run_does() -> None:
    class Careful(Told):
        entry = al.Entry(limit_offset_bps=20)
        exits = al.Exits(stop_loss=0.02)

    bars = panel(wiggle()).with_columns({"told": np.full((40, 1), 0.5)})
    own = al.backtest(Careful(), bars).settings
    assert (own.entry, own.exits) == (Careful.entry, Careful.exits)
    entry, exits = al.Entry(limit_offset_bps=1), al.Exits(trailing=0.1)
    other = al.backtest(Careful(), bars, entry=entry, exits=exits).settings
    assert (other.entry, other.exits) == (entry, exits)


def test_monthly_returns_against_resampling(real: Result) -> None:
    monthly = real.monthly_returns
    within = real.equity.set_axis(real.equity.index - pd.Timedelta(1, "ns"))  # midnight closes
    ends = within.resample("ME").last().dropna()
    want = ends / ends.shift(fill_value=real.settings.cash) - 1
    for when, value in want.items():
        assert monthly.loc[when.year, when.strftime("%b")] == pytest.approx(value, abs=1e-12)
    months = monthly.drop(columns="Year")
    assert months.notna().sum().sum() == len(want)
    np.testing.assert_allclose((1 + months.fillna(0)).prod(axis=1) - 1, monthly["Year"], atol=1e-12)


def test_a_bar_that_closes_at_midnight_belongs_to_the_day_that_ends() -> None:
    bars = panel(wiggle(72), step=HOUR)  # begins 2020-01-01T21:00, one bar closes at each midnight
    days, _, _ = book(bars, [(1, 0, 50.0)]).to_pyfolio()
    at_midnight = book(bars, [(1, 0, 50.0)]).equity.iloc[3]
    assert at_midnight == pytest.approx(10_000 * (1 + days.iloc[0]))
    assert len(days) == 4


def test_rolling_against_slices(reversal: Result) -> None:
    window, year = 50, reversal.bars.periods_per_year
    table = reversal.rolling(window)
    path = reversal.equity_path
    assert table.iloc[: window - 1].isna().all().all()
    for row in (window - 1, 333, 4_999):
        part = path[row + 1 - window : row + 2]
        returns = part[1:] / part[:-1] - 1
        spread = returns.std(ddof=1)
        want = {
            "return": part[-1] / part[0] - 1,
            "volatility": spread * year**0.5,
            "sharpe": returns.mean() / spread * year**0.5 if spread > 0 else NAN,
            "drawdown": 1 - part[-1] / part.max(),
        }
        for name, value in want.items():
            assert table[name].iloc[row] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True)
    with pytest.raises(al.errors.ParameterError, match="window=1"):
        reversal.rolling(1)


def test_refusals_in_words() -> None:
    refusals = np.zeros(3, REFUSAL)
    refusals["reason"] = [Reason.CASH, Reason.GROSS_LIMIT, Reason.CASH]
    refusals["asset"] = [0, -1, 0]
    result = book(panel(wiggle()), [(1, 0, 5.0)], refusals=refusals)
    frame = result.refusals
    assert frame["symbol"].tolist() == ["S0", "portfolio", "S0"]
    assert frame["meaning"].tolist()[0] == REASONS[Reason.CASH]
    assert result.to_dict()["refusals"] == {"GROSS_LIMIT": 1, "CASH": 2}


def naive_digest(equity: np.ndarray, qty: np.ndarray, fills: np.ndarray) -> str:
    """Fold a run in whole Python numbers, as `alphalab.kernels.market.digest` says."""
    words = [0] * 16

    def fold(place: int, bits: int) -> None:
        word = (words[place] ^ bits) * 0x9E3779B97F4A7C15 % 2**64
        words[place] = word ^ (word >> 29)

    for t, bits in enumerate(equity.view(np.uint64).tolist()):
        fold(t % 4, bits)
    held = [0] * qty.shape[1]
    for t, row in enumerate(np.ascontiguousarray(qty).view(np.uint64).tolist()):
        for j, bits in enumerate(row):
            if bits != held[j]:
                held[j] = bits
                for place, number in ((4, t), (5, j), (6, bits)):
                    fold(place, number)
    for fill in fills.view(np.uint64).reshape(fills.size, 9).tolist():
        for place, bits in enumerate(fill, 7):
            fold(place, bits)
    data = b"".join(word.to_bytes(8, "little") for word in words)
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def test_digest_is_the_hash_it_says(cross: Result) -> None:
    digest = naive_digest(cross.record.ledger["equity"], cross.record.qty, cross.record.fills)
    assert cross.digest == digest
    again = al.backtest(Cross(), al.load("sp500"), costs=al.Costs(fee_bps=10), block_rows=7)
    assert again.digest == digest
    assert again.metrics == cross.metrics
    assert dataclasses.replace(cross, seconds=9.0, strategy="Other").digest == digest


def test_digest_sees_the_last_bit(cross: Result) -> None:
    for name in ("ledger", "qty", "fills"):
        changed = getattr(cross.record, name).copy()
        values = {"ledger": lambda r: r["equity"], "qty": lambda r: r[:, 0]}.get(
            name, lambda r: r["price"]
        )(changed)
        values[-1] = np.nextafter(values[-1], np.inf)
        record = cross.record._replace(**{name: changed})
        assert dataclasses.replace(cross, record=record).digest != cross.digest


def test_to_dict_is_strict_json(real: Result) -> None:
    data = real.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert list(data) == [
        *("schema", "strategy", "params", "data", "metrics", "settings"),
        *("n_warm", "ledger", "refusals", "warnings", "digest", "seconds"),
    ]
    assert data["schema"] == "alphalab.backtest/1"
    assert list(data["data"]) == [
        *("id", "content", "source", "rows", "symbols", "start", "end", "notes", "quality")
    ]
    assert data["data"]["id"] == data["data"]["content"] == real.bars.id
    assert data["data"]["quality"]["status"] in ("ok", "warnings")
    assert list(data["metrics"])[:12] == [
        *("final_equity", "total_return", "annual_return", "volatility", "sharpe", "sortino"),
        *("max_drawdown", "n_fills", "n_round_trips", "fees", "turnover", "exposure"),
    ]
    assert data["settings"]["costs"]["fee_bps"] == real.settings.costs.fee_bps


def test_figures_are_plain_and_all_have_words(real: Result) -> None:
    assert list(real.metrics) == list(FIGURES)
    assert {type(value) for value in real.metrics.values()} <= {float, int}
    for name, figure in FIGURES.items():
        assert figure.definition.endswith(".")
        assert figure.text(real.metrics[name])
    assert FIGURES["sharpe"].text(NAN) == "n/a"


def test_undefined_figures_are_null() -> None:
    still = book(panel(np.full(10, 50.0)), [])
    metrics = still.to_dict()["metrics"]
    assert metrics["total_return"] == metrics["volatility"] == metrics["max_drawdown"] == 0
    for name in ("sharpe", "sortino", "calmar", "omega", "win_rate", "profit_factor", "beta"):
        assert metrics[name] is None
        assert math.isnan(still.metrics[name])
    assert still.trades.empty and still.fills.empty and still.refusals.empty


def test_one_row() -> None:
    one = book(panel([50.0], periods_per_year=None), [(0, 0, 1.0)])
    assert one.metrics["total_return"] == 0
    assert one.metrics["exposure"] == 1
    assert math.isnan(one.metrics["annual_return"]) and math.isnan(one.metrics["sharpe"])
    assert json.dumps(one.to_dict(), allow_nan=False)
    assert len(one.monthly_returns) == 1


def test_ruin_is_said_and_figures_after_it_are_not() -> None:
    prices = np.array([100.0, 100.0, 150.0, 220.0, 230.0, 200.0])
    short = panel(prices).with_columns({"told": np.full((6, 1), -0.9)})
    ruined = al.backtest(Told(), short, cash=10_000.0)
    assert "zero or less on 2020-01-04" in ruined.warnings[-1]
    assert dataclasses.replace(ruined, seconds=2.0).warnings == ruined.warnings
    assert ruined.metrics["max_drawdown"] > 1
    for name in ("annual_return", "sharpe", "turnover", "alpha"):
        assert math.isnan(ruined.metrics[name])
    assert ruined.weights.iloc[3:5].isna().all().all()
    assert json.dumps(ruined.to_dict(), allow_nan=False)


def test_benchmark_of_one_asset_is_holding_it(cross: Result) -> None:
    close = cross.bars.close[:, 0]
    assert cross.benchmark_name == "buy and hold SP500"
    assert cross.metrics["benchmark_return"] == pytest.approx(close[-1] / close[0] - 1)
    hold = dataclasses.replace(cross, benchmark=close)
    assert hold.metrics["beta"] == pytest.approx(cross.metrics["beta"])
    assert hold.benchmark_name == "buy and hold SP500"


def test_benchmark_that_is_given(stocks: Result) -> None:
    equity = stocks.record.ledger["equity"]
    own = dataclasses.replace(stocks, benchmark=equity, benchmark_name="itself")
    assert own.metrics["beta"] == pytest.approx(1)
    assert own.metrics["alpha"] == pytest.approx(0, abs=1e-9)
    assert "itself" in own.assumptions["Benchmark"]
    assert "20 symbols, rebalanced every row" in stocks.assumptions["Benchmark"]
    for wrong in (np.ones(3), -np.ones(stocks.bars.n_rows), np.full(stocks.bars.n_rows, NAN)):
        with pytest.raises(al.errors.DataError, match="one close above 0 for each row"):
            dataclasses.replace(stocks, benchmark=wrong)


def test_benchmark_owns_what_splits_and_pays() -> None:
    close = np.array([100.0, 102.0, 52.0, NAN, 55.0])
    columns = {
        "told": np.full((5, 1), 0.5),
        "split": np.array([NAN, NAN, 2.0, NAN, NAN])[:, None],
        "dividend": np.array([NAN, NAN, NAN, NAN, 1.0])[:, None],
    }
    bars = panel(close).with_columns(columns)
    applied = al.backtest(Told(), bars, actions="cash")
    assert applied.benchmark_returns == pytest.approx([0, 0.02, 104 / 102 - 1, 0, 56 / 52 - 1])
    assert applied.benchmark_name == "buy and hold S0, dividends included"
    left = al.backtest(Told(), bars, quality="accept")
    assert left.metrics["benchmark_return"] == pytest.approx(-0.45)


def test_benchmark_is_in_the_currency_of_the_account() -> None:
    rate = np.array([1.0, 1.1, 1.1])[:, None]
    columns = {"told": np.full((3, 1), 0.5), "eur": rate}
    for kind, gained in (("spot", 1.1 * 1.2 - 1), ("linear", 0.2)):
        venue = (Instrument(symbol="E", kind=kind, currency="EUR"),)
        bars = panel([10.0, 10.0, 12.0], symbols=["E"], instruments=venue).with_columns(columns)
        result = al.backtest(Told(), bars, currency="USD", conversions={"EUR": "eur"})
        assert result.metrics["benchmark_return"] == pytest.approx(gained)


def test_assumptions_say_everything(cross: Result) -> None:
    said = cross.assumptions
    assert "open of the next bar" in said["Fill"]
    assert "10 bps" in said["Costs"] and "not modelled" in said["Costs"]
    assert said["Digest"].startswith(cross.digest)
    assert cross.bars.id in said["Data"]
    assert said["Data notes"].startswith("S&P 500 index")
    assert "ts_mean(close, 10)" in said["Expressions"]
    assert said["Cash"].startswith("100,000.00 USD")
    assert said["Warnings"] == ("; ".join(cross.warnings) or "none")


def test_a_seen_price_is_never_kept_quiet() -> None:
    seen = book(panel(wiggle()), [(1, 0, 5.0)], fill="same_close")
    for text in (repr(seen), seen._repr_html_(), seen.assumptions["Fill"]):
        assert "price the decision has seen" in text
    assert "has seen" not in repr(book(panel(wiggle()), [(1, 0, 5.0)]))


def test_costs_are_stated() -> None:
    free = book(panel(wiggle()), [(1, 0, 5.0)])
    assert free.assumptions["Costs"].startswith("Costs are not modelled: the fee is 0.")
    venue = (Instrument(symbol="S0", taker_bps=4), Instrument(symbol="S1", taker_bps=7))
    bars = panel(wiggle(symbols=2), instruments=venue)
    settings = al.RunSettings(cash=10_000.0)
    assert "4 to 7 bps" in book(bars, [(1, 0, 5.0)], settings=settings).assumptions["Costs"]


def test_only_what_applies_is_assumed(cross: Result) -> None:
    plain = set(cross.assumptions)
    assert plain.isdisjoint(
        {"Entries", "Exits", "Margin", "Financing", "Funding", "Splits and dividends", "Currencies"}
    )
    assert "None is assumed" in cross.assumptions["Path inside a bar"]
    assert "Orders are filled whole" in cross.assumptions["Fill"]
    assert cross.assumptions["Cash"].endswith(
        "A cash account: purchases are paid in full. Idle cash earns nothing."
    )


def said_with(instruments: tuple[Instrument, ...] = SPOT[:1], **settings: object) -> dict[str, str]:
    shape = (40, len(instruments))
    columns = {"told": np.full(shape, 0.3), "eur": np.full(shape, 1.1)}
    columns |= {"funding": np.zeros(shape), "split": columns["told"] * NAN}
    columns["dividend"] = columns["split"]
    symbols = [instrument.symbol for instrument in instruments]
    bars = panel(wiggle(40, len(symbols)), symbols=symbols, instruments=instruments)
    return al.backtest(Told(), bars.with_columns(columns), **settings).assumptions


@pytest.mark.parametrize(
    ("settings", "label", "words"),
    [
        (
            {"costs": al.Costs(fee_bps=3, spread_bps=4)},
            "Costs",
            "Takers pay half a spread of 4 bps",
        ),
        ({"costs": al.Costs(slippage_bps=4)}, "Costs", "Takers pay slippage of 4 bps. Spr"),
        ({"costs": al.Costs(fee_per_unit=0.5)}, "Costs", "0.5 USD per unit on top."),
        ({"costs": al.Costs(min_fee=2)}, "Costs", "At least 2 USD per order."),
        (
            {"costs": al.Costs(tiers=[al.FeeTier(value=0, maker_bps=-1, taker_bps=5)])},
            "Costs",
            "from 0 on -1 for makers and 5 for takers.",
        ),
        (
            {
                "costs": al.Costs(root_impact_bps=40),
                "execution": al.Execution(participation=0.05, delay=2),
            },
            "Costs",
            "40 bps times the root of its share of the bar's volume. Spread, slippage, funding and",
        ),
        (
            {"execution": al.Execution(participation=0.05, delay=2)},
            "Fill",
            "Orders arrive 2 rows late. At most 5 % of a bar's volume is filled",
        ),
        (
            {"exits": al.Exits(stop_loss=0.02, take_profit=0.05, trailing=0.03, max_holding=7)},
            "Exits",
            "a stop 2 % below the average entry price, a limit order 5 % above the average entry "
            "price, a stop 3 % below the best price since the entry or a market order after 7 rows",
        ),
        ({"exits": al.Exits(stop_loss=0.02)}, "Path inside a bar", "whichever leaves less equity"),
        (
            {"exits": al.Exits(stop_loss=0.02), "execution": al.Execution(path="optimistic")},
            "Path inside a bar",
            "The figures are too good.",
        ),
        (
            {"entry": al.Entry(limit_offset_bps=5, ttl=3, then="market", post_only=True)},
            "Entries",
            "By limit orders 5 bps better than the close that decided, for 3 rows, then by market "
            "order. Orders that would trade at once are refused.",
        ),
        (
            {"entry": al.Entry(limit_offset_bps=-5)},
            "Entries",
            "By limit orders 5 bps worse than the close that decided, until the target changes.",
        ),
        (
            {"margin": al.Margin(initial=0.2, maintenance=0.1, liquidation_fee_bps=50)},
            "Margin",
            "Up to 5 times the equity. When equity is below 10 % of the positions' value, all "
            "positions are closed at a taker's fee, for 50 bps more. This is checked with all",
        ),
        ({"margin": MARGIN}, "Limits", "gross exposure 5"),
        (
            {"financing": al.Financing(borrow_bps=50, interest_bps=200, day_count=360)},
            "Financing",
            "A short position costs 50 bps a year and idle cash earns 200 bps a year: posted "
            "once a UTC day, for 1 of 360.",
        ),
        ({"financing": al.Financing(interest_bps=200)}, "Cash", "Idle cash earns 200 bps a year."),
        ({"actions": "reinvest"}, "Splits and dividends", "a dividend buys more of its asset"),
        ({"instruments": LINEAR[:1]}, "Funding", "Every 8 hours from midnight UTC"),
        ({"instruments": LINEAR[:1]}, "Cash", "Contracts need their whole size in equity."),
        (
            {"instruments": MIXED[1:2], "currency": "USD", "conversions": {"EUR": "eur"}},
            "Currencies",
            "EUR (column eur) is converted into USD at the rate of each row.",
        ),
        (
            {"instruments": MIXED[1:2], "currency": "USD", "conversions": {"EUR": "eur"}},
            "Cash",
            "100,000.00 USD at the start",
        ),
    ],
)
def test_settings_in_words(settings: dict[str, object], label: str, words: str) -> None:
    assert words in said_with(**settings)[label]


def test_makers_are_mentioned_where_there_are_any() -> None:
    venue = (Instrument(symbol="S0", maker_bps=1, taker_bps=4),)
    assert "waited" not in said_with(venue)["Costs"] and "of 4 bps" in said_with(venue)["Costs"]
    limits = said_with(venue, entry=al.Entry(limit_offset_bps=5))["Costs"]
    assert "of 4 bps" in limits and "of 1 bps where a limit order has waited" in limits


@pytest.mark.parametrize(
    ("rebalance", "words"),
    [
        (al.Rebalance.on_change(), "when its target changes"),
        (al.Rebalance.every_row(), "on every row"),
        (
            al.Rebalance.drift(0.05, cooldown=3),
            "more than 0.05 from its target, and not again for 3 rows",
        ),
        (al.Rebalance.calendar("month"), "once in each month (UTC)"),
    ],
)
def test_rebalance_and_limits_in_words(rebalance: al.Rebalance, words: str) -> None:
    limits = al.Limits(gross=2, weight=0.3, group="sector", group_gross=0.5)
    settings = al.RunSettings(rebalance=rebalance, limits=limits)
    said = book(panel(wiggle()), [], settings=settings).assumptions
    assert words in said["Rebalance"]
    assert said["Limits"] == (
        "At most: gross exposure 2; weight of one asset 0.3; gross exposure of one sector 0.5."
    )


def test_repr(cross: Result) -> None:
    assert repr(cross) == (
        f"<Result: Cross(fast=10, slow=30), return {cross.metrics['total_return']:.2%}, "
        f"Sharpe {cross.metrics['sharpe']:.2f}, max drawdown "
        f"{cross.metrics['max_drawdown']:.2%}, {len(cross.record.fills):,} fills, "
        f"digest {cross.digest[:8]}>"
    )
    evil = dataclasses.replace(cross, strategy="<img src=x>", warnings=("<b>",))
    assert "<img" not in evil._repr_html_() and "&lt;b&gt;" in evil._repr_html_()


def test_figures_need_no_pandas() -> None:
    code = (
        "import json, sys, alphalab as al\n"
        "class Hold(al.Strategy):\n"
        "    def weights(self): return al.where(al.close > 0, 1.0, 0.0)\n"
        "result = al.backtest(Hold(), al.load('sp500'))\n"
        "json.dumps(result.to_dict()), result.digest, repr(result), result.assumptions\n"
        "print([m for m in ('pandas', 'plotly', 'scipy.stats', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_multiplier_counts_everywhere() -> None:
    venue = (Instrument(symbol="S0", multiplier=10),)
    prices = np.array([100.0, 100.0, 103.0, 104.0])
    ten = book(panel(prices, instruments=venue), [(1, 0, 2.0), (3, 0, -2.0)], fee_bps=1)
    plain = book(panel(prices), [(1, 0, 20.0), (3, 0, -20.0)], fee_bps=1)
    assert ten.to_dict()["metrics"] == plain.to_dict()["metrics"]
    pd.testing.assert_frame_equal(ten.weights, plain.weights)
    for ours, theirs in zip(ten.to_pyfolio(), plain.to_pyfolio(), strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(ours), pd.DataFrame(theirs))


def test_pyfolio_inputs(real: Result) -> None:
    returns, positions, transactions = real.to_pyfolio()
    assert (returns.index == positions.index).all()
    assert str(returns.index.tz) == "UTC"
    assert (returns.index == returns.index.normalize()).all()
    total = (1 + returns).prod() - 1
    assert total == pytest.approx(real.metrics["total_return"])
    worth = positions.sum(axis=1)
    assert worth.iloc[-1] == pytest.approx(real.metrics["final_equity"])
    np.testing.assert_allclose(worth.pct_change().iloc[1:], returns.iloc[1:], atol=1e-12)
    traded = (transactions["amount"] * transactions["price"]).abs().sum()
    assert traded == pytest.approx(real.record.ledger["turnover"][-1])


def test_pyfolio_inputs_of_every_market(market: Result) -> None:
    returns, positions, transactions = market.to_pyfolio()
    worth = positions.sum(axis=1)
    assert worth.iloc[-1] == pytest.approx(market.metrics["final_equity"])
    np.testing.assert_allclose(worth.pct_change().iloc[1:], returns.iloc[1:], atol=1e-12)
    traded = (transactions["amount"] * transactions["price"]).abs().sum()
    assert traded == pytest.approx(market.record.ledger["turnover"][-1])


@pytest.mark.filterwarnings('ignore:Module "zipline.assets" not found:UserWarning')
def test_pyfolio_takes_them(stocks: Result) -> None:
    pyfolio = pytest.importorskip("pyfolio")
    returns, positions, transactions = stocks.to_pyfolio()
    stats = pyfolio.timeseries.perf_stats(
        returns, positions=positions, transactions=transactions, factor_returns=returns
    )
    ours = stocks.metrics
    for name, value in {
        "Annual return": ours["annual_return"],
        "Cumulative returns": ours["total_return"],
        "Annual volatility": ours["volatility"],
        "Sharpe ratio": ours["sharpe"],
        "Calmar ratio": ours["calmar"],
        "Max drawdown": -ours["max_drawdown"],
        "Omega ratio": ours["omega"],
        "Sortino ratio": ours["sortino"],
        "Skew": ours["skew"],
        "Kurtosis": ours["kurtosis"],
        "Beta": 1.0,
    }.items():
        assert stats[name] == pytest.approx(value, rel=1e-9), name
    assert stats["Daily turnover"] > 0
    assert stats["Gross leverage"] == pytest.approx(ours["mean_gross_exposure"], rel=0.02)
    top = pyfolio.pos.get_top_long_short_abs(pyfolio.pos.get_percent_alloc(positions))
    assert all(len(side) == 10 for side in top)


def test_pyfolio_keeps_the_name_cash() -> None:
    with pytest.raises(al.errors.DataError, match="symbol 'cash'"):
        book(panel(wiggle(), symbols=["cash"]), []).to_pyfolio()


@pytest.fixture(scope="module")
def vectorbt() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever its import says
        return pytest.importorskip("vectorbt")


def test_vectorbt_agrees_on_every_row(real: Result, vectorbt: object) -> None:
    value = real.to_vectorbt().value()
    np.testing.assert_allclose(value, real.equity, rtol=1e-9)
    assert (value.index == real.equity.index).all()


def test_vectorbt_agrees_with_gaps_and_two_fills_in_a_row(vectorbt: object) -> None:
    prices = wiggle(60, symbols=3)
    prices[:10, 1] = np.nan
    prices[30:35, 0] = np.nan
    prices[50:, 2] = np.nan
    orders = [(2, 0, 20.0), (2, 0, -20.0), (5, 2, -8.0), (12, 1, 7.0), (12, 1, -12.0), (40, 0, 3.0)]
    result = book(panel(prices), orders, fee_bps=15)
    portfolio = result.to_vectorbt()
    np.testing.assert_allclose(portfolio.value(), result.equity, rtol=1e-9)
    assert portfolio.orders.count() == len(orders)
    assert portfolio.total_profit() == pytest.approx(result.equity.iloc[-1] - 10_000)
    assert portfolio.orders.fees.sum() == pytest.approx(result.metrics["fees"])


def test_vectorbt_agrees_where_it_can(market: Result, vectorbt: object) -> None:
    if market.record.postings.size or market.settings.conversions:
        with pytest.raises(al.errors.DataError, match="holds only purchases and sales in one"):
            market.to_vectorbt()
    else:
        np.testing.assert_allclose(market.to_vectorbt().value(), market.equity, rtol=1e-9)


def test_a_missing_extra_says_how_to_get_it(cross: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vectorbt", None)
    with pytest.raises(al.errors.MissingExtraError, match=r"pip install 'alphalab\[research\]'"):
        cross.to_vectorbt()
