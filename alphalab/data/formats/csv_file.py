"""CSV files, read by their schema: encoding, separator, decimals, header."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from csv import reader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from alphalab.data.formats.header import TIME_NAMES
from alphalab.data.formats.schema import Schema
from alphalab.errors import DataError

if TYPE_CHECKING:
    from pyarrow import csv

_LONGEST_START = 65_536
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_csv(path: Path, schema: Schema, texts: Collection[str] = ()) -> pa.Table:
    """Read a CSV file, packed (``.gz``) or not.

    Parameters
    ----------
    path : Path
    schema : Schema
        Its delimiter, decimal, encoding, header and skip count, and which columns hold symbols and
        times. Without a header columns are named by their places, from 0.
    texts : collection of str
        Our names of the columns that are text even where they look like numbers.

    Raises
    ------
    DataError
        A line with more or fewer cells than the first, or bytes that are no text of the encoding.
    """
    from pyarrow import csv

    line = _first_line(path, schema)
    delimiter = schema.delimiter or max(",;\t".replace(schema.decimal, ""), key=line.count)
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=False)
    read = csv.ReadOptions(
        encoding=schema.encoding or "utf8",
        autogenerate_column_names=not schema.header,
        skip_rows=schema.skip,
    )
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(_texts(line, delimiter, schema, texts), pa.string()),
        decimal_point=schema.decimal,
    )
    try:
        table = csv.read_csv(path, read, parse, convert)
        names = table.column_names  # Arrow decodes the header only when asked
    except UnicodeError:
        raise _no_text(path, schema.encoding) from None
    except pa.ArrowInvalid:
        _check_text(path, schema.encoding)
        _refuse_ragged(path, read, parse, convert)
        raise
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise _no_text(path, schema.encoding)
    return table if schema.header else table.rename_columns([name[1:] for name in names])


def _first_line(path: Path, schema: Schema) -> str:
    """Return the header, or the first line of data if there is no header."""
    lines = _first_lines(path, schema.encoding)
    return lines[schema.skip].removeprefix("\ufeff") if len(lines) > schema.skip else ""


def _first_lines(path: Path, encoding: str) -> list[str]:
    with pa.input_stream(str(path)) as stream:
        start: bytes = stream.read(_LONGEST_START)
    if start.startswith(_UTF_16) and not encoding:
        raise _no_text(path, encoding)
    return start.decode(encoding or "utf-8", "replace").splitlines()


def _texts(line: str, delimiter: str, schema: Schema, texts: Collection[str]) -> list[str]:
    """Return the Arrow names of the columns to read as text."""
    pair = len(schema.columns.keys() & {"date", "time"}) == 2
    as_written = pair or bool(schema.time_format) or schema.label == "session"
    ours = {*texts, *(("date", *TIME_NAMES) if as_written else ())}
    mapped = [theirs for name, theirs in schema.columns.items() if name in ours]
    if not schema.header:
        return [f"f{place}" for place in mapped]
    theirs = ours | {str(name).strip().lower() for name in mapped}
    names = next(reader([line], delimiter=delimiter), [])
    return [
        name
        for place, name in enumerate(names)
        if place in mapped or name.strip().lower() in theirs
    ]


def _refuse_ragged(path: Path, read: Any, parse: Any, convert: Any) -> None:
    """Read again, one line after the other, to find the one that has not the cells of the first."""
    from pyarrow import csv

    found: list[csv.InvalidRow] = []

    def seen(row: csv.InvalidRow) -> str:
        found.append(row)
        return "error"

    read.use_threads = False  # else rows have no number
    parse.invalid_row_handler = seen
    try:
        csv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid:
        for row in found:
            raise DataError(
                f"{path}: line {row.number} has {row.actual_columns} "
                f"cell{'s' if row.actual_columns > 1 else ''}, the first line "
                f"{row.expected_columns}: {row.text.strip()[:60]!r}",
                rule="every line has as many cells as the first.",
                fix=_ragged_fix(_first_lines(path, read.encoding), read.skip_rows),
            ) from None


def _ragged_fix(lines: list[str], skipped: int) -> str:
    said = "Correct the line, or say what separates the cells: delimiter=';' (--delimiter ';')."
    # The last line may be cut; the one before is one of data if any is.
    counts = [[line.count(separator) for line in lines[:-1]] for separator in ",;\t"]
    begin = min((found.index(found[-1]) for found in counts if found and found[-1] > 2), default=0)
    if begin > skipped:
        return f"Leave out the lines before the header: skip={begin} (--skip {begin}). {said}"
    return said


def _check_text(path: Path, encoding: str) -> None:
    """Refuse bytes that are no text: Arrow cannot show the line that holds them."""
    with pa.input_stream(str(path)) as stream:
        content = stream.read()
    try:
        content.decode(encoding or "utf-8")
    except UnicodeError:
        raise _no_text(path, encoding) from None


def _no_text(path: Path, encoding: str) -> DataError:
    """Return the error that names the first bytes of a file that are no text of the encoding."""
    with pa.input_stream(str(path)) as stream:
        content = stream.read()
    said = "an encoding is that of the file."
    if not encoding:
        said = "a CSV file is UTF-8 unless its encoding is given."
        if content.startswith(_UTF_16):
            return DataError(
                f"{path} is UTF-16", rule=said, fix="Give encoding='utf-16' (--encoding utf-16)."
            )
    line, byte = 1, b""
    try:
        content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        line, byte = 1 + content.count(b"\n", 0, error.start), content[error.start : error.end]
    return DataError(
        f"{path}: line {line} is no {encoding or 'UTF-8'} text: it holds the byte {byte!r}",
        rule=said,
        fix="Give it, such as encoding='latin-1' (--encoding latin-1); of Windows and Excel "
        "'cp1252'.",
    )
