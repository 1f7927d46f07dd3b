"""What decides a run: frozen settings, each with an identity."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from alphalab.errors import ParameterError
from alphalab.settings import (
    Bps,
    Cash,
    Fraction,
    MarginShare,
    Money,
    Price,
    Rows,
    RowsOrNone,
    Settings,
    Weight,
    WeightOrZero,
    YearlyBps,
)


class FeeTier(Settings, frozen=True):
    """Fees from a traded value on.

    Parameters
    ----------
    value : float
        Traded in the 30 UTC days before the current one, quote currency.
    maker_bps, taker_bps : float
        Fees from there on, basis points of traded value. Below 0 a maker is paid.
    """

    value: Money
    maker_bps: Annotated[float, Meta(gt=-10_000, lt=10_000)]
    taker_bps: Bps


class Costs(Settings, frozen=True):
    """What trading costs.

    Parameters
    ----------
    fee_bps : float, optional
        Fee in basis points of traded value, for every asset and for makers and takers alike. Not
        given: each instrument's own.
    tiers : sequence of FeeTier
        Fees that depend on what was traded in the 30 days before, in place of those, from value 0
        on.
    fee_per_unit : float
        On top, quote currency per unit (per share); 1e15 at most, as all fees.
    fee_per_order : float
        On top, quote currency, with the first fill of an order.
    min_fee, max_fee : float
        Least and largest fee of one order, quote currency. No `max_fee`: there is none.
    fee_step : float
        Fees are rounded to whole steps, such as 0.01, quote currency; half a step is rounded up.
        0: they are not rounded.
    fee_in : {"quote", "coin"}
        ``coin``: the fee of a purchase of spot is taken from the units that come, as spot
        exchanges for coins do. It is then fees in basis points alone.
    spread_bps : float
        Distance from bid to ask in basis points of the price. Whoever takes pays half of it.
    quotes : {"none", "both", "ask", "bid"}
        In place of a fixed spread, the columns ``ask`` and ``bid`` say what a taker's price is
        worse by: a purchase by ``ask / close - 1``, a sale by ``1 - bid / close``, at least 0; at a
        close those of its row, before it the last known. ``ask`` and ``bid`` alone: only purchases
        or only sales. Orders of takers wait for the first quote.
    slippage_bps : float
        What a taker's price is worse by, in basis points.
    share_impact_bps : float
        What it is worse by when trading all of a bar's volume V; q units cost this times (q / V)^2.
    root_impact_bps : float
        The same by the square-root law: this times sqrt(q / V). Almgren et al., Direct Estimation
        of Equity Market Impact (2005), and Toth et al. (2011) find Y times the volatility of the
        span that the volume is of, with Y near 1.

    Examples
    --------
    >>> Costs(fee_bps=10).fee_bps
    10.0
    """

    fee_bps: Bps | None = None
    tiers: tuple[FeeTier, ...] = ()
    fee_per_unit: Money = 0.0
    fee_per_order: Money = 0.0
    min_fee: Money = 0.0
    max_fee: Money | None = None
    fee_step: Money = 0.0
    fee_in: Literal["quote", "coin"] = "quote"
    quotes: Literal["none", "both", "ask", "bid"] = "none"
    spread_bps: Bps = 0.0
    slippage_bps: Bps = 0.0
    share_impact_bps: Bps = 0.0
    root_impact_bps: Bps = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        values = [tier.value for tier in self.tiers]
        if self.tiers and (values[0] != 0 or sorted(set(values)) != values):
            raise ParameterError(
                f"Costs(tiers from {', '.join(f'{value:g}' for value in values)})",
                rule="tiers begin at 0, each above the one before.",
            )
        if self.tiers and self.fee_bps is not None:
            raise ParameterError(
                f"Costs(fee_bps={self.fee_bps:g}, tiers=...)",
                rule="fees are either one for all or in tiers.",
            )
        if self.max_fee is not None and self.max_fee < self.min_fee:
            raise ParameterError(
                f"Costs(min_fee={self.min_fee:g}, max_fee={self.max_fee:g})",
                rule="min_fee <= max_fee.",
            )
        money = (self.fee_per_unit, self.fee_per_order, self.min_fee, self.max_fee, self.fee_step)
        if self.fee_in == "coin" and any(money):
            raise ParameterError(
                "Costs(fee_in='coin') with a fee in money",
                rule="a fee taken from the units that come is a share of them.",
                fix="Leave fee_per_unit, fee_per_order, min_fee, max_fee and fee_step out.",
            )
        if self.quotes != "none" and self.spread_bps:
            raise ParameterError(
                f"Costs(spread_bps={self.spread_bps:g}, quotes={self.quotes!r})",
                rule="a spread is either fixed or in the columns bid and ask.",
            )
        if self.worst_bps >= 10_000:
            raise ParameterError(
                f"Costs: half the spread, slippage and impact add up to {self.worst_bps:g} bps",
                rule="a taker's price is worse by less than 10,000 bps.",
            )

    @property
    def worst_bps(self) -> float:
        """What a taker's price is worse by when trading all of a bar's volume."""
        fixed = self.spread_bps / 2 + self.slippage_bps
        return fixed + self.share_impact_bps + self.root_impact_bps

    @property
    def has_impact(self) -> bool:
        """Whether a price depends on how much of the volume is traded."""
        return self.share_impact_bps > 0 or self.root_impact_bps > 0


class Execution(Settings, frozen=True):
    """How the simulated venue fills orders.

    Parameters
    ----------
    path : {"pessimistic", "optimistic", "ohlc"}
        Which way the price took inside a bar: from the open over low and high, or over high and
        low, to the close. ``pessimistic`` takes the way that leaves the account with less,
        ``optimistic`` the one that leaves it with more, ``ohlc`` the one that visits the nearer
        extreme first.
    participation : float, optional
        Largest share of a bar's volume that can be filled; the rest goes on with the next bar.
    delay : int
        Rows that an order is on its way, besides the one that decided it; a billion at most, as all
        counts of rows.
    limits : {"touched", "traded_through"}
        When a limit order that rests is filled: by a price at its limit, or only by one beyond it.
        The second is what an order at the end of a long queue can count on.
    """

    path: Literal["pessimistic", "optimistic", "ohlc"] = "pessimistic"
    participation: Fraction | None = None
    delay: RowsOrNone = 0
    limits: Literal["touched", "traded_through"] = "touched"


class Margin(Settings, frozen=True):
    """A margin account: cash may be borrowed, up to what the venue allows.

    Parameters
    ----------
    initial : float
        Equity needed per value of positions to open more of them; 0.2 is a leverage of 5, and the
        least, 0.0001, one of 10,000.
    maintenance : float
        Equity needed per value of positions to keep them; below it the account is liquidated.
    liquidation_fee_bps : float
        Fee of a liquidation, basis points of the value closed, on top of the taker's.

    Examples
    --------
    >>> Margin(initial=0.1, maintenance=0.05).leverage
    10.0
    """

    initial: MarginShare
    maintenance: Fraction
    liquidation_fee_bps: Bps = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.maintenance >= self.initial:
            raise ParameterError(
                f"Margin(initial={self.initial:g}, maintenance={self.maintenance:g})",
                rule="maintenance < initial.",
            )

    @property
    def leverage(self) -> float:
        """Largest value of positions per equity."""
        return 1 / self.initial


class Financing(Settings, frozen=True):
    """What holding costs and earns: posted once a UTC day, on what was held at the day before.

    Parameters
    ----------
    borrow_bps : float
        Yearly cost of what is sold short, basis points of its value (contracts excepted); 1e7 at
        most, as the others.
    loan_bps : float
        Yearly cost of borrowed cash, basis points.
    interest_bps : float
        Yearly interest on cash, basis points. The proceeds of short sales earn none.
    day_count : {360, 365}
        Days of a year.
    """

    borrow_bps: YearlyBps = 0.0
    loan_bps: YearlyBps = 0.0
    interest_bps: YearlyBps = 0.0
    day_count: Literal[360, 365] = 365


class Holding(Settings, frozen=True):
    """Units of an asset that the account holds before the first row.

    Parameters
    ----------
    qty : float
        Units, below 0 for a short position.
    price : float
        Price at which they are taken over: the equity at the start and the profit count from it.
        Usually the close before the first row.

    Examples
    --------
    >>> RunSettings(cash=1_000, holdings={"AAPL": Holding(qty=10, price=180)}).holdings["AAPL"].qty
    10.0
    """

    qty: Annotated[float, Meta(gt=-1e15, lt=1e15)]
    price: Price


class Exits(Settings, frozen=True):
    """Protective orders that every position has, from its first fill on, at the venue.

    Whatever is filled first cancels the others. A position that an exit has closed is not opened
    again until the strategy's target changes.

    Parameters
    ----------
    stop_loss : float, optional
        Stop order at this fraction of the average entry price away, on the losing side.
    take_profit : float, optional
        Limit order at this fraction of the average entry price away, on the winning side.
    trailing : float, optional
        Stop order at this fraction of the best price since the entry.
    max_holding : int, optional
        Rows after which the position is closed at market.

    Examples
    --------
    >>> Exits(stop_loss=0.02, take_profit=0.05).stop_loss
    0.02
    """

    stop_loss: Annotated[float, Meta(gt=0, lt=1)] | None = None
    take_profit: Annotated[float, Meta(gt=0, lt=1)] | None = None
    trailing: Annotated[float, Meta(gt=0, lt=1)] | None = None
    max_holding: Rows | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if all(getattr(self, name) is None for name in self.__struct_fields__):
            raise ParameterError("Exits()", rule="at least one exit is given.")


class Entry(Settings, frozen=True):
    """Positions are opened and added to by limit orders in place of market orders.

    What reduces or closes a position still goes by market order.

    Parameters
    ----------
    limit_offset_bps : float
        Distance of the limit from the close that decided, basis points: below it for a purchase,
        above it for a sale. A negative one crosses the market.
    ttl : int, optional
        Rows the order lives. Not given: until the target changes.
    then : {"requote", "market", "give_up"}
        What follows when it ends unfilled: a new limit order at the new close, a market order, or
        nothing until the target changes.
    post_only : bool
        Refuse an order that would trade at once, instead of paying the taker's fee.
    """

    limit_offset_bps: Annotated[float, Meta(gt=-10_000, lt=10_000)]
    ttl: Rows | None = None
    then: Literal["requote", "market", "give_up"] = "requote"
    post_only: bool = False


class Limits(Settings, frozen=True):
    """The risk gate: what is set is checked on every row, after the strategy, before any order.

    It limits what is asked for: the targets, together with what is held or on its way where the
    strategy has no opinion. Targets above a limit are cut, orders of a `decide` are refused. A
    position that drifts beyond a limit by itself is not cut: rebalance by `every_row` or `drift`
    where it has to be.

    Parameters
    ----------
    gross : float, optional
        Largest sum of absolute weights; targets above it are scaled down in proportion. Not given:
        1 in a cash account, the leverage in a margin account. Purchases in a cash account need
        cash: above 1 it takes short sales to get there. At most 1e12, as all limits of weight.
    net : float, optional
        Largest absolute sum of weights; the larger side is scaled down.
    weight : float, optional
        Largest absolute weight of one asset; a target above it is cut.
    group : str, optional
        Label whose groups `group_gross` limits, such as ``"sector"``.
    group_gross : float, optional
        Largest sum of absolute weights within one group; the group is scaled down.
    drawdown : float, optional
        At this fall from the peak the account goes flat and stays flat.
    daily_loss : float, optional
        At this loss since the last row of the day before (UTC) the account is flat for the rest of
        the day.
    order : float, optional
        Largest value of one order as a fraction of equity; a larger order is refused. Orders that
        only reduce a position are always let through.

    Examples
    --------
    >>> Limits(gross=1.0, weight=0.2, drawdown=0.25).weight
    0.2
    """

    gross: Weight | None = None
    net: WeightOrZero | None = None
    weight: Weight | None = None
    group: str | None = None
    group_gross: Weight | None = None
    drawdown: Fraction | None = None
    daily_loss: Fraction | None = None
    order: Weight | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.group is None) != (self.group_gross is None):
            raise ParameterError(
                f"Limits(group={self.group!r}, group_gross={self.group_gross!r})",
                rule="a group limit needs both the label and the limit.",
                fix="Set both, or neither.",
            )


class Rebalance(Settings, frozen=True):
    """When a target becomes an order. Made by `on_change`, `every_row`, `drift` and `calendar`."""

    when: Literal["on_change", "every_row", "drift", "calendar"] = "on_change"
    threshold: WeightOrZero = 0.0
    cooldown: RowsOrNone = 0
    period: Literal["day", "week", "month", "quarter", "year"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        drifts = self.threshold > 0 or self.cooldown > 0
        if (self.when == "calendar") != (self.period is not None) or (
            drifts and self.when != "drift"
        ):
            raise ParameterError(
                f"Rebalance(when={self.when!r}, threshold={self.threshold:g}, "
                f"cooldown={self.cooldown}, period={self.period!r})",
                rule="threshold and cooldown belong to drift, a period to calendar.",
                fix="Use al.on_change(), al.every_row(), al.drift(...) or al.calendar(...).",
            )


def on_change() -> Rebalance:
    """Trade an asset when its approved target changed (the default): positions drift in between."""
    return Rebalance(when="on_change")


def every_row() -> Rebalance:
    """Trade every asset back to its target on every row."""
    return Rebalance(when="every_row")


def drift(threshold: float, cooldown: int = 0) -> Rebalance:
    """Trade an asset when its weight is more than `threshold` from its target.

    A target of 0 is always met, and so is the first one of an asset that is not held.

    Parameters
    ----------
    threshold : float
        Distance in weight (0.05 is five percent of equity).
    cooldown : int
        Rows that must pass after an asset's order before its next one.

    Examples
    --------
    >>> drift(0.05, cooldown=5).threshold
    0.05
    """
    return Rebalance(when="drift", threshold=threshold, cooldown=cooldown)


def calendar(period: Literal["day", "week", "month", "quarter", "year"]) -> Rebalance:
    """Trade an asset to its target once in each period (UTC), as soon as it has a price.

    Examples
    --------
    >>> calendar("month").period
    'month'
    """
    return Rebalance(when="calendar", period=period)


class RunSettings(Settings, frozen=True):
    """Everything that decides a run besides its strategy and its data.

    Parameters
    ----------
    cash : float
        Cash at the start, quote currency: from 1e-9 to 1e18.
    fill : {"next_open", "next_close", "same_close"}
        Price a market order decided at row t trades at. ``same_close`` trades at a price the
        decision has seen, and every report says so.
    costs : Costs
    limits : Limits
    rebalance : Rebalance
    execution : Execution
    margin : Margin, optional
        Not given: a cash account.
    financing : Financing
    exits : Exits, optional
    entry : Entry, optional
    actions : {"none", "cash", "reinvest"}
        What is done with the columns ``split`` (new units per old one) and ``dividend`` (cash per
        unit, after the split of its row): nothing, dividends are paid, or dividends of what is
        held long are put into the same asset at its last close less the dividend, free of charge.
        Both belong to the first row that trades without them (the ex-date).
    currency : str, optional
        Quote currency of the account. Not given: the one that all assets share.
    fractions : {"kept", "paid"}
        What a split that leaves a fraction of a lot does with it: the position keeps it, or it is
        paid out at the price after the split, without a fee (cash in lieu).
    sizing : {"by_value", "at_fill"}
        How a target's sale is sized: as many units as its value was at the close that decided it,
        or as it is at the price of the fill. Purchases spend a value at the price of the fill in
        both.
    holdings : dict of str to Holding
        What is held before the first row, by symbol, beside the cash. The equity at the start
        includes it. Assets in another currency than the account's cannot be among them.
    conversions : dict of str to str
        For every other currency, the column that says what one unit of it is worth in the quote
        currency, such as ``{"EUR": "eurusd"}``.

    Examples
    --------
    >>> RunSettings(cash=50_000).fill
    'next_open'
    >>> RunSettings(margin=Margin(initial=0.2, maintenance=0.1)).gross
    5.0
    """

    cash: Cash = 100_000.0
    fill: Literal["next_open", "next_close", "same_close"] = "next_open"
    costs: Costs = Costs()
    limits: Limits = Limits()
    rebalance: Rebalance = Rebalance()
    execution: Execution = Execution()
    margin: Margin | None = None
    financing: Financing = Financing()
    exits: Exits | None = None
    entry: Entry | None = None
    actions: Literal["none", "cash", "reinvest"] = "none"
    fractions: Literal["kept", "paid"] = "kept"
    sizing: Literal["by_value", "at_fill"] = "by_value"
    currency: str | None = None
    holdings: dict[str, Holding] = {}  # noqa: RUF012
    conversions: dict[str, str] = {}  # noqa: RUF012

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.costs.has_impact and self.execution.participation is None:
            raise ParameterError(
                "Costs with an impact, Execution(participation=None)",
                rule="an impact that grows with the share of the volume needs a largest share.",
                fix="Set execution=al.Execution(participation=0.1) or another fraction.",
            )
        if self.execution.delay and self.fill != "next_open":
            raise ParameterError(
                f"Execution(delay={self.execution.delay}) with fill={self.fill!r}",
                rule="orders are delayed to a later open.",
                fix='Use fill="next_open".',
            )

    @property
    def gross(self) -> float:
        """The gross limit in force."""
        if self.limits.gross is not None:
            return self.limits.gross
        return 1.0 if self.margin is None else self.margin.leverage
