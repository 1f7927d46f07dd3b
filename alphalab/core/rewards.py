"""`Reward`: what an environment pays for a step."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from alphalab.codes import RewardKind
from alphalab.errors import ParameterError
from alphalab.settings import Settings

#: The weight of each reward if none is given.
DEFAULT_WEIGHTS = {
    "log_return": 0.0,
    "differential_sharpe": 0.01,
    "drawdown": 0.01,
    "downside": 10.0,
    "variance": 10.0,
    "cost": 0.001,
}


class Reward(Settings, frozen=True):
    """The reward of a step.

    A step leads from the decision of one row to the decision of the next. With the equity E at the
    first decision and E' at the second, growth ``g = max(E' / E, 1e-6)`` and return ``r = g - 1``:

    - ``log_return``: ln g. Kelly, A New Interpretation of Information Rate (1956).
    - ``differential_sharpe``: see below. Moody and Saffell, Learning to Trade via Direct
      Reinforcement (2001), section II.
    - ``drawdown``: ln g - w * d, where d is the fall of E' from its peak, a fraction. The sum of d
      is the average drawdown of Chekhlov, Uryasev and Zabarankin, Drawdown Measure in Portfolio
      Optimization (2005).
    - ``downside``: ln g - w * min(r, 0)^2. Sortino and Price, Performance Measurement in a Downside
      Risk Framework (1994).
    - ``variance``: ln g - w * r^2. Kolm and Ritter, Modern Perspectives on Reinforcement Learning
      in Finance (2019).
    - ``cost``: ln g - w * value traded / E, costs beyond those that E' has paid. Garleanu and
      Pedersen, Dynamic Trading with Predictable Returns and Transaction Costs (2013).

    The differential Sharpe ratio is ``(B * (r - A) - A * (r^2 - B) / 2) / (B - A^2)^1.5``, where A
    and B are moving averages of r and r^2 before this step, ``A += w * (r - A)`` and the same for
    B. Both are 0 after a reset, and the reward is 0 while ``B - A^2 <= 1e-12``.

    Parameters
    ----------
    kind : str
        A name of the list above.
    weight : float, optional
        w, at least 0; the rate of `differential_sharpe` is above 0 and at most 1. None: the
        default of the kind, see `DEFAULT_WEIGHTS`. `log_return` has none.

    Raises
    ------
    ParameterError
        An unknown kind, or a weight outside its range.

    Examples
    --------
    >>> Reward(kind="variance", weight=40).weight
    40.0
    >>> Reward(kind="variance").of_kind
    10.0
    """

    kind: Literal[
        "log_return", "differential_sharpe", "drawdown", "downside", "variance", "cost"
    ] = "log_return"
    weight: Annotated[float, Meta(ge=0, le=1e6)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "log_return" and self.weight:
            raise ParameterError(
                f"Reward(kind='log_return', weight={self.weight:g})",
                rule="the log return has no weight.",
            )
        if self.kind == "differential_sharpe" and not 0.0 < self.of_kind <= 1.0:
            raise ParameterError(
                f"Reward(kind='differential_sharpe', weight={self.weight:g})",
                rule="the rate of its moving averages is above 0 and at most 1.",
            )

    @property
    def of_kind(self) -> float:
        """The weight that is given, or the default of the kind."""
        return DEFAULT_WEIGHTS[self.kind] if self.weight is None else self.weight

    @property
    def code(self) -> RewardKind:
        """The code of the kind."""
        return RewardKind[self.kind.upper()]
