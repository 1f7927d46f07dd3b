"""Signatures of requests: HMAC-SHA256 over the parameters as they were sent."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

from alphalab_live.exchange.refusals import Refused, missing

WINDOW = 5000  # ms that a timestamp may lie in the past, if the request names no other
AHEAD = 1000  # ms that a timestamp may lie in the future


def check_signed(secret: str, payload: str, signature: str | None) -> None:
    """Refuse a wrong signature.

    Parameters
    ----------
    secret : str
    payload : str
        What was signed: the parameters of the request in the order in which they were sent,
        without the signature.
    signature : str or None
        64 hex digits.

    Raises
    ------
    Refused
        -1102 without a signature, -1022 with a wrong one.
    """
    if not signature:
        raise missing("signature")
    if not hmac.compare_digest(sign(secret, payload).encode(), signature.encode()):
        raise Refused(-1022, "Signature for this request is not valid.")


def sign(secret: str, payload: str) -> str:
    """Return the signature of a payload, 64 hex digits.

    Examples
    --------
    >>> sign("secret", "symbol=BTCUSDT&timestamp=1")[:8]
    'ef9d3d77'
    """
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def sorted_payload(params: Mapping[str, object]) -> str:
    """Return the payload of a request over the WebSocket API: its parameters, keys sorted."""
    return urlencode({key: params[key] for key in sorted(params) if key != "signature"})


def check_time(params: Mapping[str, object], now: int) -> None:
    """Refuse a timestamp that is too old, or in the future.

    Parameters
    ----------
    params : mapping of str to object
        ``timestamp`` (ms) and, if the client sets it, ``recvWindow`` (ms).
    now : int
        ms.

    Raises
    ------
    Refused
        -1102 without a timestamp, -1131 with a window over a minute, -1021 outside of the window.
    """
    try:
        at, window = int(str(params["timestamp"])), int(str(params.get("recvWindow", WINDOW)))
    except (KeyError, ValueError):
        raise missing("timestamp") from None
    if window > 60_000:
        raise Refused(-1131, "recvWindow must be less than 60000.")
    if at >= now + AHEAD:
        raise Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - at > window:
        raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
