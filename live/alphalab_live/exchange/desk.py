"""The exchange without its network: markets, accounts, and the row that is played."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Literal, NamedTuple

from alphalab.errors import ParameterError, UnknownNameError
from alphalab_live.exchange.accounts import Account
from alphalab_live.exchange.client_ids import Policy
from alphalab_live.exchange.limits import Limits, Meter
from alphalab_live.exchange.listing import Listing, listings
from alphalab_live.exchange.refusals import Refused
from alphalab_live.exchange.tape import Rows, Tape
from alphalab_live.exchange.wallet import Event, Wallet

FIRST_ID = 1001


class Phase(NamedTuple):
    """A point at which clients may act.

    Attributes
    ----------
    name : {"fills", "candle", "end"}
        ``fills``: something happened inside the row, and orders sent now meet the rest of it.
        ``candle``: the row is over, and its candle is known. ``end``: there are no more rows.
    row : int
        Index of the row in the bars.
    time : int
        Its close, ms.
    told : int
        Events that accounts have been told.
    """

    name: Literal["fills", "candle", "end"]
    row: int
    time: int
    told: int


class Told(NamedTuple):
    """An event of one account."""

    key: str
    wallet: Wallet
    event: Event


class Desk:
    """Markets and accounts over bars.

    Parameters
    ----------
    bars : Rows
        `alphalab.Bars`: spot and linear assets; each has a tick and a lot.
    accounts : sequence of Account
    start : int
        Row that is played first; the rows before it are history.
    names : mapping of str to str
        Other names for symbols, such as ``{"btc_perp_1m": "BTC/USDT:USDT"}``.
    clid_policy : {"open_only", "forever", "ttl"}
        Which client order ids may be used again.
    limits : Limits or None
        Request limits; None: none.
    clock : callable
        Returns the time of the server, ms: requests are signed with it. The market has its own
        time, that of its rows.
    """

    def __init__(
        self,
        bars: Rows,
        accounts: Sequence[Account],
        *,
        start: int,
        names: Mapping[str, str],
        clid_policy: Policy,
        limits: Limits | None,
        clock: Callable[[], int],
    ) -> None:
        if len({account.key for account in accounts}) != len(accounts) or not accounts:
            raise ParameterError(
                f"an exchange with {len(accounts)} accounts",
                rule="there is at least one account, and each has a key of its own.",
            )
        self.clock = clock
        self.tape = Tape(bars, start)
        self.accounts = {account.key: account for account in accounts}
        self.listings = listings(self.tape.instruments, names)
        self.limits = limits or Limits()
        self.meter = Meter(limits, clock)
        self.halted: set[Listing] = set()
        self.next_id = count(FIRST_ID)
        self.wallets: dict[tuple[str, str], Wallet] = {}
        for kind in ("spot", "linear"):
            if mine := [x for x in self.listings if x.kind == kind]:
                for account in accounts:
                    wallet = Wallet(
                        account.settings, self.tape, mine, clid_policy, clock, self.next_id
                    )
                    self.wallets[account.key, kind] = wallet
        self._pending: list[tuple[str, Wallet]] = []

    def listing(self, kind: str, name: str | None) -> Listing:
        """Return a market by its id.

        Raises
        ------
        Refused
            -1121: there is none.
        """
        for listing in self.listings:
            if listing.kind == kind and listing.id == name:
                return listing
        raise Refused(-1121, "Invalid symbol.")

    def wallet(self, key: str, kind: str) -> Wallet:
        """Return the wallet of an account.

        Raises
        ------
        Refused
            The exchange has no market of this kind.
        """
        if (key, kind) not in self.wallets:
            raise Refused(-1121, "Invalid symbol.")
        return self.wallets[key, kind]

    def cancel(self, order_id: int) -> list[Told]:
        """Cancel an order by the venue; return what its owner is told.

        Raises
        ------
        UnknownNameError
            No order with this id lives.
        """
        living = {
            str(order.id or order.algo_id): (key, wallet, order)
            for (key, _), wallet in self.wallets.items()
            for order in wallet.living
        }
        if str(order_id) not in living:
            raise UnknownNameError("living order", str(order_id), living)
        key, wallet, order = living[str(order_id)]
        return [Told(key, wallet, event) for event in wallet.cancel(order)]

    def step(self) -> tuple[Phase, list[Told]]:
        """Go on to the next point at which clients may act."""
        tape = self.tape
        if not tape.open:
            if tape.ended:
                return Phase("end", tape.row, tape.now, 0), []
            tape.begin()
            self._pending = [(key, wallet) for (key, _), wallet in self.wallets.items()]
        told: list[Told] = []
        pending = []
        for key, wallet in self._pending:
            over, events = wallet.meet()
            told += [Told(key, wallet, event) for event in events]
            if not over:
                pending.append((key, wallet))
        self._pending = pending
        if pending:
            return Phase("fills", tape.row, tape.now, len(told)), told
        tape.end()
        return Phase("candle", tape.row, tape.now, len(told)), told
