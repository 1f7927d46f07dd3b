"""`Note`: one statement about data, with a code that other code may act on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

#: Every kind of statement. Code branches on these; the text of a note is for people alone.
NoteCode: TypeAlias = Literal[
    "source",  # what the source of the data says about itself
    # how a file or a table was read
    "closes_only",
    "no_volume",
    "no_zone",
    "epoch",
    "dates",
    "moved_to_close",
    "unused_column",
    "file_name",
    "side",
    "known",
    # what was changed
    "renamed",
    "not_renamed",
    "repair",
    "adjusted",
    "permuted",
    "resampled",
    "unfinished",
    "made_of",
    # what stands beside the bars
    "outside",
    "observations",
    "instruments",
    "funding",
    "members",
    "ended",
    "calendar",
    "periods_per_year",
]


class Note(msgspec.Struct, frozen=True):
    """One statement about data that every report on it shows.

    Parameters
    ----------
    code : str
        The kind of statement, one of `NoteCode`.
    text : str
        The statement in words. No code reads it.

    Examples
    --------
    >>> note = Note("no_volume", "no volume column: volume is unknown")
    >>> note.code, str(note)
    ('no_volume', 'no volume column: volume is unknown')
    """

    code: NoteCode
    text: str

    def __str__(self) -> str:
        """Return the text."""
        return self.text


Notes: TypeAlias = tuple[Note, ...]


def notes_of(given: Iterable[Note | str]) -> Notes:
    """Return notes; a text becomes a note of its source.

    Examples
    --------
    >>> notes_of(["closing auction prices"])
    (Note(code='source', text='closing auction prices'),)
    """
    return tuple(Note("source", note) if isinstance(note, str) else note for note in given)


def has(notes: Iterable[Note], code: NoteCode) -> bool:
    """Return True if a note has the code.

    Examples
    --------
    >>> has([Note("no_zone", "times carry no zone: taken as UTC")], "no_zone")
    True
    """
    return any(note.code == code for note in notes)
