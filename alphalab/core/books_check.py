"""What the books of an account must hold, checked before an engine goes on from them.

Kernels do not check: a fee tier that does not exist, or a day in the future, is memory read outside
its array. The checks are those that keep the kernels within their arrays, and those that no account
can break: codes are known, rows and times are in order, counts agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alphalab.codes import OrderState, OrderType, Origin, Reason, Sizing, TimeInForce
from alphalab.core.distances import DISTANCES
from alphalab.errors import StateError
from alphalab.kernels.market.step import DAY_NS
from alphalab.types import NEVER, Instrument

Condition = NDArray[np.bool_] | np.bool_ | bool

#: Rows that an account can count: beyond, float64 skips whole numbers.
MOST_ROWS = 2**53


def check_books(books: Sequence[Any], instruments: Sequence[Instrument], n_tiers: int) -> None:
    """Refuse books that no account of these assets can have.

    Parameters
    ----------
    books : sequence of arrays
        `Accounts.state` of one account: account, positions, orders, traded values and the memory of
        a `decide`, which may hold anything.
    instruments : sequence of Instrument
    n_tiers : int
        Fee tiers.

    Raises
    ------
    StateError
        The message names the asset and the field.
    """
    account, positions, orders, traded = (array[0] for array in books[:4])
    _check_account(account, n_tiers)
    _require("traded values", (traded >= 0.0) & (traded < np.inf), "finite and at least 0")
    for instrument, position, own in zip(instruments, positions, orders, strict=True):
        _check_position(f"position of {instrument.symbol!r}", position, account)
        for order in own[own["state"] != OrderState.FREE]:
            _check_order(f"order {order['id']} of {instrument.symbol!r}", order, account)
    live = orders[orders["state"] != OrderState.FREE]
    _require("account: waiting", account["waiting"] == live.size, "the number of orders that live")
    _require("orders: id", np.unique(live["id"]).size == live.size, "different for each order")


def _check_account(account: Any, n_tiers: int) -> None:
    finite = ("cash", "equity", "peak", "realised", "fees", "turnover", "carry", "day_equity")
    for name in finite:
        _require(f"account: {name}", np.isfinite(account[name]), "a finite number")
    _require("account: row", 0 <= account["row"] < MOST_ROWS, "a count of rows")
    _require("account: tier", 0 <= account["tier"] < max(n_tiers, 1), "the place of a fee tier")
    _require("account: n_orders", 0 <= account["n_orders"] < MOST_ROWS, "a count of orders")
    _require("account: lock", _is_code(account["lock"], Reason, none=True), "0 or a Reason")
    time, day = int(account["time"]), int(account["day"])
    of_time = NEVER if time == NEVER else (time - 1) // DAY_NS
    _require("account: day", day == of_time, "the UTC day of its time")
    _require("account: row_time", account["row_time"] <= time, "not after its time")
    _require("account: flat_day", account["flat_day"] <= day, "no day after the last row's")


def _check_position(where: str, position: Any, account: Any) -> None:
    _require(f"{where}: qty", np.isfinite(position["qty"]), "a finite number")
    rate, mark = position["rate"], position["mark"]
    _require(f"{where}: rate", 0.0 < rate < np.inf, "finite and above 0")
    _require(f"{where}: mark", np.isnan(mark) | (0.0 < mark < np.inf), "a price, or unknown")
    for name in ("entry_price", "basis", "target"):
        _require(f"{where}: {name}", ~np.isinf(position[name]), "a number, or unknown")
    _require(f"{where}: room", position["room"] >= 0.0, "at least 0")
    for name in ("over", "under", *DISTANCES):
        known = np.isnan(position[name]) | (0.0 <= position[name] < np.inf)
        _require(f"{where}: {name}", known, "at least 0, or unknown")
    _require(f"{where}: refusal", _is_code(position["refusal"], Reason, none=True), "0 or a Reason")
    _check_flags(where, position, ("unmet", "out", "silent", "chase"))
    _check_rows(where, position, ("entry_row", "traded_row"), account)
    _require(f"{where}: entry_time", position["entry_time"] <= account["time"], "not in the future")


def _check_order(where: str, order: Any, account: Any) -> None:
    for name, codes in (
        ("state", OrderState),
        ("origin", Origin),
        ("type", OrderType),
        ("sizing", Sizing),
        ("tif", TimeInForce),
    ):
        _require(f"{where}: {name}", _is_code(order[name], codes), f"a code of {codes.__name__}")
    _require(f"{where}: id", 0 < order["id"] <= account["n_orders"], "1, 2, 3, ...")
    _require(f"{where}: side", order["side"] in (-1, 1), "1 or -1")
    _require(f"{where}: parent", 0 <= order["parent"] < order["id"], "an earlier order, or 0")
    for name in (
        "qty",
        "value",
        "filled",
        "limit",
        "stop",
        "trail",
        "trail_frac",
        "best",
        "starts_at",
    ):
        _require(f"{where}: {name}", ~np.isinf(order[name]), "a number, or unknown")
    for name in ("raw_fee", "fee"):
        _require(f"{where}: {name}", np.isfinite(order[name]), "a finite number")
    _check_flags(where, order, ("triggered", "reduce_only", "post_only", "logged"))
    _check_rows(where, order, ("row", "active_row", "met_row", "spent_row"), account)
    _require(f"{where}: time", order["time"] <= account["time"], "not after the last row")
    active = order["active_row"] < 0 or order["active_time"] <= account["time"]
    _require(f"{where}: active_time", active, "not after the last row")


def _check_flags(where: str, record: Any, names: Sequence[str]) -> None:
    for name in names:
        _require(f"{where}: {name}", record[name] in (0, 1), "0 or 1")


def _check_rows(where: str, record: Any, names: Sequence[str], account: Any) -> None:
    begun = account["row"] + (account["time"] > account["row_time"])  # reports begin a row
    for name in names:
        _require(f"{where}: {name}", -1 <= record[name] < begun, "a row that has begun")


def _is_code(value: Any, codes: type[IntEnum], *, none: bool = False) -> bool:
    return (none and value == 0) or int(value) in set(codes)


def _require(where: str, holds: Condition, what: str) -> None:
    if not np.all(holds):
        raise StateError(
            f"a snapshot that no engine can have taken: {where}",
            rule=f"it is {what}.",
            fix="Take an older snapshot, or push the rows again.",
        )
