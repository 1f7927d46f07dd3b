"""Errors of deltalake and object stores as `DataError`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from alphalab.errors import AlphalabError, DataError

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_XML = re.compile(r"<\?xml.*?<Message>(.*?)</Message>.*", re.S)
_TRACE = re.compile(r"^ *(?:\d+: |at \./).*$", re.M)  # a Rust backtrace
_SEPARATOR = re.compile(r"\s*↳\s*|\s*\n\s*")

# Pattern of a foreign message -> what is wrong, and the remedy; the first match counts. Object
# stores give no error codes, only text.
_KNOWN = (
    (
        r"NoSuchBucket|bucket does not exist",
        "there is no such bucket",
        "Make the bucket first, or correct its name.",
    ),
    (
        r"169\.254\.169\.254|loading credentials|metadata\.google|token request",
        "no credentials were found",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or what your provider asks for), or "
        "give them as options.",
    ),
    (
        r"\b401\b|\b403\b|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch",
        "access was denied",
        "Check the credentials, and what they allow.",
    ),
    (
        r"URL scheme is not allowed",
        "plain http is not allowed",
        "Set AWS_ALLOW_HTTP=true where the server is your own, or give an https address "
        "(AWS_ENDPOINT_URL).",
    ),
    (
        r"PermissionDenied|Permission denied|os error 13",
        "this user has no permission",
        "Give it the right to read and write the folders and files of the store.",
    ),
    (
        r"\(Connect\)|dns error|timed out|error sending request|operation timed out",
        "it does not answer",
        "Check the address (AWS_ENDPOINT_URL) and the network; plain http needs "
        "AWS_ALLOW_HTTP=true.",
    ),
)


@contextmanager
def in_our_words(where: str) -> Iterator[None]:
    """Raise errors of deltalake and of the file system as `DataError`, led by where they happened.

    A commit that lost a race passes unchanged: the caller tries again.
    """
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        yield
    except (AlphalabError, CommitFailedError):
        raise
    except (DeltaError, OSError, UnicodeError, pa.ArrowException) as error:
        raise _data_error(where, str(error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust: no Exception, nowhere to import
            raise
        raise DataError(
            f"{where}: deltalake stopped unexpectedly ({error})",
            rule="the folder holds a Delta table that is whole.",
            fix="Try a copy of the folder under a plain name.",
        ) from None


def check_readable(url: str) -> None:
    """Refuse a local store that this user may not read: it would look empty.

    Raises
    ------
    DataError
    """
    folder = _nearest_folder(url)
    if folder and not os.access(folder, os.R_OK | os.X_OK):
        raise _no_permission(url, folder, "read")


def check_writable(url: str) -> None:
    """Refuse a local store that this user may not write to.

    Raises
    ------
    DataError
    """
    folder = _nearest_folder(url)
    if folder and not os.access(folder, os.W_OK | os.X_OK):
        raise _no_permission(url, folder, "write")


def _nearest_folder(url: str) -> Path | None:
    """Return the folder of a table's log, or the first one above it that is there."""
    if "://" in url:
        return None
    log = Path(url).absolute() / "_delta_log"
    return next((folder for folder in (log, *log.parents) if os.path.exists(folder)), None)


def _no_permission(url: str, folder: Path, what: str) -> DataError:
    return DataError(
        f"{url}: this user may not {what} in {folder}",
        rule="a store is a folder that its users may read, and its writers may write to.",
        fix="Change the permissions of the folder, or name another one (--store, ALPHALAB_STORE).",
    )


def _data_error(where: str, text: str) -> DataError:
    causes = _causes(text)
    for pattern, what, fix in _KNOWN:
        if re.search(pattern, text):
            return DataError(f"{where}: {what} ({causes[-1].rstrip('.')})", fix=fix)
    return DataError(f"{where}: {': '.join(causes)}")


def _causes(text: str) -> list[str]:
    """Return the lines of a message without markup, from effect to cause."""
    plain = _TRACE.sub("", _XML.sub(r"\1", _ESCAPES.sub("", text))).strip()
    return [cause for cause in _SEPARATOR.split(plain) if cause] or ["no reason was given"]
