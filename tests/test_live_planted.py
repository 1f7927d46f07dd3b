"""Known bugs of other runners are planted: the checks of crashes and faults fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alphalab_live import ccxt_orders
from alphalab_live.bookkeeper import Bookkeeper
from alphalab_live.dispatch import Dispatcher
from alphalab_live.exchange import Fault
from alphalab_live.order_book import LiveOrder, OrderState
from alphalab_live.outcomes import Outcome, Reading, Request, Wire, read_answer
from live_cases import AT_DECISION, Case, Cross, bars_of
from live_crashes import Whole, check_books, check_same_end, trade, undisturbed

import alphalab as al

KNOWN = (OrderState.INTENT, OrderState.ACKED, OrderState.CANCELLING)
SENT = "after the request POST fapi/v1/order"
CUT = Fault(on="POST /fapi/v1/order", do="cut")


@pytest.fixture(scope="module")
def case() -> Case:
    """Return a market whose orders fill in the first phase of the next row, and fit in twice."""
    bars, strategy = bars_of("BTC/USDT:USDT", rows=30), Cross(long=0.2, short=-0.2)
    return Case(bars, strategy, al.RunSettings(**AT_DECISION))


@pytest.fixture(scope="module")
def whole(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return undisturbed(case, tmp_path_factory.mktemp("whole"))


async def _send_again(dispatcher: Any, order: LiveOrder) -> None:
    """Send an order with an unknown outcome again, and ask nobody."""
    order.state = OrderState.INTENT
    await dispatcher._send_one(dispatcher._session.traders[order.terms.engine], order)


async def _trust_open_orders(dispatcher: Any, order: LiveOrder) -> None:
    """Take an order that is not open for one that has never arrived."""
    told = await dispatcher._venue.open_orders([order.terms.symbol])
    if order.terms.client_id not in {x.client_id for x in told}:
        await _send_again(dispatcher, order)


def _believe_what_ccxt_raises(request: Request, wire: Wire, *given: Any) -> Reading:
    """Take an answer that is cut for a refusal, as the class of ccxt's exception says."""
    found = read_answer(request, wire, *given)
    if request is Request.SUBMIT and found.outcome is Outcome.UNKNOWN:
        return Reading(Outcome.REFUSED, -2010)
    return found


def _settle_later(patch: pytest.MonkeyPatch) -> None:
    """Read no trades while an order is unknown: they would show that it has arrived."""
    settle = Bookkeeper.settle

    async def later(books: Any, *, everything: bool = False) -> None:
        if all(order.state in KNOWN for order in books._recorder.session.orders.living()):
            await settle(books, everything=everything)

    patch.setattr(Bookkeeper, "settle", later)


def sends_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dispatcher, "_resolve_one", _send_again)
    _settle_later(patch)


def trusts_open_orders(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dispatcher, "_resolve_one", _trust_open_orders)
    _settle_later(patch)


def believes_exceptions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ccxt_orders, "read_answer", _believe_what_ccxt_raises)


@pytest.mark.parametrize("plant", [sends_again, trusts_open_orders])
def test_a_crash_behind_a_request_shows_the_bug(
    plant: Callable[[pytest.MonkeyPatch], None],
    case: Case,
    whole: Whole,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order was sent, the runner died, and the order filled before the next start."""
    lives = [whole.points.index(SENT)]
    ended = trade(case, tmp_path / "without", lives, moves=1)
    check_books(case, tmp_path / "without", ended)
    plant(monkeypatch)
    ended = trade(case, tmp_path / "with", lives, moves=1)
    with pytest.raises(AssertionError, match="doubled"):
        check_books(case, tmp_path / "with", ended)


def test_a_cut_answer_shows_that_exceptions_are_believed(
    case: Case, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = trade(case, tmp_path / "without", faults=[CUT])
    check_same_end(case, tmp_path / "without", whole, ended)
    believes_exceptions(monkeypatch)
    ended = trade(case, tmp_path / "with", faults=[CUT])
    with pytest.raises(AssertionError, match="which this run has not sent or has ended"):
        check_same_end(case, tmp_path / "with", whole, ended)
