"""`Summary`: metrics, digest and sampled equity of a backtest over a scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from alphalab.config import RunSettings
from alphalab.core.rules import quote_currency
from alphalab.data.clock.times import iso
from alphalab.data.panel.blocks import BlockSource
from alphalab.data.quality.findings import Verdict
from alphalab.research.results import figures, plots
from alphalab.research.results.assumptions import digest_text, fill_text, ledger_text
from alphalab.research.results.provenance import plain, quality_of_data, quality_text
from alphalab.research.results.tally_metrics import digest_of, metrics_of
from alphalab.types import FloatArray, IntArray, Records

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_SCHEMA = "alphalab.summary/1"


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """Metrics, digest and sampled equity of a backtest over a scan.

    Rows are added up while they are pushed, so memory does not grow with their number; fills and
    positions are not kept. `al.backtest` over the same bars in memory has the same digest.

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
        The data.
    tally : record of `alphalab.core.columns.COLUMN`
        Sums over all rows.
    time : ndarray of shape (S,)
        Closing times of some of the rows, ns UTC; the last one is the last of all.
    sampled : ndarray of shape (S,)
        Equity after each of them, quote currency.
    warnings : tuple of str
        Sentences that a reader needs before the figures.
    seconds : float
        Wall time of the run, reading included; no part of the digest.
    quality : Verdict or None
        Verdict on the data, joined over the blocks; None: not checked.
    ledger : str
        File of the trial ledger that counted it, or ``off``. Empty: it was not counted, as a part
        of another run.
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
    ledger: str = ""

    @property
    def n_rows(self) -> int:
        """Rows that were pushed."""
        return int(self.tally["rows"])

    @property
    def currency(self) -> str:
        """Quote currency of the account."""
        return quote_currency(self.settings, self.scan.instruments)

    @property
    def digest(self) -> str:
        """Identity of equity, positions and fills: that of the `Result` of the same bars."""
        return digest_of(self.tally["words"])

    @cached_property
    def metrics(self) -> dict[str, float | int]:
        """The figures of `tally_metrics.METRICS`; NaN where one is not defined."""
        found = metrics_of(self.tally[np.newaxis], self.scan.periods_per_year)
        return {name: values[0].item() for name, values in found.items()}

    @property
    def equity(self) -> pd.Series:
        """Account value at some of the rows, quote currency; index in UTC.

        A fall between two of these rows is not visible here; `metrics` uses every row.
        """
        import pandas as pd

        index = pd.DatetimeIndex(self.time.view("M8[ns]"), tz="UTC", name="time")
        return pd.Series(self.sampled, index, name="equity")

    @property
    def assumptions(self) -> dict[str, str]:
        """The assumptions behind the metrics, by label, in sentences; a `Result` has more."""
        scan = self.scan
        return {
            "Fill": fill_text(self.settings),
            "Data": f"{scan.source}; id {scan.version}",
            "Data quality": quality_text(self.quality),
            "Period": f"{self.n_rows:,} rows, {iso(self.time[0])} to {iso(self.time[-1])}",
            "Data notes": "; ".join(map(str, scan.notes)) or "none",
            **ledger_text(self.ledger),
            "Digest": digest_text(self.digest),
            "Warnings": "; ".join(self.warnings) or "none",
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data; a metric that is not defined is None."""
        scan = self.scan
        return {
            "schema": _SCHEMA,
            "strategy": self.strategy,
            "params": plain(self.params),
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
            "settings": plain(self.settings),
            "warnings": list(self.warnings),
            "digest": self.digest,
            "seconds": self.seconds,
        }

    def plot(self) -> go.Figure:
        """Return one Plotly figure: sampled equity and drawdown."""
        start = float(self.tally["start"])
        return plots.sampled_equity(self.strategy, start, self.time, self.sampled)

    def __repr__(self) -> str:
        """Return the headline on one line."""
        text = figures.figure_texts(self.metrics)
        name = figures.strategy_text(self.strategy, self.params)
        return (
            f"<Summary: {name} over {self.n_rows:,} rows, "
            f"return {text['total_return']}, Sharpe {text['sharpe']}, "
            f"max drawdown {text['max_drawdown']}, {text['n_fills']} fills, "
            f"digest {self.digest[:8]}>"
        )
