"""Compiled kernels on disk: damaged files and files of other users are never run.

Numba keeps machine code in pickles and runs any file it finds. Here every file begins with a hash
of its name and content, so an empty, cut or changed file is compiled again. The hash is no
signature: a file or folder that another user owns or may write to is not read at all.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import stat
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.serialize import dumps

_HASH_SIZE = 32
_LOG = logging.getLogger("alphalab")
_TOLD: set[str] = set()
_FOLDER_LOCK = threading.Lock()


def keep(dispatcher: Any, function: Callable[..., Any], folder: Path, root: Path) -> None:
    """Cache the compiled code of a dispatcher in a folder that only this user may write to.

    Parameters
    ----------
    dispatcher : numba dispatcher
    function : callable
        The function that the dispatcher compiles; its source is in a file.
    folder : Path
    root : Path
        The parent folder of all kernels; nothing is cached unless it is private.
    """
    if not is_private(root):
        return
    # Numba reads CACHE_DIR when it makes a cache. It is set only here, so that other packages keep
    # their own folder, and by one thread at a time: reset too early, it makes numba use the working
    # directory.
    with _FOLDER_LOCK:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(folder)
        try:
            dispatcher._cache = _SealedCache(function)
        except RuntimeError as error:  # the folder is not writable
            _tell(f"Compiled kernels are not kept: {error}")
        finally:
            numba.config.CACHE_DIR = before


@cache
def is_private(folder: Path) -> bool:
    """Return True if only this user may write to the folder, which is made if it does not exist.

    If not, a warning is logged once: every process then compiles its own kernels.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_own(folder.stat()):
            return True
        said = "belongs to another user, or others may write to it"
    except OSError as error:
        said = str(error.strerror)
    _tell(
        f"Compiled kernels are not kept: {folder}: {said}. Each process compiles its own, for "
        "minutes. Make the folder yours alone (chmod go-w), or set ALPHALAB_CACHE_DIR."
    )
    return False


class _SealedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Numba's index and data files of one function, each behind a hash."""

    def _load_index(self) -> dict[Any, str]:
        content = _read(Path(self._index_path))
        if content is None:
            return {}
        version, stamp, overloads = pickle.loads(content)
        if (version, stamp) != (self._version, self._source_stamp):
            return {}
        return overloads  # type: ignore[no-any-return]

    def _save_index(self, overloads: dict[Any, str]) -> None:
        _write(Path(self._index_path), dumps((self._version, self._source_stamp, overloads)))

    def _load_data(self, name: str) -> Any:
        content = _read(Path(self._data_path(name)))
        if content is None:
            raise FileNotFoundError(name)  # makes numba compile the function
        return pickle.loads(content)

    def _save_data(self, name: str, data: Any) -> None:
        _write(Path(self._data_path(name)), dumps(data))


class _SealedCache(FunctionCache):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        impl = self._impl
        self._cache_file = _SealedFiles(
            self._cache_path, impl.filename_base, impl.locator.get_source_stamp()
        )


def _read(path: Path) -> bytes | None:
    """Return the content of a file; None if it is missing, damaged or not private."""
    try:
        with path.open("rb") as file:
            own = _is_own(os.fstat(file.fileno()))
            data = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        _tell(f"Compiled kernels cannot be read, and are compiled again: {error}")
        return None
    if not own:
        _tell(
            "Compiled kernels belong to another user, or others may write to them, and are "
            f"compiled again: {path}"
        )
        return None
    if data[:_HASH_SIZE] != _hash(path, data[_HASH_SIZE:]):
        _tell(f"Compiled kernels are damaged, and are compiled again: {path}")
        return None
    return data[_HASH_SIZE:]


def _write(path: Path, content: bytes) -> None:
    """Replace a file atomically, private to this user; a full disk only logs a warning."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_hash(path, content) + content)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        _tell(f"Compiled kernels are not kept: {path.parent}: {error.strerror}")


def _hash(path: Path, content: bytes) -> bytes:
    return hashlib.blake2b(path.name.encode() + b"\0" + content, digest_size=_HASH_SIZE).digest()


def _is_own(status: os.stat_result) -> bool:
    if os.name == "nt":  # no mode bits there; a user's profile is private
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _tell(said: str) -> None:
    """Log a warning, but only the first of its kind in this process."""
    subject = said.partition(":")[0]
    if subject not in _TOLD:
        _TOLD.add(subject)
        _LOG.warning(said)
