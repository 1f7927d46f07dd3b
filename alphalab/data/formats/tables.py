"""Tables of any kind as Arrow tables: pandas frames, Arrow exporters such as polars, files."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from alphalab.data.formats.files import read_table
from alphalab.data.formats.header import TIME_NAMES
from alphalab.data.formats.schema import Schema
from alphalab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def given_table(
    given: Any, schema: Schema | None = None, texts: Collection[str] = ()
) -> tuple[pa.Table, str]:
    """Return a table, given as a frame or as the path of a file, and what leads messages about it.

    Parameters
    ----------
    given : pandas.DataFrame, pyarrow.Table, a frame that exports itself to Arrow, str or Path
    schema : Schema, optional
        How a file is written.
    texts : collection of str
        Columns of a file that are text even where they look like numbers.

    Raises
    ------
    DataError
        No table, or a file that cannot be read.
    """
    if isinstance(given, str | Path):
        return read_table(Path(given).expanduser(), schema, texts=texts), f"{given}: "
    return as_table(given), ""


def as_table(frame: Any) -> pa.Table:
    """Return a pandas frame, or anything that exports itself to Arrow, as an Arrow table.

    Raises
    ------
    DataError
        Something else.
    """
    pd = sys.modules.get("pandas")
    if pd is not None and isinstance(frame, pd.DataFrame):
        return table_of(frame)
    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    raise DataError(
        f"a {type(frame).__name__} is not a table",
        rule="tables are a pandas frame, a pyarrow Table, a frame that exports itself to Arrow "
        "(polars), or the path of a file.",
    )


def table_of(frame: pd.DataFrame) -> Any:
    """Return a frame as an Arrow table; an index of times, also as text, becomes a column."""
    import pandas as pd

    index = frame.index
    timed = str(index.name).lower() in TIME_NAMES
    has_time = any(str(name).lower() in TIME_NAMES for name in frame.columns)
    text = index.name is None and not has_time and pd.api.types.is_string_dtype(index)
    try:
        if isinstance(index, pd.DatetimeIndex) or text:
            frame = frame.reset_index(names=str(index.name) if timed else "time")
        elif isinstance(index, pd.MultiIndex) or timed:
            frame = frame.reset_index()
        return pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"the frame cannot be read as a table: {'; '.join(map(str, error.args))}",
            rule="columns have names of their own and one type each.",
        ) from None
