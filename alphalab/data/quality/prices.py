"""Rules about prices, measured by the robust deviation of each series."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from alphalab.data.clock.times import NS_DAY, iso
from alphalab.data.quality.series import Hit, Series, runs
from alphalab.types import FloatArray, IntArray

#: Common split ratios, new units for an old one, and their inverses.
_RATIOS = (Fraction(3, 2), Fraction(5, 2), *(Fraction(n) for n in (*range(2, 21), 25, 30, 40, 50)))
_SPLITS = np.array(sorted({float(r) for r in _RATIOS} | {float(1 / r) for r in _RATIOS}))

#: The level before and after a jump is the median of this many rows.
_LEVEL = 5
#: Largest traded value on the first day after a split, in multiples of the usual value: more is a
#: crash.
_CALM = 4.0
#: Largest range of that day, in robust deviations of the returns.
_CALM_RANGE = 8.0
#: Relative difference between a jump and its level or split that still matches.
_ABOUT = 0.25
#: Largest distance in time between a jump and its split.
_NEAR = 4 * NS_DAY


def stale(s: Series) -> Iterator[Hit]:
    """Find runs of unchanged bars: the same close, and no volume or a single price."""
    daily = s.interval >= NS_DAY - NS_DAY // 24
    least = s.settings.stale_days if daily else s.settings.stale_rows
    if not s.enough:
        return
    same = s.close[1:] == s.close[:-1]
    if not same.any():
        return
    flat = same & (s.open[1:] == s.close[1:]) & (s.high[1:] == s.low[1:])
    quiet = same & ~(s.volume[1:] > 0)
    found = runs(np.concatenate(([False], flat | quiet)), least)
    if not len(found):
        return
    first, length = found.T
    total, longest = int(length.sum()), int(np.argmax(length))
    start, rows = int(first[longest]), int(length[longest])
    runs_text = "one run" if len(found) == 1 else f"{len(found):,} runs"
    yield Hit(
        "stale",
        _spread(first, length),
        f"{total:,} rows ({total / s.n:.2%}) in {runs_text} of {least} or more without a change; "
        f"the longest has {rows:,} at {s.close[start]:.10g} from {iso(s.time[start])} to "
        f"{iso(s.time[start + rows - 1])}",
    )


def outliers(s: Series) -> Iterator[Hit]:
    """Find closes, highs and lows far from both neighbours (single-row spikes)."""
    if not s.enough:
        return
    least = np.maximum(s.settings.outlier_sigmas * s.scatter, s.settings.outlier_move)
    came, left = s.returns[1:-1], s.returns[2:]
    size = np.minimum(np.abs(came), np.abs(left))
    spikes = (size > least[1:-1]) & (came * left < 0) & (np.abs(came + left) < 0.5 * size)
    rows = 1 + np.flatnonzero(spikes)
    if rows.size:
        at = int(rows[np.argmax(size[rows - 1])])
        yield Hit(
            "outliers",
            rows,
            f"{_count(rows.size, 'close')} far from both neighbours; the farthest is "
            f"{_priced(s, at, s.close)} between {s.close[at - 1]:.10g} and {s.close[at + 1]:.10g}",
        )
    if s.closes_only:
        return
    for values, sign, word in ((s.high, 1, "high"), (s.low, -1, "low")):
        beyond = _beyond(s, values, sign)
        rows = np.setdiff1d(np.flatnonzero(beyond > least), rows)
        if rows.size:
            at = int(rows[np.argmax(beyond[rows])])
            yield Hit(
                "outliers",
                rows,
                f"{_count(rows.size, word)} far from every price around; the farthest is "
                f"{_priced(s, at, values)} in a bar from {s.open[at]:.10g} to {s.close[at]:.10g}",
            )


def shifts(s: Series) -> Iterator[Hit]:
    """Find lasting level shifts without a known split."""
    if not s.enough:
        return
    opened = s.close if s.closes_only else s.open
    jump = np.log(opened[1:] / s.close[:-1])
    around = s.scatter[1:]
    least = np.maximum(s.settings.jump_sigmas * around, np.log1p(s.settings.jump_move))
    at_once = np.diff(s.time) <= _NEAR + _LEVEL * s.interval
    rows = 1 + np.flatnonzero((np.abs(jump) > least) & at_once)
    stays = np.abs(_moved_by(s, rows) - jump[rows - 1]) <= _ABOUT * np.abs(jump[rows - 1])
    split: list[int] = []
    other: list[int] = []
    for row in rows[stays].tolist():
        size = float(jump[row - 1])
        if not _explained(s, row, size):
            (split if _is_split(s, row, size) else other).append(row)
    for rule, found, words in (
        ("splits", split, "as in a split, and no split is known"),
        ("jumps", other, "at once, and stays"),
    ):
        if found:
            say = _as_ratio if rule == "splits" else _as_percent
            told = "; ".join(_told(s, row, say(float(jump[row - 1]))) for row in found[:3])
            more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
            yield Hit(rule, np.array(found), f"the level shifts {words}: {told}{more}")


def _moved_by(s: Series, rows: IntArray) -> FloatArray:
    """Return the log difference between the levels after and before each row, (K,)."""
    level = np.arange(_LEVEL)
    after = np.minimum(rows[:, np.newaxis] + level, s.n - 1)
    before = np.maximum(rows[:, np.newaxis] - 1 - level, 0)
    now, then = (np.median(s.close[near], axis=1) for near in (after, before))
    moved: FloatArray = np.log(now / then)
    return moved


def _explained(s: Series, row: int, size: float) -> bool:
    time, ratio = s.splits
    from_, to = s.time[row - 1] - _NEAR, s.time[row] + _NEAR
    near = (time >= from_) & (time <= to)
    return bool((np.abs(np.log(ratio[near]) + size) <= _ABOUT * abs(size)).any())


def _is_split(s: Series, row: int, size: float) -> bool:
    """Return True if a jump is near a split ratio and the day was calm."""
    off = float(np.abs(np.log(_SPLITS) + size).min())
    usual = float(s.scatter[max(row - 1, 0)])
    if off > max(s.settings.split_tolerance, usual) or not 1 < row < s.n - 1:
        return False  # one row has no level
    part = slice(max(row - 4 * _LEVEL, 0), row + 1)
    *before, value = s.close[part] * s.volume[part]
    if np.isnan(value) or np.isnan(before).all() or not np.nanmedian(before) > 0:
        # Without volume only the price tells, so the tolerance is small.
        return off <= s.settings.split_tolerance and not s.closes_only
    calm = float(np.log(s.high[row] / s.low[row])) <= _CALM_RANGE * usual
    return calm and 1 / _CALM**2 < value / np.nanmedian(before) < _CALM


def _as_ratio(size: float) -> str:
    """Return a log jump as a split ratio in words."""
    ratio = Fraction(float(np.exp(abs(size)))).limit_denominator(2)
    new, old = ratio.numerator, ratio.denominator
    return f"as {new}:{old}" if size < 0 else f"as {old}:{new}"


def _as_percent(size: float) -> str:
    return f"{np.expm1(size):+.1%}"


def _told(s: Series, row: int, by: str) -> str:
    opened = s.close if s.closes_only else s.open
    return (
        f"row {s.number[row]} ({iso(s.time[row])}) from {s.close[row - 1]:.10g} to "
        f"{opened[row]:.10g}, {by}"
    )


def _beyond(s: Series, values: FloatArray, sign: int) -> FloatArray:
    """Return the log distance of a high or low from the opens and closes around it, (R,)."""
    pick = np.maximum if sign > 0 else np.minimum
    near = pick(s.open, s.close)
    near[1:] = pick(near[1:], s.close[:-1])
    near[:-1] = pick(near[:-1], s.open[1:])
    beyond: FloatArray = sign * np.log(values / near)
    return beyond


def _priced(s: Series, row: int, values: FloatArray) -> str:
    return f"{values[row]:.10g} in row {s.number[row]} ({iso(s.time[row])})"


def _spread(first: IntArray, length: IntArray) -> IntArray:
    """Return the rows of runs."""
    ends = np.cumsum(length)
    return np.arange(ends[-1]) + np.repeat(first - ends + length, length)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun} is" if number == 1 else f"{number:,} {noun}s are"
