"""Requests of a `decide` to the naive twin: orders, amendments, cancellations, and their rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Any

from naive_money import NAN, ROUNDING, Asset, is_whole
from naive_orders import FIRST_OF_DECIDE, Order
from naive_venue import Venue

#: The prices that each type needs.
PRICES = {
    "MARKET": (),
    "LIMIT": ("limit",),
    "STOP": ("stop",),
    "STOP_LIMIT": ("limit", "stop"),
    "TAKE_PROFIT": ("stop",),
    "TRAILING": (),
    "MARKET_ON_OPEN": (),
    "MARKET_ON_CLOSE": (),
    "LIMIT_IF_TOUCHED": ("limit", "stop"),
}


class Refused(Exception):
    def __init__(self, reason: str, asked: float) -> None:
        self.reason, self.asked = reason, asked


class Desk:
    """Handles requests. Each is a dict, and names another order by its id, or by the number that
    its request has among those of the same script (`of`).
    """

    def __init__(self, venue: Venue, max_orders: int) -> None:
        self.venue, self.books, self.diary = venue, venue.books, venue.diary
        self.settings, self.limits = venue.settings, venue.settings.limits
        self.max_orders = max_orders
        self.sent: list[int] = []  # ids of the orders asked for; of a bracket: the first
        self.flat = ("", NAN)  # why the account has to be flat, and the figure

    def handle(self, requests: Sequence[dict[str, Any]]) -> None:
        for request in requests:
            order = request["id"]
            if request["of"] is not None and request["of"] < len(self.sent):
                order = self.sent[request["of"]] + request["offset"]
            match request["action"]:
                case "amend":
                    self.amend(order, request)
                case "cancel":
                    self.cancel(order)
                case "bracket":
                    self.sent.append(self.books.purse.n_orders + 1)
                    self.bracket(request)
                case _:
                    self.sent.append(self.books.purse.n_orders + 1)
                    self.submit(request | {"type": request["action"].upper(), "parent": order})

    def bracket(self, request: dict[str, Any]) -> None:
        """An order with a target and a stop that wait for its first fill."""
        parent = self.books.purse.n_orders + 1
        plain = dict(limit=NAN, stop=NAN, trail=NAN, frac=NAN, tif="GTC", until=0, group=0)
        plain |= dict(asset=request["asset"], side=request["side"], qty=request["qty"])
        plain |= dict(reduce_only=False, post_only=False, parent=0)
        limit = request["limit"]
        self.submit(plain | dict(type="MARKET" if math.isnan(limit) else "LIMIT", limit=limit))
        child = dict(side=-request["side"], reduce_only=True, parent=parent, group=("of", parent))
        self.submit(plain | child | dict(type="LIMIT", limit=request["take_profit"]))
        self.submit(plain | child | dict(type="STOP", stop=request["stop_loss"]))

    # Orders.

    def submit(self, request: dict[str, Any]) -> None:
        order = self.draft(request)
        try:
            asset = self.asset(order.asset)
            if order.side not in (1, -1) or not is_positive(order.qty):
                raise Refused("BAD_QUANTITY", order.qty)
            self.check_prices(order)
            if math.isnan(asset.mark):
                raise Refused("NO_PRICE", order.qty)
            parent = self.parent_of(asset, order)
            self.check(asset, order, parent)
            slots = range(FIRST_OF_DECIDE, FIRST_OF_DECIDE + self.max_orders)
            free = [slot for slot in slots if slot not in asset.orders]
            if not free:
                raise Refused("TOO_MANY_ORDERS", self.max_orders + 1)
        except Refused as refused:
            self.refuse(order, refused)
            return
        if order.type == "TRAILING":
            self.venue.trail(asset, order, asset.mark)
        self.write_exactly(asset, order)
        is_held = parent is not None and not parent.filled
        order.state = "HELD" if is_held else "SUBMITTED"
        if is_held:  # also a market order with same_close
            order.live_row = self.diary.row + 1 + self.settings.execution.delay
        asset.orders[free[0]] = self.diary.orders[order.id] = order
        self.venue.tell(order, "SUBMITTED")

    def draft(self, request: dict[str, Any]) -> Order:
        """The order as asked for, with the next id."""
        self.books.purse.n_orders += 1
        kind, row = request["type"], self.diary.row
        same_row = self.settings.fill == "same_close" and kind == "MARKET"
        needed = PRICES[kind]
        return Order(
            id=self.books.purse.n_orders,
            asset=request["asset"],
            origin="DECIDE",
            type=kind,
            side=request["side"],
            qty=request["qty"],
            row=row,
            time=self.diary.time,
            live_row=row if same_row else row + 1 + self.settings.execution.delay,
            limit=request["limit"] if "limit" in needed else NAN,
            stop=request["stop"] if "stop" in needed else NAN,
            trail=request["trail"] if kind == "TRAILING" else NAN,
            frac=request["frac"] if kind == "TRAILING" else NAN,
            tif=request["tif"],
            until_time=request["until"],
            reduce_only=request["reduce_only"],
            post_only=request["post_only"] and kind == "LIMIT",
            group=request["group"],
            parent=request["parent"],
        )

    def write_exactly(self, asset: Asset, order: Order) -> None:
        """Units on lots and prices on ticks are the floats nearest to their decimals."""
        order.qty = asset.exact_units(order.qty)
        order.limit = asset.exact_price(order.limit)
        if order.type != "TRAILING":
            order.stop = asset.exact_price(order.stop)

    def refuse(self, order: Order, refused: Refused) -> None:
        if not 0 <= order.asset < len(self.books.assets):
            order.asset = -1
        self.venue.tell(order, "SUBMITTED")
        self.venue.tell(order, "REFUSED", refused.reason)
        self.diary.refuse(order.asset, refused.reason, refused.asked)

    def asset(self, index: int) -> Asset:
        if not 0 <= index < len(self.books.assets):
            raise Refused("UNKNOWN_ASSET", index)
        return self.books.assets[index]

    def parent_of(self, asset: Asset, order: Order) -> Order | None:
        orders = [asset.orders[slot] for slot in asset.orders if slot >= FIRST_OF_DECIDE]
        return next((other for other in orders if other.id == order.parent), None)

    # The rules.

    def check_prices(self, order: Order) -> None:
        for name in PRICES[order.type]:
            if not is_positive(getattr(order, name)):
                raise Refused("BAD_PRICE", getattr(order, name))
        if order.type == "TRAILING":
            by_price, by_fraction = not math.isnan(order.trail), not math.isnan(order.frac)
            given = order.trail if by_price else order.frac
            is_fraction = by_fraction and order.frac < 1.0
            if by_price == by_fraction or not is_positive(given) or not (by_price or is_fraction):
                raise Refused("BAD_PRICE", given)

    def check(
        self,
        asset: Asset,
        order: Order,
        parent: Order | None,
        itself: Any = None,
        has_new_stop: bool = True,
    ) -> None:
        """Everything that a new order and an amended one have to keep."""
        tick, lot = asset.instrument.tick, asset.instrument.lot
        for price in (order.limit, NAN if order.type == "TRAILING" else order.stop):
            if not math.isnan(price) and not is_steps(price, tick):
                raise Refused("OFF_TICK", price)
        if not is_steps(order.qty, lot):
            raise Refused("LOT", order.qty)
        if has_new_stop:
            self.check_side(asset, order, parent)
        reducible = max(-order.side * asset.held, 0.0)
        has_parent = parent is not None and parent.filled
        at_once = has_parent or not order.parent or (order.state != "HELD" and itself is not None)
        if order.reduce_only and at_once and reducible == 0.0:
            raise Refused("NOTHING_TO_REDUCE", order.qty)
        if self.flat[0] and not order.reduce_only:
            raise Refused(*self.flat)
        if order.parent and parent is None and itself is None:
            raise Refused("PARENT_ENDED", order.parent)
        if order.reduce_only:
            return
        unit = asset.unit(self.reference(asset, order))
        if order.qty * unit < asset.instrument.min_value:
            raise Refused("MIN_VALUE", order.qty * unit)
        reducing = min(order.qty, reducible)
        extra = order.qty - reducing
        if extra > 0.0:
            opens = asset.held == 0.0 or reducing > 0.0
            if opens and self.venue.lacks_distance(asset):
                raise Refused("NO_DISTANCE", order.side * extra * unit / self.books.equity)
            self.check_limits(asset, order.side, extra * unit / self.books.equity, itself)
            self.check_money(asset, order.side, extra * unit, reducing)

    def check_side(self, asset: Asset, order: Order, parent: Order | None) -> None:
        if order.type not in ("STOP", "STOP_LIMIT", "TAKE_PROFIT", "LIMIT_IF_TOUCHED"):
            return
        mark = asset.mark
        if parent is not None and not parent.filled and not math.isnan(parent.limit):
            mark = parent.limit
        waits_for_worse = order.type in ("STOP", "STOP_LIMIT")
        belongs_above = (order.side > 0) == waits_for_worse
        if not (order.stop > mark if belongs_above else order.stop < mark):
            raise Refused("WRONG_SIDE", order.stop)

    def reference(self, asset: Asset, order: Order) -> float:
        if not math.isnan(order.limit):
            return order.limit
        return asset.mark if order.is_market or order.type == "TRAILING" else order.stop

    def waiting(self, asset: Asset, side: int, itself: Any) -> list[float]:
        """The weights of a decide's orders on one side (0: on both) that wait for this asset."""
        weights = []
        for slot in sorted(asset.orders):
            order = asset.orders[slot]
            counts = order.origin == "DECIDE" and not order.reduce_only and order is not itself
            if counts and side in (0, order.side):
                size = order.qty * asset.unit(self.reference(asset, order))
                weights.append(size / self.books.equity)
        return weights

    def held(self, asset: Asset) -> float:
        return asset.size(asset.mark) / self.books.equity

    def check_limits(self, asset: Asset, side: int, weight: float, itself: Any) -> None:
        limits, assets = self.limits, self.books.assets
        n_held = sum(self.venue.has_place(other, itself) for other in assets)
        n_held += not self.venue.has_place(asset, itself)
        most = None if self.venue.has_place(asset, itself) else limits.max_positions
        held = self.held(asset)
        on_side = weight + added(0.0, self.waiting(asset, side, itself))
        on_side += abs(held) if side * held > 0.0 else 0.0
        net = on_the_way = gross = group = 0.0
        for other in assets:
            net += self.held(other)
            on_the_way = added(on_the_way, self.waiting(other, side, itself))
            both = [abs(self.held(other)), *self.waiting(other, 0, itself)]
            gross = added(gross, both)
            if other.group == asset.group:
                group = added(group, both)
        in_group = limits.group_gross if asset.group is not None else None
        for reason, limit, figure in (
            ("LARGEST_ORDER", limits.order, weight),
            ("MAX_POSITIONS", most, n_held),
            ("WEIGHT_LIMIT", limits.weight, on_side),
            ("GROUP_LIMIT", in_group, group + weight),
            ("NET_LIMIT", limits.net, side * net + on_the_way + weight),
            ("GROSS_LIMIT", self.settings.gross, gross + weight),
        ):
            if limit is not None and figure > limit * (1.0 + ROUNDING):
                raise Refused(reason, figure)

    def check_money(self, asset: Asset, side: int, size: float, reducing: float) -> None:
        rate = self.books.fee_rate(asset, taker=True)
        books, initial = self.books, self.venue.initial
        if self.settings.margin or not asset.is_spot:
            gross = 0.0
            for other in books.assets:
                gross += abs(other.size(other.mark))
            gross -= reducing * asset.unit(asset.mark)
            if (gross + size) * initial + size * rate > books.equity * (1.0 + ROUNDING):
                raise Refused("MARGIN", size)
        elif side > 0 and size * (1.0 + rate) > books.purse.cash * (1.0 + ROUNDING):
            raise Refused("CASH", size * (1.0 + rate))

    # Amendments and cancellations.

    def find(self, number: int) -> tuple[Asset, Order] | None:
        for asset in self.books.assets:
            for slot, order in asset.orders.items():
                if slot >= FIRST_OF_DECIDE and order.id == number:
                    return asset, order
        self.diary.refuse(-1, "UNKNOWN_ORDER", number)
        return None

    def amend(self, number: int, request: dict[str, Any]) -> None:
        found = self.find(number)
        if found is None:
            return
        asset, order = found
        changed = copy(order)
        try:
            for name in ("qty", "limit", "stop"):
                if math.isnan(request[name]):
                    continue
                if name not in ("qty", *PRICES[order.type]):
                    raise Refused("BAD_PRICE", request[name])
                setattr(changed, name, request[name])
            moves_trail = not (math.isnan(request["trail"]) and math.isnan(request["frac"]))
            if moves_trail and order.type != "TRAILING":
                by_frac = math.isnan(request["trail"])
                raise Refused("BAD_PRICE", request["frac" if by_frac else "trail"])
            if moves_trail:
                changed.trail, changed.frac = request["trail"], request["frac"]
            if not is_positive(changed.qty):
                raise Refused("BAD_QUANTITY", changed.qty)
            self.check_prices(changed)
            has_new_stop = not math.isnan(request["stop"])
            parent = self.parent_of(asset, order)
            self.check(asset, changed, parent, order, has_new_stop)
        except Refused as refused:
            self.diary.refuse(order.asset, refused.reason, refused.asked)
            return
        if not math.isnan(request["limit"]):
            order.has_met = False
        order.qty, order.limit, order.stop = changed.qty, changed.limit, changed.stop
        self.write_exactly(asset, order)
        if moves_trail:
            order.trail, order.frac = changed.trail, changed.frac
            self.venue.trail(asset, order, order.best)
        self.venue.tell(order, "AMENDED")

    def cancel(self, number: int) -> None:
        found = self.find(number)
        if found is not None:
            self.venue.end(*found, "CANCELLED", "ASKED_FOR")

    def cancel_all_that_open(self) -> None:
        """The account has to be flat: only what reduces may go on."""
        for held in (False, True):
            for asset in self.books.assets:
                for order in self.venue.orders_of(asset):
                    opens = order.origin == "DECIDE" and not order.reduce_only
                    if opens and (order.state == "HELD") == held:
                        self.venue.end(asset, order, "CANCELLED", self.flat[0])


def added(total: float, numbers: Sequence[float]) -> float:
    """One after the other, as the step does it."""
    for number in numbers:
        total += number
    return total


def is_positive(number: float) -> bool:
    return 0.0 < number < math.inf


def is_steps(number: float, step: float) -> bool:
    """Whether a number is one step or several."""
    return is_whole(number, step) and (not step or round(number / step) >= 1)
