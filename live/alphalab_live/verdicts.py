"""What an answer means for a run: a refusal that the market explains, or one that halts it."""

from __future__ import annotations

from alphalab.codes import Reason
from alphalab.errors import HaltError
from alphalab_live.order_book import LiveOrder
from alphalab_live.venue import Answered

#: What the venue's codes of refusals mean for the books.
REASONS = {
    -2010: Reason.CASH,
    -2018: Reason.CASH,
    -2019: Reason.MARGIN,
    -1013: Reason.MIN_VALUE,
    -4164: Reason.MIN_VALUE,
    -1111: Reason.LOT,
    -4003: Reason.LOT,
    -4005: Reason.LOT,
    -4023: Reason.LOT,
    -4014: Reason.OFF_TICK,
    -2021: Reason.WRONG_SIDE,
    -2022: Reason.NOTHING_TO_REDUCE,
    -5022: Reason.POST_ONLY,
    -5021: Reason.FILL_OR_KILL,
}
CLOCK = frozenset({-1021, -5028})
_KEYS = frozenset({-1022, -2014, -2015})
_BANNED = 418


def stop_if_hopeless(answered: Answered) -> None:
    """Halt where further requests would be refused, or do harm.

    Raises
    ------
    HaltError
        A ban, or a key that the venue does not take.
    """
    if answered.wire.status == _BANNED:
        raise HaltError(
            f"the venue has banned this machine for {answered.wire.retry_after:.0f} s",
            rule="nothing is sent during a ban.",
            fix="Wait for its end; then start with --resume WHY.",
        )
    if answered.reading.code in _KEYS:
        raise HaltError(
            f"the venue refuses the API key (code {answered.reading.code})",
            rule="requests are signed with a key that may trade, from an allowed address.",
            fix="Check key, rights and allowed addresses; then start with --resume WHY.",
        )


def check_explained(order: LiveOrder, answered: Answered) -> None:
    """Halt after a refusal that is none of the clock and none of the key.

    Raises
    ------
    HaltError
        What the venue has said.
    """
    code = answered.reading.code
    if code not in CLOCK | _KEYS:
        told = " ".join(answered.wire.body.decode(errors="replace").split())[:300]
        raise HaltError(
            f"{order.terms.client_id} is refused (code {code}): {told}",
            rule="an order is refused only by a rule of the market.",
            fix="Compare the market at the exchange with the artifact's instrument; then start "
            "with --resume WHY.",
        )
