"""``alphalab artifact diff``: what differs between two artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alphalab.cli.artifact.options import FolderArgument, KeysFlag, opened, policy_of
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag


def diff(
    first: FolderArgument,
    second: Annotated[
        Path, typer.Argument(metavar="OTHER", help="The folder of another.", show_default=False)
    ],
    keys: KeysFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Print what differs: expressions, parameters, settings, data, versions. Exit code 1 if any."""
    from alphalab.artifact.compare import differences

    out = Output(json=json, quiet=quiet)
    policy = policy_of(None)
    one, other = (opened(folder, keys, policy)[0] for folder in (first, second))
    found = differences(one, other)
    if json:
        out.object("artifact.diff", {"differences": [x._asdict() for x in found]})
    elif not found:
        out.text("nothing differs but names, dates and signatures")
    else:
        out.table(found, ("part", "name", one.manifest.name, other.manifest.name))
    if found:
        raise typer.Exit(1)
