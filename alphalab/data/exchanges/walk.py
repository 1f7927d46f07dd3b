"""`walk`: the pages of a span of a series, without duplicates and without unnoticed gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from alphalab.data.clock.times import iso
from alphalab.data.exchanges.series import HOUR, Row, Series
from alphalab.errors import DataError

#: Exchanges do not say how many trades a page holds; it is this many or more.
_LEAST = 20


class Page(NamedTuple):
    """New rows in the order of time, and the state of the walk.

    Attributes
    ----------
    rows : list of Row
        May be empty.
    reached : int
        Nothing before this time (ms) comes any more.
    """

    rows: list[Row]
    reached: int


def walk(
    series: Series,
    start: int,
    stop: int,
    *,
    after: Row | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[Page]:
    """Yield the pages of rows with times from `start` (included) to `stop` (not included), ms.

    Parameters
    ----------
    series : Series
    start, stop : int
        ms; of a candle it is the open that counts.
    after : Row, optional
        A row that is known already, from which on it goes: its time is `start`.
    note : callable
        Told what the reader has to know about what was given.

    Raises
    ------
    DataError
        The exchange refuses or does not answer, or what it gives cannot be paged.
    """
    if series.table == "trades":
        yield from _walk_trades(series, start, stop, after, note)
        return
    while start < stop:
        page = series.page(start)
        inside = [row for row in page if row.time < stop]
        if len(inside) < len(page):
            start = stop
        elif page:
            start = page[-1].time + series.unit
        else:
            start = series.hop_over(start, stop)
        yield Page(inside, min(start, stop))


def _walk_trades(
    series: Series, start: int, stop: int, after: Row | None, note: Callable[[str], None]
) -> Iterator[Page]:
    """Yield overlapping pages: each page begins with the last row of the page before.

    Many trades share a ms, and a page may end among them, so the next one begins with that ms. On
    exchanges whose trades can be asked for by id it begins with that id.
    """
    last, known = after, {_name(after)} if after else set()
    while start < stop:
        page = _page_from(series, start, last)
        fresh = [row for row in page if _name(row) not in known and row.time >= start]
        if last and _name(last) not in map(_name, page):
            if page and page[0].time <= last.time:
                raise _cannot_be_paged(series, last)
            note(
                f"trades may be missing: what {series.client.name} gives after trade {last.id} "
                "does not begin with that trade"
            )
        if fresh:
            last = fresh[-1]
            known = {_name(row) for row in page if row.time >= last.time - 1}
            start = last.time
            yield Page([row for row in fresh if row.time < stop], min(start, stop))
        elif last and series.from_id:
            return  # there are no later ids
        elif last and _may_be_cut(series, page):
            raise _cannot_be_paged(series, last)
        else:
            last, start = None, series.hop_over(_since(start, last), stop)
            yield Page([], min(start, stop))


def _page_from(series: Series, start: int, last: Row | None) -> list[Row]:
    if last and series.from_id:
        return series.from_id(last.id)
    return series.page(_since(start, last))


def _since(start: int, last: Row | None) -> int:
    # One ms earlier: some exchanges leave out rows at the given time.
    return last.time - 1 if last else start


def _may_be_cut(series: Series, page: list[Row]) -> bool:
    """Return True if a page without new trades may hide more trades of the same time."""
    # A page that begins earlier has more rows, unless this one is as long as pages get.
    return len(page) >= _LEAST and len(series.ask(page[0].time - HOUR // 2)) <= len(page)


def _name(row: Row) -> tuple[int, str]:
    return row.time, row.id


def _cannot_be_paged(series: Series, last: Row) -> DataError:
    return DataError(
        f"{series.client.name}: the trades of {series.symbol} around {iso(last.time * 1_000_000)} "
        "do not fit a page, or have other ids each time",
        rule="a page that begins with a trade has that trade, and later ones.",
        fix="This exchange cannot be asked for those after it.",
    )
