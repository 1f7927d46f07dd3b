"""Events of a run as sentences for an operator."""

from __future__ import annotations

from functools import singledispatch

from alphalab.codes import REASONS, Posting, Reason, ReportKind
from alphalab.core.event_codec import Event
from alphalab.core.events import (
    Answer,
    Command,
    History,
    Intent,
    Observation,
    Reconcile,
    Report,
    Row,
    Run,
    State,
)
from alphalab_live.observed import value_of
from alphalab_live.outcomes import Outcome
from alphalab_live.trader import ledger_of


def sentence(event: Event, *, rows: bool = False) -> str:
    """Return an event as one line; empty for what an operator need not see.

    Examples
    --------
    >>> sentence(State(before="RUNNING", after="HALTED", reason="disk full"))
    'RUNNING -> HALTED: disk full'
    """
    if isinstance(event, Row):
        if not rows:
            return ""
        return f"engine {event.engine}: equity {float(ledger_of(event)['equity']):,.2f}"
    return _said(event)


@singledispatch
def _said(event: Event) -> str:
    return ""


@_said.register
def _(event: Run) -> str:
    names = ", ".join(symbol for symbols in event.symbols for symbol in symbols)
    kind = "trading" if event.sends else "shadow, nothing is sent:"
    return f"start of {event.run} on {event.venue}/{event.account}, {kind} {names}"


@_said.register
def _(event: State) -> str:
    return f"{event.before} -> {event.after}: {event.reason}"


@_said.register
def _(event: History) -> str:
    return f"engine {event.engine}: {len(event.times) // 8} rows of history"


@_said.register
def _(event: Observation) -> str:
    about = f" of {event.symbol}" if event.symbol else ""
    return f"{event.name}{about}: {value_of(event):g}"


@_said.register
def _(event: Intent) -> str:
    prices = "".join(
        f" {name} {value:g}"
        for name, value in (("at", event.price), ("stop", event.stop), ("trailing", event.trail))
        if value == value
    )
    return (
        f"{event.client_id}: {event.action} {event.order_type} {event.qty:+g} {event.symbol}"
        f"{prices}"
    )


@_said.register
def _(event: Answer) -> str:
    if event.outcome == Outcome.ACKED:
        return ""
    return f"{event.client_id}: {event.request} {event.outcome} (status {event.status})"


@_said.register
def _(event: Report) -> str:
    kind, reason = ReportKind(event.kind), REASONS.get(Reason(event.code)) if event.code else ""
    match kind:
        case ReportKind.EXECUTED:
            return f"{event.client_id}: {event.qty:+g} at {event.price:g}, fee {event.fee:g}"
        case ReportKind.POSTED:
            return f"{Posting(event.code).name.lower()} {event.amount:+g}"
        case ReportKind.ACCEPTED:
            return ""
        case ReportKind.COMMAND:
            return "flatten" if event.code else "trade again"
    name = event.client_id or f"order {event.order} of engine {event.engine}"
    return f"{name}: {kind.name.lower()}" + (f", {reason}" if reason else "")


@_said.register
def _(event: Command) -> str:
    given = " ".join(f"{name}={value}" for name, value in event.arguments)
    return f"{event.name} {given}".rstrip() + f", by {event.who}"


@_said.register
def _(event: Reconcile) -> str:
    return f"{event.subject}: {event.expected} expected, {event.found} found; {event.action}"
