"""Cross-sectional momentum, after Jegadeesh & Titman (1993): hold last year's winners."""

import alphalab as al


class CrossSectionalMomentum(al.Strategy):
    """Hold the k assets with the highest return; with `short`, sell the k lowest short.

    Parameters
    ----------
    lookback, skip : int
        The return is from `lookback` rows ago to `skip` rows ago.
    k : int
        Assets on each side.
    short : bool
        True to sell the k assets with the lowest return short.
    """

    lookback: int = 252
    skip: int = 21
    k: int = 5
    short: bool = False

    rebalance = al.Rebalance.calendar("month")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.skip < self.lookback:
            raise al.errors.ParameterError(
                f"CrossSectionalMomentum(lookback={self.lookback}, skip={self.skip})",
                rule="1 <= skip < lookback.",
            )

    def weights(self) -> al.Expr:
        """Return equal shares of the winners, and with `short` minus those of the losers."""
        strength = al.close.delay(self.skip).returns(self.lookback - self.skip)
        winners = al.cs_top(strength, self.k)
        losers = al.cs_top(-strength, self.k)
        return al.cs_scale(winners - losers if self.short else winners)
