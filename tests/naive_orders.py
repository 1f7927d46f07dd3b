"""The orders of the naive twin, and their lives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from naive_money import NAN, Asset, Books

from alphalab.types import FOREVER

TARGET, STOP_LOSS, TAKE_PROFIT, TRAILING, FIRST_OF_DECIDE = range(5)  # slots


@dataclass
class Order:
    """One order. What does not belong to its type is NaN."""

    id: int
    asset: int
    origin: str
    type: str
    side: int
    row: int  # that decided it
    time: int
    live_row: int  # the first it may meet
    sizing: str = "QTY"
    qty: float = NAN
    value: float = NAN
    filled: float = 0.0
    limit: float = NAN
    stop: float = NAN
    trail: float = NAN
    frac: float = NAN
    best: float = NAN
    away: float = NAN  # of an exit: from the entry, in price
    part: float = NAN  # or as a fraction
    starts_at: float = NAN  # best price from which it trails
    triggered: bool = False
    tif: str = "GTC"
    until_row: int = FOREVER
    until_time: int = FOREVER
    reduce_only: bool = False
    post_only: bool = False
    group: Any = 0
    parent: int = 0
    state: str = "SUBMITTED"
    active_row: int = -1
    active_time: int = 0
    active_day: int = 0
    joined_row: int = -1  # the row inside which it became active
    spent_row: int = -1  # the row in which the volume ran out
    has_met: bool = False  # a price
    raw_fee: float = 0.0
    fee: float = 0.0
    logged: bool = True

    @property
    def lives(self) -> bool:
        return self.state != "FREE"

    @property
    def is_limit(self) -> bool:
        return self.type == "LIMIT" or self.triggered

    @property
    def is_market(self) -> bool:
        return self.type.startswith("MARKET")

    @property
    def has_two_stages(self) -> bool:
        return self.type in ("STOP_LIMIT", "LIMIT_IF_TOUCHED")

    @property
    def level(self) -> float:
        return self.limit if self.is_limit else self.stop

    @property
    def trades_above(self) -> bool:
        """Whether it trades at its level or above, not at its level or below."""
        wants_better = self.is_limit or self.type in ("TAKE_PROFIT", "LIMIT_IF_TOUCHED")
        return (self.side < 0) == wants_better

    def trades_at(self, price: float, only_past_it: bool = False) -> bool:
        if price == self.level:
            return not only_past_it
        return price > self.level if self.trades_above else price < self.level

    def trades_between(self, a: float, b: float, only_past_it: bool = False) -> float | None:
        """The first price on the way from a to b at which it trades."""
        if self.trades_above:
            return max(self.level, a) if self.trades_at(max(a, b), only_past_it) else None
        return min(self.level, a) if self.trades_at(min(a, b), only_past_it) else None


class OrderTable:
    """Where orders live, and what becomes of one when something happens to another."""

    def __init__(self, books: Books) -> None:
        self.books, self.diary, self.settings = books, books.diary, books.settings
        books.force, books.after_force = self.force, self.cancel_idle

    @property
    def assets(self) -> list[Asset]:
        return self.books.assets

    # The life of an order.

    def new_order(self, asset: Asset, slot: int, **fields: Any) -> Order:
        """Give an order the next id and its place."""
        self.books.purse.n_orders += 1
        now = {"row": self.diary.row, "time": self.diary.time, "live_row": self.diary.row}
        order = Order(id=self.books.purse.n_orders, asset=asset.index, **(now | fields))
        asset.orders[slot] = self.diary.orders[order.id] = order
        if order.logged:
            self.tell(order, "SUBMITTED")
        return order

    def force(self, asset: Asset, units: float, price: float, fee: float, reason: str) -> None:
        """Trade by an order of the venue."""
        side = 1 if units > 0.0 else -1
        common = dict(origin="VENUE", type="MARKET", side=side, sizing="CLOSE")
        order = self.new_order(asset, -1, **common)
        self.remove(asset, order)
        self.books.trade(asset, units, price, fee, order)
        order.filled = abs(units)
        self.tell(order, "FILLED", reason)

    def take_over(self, asset: Asset) -> None:
        """What is held at the start comes by a trade of the venue, paid for by the cash it had."""
        holding = self.settings.holdings.get(asset.instrument.symbol)
        if holding is None or not holding.qty:
            return
        self.force(asset, holding.qty, holding.price, 0.0, "HELD_BEFORE")
        asset.mark = holding.price
        if self.settings.exits is not None:
            self.place_exits(asset, holding.price)

    def end_listing(self, asset: Asset, payout: float) -> None:
        if math.isnan(payout):
            return
        for order in self.orders_of(asset):
            self.come_out(order)
            self.tell(order, "CANCELLED", "DELISTED")
            self.remove(asset, order)
        if asset.held:
            self.force(asset, -asset.held, payout, 0.0, "DELISTED")

    def cancel_idle(self, asset: Asset) -> None:
        """Cancel reduce-only orders that find nothing to reduce."""
        for other in self.orders_of(asset):
            reduces = asset.held * other.side < 0.0 and not self.is_flat(asset, asset.held)
            if other.reduce_only and other.state != "HELD" and not reduces:
                self.end(asset, other, "CANCELLED", "NOTHING_TO_REDUCE")

    def has_place(self, asset: Asset, without: Order | None = None) -> bool:
        """Whether an asset is held, or an order may open it."""
        opening = [x for x in asset.orders.values() if not x.reduce_only and x is not without]
        return not self.is_flat(asset, asset.held) or bool(opening)

    def lacks_distance(self, asset: Asset) -> bool:
        """Whether an exit would not know where to stand."""
        exits = self.settings.exits
        return exits is not None and bool(exits.distances.keys() - asset.distances.keys())

    def is_flat(self, asset: Asset, units: float) -> bool:
        """Whether no order can close so few units."""
        counts_lots = self.settings.sizing == "at_decision"
        return units == 0.0 or (counts_lots and asset.in_lots(abs(units)) == 0.0)

    def tell(self, order: Order, status: str, reason: str = "", **when: int) -> None:
        self.diary.events.append(
            self.diary.now()
            | dict(order=order.id, asset=order.asset, origin=order.origin, status=status)
            | dict(reason=reason, type=order.type, side=order.side, filled=order.filled)
            | dict(limit=order.limit, stop=order.stop)
            | dict(qty=order.qty if order.sizing in ("QTY", "SELL_QTY") else NAN)
            | when
        )

    def come_out(self, order: Order) -> None:
        """Tell the beginning of an order that repeats a refused one, when it does better."""
        if not order.logged:
            order.logged = True
            self.tell(order, "SUBMITTED", row=order.row, time=order.time)
            if order.active_row >= 0:
                self.tell(order, "ACTIVE", row=order.active_row, time=order.active_time)

    def activate(self, order: Order) -> None:
        order.state = "ACTIVE"
        order.active_row, order.active_time = self.diary.row, self.diary.time
        order.active_day = self.books.day or 0
        if order.logged:
            self.tell(order, "ACTIVE")

    def end(self, asset: Asset, order: Order, status: str, reason: str = "") -> None:
        self.come_out(order)
        self.tell(order, status, reason)
        self.remove(asset, order)
        if not order.filled:
            for child in self.orders_of(asset):
                if child.parent == order.id and child.state == "HELD":
                    self.end(asset, child, "CANCELLED", "PARENT_ENDED")

    def remove(self, asset: Asset, order: Order) -> None:
        order.state = "FREE"
        for slot in [slot for slot, other in asset.orders.items() if other is order]:
            del asset.orders[slot]

    def orders_of(self, asset: Asset) -> Iterator[Order]:
        """All that live, by slot; those that end meanwhile are left out."""
        for order in [asset.orders[slot] for slot in sorted(asset.orders)]:
            if order.lives:
                yield order

    def drop(self, asset: Asset, order: Order | None, reason: str, asked: float) -> None:
        """Refuse a target's order: the target is still to be met. The same is told once."""
        if asset.told != reason:
            self.diary.refuse(asset.index, reason, asked)
            if order:
                self.come_out(order)
                self.tell(order, "REFUSED", reason)
        asset.told = reason
        asset.is_unmet = True
        if order:
            self.remove(asset, order)

    def refuse(self, asset: Asset, order: Order, reason: str, asked: float) -> None:
        self.diary.refuse(asset.index, reason, asked)
        self.end(asset, order, "REFUSED", reason)

    def entry_ended(self, asset: Asset) -> None:
        assert self.settings.entry is not None
        then = self.settings.entry.then
        asset.is_unmet = then != "give_up"
        asset.chase = asset.chase or then == "market"

    def turn(self, asset: Asset, order: Order) -> None:
        """An order expires, or becomes active."""
        if order.state == "HELD":
            return
        is_over = {
            "DAY": order.state == "ACTIVE" and (self.books.day or 0) > order.active_day,
            "GTD": self.diary.time > order.until_time,
        }
        if is_over.get(order.tif):
            self.end(asset, order, "EXPIRED")
        elif order.state == "SUBMITTED" and self.diary.row >= order.live_row:
            self.activate(order)

    def expire_entry(self, asset: Asset) -> None:
        """An entry ends with the last bar it may meet."""
        entry = asset.orders.get(TARGET)
        if entry is not None and self.diary.row >= entry.until_row:
            self.end(asset, entry, "EXPIRED")
            self.entry_ended(asset)

    # Trailing stops.

    def follow(self, asset: Asset, price: float) -> None:
        """Trailing stops follow the price."""
        for order in self.orders_of(asset):
            if order.state == "ACTIVE" and order.type == "TRAILING":
                self.trail(asset, order, price)

    def trail(self, asset: Asset, order: Order, price: float) -> None:
        if order.side < 0:
            order.best = price if math.isnan(order.best) else max(order.best, price)
            waits = order.best < order.starts_at
            away = order.best - order.trail
            if math.isnan(order.trail):
                away = order.best * (1.0 - order.frac)
        else:
            order.best = price if math.isnan(order.best) else min(order.best, price)
            waits = order.best > order.starts_at
            away = order.best + order.trail
            if math.isnan(order.trail):
                away = order.best * (1.0 + order.frac)
        order.stop = NAN if waits else asset.on_tick(away, up=order.side > 0)

    # What follows a trade.

    def after_fill(self, asset: Asset, order: Order, before: float, price: float) -> None:
        for child in self.orders_of(asset):
            if child.parent == order.id and child.state == "HELD":
                self.release(asset, child, price)
        for other in self.orders_of(asset):
            same_group = order.group and other.group == order.group and other is not order
            if same_group and not (order.lives and other.reduce_only):
                self.end(asset, other, "CANCELLED", "ONE_CANCELS_OTHER")
        self.cancel_idle(asset)
        self.see_to_exits(asset, order, before, price)

    def release(self, asset: Asset, child: Order, price: float) -> None:
        if child.type == "TRAILING":
            child.best = NAN
            self.trail(asset, child, price)
        if self.diary.row < child.live_row:
            child.state = "SUBMITTED"  # it has not reached the venue yet
            return
        child.joined_row = child.live_row = self.diary.row
        self.activate(child)

    def see_to_exits(self, asset: Asset, order: Order, before: float, price: float) -> None:
        if self.is_flat(asset, asset.held):
            if order.origin == "EXITS":
                asset.out = True
                waiting = asset.orders.get(TARGET)
                if waiting is not None:
                    self.end(asset, waiting, "CANCELLED", "REPLACED")
        elif self.settings.exits is None:
            return
        elif self.is_flat(asset, before) or (before > 0.0) != (asset.held > 0.0):
            self.place_exits(asset, price)
        elif abs(asset.held) > abs(before):
            self.move_exits(asset, STOP_LOSS, TAKE_PROFIT)

    def place_exits(self, asset: Asset, price: float) -> None:
        exits, side = self.settings.exits, -1 if asset.held > 0.0 else 1
        assert exits is not None
        common = dict(origin="EXITS", side=side, sizing="CLOSE", reduce_only=True)
        if exits.stop_loss is not None or exits.stop_distance is not None:
            away = asset.distances.get("stop_distance", NAN)
            self.stand(asset, STOP_LOSS, "STOP", away, exits.stop_loss, **common)
        if exits.take_profit is not None or exits.profit_distance is not None:
            away = asset.distances.get("profit_distance", NAN)
            part = exits.ladder[0].profit if exits.ladder else exits.take_profit
            self.stand(asset, TAKE_PROFIT, "LIMIT", away, part, **common)
        if exits.trailing is not None or exits.trailing_distance is not None:
            after = exits.trailing_after
            order = self.new_exit(
                asset,
                TRAILING,
                type="TRAILING",
                trail=asset.distances.get("trailing_distance", NAN),
                frac=NAN if exits.trailing is None else exits.trailing,
                starts_at=NAN if after is None else asset.entry * (1.0 - side * after),
                **common,
            )
            self.trail(asset, order, price)
            self.join(order)

    def new_exit(self, asset: Asset, slot: int, **fields: Any) -> Order:
        """An exit that is told when its level is known."""
        order = self.new_order(asset, slot, joined_row=self.diary.row, logged=False, **fields)
        order.logged = True
        return order

    def stand(
        self, asset: Asset, slot: int, kind: str, away: float, part: Any, **fields: Any
    ) -> None:
        fields |= dict(type=kind, away=away, part=NAN if part is None else part)
        order = self.new_exit(asset, slot, **fields)
        setattr(order, "stop" if kind == "STOP" else "limit", self.exit_level(asset, order))
        self.join(order)

    def join(self, order: Order) -> None:
        """An order that is at the venue at once, and takes part in the rest of the bar."""
        self.tell(order, "SUBMITTED")
        self.activate(order)

    def exit_level(self, asset: Asset, order: Order) -> float:
        is_long, is_target = asset.held > 0.0, order.type == "LIMIT"
        sign = 1 if is_long == is_target else -1
        if math.isnan(order.away):
            return asset.on_tick(asset.entry * (1.0 + sign * order.part), up=sign > 0)
        return asset.on_tick(asset.entry + sign * order.away, up=sign > 0)

    def move_exits(self, asset: Asset, *slots: int) -> list[Order]:
        """Move exits to where they belong; return those that moved."""
        moved = []
        for slot in slots:
            order = asset.orders.get(slot)
            if order is not None and order.level != (level := self.exit_level(asset, order)):
                setattr(order, "limit" if slot == TAKE_PROFIT else "stop", level)
                self.tell(order, "AMENDED")
                moved.append(order)
        return moved

    def step_down(self, asset: Asset) -> None:
        """Move the target to the rung that the age of the position has reached."""
        exits, order = self.settings.exits, asset.orders.get(TAKE_PROFIT)
        if exits is None or order is None:
            return
        rows, time = self.diary.row - asset.opened_in, self.diary.time - asset.opened_at
        reached = [x.profit for x in exits.ladder if rows >= x.rows and time >= x.time]
        if reached and reached[-1] != order.part:
            order.part = reached[-1]
            for moved in self.move_exits(asset, TAKE_PROFIT):
                moved.has_met = False
