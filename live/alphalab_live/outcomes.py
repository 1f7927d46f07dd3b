"""What an answer of the venue means for an order, by a list of known answers.

The exception that ccxt raises is never looked at: an answer that is cut in the middle raises the
same class as a refusal, and a web page with status 200 gives an order without an id. An answer
that is not on a list leaves the order unknown, and the runner queries it by its client id.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec


class Outcome(StrEnum):
    """What is known of a request after its answer.

    Attributes
    ----------
    ACKED
        The venue has the order. Of a cancel: it has ended the order.
    REFUSED
        The venue has refused it, for good.
    THROTTLED
        The venue has not looked at it; it may be sent again after a wait.
    ABSENT
        Of a query or a cancel: the venue knows no such living order.
    UNKNOWN
        Anything else: the venue may have it or not.
    """

    ACKED = "acked"
    REFUSED = "refused"
    THROTTLED = "throttled"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Request(StrEnum):
    """The requests about an order."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    QUERY = "query"


class Wire(NamedTuple):
    """What went over the wire.

    Attributes
    ----------
    sent : bool
        False: the client refused the request before anything left.
    status : int
        HTTP status; 0: no whole answer came.
    body : bytes
    retry_after : float
        Seconds that the venue asks to wait; 0: it does not.
    """

    sent: bool
    status: int = 0
    body: bytes = b""
    retry_after: float = 0.0


class Reading(NamedTuple):
    """The outcome, the venue's code of a refusal (0: none) and its id of the order."""

    outcome: Outcome
    code: int = 0
    venue_id: str = ""


class Protocol(NamedTuple):
    """How a venue writes its answers.

    Attributes
    ----------
    ids, client_ids : tuple of str
        Names of the fields of an order that hold its ids.
    code : str
        Name of the field that holds the code of a refusal.
    refused, throttled, absent, too_late : frozenset of int
        Codes of refusals that are final; of requests that were not looked at; of orders that do
        not exist; of cancels of orders that are no longer open.
    """

    ids: tuple[str, ...]
    client_ids: tuple[str, ...]
    code: str
    refused: frozenset[int]
    throttled: frozenset[int]
    absent: frozenset[int]
    too_late: frozenset[int]


#: Binance spot and USD-M, https://developers.binance.com/docs (error codes).
BINANCE = Protocol(
    ids=("orderId", "algoId"),
    client_ids=("clientOrderId", "clientAlgoId", "origClientOrderId"),
    code="code",
    refused=frozenset(
        {-1013, -1021, -1022, -1100, -1101, -1102, -1106, -1111, -1115, -1116, -1117, -1121}
        | {-2010, -2014, -2015, -2018, -2019, -2020, -2021, -2022, -2025, -2027}
        | {-4003, -4005, -4014, -4015, -4023, -4116, -4131, -4140, -4164, -5021, -5022, -5028}
    ),
    throttled=frozenset({-1003, -1015}),
    absent=frozenset({-2013}),
    too_late=frozenset({-2011}),
)

#: A venue whose raw answers have no list here: only what ccxt reads from them counts.
UNLISTED = Protocol(
    ids=("id",),
    client_ids=("clientOrderId",),
    code="code",
    refused=frozenset(),
    throttled=frozenset(),
    absent=frozenset(),
    too_late=frozenset(),
)


def read_answer(request: Request, wire: Wire, client_id: str, protocol: Protocol) -> Reading:
    """Return what an answer means for the order with a client id.

    Examples
    --------
    >>> good = Wire(True, 200, b'{"orderId": 7, "clientOrderId": "al-r-1"}')
    >>> read_answer(Request.SUBMIT, good, "al-r-1", BINANCE).outcome.value
    'acked'
    >>> read_answer(Request.SUBMIT, good, "al-r-2", BINANCE).outcome.value
    'unknown'
    >>> read_answer(Request.SUBMIT, Wire(True, 200, b"<html>"), "al-r-1", BINANCE).outcome.value
    'unknown'
    """
    if not wire.sent:
        return Reading(Outcome.REFUSED)
    content = _object(wire.body)
    if 200 <= wire.status < 300:
        return _accepted(content, client_id, protocol)
    code = _integer(content.get(protocol.code)) or 0
    if wire.status in (418, 429):
        return Reading(Outcome.THROTTLED, code)
    if not 400 <= wire.status < 500:
        return Reading(Outcome.UNKNOWN, code)
    if code in protocol.throttled:
        return Reading(Outcome.THROTTLED, code)
    if request is Request.SUBMIT:
        known = code in protocol.refused
        return Reading(Outcome.REFUSED if known else Outcome.UNKNOWN, code)
    absent = protocol.absent if request is Request.QUERY else protocol.absent | protocol.too_late
    if code in absent:
        return Reading(Outcome.ABSENT, code)
    return Reading(Outcome.UNKNOWN, code)


def _accepted(content: Mapping[str, Any], client_id: str, protocol: Protocol) -> Reading:
    ids = [str(content[name]) for name in protocol.ids if content.get(name)]
    named = [content[name] for name in protocol.client_ids if content.get(name)]
    if protocol.code in content and _integer(content[protocol.code]) not in (0, 200):
        return Reading(Outcome.UNKNOWN)
    if len(ids) != 1 or not ids[0].strip("-").isalnum() or client_id not in named:
        return Reading(Outcome.UNKNOWN)
    return Reading(Outcome.ACKED, 0, ids[0])


def _object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a body; empty for anything else."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _integer(value: Any) -> int | None:
    """Return a code as a number; venues write it as a number or as text."""
    if isinstance(value, int):
        return value
    text = str(value).strip()
    return int(text) if text.lstrip("-").isdigit() else None
