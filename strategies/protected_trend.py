"""Follow the trend of a perpetual, with a stop, a target and a trailing stop at the venue."""

import alphalab as al


class ProtectedTrend(al.Strategy):
    """Long above the slow average, short below it; every position is protected.

    Parameters
    ----------
    fast, slow : int
        Rows of the averages.
    """

    fast: int = 60
    slow: int = 480

    exits = al.Exits(stop_loss=0.006, take_profit=0.015, trailing=0.009)

    def weights(self) -> al.Expr:
        """Give the side of the trend."""
        return al.where(al.close.ts_mean(self.fast) > al.close.ts_mean(self.slow), 1.0, -1.0)
