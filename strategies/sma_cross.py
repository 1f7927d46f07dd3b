"""Long while a fast average of the close is above a slow one, in cash otherwise."""

import alphalab as al


class SmaCross(al.Strategy):
    """Long while the fast average is above the slow one.

    Parameters
    ----------
    fast, slow : int
        Rows of the two simple moving averages of the close, 1 <= fast < slow.
    """

    fast: int = 10
    slow: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.fast < self.slow:
            raise al.errors.ParameterError(
                f"SmaCross(fast={self.fast}, slow={self.slow})",
                rule="1 <= fast < slow.",
                fix="Use fewer rows for the fast average than for the slow one.",
            )

    def weights(self) -> al.Expr:
        """Return 1 (all of the equity) while the fast average is above the slow one, else 0."""
        fast, slow = al.close.ts_mean(self.fast), al.close.ts_mean(self.slow)
        return al.where(fast > slow, 1.0, 0.0)
