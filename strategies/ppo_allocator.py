"""Weights over twenty stocks that an agent has learned; a small example, not a good strategy."""

from pathlib import Path

import alphalab as al


class PpoAllocator(al.Strategy):
    """Hold what a trained policy asks for: PPO on `sp500_stocks`, 65,536 steps on 1990 to 2009.

    On 2016 to 2022, which it never saw, it does about what equal weights do, and less than a
    simple trend rule. docs/training.md has the command that trained it, and the table.
    """

    def weights(self) -> al.Expr:
        """Return the weights that the policy beside this file asks for."""
        momentum, reversal = al.close.returns(60), al.close.returns(5)
        return al.policy(
            Path(__file__).with_suffix(".onnx"),
            features={
                "momentum": al.cs_zscore(momentum),
                "reversal": al.cs_zscore(reversal),
                "volatility": al.cs_zscore(al.close.returns(1).ts_std(20)),
            },
        )
