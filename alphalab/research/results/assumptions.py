"""The assumptions behind a run, in sentences; every report shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alphalab.artifact.ledger import OFF
from alphalab.config import Costs, Entry, Execution, Exits, Rebalance, RunSettings
from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import counted
from alphalab.research.results.order_lives import meet_the_inside
from alphalab.research.results.provenance import identity_text, quality_text
from alphalab.research.results.record import Run
from alphalab.trading import age_of
from alphalab.types import DELISTING

_FILL = {
    "next_open": "A decision taken at the close of a bar trades at the open of the next bar.",
    "next_close": "A decision taken at the close of a bar trades at the close of the next bar.",
    "same_close": (
        "A decision taken at the close of a bar trades at that same close: a price the decision "
        "has seen. Nobody can trade like that, and the figures are too good."
    ),
}
_PATH = {
    "pessimistic": (
        "Unknown, and resolved against the account: from the open over low and high, or over high "
        "and low, to the close, whichever leaves less equity."
    ),
    "ohlc": "Unknown, and guessed: the price visits the nearer of high and low first.",
    "optimistic": (
        "Unknown, and resolved in favour of the account: the one of the two paths over high and "
        "low that leaves more equity. The figures are too good."
    ),
}
_ACTIONS = {
    "none": "",
    "cash": (
        "Splits rescale positions and orders. Dividends are paid in cash on the ex-date; short "
        "positions pay them."
    ),
    "reinvest": (
        "Splits rescale positions and orders. On the ex-date a dividend buys more of its asset, at "
        "the last close less the dividend, without a fee; short positions pay it."
    ),
}
_SIZING = {
    "by_value": "",
    "at_fill": "A target's sale is sized at the price of its fill, not at the close that decided.",
    "at_decision": "A target's order asks for units, counted at the close that decided.",
}
_MOST_SYMBOLS = 30


def assumptions(run: Run) -> dict[str, str]:
    """Return every assumption of a run by label; those that do not apply are left out.

    Parameters
    ----------
    run : Run

    Returns
    -------
    dict of str to str
        Labels in the order of reports. Plain text: escape it before it becomes HTML.
    """
    bars, settings = run.bars, run.settings
    texts = {
        "Fill": fill_text(settings),
        "Costs": _costs(run),
        "Path inside a bar": _path(run),
        "Entries": _entry(settings.entry) if settings.entry else "",
        "Exits": _exits(settings.exits) if settings.exits else "",
        "Rebalance": _rebalance(settings.rebalance),
        "Limits": _limits(settings),
        "Cash": _cash(run),
        "Margin": _margin(settings),
        "Financing": _financing(settings),
        "Funding": _funding(bars),
        "Splits and dividends": _actions(settings),
        "Sizes": _SIZING[settings.sizing],
        "Delistings": _delistings(bars),
        "Currencies": _currencies(run),
        "Data": identity_text(bars),
        "Data quality": quality_text(run.quality),
        "Symbols": _symbols(bars.symbols),
        "Period": f"{bars.n_rows:,} rows, {bars.start} to {bars.end}",
        "Warm-up": _warm_up(run.n_warm),
        "Data notes": "; ".join(map(str, bars.notes)) or "none",
        "Annualisation": _annualisation(run.periods_per_year),
        "Benchmark": f"{run.benchmark_name}, from close to close, without costs",
        "Expressions": "; ".join(f"{name} = {text}" for name, text in run.expressions.items())
        or "none",
        **ledger_text(run.ledger),
        "Digest": digest_text(run.digest),
        "Warnings": "; ".join(run.warnings) or "none",
    }
    return {label: text for label, text in texts.items() if text}


def _actions(settings: RunSettings) -> str:
    paid = settings.actions != "none" and settings.fractions == "paid"
    fractions = " Fractions of a lot that a split leaves are paid in cash." if paid else ""
    return _ACTIONS[settings.actions] + fractions


def _delistings(bars: Bars) -> str:
    ends = bars.columns.get(DELISTING)
    if ends is None or np.isnan(ends).all():
        return ""
    ended = [bars.symbols[j] for j in np.flatnonzero(~np.isnan(ends).all(axis=0))]
    return f"Positions in {_list(ended)} are closed at the price paid when the listing ended."


def ledger_text(ledger: str) -> dict[str, str]:
    """Return where a run was counted as a trial, under its label; nothing if it is part of another.

    Examples
    --------
    >>> ledger_text("/home/anna/project/.alphalab/trials.sqlite")
    {'Trials': 'Counted in the ledger /home/anna/project/.alphalab/trials.sqlite.'}
    """
    if not ledger:
        return {}
    return {"Trials": "Not counted." if ledger == OFF else f"Counted in the ledger {ledger}."}


def _warm_up(n_rows: int) -> str:
    if not n_rows:
        return ""
    return (
        f"{counted(n_rows, 'row')} before the first one were seen by the expressions, not traded."
    )


def fill_text(settings: RunSettings) -> str:
    """Return at which price orders are filled, and how much of them."""
    return f"{_FILL[settings.fill]} {_venue(settings.execution)}"


def digest_text(digest: str) -> str:
    """Return a digest and the data that it covers."""
    return f"{digest} (equity, positions and fills, bit for bit)"


def _venue(execution: Execution) -> str:
    late = ""
    if execution.delay:
        late = f"Orders arrive {counted(execution.delay, 'row')} late. "
    if execution.limits == "traded_through":
        late += "A limit order that rests is filled only by a price beyond its limit. "
    if execution.participation is None:
        return f"{late}Orders are filled whole, whatever the volume."
    share = _percent(execution.participation)
    return (
        f"{late}At most {share} of a bar's volume is filled; the rest stays open for the next bars."
    )


def _costs(run: Run) -> str:
    costs, bars = run.settings.costs, run.bars
    missing = [
        name
        for name, modelled in (
            ("spread", costs.spread_bps or costs.quotes != "none"),
            ("slippage", costs.slippage_bps),
            ("market impact", costs.has_impact),
            ("funding", any(i.funding_hours for i in bars.instruments)),
            ("borrowing", run.settings.financing.borrow_bps),
        )
        if not modelled
    ]
    parts = [_fee(run)]
    if costs.fee_per_unit:
        parts.append(f"{costs.fee_per_unit:g} {run.currency} per unit on top.")
    if costs.fee_per_order:
        parts.append(f"{costs.fee_per_order:g} {run.currency} per order on top.")
    if costs.min_fee:
        parts.append(f"At least {costs.min_fee:g} {run.currency} per order.")
    if costs.max_fee is not None:
        parts.append(f"At most {costs.max_fee:g} {run.currency} per order.")
    if costs.fee_step:
        parts.append(f"Fees are rounded to {costs.fee_step:g} {run.currency}.")
    if costs.fee_in == "coin":
        parts.append("The fee of a purchase of spot is taken from the units that come.")
    parts.append(_price(costs))
    if not any(parts):
        parts = ["Costs are not modelled: the fee is 0."]
    if missing:
        parts.append(f"{_list(missing).capitalize()} {_is(missing)} not modelled.")
    return " ".join(filter(None, parts))


def _fee(run: Run) -> str:
    costs, bars = run.settings.costs, run.bars
    if costs.tiers:
        steps = "; ".join(
            f"from {tier.value:,.0f} on {tier.maker_bps:g} for makers and {tier.taker_bps:g} for "
            "takers"
            for tier in costs.tiers
        )
        return (
            f"Fees in bps of the traded value, by the value traded in the 30 days before: {steps}."
        )
    whose = ""
    takers = makers = f"{costs.fee_bps:g}" if costs.fee_bps is not None else ""
    if not takers:
        whose = " (each instrument's taker fee)"
        changed = [change.instrument for change in bars.instrument_changes]
        takers = _span([instrument.taker_bps for instrument in (*bars.instruments, *changed)])
        makers = _span([instrument.maker_bps for instrument in (*bars.instruments, *changed)])
    waited = meet_the_inside(run.record.events) and makers != takers
    if takers == "0" and not waited:
        return ""
    less = f", of {makers} bps where a limit order has waited" if waited else ""
    return f"A fee of {takers} bps of the traded value on every fill{whose}{less}."


def _price(costs: Costs) -> str:
    """Return the costs that make a taker's price worse."""
    parts, share = [], "its share of the bar's volume"
    if costs.spread_bps:
        parts.append(f"half a spread of {costs.spread_bps:g} bps")
    if costs.quotes != "none":
        sides = {"both": "ask and bid", "ask": "ask for purchases", "bid": "bid for sales"}
        parts.append(f"the distance of the last {sides[costs.quotes]} from its close")
    if costs.slippage_bps:
        parts.append(f"slippage of {costs.slippage_bps:g} bps")
    if costs.share_impact_bps:
        parts.append(f"{costs.share_impact_bps:g} bps times the square of {share}")
    if costs.root_impact_bps:
        parts.append(f"{costs.root_impact_bps:g} bps times the root of {share}")
    return f"Takers pay {_list(parts)}." if parts else ""


def _path(run: Run) -> str:
    if not run.depends_on_path:
        return (
            "None is assumed: all orders are market orders, filled at one price of the bar. Falls "
            "of equity inside a bar are not seen."
        )
    bars = counted(run.record.ambiguities.size, "bar")
    return f"{_PATH[run.settings.execution.path]} It changed the result in {bars}."


def _entry(entry: Entry) -> str:
    offset = entry.limit_offset_bps
    where = "at the close that decided"
    if offset:
        where = f"{abs(offset):g} bps {'better' if offset > 0 else 'worse'} than {where[3:]}"
    life = f"for {counted(entry.ttl, 'row')}" if entry.ttl else "until the target changes"
    then = {
        "requote": "then again from the new close",
        "market": "then by market order",
        "give_up": "then no order until the target changes",
    }[entry.then]
    maker = " Orders that would trade at once are refused." if entry.post_only else ""
    after = f", {then}" if entry.ttl or entry.post_only else ""
    return f"By limit orders {where}, {life}{after}.{maker}"


def _exits(exits: Exits) -> str:
    parts = []
    stop = exits.stop_loss or exits.stop_distance
    if stop is not None:
        parts.append(f"a stop {_distance(stop)} below the average entry price")
    target = exits.profit_distance or (exits.ladder and exits.ladder[0].profit) or exits.take_profit
    if isinstance(target, float | str):
        parts.append(f"a limit order {_distance(target)} above the average entry price")
    trailing = exits.trailing or exits.trailing_distance
    if trailing is not None:
        after = exits.trailing_after
        start = f" once that is {_percent(after)} above it" if after else ""
        parts.append(f"a stop {_distance(trailing)} below the best price since the entry{start}")
    if exits.max_holding is not None:
        parts.append(f"a market order after {counted(exits.max_holding, 'row')}")
    return (
        f"Every position is closed by {_list(parts, 'or')} (mirrored for a short), whichever "
        f"comes first.{_later(exits)} The asset then stays flat until its target changes."
    )


def _distance(given: float | str) -> str:
    """Return the distance of an exit: a fraction, or an expression in units of the price."""
    return f"({given}, at the close before)" if isinstance(given, str) else _percent(given)


def _later(exits: Exits) -> str:
    """Return how the limit order of a ladder moves."""
    if not exits.ladder:
        return ""
    assert isinstance(exits.take_profit, dict)
    ages = dict(zip(sorted(exits.take_profit, key=age_of), exits.ladder, strict=True))
    steps = [
        f"{_percent(rung.profit)} after {f'{age} rows' if rung.rows else age}"
        for age, rung in list(ages.items())[1:]
    ]
    return f" The limit order moves to {_list(steps)}." if steps else ""


def _rebalance(rebalance: Rebalance) -> str:
    if rebalance.when == "drift":
        pause = f", and not again for {rebalance.cooldown:,} rows" if rebalance.cooldown else ""
        return (
            f"An asset is traded when its weight is more than {rebalance.threshold:g} from its "
            f"target{pause}; one that is not held, from any distance; a target of 0, in any case."
        )
    return {
        "on_change": "An asset is traded when its target changes; in between its weight drifts.",
        "every_row": "Every asset is traded back to its target on every row.",
        "calendar": f"An asset is traded to its target once in each {rebalance.period} (UTC), "
        "as soon as it has a price; in between its weight drifts.",
    }[rebalance.when]


def _limits(settings: RunSettings) -> str:
    limits = settings.limits
    words = {
        "gross": "gross exposure {:g}",
        "net": "net exposure {:g}",
        "weight": "weight of one asset {:g}",
        "group_gross": f"gross exposure of one {limits.group} {{:g}}",
        "drawdown": "drawdown {:g}, then flat for good",
        "daily_loss": "daily loss {:g}, then flat for the day",
        "order": "one order {:g} of equity",
    }
    values = {name: getattr(limits, name) for name in words} | {"gross": settings.gross}
    given = [text.format(values[name]) for name, text in words.items() if values[name] is not None]
    return f"At most: {'; '.join(given)}."


def _cash(run: Run) -> str:
    settings = run.settings
    account = "Positions may be larger than the equity, see Margin."
    if settings.margin is None:
        account = "A cash account: purchases are paid in full."
        if any(instrument.kind != "spot" for instrument in run.bars.instruments):
            account += " Contracts need their whole size in equity."
    held = ""
    if settings.holdings:
        units = _list([f"{x.qty:g} {s} at {x.price:g}" for s, x in settings.holdings.items()])
        held = f", and {units}"
    interest = settings.financing.interest_bps
    earns = f"{interest:g} bps a year" if interest else "nothing"
    return (
        f"{settings.cash:,.2f} {run.currency} at the start, shared by all symbols{held}. {account} "
        f"Idle cash earns {earns}."
    )


def _margin(settings: RunSettings) -> str:
    margin = settings.margin
    if margin is None:
        return ""
    seen = "checked with all positions at their worst prices of the bar at once"
    if settings.execution.path != "pessimistic":
        seen = "checked at the close only"
    fee = f", for {margin.liquidation_fee_bps:g} bps more" if margin.liquidation_fee_bps else ""
    return (
        f"Up to {margin.leverage:g} times the equity. When equity is below "
        f"{_percent(margin.maintenance)} of the positions' value, all positions are closed at a "
        f"taker's fee{fee}. This is {seen}."
    )


def _financing(settings: RunSettings) -> str:
    financing = settings.financing
    parts = []
    if financing.borrow_bps:
        parts.append(f"a short position costs {financing.borrow_bps:g} bps a year")
    if financing.loan_bps:
        parts.append(f"borrowed cash costs {financing.loan_bps:g} bps a year")
    if financing.interest_bps:
        parts.append(f"idle cash earns {financing.interest_bps:g} bps a year")
    if not parts:
        return ""
    costs = _list(parts)
    return f"{costs[0].upper()}{costs[1:]}: posted once a UTC day, for 1 of {financing.day_count}."


def _funding(bars: Bars) -> str:
    hours = sorted({i.funding_hours for i in bars.instruments if i.funding_hours})
    if not hours:
        return ""
    span = _list([f"{value:g}" for value in hours], "or")
    return f"Every {span} hours from midnight UTC, on the size at the last close."


def _currencies(run: Run) -> str:
    used = sorted({i.currency for i in run.bars.instruments} - {run.currency})
    columns = [f"{name} (column {run.settings.conversions.get(name)})" for name in used]
    if not used:
        return ""
    return f"{_list(columns)} {_is(used)} converted into {run.currency} at the rate of each row."


def _annualisation(rows_a_year: float) -> str:
    known = math.isfinite(rows_a_year)
    basis = f"{rows_a_year:,.6g} rows a year" if known else "None: too few rows to know the year"
    return f"{basis}. Returns are simple and raw: no risk-free rate is subtracted."


def _symbols(symbols: tuple[str, ...]) -> str:
    shown = ", ".join(symbols[:_MOST_SYMBOLS])
    more = len(symbols) - _MOST_SYMBOLS
    return f"{shown} and {more} more" if more > 0 else shown


def _list(parts: Sequence[str], word: str = "and") -> str:
    *most, last = parts
    return f"{', '.join(most)} {word} {last}" if most else last


def _is(parts: Sequence[str]) -> str:
    return "is" if len(parts) == 1 else "are"


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"
