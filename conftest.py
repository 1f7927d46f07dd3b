"""Tests and doctests count their trials in a file of their own, never in the project's ledger."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

_FOLDER = tempfile.TemporaryDirectory(prefix="alphalab-trials-")
os.environ["ALPHALAB_TRIALS"] = str(Path(_FOLDER.name) / "trials.sqlite")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the ledger of this run."""
    from alphalab.artifact.ledger import close_ledgers

    close_ledgers()
    _FOLDER.cleanup()
