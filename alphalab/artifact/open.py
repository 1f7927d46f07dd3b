"""Open an artifact: verify first, parse what was verified, run nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from alphalab.artifact.envelope import opened, verify
from alphalab.artifact.files import files_below, read_regular
from alphalab.artifact.format import (
    MANIFEST,
    MANIFEST_TYPE,
    MOST_MODEL_BYTES,
    MOST_TEXT_BYTES,
    SIGNATURE,
    SOURCE,
    STAGES,
    DataDocument,
    FileHash,
    InstrumentsDocument,
    Manifest,
    StrategyDocument,
    artifact_id,
    policy_hash,
)
from alphalab.artifact.keys import PublicKey
from alphalab.artifact.loading import load_strategy
from alphalab.artifact.models import check_model
from alphalab.artifact.validation_record import ValidationRecord
from alphalab.artifact.write import speaks_language
from alphalab.config import RunSettings
from alphalab.core.expr_strategy import ExprStrategy
from alphalab.core.strategy import Strategy
from alphalab.errors import AlphalabError, ArtifactError, InputError
from alphalab.expr.policy_file import PolicyFile
from alphalab.expr.policy_rows import register_policy

_T = TypeVar("_T")


@dataclass(frozen=True)
class Artifact:
    """An artifact whose signature, dates and files have been verified.

    Attributes
    ----------
    folder : Path
    id : str
        SHA-256 of the manifest.
    manifest : Manifest
    signers : tuple of PublicKey
        The trusted keys that signed it.
    strategy : StrategyDocument
    settings : RunSettings
    instruments : InstrumentsDocument
    data : DataDocument
    validation : ValidationRecord
    versions : dict of str to str
    """

    folder: Path
    id: str
    manifest: Manifest
    signers: tuple[PublicKey, ...]
    strategy: StrategyDocument
    settings: RunSettings
    instruments: InstrumentsDocument
    data: DataDocument
    validation: ValidationRecord
    versions: dict[str, str]

    def make_strategy(self, pins: Collection[str] = ()) -> Strategy:
        """Return the strategy. One of expressions is parsed, which runs no code.

        Parameters
        ----------
        pins : collection of str
            The SHA-256 of source files that the operator has read and trusts.

        Raises
        ------
        ArtifactError
            Source that is not pinned, or that gives another strategy than was promoted.
        """
        if self.manifest.kind == "expressions":
            return self._expression()
        sha256 = next(file.sha256 for file in self.manifest.files if file.path == SOURCE)
        if sha256 not in pins:
            raise ArtifactError(
                f"{self.folder / SOURCE} is Python code, and its hash is not pinned",
                rule="code of an artifact runs only if the operator has pinned its hash.",
                fix=f"Read it; if you trust it, pin it: --pin {sha256}",
            )
        cls = load_strategy(f"{self.folder / SOURCE}:{self.strategy.name}", sha256=sha256)
        from alphalab.artifact.identity import strategy_id

        try:
            strategy = msgspec.convert(self.strategy.parameters, cls)
        except msgspec.ValidationError as error:
            raise ArtifactError(f"{self.folder}: parameters of {cls.__name__}: {error}") from None
        if (found := strategy_id(strategy)) != self.strategy.strategy_id:
            raise ArtifactError(
                f"{self.folder}: {cls.__name__} is now {found[:12]}, and was "
                f"{self.strategy.strategy_id[:12]} when it was promoted",
                rule="what a strategy uses of other files has not changed since.",
                fix="Install the versions in versions.json, or promote it again.",
            )
        return strategy

    def _expression(self) -> ExprStrategy:
        text = self.strategy.expressions.get("weights")
        if text is None or len(self.strategy.expressions) != 1:
            raise ArtifactError(
                f"{self.folder}: an artifact of expressions without weights",
                rule="its one expression is named weights.",
            )
        self._read_policies()
        strategy = ExprStrategy(text=text)
        if not speaks_language(strategy):
            raise ArtifactError(
                f"{self.folder}: {text:.80} calls a function",
                rule="an artifact of expressions uses alphalab's own operators only.",
            )
        return strategy

    def _read_policies(self) -> None:
        """Read the policies of the artifact, so that its expressions can name them.

        Raises
        ------
        ArtifactError
            A policy under another hash than its own.
        """
        for file in self.manifest.files:
            if named := policy_hash(file.path):
                content = self.model(file.path.removeprefix("models/"))
                if file.sha256 != named:
                    raise ArtifactError(
                        f"{self.folder / file.path} has SHA-256 {file.sha256}",
                        rule="a policy is named by its hash.",
                    )
                register_policy(PolicyFile(content, str(self.folder / file.path)))

    def model(self, name: str) -> bytes:
        """Return the content of a model file, verified again as it is read.

        Raises
        ------
        ArtifactError
            No such model, or one that has changed.
        """
        path = f"models/{name}"
        known = {file.path: file for file in self.manifest.files}
        if path not in known:
            raise ArtifactError(f"{self.folder} has no model {name!r}", fix="See artifact show.")
        content = _content(self.folder, known[path])
        check_model(name, content)
        return content


def open_artifact(folder: Path | str, keys: Mapping[str, PublicKey], *, now: int) -> Artifact:
    """Return an artifact after everything in it was verified.

    Parameters
    ----------
    folder : Path
    keys : mapping of str to PublicKey
        The keys that are trusted, by id.
    now : int
        ns UTC.

    Raises
    ------
    ArtifactError
        No signature of a trusted key; an artifact or key that has expired; a file that was changed,
        is missing, was added, is a link or too large (the message names it).
    """
    folder = Path(folder)
    present = [path for path in files_below(folder) if not path.startswith(STAGES)]
    signature = f"{folder / SIGNATURE}"
    envelope = opened(read_regular(folder / SIGNATURE, MOST_TEXT_BYTES), signature)
    payload, signers = verify(envelope, signature, MANIFEST_TYPE, keys, now=now)
    if read_regular(folder / MANIFEST, MOST_TEXT_BYTES) != payload:
        raise ArtifactError(
            f"{folder / MANIFEST} is not what was signed", fix="Get an unchanged copy."
        )
    manifest = _parsed(payload, Manifest, folder / MANIFEST)
    if now >= manifest.expires:
        raise ArtifactError(
            f"the artifact {manifest.name!r} has expired",
            rule="an artifact is traded until its end.",
            fix="Validate and promote the strategy again.",
        )
    _check_names(folder, present, manifest)
    texts = _verified_texts(folder, manifest)

    def document(name: str, kind: type[_T]) -> _T:
        return _parsed(texts[name], kind, folder / name)

    return Artifact(
        folder=folder,
        id=artifact_id(payload),
        manifest=manifest,
        signers=signers,
        strategy=document("strategy.json", StrategyDocument),
        settings=document("settings.json", RunSettings),
        instruments=document("instruments.json", InstrumentsDocument),
        data=document("data.json", DataDocument),
        validation=document("validation.json", ValidationRecord),
        versions=document("versions.json", dict[str, str]),
    )


def _check_names(folder: Path, present: list[str], manifest: Manifest) -> None:
    signed = {MANIFEST, SIGNATURE, *(file.path for file in manifest.files)}
    if missing := sorted(signed - set(present)):
        raise ArtifactError(f"{folder / missing[0]} is missing", fix="Get a whole copy.")
    if added := sorted(set(present) - signed):
        raise ArtifactError(
            f"{folder / added[0]} is no part of the artifact",
            rule="an artifact holds what was signed, and nothing else.",
            fix="Remove it, or get an unchanged copy.",
        )


def _verified_texts(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Check every file of the manifest; return the contents of all but the models."""
    texts = {}
    for file in manifest.files:
        content = _content(folder, file)
        if file.path.startswith("models/"):
            check_model(file.path, content)
        else:
            texts[file.path] = content
    return texts


def _content(folder: Path, file: FileHash) -> bytes:
    limit = MOST_MODEL_BYTES if file.path.startswith("models/") else MOST_TEXT_BYTES
    content = read_regular(folder / file.path, limit)
    if len(content) != file.size or hashlib.sha256(content).hexdigest() != file.sha256:
        raise ArtifactError(
            f"{folder / file.path} has changed since it was signed", fix="Get an unchanged copy."
        )
    return content


def _parsed(content: bytes, kind: type[_T], path: Path) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, InputError, RecursionError) as error:
        what = error.what if isinstance(error, AlphalabError) else error
        raise ArtifactError(
            f"{path}: {what}", rule="it is what this version of alphalab writes."
        ) from None
