"""nautilus_trader's side of `single.py`: runs in .venv-nautilus, knows nothing of alphalab.

python nautilus_peer.py BARS.npz FAST SLOW FEE_BPS REPEATS

BARS.npz holds `time` (ns), `open high low close volume` (T,) and `cash`. Prints one JSON object.
A market order that a strategy sends from `on_bar` is filled at that bar's close.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from importlib.metadata import version

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model import Bar, BarType, InstrumentId, Money, Price, Quantity, Symbol, Venue
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.instruments import Equity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
PRICE_DIGITS = 9


class SmaCross(Strategy):
    """All cash into the asset while the fast average is above the slow one."""

    def __init__(self, bar_type: BarType, fast: int, slow: int, fee: float) -> None:
        super().__init__()
        self.bar_type = bar_type
        self.fast = SimpleMovingAverage(fast)
        self.slow = SimpleMovingAverage(slow)
        self.fee = fee
        self.held = 0

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(self.bar_type.instrument_id)
        self.account = self.portfolio.account(VENUE)
        self.register_indicator_for_bars(self.bar_type, self.fast)
        self.register_indicator_for_bars(self.bar_type, self.slow)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        if not self.slow.initialized:
            return
        if self.fast.value > self.slow.value:
            if not self.held:
                cash = self.account.balance_free(USD).as_double()
                self.held = int(cash / (bar.close.as_double() * (1.0 + self.fee)))
                self.trade(OrderSide.BUY)
        elif self.held:
            self.trade(OrderSide.SELL)
            self.held = 0

    def trade(self, side: OrderSide) -> None:
        quantity = self.instrument.make_qty(self.held)
        self.submit_order(self.order_factory.market(self.bar_type.instrument_id, side, quantity))


def instrument(fee: float) -> Equity:
    return Equity(
        instrument_id=InstrumentId(Symbol("SYN"), VENUE),
        raw_symbol=Symbol("SYN"),
        currency=USD,
        price_precision=PRICE_DIGITS,
        price_increment=Price.from_str(f"{10**-PRICE_DIGITS:.{PRICE_DIGITS}f}"),
        lot_size=Quantity.from_int(1),
        taker_fee=Decimal(str(fee)),
        maker_fee=Decimal(str(fee)),
        ts_event=0,
        ts_init=0,
    )


def backtest(bars: list[Bar], asset: Equity, cash: float, fast: int, slow: int, fee: float) -> dict:
    """One run on ready bars: what it gave and the seconds that `run` took."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=USD,
        starting_balances=[Money(cash, USD)],
    )
    engine.add_instrument(asset)
    engine.add_data(bars)
    engine.add_strategy(SmaCross(bars[0].bar_type, fast, slow, fee))
    start = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - start
    # The account's value is not kept row by row: what it ends with is cash and what is held.
    last = bars[-1].close.as_double()
    balance = engine.cache.account_for_venue(VENUE).balance_total(USD).as_double()
    held = sum(float(p.signed_qty) for p in engine.cache.positions_open())
    found = {
        "seconds": seconds,
        "n_fills": len(engine.cache.orders_closed()),
        "total_return": (balance + held * last) / cash - 1.0,
    }
    engine.dispose()
    return found


def main(path: str, fast: str, slow: str, fee_bps: str, repeats: str) -> None:
    given = np.load(path)
    fee = float(fee_bps) / 1e4
    asset = instrument(fee)
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame(
        {name: given[name] for name in names}, pd.to_datetime(given["time"], utc=True)
    )
    bar_type = BarType.from_str("SYN.SIM-1-MINUTE-LAST-EXTERNAL")
    start = time.perf_counter()
    bars = BarDataWrangler(bar_type, asset).process(frame)
    prepare = time.perf_counter() - start
    cash = float(given["cash"])
    runs = [backtest(bars, asset, cash, int(fast), int(slow), fee) for _ in range(int(repeats))]
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if "VmHWM" in line) / 1024
    print(
        json.dumps(
            runs[-1]
            | {
                "runs_s": [run["seconds"] for run in runs],
                "prepare_s": prepare,
                "peak_mib": peak,
                "version": version("nautilus_trader"),
                "pandas": version("pandas"),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
