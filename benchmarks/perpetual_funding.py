"""A leveraged short perpetual through real funding, explained term by term.

python benchmarks/perpetual_funding.py DATA_FOLDER [--json]

DATA_FOLDER holds xrp_perp_5m.parquet and xrp_perp_funding_8h.parquet; the two overlap in part.
Exit code 1 if a term or the sum of them differs, or if missing funding is not refused.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import alphalab as al
from alphalab.codes import Posting
from alphalab.data.clock.times import iso

CASH = 10_000.0
TOLERANCE = 1e-9


class Short(al.Strategy):
    """Short, so many times the equity."""

    leverage: float = 3.0

    def weights(self):
        return al.where(al.close > 0, -self.leverage, 0.0)


def load(folder: Path) -> al.Bars:
    bars = al.load(folder / "xrp_perp_5m.parquet", label="open")
    bars = bars.with_instruments(kind="linear", funding_hours=8, taker_bps=5, maker_bps=2)
    return bars.with_funding(folder / "xrp_perp_funding_8h.parquet")


def run(bars: al.Bars) -> al.Result:
    return al.backtest(
        Short(),
        bars,
        cash=CASH,
        margin=al.Margin(initial=0.2, maintenance=0.1),
        rebalance=al.Rebalance.drift(0.25),
    )


def terms(result: al.Result) -> pd.DataFrame:
    """Return each funding beside what units, mark and rate make of it."""
    posted = result.record.postings[result.record.postings["kind"] == Posting.FUNDING]
    mark = result.bars.close[posted["row"] - 1, 0]  # a row begins at the close of the one before
    table = pd.DataFrame(
        {
            "time": [iso(result.bars.time[row - 1])[:16] for row in posted["row"]],
            "rate": posted["rate"],
            "units": posted["qty"],
            "mark": mark,
            "amount": posted["amount"],
            "expected": -result.record.qty[posted["row"] - 1, 0] * mark * posted["rate"],
        }
    )
    return table.assign(difference=table["amount"] - table["expected"])


def examine(folder: Path) -> dict:
    bars = load(folder)
    known = np.flatnonzero(~np.isnan(bars["funding"][:, 0]))
    result = run(bars.rows(int(known[0]) - 1, bars.n_rows))
    try:
        run(bars)
        refusal = ""
    except al.errors.AlphalabError as error:
        refusal = str(error)
    table, last = terms(result), result.record.ledger[-1]
    explained = last["realised"] + last["unrealised"] - last["fees"] + last["carry"]
    found = {
        "rows": result.bars.n_rows,
        "start": result.bars.start,
        "end": result.bars.end,
        "fundings": table.to_dict("records"),
        "funding": float(table["amount"].sum()),
        **{name: float(last[name]) for name in result.record.ledger.dtype.names},
        "explained": float(explained),
        "refusal": refusal,
    }
    differences = {
        "terms": float(table["difference"].abs().max()),
        "carry": abs(found["funding"] - found["carry"]),
        "equity": abs(found["equity"] - CASH - found["explained"]),
    }
    agrees = all(value <= TOLERANCE * CASH for value in differences.values())
    complete = len(table) == len(known) - 1  # nothing is held before the first
    return found | {"differences": differences, "agrees": agrees and complete and bool(refusal)}


def show(found: dict) -> None:
    print(f"{found['rows']:,} five-minute bars, {found['start']} to {found['end']}\n")
    table = pd.DataFrame(found["fundings"])
    as_text = {"difference": "{:.1e}".format}
    print(table.to_string(index=False, float_format="{:,.8f}".format, formatters=as_text))
    print(f"\nsum of fundings {found['funding']:14,.8f}   carry {found['carry']:14,.8f}")
    for name in ("realised", "unrealised", "fees", "carry"):
        sign = "-" if name == "fees" else "+"
        print(f"  {sign} {name:12} {found[name]:14,.8f}")
    print(f"  = explained    {found['explained']:14,.8f}")
    print(f"equity - cash    {found['equity'] - CASH:14,.8f}")
    print("\nlargest differences:", json.dumps(found["differences"]))
    print(
        f"\nfrom the first bar on, where funding is missing:\n{found['refusal'] or 'NOT REFUSED'}"
    )


def main(arguments: list[str]) -> int:
    folders = [Path(text) for text in arguments if text != "--json"]
    if len(folders) != 1 or not (folders[0] / "xrp_perp_funding_8h.parquet").is_file():
        print("usage: perpetual_funding.py DATA_FOLDER [--json]", file=sys.stderr)
        return 2
    found = examine(folders[0])
    if "--json" in arguments:
        print(json.dumps(found))
    else:
        show(found)
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
