"""`Control`: the state of a run, and what operators and observers leave in its folder."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from alphalab.codes import Reason, ReportKind
from alphalab.core.events import Reconcile
from alphalab.errors import AlphalabError
from alphalab_live.observing import observations
from alphalab_live.recorder import Recorder
from alphalab_live.reports import report_of
from alphalab_live.run_folder import RunFolder
from alphalab_live.states import RIGHTS, RunState


class End(Exception):
    """The run ends here: it was killed by a command."""


class Trouble(Enum):
    """What makes a run reduce only, until it is over."""

    STREAM = "a stream is closed"
    VENUE = "the venue does not answer, or answers nonsense"
    LATE = "rows come late"


class Control:
    """Changes the state of a run: by commands, and by what goes wrong.

    Parameters
    ----------
    folder : RunFolder
    recorder : Recorder
    tell : callable
        Called with lines for the operator.

    Attributes
    ----------
    stopping : bool
        The run stops after what is being done.
    """

    def __init__(self, folder: RunFolder, recorder: Recorder, tell: Callable[[str], None]) -> None:
        self._folder, self._recorder, self._session = folder, recorder, recorder.session
        self.tell = tell
        self.stopping = False
        self._troubles: set[Trouble] = set()

    def begins(self, trouble: Trouble, reason: str = "") -> None:
        """Open and add nothing from now on."""
        self._troubles.add(trouble)
        if self._session.state is RunState.RUNNING:
            self._recorder.change(RunState.DEGRADED, reason or trouble.value)
            self.tell(f"DEGRADED: {reason or trouble.value}")

    def ends(self, trouble: Trouble) -> None:
        """Note that a trouble is over."""
        self._troubles.discard(trouble)

    def has(self, trouble: Trouble) -> bool:
        """Return True while a trouble lasts."""
        return trouble in self._troubles

    def recover(self) -> None:
        """Trade again if no trouble is left."""
        if self._session.state is RunState.DEGRADED and not self._troubles:
            self._recorder.change(RunState.RUNNING, "rows are current, and the venue answers")

    def check(self) -> None:
        """Take the commands of operators; called before every request that sends something.

        Raises
        ------
        End
            The run was killed.
        """
        for path, command in self._folder.commands():
            self._recorder.note(command, durable=True)
            path.unlink()
            self._obey(command.name)
        if self._folder.is_killed:
            self._recorder.change(RunState.KILLED, "the file KILL is there")
            raise End

    def take_observations(self) -> None:
        """Journal what observers have told since the last time."""
        run = self._session.run
        if run is None or not run.observes:
            return
        known = max(self._recorder.now(), self._session.observed.last)
        for path, event in observations(self._folder, run, known):
            self._recorder.note(event, durable=True)
            path.unlink()
            if isinstance(event, Reconcile):
                self.tell(f"{event.subject} was left out: {event.found}")

    def _obey(self, name: str) -> None:
        state = self._session.state
        if name == "pause" and state in (RunState.RUNNING, RunState.DEGRADED):
            self._recorder.change(RunState.PAUSED, "command")
        elif name == "resume" and state in (RunState.PAUSED, RunState.FLATTENING):
            self.unlock()
            self._recorder.change(RunState.RUNNING, "command")
        elif name == "stop":
            self.stopping = True
        elif name == "flatten" and RIGHTS[state].reduce:
            self._command(int(Reason.COMMANDED))
            self._recorder.change(RunState.FLATTENING, "command")

    def unlock(self) -> None:
        """Let the engines trade again after they were flattened."""
        self._command(0)

    def _command(self, code: int) -> None:
        """Flatten and lock the accounts of the engines, or undo that (0)."""
        if self._session.sends:
            now = self._recorder.now()
            self._recorder.book(
                [report_of(t, ReportKind.COMMAND, now, code=code) for t in self._session.traders]
            )

    def end_flattening(self) -> None:
        """Stop a run that was to be flattened once nothing is held, and no order lives."""
        if self._session.state is not RunState.FLATTENING or self._session.orders.living():
            return
        if all(trader.is_flat for trader in self._session.traders):
            self.tell("flat")
            self.stopping = True

    def halt(self, error: AlphalabError) -> bool:
        """Journal that the run has halted; return False if it has ended before."""
        if self._session.state in (RunState.HALTED, RunState.KILLED, RunState.STOPPED):
            return False
        self._recorder.change(RunState.HALTED, error.what)
        return True
