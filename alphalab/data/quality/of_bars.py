"""The verdict that a backtest states: of bars, made once, without the sessions of exchanges."""

from __future__ import annotations

from alphalab.data.panel.bars import Bars
from alphalab.data.quality.bars import check_bars
from alphalab.data.quality.findings import Verdict
from alphalab.data.quality.settings import QualitySettings


def quality_of(bars: Bars, settings: QualitySettings | None = None) -> Verdict:
    """Return the verdict of bars; it is kept with them for every settings it was made with.

    All rules but those that compare rows with the sessions of an exchange: looking these up takes
    longer than most backtests. The verdict says so in `Verdict.skipped`; `check` asks all.

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
    if bars._quality is None:
        bars._quality = {}
    kept = bars._quality
    if settings.id not in kept:
        kept[settings.id] = check_bars(bars, settings, exact=False)
    return kept[settings.id]
