"""``alphalab artifact stage`` and ``sign``: move an artifact between stages."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer

from alphalab.cli.artifact.options import (
    FolderArgument,
    KeysFlag,
    PolicyFlag,
    opened,
    policy_of,
    summary,
)
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

KeyFlag = Annotated[
    list[str],
    typer.Option(
        "--key", metavar="NAME", help="Sign with this key, as often as needed.", show_default=False
    ),
]


def stage(
    folder: FolderArgument,
    to: Annotated[
        Literal["research", "paper", "limited", "full"],
        typer.Option(help="The stage; up one at a time, down any number.", show_default=False),
    ],
    why: Annotated[str, typer.Option(help="The reason; it is signed, too.", show_default=False)],
    key: KeyFlag,
    cap: Annotated[
        float | None,
        typer.Option(help="Most capital, quote currency.", show_default="the policy's"),
    ] = None,
    keys: KeysFlag = None,
    stages: PolicyFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Move an artifact to another stage, with a signed record of who, when and why."""
    from alphalab.artifact.stages import propose

    policy, now = policy_of(stages), time.time_ns()
    artifact, stands, ring = opened(folder, keys, policy)
    signing = [ring.signing(name, now=now) for name in key]
    propose(artifact, stands, to, policy=policy, keys=signing, why=why, time=now, cap=cap)
    _report(Output(json=json, quiet=quiet), "artifact.stage", folder, keys, stages)


def sign(
    folder: FolderArgument,
    key: KeyFlag,
    keys: KeysFlag = None,
    stages: PolicyFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Sign the move that waits for signatures."""
    from alphalab.artifact.stages import sign_waiting

    policy = policy_of(stages)
    for name in key:
        artifact, stands, ring = opened(folder, keys, policy)
        signing = ring.signing(name, now=time.time_ns())
        sign_waiting(artifact, stands, signing, policy=policy)
    _report(Output(json=json, quiet=quiet), "artifact.sign", folder, keys, stages)


def _report(
    out: Output, kind: str, folder: FolderArgument, keys: KeysFlag, stages: PolicyFlag
) -> None:
    artifact, stands, _ = opened(folder, keys, policy_of(stages))
    if out.json:
        out.object(kind, summary(artifact, stands))
        return
    out.text(f"{artifact.manifest.name}: stage {stands.stage}, cap {stands.cap:,.0f}")
    if (waiting := stands.waiting) is not None:
        signers = ", ".join(signer.name for signer in waiting.signers)
        out.text(
            f"The move to {waiting.move.after} waits: signed by {signers},"
            f" {waiting.needed} are needed."
        )
