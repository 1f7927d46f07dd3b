"""`Summary`: what is kept of a backtest over more rows than are held."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from alphalab.config import RunSettings
from alphalab.data.clock.times import iso
from alphalab.data.panel.blocks import BlockSource
from alphalab.data.quality.findings import Verdict
from alphalab.research.results import figures as display
from alphalab.research.results.assumptions import digest_text, fill_text
from alphalab.research.results.provenance import quality_of_data, quality_text
from alphalab.research.results.tally_metrics import digest_of, figures
from alphalab.types import FloatArray, IntArray, Records

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SCHEMA = "alphalab.summary/1"


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """What a backtest over a scan keeps of its rows: its figures, its digest, some of its equity.

    Everything was folded as the rows went by, so memory does not grow with their number; fills and
    positions were not kept. `al.backtest` over the same bars in memory has the same digest.

    Parameters
    ----------
    strategy : str
        Name of the strategy.
    params : dict
        Its parameters.
    expressions : dict of str to str
        Canonical text of every expression it was compiled from.
    settings : RunSettings
    scan : BlockSource
        What it ran on.
    tally : record of `alphalab.core.columns.COLUMN`
        The rows, folded.
    time : ndarray of shape (S,)
        Closing times of some of the rows, ns UTC; the last one is the last of all.
    sampled : ndarray of shape (S,)
        Equity after each of them, quote currency.
    warnings : tuple of str
        What the reader has to know.
    seconds : float
        Wall time of the run, reading included; no part of the digest.
    quality : Verdict or None
        The verdict of its data, block by block; None: not checked.
    """

    strategy: str
    params: dict[str, Any]
    expressions: dict[str, str]
    settings: RunSettings
    scan: BlockSource
    tally: Records
    time: IntArray
    sampled: FloatArray
    warnings: tuple[str, ...]
    seconds: float
    quality: Verdict | None = None

    @property
    def n_rows(self) -> int:
        """Rows that were pushed."""
        return int(self.tally["rows"])

    @property
    def digest(self) -> str:
        """Identity of equity, positions and fills: that of the `Result` of the same bars."""
        return digest_of(self.tally["words"])

    @cached_property
    def metrics(self) -> dict[str, float | int]:
        """The figures of `tally_metrics.METRICS`; NaN where one is not defined."""
        found = figures(self.tally[np.newaxis], self.scan.periods_per_year)
        return {name: values[0].item() for name, values in found.items()}

    @property
    def equity(self) -> pd.Series:
        """Account value at some of the rows, quote currency; index in UTC.

        A fall between two of them is not seen here; `metrics` has looked at every row.
        """
        import pandas as pd

        index = pd.DatetimeIndex(self.time.view("M8[ns]"), tz="UTC", name="time")
        return pd.Series(self.sampled, index, name="equity")

    @property
    def assumptions(self) -> dict[str, str]:
        """What the figures rest on, by label, in sentences; a `Result` says more."""
        scan = self.scan
        return {
            "Fill": fill_text(self.settings),
            "Data": f"{scan.source}; id {scan.version}",
            "Data quality": quality_text(self.quality),
            "Period": f"{self.n_rows:,} rows, {iso(self.time[0])} to {iso(self.time[-1])}",
            "Data notes": "; ".join(map(str, scan.notes)) or "none",
            "Digest": digest_text(self.digest),
            "Warnings": "; ".join(self.warnings) or "none",
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data; a figure that is not defined is None."""
        scan = self.scan
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "params": _plain(self.params),
            "data": {
                "id": scan.version,
                "source": scan.source,
                "rows": self.n_rows,
                "symbols": list(scan.symbols),
                "start": iso(self.time[0]),
                "end": iso(self.time[-1]),
                "notes": [str(note) for note in scan.notes],
                "quality": self.quality and quality_of_data(self.quality),
            },
            "metrics": {k: v if np.isfinite(v) else None for k, v in self.metrics.items()},
            "settings": _plain(self.settings),
            "warnings": list(self.warnings),
            "digest": self.digest,
            "seconds": self.seconds,
        }

    def plot(self) -> go.Figure:
        """Return one Plotly figure: the equity, and how far it stood below its peak."""
        from alphalab.research.results.plots import sampled_equity

        return sampled_equity(self)

    def __repr__(self) -> str:
        """Return the headline on one line."""
        text = display.figure_texts(self)
        return (
            f"<Summary: {display.strategy_text(self)} over {self.n_rows:,} rows, "
            f"return {text['total_return']}, Sharpe {text['sharpe']}, "
            f"max drawdown {text['max_drawdown']}, {text['n_fills']} fills, "
            f"digest {self.digest[:8]}>"
        )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))
