"""Signed statements: DSSE envelopes with Ed25519 signatures.

The signature is over the payload and its type, so that a statement of one kind is never taken for
one of another: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from alphalab.artifact.keys import PublicKey, SigningKey, check_dates
from alphalab.errors import ArtifactError, ParameterError
from alphalab.settings import Settings

MOST_BYTES = 4_000_000


class Signature(Settings, frozen=True):
    """One signature of an envelope, base64, and the id of its key."""

    keyid: str
    sig: str


class Envelope(Settings, frozen=True, rename={"payload_type": "payloadType"}):
    """A payload, base64, its type, and who signed both."""

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]

    def encoded(self) -> bytes:
        """Return the envelope as a line of canonical JSON."""
        return self.canonical_json().encode() + b"\n"


class Verified(NamedTuple):
    """The payload of an envelope, and the known keys that signed it."""

    payload: bytes
    signers: tuple[PublicKey, ...]


def sign(payload: bytes, payload_type: str, keys: Sequence[SigningKey]) -> Envelope:
    """Return an envelope of a payload, signed with each of the keys."""
    text = base64.b64encode(payload).decode()
    envelope = Envelope(payload=text, payload_type=payload_type, signatures=())
    for key in keys:
        envelope = co_sign(envelope, key)
    return envelope


def co_sign(envelope: Envelope, key: SigningKey) -> Envelope:
    """Return an envelope with one more signature."""
    message = _message(base64.b64decode(envelope.payload), envelope.payload_type)
    signature = Signature(keyid=key.public.key_id, sig=base64.b64encode(key.sign(message)).decode())
    others = [old for old in envelope.signatures if old.keyid != signature.keyid]
    return msgspec.structs.replace(envelope, signatures=(*others, signature))


def opened(content: bytes, name: str) -> Envelope:
    """Return the envelope that a file holds; nothing in it has been verified.

    Raises
    ------
    ArtifactError
        Bytes that are no envelope, or not in canonical form.
    """
    try:
        envelope = msgspec.json.decode(content, type=Envelope)
        reason = "" if envelope.encoded() == content else "it is not in canonical form"
    except (msgspec.MsgspecError, ParameterError, RecursionError) as error:
        reason = str(error)
    if reason:
        raise ArtifactError(
            f"{name} is no signed envelope: {reason}", rule="it is what alphalab wrote."
        )
    return envelope


def verify(
    envelope: Envelope, name: str, payload_type: str, keys: Mapping[str, PublicKey], *, now: int
) -> Verified:
    """Return the payload of an envelope that at least one known key has signed.

    Parameters
    ----------
    envelope : Envelope
    name : str
        What it is, for messages.
    payload_type : str
        The type it must have.
    keys : mapping of str to PublicKey
        The keys that are trusted, by their ids.
    now : int
        ns UTC: no key may have expired.

    Raises
    ------
    ArtifactError
        Another type; a signature that is not true; a key that has expired; no known key at all.
    """
    if envelope.payload_type != payload_type:
        raise ArtifactError(
            f"{name} is of type {envelope.payload_type!r}", rule=f"it is of type {payload_type!r}."
        )
    payload = _decoded(envelope.payload, name)
    message = _message(payload, payload_type)
    signers: dict[str, PublicKey] = {}
    for signature in envelope.signatures:
        key = keys.get(signature.keyid)
        if key is None:
            continue
        if not key.verifies(_decoded(signature.sig, name), message):
            raise ArtifactError(
                f"{name}: the signature of {key.name!r} ({key.key_id}) is not true",
                rule="what was signed has not changed since.",
                fix="Get an unchanged copy.",
            )
        check_dates(key, now)
        signers[key.key_id] = key
    if not signers:
        ids = ", ".join(s.keyid for s in envelope.signatures) or "nobody"
        raise ArtifactError(
            f"{name} is signed by {ids}, and none of these keys is known here",
            rule="somebody you trust has signed it.",
            fix="Put the .pub file of the signer, received from them, into your keyring.",
        )
    return Verified(payload, tuple(signers.values()))


def _message(payload: bytes, payload_type: str) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ArtifactError(f"{name} holds text that is no base64", fix="Get a copy.") from None
