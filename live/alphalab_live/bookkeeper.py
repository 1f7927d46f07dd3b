"""`Bookkeeper`: keeps the books of a run in step with the venue's own lists."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from alphalab.errors import HaltError, VenueError
from alphalab_live.reconcile import differences
from alphalab_live.recorder import Recorder
from alphalab_live.settings import LiveSettings
from alphalab_live.settle import Settlement
from alphalab_live.states import STARTING
from alphalab_live.venue import Venue


class Bookkeeper:
    """Settles with the venue, and compares the books with it.

    Parameters
    ----------
    recorder : Recorder
    venue : Venue
    settings : LiveSettings
    started : int
        Start of the run, ns: nothing before it is the run's.
    degrade : callable
        Called with the reason when the venue does not answer, or answers nonsense.

    Attributes
    ----------
    answers : bool
        Whether the venue has answered the last time.
    """

    def __init__(
        self,
        recorder: Recorder,
        venue: Venue,
        settings: LiveSettings,
        started: int,
        degrade: Callable[[str], None],
    ) -> None:
        self._recorder, self._venue, self._settings = recorder, venue, settings
        self._settlement = Settlement(recorder.session, venue, started)
        self._degrade = degrade
        self._compared = -math.inf  # time.monotonic
        self.answers = True

    async def settle(self, *, everything: bool = False) -> None:
        """Book what has happened at the venue; `everything`: also where nothing is expected.

        Raises
        ------
        VenueError
            It does not answer, and the run is only starting.
        HaltError
            A trade of an order that this run has not sent.
        """
        try:
            reports = await self._settlement.collect(everything=everything)
        except VenueError as error:
            self._fail(error)
            return
        self.answers = True
        if reports:
            self._recorder.book(reports)

    async def compare_if_due(self) -> None:
        """Compare, unless that was done within the last `settle_seconds`."""
        if time.monotonic() - self._compared > self._settings.settle_seconds:
            await self.settle(everything=True)
            await self.compare()

    async def compare(self) -> None:
        """Compare open orders, positions and cash with the venue; settle once more, then halt.

        Raises
        ------
        HaltError
            What differs, and what to do.
        """
        session = self._recorder.session
        try:
            found = await differences(session, self._venue, self._settings)
            if found:
                await self.settle(everything=True)
                found = await differences(session, self._venue, self._settings)
        except VenueError as error:
            self._fail(error)
            return
        self._compared = time.monotonic()
        if found:
            self._recorder.note(*found)
            raise HaltError(
                "; ".join(f"{x.subject}: {x.expected} expected, {x.found} found" for x in found),
                rule="the venue has what the books have.",
                fix=" ".join(dict.fromkeys(x.action for x in found)),
            )

    def _fail(self, error: VenueError) -> None:
        if self._recorder.session.state in STARTING:
            raise error
        self.answers = False
        self._degrade(error.what)
