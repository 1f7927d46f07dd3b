"""Pair trading: the spread of two stocks around a rolling hedge ratio."""

import alphalab as al


class PairReversion(al.Strategy):
    """Buy one stock and sell the other when their spread is wide, until it is near its mean.

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
        """Return long and short weights in the hedge ratio, gross exposure 1, or 0 when flat."""
        y, x = al.log(al.close).of(self.first), al.log(al.close).of(self.second)
        hedge = al.ts_beta(y, x, self.n)
        stretch = al.ts_residual(y, x, self.n).ts_zscore(self.n)
        long = al.latch(stretch < -self.enter, stretch > -self.leave)
        short = al.latch(stretch > self.enter, stretch < self.leave)
        side = long - short
        share = 1.0 / (1.0 + abs(hedge))
        return al.per_symbol({self.first: side * share, self.second: -side * hedge * share})
