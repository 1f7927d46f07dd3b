"""Time-series momentum with volatility scaling, after Moskowitz, Ooi & Pedersen (2012)."""

import alphalab as al


class TimeSeriesMomentum(al.Strategy):
    """Long the assets that have risen, short those that have fallen, each at the same risk.

    Parameters
    ----------
    lookback : int
        Rows whose return gives the direction.
    vol_window : int
        Rows of the volatility estimate.
    target_vol : float
        Volatility of one row's return that each asset is scaled to, as a fraction, before it gets
        its share of the account. Above 0.
    """

    lookback: int = 252
    vol_window: int = 60
    target_vol: float = 0.01

    rebalance = al.Rebalance.calendar("month")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.target_vol > 0:
            raise al.errors.ParameterError(
                f"TimeSeriesMomentum(target_vol={self.target_vol:g})", rule="target_vol is above 0."
            )

    def weights(self) -> al.Expr:
        """Return direction times target volatility over own volatility, at most an equal share."""
        direction = al.sign(al.close.returns(self.lookback))
        volatility = al.close.returns(1).ts_std(self.vol_window)
        share = al.cs_scale(al.latch(al.close > 0, 0))
        return direction * al.minimum(self.target_vol / volatility, 1.0) * share
