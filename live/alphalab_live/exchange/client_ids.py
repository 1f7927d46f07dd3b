"""Which client order ids may be used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from alphalab_live.exchange.orders import Order
from alphalab_live.exchange.refusals import Refused

Policy = Literal["open_only", "forever", "ttl"]

DAY_MS = 86_400_000


class ClientIds:
    """The client ids of one account in one market.

    Parameters
    ----------
    policy : {"open_only", "forever", "ttl"}
        ``open_only``: an id is free again once its order is closed. ``forever``: it is never free
        again. ``ttl``: it is free again a day after its order was sent.
    clock : callable
        Returns ms.
    """

    def __init__(self, policy: Policy, clock: Callable[[], int]) -> None:
        self._policy, self._clock = policy, clock
        self._orders: dict[str, tuple[Order, int]] = {}

    def check(self, order: Order) -> None:
        """Refuse a new order whose id is in use.

        Raises
        ------
        Refused
            -2010 on spot, -4116 on futures.
        """
        earlier = self._orders.get(order.client_id)
        if earlier is not None and self._in_use(*earlier):
            if order.listing.kind == "spot":
                raise Refused(-2010, "Duplicate order sent.")
            raise Refused(-4116, "ClientOrderId is duplicated.")

    def keep(self, order: Order) -> None:
        """Remember an order that was accepted."""
        self._orders[order.client_id] = order, self._clock()

    def find(self, client_id: str) -> Order | None:
        """Return the last order with an id."""
        found = self._orders.get(client_id)
        return None if found is None else found[0]

    def _in_use(self, order: Order, sent: int) -> bool:
        if self._policy == "forever" or order.lives:
            return True
        return self._policy == "ttl" and self._clock() - sent < DAY_MS
