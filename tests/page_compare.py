"""Compares a run of the compiled market with the plain one, log by log, bit by bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from page_books import Account

from alphalab.core.engine import Block
from alphalab.types import AMBIGUITY, EVENT, FILL, LEDGER, REFUSAL


def same(x: Any, y: Any) -> bool:
    """True for the same bits, and for any two NaN; 0.0 and -0.0 are the same amount."""
    return bool(x == y or (isinstance(x, float) and math.isnan(x) and math.isnan(y)))


def same_amount(x: Any, y: Any) -> bool:
    """True for what refusals report, sums for which the page gives no order of operations."""
    return same(x, y) or math.isclose(x, y, rel_tol=1e-12)


def rows_of(records: Any) -> list[tuple[Any, ...]]:
    return [tuple(x.item() for x in record) for record in records]


def by_order(events: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the lives of the orders one after the other.

    The page says what happens to an order, not how the log mixes orders of one row.
    """
    return sorted(events, key=lambda event: event[2])


def differences(block: Block, a: Account) -> list[str]:
    """Return the first difference of each log, in words; none if the two runs are the same."""
    logs = {
        "events": (EVENT, by_order(rows_of(block.events)), by_order(a.logs.events)),
        "fills": (FILL, rows_of(block.fills), a.logs.fills),
        "refusals": (REFUSAL, rows_of(block.refusals), a.logs.refusals),
        "ambiguities": (AMBIGUITY, rows_of(block.ambiguities), a.logs.ambiguities),
        "ledger": (LEDGER, rows_of(block.ledger), a.logs.ledger),
        "qty": (None, block.qty.tolist(), a.logs.qty),
    }
    found = []
    for name, (layout, compiled, plain) in logs.items():
        names = layout.names if layout is not None else None
        text = _first_difference(name, names, compiled, plain)
        if text:
            found.append(text)
    return found


def _first_difference(
    log: str, names: Sequence[str] | None, compiled: Sequence[Any], plain: Sequence[Any]
) -> str:
    for i, (x, y) in enumerate(zip(compiled, plain, strict=False)):
        alike = same_amount if log == "refusals" else same
        wrong = [k for k, (u, v) in enumerate(zip(x, y, strict=True)) if not alike(u, v)]
        if wrong:
            fields = ", ".join(names[k] if names else str(k) for k in wrong)
            return f"{log}[{i}] ({fields}): compiled {x}, plain {y}"
    if len(compiled) != len(plain):
        longer = compiled if len(compiled) > len(plain) else plain
        whose = "compiled" if longer is compiled else "plain"
        n = min(len(compiled), len(plain))
        return f"{log}: {len(compiled)} compiled, {len(plain)} plain; only {whose} {longer[n]}"
    return ""


def assert_same(block: Block, a: Account) -> None:
    found = differences(block, a)
    assert not found, "\n".join(found)
