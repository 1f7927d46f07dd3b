"""The folder of a run: its journal, copies of its artifacts, the commands of operators.

::

    run.journal     everything that happened (`alphalab.core.events`)
    artifacts/0/    what is traded, as it was when the run began
    commands/       what operators ask for, one file each, until it is journalled
    observations/   what observers tell, the same way
    KILL            nothing is sent while this file is there
"""

from __future__ import annotations

import hashlib
import os
import shutil
from base64 import b32encode
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from alphalab.artifact.files import files_below, read_regular, write_file, write_folder
from alphalab.artifact.format import MANIFEST, MOST_TEXT_BYTES, Manifest
from alphalab.artifact.open import Artifact
from alphalab.core.events import RUN_EVENTS, Command, Pairs, Run
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import ArtifactError, InputError, JournalError, RefusedError

JOURNAL = "run.journal"
_ARTIFACTS, _COMMANDS, _OBSERVATIONS, _KILL = "artifacts", "commands", "observations", "KILL"
COMMANDS = ("pause", "resume", "stop", "flatten", "kill")


class RunFolder(NamedTuple):
    """The folder of a run."""

    path: Path

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.path / JOURNAL

    @property
    def observations(self) -> Path:
        """Where observers leave what they tell."""
        return self.path / _OBSERVATIONS

    @property
    def exists(self) -> bool:
        """True if a run was begun here: its journal has an event."""
        if not self.journal.is_file():
            return False
        try:
            with JournalReader(self.journal, RUN_EVENTS) as reader:
                return reader.head.seq > 0
        except JournalError:  # it is being made, or its making was killed; `begin` looks closer
            return False

    def artifact(self, place: int) -> Path:
        """Return the copy of an artifact."""
        return self.path / _ARTIFACTS / str(place)

    def manifest(self, place: int) -> Manifest:
        """Return the manifest of the copy of an artifact, unverified.

        Raises
        ------
        ArtifactError
            It is not there, or none.
        """
        path = self.artifact(place) / MANIFEST
        try:
            return msgspec.json.decode(read_regular(path, MOST_TEXT_BYTES), type=Manifest)
        except msgspec.MsgspecError as error:
            raise ArtifactError(f"{path}: {error}", fix="Restore the folder of the run.") from None

    def name_of(self, place: int) -> str:
        """Return the name of an artifact; its place where its copy is not there."""
        try:
            return self.manifest(place).name
        except ArtifactError:
            return str(place)

    def begin(
        self, artifacts: Sequence[Artifact], *, venue: str, account: str, now: int
    ) -> Journal:
        """Begin a run: copy its artifacts and make its journal.

        Parameters
        ----------
        artifacts : sequence of Artifact
        venue, account : str
        now : int
            ns UTC; it makes the id of the run another one for each start.

        Raises
        ------
        InputError
            A folder that cannot be written.
        """
        meta = {"venue": venue, "account": account}
        if not self.journal.exists():  # a start that was killed has left an empty one
            ids = [artifact.id for artifact in artifacts]
            meta["run"] = run_id(ids, venue, account, now)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / _COMMANDS).mkdir(mode=0o700, exist_ok=True)
            self.observations.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            what = f"{self.path}: {error.strerror}"
            raise InputError(what, fix="Choose another folder.") from None
        journal = self._open(meta)
        try:
            for place, artifact in enumerate(artifacts):
                shutil.rmtree(self.artifact(place), ignore_errors=True)
                names = files_below(artifact.folder)
                contents = {name: (artifact.folder / name).read_bytes() for name in names}
                write_folder(self.artifact(place), contents)
        except BaseException:
            journal.close()
            raise
        return journal

    def go_on(self) -> Journal:
        """Open the journal of a run to go on with it.

        Raises
        ------
        JournalError
            Another process runs it, or it is damaged.
        """
        journal = self._open({})
        damage = journal.verify()
        if damage is not None:
            journal.close()
            raise JournalError(
                f"{self.journal}: {damage}",
                rule="a run goes on only with the journal that it has written.",
                fix="Restore the file; or close what the run holds, and begin a new run.",
            )
        return journal

    def first_start(self) -> Run:
        """Return the first start of the run.

        Raises
        ------
        InputError
            No run was begun here.
        JournalError
            The journal does not begin with a start.
        """
        with self.reader() as reader:
            first = next((event for _, event in reader.events()), None)
        if not isinstance(first, Run):
            raise JournalError(
                f"{self.journal} does not begin with a start",
                fix="The first start did not come far: begin a new run.",
            )
        return first

    def reader(self) -> JournalReader:
        """Open the journal to read it.

        Raises
        ------
        InputError
            No run was begun here.
        """
        if not self.exists:
            raise InputError(
                f"{self.path} is no run",
                rule="a run is a folder that alphalab live run made.",
                fix="Check the path.",
            )
        return JournalReader(self.journal, RUN_EVENTS)

    def _open(self, meta: dict[str, str]) -> Journal:
        try:
            return Journal(self.journal, RUN_EVENTS, meta=meta)
        except JournalError as error:
            error.add_note(f"the run in {self.path}")
            raise

    # ---- commands

    @property
    def is_killed(self) -> bool:
        """True while the file KILL is there."""
        return os.path.exists(self.path / _KILL)

    def kill(self) -> None:
        """Make the file KILL: the runner sends nothing from then on, whatever it is doing."""
        (self.path / _KILL).touch(exist_ok=True)

    def revive(self) -> None:
        """Remove the file KILL."""
        (self.path / _KILL).unlink(missing_ok=True)

    def command(self, name: str, arguments: Pairs, *, who: str, now: int) -> None:
        """Leave a command for the runner of this folder.

        Raises
        ------
        InputError
            A name that is no command, or a folder that cannot be written.
        """
        if name not in COMMANDS:
            raise InputError(f"command {name!r}", rule=f"commands are {', '.join(COMMANDS)}.")
        if name == "kill":
            self.kill()
        made = Command(name=name, arguments=arguments, who=who, signature=b"")
        write_file(
            self.path / _COMMANDS / f"{now:020d}-{name}.msgpack",
            msgspec.msgpack.encode(made),
            mode=0o600,
        )

    def commands(self) -> list[tuple[Path, Command]]:
        """Return the commands that are not taken yet, oldest first.

        Raises
        ------
        RefusedError
            A file that is no command.
        """
        folder, found = self.path / _COMMANDS, []
        try:
            names = os.listdir(folder)  # many times a second: a glob takes ten times as long
        except FileNotFoundError:
            return []
        for name in sorted(x for x in names if x.endswith(".msgpack")):
            path = folder / name
            try:
                found.append((path, msgspec.msgpack.decode(path.read_bytes(), type=Command)))
            except msgspec.MsgspecError:
                raise RefusedError(
                    f"{path} is no command",
                    rule="commands are left by alphalab live stop.",
                    fix="Remove it, and see who wrote it.",
                ) from None
        return found


def run_id(artifacts: Sequence[str], venue: str, account: str, now: int) -> str:
    """Return the id of a run: eight letters and digits, another one for each start.

    Examples
    --------
    >>> run_id(["a" * 64], "paper", "main", 1)
    'n32w4zdw'
    """
    text = "\n".join([*artifacts, venue, account, str(now)])
    return b32encode(hashlib.sha256(text.encode()).digest()[:5]).decode().lower()
