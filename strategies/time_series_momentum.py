"""Time-series momentum with volatility scaling, after Moskowitz, Ooi & Pedersen (2012)."""

import math

import alphalab as al


class TimeSeriesMomentum(al.Strategy):
    """Long what has risen and short what has fallen, each at the same risk.

    Parameters
    ----------
    lookback : int
        Rows whose return gives the direction.
    vol_window : int
        Rows of the volatility estimate.
    target_vol : float
        Annual volatility that each asset is scaled to, as a fraction, before it gets its share of
        the account.
    periods_per_year : float
        Rows a year holds.
    """

    lookback: int = 252
    vol_window: int = 60
    target_vol: float = 0.15
    periods_per_year: float = 252.0

    rebalance = al.calendar("month")

    def weights(self) -> al.Expr:
        """Direction times target risk over own risk, shared equally among the assets."""
        direction = al.sign(al.close.returns(self.lookback))
        volatility = al.close.returns(1).ts_std(self.vol_window) * math.sqrt(self.periods_per_year)
        share = al.cs_scale(al.close / al.close)
        return direction * al.minimum(self.target_vol / volatility, 1.0) * share
