"""`reproduce`: run the backtest of an artifact from the artifact alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec
import numpy as np

from alphalab.artifact.ledger import uncounted
from alphalab.artifact.open import Artifact
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.errors import ArtifactError, DataError, UnknownNameError
from alphalab.research.run.backtest import backtest


class Reproduction(NamedTuple):
    """The digest of an artifact, and the one that its backtest has here."""

    expected: str
    found: str

    @property
    def same(self) -> bool:
        """True if they agree: every bit of equity, positions and fills."""
        return self.expected == self.found


def reproduce(
    artifact: Artifact, *, store: str | None = None, pins: Collection[str] = ()
) -> Reproduction:
    """Run the backtest of an artifact again, and compare the digests.

    Parameters
    ----------
    artifact : Artifact
    store : str, optional
        Where the data lies, if it is in a store: see `alphalab.load`.
    pins : collection of str
        Source files that may run: see `Artifact.make_strategy`.

    Raises
    ------
    ArtifactError
        Data that no longer exists, or is not what it was; source that is not pinned.
    """
    strategy = artifact.make_strategy(pins)
    bars = data_of_artifact(artifact, store)
    settings = msgspec.structs.asdict(artifact.settings)
    with uncounted():
        start = np.datetime64(int(bars.time[artifact.data.n_warm]), "ns")
        result = backtest(strategy, bars, **settings, quality="accept", start=start)
    return Reproduction(artifact.manifest.digest, result.digest)


def data_of_artifact(artifact: Artifact, store: str | None = None) -> Bars:
    """Return the data that an artifact was made on.

    Raises
    ------
    ArtifactError
        It no longer exists, or is not what it was.
    """
    document = artifact.data
    request = document.request
    try:
        if document.version:
            bars = load(document.version, store=store)
        else:
            bars = load(
                request.name,
                symbols=request.symbols,
                end=request.end,
                store=store if request.name.startswith("store:") else None,
            )
    except (DataError, UnknownNameError) as error:
        raise ArtifactError(
            f"the data of {artifact.manifest.name!r} cannot be loaded: {error.what}",
            rule="an artifact is reproduced on the data it names.",
            fix="Bring the data back; --store names the store that holds it.",
        ) from None
    instruments = artifact.instruments
    if bars.symbols == document.symbols:
        bars = bars.with_instruments(instruments.instruments, changes=instruments.changes)
    if bars.id != document.content:
        raise ArtifactError(
            f"the data of {artifact.manifest.name!r} is {bars.id}, and was {document.content}",
            rule="an artifact is reproduced on the data it names.",
            fix="Bring the data back as it was.",
        )
    return bars
