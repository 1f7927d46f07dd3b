"""Donchian channel breakout, decided row by row: the channel's other side is the way out."""

import numpy as np

import alphalab as al

CLOSE, HIGHEST, LOWEST, SHARE = range(4)


class DonchianBreakout(al.Strategy):
    """Buy a close above the highest high of the rows before, sell a close below their lowest low.

    Parameters
    ----------
    enter, leave : int
        Rows of the channel to enter and of the one to leave.
    """

    enter: int = 55
    leave: int = 20

    def signals(self) -> dict[str, al.Expr]:
        """Name the channel of the rows before this one, and each asset's share."""
        return {
            "close": al.close,
            "highest": al.high.ts_max(self.enter).delay(1),
            "lowest": al.low.ts_min(self.leave).delay(1),
            "share": al.cs_scale(al.latch(al.close > 0, 0)),
        }

    @staticmethod
    def decide(signals, account, memory):
        """Keep what is held until it breaks out of its channel."""
        targets = np.full(signals.shape[1], np.nan)
        for j in range(targets.size):
            held = account.positions[j]["qty"] > 0.0
            if held and signals[CLOSE, j] < signals[LOWEST, j]:
                targets[j] = 0.0
            elif not held and signals[CLOSE, j] > signals[HIGHEST, j]:
                targets[j] = signals[SHARE, j]
        return targets
