"""An engine whose venue is outside: reports give what a simulation gives, bit for bit."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from markets import Given
from twin import ran
from venue_reports import different, on_reports

from alphalab.codes import OrderStatus, Posting, Reason, ReportKind
from alphalab.config import Execution, Exits, Limits, RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.reports import report
from alphalab.errors import DataError, ParameterError, StateError
from alphalab.types import Instrument, Records

nojit = pytest.mark.nojit

MINUTE = 60 * 10**9
ASSETS = [Instrument(symbol="A", lot=0.1, taker_bps=10.0), Instrument(symbol="B")]


def check(seeds: range) -> int:
    """Compare the markets of some seeds; return their number."""
    compared = 0
    for seed in seeds:
        market, block = ran(seed)
        exits = market.settings.exits
        simulated = exits is not None and (exits.trailing_after or exits.trailing_distance)
        if market.settings.fill != "same_close" and not simulated:
            reported = on_reports(market, random.Random(seed))
            assert different(block, reported) == [], f"market of seed {seed}"
            compared += 1
    return compared


@nojit
def test_few_markets_replayed_from_their_own_reports() -> None:
    assert check(range(30)) > 15


@pytest.mark.parametrize("first", range(0, 2_880, 720))
def test_markets_replayed_from_their_own_reports(first: int) -> None:
    assert check(range(first, first + 720)) >= 450


@pytest.mark.slow
def test_many_markets_replayed_from_their_own_reports() -> None:
    assert check(range(2_880, 29_880)) >= 17_000


@nojit
def test_the_comparison_can_fail() -> None:
    _, block = next(x for x in map(ran, range(40)) if x[1].fills.size)
    fills, qty = block.fills.copy(), block.qty.copy()
    fills["price"][0] = np.nextafter(fills["price"][0], np.inf)
    qty[-1, 0] += 1.0
    assert different(block, block._replace(fills=fills)) == ["fills"]
    assert different(block, block._replace(qty=qty)) == ["qty"]


# --- accounts worked out by hand -----------------------------------------------------------------


class Desk:
    """An engine with its venue outside, a minute a row, and prices of 10 unless given."""

    def __init__(self, settings: RunSettings | None = None, **more: Any) -> None:
        self.settings = settings or RunSettings(cash=1_000.0, sizing="at_decision", **more)
        self.engine = Engine(Given(), ASSETS, self.settings, external=True)
        self.row = 0

    def push(self, *weights: float, prices: tuple[float, float] = (10.0, 10.0)) -> Block:
        self.row += 1
        columns = {"close": np.array([prices]), "w": np.array([weights])}
        return self.engine.push(np.array([self.row * MINUTE]), columns)

    def report(self, kind: ReportKind, **fields: Any) -> Block:
        return self.engine.report(self.one(kind, **fields))

    def one(self, kind: ReportKind, **fields: Any) -> Records:
        return report(kind, time=(self.row + 1) * MINUTE, **fields)

    def fill(self, order: int, qty: float, price: float = 10.0, **fields: Any) -> Block:
        """A whole fill of an order for asset A."""
        terms = dict(asset=0, qty=qty, filled=abs(qty), price=price, last=1) | fields
        return self.report(ReportKind.EXECUTED, order=order, **terms)

    @property
    def working(self) -> list[tuple[Any, ...]]:
        return [(j, *(o[x] for x in ("id", "side", "qty"))) for j, o in self.engine.working]

    @property
    def held(self) -> list[float]:
        return self.engine.positions["qty"].tolist()


@nojit
def test_an_order_works_until_the_venue_has_filled_it() -> None:
    desk = Desk()
    desk.push(0.5, 0.0)
    assert desk.working == [(0, 1, 1, pytest.approx(49.9))]  # 500 / (10 * 1.001), in lots
    desk.report(ReportKind.ACCEPTED, order=1, asset=0)
    desk.fill(1, 20.0, 9.9, last=0)
    assert desk.working == [(0, 1, 1, pytest.approx(29.9))]
    desk.fill(1, 29.9, 10.1, fee=0.5)
    assert desk.working == []
    block = desk.push(0.5, 0.0)
    cash = 1_000.0 - 20.0 * 9.9 - 29.9 * 10.1 - 0.5
    assert block.ledger["equity"] == pytest.approx(cash + 49.9 * 10.0)
    assert desk.working == []


@nojit
def test_a_delayed_order_works_once_it_may_be_filled() -> None:
    desk = Desk(execution=Execution(delay=1))
    desk.push(0.5, 0.0)
    assert desk.working == []
    desk.push(0.5, 0.0)
    assert [order[:2] for order in desk.working] == [(0, 1)]


@nojit
def test_a_late_fill_of_an_order_that_was_given_up_is_booked_and_its_target_is_due() -> None:
    desk = Desk(exits=Exits(stop_loss=0.1))
    desk.push(0.5, 0.0)
    desk.report(ReportKind.ACCEPTED, order=1, asset=0)
    desk.push(0.0, 0.0)  # the order is no longer wanted
    assert desk.working == []
    block = desk.fill(1, 49.9)
    assert block.fills[["order", "order_row", "qty"]].tolist() == [(1, -1, 49.9)]
    ((_, stop),) = desk.engine.working
    assert stop["stop"] == 9.0  # the position is protected at once
    block = desk.push(0.0, 0.0)
    assert desk.working[-1][:3] == (0, 3, -1)  # and closed by the next row
    assert block.qty.tolist() == [[49.9, 0.0]]


@nojit
def test_what_an_operator_adopts_and_deposits() -> None:
    desk = Desk()
    desk.push(np.nan, np.nan)
    block = desk.report(ReportKind.ADJUSTED, asset=0, qty=3.0, price=8.0, amount=24.0)
    assert block.events["reason"].tolist() == [0, Reason.ADJUSTED]
    assert block.postings[["kind", "amount"]].tolist() == [(Posting.TRANSFER, 24.0)]
    desk.report(ReportKind.ADJUSTED, amount=100.0)
    ledger = desk.push(np.nan, np.nan).ledger
    assert desk.held == [3.0, 0.0]
    assert (ledger["cash"], ledger["equity"]) == (1_100.0, 1_130.0)
    assert ledger["unrealised"] == pytest.approx(3.0 * 2.0)


@nojit
def test_an_operator_flattens_the_account_and_lets_it_trade_again() -> None:
    desk = Desk()
    desk.push(0.5, 0.0)
    desk.fill(1, 49.9)
    block = desk.report(ReportKind.COMMAND, code=Reason.COMMANDED)
    assert block.refusals["reason"].tolist() == [Reason.COMMANDED]
    assert desk.push(0.5, 0.0).targets.tolist() == [[0.0, 0.0]]
    desk.fill(2, -49.9)
    assert desk.push(0.6, 0.0).targets.tolist() == [[0.0, 0.0]]
    desk.report(ReportKind.COMMAND, code=0)
    assert desk.push(0.6, 0.0).targets.tolist() == [[0.6, 0.0]]
    assert len(desk.working) == 1


@nojit
def test_a_refused_target_stays_due_and_is_told_once() -> None:
    desk = Desk()
    desk.push(0.5, 0.0)
    refused = dict(asset=0, code=Reason.MIN_VALUE, qty=499.0, last=1)
    block = desk.report(ReportKind.REFUSED, order=1, **refused)
    assert block.refusals[["reason", "asked"]].tolist() == [(Reason.MIN_VALUE, 499.0)]
    assert block.events["status"].tolist() == [OrderStatus.REFUSED]
    desk.push(0.5, 0.0)
    assert [order[1] for order in desk.working] == [2]
    block = desk.report(ReportKind.REFUSED, order=2, **refused)
    assert block.refusals.size == block.events.size == 0
    desk.push(0.5, 0.0)
    assert [order[1] for order in desk.working] == [3]


@nojit
def test_less_than_a_lot_is_not_sent_and_not_held() -> None:
    desk = Desk(limits=Limits(), exits=Exits(take_profit=0.1))
    desk.push(0.0005, 0.0)  # half a unit of money, at 10 a unit: no lot
    assert desk.working == []
    desk.push(0.5, 0.0)
    desk.fill(desk.working[0][1], 49.85)  # the venue took a part as its fee
    ((_, profit),) = desk.engine.working
    desk.fill(int(profit["id"]), -49.8, 11.0)
    assert desk.held == [pytest.approx(0.05), 0.0]
    assert desk.working == []
    block = desk.push(0.5, 0.0)
    assert desk.engine.positions["out"][0] == 1  # the exit has closed it, and it is not reopened
    assert block.events.size == 0


@nojit
def test_a_report_belongs_to_the_row_in_progress() -> None:
    desk = Desk()
    desk.push(0.5, 0.0)
    with pytest.raises(DataError, match="time"):
        desk.engine.report(report(ReportKind.ACCEPTED, time=MINUTE, order=1, asset=0))
    desk.engine.report(report(ReportKind.ACCEPTED, time=3 * MINUTE, order=1, asset=0))
    columns = {"close": np.full((1, 2), 10.0), "w": np.zeros((1, 2))}
    with pytest.raises(DataError, match="row in progress"):
        desk.engine.push(np.array([2 * MINUTE]), columns)
    desk.engine.push(np.array([3 * MINUTE]), columns)


@nojit
def test_a_snapshot_within_a_row() -> None:
    desk = Desk(exits=Exits(stop_loss=0.1))
    desk.push(0.5, 0.0)
    desk.fill(1, 49.9)
    other = Engine(Given(), ASSETS, desk.settings, external=True)
    other.restore(desk.engine.snapshot())
    assert other.snapshot() == desk.engine.snapshot()
    assert [order["id"] for _, order in other.working] == [2]


@nojit
def test_a_simulating_engine_has_the_same_id_and_takes_no_reports() -> None:
    desk = Desk()
    simulating = Engine(Given(), ASSETS, desk.settings)
    assert simulating.id == desk.engine.id
    with pytest.raises(StateError, match="external=True"):
        simulating.report(desk.one(ReportKind.COMMAND))
    with pytest.raises(ParameterError, match="same_close"):
        Desk(RunSettings(fill="same_close"))
    with pytest.raises(ParameterError, match="trailing_after"):
        Desk(exits=Exits(trailing=0.1, trailing_after=0.1))


@nojit
@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        (ReportKind.ACCEPTED, dict(order=0, asset=0), "order"),
        (ReportKind.ACCEPTED, dict(order=1, asset=-1), "asset"),
        (ReportKind.ACCEPTED, dict(order=1, asset=2), "asset"),
        (ReportKind.EXECUTED, dict(order=1, asset=0, qty=1.0, price=10.0), "filled"),
        (ReportKind.EXECUTED, dict(order=1, asset=0, qty=0.0, filled=1.0, price=10.0), "qty"),
        (ReportKind.EXECUTED, dict(asset=0, qty=1.0, price=0.0), "price"),
        (ReportKind.EXECUTED, dict(asset=0, qty=np.nan, price=10.0), "qty"),
        (ReportKind.EXECUTED, dict(asset=0, qty=1.0, price=10.0, rate=-1.0), "rate"),
        (ReportKind.EXECUTED, dict(asset=0, qty=1.0, price=10.0, code=999), "code"),
        (ReportKind.ADJUSTED, dict(qty=1.0, price=10.0), "asset"),
        (ReportKind.ADJUSTED, dict(amount=np.inf), "amount"),
        (ReportKind.POSTED, dict(code=99), "code"),
        (ReportKind.POSTED, dict(code=Posting.SPLIT, price=2.0), "asset"),
        (ReportKind.POSTED, dict(code=Posting.SPLIT, asset=0, price=0.0), "price"),
        (ReportKind.POSTED, dict(code=Posting.FUNDING, asset=0, price=np.nan), "price"),
        (ReportKind.COMMAND, dict(code=Reason.BANKRUPT), "code"),
        (99, dict(), "kind"),
    ],
)
def test_a_report_that_breaks_a_rule_books_nothing(
    kind: ReportKind, fields: dict[str, Any], named: str
) -> None:
    desk = Desk()
    desk.push(0.5, 0.0)
    before = desk.engine.snapshot()
    good = desk.one(ReportKind.ACCEPTED, order=1, asset=0)
    with pytest.raises(DataError, match=f"report 1: {named}="):
        desk.engine.report(np.concatenate([good, desk.one(kind, **fields)]))
    assert desk.engine.snapshot() == before
