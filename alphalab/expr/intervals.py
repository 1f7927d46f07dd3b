"""Lengths of time in expressions, such as ``1h``."""

from __future__ import annotations

from typing import Any

from alphalab.errors import ExprError
from alphalab.settings import span_ns


def interval_ns(text: Any) -> int:
    """Return a length of time in ns.

    Examples
    --------
    >>> interval_ns("1h") == 3_600 * 10**9
    True
    """
    span = span_ns(text) if isinstance(text, str) else None
    if span is None:
        raise ExprError(
            f"on({text!r}, ...)",
            rule="a clock is a whole number and s, m, h or d, such as '15m', '1h' or '1d'.",
        )
    return span
