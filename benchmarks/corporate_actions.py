"""Real shares held through every split and dividend, against their adjusted prices.

python benchmarks/corporate_actions.py DATA_FOLDER [--json]

DATA_FOLDER holds us_equity_daily_raw.parquet and us_equity_factors.parquet. What the engine does
with unadjusted prices and events is compared with what the factors of the file say: (a) splits
alone, (b) dividends as cash, (c) dividends reinvested. Exit code 1 if one of them differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import alphalab as al
from alphalab.codes import Posting

sys.path.append(str(Path(__file__).parents[1] / "docs" / "recipes"))
from lean_factors import actions_from_factors

SYMBOLS = ("AAPL", "IBM", "QQQ", "SPY")
CASH = 100_000.0
TOLERANCE = 1e-9


class Hold(al.Strategy):
    """Buy once with all cash."""

    def weights(self):
        return al.latch(al.close > 0, 0)


class Share(NamedTuple):
    """One symbol: what was traded, what the file's factors say, and the events they imply."""

    bars: al.Bars
    price: np.ndarray  # factors in force in each session, (T,)
    split: np.ndarray
    events: pd.DataFrame


def load(folder: Path, symbol: str) -> Share:
    raw = pd.read_parquet(folder / "us_equity_daily_raw.parquet")
    factors = pd.read_parquet(folder / "us_equity_factors.parquet")
    raw, factors = raw[raw["symbol"] == symbol], factors[factors["symbol"] == symbol]
    events = actions_from_factors(
        factors, raw.pivot(index="time", columns="symbol", values="close")
    )
    bars = al.Bars.from_frame(raw, label="open", source=symbol)
    held = pd.merge_asof(raw[["time"]], factors, on="time", direction="forward")
    # The file rounds 1/28 to 0.0357143.
    split = 1 / (1 / held["split_factor"]).round()
    return Share(bars, held["price_factor"].to_numpy(), split.to_numpy(), events)


def hold(bars: al.Bars, actions: str = "none") -> al.Result:
    return al.backtest(Hold(), bars, cash=CASH, fill="same_close", actions=actions)


def largest_difference(result: al.Result, worth: np.ndarray) -> float:
    """Largest relative difference of an equity curve from what a holder's unit was worth."""
    expected = CASH * worth / worth[0]
    return float(np.max(np.abs(result.record.ledger["equity"] / expected - 1)))


def splits_alone(share: Share) -> float:
    """Hold through the splits, and hold the split-adjusted bars: the largest difference."""
    events = share.events.drop(columns="dividend")
    held = hold(share.bars.with_actions(events), "cash")
    factor = share.split[:, None]
    prices = {name: share.bars[name] * factor for name in ("open", "high", "low", "close")}
    adjusted = hold(share.bars.with_columns(prices))
    return largest_difference(held, adjusted.record.ledger["equity"])


def dividends_as_cash(share: Share) -> tuple[pd.DataFrame, float]:
    """Return each dividend booked beside what the factors imply, and how far the equity is off.

    No table, and infinitely far, if they are booked in other sessions.
    """
    result = hold(share.bars.with_actions(share.events), "cash")
    booked = result.record.postings[result.record.postings["kind"] == Posting.DIVIDEND]
    close, price, split = share.bars.close[:, 0], share.price, share.split
    rows = np.flatnonzero(np.diff(price, prepend=price[0]))
    units = CASH / close[0] * split[rows] / split[0]
    adjusted_before = close[rows - 1] * split[rows - 1] / split[rows]
    paid = adjusted_before * (1 - price[rows - 1] / price[rows])
    if booked["row"].tolist() != rows.tolist():
        return pd.DataFrame(columns=["difference", "expected"], dtype=float), np.inf
    table = pd.DataFrame(
        {
            "ex_date": (share.bars.time[rows] - 1).astype("M8[ns]").astype("M8[D]").astype(str),
            "dividend": booked["rate"],
            "units": booked["qty"],
            "booked": booked["amount"],
            "expected": units * paid,
        }
    )
    table["difference"] = table["booked"] - table["expected"]
    cash = np.zeros(len(close))
    cash[rows] = units * paid
    worth = CASH / close[0] * split / split[0] * close + np.cumsum(cash)
    return table, largest_difference(result, worth)


def dividends_reinvested(share: Share) -> float:
    """Hold with dividends reinvested, against closes times both factors: the largest difference."""
    result = hold(share.bars.with_actions(share.events), "reinvest")
    return largest_difference(result, share.bars.close[:, 0] * share.price * share.split)


def examine(share: Share) -> dict:
    table, cash_difference = dividends_as_cash(share)
    term = (table["difference"] / table["expected"]).abs().max() if len(table) else 0.0
    adjusted = share.bars.close[:, 0] * share.price * share.split
    found = {
        "rows": share.bars.n_rows,
        "splits": share.events["split"].dropna().tolist(),
        "dividends": table.to_dict("records"),
        "total_return": float(adjusted[-1] / adjusted[0] - 1),
        "a_splits_equity": splits_alone(share),
        "b_dividends_terms": float(term),
        "b_dividends_equity": cash_difference,
        "c_reinvested_equity": dividends_reinvested(share),
    }
    checks = [value for name, value in found.items() if name[:2] in ("a_", "b_", "c_")]
    return found | {"agrees": all(value <= TOLERANCE for value in checks)}


def show(symbol: str, found: dict) -> None:
    splits = ", ".join(f"{ratio:g}" for ratio in found["splits"]) or "none"
    print(f"{symbol}: {found['rows']:,} sessions, splits {splits}, ", end="")
    print(f"{len(found['dividends'])} dividends, total return {found['total_return']:,.2%}")
    if symbol == SYMBOLS[0]:
        table = pd.DataFrame(found["dividends"])
        as_text = {"difference": "{:.1e}".format}
        print(table.to_string(index=False, float_format="{:,.6f}".format, formatters=as_text))
    for name, words in (
        ("a_splits_equity", "(a) splits alone: equity against split-adjusted prices"),
        ("b_dividends_terms", "(b) dividends as cash, term by term"),
        ("b_dividends_equity", "(b) equity against units x price + cash"),
        ("c_reinvested_equity", "(c) reinvested: equity against fully adjusted prices"),
    ):
        verdict = "ok" if found[name] <= TOLERANCE else "DIFFERS"
        print(f"  {words:56} {found[name]:9.1e}  {verdict}")


def main(arguments: list[str]) -> int:
    folders = [Path(text) for text in arguments if text != "--json"]
    if len(folders) != 1 or not (folders[0] / "us_equity_factors.parquet").is_file():
        print("usage: corporate_actions.py DATA_FOLDER [--json]", file=sys.stderr)
        return 2
    results = {symbol: examine(load(folders[0], symbol)) for symbol in SYMBOLS}
    if "--json" in arguments:
        print(json.dumps(results))
    else:
        print(f"Largest relative differences; at most {TOLERANCE:g} is allowed.\n")
        for symbol, found in results.items():
            show(symbol, found)
    return 0 if all(found["agrees"] for found in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
