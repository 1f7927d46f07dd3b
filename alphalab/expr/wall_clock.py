"""Words of the clock: hour, minute, weekday, month and session of a row, from its time alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from alphalab.sessions import ALWAYS, NS_DAY, sessions_around, time_zone
from alphalab.types import FloatArray, Instrument, IntArray

_NS_SECOND = 10**9
_NS_MINUTE, _NS_HOUR = 60 * _NS_SECOND, 3_600 * _NS_SECOND

#: Days before a row in which its session has opened; no market is closed for longer.
_LONGEST_BREAK = 60


class WallClock:
    """The clocks of some assets: that of the exchange of each; UTC without a calendar."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._assets: dict[str, list[int]] = {}
        for asset, instrument in enumerate(instruments):
            self._assets.setdefault(instrument.calendar or ALWAYS, []).append(asset)

    def read(self, word: str, time: IntArray, out: FloatArray) -> None:
        """Fill `out` (R, N) with a word of the clock at times of ns UTC, (R,).

        Raises
        ------
        UnknownNameError
            A calendar that does not exist.
        DataError
            For `session`: years for which the sessions of a calendar are not known.
        """
        for calendar, assets in self._assets.items():
            out[:, assets] = WORDS[word](calendar, time)[:, None]


def _hour(calendar: str, time: IntArray) -> IntArray:
    return _local(calendar, time) // _NS_HOUR % 24


def _minute(calendar: str, time: IntArray) -> IntArray:
    return _local(calendar, time) // _NS_MINUTE % 60


def _weekday(calendar: str, time: IntArray) -> IntArray:
    return (_local(calendar, time) // NS_DAY + 3) % 7  # 1970-01-01 was a Thursday


def _month(calendar: str, time: IntArray) -> IntArray:
    return _local(calendar, time).astype("M8[ns]").astype("M8[M]").astype(np.int64) % 12 + 1


def _session(calendar: str, time: IntArray) -> FloatArray:
    """Return the date of the last session that opened before each time, days since 1970."""
    if calendar == ALWAYS or not time.size:
        return ((time - 1) // NS_DAY).astype(np.float64)
    first, last = int(time[0]) // NS_DAY, int(time[-1]) // NS_DAY
    known = sessions_around(calendar, first, last, before=_LONGEST_BREAK)
    place = np.searchsorted(known.open, time) - 1
    return np.where(place < 0, np.nan, known.day[place])


#: The words by name; each takes a calendar and times, and returns (R,).
WORDS: dict[str, Callable[[str, IntArray], FloatArray | IntArray]] = {
    "hour": _hour,
    "minute": _minute,
    "weekday": _weekday,
    "month": _month,
    "session": _session,
}


def _local(calendar: str, time: IntArray) -> IntArray:
    """Return times by the exchange's clock, as ns since 1970 there."""
    zone = time_zone(calendar)
    if zone == "UTC" or not time.size:
        return time
    first, last = time[[0, -1]].astype("M8[ns]").astype("M8[Y]").astype(np.int64) + 1970
    parts = [_changes(zone, year) for year in range(first, last + 1)]
    since, offset = (np.concatenate(each) for each in zip(*parts, strict=True))
    local: IntArray = time + offset[np.searchsorted(since, time, side="right") - 1]
    return local


@lru_cache(maxsize=256)
def _changes(zone: str, year: int) -> tuple[IntArray, IntArray]:
    """Return when a year's offsets from UTC begin, and the offsets; ns, the first at New Year.

    Clocks change on quarters of an hour: those of the days on which the offset changes are tried.
    """
    days = np.arange(f"{year}-01-01", f"{year + 1}-01-02", dtype="M8[D]").astype("M8[s]")
    by_day = _offsets(zone, days)
    changing = days[:-1][by_day[1:] != by_day[:-1]]
    quarters = changing[:, None] + np.arange(1, 97) * np.timedelta64(15, "m")
    tried = np.concatenate((days[:1], quarters.ravel()))
    offsets = _offsets(zone, tried)
    new = np.append(True, offsets[1:] != offsets[:-1])
    return tried[new].astype("M8[ns]").astype(np.int64), offsets[new] * _NS_SECOND


def _offsets(zone: str, stamps: np.ndarray) -> IntArray:
    """Return the seconds by which a zone is ahead of UTC at times of type M8[s]."""
    info = ZoneInfo(zone)
    ahead = (datetime.fromtimestamp(s, info).utcoffset() for s in stamps.astype(int).tolist())
    return np.array([int(delta.total_seconds()) for delta in ahead if delta is not None], np.int64)
