"""What the commands on journals share: their argument, and which codec a journal is read with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from alphalab.core.event_codec import Codec
    from alphalab.core.journal_reader import Head

PathArgument = Annotated[
    Path, typer.Argument(metavar="JOURNAL", help="The file of a journal.", show_default=False)
]
HeadFlag = Annotated[
    str,
    typer.Option(
        "--head",
        metavar="SEQ:HASH",
        help="A head that was kept elsewhere: the journal has to contain it.",
        show_default="none",
    ),
]


def codec_of(name: str) -> Codec | None:
    """Return the codec of a journal by the name in its meta; None: it is not known here."""
    from alphalab.artifact.trials import TRIAL_EVENTS
    from alphalab.core.events import RUN_EVENTS

    return {codec.name: codec for codec in (RUN_EVENTS, TRIAL_EVENTS)}.get(name)


def head_of(text: str) -> Head | None:
    """Return the head that a flag names; None: it names none."""
    from alphalab.core.journal_reader import Head
    from alphalab.errors import InputError

    if not text:
        return None
    seq, _, digest = text.partition(":")
    try:
        head = Head(int(seq), bytes.fromhex(digest))
    except ValueError:
        head = Head(0, b"")
    if head.seq < 0 or len(head.hash) != 32:
        raise InputError(
            f"--head {text!r}", rule="a head reads SEQ:HASH, as alphalab journal verify prints it."
        )
    return head
