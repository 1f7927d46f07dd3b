"""Local times to UTC; times that a zone skips or repeats are never guessed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from alphalab.data.clock.times import iso
from alphalab.data.formats import arrow
from alphalab.errors import DataError
from alphalab.types import IntArray

_NS = pa.timestamp("ns")


def to_utc(clock: IntArray, zone: str, series: IntArray, infer: bool, where: str) -> IntArray:
    """Return the instants of local times of a zone.

    Parameters
    ----------
    clock : ndarray of shape (R,)
        Local times, ns since 1970-01-01T00:00 of the zone.
    zone : str
        IANA name.
    series : ndarray of shape (R,)
        Which series each row belongs to; the rows of each are in the order of time.
    infer : bool
        True to infer repeated hours at the end of daylight saving from the order of the rows.
    where : str
        What leads the messages.

    Returns
    -------
    ndarray of shape (R,)
        ns UTC.

    Raises
    ------
    DataError
        A local time that the zone skips, or that it repeats while the order of the rows does not
        decide.

    Examples
    --------
    >>> clock = np.array(["2024-11-03T00:30", "2024-11-03T01:30", "2024-11-03T01:30"], "M8[ns]")
    >>> one = np.zeros(3, np.int64)
    >>> utc = to_utc(clock.view(np.int64), "America/New_York", one, True, "")
    >>> utc.view("M8[ns]").astype("M8[m]")
    array(['2024-11-03T04:30', '2024-11-03T05:30', '2024-11-03T06:30'], dtype='datetime64[m]')
    """
    import pyarrow.compute as pc

    readings = pa.chunked_array([pa.array(clock).cast(_NS)])
    first, second = (
        pc.assume_timezone(readings, zone, ambiguous=which, nonexistent=which)
        for which in ("earliest", "latest")
    )
    early, late = arrow.integers(first), arrow.integers(second)
    unclear = np.flatnonzero(early != late)
    if not len(unclear):
        return early
    shown = arrow.integers(pc.local_timestamp(first))
    for row in unclear[shown[unclear] != clock[unclear]][:1]:
        raise DataError(
            f"{where}row {row}: {_reading(clock[row])} did not exist in {zone}, where clocks "
            "went forward",
            rule="a local time exists in its zone.",
            fix="Check the zone: these may be times of UTC, or of an exchange elsewhere.",
        )
    if not infer:
        row = int(unclear[0])
        raise DataError(
            f"{where}row {row}: {_reading(clock[row])} came twice in {zone}, when clocks went "
            f"back: {iso(early[row])} and {iso(late[row])}",
            rule="a local time is one instant.",
            fix="Use repeated_hour='infer' (--repeated-hour infer) where the order of the rows "
            "tells the two apart.",
        )
    result = early.copy()
    result[unclear] = np.where(
        _is_second(clock, unclear, series, zone, where), late[unclear], early[unclear]
    )
    return result


def _is_second(
    clock: IntArray, unclear: IntArray, series: IntArray, zone: str, where: str
) -> IntArray:
    """Return 1 for the second occurrence of repeated local times, else 0, (U,)."""
    by_series = np.argsort(series[unclear], kind="stable")
    rows = unclear[by_series]
    # Repeated hours of one night are hours apart, those of different nights months.
    apart = np.abs(np.diff(clock[rows])) > 86_400 * 10**9
    cuts = 1 + np.flatnonzero(apart | (np.diff(series[rows]) != 0))
    second = np.zeros(len(unclear), np.int64)
    for places in np.split(np.arange(len(rows)), cuts):
        readings = clock[rows[places]]
        back = 1 + np.flatnonzero(np.diff(readings) <= 0)
        if len(back) != 1:
            row = int(rows[places[0]])
            raise DataError(
                f"{where}row {row}: {_reading(clock[row])} came twice in {zone}, and the order of "
                f"{len(places)} rows of that hour does not tell which of the two it is",
                rule="times go back once where the hour is repeated.",
                fix="Write these times with their offset, or in UTC.",
            )
        second[by_series[places[back[0] :]]] = 1
    return second


def _reading(ns: int) -> str:
    return iso(ns).removesuffix("Z")
