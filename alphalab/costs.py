"""The settings of costs: of trading, and of holding."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from alphalab.errors import ParameterError
from alphalab.settings import Bps, Money, Settings, YearlyBps


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
