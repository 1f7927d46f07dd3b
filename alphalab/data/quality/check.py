"""`check`: the quality rules applied to bars, rows, tables, files and stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alphalab.data.clock.times import parse_duration
from alphalab.data.panel.panel import Panel
from alphalab.data.panel.rows import Rows
from alphalab.data.quality.bars import check_bars
from alphalab.data.quality.events import check_events
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.funding import checked_with_funding
from alphalab.data.quality.reading import Events, read, read_events, splits_in
from alphalab.data.quality.settings import QualitySettings
from alphalab.data.read_rows import read_rows
from alphalab.errors import ParameterError


def check(
    data: Any,
    settings: QualitySettings | None = None,
    *,
    calendar: str | None = None,
    interval: str | None = None,
    actions: Any = None,
    funding: Any = None,
    progress: bool = False,
) -> Verdict:
    """Check data against every rule of `alphalab.data.quality.registry`. Nothing is changed.

    Parameters
    ----------
    data : Bars, Rows, Events, str, Path, pandas.DataFrame or another table
        What to check. A table is one of bars, as `Bars.from_frame` reads it. A text is a data set,
        the address of a store, or a file: of bars, trades, funding rates, or splits and dividends.
    settings : QualitySettings, optional
        The severity and the thresholds of each rule.
    calendar : str, optional
        ``"24/7"`` or a code such as ``"XNYS"``. Not given: those of the instruments.
    interval : str, optional
        Length of a bar, such as ``"5m"``. Not given: the most frequent step between rows.
    actions : table, str or Path, optional
        Splits of the bars, as `Bars.with_actions` takes them.
    funding : table, str or Path, optional
        Rates of the bars, as `Bars.with_funding` takes them.
    progress : bool
        Show a progress bar on stderr: symbols.

    Returns
    -------
    Verdict

    Raises
    ------
    DataError
        A file that cannot be read.
    UnknownNameError
        No such calendar or data set; near names are suggested.
    ParameterError
        An option for bars, given for another kind of table.

    Examples
    --------
    >>> import numpy as np
    >>> import alphalab as al
    >>> bars = al.load("sp500")
    >>> check(bars).status
    'ok'
    >>> halved = np.where(np.arange(bars.n_rows)[:, None] < 3000, 1.0, 0.5)  # a split
    >>> prices = {name: bars[name] * halved for name in ("open", "high", "low", "close")}
    >>> print(check(bars.with_columns(prices | {"volume": bars.volume / halved})).findings[0])
    splits (SP500): the level shifts as in a split, and no split is known: row 3000 (2010-12-06...
    """
    settings = settings or QualitySettings()
    if isinstance(data, str | Path):
        data = read(str(data))
    elif not isinstance(data, Panel | Rows | Events):
        data = read_rows(data)
    if isinstance(data, Events):
        for name, given in (
            ("calendar", calendar),
            ("interval", interval),
            ("actions", actions),
            ("funding", funding),
        ):
            if given is not None:
                raise ParameterError(
                    f"{name} for {data.kind}", rule=f"{name} is for bars.", fix="Leave it out."
                )
        return check_events(data, settings)
    splits = None
    if actions is not None:
        splits = splits_in(read_events(actions, ("actions",)), data.symbols)
    verdict = check_bars(
        data,
        settings,
        exact=True,
        calendar=calendar,
        interval=None if interval is None else parse_duration(interval),
        splits=splits,
        progress=progress,
    )
    if funding is None:
        return verdict
    return checked_with_funding(verdict, data, read_events(funding, ("funding",)), settings)
