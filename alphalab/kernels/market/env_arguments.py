"""The arrays of accounts that stand at different rows and take their targets from outside."""

from __future__ import annotations

import numpy as np

from alphalab.kernels.market.arguments import FLOAT, INT, Group

#: C environments of N assets. The first axis is the environment unless stated otherwise.
ENVS = Group(
    "Envs",
    command=(INT, 1),  # an EnvCommand code
    start=(INT, 1),  # row of the bars at which the next reset begins
    at=(INT, 1),  # row of the bars whose decision is open
    stop=(INT, 1),  # last row of the episode: it has no decision
    forced=(INT, 1),  # 1: a risk rule forces the account flat in this row
    asked=(FLOAT, 2),  # (C, N) weights that the next step asks for; after a step, the last action
    features=(np.float32, 2),  # (T, F), shared
    observation=(np.float32, 2),  # (C, window * F + 2 + 3 * N), see `env_observation.py`
    equity=(FLOAT, 1),  # at the open decision
    turnover=(FLOAT, 1),  # at the open decision
    moments=(FLOAT, 2),  # (C, 2) of the differential Sharpe ratio
    reward=(FLOAT, 1),
    weight=(FLOAT, 1),  # one element, shared: the weight of the reward's penalty, or its rate
    terminated=(np.bool_, 1),
    truncated=(np.bool_, 1),
)

#: Importable by name, so that the compiled driver is found again by the next process.
Envs = ENVS.kind
