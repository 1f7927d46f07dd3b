"""A simulated run told as reports of a venue, and an engine that lives on these reports."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markets import CONVERSION, Market
from naive_money import Asset

from alphalab.codes import OrderState, OrderStatus, OrderType, Origin, Posting, Reason, ReportKind
from alphalab.core.engine import Block, Engine
from alphalab.core.reports import report
from alphalab.types import ORDER, REPORT, FloatArray, IntArray, Records

#: Endings that the venue decides; an engine comes to all others by itself.
OF_THE_VENUE = (
    Reason.IMMEDIATE_OR_CANCEL,
    Reason.FILL_OR_KILL,
    Reason.NOTHING_TO_REDUCE,
    Reason.LIQUIDATED,
    Reason.DELISTED,
)


class Books(NamedTuple):
    """The orders of a simulated account between two rows."""

    n_orders: int
    orders: dict[int, np.void]
    assets: dict[int, int]

    @classmethod
    def of(cls, engine: Engine) -> Books:
        table = engine._accounts.orders[0]
        places = np.argwhere(table["state"] != OrderState.FREE).tolist()
        orders = {int(table[j, k]["id"]): table[j, k].copy() for j, k in places}
        assets = {int(table[j, k]["id"]): j for j, k in places}
        return cls(int(engine.account["n_orders"]), orders, assets)


class Venue:
    """Tells what happened on each row of a simulated run in the words of a venue outside."""

    def __init__(self, market: Market) -> None:
        self.market = market

    def tell(
        self, t: int, before: Books, after: Books, block: Block, told: Mapping[int, int]
    ) -> Records:
        """Return the reports of row t; `told` has the last refusal of each asset."""
        self.t, self.block = t, block
        self.reports: list[Records] = []
        self.progress: dict[int, tuple[float, float]] = {}  # units filled, units left, by order
        self.fills = iter(block.fills)
        self.left = list(block.refusals)
        self.in_lieu = self._fractions()
        self._say_splits()
        self._say_postings()
        for order, record in before.orders.items():  # one that repeats a refused one is not logged
            arrives = record["state"] == OrderState.SUBMITTED and record["live_row"] <= t
            if arrives and record["logged"] == 0:
                self._say(ReportKind.ACCEPTED, order=order, asset=before.assets[order])
        ended = set(before.orders) - set(after.orders) - set(block.events["order"].tolist())
        for order in sorted(ended):  # a refusal that is repeated is not logged again
            j = before.assets[order]
            self._say(ReportKind.REFUSED, order=order, asset=j, code=told[j], last=1)
        for event in block.events:
            if event["row"] == t:
                self._say_event(event, before)
        for order, record in after.orders.items():
            if record["type"] == OrderType.TRAILING and record["state"] == OrderState.ACTIVE:
                moved = dict(asset=after.assets[order], stop=record["stop"], price=record["best"])
                self._say(ReportKind.MOVED, order=order, **moved)
        return one_after_another([np.empty(0, REPORT), *self.reports])

    def _say(self, kind: ReportKind, place: int | None = None, **fields: Any) -> None:
        j, rate = fields.get("asset", -1), np.nan
        if j >= 0 and self.market.instruments[j].currency != "USD":
            rate = self.market.more[CONVERSION][self.t, j]
        record = report(kind, time=int(self.market.time[self.t]), rate=rate, **fields)
        self.reports.insert(len(self.reports) if place is None else place, record)

    def _fractions(self) -> Iterator[np.void]:
        """Return the fills that paid the fraction of a lot after a split."""
        events, fills = self.block.events, self.block.fills
        paid = events["order"][events["reason"] == Reason.CASH_IN_LIEU]
        return iter(fills[np.isin(fills["order"], paid)])

    def _say_splits(self) -> None:
        if self.market.settings.actions == "none":
            return
        fraction = next(self.in_lieu, None)
        for j, ratio in enumerate(self.market.more["split"][self.t]):
            if ratio == ratio and ratio != 1.0:
                self._say(ReportKind.POSTED, asset=j, code=Posting.SPLIT, price=ratio)
                if fraction is not None and fraction["asset"] == j:
                    self._say_trade(fraction, Reason.CASH_IN_LIEU)
                    fraction = next(self.in_lieu, None)

    def _say_postings(self) -> None:
        for posted in self.block.postings:
            if posted["kind"] not in (Posting.SPLIT, Posting.LIQUIDATION):
                self._say_posting(posted)

    def _say_posting(self, posted: np.void) -> None:
        numbers = dict(qty=posted["qty"], price=posted["rate"], amount=posted["amount"])
        self._say(ReportKind.POSTED, asset=posted["asset"], code=posted["kind"], **numbers)

    def _say_trade(self, fill: np.void, reason: Reason) -> None:
        """Say a trade of the venue."""
        numbers = {name: fill[name] for name in ("qty", "price", "fee")}
        self._say(ReportKind.EXECUTED, asset=fill["asset"], code=reason, **numbers)

    def _say_event(self, event: np.void, before: Books) -> None:
        status, reason = OrderStatus(event["status"]), int(event["reason"])
        of_order = dict(order=event["order"], asset=event["asset"], stop=event["stop"])
        if status in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED):
            self._say_fill(event, of_order, before)
        elif status is OrderStatus.ACTIVE:
            self._say(ReportKind.ACCEPTED, **of_order)
        elif status is OrderStatus.TRIGGERED:
            self._say(ReportKind.TRIGGERED, **of_order)
        elif status is OrderStatus.EXPIRED and self._expires_at_venue(event):
            self._say(ReportKind.EXPIRED, **of_order)
        elif status is OrderStatus.CANCELLED:
            self._say_cancelled(event, of_order)
        elif status is OrderStatus.REFUSED and event["order"] <= before.n_orders:
            asked = self._refusal(event["asset"], reason)["asked"]
            self._say(ReportKind.REFUSED, **of_order, code=reason, qty=asked, last=1)

    def _expires_at_venue(self, event: np.void) -> bool:
        """True if the venue reports an expiry; the row itself ends entries."""
        closed = np.isin(self.block.events["reason"], [Reason.LIQUIDATED, Reason.DELISTED]).any()
        return bool(event["origin"] != Origin.TARGET or closed)

    def _say_fill(self, event: np.void, of_order: dict[str, Any], before: Books) -> None:
        fill, reason = next(self.fills), int(event["reason"])
        if event["origin"] == Origin.VENUE:
            self._say_forced(fill, Reason(reason))
            return
        if reason in (Reason.CASH, Reason.MARGIN):
            cut = self._refusal(event["asset"], reason)
            numbers = dict(qty=cut["asked"], amount=cut["approved"])
            self._say(ReportKind.REFUSED, **of_order, code=reason, **numbers)
        numbers = {name: fill[name] for name in ("qty", "price", "fee")}
        numbers["filled"] = self._units(event, fill, before)
        last = event["status"] == OrderStatus.FILLED
        self._say(ReportKind.EXECUTED, **of_order, **numbers, code=reason, last=last)

    def _units(self, event: np.void, fill: np.void, before: Books) -> float:
        """Return the units of the order that were filled: more than came, where coins pay the fee.

        The log has sums; their difference is not always the number that was added.
        """
        order = int(event["order"])
        first = before.orders.get(order, {"filled": 0.0, "qty": np.nan})
        filled, left = self.progress.get(order, (first["filled"], first["qty"]))
        self.progress[order] = event["filled"], event["qty"]
        came = float(abs(fill["qty"]))
        asset = Asset(0, self.market.instruments[event["asset"]], None)
        in_coin = self.market.settings.costs.fee_in == "coin" and event["side"] > 0
        if not (in_coin and asset.is_spot):
            return came
        summed = asset.sum_of
        for rate in self._fee_rates(event["asset"]):
            likely = came / (1.0 - rate)
            for k in sorted(range(-8, 9), key=abs):
                units = float(likely + k * np.spacing(likely))
                fits = units - units * rate == came
                fits = fits and summed(float(filled), units) == event["filled"]
                if fits and (np.isnan(left) or summed(float(left), -units) == event["qty"]):
                    return units
        return float(event["filled"] - filled)

    def _fee_rates(self, asset: int) -> set[float]:
        costs, instrument = self.market.settings.costs, self.market.instruments[asset]
        if costs.fee_bps is not None:
            return {costs.fee_bps / 1e4}
        sources = costs.tiers or (instrument,)
        return {bps / 1e4 for x in sources for bps in (x.maker_bps, x.taker_bps)}

    def _say_forced(self, fill: np.void, reason: Reason) -> None:
        if reason is Reason.LIQUIDATED:
            self._say_liquidation()
        if reason in (Reason.LIQUIDATED, Reason.DELISTED):
            self._say_trade(fill, reason)
        for posted in self.block.postings:
            follows = reason is Reason.LIQUIDATED and posted["kind"] == Posting.LIQUIDATION
            if follows and posted["asset"] == fill["asset"]:
                self._say_posting(posted)

    def _say_liquidation(self) -> None:
        """Say once, before everything that it does, that the account is liquidated."""
        for refusal in self.left:
            if refusal["reason"] == Reason.LIQUIDATED:
                refusal = self._refusal(-1, Reason.LIQUIDATED)
                numbers = dict(qty=refusal["asked"], amount=refusal["approved"])
                self._say(ReportKind.REFUSED, code=Reason.LIQUIDATED, **numbers)
                return

    def _say_cancelled(self, event: np.void, of_order: dict[str, Any]) -> None:
        reason = int(event["reason"])
        if reason == Reason.LIQUIDATED:
            self._say_liquidation()
        if event["type"] == OrderType.TRAILING:  # its level is of before the fill that ended it
            filled = [k for k, x in enumerate(self.reports) if x["kind"][0] == ReportKind.EXECUTED]
            of_venue = reason != Reason.ASKED_FOR and filled
            moved = dict(of_order, price=np.nan)
            self._say(ReportKind.MOVED, filled[-1] if of_venue else None, **moved)
        if reason in OF_THE_VENUE:
            self._say(ReportKind.CANCELLED, **of_order, code=reason)

    def _refusal(self, asset: int, reason: int) -> np.void:
        for place, refusal in enumerate(self.left):
            if refusal["asset"] == asset and refusal["reason"] == reason:
                return self.left.pop(place)
        raise AssertionError(f"no refusal of asset {asset} for {Reason(reason).name}")


def rows_of(market: Market) -> Iterator[tuple[int, Block, Books, Books]]:
    """Yield each row of the simulated run: its records, and the orders before and after it."""
    engine = market.engine(capacity=1)
    before = Books.of(engine)
    columns = market.columns
    for t in range(market.time.size):
        block = pushed(engine, market.time, columns, t, t + 1)
        after = Books.of(engine)
        yield t, block, before, after
        before = after


def pushed(
    engine: Engine, time: IntArray, columns: Mapping[str, FloatArray], first: int, last: int
) -> Block:
    rows = {name: values[first:last] for name, values in columns.items()}
    return engine.push(time[first:last], rows)


def on_reports(market: Market, rng: random.Random) -> Block:
    """Run an engine whose fills come as reports: in batches and blocks of random size.

    Now and then a new engine takes up the snapshot of the old one. After every push the orders that
    should stand at the venue are those of the simulation.
    """
    engine, venue = outside(market), Venue(market)
    blocks: list[Block] = []
    rows = market.time, market.columns
    first = 0  # row that is pushed next
    for t, block, before, after in rows_of(market):
        if not may_be_pushed_later(market, t, block, before):
            if first < t:
                blocks.append(pushed(engine, *rows, first, t))
                first = t
            told = dict(enumerate(engine.positions["refusal"].tolist()))
            reports = venue.tell(t, before, after, block, told)
            while reports.size:
                n = rng.randint(1, reports.size)
                blocks.append(engine.report(reports[:n]))
                reports = reports[n:]
                engine = perhaps_restored(engine, market, rng)
        if t + 1 == market.time.size or rng.random() < 0.5:
            blocks.append(pushed(engine, *rows, first, t + 1))
            first = t + 1
            engine = perhaps_restored(engine, market, rng)
            assert standing(Books.of(engine)) == standing(after), f"orders after row {t}"
    return joined(blocks)


def may_be_pushed_later(market: Market, t: int, block: Block, before: Books) -> bool:
    """Tell whether a row has no reports: it may be pushed together with the next one."""
    splits = market.more.get("split")
    happened = before.orders or block.events.size or block.postings.size
    return not happened and (splits is None or np.isin(splits[t], [1.0]).all())


def outside(market: Market) -> Engine:
    return Engine(market.strategy, market.instruments, market.settings, external=True)


def perhaps_restored(engine: Engine, market: Market, rng: random.Random) -> Engine:
    if rng.random() > 0.02:
        return engine
    snapshot, engine = engine.snapshot(), outside(market)
    engine.restore(snapshot)
    return engine


#: What only a simulated venue keeps of an order.
OF_MATCHING = ("met_row", "spent_row", "raw_fee", "best")


def standing(books: Books) -> dict[int, list[str]]:
    """Return the orders as text, so that NaN equals NaN."""
    names = [name for name in ORDER.names or () if name not in OF_MATCHING]
    return {id_: [repr(order[name]) for name in names] for id_, order in books.orders.items()}


def joined(blocks: list[Block]) -> Block:
    return Block(*(one_after_another(parts) for parts in zip(*blocks, strict=True)))


def one_after_another(parts: Sequence[Any]) -> Any:
    """The same as np.concatenate, which is slow for many small arrays of records."""
    bits = b"".join(part.tobytes() for part in parts)
    return np.frombuffer(bits, parts[0].dtype).reshape(-1, *parts[0].shape[1:])


def different(simulated: Block, reported: Block) -> list[str]:
    """Names of the tables that differ in a bit; ambiguities are for a simulated venue alone."""
    return [
        name
        for name in Block._fields
        if name != "ambiguities"
        and getattr(simulated, name).tobytes() != getattr(reported, name).tobytes()
    ]
