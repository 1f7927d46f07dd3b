"""What an artifact is made of: a folder of canonical text, and a manifest that names every file.

::

    manifest.json      what the artifact is, and the SHA-256 of every other file
    signature.json     a signed envelope (DSSE) whose payload is manifest.json
    strategy.json      expressions, or the class in strategy.py, with the parameters
    strategy.py        only where the language does not say it all
    settings.json      RunSettings: costs, limits, fills
    instruments.json   the assets, and what becomes of them
    data.json          which data it was made on, and how to load it again
    validation.json    the record of the gate
    versions.json      of alphalab, Python and the packages
    models/            *.onnx and *.safetensors
    stages/            signed moves between stages, added later: see `alphalab.artifact.stages`
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

import msgspec

from alphalab.errors import ParameterError
from alphalab.settings import Settings
from alphalab.types import Instrument, InstrumentChange

MANIFEST, SIGNATURE, SOURCE = "manifest.json", "signature.json", "strategy.py"
STAGES = "stages/"
MANIFEST_TYPE = "application/vnd.alphalab.manifest.v1+json"
#: Every artifact has these; `SOURCE` and models are optional.
DOCUMENTS = (
    *("data.json", "instruments.json", "settings.json"),
    *("strategy.json", "validation.json", "versions.json"),
)
MODEL = re.compile(r"models/[a-z0-9][a-z0-9._-]{0,79}\.(onnx|safetensors)")
#: The policies among the models are named by their hash.
_POLICY = re.compile(r"models/policy-([0-9a-f]{64})\.onnx")
MOST_TEXT_BYTES = 4_000_000
MOST_MODEL_BYTES = 2_000_000_000


class FileHash(Settings, frozen=True):
    """The path of a file within the artifact, its SHA-256 and its size in bytes."""

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.path in (*DOCUMENTS, SOURCE) or MODEL.fullmatch(self.path)):
            raise ParameterError(
                f"file {self.path!r}",
                rule="an artifact holds its documents, strategy.py, and models as .onnx or"
                " .safetensors.",
            )

    @classmethod
    def of(cls, path: str, content: bytes) -> FileHash:
        """Return the hash of a content."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(path=path, sha256=digest, size=len(content))


class Override(Settings, frozen=True):
    """Who promoted against the gate's refusal, and why. It stays in the artifact for ever."""

    who: str
    why: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.who.strip() and self.why.strip()):
            raise ParameterError("an override without a name or a reason", rule="it gives both.")


class Manifest(Settings, frozen=True):
    """What an artifact is. Its SHA-256 is the artifact's id.

    Parameters
    ----------
    name : str
    created, expires : int
        ns UTC; whoever trades it refuses to from `expires` on.
    kind : {"expressions", "source"}
        ``expressions``: loading it runs no code; ``source``: it runs ``strategy.py``.
    digest : str
        Of the backtest that `alphalab reproduce` repeats.
    files : tuple of FileHash
        All files but the manifest, its signature and the stages; sorted by path.
    ledger_head : str
        Head of the trial ledger when it was made; empty: the ledger was off.
    override : Override, optional
        Given if and only if the gate refused.
    """

    name: str
    created: int
    expires: int
    kind: Literal["expressions", "source"]
    digest: str
    files: tuple[FileHash, ...]
    ledger_head: str = ""
    override: Override | None = None
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        paths = [file.path for file in self.files]
        missing = [name for name in DOCUMENTS if name not in paths]
        if missing or paths != sorted(set(paths)):
            raise ParameterError(
                f"manifest without {', '.join(missing)}" if missing else "manifest out of order",
                rule="a manifest names every file once, in order.",
            )
        if (SOURCE in paths) != (self.kind == "source"):
            raise ParameterError(
                f"manifest of kind {self.kind!r} with files {', '.join(paths)}",
                rule=f"an artifact of source, and no other, holds {SOURCE}.",
            )
        if self.expires <= self.created:
            raise ParameterError("manifest", rule="an artifact expires after it was made.")


class StrategyDocument(Settings, frozen=True):
    """The strategy: all that is needed to make it again.

    Parameters
    ----------
    name : str
        Of its class.
    parameters : dict
        Values of its fields, as JSON.
    expressions : dict of str to str
        Canonical text of every expression.
    strategy_id : str
        `alphalab.artifact.identity.strategy_id`.
    warmup : int, optional
        Rows of history after which a cold start was certified to decide what full history decides.
        Whoever trades the strategy starts no earlier. None: nothing was certified, so nobody may
        trade it.
    """

    name: str
    parameters: dict[str, Any]
    expressions: dict[str, str]
    strategy_id: str
    warmup: int | None


class Request(Settings, frozen=True):
    """Arguments of `alphalab.load` that give the data again."""

    name: str
    symbols: tuple[str, ...] | None = None
    end: str | None = None


class DataDocument(Settings, frozen=True):
    """Which data: its content, and how to load it.

    Parameters
    ----------
    request : Request
    content : str
        `Bars.id`, with the instruments of the artifact.
    version : str
        `Bars.version`; empty for what no store holds.
    symbols : tuple of str
    rows : int
    start, end : str
        First and last instant, ISO 8601.
    n_warm : int
        Rows before the first one that was traded.
    """

    request: Request
    content: str
    version: str
    symbols: tuple[str, ...]
    rows: int
    start: str
    end: str
    n_warm: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.n_warm < self.rows:
            raise ParameterError(
                f"{self.n_warm} of {self.rows} rows seen and not traded",
                rule="at least one row is traded.",
            )


class InstrumentsDocument(Settings, frozen=True):
    """The assets, in the order of the columns, and their later changes."""

    instruments: tuple[Instrument, ...]
    changes: tuple[InstrumentChange, ...] = ()


def canonical(document: Any) -> bytes:
    """Return a document as JSON with sorted keys, indented, and with a line end.

    Examples
    --------
    >>> print(canonical({"b": 1, "a": 2}).decode(), end="")
    {
      "a": 2,
      "b": 1
    }
    """
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def policy_file_name(sha256: str) -> str:
    """Return the name among the models of the policy with a hash."""
    return f"policy-{sha256}.onnx"


def policy_hash(path: str) -> str:
    """Return the hash that the path of a policy names; empty: it is no policy."""
    found = _POLICY.fullmatch(path)
    return found[1] if found else ""


def artifact_id(manifest: bytes) -> str:
    """Return the id of the artifact with a manifest: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(manifest).hexdigest()
