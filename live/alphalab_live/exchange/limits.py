"""Request limits: weight and orders in a window of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from alphalab_live.exchange.refusals import Refused

BAN_AFTER = 20  # refused requests in one window, after which the client is banned
BAN_SECONDS = 120


class Limits(NamedTuple):
    """Most requests in a window.

    Attributes
    ----------
    weight : int
        Request weight a minute, of all requests of one address.
    orders : int
        New orders in ten seconds, of one account.
    """

    weight: int = 6000
    orders: int = 100


class Meter:
    """Counts what clients use, and refuses what is above the limits.

    Parameters
    ----------
    limits : Limits or None
        None: everything is counted, nothing refused.
    clock : callable
        Returns ms.
    """

    def __init__(self, limits: Limits | None, clock: Callable[[], int]) -> None:
        self._limits, self._clock = limits, clock
        self._counts: dict[tuple[str, int], int] = defaultdict(int)
        self._refused: dict[str, int] = defaultdict(int)
        self._banned_until: dict[str, int] = {}

    def weigh(self, address: str, weight: int) -> int:
        """Add the weight of a request; return the weight used in this minute.

        Raises
        ------
        Refused
            429 above the limit; 418 once the client goes on regardless.
        """
        now = self._clock()
        if (until := self._banned_until.get(address, 0)) > now:
            raise self._ban(until, now)
        used = self._add(f"weight {address}", weight, 60_000)
        if self._limits is not None and used > self._limits.weight:
            self._refused[address] += 1
            if self._refused[address] > BAN_AFTER:
                until = self._banned_until[address] = now + BAN_SECONDS * 1000
                self._refused[address] = 0
                raise self._ban(until, now)
            message = (
                f"Too much request weight used; current limit is {self._limits.weight} request "
                "weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid "
                "polling the API."
            )
            raise Refused(-1003, message, 429, _left(now, 60_000))
        return used

    def order(self, account: str) -> int:
        """Count a new order; return the number of orders in these ten seconds.

        Raises
        ------
        Refused
            429 with -1015 above the limit.
        """
        used = self._add(f"orders {account}", 1, 10_000)
        if self._limits is not None and used > self._limits.orders:
            limit = f"{self._limits.orders} ORDERS per 10 SECOND"
            message = f"Too many new orders; current limit is {limit}."
            raise Refused(-1015, message, 429, _left(self._clock(), 10_000))
        return used

    def _add(self, name: str, amount: int, window: int) -> int:
        """Add to the count of the current window; counts of earlier windows are forgotten."""
        place = self._clock() // window
        count = self._counts.pop((name, place), 0) + amount
        for key in [key for key in self._counts if key[0] == name]:
            del self._counts[key]
        self._counts[name, place] = count
        return count

    @staticmethod
    def _ban(until: int, now: int) -> Refused:
        message = f"Way too much request weight used; IP banned until {until}."
        return Refused(-1003, message, 418, -(-(until - now) // 1000))


def _left(now: int, window: int) -> int:
    """Return the seconds to the end of the current window, at least 1."""
    return -(-(window - now % window) // 1000)
