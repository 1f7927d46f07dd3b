"""The account's own laws, on random markets: what holds whatever the rules of trading are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from markets import Market
from scripted import Scripted
from twin import equal_bits, ran

from alphalab.codes import OrderStatus, OrderType, Origin, Posting, Reason
from alphalab.core.engine import Block
from alphalab.core.rules import start_equity
from alphalab.kernels.market.books import most_of_row

N_MARKETS = 1_000
FINAL = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUSED)
FILLS = (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)


def markets(n: int = N_MARKETS) -> Iterator[tuple[Market, Block]]:
    return map(ran, range(n))


def is_plain(market: Market) -> bool:
    """Whether there are only targets, in a cash account of spot."""
    return not market.more


# --- money ---------------------------------------------------------------------------------------


def test_conservation() -> None:
    for market, block in markets():
        rows = block.ledger
        made = rows["realised"] + rows["unrealised"] - rows["fees"] + rows["carry"]
        start = start_equity(market.settings, market.instruments)
        size = abs(start) + rows["turnover"] + rows["gross"]
        size += np.abs(block.postings["amount"]).sum()
        assert np.isfinite(rows["equity"]).all()
        assert equal_bits(rows["equity"], rows["cash"] + rows["value"])
        error = np.abs(rows["equity"] - (start + made)) / size
        assert error.max() < 1e-9


def test_carry_is_what_was_posted() -> None:
    for _, block in markets():
        carry, posted = 0.0, defaultdict(list)
        for posting in block.postings:
            if posting["kind"] != Posting.REINVESTMENT:  # a purchase
                posted[int(posting["row"])].append(float(posting["amount"]))
        for row, total in enumerate(block.ledger["carry"].tolist()):
            for amount in posted[row]:
                carry += amount
            assert carry == total


def test_fees_and_profits_are_those_of_the_fills() -> None:
    for _, block in markets():
        fees = np.zeros(len(block.ledger))
        np.add.at(fees, block.fills["row"], block.fills["fee"])
        realised = np.zeros(len(block.ledger))
        np.add.at(realised, block.fills["row"], block.fills["realised"])
        for made, name in ((fees, "fees"), (realised, "realised")):
            size = 1.0 + np.abs(block.fills["fee" if name == "fees" else name]).sum()
            assert (np.abs(made.cumsum() - block.ledger[name]) <= 1e-9 * size).all()


def test_positions_are_what_was_traded_and_posted() -> None:
    """Of assets without splits, whose units come by trades and reinvestments alone."""
    for _, block in markets():
        held = np.zeros(block.qty.shape)
        splits = block.postings["kind"] == Posting.SPLIT
        came = block.postings[block.postings["kind"] == Posting.REINVESTMENT]
        np.add.at(held, (block.fills["row"], block.fills["asset"]), block.fills["qty"])
        np.add.at(held, (came["row"], came["asset"]), came["qty"])
        size = np.abs(held).sum(axis=0)
        wrong = np.abs(held.cumsum(axis=0) - block.qty) > 1e-9 * size
        assert not np.delete(wrong, block.postings["asset"][splits], axis=1).any()


def test_cash_is_never_negative_but_for_covering_a_short() -> None:
    for market, block in filter(lambda ran: is_plain(ran[0]), markets(2 * N_MARKETS)):
        cash, held = market.settings.cash, [0.0] * len(market.instruments)
        for fill in block.fills:
            asset, qty = int(fill["asset"]), float(fill["qty"])
            multiplier = market.instruments[asset].multiplier
            cash -= qty * (float(fill["price"]) * multiplier) + float(fill["fee"])
            held[asset] += qty
            assert cash >= 0.0 or qty < 0.0 or held[asset] <= 1e-9 * qty
        assert cash == block.ledger["cash"][-1]


# --- the gate ------------------------------------------------------------------------------------


def test_approved_targets_keep_the_limits() -> None:
    for market, block in markets():
        limits, weights = market.settings.limits, np.nan_to_num(block.targets)
        above = 1.0 + 2e-9
        assert (np.abs(weights).sum(axis=1) <= market.settings.gross * above).all()
        if limits.weight is not None:
            assert (np.abs(weights) <= limits.weight * above).all()
        if limits.group is not None:
            for name in {i.groups["sector"] for i in market.instruments if i.groups}:
                members = [i.groups.get("sector") == name for i in market.instruments]
                gross = np.abs(weights[:, members]).sum(axis=1)
                assert (gross <= limits.group_gross * above).all()
        if limits.net is not None and not np.isnan(block.targets).any():
            known = np.nan_to_num(market.weights, posinf=0.0, neginf=0.0)
            asked = np.abs(known).sum(axis=1)
            assert (np.abs(weights.sum(axis=1)) <= limits.net + 1e-9 * (2.0 + asked)).all()


def test_after_a_lock_positions_only_shrink() -> None:
    """Orders on their way with a delay still arrive; splits and reinvestments add units."""
    for market, block in markets():
        locks = np.isin(block.refusals["reason"], [Reason.DRAWDOWN_LOCK, Reason.BANKRUPT])
        locks &= block.refusals["asset"] == -1
        if locks.any():
            since = int(block.refusals["row"][locks][0])
            assert (block.targets[since:] == 0.0).all()
            assert locks.sum() == 1
            if market.settings.actions == "none" and not market.settings.execution.delay:
                held = np.abs(block.qty[since:])
                assert (held[1:] <= held[:-1]).all()


# --- orders --------------------------------------------------------------------------------------


def lives(block: Block) -> Iterator[tuple[Any, Any]]:
    """Of every order that is told of: its events, and its fills."""
    for number in np.unique(block.events["order"]):
        of_events = block.events["order"] == number
        yield block.events[of_events], block.fills[block.fills["order"] == number]


def test_the_life_of_an_order() -> None:
    for _, block in markets():
        assert np.isin(block.fills["order"], block.events["order"]).all()
        for events, _ in lives(block):
            status = [OrderStatus(code) for code in events["status"].tolist()]
            assert status[0] == OrderStatus.SUBMITTED
            assert status.count(OrderStatus.SUBMITTED) == 1
            assert status.count(OrderStatus.ACTIVE) <= 1
            assert all(one not in FINAL for one in status[:-1])
            assert (np.diff(events["row"]) >= 0).all()
            for name in ("asset", "origin", "type", "side"):
                assert (events[name] == events[name][0]).all()
            if OrderStatus.TRIGGERED in status:
                assert events["type"][0] in (OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED)
                assert status.count(OrderStatus.TRIGGERED) == 1
            at_the_venue = status.index(OrderStatus.ACTIVE) if OrderStatus.ACTIVE in status else 99
            for stage in (OrderStatus.TRIGGERED, *FILLS):
                if stage in status and events["origin"][0] != Origin.VENUE:
                    assert at_the_venue < status.index(stage)


def test_fills_are_those_that_the_events_tell_of() -> None:
    """A fee in coins lies between what an order filled and what came of it."""
    for market, block in markets():
        within = 0.5 if market.settings.costs.fee_in == "coin" else 1e-12
        for events, fills in lives(block):
            told = events[np.isin(events["status"], FILLS)]
            assert told["row"].tolist() == fills["row"].tolist()
            assert (fills["qty"] * events["side"][0] > 0.0).all()
            assert (fills["asset"] == events["asset"][0]).all()
            assert (fills["order_row"] == events["row"][0]).all()
            filled = np.abs(fills["qty"]).cumsum()
            assert np.allclose(told["filled"], filled, rtol=within, atol=0.0)
            if fills.size:
                assert np.isclose(events["filled"][-1], filled[-1], rtol=within, atol=0.0)


def test_every_refused_order_has_its_refusal() -> None:
    for _, block in markets():
        told = block.events[block.events["status"] == OrderStatus.REFUSED]
        refusals = Counter(block.refusals[["row", "asset", "reason"]].tolist())
        refused = Counter(told[["row", "asset", "reason"]].tolist())
        assert all(refusals[key] >= count for key, count in refused.items())


def test_a_limit_is_never_passed() -> None:
    for _, block in markets():
        for events, fills in lives(block):
            told = events[np.isin(events["status"], FILLS)]
            limited = ~np.isnan(told["limit"])
            beyond = (fills["price"] - told["limit"]) * told["side"]
            assert (beyond[limited] <= 0.0).all()


def test_a_stop_trades_no_better_than_its_stop() -> None:
    """Reached from the right side, and then worse by a gap or by the friction."""
    for market, block in markets():
        for events, fills in lives(block):
            told = events[np.isin(events["status"], FILLS)]
            if events["type"][0] in (OrderType.STOP, OrderType.TRAILING):
                tick = market.instruments[events["asset"][0]].tick  # the lowest price there is
                stop = np.maximum(told["stop"], tick)
                assert ((fills["price"] - stop) * told["side"] >= 0.0).all()


def test_fills_lie_within_the_bar_but_for_the_friction() -> None:
    for market, block in markets():
        if not market.more:
            continue
        costs = market.settings.costs
        worse = costs.worst_bps / 1e4 + (0.02 if costs.quotes != "none" else 0.0)
        by_venue = block.events["order"][block.events["origin"] == Origin.VENUE]
        for fill in block.fills[~np.isin(block.fills["order"], by_venue)]:
            row, asset = int(fill["row"]), int(fill["asset"])
            prices = [market.open[row, asset], market.close[row, asset]]
            prices += [market.more[name][row, asset] for name in ("high", "low")]
            low, high = np.nanmin(prices), np.nanmax(prices)
            tick = market.instruments[asset].tick
            assert low * (1.0 - worse - 1e-12) - tick <= fill["price"]
            assert fill["price"] <= high * (1.0 + worse + 1e-12) + tick


def test_no_bar_fills_more_than_its_share_of_the_volume() -> None:
    for market, block in markets():
        share = market.settings.execution.participation
        if share is None:
            continue
        by_venue = block.events["order"][block.events["origin"] == Origin.VENUE]
        traded = np.zeros(block.qty.shape)
        fills = block.fills[~np.isin(block.fills["order"], by_venue)]
        np.add.at(traded, (fills["row"], fills["asset"]), np.abs(fills["qty"]))
        volume = np.nan_to_num(market.more["volume"])
        paid = 1e-3 if market.settings.costs.fee_in == "coin" else 0.0  # to makers
        assert (traded <= share * volume * (1.0 + 2e-9 + paid)).all()


def test_quantities_are_whole_lots_and_orders_have_their_least_value() -> None:
    for market, block in markets(500):
        settings = market.settings  # splits, reinvestments and fees in coins make odd lots
        whole = settings.actions == "none" and settings.costs.fee_in != "coin"
        whole &= not settings.holdings
        targets = block.events[block.events["origin"] == Origin.TARGET]["order"]
        for fill in block.fills:
            instrument = market.instruments[fill["asset"]]
            if is_plain(market):
                value = abs(fill["qty"]) * (fill["price"] * instrument.multiplier)
                assert value >= instrument.min_value
                assert fill["order"] in targets
            if instrument.lot >= 0.1 and whole:
                lots = fill["qty"] / instrument.lot
                assert abs(lots - round(lots)) <= 1e-6 * max(abs(lots), 1.0)


def test_the_path_taken_is_the_worse_or_the_better() -> None:
    for market, block in markets():
        path = market.settings.execution.path
        for bar in block.ambiguities:
            low, high = float(bar["low_first"]), float(bar["high_first"])
            assert low != high
            if path != "ohlc":
                assert bar["taken"] == (high < low if path == "pessimistic" else high > low)


def test_no_row_writes_more_than_its_logs_are_sure_to_hold() -> None:
    logs = ("fills", "refusals", "events", "postings", "ambiguities")
    for market, block in markets():
        n_assets = len(market.instruments)
        n_orders = n_assets * (4 + Scripted.max_orders * bool(market.requests))
        n_requests = max(16, 4 * n_assets * Scripted.max_orders)
        for name, most in zip(logs, most_of_row(n_assets, n_orders, n_requests), strict=True):
            rows = Counter(getattr(block, name)["row"].tolist())
            assert max(rows.values(), default=0) <= most
