"""Before the first row: the clock, the key, and the history that an engine starts with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alphalab.core.event_codec import array_bytes
from alphalab.core.events import History
from alphalab.errors import RefusedError
from alphalab_live.feed import cells_of
from alphalab_live.trader import Trader
from alphalab_live.venue import Venue


async def check_clock(venue: Venue, most: float) -> None:
    """Refuse a clock that is further than `most` seconds from the venue's.

    Raises
    ------
    RefusedError
        By how much it differs.
    """
    skew = await venue.skew()
    if abs(skew) > most:
        raise RefusedError(
            f"this machine's clock is {skew:+.1f} s off the venue's",
            rule=f"they differ by at most {most:g} s.",
            fix="Set the clock (NTP), and start again.",
        )


async def check_key(venue: Venue, tell: Callable[[str], None]) -> None:
    """Refuse an API key that may move money, or may not trade; tell where that is not known.

    Raises
    ------
    RefusedError
        What it may do.
    """
    rights = await venue.key_rights()
    if rights.moves_money:
        raise RefusedError(
            "the API key may withdraw or transfer money",
            rule="the runner takes keys that may read and trade, and nothing else.",
            fix="Make a key without these rights at the exchange, and delete this one.",
        )
    if rights.trades is False:
        raise RefusedError(
            "the API key may not trade",
            rule="the runner takes keys that may read and trade.",
            fix="Give it the right to trade this market, or take another key.",
        )
    if rights.moves_money is None:
        tell(f"{venue.name} does not tell what the API key may do: make sure it cannot withdraw")


async def history_of(trader: Trader, venue: Venue, rows: int) -> History:
    """Return the closed bars before the first row of an engine.

    Raises
    ------
    RefusedError
        The venue has fewer.
    """
    end = trader.last or venue.now() // trader.interval * trader.interval
    begin = end - rows * trader.interval
    values = np.full((rows, len(trader.columns), len(trader.symbols)), np.nan)
    for j, symbol in enumerate(trader.symbols):
        for candle in await venue.candles(symbol, trader.interval, begin, rows):
            i = (candle.time - begin) // trader.interval - 1
            if 0 <= i < rows:
                values[i, :, j] = cells_of(candle, trader.columns)
    known = int(np.count_nonzero(~np.isnan(values).all(axis=(1, 2))))
    if known < rows:
        raise RefusedError(
            f"{', '.join(trader.symbols)}: the venue has {known} of {rows} bars of history",
            rule="a strategy starts with the history that its certificate asks for.",
            fix="Start later, or on a venue with more history.",
        )
    times = begin + trader.interval * np.arange(1, rows + 1, dtype="<i8")
    return History(engine=trader.place, times=times.tobytes(), values=array_bytes(values))
