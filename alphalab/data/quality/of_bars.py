"""The quick verdict on bars that a backtest states."""

from __future__ import annotations

from alphalab.data.panel.panel import Panel
from alphalab.data.quality.bars import check_bars
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.settings import QualitySettings

# Verdicts by the identity and source of the data and by the settings, the oldest first.
_KEPT: dict[tuple[str, str, str], Verdict] = {}
_MOST_KEPT = 64


def quality_of(bars: Panel, settings: QualitySettings | None = None) -> Verdict:
    """Return the verdict of bars; the last 64 are kept, by data and settings.

    It leaves out the rules that compare rows with the sessions of an exchange, whose lookup takes
    longer than most backtests, and lists them in `Verdict.skipped`; `check` checks all rules.

    Parameters
    ----------
    bars : Bars
    settings : QualitySettings, optional

    Examples
    --------
    >>> from alphalab.data.samples.datasets import sp500
    >>> bars = sp500()
    >>> quality_of(bars), quality_of(bars) is quality_of(bars)
    (<Verdict ok: bars of sp500, 5,031 rows, 1 symbol>, True)
    """
    settings = settings or QualitySettings()
    key = (bars.id, bars.source, settings.id)
    if key not in _KEPT:
        if len(_KEPT) >= _MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[key] = check_bars(bars, settings, exact=False)
    return _KEPT[key]
