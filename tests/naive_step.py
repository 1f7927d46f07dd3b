"""The naive twin of the step: slow and plain, sentence by sentence from docs/market.md.

It follows the rules, not the kernels: objects and lists, one small method per sentence. It shares
only the order of the floating-point operations, so that results can be compared bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from naive_money import NAN, ROUNDING, Asset, Books, Row, stamp
from naive_orders import TARGET, Order
from naive_requests import Desk
from naive_venue import Venue

from alphalab.config import RunSettings
from alphalab.types import FOREVER, Instrument


class NaiveAccount:
    """An account that is pushed row by row, and keeps a diary of plain tuples and dicts."""

    def __init__(
        self, instruments: Sequence[Instrument], settings: RunSettings, max_orders: int = 0
    ) -> None:
        self.settings, self.limits = settings, settings.limits
        self.books = Books(instruments, settings)
        self.assets = self.books.assets
        self.venue = Venue(self.books)
        self.desk = Desk(self.venue, max_orders)
        self.diary = self.books.diary
        self.ledger: list[dict[str, float]] = []
        self.qty: list[list[float]] = []
        self.targets: list[list[float]] = []
        self.peak = self.books.equity
        self.locked = ""
        self.flat_day: int | None = None
        self.decides = max_orders > 0

    def push(self, rows: Iterable[Row]) -> NaiveAccount:
        for row in rows:
            self.diary.time = row.time
            if self.diary.row == 0:
                for asset in self.assets:
                    self.venue.take_over(asset)
                self.books.purse.turnover = self.books.purse.traded_today = 0.0
            self.books.begin(row)
            self.venue.meet_bar(row)
            for asset in self.assets:
                self.venue.end_listing(asset, row.delisting[asset.index])
            self.liquidate_inside(row)
            self.liquidate_at_marks()
            self.learn_distances(row)
            forced = self.has_to_be_flat()
            self.desk.handle(row.requests)
            targets = [0.0] * len(self.assets) if forced else self.within_limits([*row.weights])
            for asset in self.assets:
                self.venue.step_down(asset)
            self.close_old_positions()
            self.decide_orders(targets, forced, self.period(row.time))
            if self.settings.fill == "same_close":
                self.venue.meet_same_close(row.close)
                self.books.mark(row.close)
                self.forget_delisted(row)
            self.write_down(targets)
            self.diary.row += 1
        return self

    def learn_distances(self, row: Row) -> None:
        """Keep the last distances that are known."""
        exits = self.settings.exits
        for name in exits.distances if exits is not None else ():
            for asset in self.assets:
                distance = getattr(row, name)[asset.index]
                if 0.0 < distance < math.inf:
                    asset.distances[name] = distance

    @property
    def equity(self) -> float:
        return self.books.equity

    def period(self, time: int) -> Any:
        now = stamp(time)
        return {
            None: "always",
            "day": now.date(),
            "week": now.isocalendar()[:2],
            "month": (now.year, now.month),
            "quarter": (now.year, (now.month - 1) // 3),
            "year": now.year,
        }[self.settings.rebalance.period]

    # Margin.

    def liquidate_inside(self, row: Row) -> None:
        """Mark; before that, with the pessimistic path, see what the worst prices would do."""
        self.books.mark(row.close)
        self.forget_delisted(row)
        margin, path = self.settings.margin, self.settings.execution.path
        if margin is None or path != "pessimistic" or not any(a.held for a in self.assets):
            return
        opens, worst = {}, {}
        for asset in self.assets:
            i = asset.index
            bar = (row.open[i], row.high[i], row.low[i], row.close[i])
            known = not any(map(math.isnan, bar))
            opens[i] = row.open[i] if known else asset.mark
            worst[i] = (row.low[i] if asset.held > 0.0 else row.high[i]) if known else asset.mark
        equity, needed = self.at(opens)
        last_equity, last_needed = self.at(worst)
        before, after = equity - needed, last_equity - last_needed
        if not after < 0.0:
            return
        share = min(before / (before - after), 1.0) if before > 0.0 else 0.0
        prices = {
            asset.index: between(asset, opens[asset.index], worst[asset.index], share)
            for asset in self.assets
        }
        self.liquidate(
            prices,
            equity + share * (last_equity - equity),
            needed + share * (last_needed - needed),
        )

    def forget_delisted(self, row: Row) -> None:
        """Nothing is ordered of an asset without a mark."""
        for asset in self.assets:
            if not math.isnan(row.delisting[asset.index]):
                asset.mark = NAN

    def at(self, prices: dict[int, float]) -> tuple[float, float]:
        """Equity and required equity at some prices."""
        assert self.settings.margin is not None
        value = gross = 0.0
        for asset in self.assets:
            value += asset.value(prices[asset.index])
            gross += abs(asset.size(prices[asset.index]))
        return self.books.purse.cash + value, self.settings.margin.maintenance * gross

    def liquidate_at_marks(self) -> None:
        margin = self.settings.margin
        if margin is not None and any(a.held for a in self.assets):
            needed = margin.maintenance * self.books.gross
            if self.equity < needed:
                marks = {asset.index: asset.mark for asset in self.assets}
                self.liquidate(marks, self.equity, needed)

    def liquidate(self, prices: dict[int, float], equity: float, needed: float) -> None:
        assert self.settings.margin is not None
        share = self.settings.margin.liquidation_fee_bps / 1e4
        self.diary.refuse(-1, "LIQUIDATED", equity, needed)
        for asset in self.assets:
            for order in self.venue.orders_of(asset):
                self.venue.come_out(order)
                self.venue.tell(order, "CANCELLED", "LIQUIDATED")
                self.venue.remove(asset, order)
        for asset in self.assets:
            if asset.held:
                self.close_by_force(asset, prices[asset.index], share)
        self.books.mark([NAN] * len(self.assets))

    def close_by_force(self, asset: Asset, price: float, share: float) -> None:
        units, side = abs(asset.held), -1 if asset.held > 0.0 else 1
        size, rate = units * asset.unit(price), self.books.fee_rate(asset, taker=True)
        fee = size * rate + units * self.settings.costs.fee_per_unit
        self.venue.force(asset, side * units, price, fee, "LIQUIDATED")
        if share > 0.0:
            self.books.post(asset, "LIQUIDATION", side * units, share, -(size * share))
        asset.out = True

    # The gate.

    def has_to_be_flat(self) -> bool:
        self.peak = max(self.peak, self.equity)
        limits, books = self.limits, self.books
        if not self.locked:
            if self.equity <= 0.0:
                self.locked = "BANKRUPT"
                self.diary.refuse(-1, "BANKRUPT", self.equity)
            elif limits.drawdown and self.fall >= limits.drawdown * (1.0 - ROUNDING):
                self.locked = "DRAWDOWN_LOCK"
                self.diary.refuse(-1, "DRAWDOWN_LOCK", self.fall, limits.drawdown)
            elif self.flat_day != books.day and self.has_lost_too_much():
                self.flat_day = books.day
                self.diary.refuse(-1, "DAILY_LOSS", self.loss, limits.daily_loss)
        reason = self.locked or ("DAILY_LOSS" if self.flat_day == books.day else "")
        self.desk.flat = (reason, self.figure(reason))
        if reason:
            self.desk.cancel_all_that_open()
        return reason != ""

    def has_lost_too_much(self) -> bool:
        limit = self.limits.daily_loss
        return limit is not None and self.loss >= limit * (1.0 - ROUNDING)

    @property
    def fall(self) -> float:
        return 1.0 - self.equity / self.peak

    @property
    def loss(self) -> float:
        return 1.0 - self.equity / self.books.day_began_with

    def figure(self, reason: str) -> float:
        """What a reason to be flat is told with."""
        match reason:
            case "BANKRUPT":
                return self.equity
            case "DRAWDOWN_LOCK":
                return self.fall
            case "DAILY_LOSS":
                return self.loss
        return NAN

    def within_limits(self, targets: list[float]) -> list[float]:
        limits = self.limits
        if limits.max_positions is not None:
            self.give_places(targets, limits.max_positions)
        for asset in self.assets:
            weight = targets[asset.index]
            if math.isinf(weight):
                targets[asset.index] = NAN
                self.diary.refuse(asset.index, "NOT_FINITE", weight, NAN)
            elif limits.weight is not None and abs(weight) > limits.weight * (1.0 + ROUNDING):
                targets[asset.index] = math.copysign(limits.weight, weight)
                self.diary.refuse(asset.index, "WEIGHT_LIMIT", weight, targets[asset.index])
        if limits.group_gross is not None:
            for name in sorted({asset.group for asset in self.assets if asset.group is not None}):
                members = [asset for asset in self.assets if asset.group == name]
                self.shrink(members, targets, limits.group_gross, "GROUP_LIMIT")
        self.shrink(self.assets, targets, self.settings.gross, "GROSS_LIMIT")
        if limits.net is not None:
            self.balance(targets, limits.net)
        return targets

    def asks_again(self, asset: Asset) -> bool:
        """Whether any target is a new one, for an asset that is out."""
        return self.decides and asset.out and asset.silent

    def give_places(self, targets: list[float], most: int) -> None:
        """Let the largest targets in that there is room for; the others have no opinion."""
        taken, newcomers = 0, []
        for asset in self.assets:
            target = targets[asset.index]
            waits = asset.out and target == asset.acted_on and not self.asks_again(asset)
            if self.venue.has_place(asset):
                taken += target != 0.0
            elif target != 0.0 and math.isfinite(target) and not waits:
                newcomers.append(asset.index)
        newcomers.sort(key=lambda i: (-abs(targets[i]), i))
        refused = newcomers[max(most - taken, 0) :]
        if refused:
            self.diary.refuse(-1, "MAX_POSITIONS", taken + len(newcomers), most)
        for i in refused:
            targets[i] = NAN

    def weight(self, asset: Asset) -> float:
        return asset.size(asset.mark) / self.equity

    def sums(self, members: Sequence[Asset], targets: list[float]) -> dict[str, float]:
        """Long and short weight, of the targets and of what is held without an opinion."""
        total = {"long": 0.0, "short": 0.0, "held long": 0.0, "held short": 0.0}
        for asset in members:
            weight = targets[asset.index]
            silent = math.isnan(weight)
            if silent:
                order = asset.orders.get(TARGET)
                weight = self.weight(asset) if order is None else asset.acted_on
                if order is not None and order.sizing == "CLOSE":
                    weight = 0.0
            side = ("held " if silent else "") + ("long" if weight > 0.0 else "short")
            total[side] += abs(weight)
        return total

    def shrink(
        self, members: Sequence[Asset], targets: list[float], limit: float, reason: str
    ) -> None:
        total = self.sums(members, targets)
        asked = total["long"] + total["short"]
        fixed = total["held long"] + total["held short"]
        if asked == 0.0 or asked + fixed <= limit * (1.0 + ROUNDING):
            return
        factor = min(max((limit - fixed) / asked, 0.0), 1.0)
        for asset in members:
            targets[asset.index] *= factor  # NaN stays NaN
        self.diary.refuse(-1, reason, asked + fixed, fixed + factor * asked)

    def balance(self, targets: list[float], limit: float) -> None:
        total = self.sums(self.assets, targets)
        net = total["long"] + total["held long"] - total["short"] - total["held short"]
        sign = 1.0 if net > 0.0 else -1.0
        larger = total["long" if net > 0.0 else "short"]
        if larger == 0.0 or abs(net) <= limit + ROUNDING:
            return
        rest = abs(net) - larger
        factor = min(max((limit - rest) / larger, 0.0), 1.0)
        for i, weight in enumerate(targets):
            if weight * sign > 0.0:
                targets[i] *= factor
        self.diary.refuse(-1, "NET_LIMIT", net, sign * (rest + factor * larger))

    # Rebalancing: targets become orders that wait for the next price.

    def close_old_positions(self) -> None:
        longest = self.settings.exits.max_holding if self.settings.exits else None
        for asset in self.assets:
            if self.is_on_its_way(asset):
                continue
            is_old = longest and self.diary.row - asset.opened_in >= longest
            if is_old and self.is_open(asset) and not self.venue.is_flat(asset, asset.held):
                self.replace(asset)
                self.place(asset, origin="EXITS", **self.closing(asset))
                asset.out, asset.ordered_in = True, self.diary.row

    def decide_orders(self, targets: list[float], forced: bool, period: Any) -> None:
        for asset in self.assets:
            target = targets[asset.index]
            if self.asks_again(asset):
                asset.acted_on = NAN
            asset.silent = math.isnan(target)
            if math.isnan(target) or math.isnan(asset.mark) or self.is_on_its_way(asset):
                continue
            changed = target != asset.acted_on
            asset.out = asset.out and not changed
            asset.chase = asset.chase and not changed
            is_new = changed or asset.is_unmet
            has_to_close = forced and (is_new or self.is_open(asset))
            is_due = not asset.out and self.is_due(asset, target, is_new, period)
            if has_to_close or is_due:
                asset.acted_on, asset.is_unmet = target, False
                asset.handled_in = None if forced else period
                if self.closes_already(asset, target):
                    continue
                self.replace(asset)
                if self.order_to(asset, target):
                    asset.ordered_in = self.diary.row
            elif changed and self.settings.rebalance.when == "drift":
                self.give_up_old_target(asset)

    def closes_already(self, asset: Asset, target: float) -> bool:
        """A close that waits is not replaced by the same close."""
        waiting = asset.orders.get(TARGET)
        if waiting is None or waiting.sizing != "CLOSE" or not asset.held:
            return False
        held = asset.size(asset.mark)
        if target != 0.0:
            value = target * self.equity - held
            turns = self.settings.entry is not None and target * held < 0.0
            largest = self.limits.order
            share = abs(value) / self.equity
            if not turns or (largest is not None and share > largest * (1.0 + ROUNDING)):
                return False
            if self.venue.lacks_distance(asset):
                return False
            asset.is_unmet = True
        return True

    def give_up_old_target(self, asset: Asset) -> None:
        """The order that waits is for a target that the strategy has left."""
        waiting = asset.orders.get(TARGET)
        if waiting is not None and waiting.origin == "TARGET":
            self.venue.end(asset, waiting, "CANCELLED", "REPLACED")

    def is_open(self, asset: Asset) -> bool:
        """Whether something is held that no waiting order closes."""
        waiting = asset.orders.get(TARGET)
        return asset.held != 0.0 and (waiting is None or waiting.sizing != "CLOSE")

    def is_on_its_way(self, asset: Asset) -> bool:
        """Whether an order has been sent and has not arrived: it is not replaced meanwhile."""
        waiting = asset.orders.get(TARGET)
        return waiting is not None and waiting.state == "SUBMITTED"

    def is_due(self, asset: Asset, target: float, is_new: bool, period: Any) -> bool:
        rule = self.settings.rebalance
        match rule.when:
            case "on_change":
                return is_new
            case "every_row":
                return True
            case "calendar":
                return asset.is_unmet or period != asset.handled_in
        if target == 0.0:
            return asset.held != 0.0
        tired = asset.ordered_in is not None
        tired = tired and self.diary.row - asset.ordered_in <= rule.cooldown
        far = abs(target - self.weight(asset)) > rule.threshold
        return not tired and (far or asset.held == 0.0)

    def replace(self, asset: Asset) -> None:
        waiting = asset.orders.get(TARGET)
        if waiting is not None:
            self.venue.end(asset, waiting, "CANCELLED", "REPLACED")

    def order_to(self, asset: Asset, target: float) -> Order | None:
        if target == 0.0:
            return self.close(asset) if asset.held else None
        held = asset.size(asset.mark)
        value = target * self.equity - held
        if abs(value) <= ROUNDING * self.equity:
            return None
        same_side = (target > 0.0) == (held > 0.0) and held != 0.0
        reduces = same_side and abs(target * self.equity) < abs(held)
        share = abs(value) / self.equity
        largest = self.limits.order
        if largest is not None and not reduces and share > largest * (1.0 + ROUNDING):
            self.venue.drop(asset, None, "LARGEST_ORDER", share)
            return None
        if not same_side and self.venue.lacks_distance(asset):
            self.venue.drop(asset, None, "NO_DISTANCE", target)
            return None
        if self.settings.entry and held != 0.0 and not same_side:
            asset.is_unmet = True
            return self.close(asset)
        fields: dict[str, Any] = dict(side=1, sizing="BUY_VALUE", value=value)
        if self.settings.sizing == "at_decision":
            units = self.units(asset, value)
            if self.would_be_refused(asset, units):
                return None
            side = 1 if value > 0.0 else -1
            fields = dict(side=side, sizing="QTY", qty=units, value=value, reduce_only=reduces)
        elif value < 0.0 and self.settings.sizing == "at_fill":
            fields = dict(side=-1, sizing="SELL_VALUE", value=value, reduce_only=reduces)
        elif value < 0.0:
            fields = dict(side=-1, sizing="SELL_QTY", qty=-value / asset.unit(asset.mark))
        if self.settings.entry and not reduces and not asset.chase:
            fields |= self.entry(asset, fields["side"])
        return self.place(asset, **fields)

    def close(self, asset: Asset) -> Order | None:
        checked = self.settings.sizing == "at_decision"
        if checked and self.would_be_refused(asset, asset.in_lots(abs(asset.held))):
            return None
        return self.place(asset, **self.closing(asset))

    def units(self, asset: Asset, value: float) -> float:
        """Whole lots for a value at the mark; a purchase pays a taker's fee of it."""
        unit, costs = asset.unit(asset.mark), self.settings.costs
        if value < 0.0:
            return asset.in_lots(-value / unit)
        rate = self.books.fee_rate(asset, taker=True)
        money = max(value - costs.fee_per_order, 0.0)
        return asset.in_lots(money / (unit * (1.0 + rate) + costs.fee_per_unit))

    def would_be_refused(self, asset: Asset, units: float) -> bool:
        """Refuse what the venue would not take, before it is sent."""
        value = units * asset.unit(asset.mark)
        if units <= 0.0:
            self.venue.drop(asset, None, "LOT", units)
        elif value < asset.instrument.min_value:
            self.venue.drop(asset, None, "MIN_VALUE", value)
        else:
            return False
        return True

    def closing(self, asset: Asset) -> dict[str, Any]:
        return dict(side=-1 if asset.held > 0.0 else 1, sizing="CLOSE", reduce_only=True)

    def entry(self, asset: Asset, side: int) -> dict[str, Any]:
        entry = self.settings.entry
        assert entry is not None
        offset = entry.limit_offset_bps / 1e4
        first = self.diary.row + 1 + self.settings.execution.delay
        return dict(
            type="LIMIT",
            limit=asset.on_tick(asset.mark * (1.0 - side * offset), up=side < 0),
            live_row=first,
            until_row=FOREVER if entry.ttl is None else first + entry.ttl - 1,
            post_only=entry.post_only,
        )

    def place(self, asset: Asset, **fields: Any) -> Order:
        """The asset's one order that waits for a price."""
        later = 0 if self.settings.fill == "same_close" else 1 + self.settings.execution.delay
        common = dict(origin="TARGET", type="MARKET", live_row=self.diary.row + later)
        asset.chase = False
        if fields.get("origin") != "EXITS":
            common["logged"] = not asset.told
        return self.venue.new_order(asset, TARGET, **(common | fields))

    # The diary.

    def write_down(self, targets: list[float]) -> None:
        books = self.books
        self.ledger.append(
            {
                "equity": books.equity,
                "cash": books.purse.cash,
                "value": books.value,
                "gross": books.gross,
                "realised": books.purse.realised,
                "unrealised": books.open_profit,
                "fees": books.purse.fees,
                "turnover": books.purse.turnover,
                "carry": books.purse.carry,
            }
        )
        self.qty.append([asset.held for asset in self.assets])
        self.targets.append(targets)


def between(asset: Asset, first: float, last: float, share: float) -> float:
    """The price at a share of the way of an asset's basis."""
    if share == 0.0 or first == last:
        return first
    if share == 1.0:
        return last
    if asset.instrument.kind == "inverse":
        return 1.0 / (1.0 / first + share * (1.0 / last - 1.0 / first))
    return first + share * (last - first)
