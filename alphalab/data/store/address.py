"""Addresses: which store, and which bars in it at which versions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.request import url2pathname

from alphalab.data.store.tables import table_named
from alphalab.errors import DataError, UnknownNameError

PREFIX = "store:"
#: Schemes of the addresses that a store can have.
SCHEMES = ("abfs", "abfss", "az", "file", "gs", "s3", "s3a")
_SLIP = re.compile(rf"(?:{'|'.join(SCHEMES)}):/(?!/)")
# In the path of a folder; the surrogates are bytes that are no UTF-8.
_UNREACHABLE = re.compile(r"%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\[\]^|\\\ud800-\udfff]")
_VERSIONS = re.compile(r"[0-9]{1,18}|[a-z]+=[0-9]{1,18}(?:,[a-z]+=[0-9]{1,18})*")
_RULE = (
    "an address reads store:VENUE/INTERVAL or store:VENUE/INTERVAL/SYMBOL; behind it may stand "
    "@17 or @bars=17,funding=4."
)


def default_store_url() -> str:
    """Return the default store: the environment variable ``ALPHALAB_STORE``, else ``data``."""
    return os.environ.get("ALPHALAB_STORE") or "data"


def place_of(given: str) -> str:
    """Return where a store is: an address with a scheme, or the path of a local folder.

    A path is taken as it is written, and ``file://`` addresses become paths.

    Parameters
    ----------
    given : str
        ``s3://bucket/prefix``, ``file:///folder/of%20mine`` or ``folder/of mine``.

    Raises
    ------
    UnknownNameError
        A scheme that is not in `SCHEMES`.
    DataError
        No bucket, a file where a folder has to be, or a folder that deltalake cannot reach.

    Examples
    --------
    >>> place_of("s3://bucket/prefix/"), place_of("file:///tmp/my%20data"), place_of("my data")
    ('s3://bucket/prefix', '/tmp/my data', 'my data')
    """
    scheme, there, rest = given.partition("://")
    if _SLIP.match(given):
        raise DataError(
            f"{given} is no address of a store",
            rule="An address reads s3://BUCKET/PREFIX.",
            fix="A folder whose name has a colon is given by its whole path.",
        )
    if not there:
        folder = os.path.expanduser(given)
        _check_folder(folder)
        return str(Path(folder))
    if scheme not in SCHEMES:
        raise UnknownNameError("kind of address", scheme, SCHEMES, fix="Or give a folder.")
    if scheme == "file":
        folder = url2pathname(rest)
        if not folder.startswith(("/", "\\")):
            raise DataError(f"{given} is no local address", rule="it reads file:///FOLDER.")
        _check_folder(folder)
        return str(Path(folder))
    if not rest.strip("/"):
        raise DataError(f"{given}: no bucket", rule="an address reads s3://BUCKET/PREFIX.")
    return given.rstrip("/")


def _check_folder(folder: str) -> None:
    """Refuse a file, and a folder below which deltalake would read or write elsewhere, or crash.

    It takes the path for an address: it looks for ``a%20b`` in ``a b``, for a backslash as if it
    were a slash, and ``[``, ``]``, ``^`` and ``|`` end it in a panic.
    """
    try:
        path = folder if _UNREACHABLE.search(folder) else os.path.realpath(folder)
        is_file = Path(path).is_file()
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}", rule="a store is a folder.") from None
    if bad := _UNREACHABLE.search(Path(path).as_posix()):
        raise DataError(
            f"{path!r}: {bad.group()!r} in the path of a store",
            rule="deltalake, which keeps the tables, does not reach folders whose path holds "
            "control characters, [ ] ^ | \\, or a % before two hexadecimal digits.",
            fix="Rename the folder, or name another one (--store, ALPHALAB_STORE).",
        )
    if is_file:
        raise DataError(f"{folder} is a file", rule="a store is a folder, or an address.")


def check_name(what: str, name: str) -> None:
    """Refuse a name that a folder cannot have or that makes an address ambiguous.

    Parameters
    ----------
    what : str
        The column that it is in: ``venue``, ``interval``, ``symbol`` or ``name``.
    name : str

    Raises
    ------
    DataError
    """
    if not name.strip() or not name.isprintable():
        raise DataError(f"{what}={name!r}", rule=f"a {what} is printable text that is not empty.")
    if what in ("venue", "interval") and not {"/", "@", "?"}.isdisjoint(name):
        raise DataError(f"{what}={name!r}", rule=f"a {what} holds none of / @ ?.")
    if what == "symbol" and ("?" in name or _versions_at(name)):
        raise DataError(
            f"symbol={name!r}", rule="a symbol holds no ?, and does not end like a version (@17)."
        )


@dataclass(frozen=True)
class Address:
    """The address of bars in a store.

    Parameters
    ----------
    venue, interval : str
        Such as ``binance`` and ``1h``.
    symbol : str, optional
        Not given: all of them.
    versions : mapping of str to int
        Versions by table; other tables are read at their newest version.

    Raises
    ------
    DataError
        A name that an address cannot hold, or a version below 0.
    UnknownNameError
        A version of a table that does not exist.

    Examples
    --------
    >>> address = Address.parse("store:binance/1h/BTC/USDT@bars=17,funding=4")
    >>> address.symbol, dict(address.versions)
    ('BTC/USDT', {'bars': 17, 'funding': 4})
    >>> str(address)
    'store:binance/1h/BTC/USDT@bars=17,funding=4'
    >>> str(Address.parse("store:binance/1h@17"))
    'store:binance/1h@bars=17'
    """

    venue: str
    interval: str
    symbol: str | None = None
    versions: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name("venue", self.venue)
        check_name("interval", self.interval)
        if self.symbol is not None:
            check_name("symbol", self.symbol)
        for name, version in self.versions.items():
            table_named(name)
            if version < 0:
                raise DataError(f"version {version} of {name}", rule="versions count from 0.")
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address that a text names.

        Raises
        ------
        DataError
            Text that is not an address.
        UnknownNameError
            A version of a table that does not exist.
        """
        path = text.removeprefix(PREFIX)
        versions = _versions_at(path)
        parts = path.removesuffix(f"@{versions}" if versions else "").split("/", 2)
        if not text.startswith(PREFIX) or len(parts) < 2 or not all(parts):
            raise DataError(f"{text!r} is not an address in a store", rule=_RULE)
        symbol = parts[2] if len(parts) > 2 else None
        return cls(parts[0], parts[1], symbol, parse_versions(versions) if versions else {})

    def __str__(self) -> str:
        path = "/".join(filter(None, (self.venue, self.interval, self.symbol)))
        versions = ",".join(f"{name}={n}" for name, n in sorted(self.versions.items()))
        return f"{PREFIX}{path}{'@' if versions else ''}{versions}"


def parse_versions(text: str) -> dict[str, int]:
    """Return versions by table; a plain number is the version of the bars.

    Raises
    ------
    DataError
        Another syntax, or a table that is named twice.
    UnknownNameError
        No such table.

    Examples
    --------
    >>> parse_versions("17"), parse_versions("bars=17,actions=3")
    ({'bars': 17}, {'bars': 17, 'actions': 3})
    """
    if not _VERSIONS.fullmatch(text):
        raise DataError(f"versions {text!r}", rule="versions read 17, or bars=17,funding=4.")
    if text.isdigit():
        return {"bars": int(text)}
    pairs = [part.partition("=") for part in text.split(",")]
    versions = {table_named(name).name: int(number) for name, _, number in pairs}
    if len(versions) < len(pairs):
        raise DataError(f"versions {text!r}", rule="a table is named once.")
    return versions


def _versions_at(text: str) -> str:
    """Return the versions at the end of an address, if any; a symbol may contain ``@`` as well."""
    _, at, end = text.rpartition("@")
    return end if at and _VERSIONS.fullmatch(end) else ""
