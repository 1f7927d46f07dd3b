"""Donchian channel breakout: a compiled `decide` enters above one channel, leaves below another."""

import numpy as np

import alphalab as al


class DonchianBreakout(al.Strategy):
    """Buy at a close above the highest high of the previous rows, sell below their lowest low.

    Parameters
    ----------
    enter, leave : int
        Rows of the highest high for entries, and of the lowest low for exits.
    """

    enter: int = 55
    leave: int = 20

    def signals(self) -> dict[str, al.Expr]:
        """Return the channel of the previous rows, and the share of each asset."""
        return {
            "close": al.close,
            "highest": al.high.ts_max(self.enter).delay(1),
            "lowest": al.low.ts_min(self.leave).delay(1),
            "share": al.cs_scale(al.latch(al.close > 0, 0)),
        }

    @staticmethod
    def decide(signals, account):
        """Return the share at a breakout above, 0 at one below, else NaN (no change)."""
        targets = np.full(signals.close.size, np.nan)
        for j in range(targets.size):
            held = account.positions[j]["qty"] > 0.0
            if held and signals.close[j] < signals.lowest[j]:
                targets[j] = 0.0
            elif not held and signals.close[j] > signals.highest[j]:
                targets[j] = signals.share[j]
        return targets
