"""Every operator over 500 assets and 2,500 days, against pandas and KunQuant.

python benchmarks/expressions.py [--rows 2500] [--assets 500] [--operators ts_mean,ts_std]
                                 [--repeats 7] [--threads 2] [--json]

`al.evaluate` with all it does; pandas by the fastest idiom we know, with NumPy's help, and as its
documentation writes it where that is `rolling.apply`; KunQuant with its inputs already in its own
layout, compiled before, the fastest of its ways. Values are compared before anything is timed:
an operator that does not agree is shown and left out of the ratios. Exit code 1 if it is pandas
that does not agree.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import measure
import numpy as np
import pandas as pd
from operators import CASES

import alphalab as al

#: pandas' running moments lose digits, most of them in a kurtosis.
TOLERANCE = {"pandas": 1e-4, "kunquant": 1e-9}
OWN = ("extra", "up", "down")  # columns beside those of a bar
N_SECTORS = 11


def load_bars(rows: int, assets: int) -> al.Bars:
    """Prices without a gap, for KunQuant knows no missing prices, and numbers around 0."""
    bars = al.load(f"synthetic:rows={rows},symbols={assets},seed=1,bar=1d,gaps=0")
    rng = np.random.default_rng(1)
    extra = rng.normal(0.0, 0.02, (rows, assets))
    columns = {name: bars[name] for name in ("open", "high", "low", "close")}
    columns["volume"] = bars.volume / 1e4  # of the size of a price
    instruments = [
        al.Instrument(symbol=symbol, groups={"sector": f"sector {place % N_SECTORS}"})
        for place, symbol in enumerate(bars.symbols)
    ]
    more = {"extra": extra, "up": (extra > 0) * 1.0, "down": (extra < 0.01) * 1.0}
    return al.Bars(bars.time, bars.symbols, columns | more, instruments=instruments)


def expression(text: str) -> al.Expr:
    """Read a case's text: own columns are written by their bare names there."""
    return al.parse(re.sub(rf"\b({'|'.join(OWN)})\b", r"column('\1')", text))


def panels(bars: al.Bars) -> dict[str, np.ndarray]:
    return {name: bars[name] for name in ("close", "high", "low", "volume", *OWN)}


def frames(bars: al.Bars) -> SimpleNamespace:
    sectors = np.array([instrument.groups["sector"] for instrument in bars.instruments])
    columns = {name: pd.DataFrame(values.copy()) for name, values in panels(bars).items()}
    return SimpleNamespace(sectors=sectors, **columns)


def compiled(names: Iterable[str], bars: al.Bars, threads: int) -> Any:
    if not measure.installed("KunQuant"):
        return None
    import kunquant_peer

    cases = {name: CASES[name].kun for name in names if CASES[name].kun}
    return kunquant_peer.Compiled(cases, panels(bars), threads)


def one(
    name: str, bars: al.Bars, tables: SimpleNamespace, kun: Any, repeats: int
) -> dict[str, Any]:
    """Compare, then time one operator."""
    case = CASES[name]
    node = expression(case.text)
    values = al.evaluate(node, bars).to_numpy()
    sides: dict[str, Callable[[], Any]] = {
        "alphalab": lambda: al.evaluate(node, bars),
        "pandas": lambda: case.pandas(tables),
    }
    off = {"pandas": measure.largest_difference(case.pandas(tables), values)}
    best, fastest = math.inf, None
    for way, run in kun.runs(name).items() if kun and case.kun else ():
        difference = measure.largest_difference(run().values(), values)
        off["kunquant"] = min(off.get("kunquant", math.inf), difference)
        spent = min(measure.timed(run)[0] for _ in range(3))
        if difference <= TOLERANCE["kunquant"] and spent < best:
            best, sides["KunQuant"], fastest = spent, run, way.removeprefix(f"{name}_")
    times = measure.side_by_side(sides, repeats)
    documented_s = times["pandas"].best
    if case.documented:
        documented_s, _, table = measure.timed(lambda: case.documented(tables))
        off["pandas"] = max(off["pandas"], measure.largest_difference(table, values))
    kunquant_s = times["KunQuant"].best if "KunQuant" in times else None
    return {
        "operator": name,
        "text": case.text,
        "alphalab_s": times["alphalab"].best,
        "pandas_s": times["pandas"].best,
        "pandas_documented_s": documented_s,
        "kunquant_s": kunquant_s,
        "kunquant_way": fastest,
        "differs": off,
        "note": "" if fastest else _why(case.none, off.get("kunquant"), kun),
    }


def _why(none: str, difference: float | None, kun: Any) -> str:
    if none or not kun:
        return none or "KunQuant is not installed"
    return f"differs by {measure.figure(difference)}"


def totals(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over the operators that both sides of a ratio have, and agree on."""
    equal = [row for row in rows if row["differs"]["pandas"] <= TOLERANCE["pandas"]]
    both = [row for row in rows if row["kunquant_s"] is not None]

    def total(name: str, of: list[Mapping[str, Any]]) -> float:
        return float(sum(row[name] for row in of))

    def ratio(name: str, of: list[Mapping[str, Any]]) -> float:
        return total(name, of) / total("alphalab_s", of) if of else math.nan

    return {
        "operators": len(rows),
        "alphalab_s": total("alphalab_s", rows),
        "pandas_s": total("pandas_s", equal),
        "pandas_documented_s": total("pandas_documented_s", equal),
        "pandas_over_alphalab": ratio("pandas_s", equal),
        "pandas_documented_over_alphalab": ratio("pandas_documented_s", equal),
        "operators_of_kunquant": len(both),
        "alphalab_of_those_s": total("alphalab_s", both),
        "kunquant_s": total("kunquant_s", both),
        "kunquant_over_alphalab": ratio("kunquant_s", both),
    }


def examine(names: list[str], rows: int, assets: int, repeats: int, threads: int) -> dict[str, Any]:
    bars = load_bars(rows, assets)
    tables = frames(bars)
    kun = compiled(names, bars, threads)
    found = [one(name, bars, tables, kun, repeats) for name in names]
    return {
        "benchmark": "expressions",
        "rows": rows,
        "assets": assets,
        "kunquant_threads": threads,
        "kunquant_compile_s": kun.compile_s if kun else None,
        "operators": found,
        "totals": totals(found),
        "agrees": all(row["differs"]["pandas"] <= TOLERANCE["pandas"] for row in found),
        "environment": measure.environment(*filter(measure.has, ("KunQuant",))),
    }


def tell(found: dict[str, Any]) -> None:
    measure.show(
        f"{found['rows']:,} rows x {found['assets']} assets, milliseconds",
        [
            {
                "": row["operator"],
                "alphalab": row["alphalab_s"] * 1e3,
                "pandas": row["pandas_s"] * 1e3,
                "x": row["pandas_s"] / row["alphalab_s"],
                "off by": row["differs"]["pandas"],
                "KunQuant": row["kunquant_s"] and row["kunquant_s"] * 1e3,
                "x ": row["kunquant_s"] and row["kunquant_s"] / row["alphalab_s"],
                "off by ": row["differs"].get("kunquant"),
                "note": row["note"],
            }
            for row in found["operators"]
        ],
        "x: how many times our time. off by: largest difference, relative where above 1.",
    )
    sums = found["totals"]
    measure.show(
        "Totals",
        [
            {
                "over": f"{sums['operators']} operators",
                "alphalab, ms": sums["alphalab_s"] * 1e3,
                "peer": "pandas, fastest idioms",
                "ms": sums["pandas_s"] * 1e3,
                "x": sums["pandas_over_alphalab"],
            },
            {
                "over": f"{sums['operators']} operators",
                "alphalab, ms": sums["alphalab_s"] * 1e3,
                "peer": "pandas, as documented",
                "ms": sums["pandas_documented_s"] * 1e3,
                "x": sums["pandas_documented_over_alphalab"],
            },
            {
                "over": f"{sums['operators_of_kunquant']} operators",
                "alphalab, ms": sums["alphalab_of_those_s"] * 1e3,
                "peer": f"KunQuant, {found['kunquant_threads']} threads",
                "ms": sums["kunquant_s"] * 1e3,
                "x": sums["kunquant_over_alphalab"],
            },
        ],
        f"KunQuant compiled for {measure.figure(found['kunquant_compile_s'])} s before.",
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_500)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--operators", default=",".join(CASES), metavar="NAME,NAME")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="of KunQuant")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    names = given.operators.split(",")
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no operators: {', '.join(unknown)}")
    found = examine(names, given.rows, given.assets, given.repeats, given.threads)
    measure.finish(found, given.json, lambda: tell(found))
    return 0 if found["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
