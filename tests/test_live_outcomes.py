"""What an answer means for an order: only what is on a list counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alphalab_live.outcomes import BINANCE, UNLISTED, Outcome, Request, Wire, read_answer

ID = "al-r-0-1"
GOOD: dict[str, Any] = {"orderId": 77, "clientOrderId": ID, "status": "NEW"}


def outcome(request: Request, status: int, body: Any, protocol: Any = BINANCE) -> Outcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(request, Wire(True, status, content), ID, protocol).outcome


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, GOOD, Outcome.ACKED),
        (200, {"algoId": 5, "clientAlgoId": ID}, Outcome.ACKED),
        (200, GOOD | {"clientOrderId": "al-r-0-2"}, Outcome.UNKNOWN),  # another order's id
        (200, GOOD | {"orderId": None}, Outcome.UNKNOWN),
        (200, GOOD | {"orderId": 0}, Outcome.UNKNOWN),
        (200, GOOD | {"code": -1000}, Outcome.UNKNOWN),
        (200, {}, Outcome.UNKNOWN),
        (200, [], Outcome.UNKNOWN),
        (200, b"", Outcome.UNKNOWN),
        (200, b"<html>ok</html>", Outcome.UNKNOWN),
        (200, b'{"orderId": 77, "clientOr', Outcome.UNKNOWN),
        (200, b"\xff\xfe", Outcome.UNKNOWN),
        (400, {"code": -2010, "msg": "insufficient"}, Outcome.REFUSED),
        (400, {"code": "-1013"}, Outcome.REFUSED),
        (401, {"code": -2015}, Outcome.REFUSED),
        (400, {"code": -1006}, Outcome.UNKNOWN),
        (400, {"code": -1007}, Outcome.UNKNOWN),
        (400, {"code": -9999}, Outcome.UNKNOWN),
        (400, b"<html>", Outcome.UNKNOWN),
        (404, GOOD, Outcome.UNKNOWN),
        (429, {"code": -1003}, Outcome.THROTTLED),
        (400, {"code": -1015}, Outcome.THROTTLED),
        (418, b"", Outcome.THROTTLED),
        (503, {"code": -1008}, Outcome.UNKNOWN),
        (500, {"code": -2010}, Outcome.UNKNOWN),  # a refusal has status 4xx
        (504, b"", Outcome.UNKNOWN),
        (0, b"", Outcome.UNKNOWN),  # no answer came
    ],
)
def test_answers_to_a_submit(status: int, body: Any, expected: Outcome) -> None:
    assert outcome(Request.SUBMIT, status, body) is expected


def test_what_never_left_is_refused() -> None:
    assert read_answer(Request.SUBMIT, Wire(False), ID, BINANCE).outcome is Outcome.REFUSED


def test_queries_and_cancels() -> None:
    gone, late = {"code": -2013}, {"code": -2011}
    assert outcome(Request.QUERY, 200, GOOD) is Outcome.ACKED
    assert outcome(Request.QUERY, 400, gone) is Outcome.ABSENT
    assert outcome(Request.QUERY, 400, late) is Outcome.UNKNOWN
    assert outcome(Request.QUERY, 500, gone) is Outcome.UNKNOWN
    assert outcome(Request.CANCEL, 400, late) is Outcome.ABSENT
    # Spot answers a cancel with a new client id, and the order's own beside it.
    other = GOOD | {"clientOrderId": "cancel1", "origClientOrderId": ID}
    assert outcome(Request.CANCEL, 200, other) is Outcome.ACKED
    done = {"algoId": 5, "clientAlgoId": ID, "code": "200", "msg": "success"}
    assert outcome(Request.CANCEL, 200, done) is Outcome.ACKED
    assert outcome(Request.SUBMIT, 400, gone) is Outcome.UNKNOWN


def test_a_venue_without_a_list_refuses_nothing() -> None:
    assert outcome(Request.SUBMIT, 400, {"code": -2010}, UNLISTED) is Outcome.UNKNOWN
    read = {"id": "7", "clientOrderId": ID}
    assert outcome(Request.SUBMIT, 200, read, UNLISTED) is Outcome.ACKED
    assert outcome(Request.SUBMIT, 200, read | {"id": None}, UNLISTED) is Outcome.UNKNOWN
