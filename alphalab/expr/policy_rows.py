"""Policies that expressions may name, and how one is run row by row."""

from __future__ import annotations

import numpy as np

from alphalab.errors import ExprError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.expr.policy_file import BOUND, PolicyFile
from alphalab.types import FloatArray

_POLICIES: dict[str, PolicyFile] = {}


def register_policy(policy: PolicyFile) -> PolicyFile:
    """Let expressions name a policy by its hash; return the one that is used from now on."""
    return _POLICIES.setdefault(policy.sha256, policy)


def policy_of(sha256: str) -> PolicyFile:
    """Return the policy with a hash.

    Raises
    ------
    UnknownNameError
        None was read in this process.
    """
    if sha256 not in _POLICIES:
        raise UnknownNameError(
            "policy", sha256, _POLICIES, fix="Read its file first: al.policy('FILE.onnx')."
        )
    return _POLICIES[sha256]


def policy_expr(sha256: str, inputs: tuple[Expr, ...], window: float) -> Expr:
    """Return the expression of a policy on its features.

    Raises
    ------
    ExprError
        Another number of features or rows than it was trained on.
    """
    described = policy_of(sha256).description
    if len(inputs) != len(described.features) or window != described.window:
        raise ExprError(
            f"policy {sha256[:12]} with {len(inputs)} features and a window of {window:g} rows",
            rule=f"it reads {len(described.features)} features in a window of {described.window}.",
        )
    return Expr("policy", inputs, (described.window, sha256))


def feeds_back(node: Expr) -> bool:
    """Return True if the weights of a policy depend on those that it asked for before."""
    return node.op == "policy" and policy_of(node.params[1]).description.shows_asked


def check_symbols(policy: PolicyFile, symbols: tuple[str, ...]) -> None:
    """Refuse assets that a policy was not trained on; one of a single asset trades any other.

    Raises
    ------
    ExprError
        Another number of assets, other assets, or another order.
    """
    trained = policy.description.symbols
    if len(symbols) != len(trained) or (len(trained) > 1 and symbols != trained):
        raise ExprError(
            f"{policy.name} on {len(symbols)} assets: {', '.join(symbols[:5])}",
            rule=f"it was trained on {len(trained)}: {', '.join(trained[:5])}; the order counts.",
            fix=f"Select them: bars.select({list(trained[:5])!r})."
            if len(trained) > 1
            else "Select one asset: bars.select([...]).",
        )


def run_policy(
    policy: PolicyFile, state: FloatArray, inputs: list[FloatArray], out: FloatArray
) -> None:
    """Fill `out` (R, N) by one call for each row whose window is known.

    `state[0]` holds the number of rows seen, the features of the last rows, oldest first, and the
    weights asked for last. A row with an unknown feature in its window, or one beyond 1e9, gives
    NaN: no opinion.
    """
    described = policy.description
    window, n_assets = described.window, out.shape[1]
    history = state[0, 1 : state.shape[1] - n_assets].reshape(window, len(inputs), n_assets)
    asked = state[0, state.shape[1] - n_assets :]
    for t in range(out.shape[0]):
        history[:-1] = history[1:].copy()
        for i, values in enumerate(inputs):
            history[-1, i] = values[t]
        state[0, 0] += 1
        if state[0, 0] < window or not (np.abs(history) <= BOUND).all():
            out[t] = np.nan
            continue
        seen = history.astype(np.float32).ravel()
        if described.shows_asked:
            seen = np.concatenate([seen, asked.astype(np.float32)])
        out[t] = asked[:] = policy.weights(seen)
