"""Faults on demand: what goes wrong, where, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that goes wrong with a request or an event.

    Parameters
    ----------
    on : str
        What it happens to, with ``*`` and ``?`` as in file names: ``"POST /api/v3/order"``,
        ``"stream spot btcusdt@kline_1m"``, ``"user linear ORDER_TRADE_UPDATE"``.
    do : str
        Requests. ``lose``: the connection ends without an answer. ``cut``: it ends in the middle of
        the body. ``html``: 200 with a page. ``empty``: 200 without a body. ``object``: 200 with
        ``{}``. ``answer``: `status`, `code` and `msg`. ``change``: `fields` overwrite those of the
        answer. ``delay``: the answer comes `seconds` later. ``twice``: the request arrives twice.

        Events. ``drop``, ``twice``, ``delay``, ``change`` (also of an event), ``hold``: it comes
        after the next one; ``close``: the connection is closed instead; ``expire``: the key of the
        stream expires, and the stream falls silent.
    done : bool
        True: the request has taken effect before its answer is spoiled. False: it has not.
    times : int
        How often it happens.
    skip : int
        Matches that are let through before.
    seconds : float
        Of a delay.
    status, code, msg, retry_after
        Of an ``answer``.
    fields : dict
        Of a ``change``.
    """

    on: str
    do: Literal[
        "lose", "cut", "html", "empty", "object", "answer", "change", "delay", "twice",
        "drop", "hold", "close", "expire",
    ]  # fmt: skip
    done: bool = True
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 503
    code: int = -1007
    msg: str = (
        "Timeout waiting for response from backend server. Send status unknown; execution status "
        "unknown."
    )
    retry_after: int | None = None
    fields: dict[str, Any] = {}


class Faults:
    """The faults that have still to happen."""

    def __init__(self) -> None:
        self._waiting: list[list[Any]] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """Add faults; of several that match, the one that was added first happens."""
        self._waiting += [[fault, fault.skip, fault.times] for fault in faults]

    def clear(self) -> None:
        """Forget all faults."""
        self._waiting.clear()

    def take(self, subject: str) -> Fault | None:
        """Return the fault that happens to a subject now.

        Examples
        --------
        >>> faults = Faults()
        >>> faults.add([Fault(on="POST *order", do="lose", skip=1)])
        >>> [faults.take("POST /api/v3/order") is not None for _ in range(3)]
        [False, True, False]
        """
        for waiting in self._waiting:
            fault, skip, _ = waiting
            if not fnmatchcase(subject, fault.on):
                continue
            if skip > 0:
                waiting[1] -= 1
                continue
            waiting[2] -= 1
            self._waiting = [x for x in self._waiting if x[2] > 0]
            return fault  # type: ignore[no-any-return]
        return None
