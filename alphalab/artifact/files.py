"""Files that nobody vouches for yet, read without trust; and files that appear whole or not."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from alphalab.core.journal import sync_folder
from alphalab.errors import ArtifactError, InputError

_DRAFT = ".draft"


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    ArtifactError
        A file that is missing, a link, a device or a pipe, or larger than `limit` bytes.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if path.is_symlink():
            raise ArtifactError(f"{path} is a link", rule="an artifact holds its files itself.")
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}", fix="Check the path.") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise ArtifactError(f"{path} is no regular file", rule="an artifact is made of files.")
    with os.fdopen(handle, "rb") as file:
        content = file.read(limit + 1) if status.st_size <= limit else b""
    size = max(status.st_size, len(content))
    if size > limit:
        raise ArtifactError(f"{path} has {size:,} bytes", rule=f"it has at most {limit:,} bytes.")
    return content


def files_below(folder: Path, most: int = 1_000) -> list[str]:
    """Return the paths of all files below a folder, relative and with slashes, sorted.

    Raises
    ------
    ArtifactError
        No such folder, one that holds a link or a device, or more than `most` entries.
    """
    found: list[str] = []
    folders = [folder]
    n_entries = 0
    while folders:
        here = folders.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise ArtifactError(f"{here}: {error.strerror}", fix="Check the path.") from None
        n_entries += len(entries)
        if n_entries > most:
            raise ArtifactError(f"{folder} has over {most:,} entries", rule="an artifact is small.")
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                found.append(Path(entry.path).relative_to(folder).as_posix())
            else:
                raise ArtifactError(
                    f"{entry.path} is a link or a device", rule="an artifact is made of files."
                )
    return sorted(found)


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a new folder: it appears whole, or not at all.

    Raises
    ------
    InputError
        The folder exists, or cannot be made.
    """
    if folder.exists() or folder.is_symlink():
        raise InputError(
            f"{folder} exists", rule="nothing is written over.", fix="Choose another name."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _draft(folder) as draft:
            for name, content in contents.items():
                file = draft / name
                file.parent.mkdir(exist_ok=True)
                _write_synced(file, content)
            for below in (*(p for p in draft.rglob("*") if p.is_dir()), draft):
                sync_folder(below)
            os.rename(draft, folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}", fix="Choose another folder.") from None


def write_file(path: Path, content: bytes, *, mode: int = 0o644, replace: bool = False) -> None:
    """Write a file that appears whole, or not at all.

    Raises
    ------
    InputError
        The file exists and `replace` is not set, or it cannot be written.
    """
    draft = path.with_name(f".{path.name}{_DRAFT}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        _write_synced(draft, content, mode)
        try:
            if replace:
                os.replace(draft, path)
            else:
                os.link(draft, path)  # fails if the file exists, unlike a rename
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise InputError(
            f"{path} exists", rule="nothing is written over.", fix="Choose another name."
        ) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", fix="Choose another folder.") from None


def is_draft(name: str) -> bool:
    """Return True if a file is one that `write_file` was killed over; it counts for nothing."""
    last = name.rpartition("/")[2]
    return last.startswith(".") and last.endswith(_DRAFT)


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        draft.chmod(0o755)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_synced(path: Path, content: bytes, mode: int = 0o644) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
