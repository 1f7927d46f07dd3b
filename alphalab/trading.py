"""The settings that turn targets into orders: when, within which limits, and with which exits."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from alphalab.errors import ParameterError
from alphalab.settings import Fraction, Rows, RowsOrNone, Settings, Weight, WeightOrZero

#: Calendar period, in UTC.
Period = Literal["day", "week", "month", "quarter", "year"]


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


class Limits(Settings, frozen=True):
    """The limits of the risk gate, checked on every row after the strategy and before any order.

    The gate cuts targets above a limit, and refuses orders of a `decide`. An asset without a target
    counts with the weight of its position or of its live order. A position that drifts beyond a
    limit is not cut: use `Rebalance.every_row` or `Rebalance.drift` to cut it.

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
