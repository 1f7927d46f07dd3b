"""What tests build bars of, and how they read what bars say."""

from __future__ import annotations

from typing import Any


def texts(noted: Any) -> tuple[str, ...]:
    """Return the words of the notes of bars, rows, a scan or an ingestion."""
    return tuple(note.text for note in noted.notes)
