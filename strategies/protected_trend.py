"""Trend following on a perpetual, with stop, take-profit and trailing stop at the venue."""

import alphalab as al


class ProtectedTrend(al.Strategy):
    """Long while the fast average is above the slow one, else short; exits protect positions.

    Parameters
    ----------
    fast, slow : int
        Rows of the averages.
    """

    fast: int = 60
    slow: int = 480

    exits = al.Exits(stop_loss=0.006, take_profit=0.015, trailing=0.009)

    def weights(self) -> al.Expr:
        """Return 1 in an up-trend, else -1."""
        return al.where(al.close.ts_mean(self.fast) > al.close.ts_mean(self.slow), 1.0, -1.0)
