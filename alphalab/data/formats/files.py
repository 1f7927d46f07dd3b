"""Files of tables: CSV, Parquet and Feather, read through Arrow."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import pyarrow as pa

from alphalab.data.formats.csv_file import read_csv
from alphalab.data.formats.header import SYMBOL_NAMES
from alphalab.data.formats.schema import Schema
from alphalab.errors import DataError

Reader = Callable[[Path, Schema, Collection[str]], pa.Table]


def read_table(
    path: Path,
    schema: Schema | None = None,
    *,
    texts: Collection[str] = (),
    also: Iterable[str] = (),
) -> pa.Table:
    """Read the table of a file.

    Parameters
    ----------
    path : Path
        A file named ``.csv`` (columns separated by commas, semicolons or tabs), ``.csv.gz``,
        ``.parquet``, ``.pq``, ``.feather`` or ``.arrow``.
    schema : Schema, optional
        How the file is written. Not given: with the usual names.
    also : iterable of str
        Further names to suggest when there is no such file.
    texts : collection of str
        Our names of columns, besides the symbol's, that are text even where they look like numbers.

    Raises
    ------
    DataError
        No such file, or one that cannot be read; the message names it.
    """
    suffix = _suffix(path)
    if not path.exists():
        raise _no_such_file(path, also)
    if not suffix or not path.is_file():
        raise DataError(
            f"{path} is {'not a file' if not path.is_file() else 'of an unknown kind'}",
            rule=f"a file of data is named {', '.join(READERS)}.",
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty", rule="a file of data has at least one row.")
    try:
        # Symbols are text: 000001 keeps its zeros.
        table = READERS[suffix](path, schema or Schema(), (*SYMBOL_NAMES, *texts))
        _check_whole(table)
        return table
    except PermissionError:
        raise DataError(
            f"{path}: no permission to read it",
            rule="a file of data can be read by who asks for it.",
            fix="Give the permission (chmod u+r), or ask its owner.",
        ) from None
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataError(
            f"{path} cannot be read as {suffix}: {str(error).strip()}",
            rule="the file is whole, readable, and of the kind that its name says.",
        ) from None


def _check_whole(table: pa.Table) -> None:
    """Refuse what Arrow has read without a look at it, as it does in Feather files.

    A damaged column of text is read outside its memory later, and names of columns and zones that
    are no UTF-8 raise wherever they are asked for.
    """
    table.validate(full=True)
    for column in table.schema:
        _ = column.name, getattr(column.type, "tz", None)  # decoded here for the first time


def stem(path: Path) -> str:
    """Return the name of a file without its suffix.

    Examples
    --------
    >>> stem(Path("prices/ACME.csv.gz"))
    'ACME'
    """
    return path.name[: len(path.name) - len(_suffix(path))]


def _suffix(path: Path) -> str:
    return next((ending for ending in READERS if path.name.lower().endswith(ending)), "")


def _parquet(path: Path, schema: Schema, texts: Collection[str]) -> pa.Table:
    from pyarrow import parquet

    return parquet.ParquetFile(path).read()


def _feather(path: Path, schema: Schema, texts: Collection[str]) -> pa.Table:
    from pyarrow import feather

    return feather.read_table(path)


READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".parquet": _parquet,
    ".pq": _parquet,
    ".feather": _feather,
    ".arrow": _feather,
}


def _no_such_file(path: Path, also: Iterable[str]) -> DataError:
    siblings = []
    if path.parent.is_dir():
        siblings = [file.name for file in path.parent.iterdir() if _suffix(file)]
    near = [str(path.parent / name) for name in difflib.get_close_matches(path.name, siblings)]
    near += difflib.get_close_matches(path.name.split(".")[0], list(also))
    hint = f"Did you mean {' or '.join(near)}?" if near else ""
    return DataError(f"{path}: no such file", rule="a path names a file that exists.", fix=hint)
