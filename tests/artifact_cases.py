"""Builders of artifacts for tests: from real backtests, with real keys and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import alphalab as al
from alphalab.artifact.format import DataDocument, InstrumentsDocument, Override, Request
from alphalab.artifact.identity import strategy_id
from alphalab.artifact.keys import Keyring, SigningKey
from alphalab.artifact.validation_record import Check, ValidationRecord
from alphalab.artifact.write import Content, write_artifact

NOW = 1_800_000_000_000_000_000
DAY = 86_400 * 10**9
END = NOW + 100 * DAY


def keyring(folder: Path, *names: str) -> tuple[Keyring, list[SigningKey]]:
    """Return a keyring with new keys of these names."""
    ring = Keyring(folder / "keys")
    for name in names:
        ring.new(name, now=NOW, days=365)
    return ring, [ring.signing(name, now=NOW) for name in names]


def content_of(
    strategy: al.Strategy,
    *,
    data: str = "sp500",
    bars: al.Bars | None = None,
    passed: bool = True,
    record: Mapping[str, Any] | None = None,
    **options: Any,
) -> Content:
    """Return what an artifact of a strategy is made of, validated by a gate of one check."""
    bars = al.load(data) if bars is None else bars
    result = al.backtest(strategy, bars, **options)
    check = Check(name="sharpe", figure=0.4, threshold=1.0, passed=passed, reason="0.4 against 1.0")
    fields = {
        "policy_id": "0" * 64,
        "checks": (check,),
        "verdict": "passed" if passed else "refused",
        "strategy_id": strategy_id(strategy),
        "data_ids": (bars.id,),
        "settings_id": result.settings.id,
        "digest": result.digest,
        "created": NOW,
        "ledger_head": "",
        "n_trials": 1,
        "n_effective": 1,
        "warmup_rows": 131,
    }
    return Content(
        settings=result.settings,
        instruments=InstrumentsDocument(
            instruments=bars.instruments, changes=bars.instrument_changes
        ),
        data=DataDocument(
            request=Request(name=data),
            content=bars.id,
            version=bars.version,
            symbols=bars.symbols,
            rows=bars.n_rows,
            start=bars.start,
            end=bars.end,
        ),
        validation=ValidationRecord(**fields | dict(record or {})),
        digest=result.digest,
        versions={"alphalab": "0.1.0"},
    )


def made(
    folder: Path,
    strategy: al.Strategy,
    keys: Sequence[SigningKey],
    *,
    content: Content | None = None,
    override: Override | None = None,
    models: Mapping[str, bytes] | None = None,
) -> Path:
    """Write an artifact and return its folder."""
    write_artifact(
        folder,
        strategy,
        content_of(strategy) if content is None else content,
        created=NOW,
        expires=END,
        keys=keys,
        override=override,
        models=models,
    )
    return folder
