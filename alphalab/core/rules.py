"""Run settings and instruments as the records that the step reads."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from alphalab.codes import Actions, FillAt, Kind, OnExpiry, Path, Quotes, Rebalancing
from alphalab.config import Costs, RunSettings
from alphalab.kernels.market.money import DECIMAL_ERROR, MOST_SLACK, ROUNDING
from alphalab.types import INSTRUMENT, RULES, RUNG, START, TIER, Instrument, IntArray, Records

_LARGEST_STEP = 1e9  # of a step as an integer: a million such steps are exact in a float64
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_LIMITS = ("net", "weight", "group_gross", "drawdown", "daily_loss", "order")


def rule_records(
    settings: RunSettings, instruments: Sequence[Instrument], n_groups: int
) -> Records:
    """Return the settings as one `RULES` record; a limit that is not set is infinite."""
    rules: dict[str, float] = dict.fromkeys(RULES.names or (), 0)
    _set_decisions(rules, settings, n_groups)
    _set_execution(rules, settings)
    _set_money(rules, settings, instruments)
    _set_orders(rules, settings)
    return np.array([tuple(rules.values())], RULES)


def _set_decisions(rules: dict[str, float], settings: RunSettings, n_groups: int) -> None:
    rebalance = settings.rebalance
    rules["rebalancing"] = Rebalancing[rebalance.when.upper()]
    rules["threshold"] = rebalance.threshold
    rules["cooldown"] = rebalance.cooldown
    rules["n_groups"] = n_groups
    rules["gross"] = settings.gross
    for name in _LIMITS:
        limit = getattr(settings.limits, name)
        rules[name] = np.inf if limit is None else limit
    rules["max_positions"] = settings.limits.max_positions or 0


def _set_execution(rules: dict[str, float], settings: RunSettings) -> None:
    costs, execution = settings.costs, settings.execution
    rules["fill"] = FillAt[settings.fill.upper()]
    rules["path"] = Path[execution.path.upper()]
    rules["delay"] = execution.delay
    rules["participation"] = np.inf if execution.participation is None else execution.participation
    rules["slippage"] = (costs.spread_bps / 2 + costs.slippage_bps) / 1e4
    rules["share_impact"] = costs.share_impact_bps / 1e4
    rules["root_impact"] = costs.root_impact_bps / 1e4
    rules["quotes"] = Quotes[costs.quotes.upper()]
    rules["through"] = execution.limits == "traded_through"
    rules["unit_fee"] = costs.fee_per_unit
    rules["order_fee"] = costs.fee_per_order
    rules["min_fee"] = costs.min_fee or -np.inf
    rules["max_fee"] = np.inf if costs.max_fee is None else costs.max_fee
    rules["fee_step"] = costs.fee_step
    rules["fee_den"] = _ten_power(costs.fee_step)
    rules["coin_fee"] = costs.fee_in == "coin"


def _set_money(
    rules: dict[str, float], settings: RunSettings, instruments: Sequence[Instrument]
) -> None:
    margin, financing = settings.margin, settings.financing
    rules["margin"] = margin is not None
    rules["initial"] = 1.0 if margin is None else margin.initial
    rules["maintenance"] = 0.0 if margin is None else margin.maintenance
    rules["liquidation"] = 0.0 if margin is None else margin.liquidation_fee_bps / 1e4
    holding = ("borrow", "loan", "interest")
    for name in holding:
        rules[name] = getattr(financing, f"{name}_bps") / 1e4 / financing.day_count
    rules["daily"] = any(rules[name] for name in holding)
    rules["actions"] = Actions[settings.actions.upper()]
    rules["in_lieu"] = settings.fractions == "paid"
    rules["starts"] = bool(settings.holdings)
    rules["at_fill"] = settings.sizing == "at_fill"
    rules["at_decision"] = settings.sizing == "at_decision"
    rules["funds"] = any(instrument.funding_hours > 0 for instrument in instruments)
    rules["converts"] = bool(foreign(settings, instruments))
    rules["posts"] = any(rules[name] for name in ("daily", "funds", "converts", "actions"))


def _set_orders(rules: dict[str, float], settings: RunSettings) -> None:
    exits, entry = settings.exits, settings.entry
    for name in ("stop_loss", "take_profit", "trailing"):
        fraction = None if exits is None else getattr(exits, name)
        rules[name] = np.nan if fraction is None else fraction
    if exits is not None:
        rules["exits"] = 1
        rules["max_holding"] = exits.max_holding or 0
        rules["trailing_after"] = exits.trailing_after or 0.0
        if exits.ladder:
            rules["take_profit"] = exits.ladder[0].profit
        for name in exits.distances:
            rules[name] = 1
    if entry is not None:
        rules["entry"] = 1
        rules["entry_offset"] = entry.limit_offset_bps / 1e4
        rules["entry_ttl"] = entry.ttl or 0
        rules["entry_then"] = OnExpiry[entry.then.upper()]
        rules["entry_post_only"] = entry.post_only


def quote_currency(settings: RunSettings, instruments: Sequence[Instrument]) -> str:
    """Return the currency of the account: from the settings, else of the first asset."""
    return settings.currency or instruments[0].currency


def foreign(settings: RunSettings, instruments: Sequence[Instrument]) -> dict[str, str]:
    """Return the conversion column of every asset in another currency, by symbol."""
    quote = quote_currency(settings, instruments)
    return {
        instrument.symbol: settings.conversions.get(instrument.currency, "")
        for instrument in instruments
        if instrument.currency != quote
    }


def instrument_records(instruments: Sequence[Instrument], costs: Costs) -> Records:
    """Return the instruments as records; `fee_bps` of the costs overrides their fees."""
    records: Any = np.zeros(len(instruments), INSTRUMENT)
    for record, instrument in zip(records, instruments, strict=True):
        record["kind"] = Kind[instrument.kind.upper()]
        for name in ("tick", "lot", "min_value", "multiplier"):
            record[name] = getattr(instrument, name)
        for name in ("tick", "lot"):
            record[f"{name}_den"] = _ten_power(getattr(instrument, name))
        for name in ("maker", "taker"):
            own = getattr(instrument, f"{name}_bps")
            record[name] = (own if costs.fee_bps is None else costs.fee_bps) / 1e4
    return records  # type: ignore[no-any-return]


def _ten_power(step: float) -> float:
    """Return the power of ten that makes a step an integer below 1e9, or 0 if none does.

    Examples
    --------
    >>> _ten_power(0.025), _ten_power(100.0), _ten_power(1 / 3)
    (1000.0, 1.0, 0.0)
    """
    digits = max(-int(Decimal(repr(step)).normalize().as_tuple().exponent), 0)
    return 10.0**digits if step * 10.0**digits < _LARGEST_STEP else 0.0


def whole_lots(units: float, lot: float) -> float:
    """Return units rounded down to whole lots, with the bits of the kernels (0: any number).

    Examples
    --------
    >>> whole_lots(0.30000000000000004, 0.1), whole_lots(0.29, 0.1), whole_lots(2.5, 0.0)
    (0.3, 0.2, 2.5)
    """
    if lot == 0.0:
        return units
    steps, den = units / lot, _ten_power(lot)
    slack = min(max(ROUNDING, DECIMAL_ERROR * abs(steps)), MOST_SLACK)
    lots = float(np.floor(steps + slack))
    return lots * round(lot * den) / den if den > 0.0 else lots * lot


def start_records(settings: RunSettings, instruments: Sequence[Instrument]) -> Records:
    """Return the holdings at the start, one record per asset."""
    records: Any = np.zeros(len(instruments), START)
    for record, instrument in zip(records, instruments, strict=True):
        holding = settings.holdings.get(instrument.symbol)
        if holding is not None:
            record["qty"], record["price"] = holding.qty, holding.price
    return records  # type: ignore[no-any-return]


def start_equity(settings: RunSettings, instruments: Sequence[Instrument]) -> float:
    """Return the equity before the first row: cash plus holdings, quote currency."""
    equity = settings.cash
    for instrument in instruments:
        holding = settings.holdings.get(instrument.symbol)
        if holding is not None and instrument.kind == "spot":
            equity += holding.qty * holding.price * instrument.multiplier
    return equity


def tier_records(costs: Costs) -> Records:
    """Return the fee tiers as records."""
    tiers = [(t.value, t.maker_bps / 1e4, t.taker_bps / 1e4) for t in costs.tiers]
    return np.array(tiers, TIER)


def ladder_records(settings: RunSettings) -> Records:
    """Return the rungs of the ladder of targets after the first, by age."""
    rungs = settings.exits.ladder[1:] if settings.exits else ()
    return np.array([(x.rows, x.time, x.profit) for x in rungs], RUNG)


def periods(time: IntArray, period: str | None) -> IntArray:
    """Return the number of the UTC day, week (from Monday), month, quarter or year of each time.

    A row that ends at midnight belongs to the period before midnight.

    Examples
    --------
    >>> stamps = np.array(["1970-01-05T00:00", "1970-01-05T00:01"], "M8[ns]")
    >>> periods(stamps.astype(np.int64), "week")
    array([0, 1])
    """
    if period is None:
        return np.zeros(time.size, np.int64)
    stamps = (time - 1).astype("M8[ns]")
    if period in ("day", "week"):
        days = stamps.astype("M8[D]").astype(np.int64)
        return days if period == "day" else (days + 3) // 7
    return stamps.astype("M8[M]").astype(np.int64) // _MONTHS[period]
