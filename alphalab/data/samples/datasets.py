"""Real market data inside installed packages: needs no network and no file."""

from __future__ import annotations

import datetime as dt
import importlib.util
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from alphalab.data.clock.times import NS_DAY, NS_SECOND
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rules import CLOSES_ONLY, PRICES
from alphalab.errors import MissingExtraError
from alphalab.types import BAR_COLUMNS, FloatArray, Instrument, IntArray

_NEW_YORK = ZoneInfo("America/New_York")
_SESSIONS_PER_YEAR = 252.0

#: The 20 stocks of `sp500_stocks` and their sectors in the Global Industry Classification Standard.
SECTORS = {
    "AAPL": "Information Technology",
    "AMD": "Information Technology",
    "BAC": "Financials",
    "BBY": "Consumer Discretionary",
    "CVX": "Energy",
    "GE": "Industrials",
    "HD": "Consumer Discretionary",
    "JNJ": "Health Care",
    "JPM": "Financials",
    "KO": "Consumer Staples",
    "LLY": "Health Care",
    "MRK": "Health Care",
    "MSFT": "Information Technology",
    "PEP": "Consumer Staples",
    "PFE": "Health Care",
    "PG": "Consumer Staples",
    "RRC": "Energy",
    "UNH": "Health Care",
    "WMT": "Consumer Staples",
    "XOM": "Energy",
}


def sp500() -> Bars:
    """Load the S&P 500 index, daily, 1999 to 2018: 5,031 rows, symbol ``SP500``.

    Raises
    ------
    MissingExtraError
        The package ``arch`` is not installed.

    Examples
    --------
    >>> sp500()
    <Bars: 5,031 rows x 1 symbol, 1999-01-04T21:00:00Z to 2018-12-31T21:00:00Z, sp500>
    """
    return _index("sp500", "SP500", "S&P 500 index")


def nasdaq() -> Bars:
    """Load the NASDAQ Composite index, daily, 1999 to 2018: 5,031 rows, symbol ``NASDAQ``.

    Raises
    ------
    MissingExtraError
        The package ``arch`` is not installed.

    Examples
    --------
    >>> nasdaq().symbols
    ('NASDAQ',)
    """
    return _index("nasdaq", "NASDAQ", "NASDAQ Composite index")


def sp500_stocks() -> Bars:
    """Load 20 S&P 500 stocks, daily closes, 1990 to 2022: 8,313 rows, with the label ``sector``.

    Raises
    ------
    MissingExtraError
        The package ``skfolio`` is not installed.

    Examples
    --------
    >>> bars = sp500_stocks()
    >>> bars.n_rows, bars.n_symbols, bars.instruments[0].groups
    (8313, 20, {'sector': 'Information Technology'})
    """
    time, columns = _read("skfolio", "datasets/data/sp500_dataset.csv.gz", "%Y-%m-%d")
    symbols = tuple(columns)
    close = np.column_stack(list(columns.values()))
    close.setflags(write=False)
    return Bars(
        time,
        symbols,
        dict.fromkeys(PRICES, close) | {"volume": np.full_like(close, np.nan)},
        instruments=[_instrument(name, {"sector": SECTORS[name]}) for name in symbols],
        periods_per_year=_SESSIONS_PER_YEAR,
        source="sp500_stocks",
        notes=(
            "20 S&P 500 stocks, daily, from the installed package skfolio; "
            "chosen with hindsight: all of them survived",
            f"{CLOSES_ONLY}; dividends and splits are in the prices as the package ships them",
        ),
    )


def session_closes(dates: IntArray) -> IntArray:
    """Return 16:00 in New York on each date, ns UTC. Early closes (13:00) are stamped 16:00 too.

    Parameters
    ----------
    dates : ndarray of shape (T,)
        Days since 1970-01-01.

    Examples
    --------
    >>> friday_and_monday = np.array(["2020-03-06", "2020-03-09"], "datetime64[D]").astype(int)
    >>> session_closes(friday_and_monday).view("datetime64[ns]").astype("datetime64[h]")
    array(['2020-03-06T21', '2020-03-09T20'], dtype='datetime64[h]')
    """
    # Clocks change on Sundays before 16:00: one look-up serves the week from that Sunday on.
    day_of_week = (dates + 4) % 7  # 0 is Sunday: 1970-01-01 was a Thursday
    sundays, week = np.unique(dates - day_of_week, return_inverse=True)
    first = dt.datetime(1970, 1, 1, 16, tzinfo=_NEW_YORK)
    closes = [int((first + dt.timedelta(days=int(sunday))).timestamp()) for sunday in sundays]
    return np.array(closes)[week] * NS_SECOND + day_of_week * NS_DAY


def _index(name: str, symbol: str, words: str) -> Bars:
    time, columns = _read("arch", f"data/{name}/{name}.csv.gz", "%m/%d/%Y")
    return Bars(
        time,
        (symbol,),
        {field: columns[field.title()].reshape(-1, 1) for field in BAR_COLUMNS},
        instruments=[_instrument(symbol, {})],
        periods_per_year=_SESSIONS_PER_YEAR,
        source=name,
        notes=(
            f"{words}, daily, from the installed package arch; "
            "an index: without dividends, and not tradable itself",
        ),
    )


def _instrument(symbol: str, groups: dict[str, str]) -> Instrument:
    return Instrument(symbol=symbol, currency="USD", calendar="XNYS", groups=groups)


def _read(package: str, inside: str, date_format: str) -> tuple[IntArray, dict[str, FloatArray]]:
    """Read closing times and columns of a CSV file inside a package, which is not imported."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((file for folder in folders if (file := Path(folder) / inside).is_file()), None)
    if path is None:
        raise MissingExtraError(
            f"this data set is the file {inside} of the package {package!r}, which is not there",
            fix="Install it with: pip install 'alphalab[data]'",
        )

    import pyarrow as pa
    from pyarrow import csv

    from alphalab.data.formats.arrow import floats, integers

    options = csv.ConvertOptions(
        column_types={"Date": pa.timestamp("s")}, timestamp_parsers=[date_format]
    )
    table = csv.read_csv(path, convert_options=options)
    dates = integers(table["Date"]) // (NS_DAY // NS_SECOND)
    return session_closes(dates), {name: floats(table[name]) for name in table.column_names[1:]}
