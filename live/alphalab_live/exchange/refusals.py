"""Refused requests: code, message and HTTP status, as the exchange answers them."""

from __future__ import annotations

from alphalab.codes import Reason


class Refused(Exception):
    """A request that the exchange refuses.

    Parameters
    ----------
    code : int
        The exchange's error code.
    message : str
    status : int
        HTTP status.
    retry_after : int, optional
        Seconds that the client has to wait.
    """

    def __init__(
        self, code: int, message: str, status: int = 400, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.status = code, message, status
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, object]:
        """The answer."""
        return {"code": self.code, "msg": self.message}


def missing(name: str) -> Refused:
    """Return the refusal of a request without a mandatory parameter."""
    return Refused(
        -1102,
        f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
    )


#: Refusals of an order by the rules of the market, spot and USD-M futures.
_SPOT = {
    Reason.MIN_VALUE: (-1013, "Filter failure: NOTIONAL"),
    Reason.LOT: (-1013, "Filter failure: LOT_SIZE"),
    Reason.OFF_TICK: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.BAD_QUANTITY: (-1013, "Invalid quantity."),
    Reason.BAD_PRICE: (-1013, "Invalid price."),
    Reason.NO_PRICE: (-1013, "Market is closed."),
    Reason.TOO_MANY_ORDERS: (-1013, "Filter failure: MAX_NUM_ORDERS"),
    Reason.WRONG_SIDE: (-2010, "Stop price would trigger immediately."),
    Reason.NOTHING_TO_REDUCE: (-2010, "Account has insufficient balance for requested action."),
    Reason.CASH: (-2010, "Account has insufficient balance for requested action."),
}
_LINEAR = {
    Reason.MIN_VALUE: (-4164, "Order's notional must be no smaller than {min_value} (unless you "
                              "choose reduce only)."),
    Reason.LOT: (-1111, "Precision is over the maximum defined for this asset."),
    Reason.OFF_TICK: (-4014, "Price not increased by tick size."),
    Reason.BAD_QUANTITY: (-4003, "Quantity less than or equal to zero."),
    Reason.BAD_PRICE: (-4001, "Price less than or equal to zero."),
    Reason.NO_PRICE: (-4141, "Symbol is closed."),
    Reason.TOO_MANY_ORDERS: (-2025, "Reach max open order limit."),
    Reason.WRONG_SIDE: (-2021, "Order would immediately trigger."),
    Reason.NOTHING_TO_REDUCE: (-2022, "ReduceOnly Order is rejected."),
    Reason.MARGIN: (-2019, "Margin is insufficient."),
}  # fmt: skip


def refusal_of(kind: str, reason: Reason, min_value: str) -> Refused:
    """Return the refusal of an order that a rule of the market refuses.

    Parameters
    ----------
    kind : str
        ``"spot"`` or ``"linear"``.
    reason : Reason
        The rule that it breaks.
    min_value : str
        Smallest value of an order.

    Examples
    --------
    >>> refusal_of("linear", Reason.MIN_VALUE, "100").body["code"]
    -4164
    """
    code, message = (_SPOT if kind == "spot" else _LINEAR)[reason]
    return Refused(code, message.format(min_value=min_value))
