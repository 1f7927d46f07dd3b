"""Before the first row: the venue's markets are those of the artifacts, in the modes they need."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from alphalab.core.events import Reconcile
from alphalab.core.timeline import Timeline
from alphalab.errors import RefusedError
from alphalab.types import Instrument
from alphalab_live.trader import Trader
from alphalab_live.venue import Modes, Terms, Venue

_EPSILON = 1e-9


def check_terms(venue: Venue, traders: Sequence[Trader]) -> None:
    """Refuse markets whose rules are others than those that the artifacts were tested with.

    Every order on the artifact's grid has to be on the venue's: a tick or a lot of the artifact is
    a multiple of the venue's, and its smallest order is not below the venue's.

    Raises
    ------
    RefusedError
        All that differs.
    """
    found = [
        f"{instrument.symbol}: {text}"
        for trader in traders
        for instrument in _in_force(trader, venue.now())
        for text in term_differences(instrument, venue.terms(instrument.symbol))
    ]
    if found:
        raise RefusedError(
            "; ".join(found),
            rule="an artifact trades the market that it was validated on.",
            fix="Validate and promote it with the instruments as the venue lists them now.",
        )


def _in_force(trader: Trader, now: int) -> Sequence[Instrument]:
    """Return the instruments of an engine after the changes that have come."""
    timeline = Timeline(trader.engine.instruments, trader.engine.changes)
    return timeline.states[int(np.searchsorted(timeline.times, now))]


def term_differences(instrument: Instrument, terms: Terms) -> Iterator[str]:
    """Yield what differs between an instrument and a market of the venue; NaN: it does not tell.

    Examples
    --------
    >>> market = Terms("spot", "USDT", True, tick=0.01, lot=0.001, least=0.001, min_value=10.0)
    >>> asset = Instrument(symbol="X", currency="USDT", tick=0.1, lot=0.0015, min_value=5.0)
    >>> for text in term_differences(asset, market):
    ...     print(text)
    lot 0.0015, and the venue's is 0.001
    minimum value 5, and the venue's is 10
    """
    if not terms.is_active:
        yield "the venue does not trade it now"
    if terms.kind != instrument.kind:
        yield f"{instrument.kind}, and the venue lists it as {terms.kind}"
    if terms.currency != instrument.currency:
        yield f"counts in {instrument.currency}, and at the venue in {terms.currency}"
    if terms.multiplier != instrument.multiplier:
        yield f"multiplier {instrument.multiplier:g}, and the venue's is {terms.multiplier:g}"
    for name, ours, theirs in (
        ("tick", instrument.tick, terms.tick),
        ("lot", instrument.lot, terms.lot),
    ):
        if not (math.isnan(theirs) or _is_multiple(ours, theirs)):
            yield f"{name} {ours:g}, and the venue's is {theirs:g}"
    if terms.least > instrument.lot * (1 + _EPSILON):
        yield f"lot {instrument.lot:g}, and the venue's smallest order is {terms.least:g}"
    if terms.min_value > instrument.min_value * (1 + _EPSILON):
        yield f"minimum value {instrument.min_value:g}, and the venue's is {terms.min_value:g}"


def _is_multiple(ours: float, theirs: float) -> bool:
    steps = ours / theirs
    return steps > 0.5 and abs(steps - round(steps)) < _EPSILON * steps


async def set_modes(
    venue: Venue, traders: Sequence[Trader], *, tell: Callable[[str], None]
) -> list[Reconcile]:
    """Set leverage, margin mode and position mode of contracts where they differ; return what was.

    Positions are one-way and margin is crossed: those are the books of an engine. The leverage is
    that of the artifact's margin account, and 1 of its cash account.

    Raises
    ------
    RefusedError
        The venue keeps another mode.
    VenueError
        It does not answer, or refuses to change a mode.
    """
    changed = []
    for trader in traders:
        margin = trader.engine.settings.margin
        leverage = 1 if margin is None else max(math.floor(margin.leverage + _EPSILON), 1)
        for instrument in trader.engine.instruments:
            if instrument.kind == "spot":
                continue
            wanted = Modes(leverage=leverage, crossed=True, one_way=True)
            before = await venue.modes(instrument.symbol)
            if None in before:
                tell(f"{instrument.symbol}: {venue.name} tells {before}; it needs {wanted}")
            if not _fits(before, wanted):
                await venue.set_modes(instrument.symbol, before, wanted)
                after = await venue.modes(instrument.symbol)
                if not _fits(after, wanted):
                    raise RefusedError(
                        f"{instrument.symbol}: {after}",
                        rule=f"the artifact trades with {wanted}.",
                        fix="Close positions and orders of the symbol, and set it at the exchange.",
                    )
                changed.append(
                    Reconcile(
                        subject=f"modes of {instrument.symbol}",
                        expected=str(wanted),
                        found=str(before),
                        action="set",
                    )
                )
    return changed


def _fits(told: Modes, wanted: Modes) -> bool:
    """Return True if nothing that the venue tells differs."""
    return all(a is None or a == b for a, b in zip(told, wanted, strict=True))
