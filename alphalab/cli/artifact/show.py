"""``alphalab artifact show`` and ``verify``: what an artifact is, and whether it is unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alphalab.cli.artifact.options import (
    FolderArgument,
    KeysFlag,
    PolicyFlag,
    opened,
    policy_of,
    summary,
)
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.artifact.open import Artifact
    from alphalab.artifact.stages import Standing
    from alphalab.artifact.validation_record import ValidationRecord


def show(
    folder: FolderArgument,
    keys: KeysFlag = None,
    stages: PolicyFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Print what an artifact trades, what the gate said of it, and who moved it where."""
    out = Output(json=json, quiet=quiet)
    artifact, stands, _ = opened(folder, keys, policy_of(stages))
    content = described(artifact, stands)
    if json:
        out.object("artifact.show", content)
        return
    _show(out, artifact, content)


def verify(
    folder: FolderArgument,
    keys: KeysFlag = None,
    stages: PolicyFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Check signature, dates, every file and every move. What was changed is named, with exit 1."""
    out = Output(json=json, quiet=quiet)
    artifact, stands, _ = opened(folder, keys, policy_of(stages))
    content = summary(artifact, stands)
    if json:
        out.object("artifact.verify", content)
        return
    signers = ", ".join(content["signers"])
    out.text(f"{folder}: unchanged, signed by {signers}; {len(artifact.manifest.files)} files")
    out.text(f"Gate: {_gate(content)}")
    _warn(out, content)


def described(artifact: Artifact, stands: Standing) -> dict[str, Any]:
    """Return all of an artifact as plain data."""
    from alphalab.data.clock.times import iso

    moves = [
        {
            **{name: getattr(record.move, name) for name in ("before", "after", "cap", "who")},
            "why": record.move.why,
            "time": iso(record.move.time),
            "signers": [signer.name for signer in record.signers],
            "counts": record.counts,
        }
        for record in stands.records
    ]
    return {
        **summary(artifact, stands),
        "strategy": artifact.strategy,
        "settings": artifact.settings,
        "data": artifact.data,
        "validation": artifact.validation,
        "digest": artifact.manifest.digest,
        "ledger_head": artifact.manifest.ledger_head,
        "versions": artifact.versions,
        "files": artifact.manifest.files,
        "moves": moves,
    }


def _show(out: Output, artifact: Artifact, content: dict[str, Any]) -> None:
    strategy, data = artifact.strategy, artifact.data
    parameters = ", ".join(f"{name}={value}" for name, value in strategy.parameters.items())
    rows = [
        ("id", content["id"]),
        ("strategy", f"{strategy.name}({parameters})"),
        *((name, text) for name, text in strategy.expressions.items()),
        ("kind", content["kind"]),
        ("data", f"{data.request.name}, {data.start[:10]} to {data.end[:10]}, {data.rows:,} rows"),
        ("data id", data.content),
        ("warm-up", _warm_up(strategy.warmup)),
        ("digest", content["digest"]),
        ("gate", _gate(content)),
        ("trials", _trials(artifact.validation)),
        ("ledger", content["ledger_head"] or "off when it was made"),
        ("signed by", ", ".join(content["signers"])),
        ("created", content["created"]),
        ("expires", content["expires"]),
        ("stage", f"{content['stage']}, cap {content['cap']:,.0f}"),
    ]
    out.table(rows, ("artifact", artifact.manifest.name))
    checks = [
        (
            check.name,
            _number(check.figure),
            _number(check.threshold),
            "passed" if check.passed else "refused",
            check.reason,
        )
        for check in artifact.validation.checks
    ]
    out.table(checks, ("check", "figure", "threshold", "verdict", "reason"))
    moves = [
        (
            move["time"],
            f"{move['before']} -> {move['after']}",
            f"{move['cap']:,.0f}",
            ", ".join(move["signers"]) + ("" if move["counts"] else " (waits)"),
            move["why"],
        )
        for move in content["moves"]
    ]
    if moves:
        out.table(moves, ("time", "move", "cap", "signed by", "why"))
    _warn(out, content)


def _warn(out: Output, content: dict[str, Any]) -> None:
    if content["waiting"]:
        out.warn(f"the move to {content['waiting']} waits for signatures")


def _trials(record: ValidationRecord) -> str:
    return f"{record.n_trials:,}, of which {record.n_effective:,} independent"


def _warm_up(rows: int | None) -> str:
    return "not certified: not to be traded" if rows is None else f"{rows:,} rows, certified"


def _gate(content: dict[str, Any]) -> str:
    """Return the verdict; a refusal with whoever overrode it, and why."""
    override = content["override"]
    if override is None:
        return str(content["verdict"])
    return f"{content['verdict']}, overridden by {override.who}: {override.why}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4g}"
