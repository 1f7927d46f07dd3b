"""Ed25519 keys: a keyring is a folder of the private keys that sign and of the public ones trusted.

``NAME.key`` is a private key (PEM, mode 0600), ``NAME.pub`` a public one with its dates. Whoever
puts a ``.pub`` file there trusts its owner.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from alphalab.artifact.files import read_regular, write_file
from alphalab.errors import ArtifactError, ParameterError, UnknownNameError
from alphalab.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NS_DAY = 86_400 * 10**9
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MOST_BYTES = 10_000


class PublicKey(Settings, frozen=True):
    """Somebody's public key, and until when it counts.

    Parameters
    ----------
    name : str
        Of the owner: small letters, digits, ``-`` and ``_``.
    public : str
        The 32 bytes of the key, hexadecimal.
    created, expires : int
        ns UTC.

    Raises
    ------
    ParameterError
        A name or a key of another form.
    """

    name: str
    public: str
    created: int
    expires: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _NAME.fullmatch(self.name):
            raise ParameterError(
                f"key name {self.name!r}",
                rule="it has 1 to 40 small letters, digits, - and _.",
            )
        if not re.fullmatch(r"[0-9a-f]{64}", self.public):
            raise ParameterError(
                f"public key of {self.name!r}", rule="it has 64 hexadecimal digits."
            )

    @property
    def key_id(self) -> str:
        """The first 16 digits of the SHA-256 of the key."""
        return hashlib.sha256(bytes.fromhex(self.public)).hexdigest()[:16]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return True if the owner of this key has signed a message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public))
            key.verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey(NamedTuple):
    """A private key with its public half."""

    public: PublicKey
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self.private.sign(message)


class Keyring:
    """The keys in a folder.

    Parameters
    ----------
    folder : Path, optional
        Not given: the environment variable ``ALPHALAB_KEYS``, else ``~/.alphalab/keys``.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        default = os.environ.get("ALPHALAB_KEYS") or Path.home() / ".alphalab" / "keys"
        self.folder = Path(folder or default)

    def new(self, name: str, *, now: int, days: int) -> PublicKey:
        """Make a key that counts for some days from `now` (ns UTC) on.

        Raises
        ------
        InputError
            A name that is not one or is taken, a number of days outside 1 to 3,650, or a folder
            that cannot be written.
        """
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not 1 <= days <= 3650:
            raise ParameterError(f"days={days}", rule="a key counts for 1 to 3,650 days.")
        private = Ed25519PrivateKey.generate()
        raw = private.public_key().public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)
        public = PublicKey(name=name, public=raw.hex(), created=now, expires=now + days * NS_DAY)
        pem = private.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
        taken = [self._file(name, end) for end in ("key", "pub") if self._file(name, end).exists()]
        if taken:
            raise ParameterError(
                f"{taken[0]} exists",
                rule="a key is never written over.",
                fix="Choose another name.",
            )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(self._file(name, "key"), pem, mode=0o600)
        write_file(self._file(name, "pub"), public.canonical_json().encode() + b"\n")
        return public

    def public(self) -> dict[str, PublicKey]:
        """Return all public keys by their ids.

        Raises
        ------
        ArtifactError
            A ``.pub`` file that is not one.
        """
        files = sorted(self.folder.glob("*.pub")) if self.folder.is_dir() else []
        keys = [_public(file) for file in files]
        return {key.key_id: key for key in keys}

    def owned(self) -> set[str]:
        """Return the names of the private keys."""
        return {file.stem for file in self.folder.glob("*.key")}

    def signing(self, name: str, *, now: int) -> SigningKey:
        """Return a private key by its name.

        Raises
        ------
        UnknownNameError
            No such key.
        ArtifactError
            A key that others can read, that has expired, or that does not fit its public half.
        """
        if name not in self.owned():
            fix = "Make one with: alphalab key new NAME"
            raise UnknownNameError(f"key in {self.folder}", name, self.owned(), fix=fix)
        public = _public(self._file(name, "pub"))
        check_dates(public, now)
        private = _private(self._file(name, "key"))
        from cryptography.hazmat.primitives import serialization as form

        raw = private.public_key().public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)
        if raw.hex() != public.public:
            raise ArtifactError(
                f"{self._file(name, 'pub')} is not the public half of {name}.key",
                fix="Restore both files from one backup, or make a new key.",
            )
        return SigningKey(public, private)

    def _file(self, name: str, ending: str) -> Path:
        return self.folder / f"{name}.{ending}"


def check_dates(key: PublicKey, now: int) -> None:
    """Refuse a key that has expired.

    Raises
    ------
    ArtifactError
        `now` (ns UTC) is not before its end.
    """
    if now >= key.expires:
        raise ArtifactError(
            f"the key {key.name!r} ({key.key_id}) has expired",
            rule="a signature counts as long as its key.",
            fix="Make a new key (alphalab key new), and sign again.",
        )


def _public(file: Path) -> PublicKey:
    content = read_regular(file, _MOST_BYTES)
    try:
        key = msgspec.json.decode(content, type=PublicKey)
    except (msgspec.MsgspecError, ParameterError) as error:
        raise ArtifactError(f"{file}: {error}", rule="a .pub file is what key new wrote.") from None
    if key.name != file.stem:
        raise ArtifactError(f"{file} is the key of {key.name!r}", fix=f"Name it {key.name}.pub.")
    return key


def _private(file: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    content = read_regular(file, _MOST_BYTES)
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise ArtifactError(
            f"{file} can be read by others",
            rule="a private key has mode 0600.",
            fix=f"chmod 600 {file}; and if others may have read it, make a new key.",
        )
    try:
        key = form.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{file}: {error}", rule="a .key file is what key new wrote.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ArtifactError(f"{file} is no Ed25519 key", rule="a .key file is what key new wrote.")
    return key
