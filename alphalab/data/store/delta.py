"""Delta Lake access: a table at a version, its files, and one commit on top of it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from alphalab.data.store.choice import Span, files
from alphalab.data.store.failures import check_readable, in_our_words
from alphalab.data.store.tables import Table
from alphalab.errors import DataError

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable
    from pyarrow.dataset import Dataset

#: The key of our metadata in a commit.
METADATA = "alphalab"
_ROW_GROUP = 100_000
# Versions identify data and are kept for ever; Delta's default deletes them after 30 days.
_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 5200 weeks",
    "delta.deletedFileRetentionDuration": "interval 5200 weeks",
}


def open_table(
    table: Table, url: str, options: Mapping[str, str], version: int | None = None
) -> DeltaTable | None:
    """Return a table at a version (not given: the newest); None if it does not exist.

    Raises
    ------
    DataError
        No such version, not a table of a store, or a place that cannot be read.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    if version is not None and (not isinstance(version, Integral) or version < 0):
        raise _no_version(url, version, "versions are whole numbers and count from 0.")
    stored = dict(options)
    with in_our_words(url):
        try:
            there = DeltaTable(_place(url), version=version, storage_options=stored)
        except TableNotFoundError:
            check_readable(url)
            if version is None:
                return None
            raise _no_version(url, version, "the table is not there.") from None
        except DeltaError:
            newest = (
                None
                if version is None
                else DeltaTable(_place(url), storage_options=stored).version()
            )
            if newest is None or version is None or 0 <= version <= newest:
                raise
            raise _no_version(url, version, f"its versions are 0 to {newest}.") from None
        if tuple(there.metadata().partition_columns) != table.partition:
            raise DataError(
                f"{url} is a Delta table that alphalab did not make",
                rule=f"{table.name} are partitioned by {', '.join(table.partition)}.",
                fix="Give the store a folder of its own.",
            )
    return there


def _place(url: str) -> str:
    """Return what deltalake takes: it would take a folder named ``s3:`` for an address."""
    return url if "://" in url else os.path.abspath(url)


def _no_version(url: str, version: object, rule: str) -> DataError:
    return DataError(f"{url}: there is no version {version!r}", rule=rule)


def dataset_of(
    table: Table, there: DeltaTable, where: Mapping[str, Collection[str]], when: Span
) -> Dataset:
    """Return the files of a table that may hold the rows of a filter.

    The columns of the table come first, in their order, then its further ones.
    """
    stored = pa.schema(there.schema().to_arrow())
    extra = sorted(name for name in stored.names if name not in table.columns)
    fields = [*table.columns.items(), *((name, stored.field(name).type) for name in extra)]
    return there.to_pyarrow_dataset(
        schema=pa.schema(fields), file_pruning_predicate=files(table, where, when) or None
    )


def commit(
    table: Table,
    target: DeltaTable | str,
    rows: pa.Table,
    *,
    replace: bool,
    metadata: Mapping[str, Any],
    options: Mapping[str, str],
) -> int:
    """Write rows in one commit on top of exactly the version that was opened.

    Parameters
    ----------
    target : DeltaTable or str
        What was opened; where there was nothing, the address.
    rows : pyarrow.Table
        Sorted by key, one or more.
    replace : bool
        True if the rows are all there is to be in their partitions, instead of more of it.

    Returns
    -------
    int
        The version that this made.

    Raises
    ------
    deltalake.exceptions.CommitFailedError
        Another writer was faster.
    """
    from deltalake import WriterProperties, write_deltalake
    from deltalake.exceptions import CommitFailedError, DeltaError

    fresh = isinstance(target, str)
    version = 0 if isinstance(target, str) else target.version() + 1
    how: dict[str, Any] = {"mode": "append", "schema_mode": "merge"}
    if fresh:
        how = {"mode": "error", "configuration": _CONFIGURATION}
    elif replace:
        how = {"mode": "overwrite", "predicate": _partitions(table, rows), "schema_mode": "merge"}
    try:
        write_deltalake(
            _place(target) if isinstance(target, str) else target,
            rows,
            **how,
            partition_by=list(table.partition),
            storage_options=dict(options),
            writer_properties=WriterProperties(compression="ZSTD", max_row_group_size=_ROW_GROUP),
            commit_properties=_only_as(version, metadata),
        )
    except DeltaError as error:
        if fresh and "already exists" in str(error):
            raise CommitFailedError(str(error)) from None
        raise
    return version


def bring_back(there: DeltaTable, old: DeltaTable, metadata: Mapping[str, Any]) -> int:
    """Commit the content of an old version on top of exactly the version that was opened.

    Nothing changes if it is the newest content already.

    Returns
    -------
    int
        The version that has it.

    Raises
    ------
    deltalake.exceptions.CommitFailedError
        Another writer was faster.
    """
    newest = there.version()
    if set(there.file_uris()) != set(old.file_uris()):
        there.restore(old.version(), commit_properties=_only_as(newest + 1, metadata))
    return there.version()


def _only_as(version: int, metadata: Mapping[str, Any]) -> CommitProperties:
    """Return the commit properties that make a commit fail unless it becomes this version."""
    from deltalake import CommitProperties, Transaction

    return CommitProperties(
        custom_metadata={METADATA: json.dumps(metadata)},
        # No second try on top of what another wrote, and one mark for all our writers: whoever
        # opened an older version fails.
        max_commit_retries=0,
        app_transactions=[Transaction(METADATA, version)],
    )


def _partitions(table: Table, rows: pa.Table) -> str:
    """Return the SQL condition that selects the partitions of the rows."""
    *outer, last = table.partition
    groups = rows.group_by(list(table.partition)).aggregate([]).to_pylist()
    names: dict[tuple[str, ...], list[str]] = {}
    for group in groups:
        names.setdefault(tuple(group[name] for name in outer), []).append(group[last])
    terms = []
    for values, lasts in names.items():
        parts = [f'"{name}" = {_quoted(value)}' for name, value in zip(outer, values, strict=True)]
        parts.append(f'"{last}" in ({", ".join(map(_quoted, sorted(lasts)))})')
        terms.append(f"({' and '.join(parts)})")
    return " or ".join(terms)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
