"""Files of bars: CSV, Parquet and Feather, read through Arrow."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from alphalab.data.bars import Bars
from alphalab.data.table import SYMBOL_NAMES, from_table
from alphalab.errors import DataError


def read_file(path: Path, *, bar_label: str = "close", also: Iterable[str] = ()) -> Bars:
    """Read the bars of a file.

    Parameters
    ----------
    path : Path
        A file named ``.csv`` (columns separated by commas, semicolons or tabs), ``.csv.gz``,
        ``.parquet``, ``.pq``, ``.feather`` or ``.arrow`` with one bar in each row and the columns
        that `Bars.from_frame` describes. Without a symbol column, the symbol is the file's name.
    bar_label : {"close", "open"}
        What a time names.
    also : iterable of str
        Other names that could have been meant, suggested when there is no such file.

    Raises
    ------
    DataError
        No such file, one that cannot be read, or one whose content breaks a rule; the message names
        the file.
    """
    name = path.name.lower()
    suffix = next((ending for ending in READERS if name.endswith(ending)), None)
    if not path.exists():
        raise _no_such_file(path, also)
    if suffix is None or not path.is_file():
        raise DataError(
            f"{path} is {'not a file' if not path.is_file() else 'of an unknown kind'}",
            rule=f"a file of bars is named {', '.join(READERS)}.",
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty", rule="a file of bars has at least one row.")
    return from_table(
        read_table(path, suffix),
        symbol=path.name[: -len(suffix)],
        bar_label=bar_label,
        source=str(path),
    )


def read_table(path: Path, suffix: str) -> pa.Table:
    """Read a file that is there as what its ending, one of `READERS`, says.

    Raises
    ------
    DataError
        A file that cannot be read.
    """
    try:
        table = READERS[suffix](path)
        _ = table.column_names  # Arrow decodes the header only when asked
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as {suffix}: {str(error).strip().replace('Row #', 'line ')}",
            rule="the file is whole, readable, and of the kind that its name says.",
        ) from None
    return table


def _csv(path: Path) -> pa.Table:
    from pyarrow import csv

    # Symbols are text even where they look like numbers: 000001 keeps its zeros.
    cases = [case(name) for name in SYMBOL_NAMES for case in (str.lower, str.upper, str.title)]
    options = csv.ConvertOptions(column_types=dict.fromkeys(cases, pa.string()))
    parse = csv.ParseOptions(delimiter=_delimiter(path))
    try:
        return csv.read_csv(path, parse_options=parse, convert_options=options)
    except pa.ArrowInvalid:
        # Slower, but the message then says which row it is.
        read = csv.ReadOptions(use_threads=False)
        return csv.read_csv(path, read, parse, options)


def _delimiter(path: Path) -> str:
    """Return what separates the columns of the first line: a comma, a semicolon or a tab."""
    with pa.input_stream(str(path)) as stream:
        header = stream.read(4096).decode("utf-8", "replace").partition("\n")[0]
    return max(",;\t", key=header.count)


def _parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    return parquet.ParquetFile(path).read()


def _feather(path: Path) -> pa.Table:
    from pyarrow import feather

    return feather.read_table(path)


READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".csv": _csv,
    ".csv.gz": _csv,
    ".parquet": _parquet,
    ".pq": _parquet,
    ".feather": _feather,
    ".arrow": _feather,
}


def _no_such_file(path: Path, also: Iterable[str]) -> DataError:
    siblings = []
    if path.parent.is_dir():
        siblings = [
            file.name
            for file in path.parent.iterdir()
            if file.name.lower().endswith(tuple(READERS))
        ]
    near = [str(path.parent / name) for name in difflib.get_close_matches(path.name, siblings)]
    near += difflib.get_close_matches(path.name.split(".")[0], list(also))
    hint = f"Did you mean {' or '.join(near)}?" if near else ""
    return DataError(f"{path}: no such file", rule="a path names a file that exists.", fix=hint)
