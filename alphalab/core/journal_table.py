"""A journal as a table: its events as text, and as a Parquet file."""

from __future__ import annotations

import contextlib
import os
from itertools import islice, takewhile
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from alphalab.core.event_codec import Codec, Event
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import InputError

_ROWS = 10_000  # of a row group
SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("time", pa.timestamp("ns", "UTC")),
        ("kind", pa.string()),
        ("event", pa.string()),
        ("payload", pa.binary()),
        ("hash", pa.binary()),
    ]
)


def event_text(event: Event) -> str:
    """Return the fields of an event as JSON; bytes as base64, NaN as null.

    Examples
    --------
    >>> from alphalab.core.events import State
    >>> event_text(State(before="RUNNING", after="HALTED", reason="disk full"))
    '{"before":"RUNNING","after":"HALTED","reason":"disk full"}'
    """
    return msgspec.json.encode(msgspec.structs.asdict(event)).decode()


def write_parquet(
    reader: JournalReader, codec: Codec | None, path: Path, *, until: int | None = None
) -> int:
    """Write the events of a journal to a new Parquet file, whole or not at all.

    Parameters
    ----------
    reader : JournalReader
    codec : Codec, optional
        Not given: `kind` is the number and `event` is null; the payload is there all the same.
    path : Path
    until : int, optional
        The last row to write, such as the last one before a damage.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    InputError
        The file exists, or cannot be written.
    JournalError
        A part of the journal that cannot be read.
    """
    if path.exists():
        raise InputError(f"{path} exists", rule="nothing is written over.", fix="Name another.")
    draft = path.with_name(f".{path.name}.draft")
    entries = takewhile(lambda entry: until is None or entry.seq <= until, reader.entries())
    n_rows = 0
    try:
        with pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
            while part := list(islice(entries, _ROWS)):
                columns = list(zip(*part, strict=True))
                kinds = [str(k) if codec is None else codec.name_of(k) for k in columns[2]]
                texts = [None if codec is None else event_text(codec.decode(p)) for p in columns[3]]
                arrays = [columns[0], columns[1], kinds, texts, columns[3], columns[4]]
                writer.write_table(pa.table(dict(zip(SCHEMA.names, arrays, strict=True)), SCHEMA))
                n_rows += len(part)
        os.replace(draft, path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", fix="Choose another folder.") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return n_rows
