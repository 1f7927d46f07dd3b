"""`Bookkeeper`: keeps the books of a run in step with the venue's own lists."""

from __future__ import annotations

import math
import time

from alphalab.errors import HaltError, VenueError
from alphalab_live.control import Control, Trouble
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
    control : Control
    """

    def __init__(
        self,
        recorder: Recorder,
        venue: Venue,
        settings: LiveSettings,
        control: Control,
    ) -> None:
        self._recorder, self._venue, self._settings = recorder, venue, settings
        self._settlement = Settlement(recorder.session, venue)
        self._control = control
        self._compared = -math.inf  # time.monotonic

    async def settle(self, *, everything: bool = False) -> None:
        """Book what has happened at the venue; `everything`: also where nothing is expected.

        A shadow run has nothing there.

        Raises
        ------
        VenueError
            It does not answer, and the run is only starting.
        HaltError
            A trade of an order that this run has not sent.
        """
        if not self._recorder.session.sends:
            return
        try:
            reports = await self._settlement.collect(everything=everything)
        except VenueError as error:
            self._fail(error)
            return
        if everything:  # else there may have been nothing to ask for
            self._control.ends(Trouble.VENUE)
        if reports:
            self._recorder.book(reports)

    async def compare_if_due(self) -> None:
        """Compare, unless that was done within the last `settle_seconds`, and the venue answers."""
        late = time.monotonic() - self._compared > self._settings.settle_seconds
        if (late or self._control.has(Trouble.VENUE)) and self._recorder.session.sends:
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
        self._control.begins(Trouble.VENUE, error.what)
