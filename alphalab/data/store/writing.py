"""One write: given rows are compared with stored ones, and the difference is committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from alphalab.data.store.changes import Changes, changes, without
from alphalab.data.store.choice import Span, condition
from alphalab.data.store.delta import bring_back, commit, dataset_of, open_table
from alphalab.data.store.failures import check_writable, in_our_words
from alphalab.data.store.incoming import check_spelling, checked
from alphalab.data.store.order import order_of
from alphalab.data.store.tables import Table
from alphalab.errors import DataError

if TYPE_CHECKING:
    from deltalake import DeltaTable

# Concurrent writers take turns; a commit that fails for this long has another cause.
_PATIENCE_SECONDS = 60.0


class Written(NamedTuple):
    """The result of a write.

    Attributes
    ----------
    table : str
    version : int or None
        The version that holds the rows; None: no row was given and the table does not exist.
    n_new, n_revised, n_same : int
        Number of rows that were added, that replaced stored ones, and that were stored already.
    """

    table: str
    version: int | None
    n_new: int
    n_revised: int
    n_same: int


def write(
    table: Table,
    url: str,
    rows: pa.Table,
    *,
    options: Mapping[str, str],
    revise: bool,
    record: Mapping[str, Any],
) -> Written:
    """Write rows to the table at an address; see `Store.write`.

    A commit succeeds only on top of the version that the rows were compared with. If another writer
    was faster, they are compared again with the new version.
    """
    from deltalake.exceptions import CommitFailedError
    from tenacity import (
        Retrying,
        retry_if_exception_type,
        stop_after_delay,
        wait_random_exponential,
    )

    incoming = checked(table, rows)
    tries = Retrying(
        retry=retry_if_exception_type(CommitFailedError),
        wait=wait_random_exponential(multiplier=0.02, max=1.0),
        stop=stop_after_delay(_PATIENCE_SECONDS),
        reraise=True,
    )
    try:
        written: Written = tries(
            _write_once, table, url, incoming.rows, options, revise, dict(record)
        )
    except CommitFailedError as error:
        raise DataError(
            f"{url}: other writers were faster for {_PATIENCE_SECONDS:.0f} seconds ({error})",
            fix="Nothing was written: try again, with fewer writers at a time.",
        ) from None
    return written._replace(n_same=written.n_same + incoming.n_twice)


def restore(table: Table, url: str, version: int, options: Mapping[str, str]) -> int:
    """Make a new version with the content of an old one; see `Store.restore`.

    A lost race is not tried again: that would undo rows which the caller has not seen.
    """
    from deltalake.exceptions import CommitFailedError

    old = open_table(table, url, options, version)
    there = open_table(table, url, options)
    assert old is not None and there is not None  # `Store.restore` refuses unknown versions
    check_writable(url)
    try:
        with in_our_words(url):
            return bring_back(there, old, {"record": {"restored": version}})
    except CommitFailedError as error:
        raise DataError(
            f"{url}: another writer was faster ({error})",
            rule="a restore undoes what was there when it was asked for, and nothing newer.",
            fix="Nothing was restored: look at the log (alphalab data log), and try again.",
        ) from None


def _write_once(
    table: Table,
    url: str,
    rows: pa.Table,
    options: Mapping[str, str],
    revise: bool,
    record: dict[str, Any],
) -> Written:
    there = open_table(table, url, options)
    with in_our_words(url):
        if there is not None:
            # Checked again after a lost race, against the columns of the other writer.
            check_spelling(table, rows.column_names, there.schema().to_arrow().names)
        stored = None if there is None or rows.num_rows == 0 else _near(table, there, rows)
        found = changes(table, rows, stored, revise=revise)
        n_new, n_revised = found.new.num_rows, found.revised.num_rows
        version = None if there is None else there.version()
        if n_new + n_revised:
            check_writable(url)
            version = commit(
                table,
                url if there is None else there,
                _to_commit(table, there, found),
                replace=n_revised > 0,
                metadata={"n_new": n_new, "n_revised": n_revised, "record": record},
                options=options,
            )
    return Written(table.name, version, n_new, n_revised, found.n_same)


def _near(table: Table, there: DeltaTable, rows: pa.Table) -> pa.Table:
    """Return the stored rows in the partitions and the span of the rows: all with equal keys."""
    import pyarrow.compute as pc

    ends = pc.min_max(rows[table.time])
    when = Span(ends["min"].as_py(), ends["max"].as_py())
    return _stored(table, there, rows, when)


def _to_commit(table: Table, there: DeltaTable | None, found: Changes) -> pa.Table:
    """Return the rows of a commit, sorted: the new ones, or whole partitions for a revision."""
    if there is None or found.revised.num_rows == 0:
        return found.new
    given = pa.concat_tables([found.new, found.revised], promote_options="default")
    old = _stored(table, there, given, Span())
    kept = without(table, old, found.revised)
    rows = pa.concat_tables([kept, given], promote_options="default")
    return rows.take(order_of(table, rows))


def _stored(table: Table, there: DeltaTable, rows: pa.Table, when: Span) -> pa.Table:
    """Return the stored rows in the partitions of other rows."""
    import pyarrow.compute as pc

    where = {name: pc.unique(rows[name]).to_pylist() for name in table.partition}
    found = dataset_of(table, there, where, when)
    return found.to_table(filter=condition(table, where, when))
