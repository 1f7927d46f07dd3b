"""The settings of a run: frozen, checked, each with an identity."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from alphalab.costs import Costs, FeeTier, Financing
from alphalab.errors import ParameterError
from alphalab.settings import Bps, Cash, Fraction, MarginShare, Price, RowsOrNone, Settings
from alphalab.trading import Entry, Exits, Limits, Period, Rebalance

__all__ = [
    "Actions",
    "Costs",
    "Entry",
    "Execution",
    "Exits",
    "FeeTier",
    "Fill",
    "Financing",
    "Fractions",
    "Holding",
    "Limits",
    "Margin",
    "Period",
    "Rebalance",
    "RunSettings",
    "Sizing",
]

#: The price at which a decision fills.
Fill = Literal["next_open", "next_close", "same_close"]

#: What happens on splits and dividends, and to fractions of a unit that a split leaves.
Actions = Literal["none", "cash", "reinvest"]
Fractions = Literal["kept", "paid"]

#: At which price a weight becomes units.
Sizing = Literal["by_value", "at_fill", "at_decision"]


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
    fill: Fill = "next_open"
    costs: Costs = Costs()
    limits: Limits = Limits()
    rebalance: Rebalance = Rebalance()
    execution: Execution = Execution()
    margin: Margin | None = None
    financing: Financing = Financing()
    exits: Exits | None = None
    entry: Entry | None = None
    actions: Actions = "none"
    fractions: Fractions = "kept"
    sizing: Sizing = "by_value"
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
