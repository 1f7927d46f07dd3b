"""Market data: loading, ingestion, quality checks, trade bars and the store.

Every public name of the room is here; its module is imported when the name is first used.

Examples
--------
>>> from alphalab import data
>>> data.Schema(label="open").label
'open'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # What type checkers and editors see. `_PUBLIC` is what runs; a test holds the two together.
    from alphalab.data.exchanges.fetch import fetch as fetch
    from alphalab.data.formats.notes import Note as Note
    from alphalab.data.formats.schema import Schema as Schema
    from alphalab.data.ingestion.ingest import Ingested as Ingested
    from alphalab.data.ingestion.ingest import ingest as ingest
    from alphalab.data.load import DATASETS as DATASETS
    from alphalab.data.panel.bars import Bars as Bars
    from alphalab.data.quality.check import check as check
    from alphalab.data.quality.findings import Finding as Finding
    from alphalab.data.quality.findings import Verdict as Verdict
    from alphalab.data.quality.of_bars import quality_of as quality_of
    from alphalab.data.quality.settings import QualitySettings as QualitySettings
    from alphalab.data.store.scan import Scan as Scan
    from alphalab.data.store.scan import scan as scan
    from alphalab.data.store.store import Store as Store
    from alphalab.data.trades.bar_maker import Imbalance as Imbalance
    from alphalab.data.trades.bar_maker import TradeBars as TradeBars
    from alphalab.data.trades.trade_bars import trade_bars as trade_bars

_PUBLIC = {
    "exchanges.fetch": "fetch",
    "formats.notes": "Note",
    "formats.schema": "Schema",
    "ingestion.ingest": "Ingested ingest",
    "load": "DATASETS",
    "panel.bars": "Bars",
    "quality.check": "check",
    "quality.findings": "Finding Verdict",
    "quality.of_bars": "quality_of",
    "quality.settings": "QualitySettings",
    "store.scan": "Scan scan",
    "store.store": "Store",
    "trades.bar_maker": "Imbalance TradeBars",
    "trades.trade_bars": "trade_bars",
}
_HOME = {name: f"{__name__}.{home}" for home, names in _PUBLIC.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name where it lives."""
    if name not in _HOME:
        raise AttributeError(f"module 'alphalab.data' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
