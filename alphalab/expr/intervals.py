"""Lengths of time in expressions, such as ``1h``."""

from __future__ import annotations

import re
from typing import Any

from alphalab.errors import ExprError

_UNITS = {"s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}


def interval_ns(text: Any) -> int:
    """Return a length of time in ns.

    Examples
    --------
    >>> interval_ns("1h") == 3_600 * 10**9
    True
    """
    match = re.fullmatch(r"([1-9][0-9]*)([smhd])", text) if isinstance(text, str) else None
    if not match:
        raise ExprError(
            f"on({text!r}, ...)",
            rule="a clock is a whole number and s, m, h or d, such as '15m', '1h' or '1d'.",
        )
    return int(match[1]) * _UNITS[match[2]]
