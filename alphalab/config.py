"""Frozen settings with an identity: the SHA-256 of their canonical JSON."""

from __future__ import annotations

import hashlib
import typing
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import numpy as np
from msgspec import Meta

from alphalab.errors import ParameterError

NonNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(gt=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings: checked when made, unknown fields refused.

    Raises
    ------
    ParameterError
        A value of the wrong type or outside its range. The message names the field.
    """

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for name in self.__struct_fields__:
            given = getattr(self, name)
            value = given.item() if isinstance(given, np.generic) else given
            msgspec.structs.force_setattr(self, name, _checked(self, name, value, hints[name]))

    def canonical_json(self) -> str:
        """Return the settings as JSON with sorted keys: equal settings give equal text."""
        return msgspec.json.encode(self, order="sorted").decode()

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls, include_extras=True)
    return _HINTS[cls]


def _checked(owner: Settings, name: str, value: Any, hint: Any) -> Any:
    try:
        value = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        choices = next((get_args(x) for x in (hint, *get_args(hint)) if _is_choice(x)), ())
        allowed = f" Choose from {', '.join(choices)}." if choices else ""
        raise ParameterError(
            f"{type(owner).__name__}: {name}={value!r}",
            rule=f"{error}.{allowed}".replace("`", ""),
        ) from None
    if isinstance(value, float) and not np.isfinite(value):
        raise ParameterError(
            f"{type(owner).__name__}: {name}={value!r}", rule=f"{name} is a finite number."
        )
    return value


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) is Literal


class Costs(Settings, frozen=True):
    """What trading costs.

    Parameters
    ----------
    fee_bps : float, optional
        Fee in basis points of traded value, for every asset. Not given: each instrument's taker
        fee.

    Examples
    --------
    >>> Costs(fee_bps=10).fee_bps
    10.0
    """

    fee_bps: Annotated[float, Meta(ge=0, lt=10_000)] | None = None


class Limits(Settings, frozen=True):
    """The risk gate: what is set is checked on every row, after the strategy, before any order.

    It limits what is asked for: the targets, together with what is held or on its way where the
    strategy has no opinion. A position that drifts beyond a limit by itself is not cut: rebalance
    by `every_row` or `drift` where it has to be.

    Parameters
    ----------
    gross : float
        Largest sum of absolute weights; targets above it are scaled down in proportion. Purchases
        need cash: above 1 it takes short sales to get there.
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

    gross: Positive = 1.0
    net: NonNegative | None = None
    weight: Positive | None = None
    group: str | None = None
    group_gross: Positive | None = None
    drawdown: Fraction | None = None
    daily_loss: Fraction | None = None
    order: Positive | None = None

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
    threshold: NonNegative = 0.0
    cooldown: Annotated[int, Meta(ge=0)] = 0
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
        Cash at the start, quote currency.
    fill : {"next_open", "next_close", "same_close"}
        Price a decision of row t trades at. ``same_close`` trades at a price the decision has seen,
        and every report says so.
    costs : Costs
    limits : Limits
    rebalance : Rebalance

    Examples
    --------
    >>> RunSettings(cash=50_000).fill
    'next_open'
    """

    cash: Positive = 100_000.0
    fill: Literal["next_open", "next_close", "same_close"] = "next_open"
    costs: Costs = Costs()
    limits: Limits = Limits()
    rebalance: Rebalance = Rebalance()
