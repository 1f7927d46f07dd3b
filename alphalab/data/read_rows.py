"""`read_rows`: the bars of any source as `Rows`, not checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alphalab.data.formats.schema import Schema
from alphalab.data.load import DATASETS, load
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.frames import frame_rows
from alphalab.data.panel.from_table import file_rows
from alphalab.data.panel.rows import Rows
from alphalab.errors import DataError

# Fields of a schema that apply to bars, too.
_FOR_BARS = {"interval", "rename"}


def read_rows(given: Any, schema: Schema | None = None, *, symbol: str | None = None) -> Rows:
    """Return the bars of a source, one in each row, in the order of the source.

    Parameters
    ----------
    given : str, Path, Bars, pandas.DataFrame or another table
        The path of a file, the name of a data set, the address of a store, or a table as
        `Bars.from_frame` reads it.
    schema : Schema, optional
        How a file or a table is written.
    symbol : str, optional
        The symbol where neither a file or a table nor the schema names one. Not given: the name
        of the file, and of a table ``asset``.

    Returns
    -------
    Rows
        Neither sorted nor checked.

    Raises
    ------
    DataError
        No such file, one that cannot be read, or a cell that cannot.
    UnknownNameError
        No such data set, or a schema with an unknown column.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.to_datetime(["2024-01-03", "2024-01-02"])
    >>> frame = pd.DataFrame({"time": days, "open": 1, "high": 2, "low": 3, "close": -4})
    >>> rows = read_rows(frame, Schema(symbol="ACME"))
    >>> rows.time.argsort(), rows.columns["close"]
    (array([1, 0]), array([-4., -4.]))
    """
    if isinstance(given, str | Path):
        if is_file(given):
            return file_rows(Path(given).expanduser(), schema, DATASETS, symbol=symbol)
        given = load(given)
    if not isinstance(given, Bars):
        return frame_rows(given, schema, symbol="asset" if symbol is None else symbol)
    schema = schema or Schema()
    said = sorted(schema.changes().keys() - _FOR_BARS)
    if said:
        raise DataError(
            f"{given.source or 'bars'} with {said[0]}={getattr(schema, said[0])!r}",
            rule="a schema describes files and tables; bars need none.",
        )
    return given.to_rows().renamed(schema.rename)


def is_file(given: str | Path) -> bool:
    """Return True for the path of a file, False for a data set or an address of a store.

    Examples
    --------
    >>> is_file("prices.csv"), is_file("sp500"), is_file("store:binance/1h/BTC/USDT")
    (True, False, False)
    """
    path = Path(given)
    plain = str(given).partition(":")[0]
    if isinstance(given, str) and (plain in DATASETS or plain == "store"):
        return False
    return isinstance(given, Path) or len(path.parts) > 1 or bool(path.suffix) or path.exists()
