"""The table of docs/venues.md, from ccxt; ``python tests/page_venues.py`` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from alphalab_live.offers import Offer, offers

PAGE = Path(__file__).parents[1] / "docs" / "venues.md"
HEAD = (
    "| exchange | markets | own trades | client id: sent, found, cancelled | stop orders "
    "| order stream |"
)
TABLE = re.compile(re.escape(HEAD) + r"\n\|---.*?\n\n", re.S)


def row(offer: Offer) -> str:
    """Return the row of an exchange."""
    cells = (
        offer.name,
        _both(offer.spot, offer.swap),
        _mark(offer.own_trades),
        ", ".join(map(_mark, (offer.sends, offer.finds, offer.cancels))),
        _both(offer.stops_spot, offer.stops_swap),
        _mark(offer.order_stream),
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Return the table: first the exchanges that have all that the runner needs."""
    rows = sorted(offers(), key=lambda offer: (bool(offer.lacks), offer.name))
    return "\n".join([HEAD, "|---" * HEAD.count("|", 1) + "|", *map(row, rows)]) + "\n\n"


def _mark(is_there: bool) -> str:
    return "yes" if is_there else "no"


def _both(spot: bool, swap: bool) -> str:
    return " and ".join(["spot"] * spot + ["swap"] * swap) or "no"


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda _: table(), PAGE.read_text()))
