"""Buy and hold: equal shares of all assets, bought once."""

import alphalab as al


class BuyAndHold(al.Strategy):
    """Buy equal shares of all assets that have a price, and hold them.

    Parameters
    ----------
    gross : float
        Sum of the weights, in (0, 1].
    """

    gross: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gross <= 1:
            raise al.errors.ParameterError(
                f"BuyAndHold(gross={self.gross:g})", rule="0 < gross <= 1."
            )

    def weights(self) -> al.Expr:
        """Return the same weight for every asset from its first price on, also in gaps."""
        return al.cs_scale(al.latch(al.close > 0, 0), self.gross)
