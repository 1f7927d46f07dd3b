"""`Regimes`: what the states of a regime model were worth, as they were known in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError, ParameterError
from alphalab.research.models.forward import Forward
from alphalab.research.models.one_fit import seeded
from alphalab.research.pages import page
from alphalab.research.pages.style import AMBER, BLUE, GREEN, INK, PURPLE, RED, faint, layout
from alphalab.research.results import metrics
from alphalab.research.results.holdings import asset_returns
from alphalab.research.results.values import values_of
from alphalab.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_COLOURS = (GREEN, AMBER, RED, PURPLE, BLUE)


@dataclass(frozen=True, eq=False, repr=False)
class Regimes:
    """The states of a regime model over the rows of one symbol.

    Parameters
    ----------
    bars : Bars
        Of one symbol.
    states : ndarray of shape (T,)
        The state that was known at each row: 0, 1, ...; NaN where none was.
    hindsight : ndarray of shape (T,), optional
        The states that a smoother finds when it knows all rows. They cannot be traded.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500", start="2014-01-01")
    >>> forward = al.fit_forward(
    ...     al.models.GaussianHmm(2, n_starts=1),
    ...     bars,
    ...     features={"r": "returns(close, 1)"},
    ...     every="1Y",
    ...     train="2Y",
    ...     name="regime",
    ...     output="regimes",
    ...     cache=None,
    ...     progress=False,
    ... )
    >>> regimes = al.models.Regimes.of(forward)
    >>> regimes.table["rows"].sum() + np.isnan(regimes.states).sum() == bars.n_rows
    np.True_
    """

    bars: Bars
    states: FloatArray
    hindsight: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.bars.n_symbols != 1:
            raise DataError(
                f"regimes of {self.bars.n_symbols} symbols",
                rule="a report of regimes is of one symbol.",
                fix="Choose one with bars.select([...]).",
            )
        if np.shape(self.states) != (self.bars.n_rows,):
            raise DataError(
                f"states of shape {np.shape(self.states)} for {self.bars.n_rows:,} rows",
                rule="there is one state for each row.",
            )

    @classmethod
    def of(cls, forward: Forward) -> Regimes:
        """Return the regimes of a model that was fitted forward with ``output="regimes"``.

        Hindsight is the same model fitted once on all rows and smoothed, where it can.

        Raises
        ------
        ParameterError
            Values that are no states.
        """
        if forward.spec.output != "regimes":
            raise ParameterError(
                f"output={forward.spec.output!r}",
                rule="states come from a model of regimes.",
                fix='Use al.models.GaussianHmm or MarkovSwitching with output="regimes".',
            )
        states = forward.join()[forward.spec.name][:, 0]
        return cls(forward.bars, states, _in_hindsight(forward))

    @property
    def n_states(self) -> int:
        """Number of states."""
        known = self.states[np.isfinite(self.states)]
        return int(known.max()) + 1 if known.size else 0

    @cached_property
    def next_returns(self) -> FloatArray:
        """Return of the row after each row, close to close, (T,); NaN at the last one."""
        return np.append(asset_returns(self.bars)[1:, 0], np.nan)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each state: rows, share, mean length in rows, and the next rows' returns.

        Annual return is the mean times `periods_per_year`; volatility and Sharpe ratio are those of
        `alphalab.research.results.metrics`.
        """
        import pandas as pd

        year = self.bars.periods_per_year
        known = np.isfinite(self.states)
        rows = []
        for state in range(self.n_states):
            here = self.states == state
            returns = self.next_returns[here]
            returns = returns[np.isfinite(returns)]
            starts = here & ~np.append(False, here[:-1])
            rows.append(
                {
                    "rows": int(here.sum()),
                    "share": here.sum() / known.sum(),
                    "mean_length": here.sum() / max(int(starts.sum()), 1),
                    "annual_return": returns.mean() * year if returns.size else np.nan,
                    "volatility": metrics.volatility(returns, year),
                    "sharpe": metrics.sharpe(returns, year),
                }
            )
        return pd.DataFrame(rows, index=pd.RangeIndex(self.n_states, name="state"))

    @property
    def transitions(self) -> pd.DataFrame:
        """Share of the rows of a state (index) that were followed by each state (columns)."""
        import pandas as pd

        n = self.n_states
        counts = np.zeros((n, n))
        now, then = self.states[:-1], self.states[1:]
        both = np.isfinite(now) & np.isfinite(then)
        np.add.at(counts, (now[both].astype(int), then[both].astype(int)), 1.0)
        total = counts.sum(axis=1, keepdims=True)
        names = pd.RangeIndex(n, name="state")
        shares = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
        return pd.DataFrame(shares, index=names, columns=pd.RangeIndex(n, name="next"))

    @property
    def hindsight_table(self) -> pd.DataFrame:
        """Sharpe ratio of holding in state 0 alone, without costs, by what was known.

        ``filtered``: the states known in time. ``smoothed``: those found when all rows are known,
        over the same rows; nobody could trade them. ``held``: always.
        """
        import pandas as pd

        year, known = self.bars.periods_per_year, np.isfinite(self.states)
        found = {"filtered": self.states == 0, "held": known}
        if self.hindsight is not None:
            found = {"filtered": found["filtered"], "smoothed": self.hindsight == 0, "held": known}
        use = known & np.isfinite(self.next_returns)
        sharpe = {
            name: metrics.sharpe(np.where(hold, self.next_returns, 0.0)[use], year)
            for name, hold in found.items()
        }
        return pd.DataFrame({"sharpe": sharpe})

    def plot(self) -> go.Figure:
        """Return a Plotly figure: the price on a log scale, its background coloured by state."""
        import plotly.graph_objects as go

        time = self.bars.time.astype("M8[ns]")
        close = self.bars.close[:, 0]
        figure = go.Figure(layout=layout(420))
        low, high = np.nanmin(close), np.nanmax(close)
        for state in range(self.n_states):
            here = self.states == state
            colour = _COLOURS[state % len(_COLOURS)]
            figure.add_scatter(
                x=time,
                y=np.where(here, high, low),
                line={"width": 0, "shape": "hv"},
                fill="tozeroy",
                fillcolor=faint(colour, 0.25),
                name=f"state {state}",
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=time, y=close, name=self.bars.symbols[0], line={"color": INK, "width": 1}
        )
        figure.update_yaxes(type="log", range=np.log10([low, high]).tolist(), title="close")
        figure.update_xaxes(range=[str(time[0]), str(time[-1])])
        return figure

    def __repr__(self) -> str:
        return f"{self.table.round(4)}\n{self.hindsight_table.round(2)}"

    def _repr_html_(self) -> str:
        parts = (self.table.round(4), self.transitions.round(3), self.hindsight_table.round(2))
        return "".join(_as_html(part) for part in parts)


def _as_html(table: Any) -> str:
    head = (escape(str(table.index.name or "")), *(escape(str(name)) for name in table.columns))
    lines = [(str(key), *map(str, values)) for key, *values in table.itertuples()]
    return page.table(head, lines)


def _in_hindsight(forward: Forward) -> FloatArray | None:
    """Return the smoothed states of one fit on all rows; None: the model does not smooth."""
    if not hasattr(forward.spec.model, "smoothed"):
        return None
    x = np.stack(list(values_of(forward.spec.features, forward.bars).values()), axis=2)[:, 0]
    known = np.isfinite(x).all(axis=1)
    model = seeded(clone(forward.spec.model), forward.spec.seed).fit(x[known])
    states = np.full(len(x), np.nan)
    states[known] = model.smoothed(x[known]).argmax(axis=1)
    return states
