"""Buy below the lower Bollinger band, sell at the middle."""

import alphalab as al


class BollingerReversion(al.Strategy):
    """Buy at a close below the lower band, sell at a close above the middle band.

    Parameters
    ----------
    n : int
        Rows of the mean and of the deviation.
    width : float
        Distance of the bands from the mean, in standard deviations.
    """

    n: int = 20
    width: float = 2.0

    def weights(self) -> al.Expr:
        """Return an equal share of equity for every asset between entry and exit, else 0."""
        bands = al.bollinger(al.close, self.n, self.width)
        in_dip = al.latch(al.close < bands.lower, al.close > bands.middle)
        share = al.cs_scale(al.latch(al.close > 0, 0))
        return in_dip * share
