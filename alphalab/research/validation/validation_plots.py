"""Plotly figures of a validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from alphalab.research.pages.style import BLUE, GREEN, GREY, INK, RED, layout
from alphalab.research.results.overfitting import Pbo
from alphalab.research.results.sharpe_ratio import deflated_sharpe, probabilistic_sharpe
from alphalab.research.validation.evidence import Evidence
from alphalab.research.validation.stress import Outcome
from alphalab.research.validation.verdict import Trials

if TYPE_CHECKING:
    import plotly.graph_objects as go

_HEIGHT = 300
_MOST_TRIALS = 10_000


def paths(evidence: Evidence) -> go.Figure:
    """Return the distribution of the annualised Sharpe ratios of the paths."""
    figure = _figure("Sharpe ratio of a path", "Paths")
    figure.add_histogram(x=evidence.paths, nbinsx=20, marker_color=BLUE)
    figure.add_vline(x=0.0, line={"color": INK, "width": 1})
    return figure


def logits(found: Pbo) -> go.Figure:
    """Return the distribution of the logits, those at or below the median in red."""
    figure = _figure("Logit of the rank out of sample", "Share of the halves, percent")
    edges = np.linspace(found.logits.min() - 1e-9, found.logits.max() + 1e-9, 41)
    counts, _ = np.histogram(found.logits, edges)
    middle = (edges[1:] + edges[:-1]) / 2
    figure.add_bar(
        x=middle,
        y=100 * counts / found.logits.size,
        width=np.diff(edges),
        marker_color=np.where(middle <= 0, RED, BLUE),
    )
    figure.add_vline(x=0.0, line={"color": INK, "width": 1})
    return figure


def deflated(evidence: Evidence, trials: Trials) -> go.Figure:
    """Return the deflated Sharpe ratio for 1 to 10,000 trials, with the trials at hand marked."""
    figure = _figure("Trials", "Deflated Sharpe ratio")
    # Of one trial alone the variance of Sharpe ratios without skill stands in: 1 / T.
    variance = trials.variance or 1.0 / evidence.moments.n
    n = np.unique(np.geomspace(1, _MOST_TRIALS, 60).round())
    y = [deflated_sharpe(evidence.moments, float(k), variance) for k in n]
    figure.add_scatter(x=n, y=y, line={"color": BLUE, "width": 2})
    at = probabilistic_sharpe(evidence.moments, trials.by_chance)
    figure.add_scatter(x=[trials.n], y=[at], mode="markers", marker={"color": INK, "size": 9})
    figure.add_hline(y=0.95, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(range=[0, 1.02])
    return figure


def years(evidence: Evidence) -> go.Figure:
    """Return the return of each calendar year."""
    figure = _figure("", "Return, percent")
    gains = [100 * year.total_return for year in evidence.years]
    colours = [GREEN if gain > 0 else RED for gain in gains]
    figure.add_bar(x=[year.label for year in evidence.years], y=gains, marker_color=colours)
    return figure


def neighbours(near: Sequence[Outcome], base: float) -> go.Figure:
    """Return the Sharpe ratio of each neighbour, and that of the strategy, `base`, as a line."""
    figure = _figure("", "Sharpe ratio")
    known = [x if math.isfinite(x.sharpe) else x._replace(sharpe=0.0) for x in near]
    figure.add_bar(x=[x.label for x in known], y=[x.sharpe for x in known], marker_color=GREY)
    figure.add_hline(y=base, line={"color": BLUE, "width": 2})
    return figure


def _figure(x: str, y: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(layout(_HEIGHT), showlegend=False, bargap=0.08)
    figure.update_xaxes(title=x)
    figure.update_yaxes(title=y)
    return figure
