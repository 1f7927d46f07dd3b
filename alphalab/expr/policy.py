"""`policy`: a trained policy as an expression."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alphalab.errors import ExprError
from alphalab.expr.nodes import Expr, Number, as_expr
from alphalab.expr.policy_file import read_policy
from alphalab.expr.policy_rows import policy_expr, register_policy
from alphalab.expr.text import parse


def policy(
    file: Path | str,
    features: Mapping[str, Expr | Number | str] | None = None,
    *,
    sha256: str | None = None,
) -> Expr:
    """Return the weights that a trained policy asks for, as an expression.

    Parameters
    ----------
    file : Path or str
        An ONNX file that ``alphalab train`` or `alphalab_envs.training.export` wrote.
    features : mapping of str to Expr, optional
        The features that it reads. None: those that the file names. Given: they must be the same,
        which makes the code that uses the policy readable by itself.
    sha256 : str, optional
        Hash that the file must have, 64 hexadecimal digits.

    Returns
    -------
    Expr
        The weight of equity per asset; NaN (no opinion) until the window of features is full, and
        in rows in which a feature is unknown or beyond 1e9. Its text holds the hash of the file.

    Raises
    ------
    DataError
        A file that is missing, or no policy: `alphalab.expr.policy_file.PolicyFile` says when.
    ArtifactError
        A file with another hash.
    ExprError
        Other features than the policy was trained on.

    Notes
    -----
    The policy sees the features of the last rows and, if it was trained to, the weights that it
    asked for last. It sees no account: the same data give the same weights in a backtest, on paper
    and live, whatever orders were filled.

    Examples
    --------
    >>> from alphalab.artifact.loading import reference_strategies
    >>> file = reference_strategies()["ppo_allocator"].with_suffix(".onnx")
    >>> weights = policy(file)
    >>> weights.op, weights.warmup
    ('policy', 60)
    """
    found = register_policy(read_policy(file, sha256))
    described = found.description
    own = {name: parse(text) for name, text in described.features.items()}
    if features is not None:
        given = {
            name: parse(x) if isinstance(x, str) else as_expr(x, f"feature {name!r}")
            for name, x in features.items()
        }
        if list(given) != list(own) or any(not x.same_as(own[name]) for name, x in given.items()):
            raise ExprError(
                f"{file} with the features {_listed(given)}",
                rule=f"it was trained on {_listed(own)}.",
                fix="Give these, in this order, or none: the file names them.",
            )
    return policy_expr(found.sha256, tuple(own.values()), described.window)


def _listed(features: Mapping[str, Expr]) -> str:
    return ", ".join(f"{name}={expr}" for name, expr in features.items())
