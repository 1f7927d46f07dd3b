"""The reward of a step of an environment; `alphalab.core.rewards` has formulas and sources."""

from __future__ import annotations

import math

import numpy as np

from alphalab.codes import RewardKind
from alphalab.kernels._jit import jit

DIFFERENTIAL_SHARPE = np.int64(RewardKind.DIFFERENTIAL_SHARPE)
DRAWDOWN, DOWNSIDE = np.int64(RewardKind.DRAWDOWN), np.int64(RewardKind.DOWNSIDE)
VARIANCE, COST = np.int64(RewardKind.VARIANCE), np.int64(RewardKind.COST)

LEAST_GROWTH = 1e-6  # of equity in one step: the reward of ruin is finite
LEAST_VARIANCE = 1e-12  # of returns: below it the differential Sharpe ratio is 0


@jit
def differential_sharpe(moments, rate, r):
    """Return the change of the moving Sharpe ratio by the return r, and update its moments."""
    mean, square = moments[0], moments[1]
    variance = square - mean * mean
    up, up_square = r - mean, r * r - square
    moments[0] = mean + rate * up
    moments[1] = square + rate * up_square
    if variance <= LEAST_VARIANCE:
        return 0.0
    return (square * up - 0.5 * mean * up_square) / (variance * math.sqrt(variance))


@jit
def reward_of(kind, weight, account, before, traded, moments):
    """Return the reward of a step.

    `before` is the equity at the decision, `traded` the value traded since.
    """
    growth = max(account["equity"] / before, LEAST_GROWTH)
    r = growth - 1.0
    if kind == DIFFERENTIAL_SHARPE:
        return differential_sharpe(moments, weight, r)
    gain = math.log(growth)
    if kind == DRAWDOWN:
        return gain - weight * (1.0 - account["equity"] / account["peak"])
    if kind == DOWNSIDE:
        below = min(r, 0.0)
        return gain - weight * below * below
    if kind == VARIANCE:
        return gain - weight * r * r
    if kind == COST:
        return gain - weight * traded / before
    return gain
