"""``alphalab artifact list``: all artifacts in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from alphalab.cli.artifact.options import KeysFlag, PolicyFlag, opened, policy_of, summary
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import AlphalabError, InputError


def listing(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they lie.")] = Path(
        "artifacts"
    ),
    keys: KeysFlag = None,
    stages: PolicyFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the artifacts in a folder. Exit code 1 when one of them cannot be trusted."""
    from alphalab.artifact.format import MANIFEST

    out = Output(json=json, quiet=quiet)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", fix="Name the folder of the artifacts.")
    policy = policy_of(stages)
    found: list[dict[str, Any]] = []
    for below in sorted(folder.iterdir()):
        if not (below / MANIFEST).exists() or below.name.startswith("."):
            continue
        try:
            artifact, stands, _ = opened(below, keys, policy)
            found.append({**summary(artifact, stands), "folder": str(below), "error": None})
        except AlphalabError as error:
            found.append({"name": below.name, "folder": str(below), "error": error.what})
    if json:
        out.object("artifact.list", {"folder": str(folder), "artifacts": found})
    elif not found:
        out.text(f"{folder} holds no artifact")
    else:
        out.table([_cells(x) for x in found], ("name", "stage", "cap", "gate", "expires", "id"))
    if any(artifact["error"] for artifact in found):
        raise typer.Exit(1)


def _cells(artifact: dict[str, Any]) -> tuple[str, ...]:
    if artifact["error"]:
        return artifact["name"], "not trusted", "n/a", artifact["error"], "", ""
    gate = artifact["verdict"]
    if artifact["override"] is not None:
        gate = f"{gate}, overridden by {artifact['override'].who}"
    return (
        artifact["name"],
        artifact["stage"],
        f"{artifact['cap']:,.0f}",
        gate,
        artifact["expires"][:10],
        artifact["id"][:12],
    )
