"""``alphalab reproduce``: run the backtest of an artifact again, and compare."""

from __future__ import annotations

from typing import Annotated

import typer

from alphalab.cli.artifact.options import FolderArgument, KeysFlag, opened, policy_of
from alphalab.cli.data.options import StoreFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import announce_compilation


def reproduce(
    folder: FolderArgument,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHA256", help="Run the source file with this hash, as often as needed."
        ),
    ] = None,
    keys: KeysFlag = None,
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Run the backtest from the artifact alone. Exit code 1 when its digest is another."""
    from alphalab.research.run.reproduce import reproduce as run_again

    out = Output(json=json, quiet=quiet)
    artifact, _, _ = opened(folder, keys, policy_of(None))
    announce_compilation(out)
    with out.user_code():
        found = run_again(artifact, store=store, pins=pin or ())
    if json:
        out.object("reproduce", {**found._asdict(), "same": found.same, "id": artifact.id})
    elif found.same:
        out.text(f"{artifact.manifest.name}: reproduced, digest {found.found}")
    else:
        out.text(f"{artifact.manifest.name}: digest {found.found}, and was {found.expected}")
        out.text("Compare the versions: alphalab artifact show prints those it was made with.")
    if not found.same:
        raise typer.Exit(1)
