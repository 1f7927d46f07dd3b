"""The settings that turn targets into orders: when, within which limits, and with which exits."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from alphalab.errors import ParameterError
from alphalab.settings import (
    Fraction,
    Rows,
    RowsOrNone,
    Settings,
    Weight,
    WeightOrZero,
    span_ns,
)

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
    max_positions : int, optional
        Most assets held at once. An asset that has a place keeps it until its target is 0; free
        places go to the largest absolute targets, and to the first asset where these are equal.
        The others wait without an order.

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
    max_positions: Rows | None = None

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


class Rung(NamedTuple):
    """One rung of a ladder of targets: from an age of the position on, its target.

    `rows` since the fill that opened it, or `time`, ns; the other of the two is 0. `profit` is a
    fraction of the entry price.
    """

    rows: int
    time: int
    profit: float


#: A fraction of a price.
Part = Annotated[float, Meta(gt=0, lt=1)]
#: Targets by age, such as ``{"0": 0.04, "30m": 0.02}``.
Ladder = dict[str, Annotated[float, Meta(gt=-1, lt=1)]]

_DISTANCES = {
    "stop_distance": "stop_loss",
    "profit_distance": "take_profit",
    "trailing_distance": "trailing",
}


class Exits(Settings, frozen=True):
    """Exit orders at the venue that protect every position from its first fill on.

    The first exit to fill cancels the others. A position that an exit has closed is not reopened
    until the strategy's target changes.

    A distance is a fraction of a price (`stop_loss`, `take_profit`, `trailing`), or an expression
    in units of the price (`stop_distance`, `profit_distance`, `trailing_distance`). An expression
    is read at the close before the fill that opens the position, and then stays as it is; unknown
    there, it has the last value that was known, and before the first one no position is opened.

    Parameters
    ----------
    stop_loss : float, optional
        Stop order on the losing side; its distance is this fraction of the average entry price.
    take_profit : float or dict, optional
        Limit order on the winning side; its distance is this fraction of the average entry price. A
        dict has the fractions by the age of the position, which is in rows, or a time such as
        ``"30m"``, ``"4h"`` or ``"2d"``: ``{0: 0.04, 30: 0.02, 60: 0}``. At the end of the row that
        reaches an age the order moves. A fraction may be below 0 from the second age on.
    trailing : float, optional
        Trailing stop; its distance is this fraction of the best price since the entry.
    trailing_after : float, optional
        The trailing stop starts when the best price is this fraction of the entry price beyond it.
    stop_distance, profit_distance, trailing_distance : Expr or str, optional
        Distance as an expression, in place of the fraction: ``2 * al.atr(al.high, al.low, al.close,
        14)``. It is kept as text.
    max_holding : int, optional
        Rows after which the position is closed at market.

    Examples
    --------
    >>> Exits(stop_loss=0.02, take_profit=0.05).stop_loss
    0.02
    >>> Exits(take_profit={0: 0.04, 30: 0.02}).ladder
    (Rung(rows=0, time=0, profit=0.04), Rung(rows=30, time=0, profit=0.02))
    >>> Exits(stop_distance="2 * atr(high, low, close, 14)").distances
    {'stop_distance': '2 * atr(high, low, close, 14)'}
    """

    stop_loss: Part | None = None
    take_profit: Part | Ladder | None = None
    trailing: Part | None = None
    trailing_after: Part | None = None
    stop_distance: str | None = None
    profit_distance: str | None = None
    trailing_distance: str | None = None
    max_holding: Rows | None = None

    def __post_init__(self) -> None:
        put = msgspec.structs.force_setattr
        for name, fraction in _DISTANCES.items():
            if _is_expression(getattr(self, fraction)):
                raise ParameterError(
                    f"Exits({fraction}={str(getattr(self, fraction))!r})",
                    rule=f"{fraction} is a number, a fraction of the price.",
                    fix=f"Give an expression in units of the price as {name}.",
                )
            if _is_expression(getattr(self, name)):
                put(self, name, str(getattr(self, name)))
        if isinstance(self.take_profit, dict):
            put(self, "take_profit", {str(age): x for age, x in self.take_profit.items()})
        super().__post_init__()
        given = {name for name in self.__struct_fields__ if getattr(self, name) is not None}
        if not given - {"trailing_after"}:
            raise ParameterError("Exits()", rule="at least one exit is given.")
        for name, fraction in _DISTANCES.items():
            if {name, fraction} <= given:
                raise ParameterError(
                    f"Exits({fraction}=..., {name}=...)",
                    rule="an exit has one distance: a fraction, or an expression.",
                    fix="Leave one of them out.",
                )
        if "trailing_after" in given and not given & {"trailing", "trailing_distance"}:
            raise ParameterError(
                f"Exits(trailing_after={self.trailing_after:g}) without a trailing stop",
                rule="trailing_after says when the trailing stop starts.",
                fix="Set trailing or trailing_distance as well.",
            )
        if isinstance(self.take_profit, dict):
            _check_ladder(self.ladder)

    @property
    def distances(self) -> dict[str, str]:
        """The distances that are expressions, as text, by the name of the field."""
        given = {name: getattr(self, name) for name in _DISTANCES}
        return {name: text for name, text in given.items() if text is not None}

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """The targets by age, youngest first; empty unless `take_profit` is a dict."""
        if not isinstance(self.take_profit, dict):
            return ()
        return tuple(sorted(Rung(*age_of(age), x) for age, x in self.take_profit.items()))


def _is_expression(value: object) -> bool:
    """Return True for an `Expr`, a class of a higher layer."""
    return hasattr(value, "same_as")


def age_of(text: str) -> tuple[int, int]:
    """Return an age in rows, or else in ns."""
    if text.isdecimal():
        return int(text), 0
    time = span_ns(text)
    if time is None:
        raise ParameterError(
            f"Exits(take_profit={{{text!r}: ...}})",
            rule="an age is a number of rows, or a whole number with s, m, h or d, such as '30m'.",
        )
    return 0, time


def _check_ladder(ladder: tuple[Rung, ...]) -> None:
    """Refuse ages of both kinds or twice, and a ladder that does not start with a profit at 0."""
    if not ladder or ladder[0][:2] != (0, 0) or ladder[0].profit <= 0:
        raise ParameterError(
            f"Exits(take_profit={{{', '.join(f'{max(x[:2])}: {x.profit:g}' for x in ladder)}}})",
            rule="a ladder begins at age 0, with a fraction above 0.",
            fix="Begin with 0: 0.99 for a target that is out of reach at first.",
        )
    later = ladder[1:]
    if len({x[:2] for x in ladder}) < len(ladder) or (
        any(x.rows for x in later) and any(x.time for x in later)
    ):
        raise ParameterError(
            "Exits(take_profit={...}) with an age twice, or with ages in rows and in time",
            rule="the ages of a ladder differ, and are all rows or all times.",
        )
