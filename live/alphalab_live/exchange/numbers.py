"""Numbers as an exchange writes them."""

from __future__ import annotations

from decimal import Decimal


def text(x: float) -> str:
    """Return the shortest decimal text that reads back as the same float, without an exponent.

    A client that parses it has the very bits of the exchange.

    Examples
    --------
    >>> text(1e-08), text(50000.0), text(0.1 + 0.2), text(-0.0)
    ('0.00000001', '50000', '0.30000000000000004', '0')
    """
    digits = format(Decimal(repr(float(x) + 0.0)), "f")
    return digits.removesuffix(".0")
