"""Make an artifact: gather what it is made of, check it against its validation, sign, write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from alphalab.artifact.envelope import sign
from alphalab.artifact.files import write_folder
from alphalab.artifact.format import (
    MANIFEST,
    MANIFEST_TYPE,
    SIGNATURE,
    SOURCE,
    DataDocument,
    FileHash,
    InstrumentsDocument,
    Manifest,
    Override,
    StrategyDocument,
    canonical,
    policy_file_name,
)
from alphalab.artifact.identity import strategy_id
from alphalab.artifact.keys import SigningKey
from alphalab.artifact.models import check_model
from alphalab.artifact.validation_record import ValidationRecord
from alphalab.config import RunSettings
from alphalab.core.strategy import Strategy
from alphalab.errors import ParameterError, RefusedError
from alphalab.expr.policy_rows import policy_of
from alphalab.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Content(Settings, frozen=True):
    """What an artifact is made of, besides its strategy and its models.

    Parameters
    ----------
    settings : RunSettings
        Those that are in force: with what the strategy's class says.
    instruments : InstrumentsDocument
    data : DataDocument
    validation : ValidationRecord
    digest : str
        Digest of the backtest of this strategy on this data with these settings.
    versions : dict of str to str
    """

    settings: RunSettings
    instruments: InstrumentsDocument
    data: DataDocument
    validation: ValidationRecord
    digest: str
    versions: dict[str, str]


def write_artifact(
    folder: Path,
    strategy: Strategy,
    content: Content,
    *,
    created: int,
    expires: int,
    keys: Sequence[SigningKey],
    override: Override | None = None,
    models: Mapping[str, bytes] | None = None,
) -> Manifest:
    """Write an artifact into a new folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Its last part becomes the artifact's name.
    strategy : Strategy
    content : Content
    created, expires : int
        ns UTC.
    keys : sequence of SigningKey
        At least one.
    override : Override, optional
        For a strategy that the gate refused, and for no other.
    models : mapping of str to bytes, optional
        Further model files by name; those of its policies are always in it.

    Raises
    ------
    RefusedError
        A validation of another strategy, other data, other settings or another result; a gate that
        refused, without an override.
    InputError
        A folder that exists, a name that is not one.
    ArtifactError
        A model that is neither safetensors nor ONNX.
    """
    if not _NAME.fullmatch(folder.name):
        raise ParameterError(
            f"artifact name {folder.name!r}",
            rule="it has up to 80 letters, digits and . _ -, and begins with a letter or digit.",
        )
    if not keys:
        raise ParameterError("an artifact without a key", rule="an artifact is signed.")
    check_validation(content.validation, strategy, content)
    _check_override(content.validation, override)
    source = None if speaks_language(strategy) else _source_of(strategy)
    files = _files(strategy, content, source, models or {})
    manifest = Manifest(
        name=folder.name,
        created=created,
        expires=expires,
        kind="expressions" if source is None else "source",
        digest=content.digest,
        files=tuple(FileHash.of(path, files[path]) for path in sorted(files)),
        ledger_head=content.validation.ledger_head,
        override=override,
    )
    payload = canonical(manifest)
    signature = sign(payload, MANIFEST_TYPE, keys).encoded()
    write_folder(folder, {**files, MANIFEST: payload, SIGNATURE: signature})
    return manifest


def check_validation(record: ValidationRecord, strategy: Strategy, content: Content) -> None:
    """Refuse a validation that is not of this strategy, data, settings and result.

    Raises
    ------
    RefusedError
        What differs, and what to do.
    """
    pairs = {
        "strategy": (record.strategy_id, strategy_id(strategy)),
        "data": (record.data_ids[0] if record.data_ids else "", content.data.content),
        "settings": (record.settings_id, content.settings.id),
        "result": (record.digest, content.digest),
    }
    for what, (validated, now) in pairs.items():
        if validated != now:
            raise RefusedError(
                f"the validation is of another {what} ({validated[:12]}, now {now[:12]})",
                rule="what is promoted is what was validated, with nothing changed since.",
                fix="Validate it again.",
            )


def _check_override(record: ValidationRecord, override: Override | None) -> None:
    if record.verdict == "refused" and override is None:
        failed = "; ".join(f"{check.name}: {check.reason}" for check in record.refusals)
        raise RefusedError(
            f"the gate refused: {failed}",
            rule="only what passed is promoted.",
            fix="Or override it, signed and visible for ever: --override 'why'.",
        )
    if record.verdict == "passed" and override is not None:
        raise ParameterError(
            "an override of a gate that passed", rule="an override is for what the gate refused."
        )


def speaks_language(strategy: Strategy) -> bool:
    """Return True if a strategy is nothing but expressions of alphalab's own operators.

    Examples
    --------
    >>> from alphalab.core.expr_strategy import ExprStrategy
    >>> speaks_language(ExprStrategy(text="close > ts_mean(close, 20)"))
    True
    """
    from alphalab.expr.registry import REGISTRY

    if type(strategy).decide is not None:
        return False
    # The update of alphalab's own operators is known by name, that of a user's is a function.
    return all(
        node.op != "python_op" and isinstance(REGISTRY[node.op].update, str)
        for expr in strategy.expressions().values()
        for node in expr.walk()
    )


def _files(
    strategy: Strategy, content: Content, source: bytes | None, models: Mapping[str, bytes]
) -> dict[str, bytes]:
    expressions = strategy.expressions()
    document = StrategyDocument(
        name=type(strategy).__name__,
        parameters=_parameters(strategy),
        expressions={name: str(expr) for name, expr in expressions.items()},
        strategy_id=strategy_id(strategy),
        warmup=content.validation.warmup_rows,
    )
    files = {
        "strategy.json": canonical(document),
        "settings.json": canonical(content.settings),
        "instruments.json": canonical(content.instruments),
        "data.json": canonical(content.data),
        "validation.json": canonical(content.validation),
        "versions.json": canonical(content.versions),
    }
    if source is not None:
        files[SOURCE] = source
    for name, model in {**_policies(strategy), **models}.items():
        check_model(name, model)
        files[f"models/{name}"] = model
    return files


def _policies(strategy: Strategy) -> dict[str, bytes]:
    """Return the files of the policies that a strategy runs, by name."""
    nodes = (node for expr in strategy.expressions().values() for node in expr.walk())
    hashes = (node.params[1] for node in nodes if node.op == "policy")
    return {policy_file_name(sha256): policy_of(sha256).content for sha256 in hashes}


def _parameters(strategy: Strategy) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.json.decode(strategy.canonical_json())
    return values


def _source_of(strategy: Strategy) -> bytes:
    """Return the file of a strategy that its expressions do not say whole."""
    import sys

    file = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
    if file is None or not Path(file).is_file():
        raise ParameterError(
            f"{type(strategy).__name__} was not read from a file",
            rule="a strategy with code of its own is promoted from its .py file.",
            fix="Write it into a file, and promote that.",
        )
    return Path(file).read_bytes()
