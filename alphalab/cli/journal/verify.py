"""``alphalab journal verify``: whether a journal is as it was written."""

from __future__ import annotations

from pathlib import Path

import typer

from alphalab.cli.journal.options import HeadFlag, PathArgument, head_of
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag


def verify(
    path: PathArgument,
    head: HeadFlag = "",
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Check the hash of every event. Exit code 1 when one was changed; its row is named."""
    verify_journal(Output(json=json, quiet=quiet), path, head, "journal.verify")


def verify_journal(out: Output, path: Path, head: str, kind: str) -> None:
    """Verify a journal and print what was found; exit with 1 if it is damaged."""
    from alphalab.core.journal_reader import JournalReader

    expected = head_of(head)
    with JournalReader(path) as reader:
        damage = reader.verify(expected)
        found = str(reader.head) if damage is None else ""
    if out.json:
        content = {
            "path": str(path),
            "whole": damage is None,
            "head": found,
            "row": damage and damage.seq,
            "damage": damage and damage.what,
        }
        out.object(kind, content)
    else:
        out.text(f"{path}: whole, head {found}" if damage is None else f"{path}: {damage}")
    if damage is not None:
        raise typer.Exit(1)
