"""Two stocks that move together: trade the spread around a rolling hedge ratio."""

import alphalab as al


class PairReversion(al.Strategy):
    """Buy one stock against the other when their spread is stretched, until it is back at its mean.

    The spread is the residual of the log price of `first` regressed on that of `second` over the
    last `n` rows.

    Parameters
    ----------
    first, second : str
        The two symbols.
    n : int
        Rows of the regression and of the spread's mean and deviation.
    enter, leave : float
        Distance from the mean, in standard deviations, at which to enter and to leave, enter >
        leave >= 0.
    """

    first: str = "KO"
    second: str = "PEP"
    n: int = 120
    enter: float = 2.0
    leave: float = 0.25

    # The hedge ratio moves on every row; following it to the last share would only feed the broker.
    rebalance = al.Rebalance.drift(0.05)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first == self.second:
            raise al.errors.ParameterError(
                f"PairReversion(first={self.first!r}, second={self.second!r})",
                rule="a pair is two different symbols.",
            )
        if not self.enter > self.leave >= 0:
            raise al.errors.ParameterError(
                f"PairReversion(enter={self.enter:g}, leave={self.leave:g})",
                rule="enter > leave >= 0.",
            )

    def weights(self) -> al.Expr:
        """Long and short the two in the ratio of the hedge, gross exposure 1, flat in between."""
        y, x = al.log(al.close).of(self.first), al.log(al.close).of(self.second)
        hedge = al.ts_beta(y, x, self.n)
        stretch = al.ts_residual(y, x, self.n).ts_zscore(self.n)
        long = al.latch(stretch < -self.enter, stretch > -self.leave)
        short = al.latch(stretch > self.enter, stretch < self.leave)
        side = long - short
        share = 1.0 / (1.0 + abs(hedge))
        return al.per_symbol({self.first: side * share, self.second: -side * hedge * share})
