"""What the commands on artifacts share: arguments, and how an artifact is opened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.key import KeysFlag

if TYPE_CHECKING:
    from alphalab.artifact.keys import Keyring
    from alphalab.artifact.open import Artifact
    from alphalab.artifact.stages import StagePolicy, Standing

FolderArgument = Annotated[
    Path,
    typer.Argument(metavar="ARTIFACT", help="The folder of an artifact.", show_default=False),
]
PolicyFlag = Annotated[
    Path | None,
    typer.Option(
        "--stages",
        metavar="FILE",
        help="A TOML file of the stages' caps and signatures.",
        show_default="the rules of alphalab",
    ),
]
__all__ = ["FolderArgument", "KeysFlag", "PolicyFlag", "opened", "policy_of", "summary"]


def policy_of(file: Path | None) -> StagePolicy:
    """Return the rules of a file; without one those of alphalab."""
    import msgspec

    from alphalab.artifact.stages import StagePolicy
    from alphalab.errors import InputError, ParameterError

    if file is None:
        return StagePolicy()
    try:
        return msgspec.toml.decode(file.read_bytes(), type=StagePolicy)
    except OSError as error:
        raise InputError(f"--stages {file}: {error.strerror}", fix="Check the path.") from None
    except (msgspec.MsgspecError, ValueError) as error:
        what = error.what if isinstance(error, ParameterError) else str(error)
        raise InputError(
            f"--stages {file}: {what}",
            rule="it has tables paper, limited and full with cap and signatures, and signers.",
        ) from None


def opened(
    folder: Path, keys: Path | None, policy: StagePolicy
) -> tuple[Artifact, Standing, Keyring]:
    """Return a verified artifact, where it stands, and the keyring it was verified with."""
    from alphalab.artifact.keys import Keyring
    from alphalab.artifact.open import open_artifact
    from alphalab.artifact.stages import standing

    ring, now = Keyring(keys), time.time_ns()
    trusted = ring.public()
    artifact = open_artifact(folder, trusted, now=now)
    return artifact, standing(artifact, trusted, policy, now=now), ring


def summary(artifact: Artifact, stands: Standing) -> dict[str, Any]:
    """Return what every listing says of an artifact, as plain data."""
    from alphalab.data.clock.times import iso

    manifest = artifact.manifest
    waiting = stands.waiting
    return {
        "name": manifest.name,
        "id": artifact.id,
        "kind": manifest.kind,
        "stage": stands.stage,
        "cap": stands.cap,
        "waiting": None if waiting is None else waiting.move.after,
        "verdict": artifact.validation.verdict,
        "override": manifest.override,
        "created": iso(manifest.created),
        "expires": iso(manifest.expires),
        "signers": [signer.name for signer in artifact.signers],
    }
