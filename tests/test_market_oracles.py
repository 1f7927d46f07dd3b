"""Independent checks of the simulated market: vectorbt, backtesting.py, and closed formulas.

All agree to 1e-9 where they mean the same. vectorbt's ``from_orders`` does for orders in units:
same rows, prices, units and fees. Its stops do for positions opened at a close. They differ, and
are not compared, in

- the entry bar: a position opened at an open meets its exits in the rest of that bar here, and only
  in the next one there;
- where exits count from: the close of the entry bar there, unless it is told ``fillprice``;
- friction: there an exit has it for stop and target (``stopmarket``) or for neither
  (``stoplimit``); here a stop has it, and a target, a limit order, has none and pays the maker's
  fee;
- a bar with stop and target: the stop there, also after an open beyond the target; here what the
  path says. A pessimistic path takes the stop too, unless the open already was beyond the target;
- a trailing stop: it is looked at before it follows the bar's best price there; here it follows
  the path inside the bar. They agree where a bar goes one way from the close before;
- a bar that stops a position: signals are not read there; here the close still decides.

backtesting.py's market orders with ``sl`` and ``tp`` are our brackets, also in the entry bar and
over gaps. They differ, and are not compared, in

- a bar with stop and target: the stop there, always, as above;
- a stop or limit entry with children: its children wait for the next bar there (with a warning);
- ``spread``: only of what opens a trade there, of every taker here;
- an order beyond the cash: dropped at its fill there, refused already at its decision here;
- what a trade is: one per entry there, average prices here. One entry at a time is the same.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
from markets import DAY, DISTANCES, MONDAY, Market, random_market
from msgspec import structs
from scripted import NOTHING

from alphalab.codes import OrderStatus, OrderType
from alphalab.config import Costs, Execution, Exits, Holding, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.strategy import Strategy
from alphalab.expr.functions import close, column
from alphalab.expr.nodes import Expr
from alphalab.kernels.market import orders
from alphalab.types import FloatArray, Instrument

CANDLE = ("open", "high", "low", "close")
CASH = 1_000_000.0
STOP, LIMIT, TRAILING = OrderType.STOP, OrderType.LIMIT, OrderType.TRAILING
EITHER = Exits(stop_loss=0.02, take_profit=0.025)


class Units(Strategy):
    """Market orders of so many units; those that close only reduce."""

    max_orders = 3

    def signals(self) -> dict[str, Expr]:
        return {"units": column("units"), "closing": column("closing")}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        for j in range(table.shape[1]):
            units = table[0, j]
            if units != 0.0:
                side = orders.BUY if units > 0.0 else orders.SELL
                reduce = table[1, j] > 0.0
                orders.market(account, j, side, abs(units), orders.GTC, 0, reduce)
        return np.full(table.shape[1], np.nan)


def run(strategy: Strategy, columns: dict[str, FloatArray], **fields: Any) -> Block:
    fields = {"cash": CASH} | fields
    n_rows, n_assets = columns["close"].shape
    instrument = fields.pop("instrument", {})
    instruments = [Instrument(symbol=f"S{i}", **instrument) for i in range(n_assets)]
    engine = Engine(strategy, instruments, RunSettings(**fields))
    return engine.push(MONDAY + DAY * np.arange(n_rows), columns)


def candles(rng: np.random.Generator, shape: tuple[int, int], gap: float, reach: float) -> Any:
    """Open, high, low and close of a random walk."""
    close = 100.0 * np.exp(rng.uniform(-0.017, 0.017, shape).cumsum(axis=0))
    before = np.concatenate([close[:1], close[:-1]])
    open_ = before * np.exp(gap * rng.normal(size=shape))
    high = np.maximum(open_, close) * np.exp(reach * rng.random(shape))
    low = np.minimum(open_, close) * np.exp(-reach * rng.random(shape))
    return {"open": open_, "high": high, "low": low, "close": close}


def n_exits(block: Block, kind: OrderType) -> int:
    """How many orders of this type closed something, at a profit or loss."""
    filled = block.events[block.events["status"] == OrderStatus.FILLED]
    closing = block.fills["order"][block.fills["realised"] != 0.0]
    return int(np.isin(filled["order"][filled["type"] == kind], closing).sum())


def assert_equal_books(block: Block, theirs: Any) -> None:
    """Same orders and same equity as a vectorbt portfolio."""
    fills = np.sort(block.fills, order=["row", "asset"])
    records = np.sort(theirs.orders.values, order=["idx", "col"])
    assert np.array_equal(fills["row"], records["idx"])
    assert np.array_equal(fills["asset"], records["col"])
    sign = np.where(records["side"] == 0, 1.0, -1.0)
    np.testing.assert_allclose(fills["qty"], sign * records["size"], rtol=1e-9)
    np.testing.assert_allclose(fills["price"], records["price"], rtol=1e-9)
    np.testing.assert_allclose(fills["fee"], records["fees"], rtol=1e-9, atol=1e-9)
    equity = np.asarray(theirs.value(), np.float64).reshape(-1)
    np.testing.assert_allclose(block.ledger["equity"], equity, rtol=1e-9)
    np.testing.assert_allclose(block.ledger["fees"][-1], records["fees"].sum(), rtol=1e-9)


@pytest.fixture(scope="module")
def portfolio() -> Any:
    return pytest.importorskip("vectorbt").Portfolio


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize(("fee", "slippage"), [(0.0, 0.0), (0.001, 0.0), (0.002, 0.003)])
def test_orders_in_units(portfolio: Any, fill: Any, fee: float, slippage: float) -> None:
    rng = np.random.default_rng(11)
    shape = (300, 3)
    bars = candles(rng, shape, 0.01, 0.01)
    units = rng.integers(-50, 51, shape) * (rng.random(shape) < 0.3) * 1.0
    block = run(
        Units(),
        bars | {"units": units, "closing": 0.0 * units},
        fill=fill,
        costs=Costs(fee_bps=1e4 * fee, slippage_bps=1e4 * slippage),
    )
    late = np.concatenate([np.zeros((1, 3)), units[:-1]])
    size = units if fill == "same_close" else late
    theirs = portfolio.from_orders(
        bars["close"],
        size=np.where(size == 0.0, np.nan, size),
        price=bars["open" if fill == "next_open" else "close"],
        fees=fee,
        slippage=slippage,
        init_cash=CASH,
        cash_sharing=True,
        group_by=True,
    )
    assert_equal_books(block, theirs)
    assert block.fills.size > 200
    assert (block.qty < 0.0).any()
    assert (block.qty > 0.0).any()


def spells(rng: np.random.Generator, n_rows: int, side: float) -> dict[str, FloatArray]:
    """An entry every twenty rows, and what closes it some rows later."""
    units, closing = np.zeros((n_rows, 1)), np.zeros((n_rows, 1))
    units[::20] = 10.0 * side
    ends = np.arange(0, n_rows, 20) + rng.integers(5, 20, len(units[::20]))
    ends = ends[ends < n_rows]
    units[ends], closing[ends] = -10.0 * side, 1.0
    return {"units": units, "closing": closing}


def stopped_by_vectorbt(
    portfolio: Any,
    bars: dict[str, FloatArray],
    script: dict[str, FloatArray],
    side: float,
    **more: Any,
) -> Any:
    closing = script["closing"] > 0.0
    return portfolio.from_signals(
        **{name: bars[name] for name in CANDLE},
        entries=(script["units"] != 0.0) & ~closing,
        exits=closing,
        direction="longonly" if side > 0.0 else "shortonly",
        size=10.0,
        stop_entry_price="fillprice",
        init_cash=CASH,
        **more,
    )


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["long", "short"])
@pytest.mark.parametrize(
    ("kinds", "exits", "stops", "slippage"),
    [
        ((STOP, LIMIT), EITHER, dict(sl_stop=0.02, tp_stop=0.025), 0.0),
        ((STOP,), Exits(stop_loss=0.02), dict(sl_stop=0.02), 0.003),
        ((LIMIT,), Exits(take_profit=0.025), dict(tp_stop=0.025), 0.0),
        ((TRAILING,), Exits(trailing=0.025), dict(sl_stop=0.025, sl_trail=True), 0.003),
    ],
    ids=["both", "stop", "target", "trailing"],
)
def test_exits(
    portfolio: Any, kinds: Any, exits: Exits, stops: dict[str, Any], slippage: float, side: float
) -> None:
    """Over gaps too, and no bar is long enough for two levels; trailing stops without either."""
    rng = np.random.default_rng(12)
    gap, reach = (0.0, 0.0) if TRAILING in kinds else (0.005, 0.002)
    bars, script = candles(rng, (4_000, 1), gap, reach), spells(rng, 4_000, side)
    costs = Costs(fee_bps=10, slippage_bps=1e4 * slippage)
    block = run(Units(), bars | script, fill="same_close", exits=exits, costs=costs)
    stops = stops | dict(fees=0.001, slippage=slippage, stop_exit_price="stopmarket")
    assert_equal_books(block, stopped_by_vectorbt(portfolio, bars, script, side, **stops))
    assert not block.ambiguities.size
    for kind in (STOP, LIMIT, TRAILING):
        assert (n_exits(block, kind) >= 30) == (kind in kinds)
    assert n_exits(block, OrderType.MARKET) >= 30


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["long", "short"])
def test_a_pessimistic_path_takes_the_stop(portfolio: Any, side: float) -> None:
    """Without gaps, in bars that reach both levels."""
    rng = np.random.default_rng(14)
    bars, script = candles(rng, (4_000, 1), 0.0, 0.03), spells(rng, 4_000, side)
    block = run(Units(), bars | script, fill="same_close", exits=EITHER)
    stops = dict(sl_stop=0.02, tp_stop=0.025)
    theirs = stopped_by_vectorbt(portfolio, bars, script, side, **stops)
    assert_equal_books(block, theirs)
    assert block.ambiguities.size >= 20
    assert n_exits(block, STOP) >= 20
    assert n_exits(block, LIMIT) >= 20
    best = Execution(path="optimistic")
    better = run(Units(), bars | script, fill="same_close", exits=EITHER, execution=best)
    with pytest.raises(AssertionError):
        assert_equal_books(better, theirs)


class Crosses(Strategy):
    """Brackets of whole shares where two averages cross; the opposite cross closes first."""

    fast: int = 10
    slow: int = 25
    stop: float = 0.04
    target: float = 0.06
    max_orders = 4
    memory_rows = 1

    def signals(self) -> dict[str, Expr | float]:
        gap = close.ts_mean(self.fast) - close.ts_mean(self.slow)
        return {"gap": gap, "close": close, "stop": self.stop, "target": self.target}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        gap, price, before = table[0, 0], table[1, 0], memory[0, 0]
        memory[0, 0] = gap
        if gap * before < 0.0:
            side = orders.BUY if gap > 0.0 else orders.SELL
            held = account.positions["qty"][0]
            if held == 0.0:
                size = np.floor(0.5 * account.equity / price)
                target = price * (1.0 + side * table[3, 0])
                stop = price * (1.0 - side * table[2, 0])
                orders.bracket(account, 0, side, size, np.nan, target, stop)
            elif held * side < 0.0:
                orders.market(account, 0, side, abs(held), orders.GTC, 0, True)
        return np.full(1, np.nan)


@pytest.fixture(scope="module")
def backtesting() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("backtesting.test")
        return pytest.importorskip("backtesting")


def crosses_there(module: Any, ours: Crosses, fee: float) -> Any:
    """The same strategy in backtesting.py, on its own data."""

    class Theirs(module.Strategy):
        def init(self) -> None:
            values = self.data.Close.s
            self.fast = self.I(lambda: values.rolling(ours.fast).mean())
            self.slow = self.I(lambda: values.rolling(ours.slow).mean())

        def next(self) -> None:
            price = self.data.Close[-1]
            before, gap = (self.fast[i] - self.slow[i] for i in (-2, -1))
            if gap * before >= 0.0:
                return
            side = 1 if gap > 0.0 else -1
            if self.position.size * side < 0:
                self.position.close()
            elif not self.position:
                target, stop = price * (1 + side * ours.target), price * (1 - side * ours.stop)
                order = self.buy if side > 0 else self.sell
                order(size=int(0.5 * self.equity / price), sl=stop, tp=target)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a trade is open at the end
        test = module.Backtest(module.test.GOOG, Theirs, cash=CASH, commission=fee)
        return test.run()


@pytest.mark.parametrize("fee", [0.0, 0.002])
@pytest.mark.parametrize(("fast", "slow"), [(10, 25), (5, 12)])
def test_crosses_with_brackets(backtesting: Any, fast: int, slow: int, fee: float) -> None:
    data = backtesting.test.GOOG
    strategy = Crosses(fast=fast, slow=slow)
    bars = {name: data[name.title()].to_numpy(np.float64)[:, None] for name in CANDLE}
    block = run(strategy, bars, costs=Costs(fee_bps=1e4 * fee), instrument={"lot": 1})
    stats = crosses_there(backtesting, strategy, fee)
    trades = stats["_trades"].sort_values("EntryBar")
    entries, leaves = block.fills[::2], block.fills[1::2]
    n = len(trades)
    assert n >= 40
    assert len(entries) in (n, n + 1)  # the last one may be open
    pairs = [("EntryBar", "EntryPrice", entries), ("ExitBar", "ExitPrice", leaves)]
    for bar, price, fills in pairs:
        assert np.array_equal(fills["row"][:n], trades[bar])
        np.testing.assert_allclose(fills["price"][:n], trades[price], rtol=1e-9)
    assert np.array_equal(entries["qty"][:n], trades["Size"])
    equity = stats["_equity_curve"]["Equity"].to_numpy()
    np.testing.assert_allclose(block.ledger["equity"], equity, rtol=1e-9)
    assert n_exits(block, STOP) >= 10
    assert n_exits(block, LIMIT) >= 10
    assert n_exits(block, OrderType.MARKET) >= 3


class Gambler(Strategy):
    """Always in: a stop and a target so many ticks away."""

    side: float = 1.0
    down: float = 2.0
    up: float = 3.0
    max_orders = 3

    def signals(self) -> dict[str, Expr | float]:
        return {"close": close, "side": self.side, "down": self.down, "up": self.up}

    @staticmethod
    def decide(table, account, memory):  # type: ignore[no-untyped-def]
        for j in range(table.shape[1]):
            if account.positions["qty"][j] == 0.0:
                price, side = table[0, j], table[1, j]
                target, stop = price + side * table[3, j], price - side * table[2, j]
                orders.bracket(account, j, int(side), 1.0, np.nan, target, stop)
        return np.full(table.shape[1], np.nan)


@pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])
@pytest.mark.parametrize(("down", "up"), [(2, 3), (5, 2), (3, 3), (1, 8)])
def test_a_gambler_is_ruined_as_often_as_he_should_be(side: int, down: int, up: int) -> None:
    """Stopped with probability up / (down + up): Feller, An Introduction to Probability, XIV.2."""
    rng = np.random.default_rng([down, up, side + 1])
    close = 5_000.0 + rng.choice([-1.0, 1.0], (3_000, 32)).cumsum(axis=0)
    before = np.concatenate([close[:1], close[:-1]])
    bars = {"open": before, "close": close}
    bars |= {"high": np.maximum(before, close), "low": np.minimum(before, close)}
    strategy = Gambler(side=float(side), down=float(down), up=float(up))
    block = run(strategy, bars, instrument={"tick": 1})
    n_stopped, n_paid = (n_exits(block, kind) for kind in (STOP, LIMIT))
    n, chance = n_stopped + n_paid, up / (down + up)
    assert n > 4_000
    assert abs(n_stopped / n - chance) < 4.0 * np.sqrt(chance * (1.0 - chance) / n)
    assert block.ledger["realised"][-1] == up * n_paid - down * n_stopped


PERIOD = 8
LONGEST = 10 * PERIOD


def bracketed(seed: int, n_assets: int, **fields: Any) -> Market:
    """Long positions one after the other, each with a target and a stop, or one of some kind.

    Prices are multiples of 2**-24: what is added up is exact, and no two are the same by chance.
    A trailing stop only follows an entry at the open: after one inside the bar its level depends on
    the path where the equity does not.
    """
    rng = np.random.default_rng(seed)
    shape = (LONGEST, n_assets)
    close = 100.0 + on_grid(rng.uniform(-0.6, 0.6, shape)).cumsum(axis=0)
    open_ = np.concatenate([close[:1], close[:-1]]) + on_grid(rng.uniform(-0.15, 0.15, shape))
    high = np.maximum(open_, close) + on_grid(rng.random(shape))
    low = np.minimum(open_, close) - on_grid(rng.random(shape))
    prices = dict(zip(CANDLE, (open_, high, low, close), strict=True))
    script: list[list[dict[str, Any]]] = [[] for _ in range(LONGEST)]
    n_sent = 0
    for row in range(0, LONGEST, PERIOD):
        for j in range(n_assets):
            entry, *child = entry_of(rng, j, prices["close"][row, j])
            entry["of"] = None
            leave = NOTHING | {"action": "market", "asset": j, "side": -1, "qty": 9.0}
            leave["reduce_only"] = True
            script[row] += [entry, *(x | {"of": n_sent} for x in child)]
            end = [NOTHING | {"action": "cancel", "of": n_sent}, leave]
            script[row + PERIOD - 2] += end
            n_sent += 1 + len(child)
        n_sent += n_assets
    fields = {"cash": 2.0**20} | fields
    kind = fields.pop("kind", "spot")
    return Market(
        MONDAY + DAY * np.arange(LONGEST),
        prices["open"],
        prices["close"],
        np.full(shape, np.nan),
        [Instrument(symbol=f"S{j}", kind=kind) for j in range(n_assets)],
        RunSettings(**fields),
        {name: prices[name] for name in ("high", "low")},
        script,
    )


def on_grid(x: FloatArray) -> FloatArray:
    return np.rint(x * 2**24) / 2**24


def entry_of(rng: np.random.Generator, asset: int, price: float) -> list[dict[str, Any]]:
    """A bracket, or an entry with a stop or a trailing stop, of a few units."""
    near, far, wide = on_grid(rng.uniform(0.02, 1.0, 3))
    common = NOTHING | {"asset": asset, "side": 1, "qty": float(rng.integers(1, 5))}
    kinds = ["bracket", "bracket", "market", "market", "limit", "stop", "stop_limit", "take_profit"]
    kind = rng.choice(kinds)
    if kind == "bracket":
        entry = rng.choice([np.nan, price - near])
        start = price if np.isnan(entry) else entry
        levels = {"limit": entry, "trail": start + far, "stop": start - wide}
        return [common | {"action": kind} | levels]
    level = price - near if kind in ("limit", "take_profit") else price + near
    prices = {"limit" if kind == "limit" else "stop": level}
    if kind == "stop_limit":
        prices["limit"] = level + far - wide
    child = {"action": "stop", "stop": price - 1.0 - wide}
    if kind == "market":
        prices, child = {}, {"action": "trailing", "trail": wide}
    return [common | {"action": kind} | prices, common | child | {"side": -1, "reduce_only": True}]


def mirrored(market: Market) -> Market:
    """What is long becomes short, on prices mirrored at 100."""

    def other(price: Any) -> Any:
        return 200.0 - price

    def turned(request: dict[str, Any]) -> dict[str, Any]:
        changed = {name: other(request[name]) for name in ("limit", "stop")}
        if request["action"] == "bracket":
            changed["trail"] = other(request["trail"])
        return request | changed | {"side": -request["side"]}

    return market._replace(
        open=other(market.open),
        close=other(market.close),
        more={"high": other(market.more["low"]), "low": other(market.more["high"])},
        requests=[[turned(request) for request in asked] for asked in market.requests],
    )


@pytest.mark.parametrize("path", ["pessimistic", "optimistic"])
def test_a_mirrored_market_gives_mirrored_trades(path: Any) -> None:
    """Distances only: exits are fractions of a price, and those are not mirrored."""
    exits, n_ambiguous = dict.fromkeys((STOP, LIMIT, TRAILING), 0), 0
    for seed in range(30):
        market = bracketed(seed, 2, kind="linear", execution=Execution(path=path))
        ours, theirs = market.run(), mirrored(market).run()
        order = ["row", "asset", "order"]
        fills, others = np.sort(ours.fills, order=order), np.sort(theirs.fills, order=order)
        for name in ("row", "asset", "order", "realised", "fee"):
            assert np.array_equal(fills[name], others[name]), (seed, name)
        assert np.array_equal(fills["qty"], -others["qty"])
        assert np.array_equal(fills["price"], 200.0 - others["price"])
        np.testing.assert_allclose(ours.ledger["equity"], theirs.ledger["equity"], rtol=1e-9)
        assert (ours.qty >= 0.0).all()
        n_ambiguous += ours.ambiguities.size
        for kind in exits:
            exits[kind] += n_exits(ours, kind)
    assert min(exits.values()) >= 50
    assert n_ambiguous >= 30


def scaled(market: Market, price: float, size: float) -> Market:
    """Prices and sizes in other units. Both are powers of two: nothing is rounded otherwise."""
    money = price * size
    prices = {"limit": price, "stop": price, "trail": price, "qty": size}
    columns = {"high": price, "low": price, "dividend": price, "volume": size}
    columns |= {"bid": price, "ask": price, "delisting": price, **dict.fromkeys(DISTANCES, price)}
    costs, settings = market.settings.costs, market.settings
    tiers = tuple(structs.replace(tier, value=tier.value * money) for tier in costs.tiers)
    costs = structs.replace(
        costs,
        fee_per_unit=costs.fee_per_unit * price,
        fee_per_order=costs.fee_per_order * money,
        min_fee=costs.min_fee * money,
        max_fee=None if costs.max_fee is None else costs.max_fee * money,
        fee_step=costs.fee_step * money,
        tiers=tiers,
    )
    holdings = {
        symbol: Holding(qty=holding.qty * size, price=holding.price * price)
        for symbol, holding in settings.holdings.items()
    }
    instruments = [
        structs.replace(
            i,
            tick=i.tick * price,
            lot=i.lot * size,
            min_value=i.min_value * money,
            multiplier=i.multiplier * (price * price if i.kind == "inverse" else 1.0),
        )
        for i in market.instruments
    ]
    return market._replace(
        open=market.open * price,
        close=market.close * price,
        instruments=instruments,
        settings=structs.replace(
            settings, cash=settings.cash * money, costs=costs, holdings=holdings
        ),
        more={name: values * columns.get(name, 1.0) for name, values in market.more.items()},
        requests=[
            [r | {k: (NOTHING | r)[k] * by for k, by in prices.items()} for r in asked]
            for asked in market.requests
        ],
    )


# Sizes do not shrink: a billion lots of 1.25e-9 are beyond what a float counts exactly.
@pytest.mark.parametrize(("price", "size"), [(8.0, 1.0), (0.25, 1.0), (1.0, 16.0), (0.5, 8.0)])
def test_units_of_measure_do_not_matter(price: float, size: float) -> None:
    """Bit for bit, on markets with everything in them."""
    money, n_fills, n_refusals = price * size, 0, 0
    for seed in range(150):
        market = random_market(random.Random(seed))
        ours, theirs = market.run(), scaled(market, price, size).run()
        assert np.array_equal(ours.qty * size, theirs.qty), seed
        for name in ours.ledger.dtype.names:
            assert np.array_equal(ours.ledger[name] * money, theirs.ledger[name]), (seed, name)
        units = {"qty": size, "price": price, "fee": money, "realised": money}
        for name in ours.fills.dtype.names:
            assert np.array_equal(ours.fills[name] * units.get(name, 1), theirs.fills[name]), seed
        for name in ("row", "asset", "reason"):
            assert np.array_equal(ours.refusals[name], theirs.refusals[name]), (seed, name)
        assert np.array_equal(ours.events["status"], theirs.events["status"]), seed
        n_fills, n_refusals = n_fills + ours.fills.size, n_refusals + ours.refusals.size
    assert n_fills > 1_000
    assert n_refusals > 300


def test_paths_are_in_order() -> None:
    """At the close of the first bar in which they part."""
    n_parted, taken = 0, set()
    for seed in range(60):
        low, middle, high = (
            bracketed(seed, 1, execution=Execution(path=path)).run()
            for path in ("pessimistic", "ohlc", "optimistic")
        )
        if not low.ambiguities.size:
            assert np.array_equal(low.ledger, high.ledger)
            continue
        first = low.ambiguities[0]
        row = int(first["row"])
        assert np.array_equal(low.ledger[:row], high.ledger[:row])
        assert np.array_equal(low.ledger[:row], middle.ledger[:row])
        worst, between, best = (block.ledger["equity"][row] for block in (low, middle, high))
        both = sorted([first["low_first"], first["high_first"]])
        assert [worst, best] == pytest.approx(both, rel=1e-12)
        assert worst < best
        assert between in (worst, best)
        taken.add(between == worst)
        n_parted += 1
    assert n_parted >= 30
    assert taken == {True, False}
