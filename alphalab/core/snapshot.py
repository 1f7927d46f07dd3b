"""The bytes of a snapshot: a header, a hash, and what an engine remembers.

    8 bytes   MAGIC
    4 bytes   version, unsigned, little-endian
    32 bytes  BLAKE2b-256 of the magic, the version and the content
    the rest  content: a `Snapshot` in MessagePack

The hash finds damage, such as a flipped bit on a disk. It is no signature: who can write the bytes
can write the hash. So what an engine takes up is checked as well: `alphalab.core.books_check` for
the account, `Plan.restore` for the operators.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from alphalab.errors import StateError

MAGIC = b"alphasnp"
VERSION = 6
_HASH_SIZE = 32
_HEADER = len(MAGIC) + 4 + _HASH_SIZE
_RULE = "restore takes what snapshot() returned."


class Snapshot(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Everything an engine remembers: the arrays of the account as bytes, and the plan's."""

    engine_id: str
    account: bytes
    positions: bytes
    orders: bytes
    traded: bytes
    memory: bytes
    plan: list[bytes]

    @property
    def books(self) -> Sequence[bytes]:
        """The arrays in the order of `Accounts.state`."""
        return self.account, self.positions, self.orders, self.traded, self.memory


def encode(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes: the same for the same state, in every process.

    Examples
    --------
    >>> data = encode(Snapshot("id", b"a", b"p", b"o", b"t", b"m", [b"plan"]))
    >>> decode(data).engine_id
    'id'
    >>> decode(data[:-1] + b"!")
    Traceback (most recent call last):
        ...
    alphalab.errors.StateError: a damaged snapshot: its content does not match its hash
      Rule: restore takes what snapshot() returned. Take an older snapshot, or push the rows again.
    """
    content = msgspec.msgpack.encode(snapshot)
    start = MAGIC + VERSION.to_bytes(4, "little")
    return start + _hash(start, content) + content


def decode(data: bytes) -> Snapshot:
    """Return the snapshot that bytes hold.

    Raises
    ------
    StateError
        No snapshot, one of another version, or one whose content is not what was written.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StateError(f"not a snapshot: {type(data).__name__}", rule=_RULE)
    data = bytes(data)
    if len(data) < _HEADER or not data.startswith(MAGIC):
        raise StateError(f"not a snapshot: {data[:8]!r}, {len(data):,} bytes", rule=_RULE)
    start, content = data[: len(MAGIC) + 4], data[_HEADER:]
    version = int.from_bytes(start[len(MAGIC) :], "little")
    if version != VERSION:
        raise StateError(
            f"a snapshot of version {version}, this is version {VERSION}",
            rule="a snapshot is restored by the release that took it.",
            fix="Push the rows again.",
        )
    if data[len(start) : _HEADER] != _hash(start, content):
        raise StateError(
            "a damaged snapshot: its content does not match its hash",
            rule=_RULE,
            fix="Take an older snapshot, or push the rows again.",
        )
    try:
        return msgspec.msgpack.decode(content, type=Snapshot)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise StateError(f"not a snapshot: {error}", rule=_RULE) from None


def _hash(start: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(start + content, digest_size=_HASH_SIZE).digest()
