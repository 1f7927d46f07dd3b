"""Renames of a schema whose old symbols a source has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from alphalab.data.formats.notes import Note, Notes
from alphalab.errors import UnknownNameError


def names_there(
    rename: Mapping[str, str], symbols: Collection[str], absent: str = "note"
) -> tuple[dict[str, str], Notes]:
    """Return the renames whose old symbols have rows, and a note about each other one.

    One schema may serve several files, not all with rows of every symbol.

    Parameters
    ----------
    rename : mapping of str to str
        Old to new.
    symbols : collection of str
        Symbols of the source.
    absent : {"note", "refuse"}
        How to treat an old symbol without rows.

    Raises
    ------
    UnknownNameError
        An old symbol without rows; near names are suggested.

    Examples
    --------
    >>> names_there({"FB": "META"}, ["AAPL"])
    ({}, (Note(code='not_renamed', text="no rows of 'FB', which was to be renamed 'META'"),))
    """
    there = {old: new for old, new in rename.items() if old in symbols}
    if absent != "note" and len(there) < len(rename):
        raise UnknownNameError("symbol", next(old for old in rename if old not in there), symbols)
    notes = tuple(
        Note("not_renamed", f"no rows of {old!r}, which was to be renamed {new!r}")
        for old, new in rename.items()
        if old not in there
    )
    return there, notes
