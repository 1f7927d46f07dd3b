"""The books of one account: orders meet the bars by the compiled code of the backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from alphalab.codes import OrderState, OrderStatus, OrderType, Posting, Reason, RequestKind
from alphalab.config import Limits, Rebalance, RunSettings
from alphalab.core.accounts import Accounts, Market, Shape
from alphalab.core.batches import batches_of
from alphalab.core.checks import check_assets
from alphalab.core.rows import check_rows
from alphalab.core.strategy import Strategy
from alphalab.errors import ParameterError
from alphalab.kernels._jit import silent
from alphalab.kernels.market.order_table import FIRST_EXPLICIT
from alphalab.kernels.market.orders import N_REQUESTS
from alphalab.kernels.market.venue import PROGRESS, STAND, Stage, venue
from alphalab.types import LEDGER, REQUEST, FloatArray, Instrument, IntArray

MOST_ORDERS = 200  # live orders of one account per symbol
_TWO_STAGES = (OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED)


class _NoStrategy(Strategy, frozen=True):
    """The books of an exchange trade what its clients ask for."""

    max_orders = MOST_ORDERS


class Fill(NamedTuple):
    """One execution.

    Attributes
    ----------
    executed : float
        Units of the order that traded, above 0.
    units : float
        Units that came, negative: that went. Less than executed where the fee is paid in units.
    price : float
    fee : float
        Quote currency.
    realised : float
        Profit before the fee, quote currency.
    maker : bool
    """

    executed: float
    units: float
    price: float
    fee: float
    realised: float
    maker: bool


class Change(NamedTuple):
    """One stage in the life of an order; `fill` is set if it traded."""

    order: int  # id in the books
    asset: int
    side: int
    status: OrderStatus
    reason: int  # a Reason code, or 0
    fill: Fill | None


class Posted(NamedTuple):
    """A change of cash without a trade, quote currency."""

    kind: Posting
    asset: int
    amount: float


class Books:
    """The account of a backtest, with orders that enter at any time.

    Parameters
    ----------
    settings : RunSettings
        Costs, execution, margin and cash; what belongs to a strategy is left out.
    instruments : sequence of Instrument
        N assets, all spot or all linear.

    Raises
    ------
    ParameterError
        Settings that an exchange cannot have, see `venue_settings`.
    """

    def __init__(self, settings: RunSettings, instruments: Sequence[Instrument]) -> None:
        self.instruments = tuple(instruments)
        self.settings = venue_settings(settings, instruments)
        check_assets(self.instruments, self.settings, 1)
        strategy = _NoStrategy()
        shape = Shape(
            places=int(FIRST_EXPLICIT) + MOST_ORDERS,
            n_requests=1,
            memory_rows=0,
            n_tiers=len(self.settings.costs.tiers),
            n_rungs=0,
            signals=(),
            distances=(),
            period=None,
            decide=None,
        )
        pairs = [(strategy, self.settings)]
        no_segments = np.zeros(1, np.int64)  # the figures of an account are not kept
        self._accounts = Accounts(pairs, self.instruments, shape, no_segments)
        self._market = Market(pairs, self.instruments, 1)
        (self._batch,) = batches_of(self._accounts, [strategy], self._market, recording=True)
        self._stand = STAND.pack(progress=np.zeros(1, PROGRESS), ledger=np.zeros(1, LEDGER))
        self._run = venue()
        self._accounts.accounts["row"] = -1
        self._filled: dict[int, float] = {}
        self._in_coin = self.settings.costs.fee_in == "coin"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the bars that it reads."""
        return self._market.columns

    @property
    def account(self) -> Any:
        """The account, an `alphalab.types.ACCOUNT` record."""
        return self._accounts.accounts[0]

    @property
    def positions(self) -> Any:
        """The positions, `alphalab.types.POSITION` records of shape (N,)."""
        return self._accounts.positions[0]

    @property
    def rules(self) -> Any:
        """The settings, an `alphalab.types.RULES` record."""
        return self._accounts.rules[0]

    @property
    def ledger(self) -> Any:
        """The account at the end of the last row, an `alphalab.types.LEDGER` record."""
        return self._stand.ledger[0]

    def taker_rate(self, asset: int) -> float:
        """Return the fee of a taker, fraction of the traded value."""
        if self.settings.costs.tiers:
            return float(self._accounts.tiers[0][self.account["tier"]]["taker"])
        return float(self._accounts.instruments[0][asset]["taker"])

    def check(self, time: IntArray, columns: Mapping[str, FloatArray]) -> None:
        """Refuse rows that break a rule of the market.

        Raises
        ------
        DataError, UnknownNameError
        """
        marks = np.full(len(self.instruments), np.nan)
        names = self.columns, self._market.columns
        check_rows(self.settings, self.instruments, *names, self.account, marks, time, columns)

    def change(self, instruments: Sequence[Instrument]) -> None:
        """Replace ticks, lots, minimum values and fees."""
        self._accounts.change(instruments)

    def begin(self, time: IntArray, columns: Mapping[str, FloatArray], row: int) -> None:
        """Read the next row, which `meet` then meets."""
        self._market.read(time, columns, slice(row, row + 1))

    def meet(self) -> tuple[bool, list[Change], list[Posted]]:
        """Go on with the row that was read.

        Returns
        -------
        over : bool
            True if the row is over. If not, clients may answer what happened, and the row goes on
            with the next call.
        changes : list of Change
        posted : list of Posted
        """
        before = self._resting()
        with silent():
            stage = self._run(*self._arguments)
        over = stage == Stage.BETWEEN
        makers = before if not over else {}
        if stage == Stage.OPENED:
            makers = {order: met for order, met in before.items() if met}
        return over, *self._logged(makers)

    def submit(self, **fields: float) -> tuple[int, Reason | None]:
        """Submit an order.

        Parameters
        ----------
        **fields
            Fields of an `alphalab.types.REQUEST`; those that are not given are 0, or NaN.

        Returns
        -------
        order : int
            Its id in the books.
        reason : Reason or None
            The rule that refuses it; None: it lives.
        """
        self._ask(RequestKind.SUBMIT, fields)
        changes, _ = self._logged({})
        refused = [x for x in changes if x.status == OrderStatus.REFUSED]
        reason = Reason(refused[0].reason) if refused else None
        return changes[0].order, reason

    def cancel(self, order: int) -> list[Change]:
        """Cancel a living order; return what changed."""
        self._ask(RequestKind.CANCEL, {"order": order})
        return self._logged({})[0]

    @property
    def _arguments(self) -> tuple[Any, ...]:
        return self._batch.columns, self._batch.work, self._batch.rows, self._stand

    def _ask(self, kind: RequestKind, fields: Mapping[str, float]) -> None:
        request = self._batch.work.requests[0]
        for name in REQUEST.names or ():
            request[name] = np.nan if REQUEST[name].kind == "f" else 0
        request["kind"] = kind
        for name, value in fields.items():
            request[name] = value
        self._batch.work.sent[N_REQUESTS] = 1
        try:
            with silent():
                self._run(*self._arguments)
        finally:
            self._batch.work.sent[N_REQUESTS] = 0

    def _resting(self) -> dict[int, bool]:
        """Return the limit orders that rest, and whether they have met an open before."""
        if self.account["waiting"] == 0:
            return {}
        table = self._accounts.orders[0]
        live = table[table["state"] != OrderState.FREE]
        limits = live[
            (live["type"] == OrderType.LIMIT)
            | (np.isin(live["type"], _TWO_STAGES) & (live["triggered"] == 1))
        ]
        return dict(zip(limits["id"].tolist(), (limits["met_row"] >= 0).tolist(), strict=True))

    def _logged(self, makers: Mapping[int, bool]) -> tuple[list[Change], list[Posted]]:
        """Return what the logs hold, and empty them."""
        work = self._batch.work
        n_fills, _, n_events, n_postings, _ = work.counts.tolist()
        fills = iter(work.fills[:n_fills].tolist())
        changes = []
        for event in work.events[:n_events]:
            order, status = int(event["order"]), OrderStatus(event["status"])
            fill = None
            if status in (OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED):
                fill = self._fill(next(fills), order, float(event["filled"]), order in makers)
            if status in _FINAL:
                self._filled.pop(order, None)
            changes.append(
                Change(order, int(event["asset"]), int(event["side"]), status,
                       int(event["reason"]), fill)
            )  # fmt: skip
        posted = [
            Posted(Posting(p["kind"]), int(p["asset"]), float(p["amount"]))
            for p in work.postings[:n_postings]
        ]
        work.counts[:] = 0
        return changes, posted

    def _fill(self, record: tuple[Any, ...], order: int, filled: float, maker: bool) -> Fill:
        _, _, _, _, _, units, price, fee, realised = record
        executed = abs(units)
        if self._in_coin and units > 0:
            executed = filled - self._filled.get(order, 0.0)
            self._filled[order] = filled
        return Fill(executed, units, price, fee, realised, maker)


_FINAL = (
    OrderStatus.FILLED,
    OrderStatus.CANCELLED,
    OrderStatus.EXPIRED,
    OrderStatus.REFUSED,
)


def venue_settings(settings: RunSettings, instruments: Sequence[Instrument]) -> RunSettings:
    """Return the part of the settings of a run that belongs to the venue.

    Raises
    ------
    ParameterError
        Fills at the close of the decision, splits, dividends or daily interest: no exchange has
        them.
    """
    refused = {
        'fill="same_close"': settings.fill == "same_close",
        f"actions={settings.actions!r}": settings.actions != "none",
        "financing": settings.financing != type(settings.financing)(),
        "conversions": bool(settings.conversions),
    }
    for name, given in refused.items():
        if given:
            raise ParameterError(
                f"a local exchange with {name}",
                rule="it trades at the next open or close, in one currency, without splits, "
                "dividends and daily interest.",
            )
    spot = instruments[0].kind == "spot"
    return msgspec.structs.replace(
        settings,
        limits=Limits(),
        rebalance=Rebalance(),
        exits=None,
        entry=None,
        margin=None if spot else settings.margin,
        holdings={
            x.symbol: settings.holdings[x.symbol]
            for x in instruments
            if x.symbol in settings.holdings
        },
    )
