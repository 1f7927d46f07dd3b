"""Matching of the naive twin's orders with a bar, and their execution."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import pairwise
from typing import Any

from naive_money import ROUNDING, Asset, Books, Row, steps_of
from naive_orders import Order, OrderTable


class Venue(OrderTable):
    """Where orders trade."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        costs = self.settings.costs
        self.slippage = (costs.spread_bps / 2 + costs.slippage_bps) / 1e4
        self.queues = self.settings.execution.limits == "traded_through"
        self.share_impact = costs.share_impact_bps / 1e4
        self.root_impact = costs.root_impact_bps / 1e4
        self.initial = self.settings.margin.initial if self.settings.margin else 1.0

    # A row.

    def meet_bar(self, row: Row) -> None:
        busy = [asset for asset in self.assets if asset.orders]
        for asset in self.assets:
            self.measure_room(asset, row)
        for asset in busy:
            for order in self.orders_of(asset):
                self.turn(asset, order)
        for side in (-1, 1):
            for asset in busy:
                self.meet_open(asset, row.open[asset.index], side)
        for asset in busy:
            if not math.isnan(row.open[asset.index]):
                self.follow(asset, row.open[asset.index])
        for asset in busy:
            self.meet_inside(asset, row)
        for asset in self.assets:
            self.see_quotes(asset, row)
        self.meet_close(row.close, {"MARKET_ON_CLOSE"} | self.kinds_at("next_close"))
        for asset in busy:
            self.expire_entry(asset)

    def kinds_at(self, fill: str) -> set[str]:
        """Market orders meet the price that the run's `fill` names."""
        return {"MARKET"} if self.settings.fill == fill else set()

    def see_quotes(self, asset: Asset, row: Row) -> None:
        i = asset.index
        close, ask, bid = row.close[i], row.ask[i], row.bid[i]
        if not math.isnan(close) and not math.isnan(ask):
            asset.over = max(ask / close - 1.0, 0.0)
        if not math.isnan(close) and not math.isnan(bid):
            asset.under = max(1.0 - bid / close, 0.0)

    def measure_room(self, asset: Asset, row: Row) -> None:
        share = self.settings.execution.participation
        asset.volume = row.volume[asset.index]
        if share is None:
            asset.room = math.inf
        else:
            asset.room = asset.most = 0.0 if math.isnan(asset.volume) else share * asset.volume

    def taking_part(self, asset: Asset, side: int) -> Iterator[Order]:
        """Active orders that were there before this bar, by id."""
        for order in sorted(self.orders_of(asset), key=lambda order: order.id):
            was_there = order.joined_row != self.diary.row
            if order.state == "ACTIVE" and order.side == side and was_there:
                yield order

    def meet_open(self, asset: Asset, price: float, side: int) -> None:
        if math.isnan(price):
            return
        for order in self.taking_part(asset, side):
            if not order.is_market:
                self.meet_first(asset, order, price)
            elif order.type in {"MARKET_ON_OPEN"} | self.kinds_at("next_open"):
                self.execute(asset, order, price, taker=True)
            else:
                continue
            self.end_if_immediate(asset, order)

    def meet_first(self, asset: Asset, order: Order, price: float) -> None:
        """A resting order at the first price of a bar."""
        crosses = not order.has_met
        order.has_met = True
        if order.has_two_stages and not order.triggered and order.trades_at(price):
            self.trigger(order)
            crosses = True
        waits_in_queue = self.queues and order.is_limit and not crosses
        if not order.trades_at(price, waits_in_queue):
            return
        if order.is_limit and crosses and order.post_only:
            self.refuse_post_only(asset, order)
        else:
            self.execute(asset, order, price, taker=crosses or not order.is_limit)

    def trigger(self, order: Order) -> None:
        order.triggered = True
        self.tell(order, "TRIGGERED")

    def refuse_post_only(self, asset: Asset, order: Order) -> None:
        if order.origin != "TARGET":
            self.refuse(asset, order, "POST_ONLY", order.limit)
            return
        self.drop(asset, order, "POST_ONLY", order.limit)
        self.entry_ended(asset)

    def end_if_immediate(self, asset: Asset, order: Order) -> None:
        reasons = {"IOC": "IMMEDIATE_OR_CANCEL", "FOK": "FILL_OR_KILL"}
        if order.lives and order.tif in reasons:
            self.end(asset, order, "CANCELLED", reasons[order.tif])

    def meet_close(self, close: Sequence[float], kinds: set[str]) -> None:
        for side in (-1, 1):
            for asset in self.assets:
                price = close[asset.index]
                for order in self.taking_part(asset, side):
                    if order.type in kinds and not math.isnan(price):
                        self.execute(asset, order, price, taker=True)
                        self.end_if_immediate(asset, order)

    def meet_same_close(self, close: Sequence[float]) -> None:
        """Market orders decided in this row are filled in it."""
        for asset in self.assets:
            for order in self.orders_of(asset):
                if order.type == "MARKET" and order.state == "SUBMITTED":
                    self.activate(order)
        self.meet_close(close, {"MARKET"})

    # Inside the bar.

    def meet_inside(self, asset: Asset, row: Row) -> None:
        i = asset.index
        open_, high, low, close = row.open[i], row.high[i], row.low[i], row.close[i]
        resting = [o for o in self.orders_of(asset) if o.state == "ACTIVE" and not o.is_market]
        if any(map(math.isnan, (open_, high, low, close))) or not resting:
            return
        before = self.remember(asset)
        self.walk(asset, (open_, low, high, close))
        low_first = self.books.purse.cash + asset.value(close)
        after_low = self.remember(asset)
        self.restore(asset, before)
        self.walk(asset, (open_, high, low, close))
        high_first = self.books.purse.cash + asset.value(close)
        match self.settings.execution.path:
            case "pessimistic":
                takes_high = high_first < low_first
            case "optimistic":
                takes_high = high_first > low_first
            case _:
                takes_high = high - open_ < open_ - low
        if not takes_high:
            self.restore(asset, after_low)
        if abs(low_first - high_first) > ROUNDING * abs(self.books.equity):
            self.diary.ambiguities.append(
                self.diary.now()
                | dict(asset=i, low_first=low_first, high_first=high_first, taken=int(takes_high))
            )

    def logs(self) -> tuple[list[Any], ...]:
        return self.diary.fills, self.diary.refusals, self.diary.events

    def remember(self, asset: Asset) -> Any:
        """Copy everything that a walk may change."""
        orders = {slot: copy(order) for slot, order in asset.orders.items()}
        return copy(self.books.purse), copy(asset), orders, [list(log) for log in self.logs()]

    def restore(self, asset: Asset, state: Any) -> None:
        self.books.purse, remembered, orders, logs = state
        vars(asset).update(vars(remembered))
        asset.orders = orders
        for log, lines in zip(self.logs(), logs, strict=True):
            log[:] = lines

    def walk(self, asset: Asset, prices: Sequence[float]) -> None:
        for a, b in pairwise(prices):
            while (first := self.first_on_leg(asset, a, b)) is not None:
                order, a = first
                self.follow(asset, a)
                crosses = order.has_two_stages and not order.triggered
                if crosses:
                    self.trigger(order)
                if order.trades_at(a) or (order.is_limit and not crosses):
                    self.execute(asset, order, a, taker=crosses or not order.is_limit)
            self.follow(asset, b)

    def first_on_leg(self, asset: Asset, a: float, b: float) -> tuple[Order, float] | None:
        """The order that trades first on the way from a to b, and where."""
        found = []
        for order in self.orders_of(asset):
            if order.state != "ACTIVE" or order.is_market:
                continue
            order.has_met = True
            price = order.trades_between(a, b, self.queues and order.is_limit)
            if price is not None and order.spent_row != self.diary.row:
                found.append((abs(price - a), order.id, order, price))
        return min(found)[2:] if found else None

    # One execution.

    def execute(self, asset: Asset, order: Order, reference: float, taker: bool) -> None:
        idle = not asset.held * order.side < 0.0 or self.is_flat(asset, asset.held)
        if order.reduce_only and idle:
            self.end(asset, order, "CANCELLED", "NOTHING_TO_REDUCE")
            return
        if not asset.room > 0.0:
            order.spent_row = self.diary.row
            return
        friction = self.friction(asset, order) if taker else 0.0
        if math.isnan(friction):
            order.spent_row = self.diary.row
            return
        fee_rate = self.books.fee_rate(asset, taker)
        rate = 0.0 if self.pays_in_coin(asset, order) else fee_rate
        price = self.price(asset, order, reference, friction)
        asked = self.asked(asset, order, price, rate)
        if taker and self.settings.costs.has_impact:
            share = (asset.used + min(asked, asset.room)) / asset.volume
            friction += self.share_impact * share * share
            friction += self.root_impact * math.sqrt(share)
            price = self.price(asset, order, reference, friction)
            asked = self.asked(asset, order, price, rate)
        unit = asset.unit(price)
        most, reason = self.most(asset, order, asked, price, rate)
        starved = asked > most * (1.0 + ROUNDING)
        if order.origin == "TARGET" and self.settings.sizing == "at_decision":
            # It was checked when it was decided. Only a later price can make it too large.
            if starved:
                worth = asked * unit * (1.0 + rate if reason == "CASH" else 1.0)
                self.drop(asset, order, reason, worth)
            elif asked <= 0.0:
                self.drop(asset, order, "LOT", asked)
            else:
                self.fill(asset, order, asked, price, fee_rate, None)
        elif order.origin == "TARGET":
            worth = order.value if order.sizing == "BUY_VALUE" else asked * unit
            units = self.cut(asset, order, asked, most)
            if units <= 0.0 and starved:
                self.drop(asset, order, reason, worth)
            elif units <= 0.0:
                self.drop(asset, order, "LOT", asked)
            elif not order.filled and units * unit < asset.instrument.min_value:
                self.drop(asset, order, "MIN_VALUE", units * unit)
            else:
                told = (reason, worth) if starved else None
                self.fill(asset, order, units, price, fee_rate, told)
        elif starved:
            asked_for = asked * unit * (1.0 + rate) if reason == "CASH" else asked * unit
            self.refuse(asset, order, reason, asked_for)
        else:
            self.fill(asset, order, min(asked, most), price, fee_rate, None)

    def friction(self, asset: Asset, order: Order) -> float:
        quoted = {"both": {-1, 1}, "ask": {1}, "bid": {-1}}.get(self.settings.costs.quotes, set())
        if order.side not in quoted:
            return self.slippage
        return self.slippage + (asset.over if order.side > 0 else asset.under)

    def pays_in_coin(self, asset: Asset, order: Order) -> bool:
        return self.settings.costs.fee_in == "coin" and order.side > 0 and asset.is_spot

    def price(self, asset: Asset, order: Order, reference: float, friction: float) -> float:
        price = reference * (1.0 + order.side * friction)
        if friction > 0.0:
            price = asset.on_tick(price, up=order.side > 0)
        if math.isnan(order.limit):
            return price
        return min(price, order.limit) if order.side > 0 else max(price, order.limit)

    def asked(self, asset: Asset, order: Order, price: float, rate: float) -> float:
        all_held = abs(asset.held)
        if self.settings.sizing == "at_decision":
            all_held = asset.in_lots(all_held)
        if order.sizing == "CLOSE":
            return all_held
        if order.sizing == "BUY_VALUE":
            return max(self.spendable(order, order.value, asset.unit(price), rate), 0.0)
        units = order.qty
        if order.sizing == "SELL_VALUE":
            units = max(-order.value, 0.0) / asset.unit(price)
        return all_held if order.reduce_only and units > abs(asset.held) else units

    def spendable(self, order: Order, money: float, unit: float, rate: float) -> float:
        """Units that money buys, fees included."""
        costs = self.settings.costs
        money -= 0.5 * costs.fee_step
        left = max(money - self.fixed_fee(order), 0.0)
        units = left / (unit * (1.0 + rate) + costs.fee_per_unit)
        total = order.raw_fee + self.raw_fee(order, units, unit, rate)
        if costs.min_fee and total < costs.min_fee:
            return max(money - max(costs.min_fee - order.fee, 0.0), 0.0) / unit
        if costs.max_fee is not None and total > costs.max_fee:
            return max(money - max(costs.max_fee - order.fee, 0.0), 0.0) / unit
        return units

    def fixed_fee(self, order: Order) -> float:
        """An order pays it once."""
        return 0.0 if order.filled else self.settings.costs.fee_per_order

    def raw_fee(self, order: Order, units: float, unit: float, rate: float) -> float:
        by_size = units * unit * rate + units * self.settings.costs.fee_per_unit
        return by_size + self.fixed_fee(order)

    def fee(self, order: Order, units: float, unit: float, rate: float) -> tuple[float, float]:
        """The fee of an execution before and after the bounds of its order and rounding."""
        costs = self.settings.costs
        fee = raw = self.raw_fee(order, units, unit, rate)
        if costs.min_fee or costs.max_fee is not None:
            total = order.raw_fee + raw
            total = max(total, costs.min_fee) if costs.min_fee else total
            total = min(total, costs.max_fee) if costs.max_fee is not None else total
            fee = total - order.fee
        if costs.fee_step:
            fee = steps_of(math.floor(fee / costs.fee_step + 0.5 + ROUNDING), costs.fee_step)
        return raw, fee

    def most(
        self, asset: Asset, order: Order, asked: float, price: float, rate: float
    ) -> tuple[float, str]:
        """The most units that the account can pay for; what reduces is let through."""
        reduces = max(-order.side * asset.held, 0.0)
        owed = asked if asked <= reduces * (1.0 + ROUNDING) else reduces
        if self.settings.margin or not asset.is_spot:
            free = self.books.purse.cash - self.fixed_fee(order)
            return owed + self.most_on_margin(asset, owed, price, rate, free), "MARGIN"
        if order.side < 0:
            return math.inf, ""
        cash, unit = self.books.purse.cash, asset.unit(price)
        units = max(self.spendable(order, cash, unit, rate), owed)
        for _ in range(64):
            if units <= owed or units * unit + self.fee(order, units, unit, rate)[1] <= cash:
                return units, "CASH"
            units = math.nextafter(units, owed)
        return owed, "CASH"

    def most_on_margin(
        self, asset: Asset, owed: float, price: float, rate: float, cash: float
    ) -> float:
        equity, gross = cash, 0.0
        for other in self.assets:
            equity += other.value(price if other is asset else other.mark)
            if other is not asset:
                gross += abs(other.size(other.mark))
        unit = asset.unit(price)
        gross += (abs(asset.held) - owed) * unit
        cost = unit * (self.initial + rate) + self.settings.costs.fee_per_unit
        return max((equity - self.initial * gross) / cost, 0.0)

    def cut(self, asset: Asset, order: Order, asked: float, most: float) -> float:
        """What a target's order may trade, in lots."""
        units = min(asked, most)
        if order.sizing == "CLOSE":
            return units
        units = asset.in_lots(units)
        return asset.in_lots(units - asset.instrument.lot / 2) if units > most else units

    def fill(
        self, asset: Asset, order: Order, units: float, price: float, rate: float, told: Any
    ) -> None:
        is_whole = units <= asset.room * (1.0 + ROUNDING)
        if not is_whole:
            order.spent_row = self.diary.row
            if order.tif == "FOK":
                self.end(asset, order, "CANCELLED", "FILL_OR_KILL")
                return
            units = asset.in_lots(asset.room)
            if units <= 0.0:
                return
        unit = asset.unit(price)
        if told:
            in_money = told[0] == "CASH" and not self.pays_in_coin(asset, order)
            approved = units * unit + (self.fee(order, units, unit, rate)[1] if in_money else 0.0)
            self.diary.refuse(asset.index, *told, approved)
        self.come_out(order)
        raw, fee = self.fee(order, units, unit, rate)
        before, came = asset.held, units
        if self.pays_in_coin(asset, order):
            came = units - units * rate
            fee = units * unit - came * unit
        self.books.trade(asset, order.side * came, price, fee, order)
        asset.room = max(asset.room - units, 0.0)
        order.raw_fee += raw
        order.fee += fee
        order.filled = asset.sum_of(order.filled, units)
        order.qty = asset.sum_of(order.qty, -units)
        if order.sizing == "SELL_VALUE":
            order.value += units * unit
        else:
            order.value -= came * unit + fee
        reason = told[0] if told else ""
        self.tell(order, "FILLED" if is_whole else "PARTIALLY_FILLED", reason)
        if is_whole:
            self.remove(asset, order)
        self.after_fill(asset, order, before, price)
