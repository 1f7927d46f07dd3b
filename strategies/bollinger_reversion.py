"""Buy below the lower Bollinger band, sell at the middle."""

import alphalab as al


class BollingerReversion(al.Strategy):
    """Long from a close below the lower band to a close above the middle one.

    Parameters
    ----------
    n : int
        Rows of the bands.
    width : float
        Standard deviations between the middle and a band.
    """

    n: int = 20
    width: float = 2.0

    def weights(self) -> al.Expr:
        """Give an equal share of equity to every asset that is in a dip."""
        bands = al.bollinger(al.close, self.n, self.width)
        in_dip = al.latch(al.close < bands.lower, al.close > bands.middle)
        share = al.cs_scale(al.latch(al.close > 0, 0))
        return in_dip * share
