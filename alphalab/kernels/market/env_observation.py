"""What an environment shows of a row: features of the last rows, then the account.

| part | numbers | unit |
|---|---|---|
| features | window * F, oldest row first | as given |
| cash | 1 | fraction of equity |
| drawdown | 1 | fraction of the peak |
| weights held | N | fraction of equity, negative when short |
| last action | N | weight asked for; 0 after a reset |
| time held | N | n / (n + 100) for n rows since the fill that opened the position; 0 when flat |

An account without equity has no weights: cash and weights are 0 then. Numbers are cut to +-BOUND,
which only an account near ruin reaches.
"""

from __future__ import annotations

from alphalab.kernels._jit import jit
from alphalab.kernels.market.money import held_weight

BOUND = 1e9  # of every number of an observation; exact in float32
HALF_HELD = 100.0  # rows held at which `time held` is 0.5


def size_of(n_features: int, window: int, n_assets: int) -> int:
    """Return the number of values of one observation."""
    return n_features * window + 2 + 3 * n_assets


@jit
def bounded(x):
    return min(max(x, -BOUND), BOUND)


@jit
def observe_account(books, asked, out, first):
    """Write the account part of an observation, from place `first` on."""
    account = books.account
    n = asked.size
    alive = account["equity"] > 0.0
    out[first] = bounded(account["cash"] / account["equity"]) if alive else 0.0
    out[first + 1] = bounded(1.0 - account["equity"] / account["peak"])
    for j in range(n):
        position = books.positions[j]
        holds = position["qty"] != 0.0
        rows = float(account["row"] - position["entry_row"])
        out[first + 2 + j] = bounded(held_weight(books, j)) if holds and alive else 0.0
        out[first + 2 + n + j] = bounded(asked[j])
        out[first + 2 + 2 * n + j] = rows / (rows + HALF_HELD) if holds else 0.0


@jit
def observe(books, envs, c, t, window):
    """Write the observation of account c at row t of the bars."""
    features, out = envs.features, envs.observation[c]
    i = 0
    for k in range(t - window + 1, t + 1):
        for f in range(features.shape[1]):
            out[i] = features[k, f]
            i += 1
    observe_account(books, envs.asked[c], out, i)
