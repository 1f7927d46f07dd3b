"""One runner for each account on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from filelock import FileLock, Timeout

from alphalab.errors import InputError, RefusedError


def lock_account(venue: str, key: str, folder: Path | None = None) -> FileLock:
    """Take the lock of an account; it is released when the process ends.

    Parameters
    ----------
    venue : str
    key : str
        What tells the account from others: its API key. Only a hash of it is written.
    folder : Path, optional
        Not given: ``~/.alphalab/accounts``.

    Raises
    ------
    RefusedError
        Another runner trades the account.
    """
    folder = folder or Path.home() / ".alphalab" / "accounts"
    name = hashlib.sha256(f"{venue}\n{key}".encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", fallback_to_soft=False)
        lock.acquire(timeout=0)
    except Timeout:
        raise RefusedError(
            f"another runner trades this account of {venue}",
            rule="one runner trades an account.",
            fix="Stop the other one first; several artifacts go into one run.",
        ) from None
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}", fix="Make it writable.") from None
    return lock
