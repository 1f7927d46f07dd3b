"""The settings of a run: frozen, checked, each with an identity."""

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

#: Calendar period, in UTC.
Period = Literal["day", "week", "month", "quarter", "year"]


class FeeTier(Settings, frozen=True):
    """Fees from a level of traded value on.

    Parameters
    ----------
    value : float
        Least value traded in the previous 30 UTC days, quote currency.
    maker_bps, taker_bps : float
        Fees of the tier, basis points of traded value; a negative maker's fee is a rebate.
    """

    value: Money
    maker_bps: Annotated[float, Meta(gt=-10_000, lt=10_000)]
    taker_bps: Bps


class Costs(Settings, frozen=True):
    """The costs of trading.

    Parameters
    ----------
    fee_bps : float, optional
        Fee in basis points of traded value, for every asset, makers and takers alike. None: the
        fees of each instrument.
    tiers : sequence of FeeTier
        Fees by the value traded in the previous 30 days, instead of the instruments' fees. The
        first tier starts at value 0.
    fee_per_unit : float
        Additional fee, quote currency per unit (per share); 1e15 at most, as all fees.
    fee_per_order : float
        Additional fee, quote currency, charged with the first fill of an order.
    min_fee, max_fee : float
        Smallest and largest fee of one order, quote currency. `max_fee` None: no maximum.
    fee_step : float
        Fees are rounded to whole steps, such as 0.01, quote currency; half a step is rounded up.
        0: no rounding.
    fee_in : {"quote", "coin"}
        ``coin``: the fee of a spot purchase is taken from the units bought, as spot exchanges for
        coins do. Only fees in basis points are possible then.
    spread_bps : float
        Distance from bid to ask in basis points of the price. A taker pays half of it.
    quotes : {"none", "both", "ask", "bid"}
        Friction from the columns ``ask`` and ``bid`` instead of a fixed spread: a taker buys at a
        price worse by ``ask / close - 1`` and sells at one worse by ``1 - bid / close``, at least
        0. A fill at a close uses the quotes of its row, an earlier fill the last known ones.
        ``ask``: purchases only; ``bid``: sales only. Taker orders wait for the first quote.
    slippage_bps : float
        Fixed slippage of a taker, basis points of the price.
    share_impact_bps : float
        Quadratic market impact of a bar's whole volume V, basis points of the price; q units cost
        this times (q / V)^2.
    root_impact_bps : float
        Square-root market impact: q units cost this times sqrt(q / V). Almgren et al., Direct
        Estimation of Equity Market Impact (2005), and Toth et al. (2011) estimate the impact of
        the volume of a period as Y times the volatility of that period, with Y near 1.

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
                rule="the first tier starts at 0, and tiers ascend.",
            )
        if self.tiers and self.fee_bps is not None:
            raise ParameterError(
                f"Costs(fee_bps={self.fee_bps:g}, tiers=...)",
                rule="set either fee_bps or tiers.",
            )
        if self.max_fee is not None and self.max_fee < self.min_fee:
            raise ParameterError(
                f"Costs(min_fee={self.min_fee:g}, max_fee={self.max_fee:g})",
                rule="min_fee <= max_fee.",
            )
        money = (self.fee_per_unit, self.fee_per_order, self.min_fee, self.max_fee, self.fee_step)
        if self.fee_in == "coin" and any(money):
            raise ParameterError(
                "Costs(fee_in='coin') with a fee in quote currency",
                rule="a fee taken from the units bought is in basis points only.",
                fix="Leave fee_per_unit, fee_per_order, min_fee, max_fee and fee_step out.",
            )
        if self.quotes != "none" and self.spread_bps:
            raise ParameterError(
                f"Costs(spread_bps={self.spread_bps:g}, quotes={self.quotes!r})",
                rule="set either spread_bps or quotes.",
            )
        if self.worst_bps >= 10_000:
            raise ParameterError(
                f"Costs: half the spread, slippage and impact add up to {self.worst_bps:g} bps",
                rule="the friction of a taker is below 10,000 bps.",
            )

    @property
    def worst_bps(self) -> float:
        """Friction of a taker that trades a bar's whole volume, basis points of the price."""
        fixed = self.spread_bps / 2 + self.slippage_bps
        return fixed + self.share_impact_bps + self.root_impact_bps

    @property
    def has_impact(self) -> bool:
        """True if the fill price depends on the share of the volume that is traded."""
        return self.share_impact_bps > 0 or self.root_impact_bps > 0


class Execution(Settings, frozen=True):
    """How the simulated venue fills orders.

    Parameters
    ----------
    path : {"pessimistic", "optimistic", "ohlc"}
        The path of the price inside a bar: from the open through low and high, or through high and
        low, to the close. ``pessimistic`` uses the path that leaves the account with less equity,
        ``optimistic`` the one that leaves more, ``ohlc`` the one that reaches the nearer extreme
        first.
    participation : float, optional
        Largest fraction of a bar's volume that can fill; the rest of an order waits for the next
        bar. None: no limit.
    delay : int
        Extra rows until an order reaches the venue; 0: it is there on the next row. A billion at
        most, as all counts of rows.
    limits : {"touched", "traded_through"}
        Which price fills a resting limit order: one at its limit, or only one beyond it. The second
        is the safe assumption for an order at the end of a long queue.
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
        Initial margin: equity per gross exposure needed to open positions. 0.2 is a leverage of 5;
        the smallest, 0.0001, is one of 10,000.
    maintenance : float
        Maintenance margin: equity per gross exposure; below it the account is liquidated.
    liquidation_fee_bps : float
        Fee of a liquidation, basis points of the value closed, in addition to the taker's fee.

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
        """Largest gross exposure per equity."""
        return 1 / self.initial


class Financing(Settings, frozen=True):
    """Daily costs and income of holdings: posted once per UTC day, for the previous day's end.

    Parameters
    ----------
    borrow_bps : float
        Yearly borrow fee of short positions, basis points of their value; none for contracts. 1e7
        at most, as the other rates.
    loan_bps : float
        Yearly interest on borrowed cash, basis points.
    interest_bps : float
        Yearly interest on cash, basis points. Proceeds of short sales earn no interest.
    day_count : {360, 365}
        Days per year.
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
        Entry price, usually the close before the first row. The equity at the start and later
        profit are computed from it.

    Examples
    --------
    >>> RunSettings(cash=1_000, holdings={"AAPL": Holding(qty=10, price=180)}).holdings["AAPL"].qty
    10.0
    """

    qty: Annotated[float, Meta(gt=-1e15, lt=1e15)]
    price: Price


class Exits(Settings, frozen=True):
    """Exit orders at the venue that protect every position from its first fill on.

    The first exit to fill cancels the others. A position that an exit has closed is not reopened
    until the strategy's target changes.

    Parameters
    ----------
    stop_loss : float, optional
        Stop order on the losing side; its distance is this fraction of the average entry price.
    take_profit : float, optional
        Limit order on the winning side; its distance is this fraction of the average entry price.
    trailing : float, optional
        Trailing stop; its distance is this fraction of the best price since the entry.
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
    """Limit orders, instead of market orders, to open a position or add to it.

    Orders that reduce or close a position are still market orders.

    Parameters
    ----------
    limit_offset_bps : float
        Distance of the limit from the close of the decision, basis points: below it for a purchase,
        above it for a sale. A negative distance crosses the market.
    ttl : int, optional
        Rows until the order expires. None: it lives until the target changes.
    then : {"requote", "market", "give_up"}
        What replaces an order that expires unfilled: a new limit order at the new close, a market
        order, or no order until the target changes.
    post_only : bool
        Refuse an order that would trade at once, instead of paying the taker's fee.
    """

    limit_offset_bps: Annotated[float, Meta(gt=-10_000, lt=10_000)]
    ttl: Rows | None = None
    then: Literal["requote", "market", "give_up"] = "requote"
    post_only: bool = False


class Limits(Settings, frozen=True):
    """The limits of the risk gate, checked on every row after the strategy and before any order.

    It limits what is asked for: the targets, together with what is held or on its way where the
    strategy has no opinion. Targets above a limit are cut, orders of a `decide` are refused. A
    position that drifts beyond a limit by itself is not cut: use `Rebalance.every_row` or
    `Rebalance.drift` where it has to be.

    Parameters
    ----------
    gross : float, optional
        Largest sum of absolute weights; targets above it are scaled down in proportion. None: 1 in
        a cash account, the leverage in a margin account. Purchases in a cash account need cash, so
        only short sales can take it above 1. At most 1e12, as all limits of weight.
    net : float, optional
        Largest absolute sum of weights; the larger side is scaled down.
    weight : float, optional
        Largest absolute weight of one asset; a target above it is cut to it.
    group : str, optional
        Label of the groups that `group_gross` limits, such as ``"sector"``.
    group_gross : float, optional
        Largest sum of absolute weights within one group; the group is scaled down.
    drawdown : float, optional
        Largest fall of equity from its peak, as a fraction. At it the account is closed for good.
    daily_loss : float, optional
        Largest loss since the end of the previous UTC day, as a fraction. At it the account is
        flat for the rest of the day.
    order : float, optional
        Largest value of one order as a fraction of equity; a larger order is refused. Orders that
        only reduce a position are never refused.

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
    """When a target becomes an order.

    Made by `on_change` (the default), `every_row`, `drift` and `calendar`, which set the fields.

    Examples
    --------
    >>> Rebalance() == Rebalance.on_change()
    True
    """

    when: Literal["on_change", "every_row", "drift", "calendar"] = "on_change"
    threshold: WeightOrZero = 0.0
    cooldown: RowsOrNone = 0
    period: Period | None = None

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
                fix="Use al.Rebalance.on_change(), .every_row(), .drift(...) or .calendar(...).",
            )

    @classmethod
    def on_change(cls) -> Rebalance:
        """Trade an asset when its approved target changed: positions drift in between."""
        return cls(when="on_change")

    @classmethod
    def every_row(cls) -> Rebalance:
        """Trade every asset back to its target on every row."""
        return cls(when="every_row")

    @classmethod
    def drift(cls, threshold: float, cooldown: int = 0) -> Rebalance:
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
        >>> Rebalance.drift(0.05, cooldown=5).threshold
        0.05
        """
        return cls(when="drift", threshold=threshold, cooldown=cooldown)

    @classmethod
    def calendar(cls, period: Period) -> Rebalance:
        """Trade an asset to its target once in each period (UTC), as soon as it has a price.

        Examples
        --------
        >>> Rebalance.calendar("month").period
        'month'
        """
        return cls(when="calendar", period=period)


class RunSettings(Settings, frozen=True):
    """All settings of a run: everything but its strategy and its data.

    Parameters
    ----------
    cash : float
        Cash at the start, quote currency: from 1e-9 to 1e18.
    fill : {"next_open", "next_close", "same_close"}
        Fill price of a market order decided on row t. ``same_close`` is a price that the decision
        has seen; every report of such a run states it.
    costs : Costs
    limits : Limits
    rebalance : Rebalance
    execution : Execution
    margin : Margin, optional
        None: a cash account.
    financing : Financing
    exits : Exits, optional
    entry : Entry, optional
    actions : {"none", "cash", "reinvest"}
        How the columns ``split`` (new units per old unit) and ``dividend`` (cash per unit, after
        the split of its row) are handled. ``none``: ignored. ``cash``: dividends are paid.
        ``reinvest``: dividends of long positions buy the same asset at its last close minus the
        dividend, without a fee. Both columns take effect on the ex-date, the first row that trades
        without them.
    currency : str, optional
        Quote currency of the account. None: the currency that all assets share.
    fractions : {"kept", "paid"}
        What happens to the fraction of a lot that a split leaves: the position keeps it, or it is
        paid in cash at the price after the split, without a fee (cash in lieu).
    sizing : {"by_value", "at_fill", "at_decision"}
        Price that converts the value of a target's order to units. ``by_value``: a sale at the
        close of the decision, a purchase spends its value at the fill price. ``at_fill``: both at
        the fill price. ``at_decision``: both at the close of the decision, as orders for units that
        every venue takes. Lot and minimum value are checked before the order is sent, and an order
        beyond the cash is refused. Trading outside of a simulation needs it.
    holdings : dict of str to Holding
        Positions before the first row, by symbol, in addition to the cash. The equity at the start
        includes them. Their assets must be in the currency of the account.
    conversions : dict of str to str
        The column with the conversion rate of every other currency: the price of one unit of it in
        the quote currency, such as ``{"EUR": "eurusd"}``.

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
    sizing: Literal["by_value", "at_fill", "at_decision"] = "by_value"
    currency: str | None = None
    holdings: dict[str, Holding] = {}  # noqa: RUF012
    conversions: dict[str, str] = {}  # noqa: RUF012

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.costs.has_impact and self.execution.participation is None:
            raise ParameterError(
                "Costs with an impact, Execution(participation=None)",
                rule="market impact needs a limit of participation.",
                fix="Set execution=al.Execution(participation=0.1) or another fraction.",
            )
        if self.execution.delay and self.fill != "next_open":
            raise ParameterError(
                f"Execution(delay={self.execution.delay}) with fill={self.fill!r}",
                rule="a delayed order fills at a later open.",
                fix='Use fill="next_open".',
            )

    @property
    def gross(self) -> float:
        """The gross limit in force."""
        if self.limits.gross is not None:
            return self.limits.gross
        return 1.0 if self.margin is None else self.margin.leverage
