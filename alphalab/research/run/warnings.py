"""Warnings of a run, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np

from alphalab.codes import REASONS, OrderStatus, OrderType, Origin, Reason
from alphalab.config import RunSettings
from alphalab.core.engine import Block, Engine
from alphalab.core.rules import start_equity
from alphalab.data.clock.times import iso
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.universe import MEMBER
from alphalab.research.results import order_lives
from alphalab.research.run.coarse_windows import coarse_windows
from alphalab.research.run.look_ahead import known_early, tables_read
from alphalab.research.run.old_values import old_values
from alphalab.research.run.silent import silent_assets
from alphalab.types import Records

#: Share of the profit that depends on unknown paths, above which there is a warning.
AMBIGUOUS_SHARE = 0.1

#: Share of entry orders that end unfilled, above which there is a warning.
UNFILLED_SHARE = 0.5

#: About bars of a file whose times are dates of which nobody said what they name.
DATES = (
    "The times of the bars are dates, taken as 00:00 UTC: a row that was traded on its date counts "
    "as known a day early, beside other data and in tables by month. Load the file with "
    "label='session' and a calendar (--label session --calendar XNYS), or label='open'."
)

_FINAL = (Reason.DRAWDOWN_LOCK, Reason.BANKRUPT)


def warnings_of(
    engine: Engine, bars: Bars, block: Block, before: Bars | None = None
) -> Iterator[str]:
    """Yield the warnings of a run; its expressions saw the rows `before` first."""
    if bars.time_names == "date":
        yield DATES
    if not block.fills.size:
        yield _nothing(engine, bars)
    if engine.warmup < bars.n_rows:
        yield from silent_assets(engine.expressions, bars, block, before)
    yield from _refusals(engine, bars, block.refusals)
    if engine.settings.entry is not None:
        yield from _unfilled(block.events)
    yield from _ambiguous(engine, block)
    there = [name for name in ("split", "dividend", "funding", MEMBER) if _has_values(bars, name)]
    yield from unused(there, engine.columns, engine.settings)
    yield from _stale(bars, block)
    yield from _ruin(bars, block.ledger)
    yield from coarse_windows(engine.expressions, bars.coarser)
    yield from old_values(bars, engine.columns)
    yield from known_early(bars.known_early, engine.columns)
    yield from tables_read(engine.strategy, engine.expressions)


def _nothing(engine: Engine, bars: Bars) -> str:
    if engine.warmup < bars.n_rows:
        return "Nothing was traded."
    return (
        f"Nothing can trade: the windows need {engine.warmup + 1} rows and the data has "
        f"{bars.n_rows}. Use shorter windows, more data or an earlier start."
    )


def _refusals(engine: Engine, bars: Bars, refusals: Records) -> Iterator[str]:
    counts = Counter(Reason(code) for code in refusals["reason"].tolist())
    for reason, count in sorted(counts.items()):
        rows = refusals[refusals["reason"] == reason]
        first = rows[0]
        day = iso(int(first["time"]))[:10]
        if reason in _FINAL:
            left = bars.n_rows - 1 - int(first["row"])
            yield f"{day}: {REASONS[reason]}. It lasts for the {left:,} rows that follow."
        elif reason == Reason.LIQUIDATED:
            often = f"{count:,} times, first on" if count > 1 else "on"
            yield (
                f"Liquidated {often} {day}: equity of {first['asked']:,.2f} was "
                f"below the {first['approved']:,.2f} that the positions needed."
            )
        elif reason == Reason.GROSS_LIMIT and (rows["asset"] == -1).any():
            yield (
                f"{count:,} times, first on {day}: the targets had a gross exposure of up to "
                f"{np.abs(rows['asked']).max():.4g} and were scaled down to the limit of "
                f"{engine.settings.gross:.4g}. Lower them, for example with al.cs_scale."
            )
        else:
            yield f"{count:,} times, first on {day}: {REASONS[reason]}."


def _unfilled(events: Records) -> Iterator[str]:
    """Warn of entries that were not filled: their profit or loss is not in the figures."""
    entries = (events["origin"] == Origin.TARGET) & (events["type"] == OrderType.LIMIT)
    last = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUSED)
    ended = events[entries & np.isin(events["status"], last)]
    missed = int((ended["filled"] == 0).sum())
    if missed > UNFILLED_SHARE * ended.size:
        yield (
            f"{missed:,} of {ended.size:,} limit orders to enter ended unfilled; see result.orders."
        )


def _ambiguous(engine: Engine, block: Block) -> Iterator[str]:
    start = start_equity(engine.settings, engine.instruments)
    profit = float(block.ledger["equity"][-1]) - start
    stake = float(order_lives.at_stake(block.ambiguities).sum())
    if stake > AMBIGUOUS_SHARE * abs(profit):
        share = f"{stake / abs(profit):,.0%}" if profit else "More than all"
        n_bars = block.ambiguities.size
        yield (
            f"{share} of the {'loss' if profit < 0 else 'profit'} depends on {n_bars:,} "
            f"{'bar' if n_bars == 1 else 'bars'} with an unknown path (a warning above "
            f"{AMBIGUOUS_SHARE:.0%}); see result.interval()."
        )


def unused(there: Collection[str], read: Collection[str], settings: RunSettings) -> Iterator[str]:
    """Yield warnings of columns that the run does not use, though it probably should.

    Parameters
    ----------
    there : collection of str
        Columns of the data that hold values.
    read : collection of str
        Columns that the run uses.
    settings : RunSettings
    """
    if settings.actions == "none":
        names = [name for name in ("split", "dividend") if name in there]
        if names:
            yield (
                f"The bars have a column {' and a column '.join(names)}, which is not applied: "
                'set actions="cash" or actions="reinvest" (--dividends), unless prices are '
                "adjusted already."
            )
    if "funding" in there and "funding" not in read:
        yield (
            "The bars have a column funding, which is not applied: no instrument has funding_hours."
        )
    if MEMBER in there and MEMBER not in read:
        yield (
            f"The strategy does not read the column {MEMBER}: it trades every symbol, member of "
            f'the universe or not. Multiply its weights by al.column("{MEMBER}").'
        )


def _has_values(bars: Bars, name: str) -> bool:
    return name in bars.columns and not np.isnan(bars.columns[name]).all()


def _stale(bars: Bars, block: Block) -> Iterator[str]:
    """Warn of positions that are valued at an old price."""
    last = bars.close[-1]
    for j in np.flatnonzero((block.qty[-1] != 0.0) & np.isnan(last)):
        row = int(np.flatnonzero(~np.isnan(bars.close[:, j]))[-1])
        day = iso(int(bars.time[row]))[:10]
        yield f"{bars.symbols[j]} is held at the end, valued at its last price of {day}."


def _ruin(bars: Bars, ledger: Records) -> Iterator[str]:
    ruined = np.flatnonzero(ledger["equity"] <= 0)
    if ruined.size:
        day = iso(int(bars.time[ruined[0]]))[:10]
        yield f"Equity was zero or less on {day}: figures that need returns after it are NaN."
