"""The certificate of a run: what was fed in gives what was decided, signed by whoever checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alphalab.artifact.envelope import sign
from alphalab.artifact.files import write_file
from alphalab.artifact.format import canonical
from alphalab.artifact.keys import SigningKey
from alphalab.core.events import Pairs, Run
from alphalab.settings import Settings
from alphalab_live.replay import Replayed

CERTIFICATE = "certificate.json"
_TYPE = "application/vnd.alphalab.run-certificate.v1+json"


class Certificate(Settings, frozen=True):
    """What was found when a run was replayed.

    Parameters
    ----------
    run : str
    artifacts, engines : tuple of str
    rows, events : int
        Rows that were pushed, and events of the journal.
    head : str
        Head of the journal, ``SEQ:HASH``: another run, or a changed one, has another head.
    inputs, decisions : str
        SHA-256 over everything that was fed in, and over every decision and intent.
    versions : tuple of (name, version)
        What it was replayed with.
    time : int
        ns UTC.
    """

    run: str
    artifacts: tuple[str, ...]
    engines: tuple[str, ...]
    rows: int
    events: int
    head: str
    inputs: str
    decisions: str
    versions: Pairs
    time: int
    version: Literal[1] = 1


def certificate(found: Replayed, run: Run, head: str, versions: Pairs, *, now: int) -> Certificate:
    """Return the certificate of a replay without a divergence."""
    return Certificate(
        run=run.run,
        artifacts=run.artifacts,
        engines=run.engines,
        rows=found.n_rows,
        events=found.n_events,
        head=head,
        inputs=found.inputs,
        decisions=found.decisions,
        versions=versions,
        time=now,
    )


def write_certificate(folder: Path, made: Certificate, key: SigningKey) -> Path:
    """Write a signed certificate into the folder of a run, and return its path.

    Raises
    ------
    InputError
        It cannot be written.
    """
    path = folder / CERTIFICATE
    envelope = sign(canonical(made), _TYPE, [key])
    write_file(path, envelope.encoded(), replace=True)
    return path
