"""`PolicyStrategy`: a strategy that holds what a trained policy asks for."""

from __future__ import annotations

from alphalab.core.strategy import Strategy
from alphalab.expr.nodes import Expr
from alphalab.expr.policy import policy


class PolicyStrategy(Strategy, frozen=True):
    """Hold the weights that a trained policy asks for.

    Parameters
    ----------
    file : str
        Path of the ONNX file, see `alphalab.expr.policy.policy`.
    sha256 : str
        Hash that the file must have; empty: any.

    Raises
    ------
    DataError, ArtifactError
        No policy, or a file with another hash; raised when its weights are first used.

    Examples
    --------
    >>> PolicyStrategy(file="runs/ppo/policy.onnx").file
    'runs/ppo/policy.onnx'
    """

    file: str
    sha256: str = ""

    def weights(self) -> Expr:
        """Return the policy as an expression."""
        return policy(self.file, sha256=self.sha256 or None)
