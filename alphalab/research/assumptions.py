"""What a result rests on, in sentences: the part of a report that must never be missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from alphalab.config import Limits, Rebalance

if TYPE_CHECKING:
    from alphalab.research.result import Result

_FILL = {
    "next_open": "A decision taken at the close of a bar trades at the open of the next bar.",
    "next_close": "A decision taken at the close of a bar trades at the close of the next bar.",
    "same_close": (
        "A decision taken at the close of a bar trades at that same close: a price the decision "
        "has seen. Nobody can trade so, and the figures are better than they should be."
    ),
}
_MOST_SYMBOLS = 30


def assumptions(result: Result) -> dict[str, str]:
    """Return every assumption of a result by label.

    Parameters
    ----------
    result : Result

    Returns
    -------
    dict of str to str
        Labels in the order of reports. Plain text: escape it before it becomes HTML.
    """
    bars, settings = result.bars, result.settings
    currency = bars.instruments[0].currency
    return {
        "Fill": _FILL[settings.fill],
        "Costs": _costs(result),
        "Path inside a bar": (
            "None is assumed: all orders are market orders, filled at one price of the bar. Falls "
            "of the account inside a bar are not seen."
        ),
        "Rebalance": _rebalance(settings.rebalance),
        "Limits": _limits(settings.limits),
        "Cash": (
            f"{settings.cash:,.2f} {currency} at the start, shared by all symbols. Idle cash earns "
            "nothing."
        ),
        "Data": f"{bars.source or 'bars given by the caller'}; id {bars.id}",
        "Symbols": _symbols(bars.symbols),
        "Period": f"{bars.n_rows:,} rows, {bars.start} to {bars.end}",
        "Data notes": "; ".join(bars.notes) or "none",
        "Annualisation": _annualisation(result.periods_per_year),
        "Benchmark": f"{result.benchmark_name}, from close to close, without costs",
        "Expressions": "; ".join(f"{name} = {text}" for name, text in result.expressions.items())
        or "none",
        "Digest": f"{result.digest} (equity, positions and fills, bit for bit)",
        "Warnings": "; ".join(result.warnings) or "none",
    }


def _costs(result: Result) -> str:
    bps = result.settings.costs.fee_bps
    rates = [i.taker_bps for i in result.bars.instruments] if bps is None else [bps]
    low, high = min(rates), max(rates)
    rest = "Spread, slippage, market impact, funding and borrowing are not modelled."
    if high == 0:
        return f"Costs are not modelled: the fee is 0. {rest}"
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    whose = " (each instrument's taker fee)" if bps is None else ""
    return f"A fee of {span} bps of the traded value on every fill{whose}. {rest}"


def _rebalance(rebalance: Rebalance) -> str:
    if rebalance.when == "drift":
        pause = f", and not again for {rebalance.cooldown:,} rows" if rebalance.cooldown else ""
        return (
            f"An asset is traded when its weight is more than {rebalance.threshold:g} from its "
            f"target{pause}, and in any case when its target is 0 or it is not held yet."
        )
    return {
        "on_change": "An asset is traded when its target changes; in between its weight drifts.",
        "every_row": "Every asset is traded back to its target on every row.",
        "calendar": f"An asset is traded to its target once in each {rebalance.period} (UTC), "
        "as soon as it has a price; in between its weight drifts.",
    }[rebalance.when]


def _limits(limits: Limits) -> str:
    words = {
        "gross": "gross exposure {:g}",
        "net": "net exposure {:g}",
        "weight": "weight of one asset {:g}",
        "group_gross": f"gross exposure of one {limits.group} {{:g}}",
        "drawdown": "drawdown {:g}, then flat for good",
        "daily_loss": "daily loss {:g}, then flat for the day",
        "order": "one order {:g} of equity",
    }
    given = [(text, getattr(limits, name)) for name, text in words.items()]
    return "At most: " + "; ".join(t.format(v) for t, v in given if v is not None) + "."


def _annualisation(rows_a_year: float) -> str:
    known = math.isfinite(rows_a_year)
    basis = f"{rows_a_year:,.6g} rows a year" if known else "None: too few rows to know the year"
    return f"{basis}. Returns are simple and raw: no risk-free rate is subtracted."


def _symbols(symbols: tuple[str, ...]) -> str:
    shown = ", ".join(symbols[:_MOST_SYMBOLS])
    more = len(symbols) - _MOST_SYMBOLS
    return f"{shown} and {more} more" if more > 0 else shown
