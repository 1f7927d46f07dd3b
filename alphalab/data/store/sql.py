"""SQL queries: DuckDB over the tables of a store, without files or network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow.dataset import Dataset, FileSystemDataset

from alphalab.errors import DataError, ParameterError

if TYPE_CHECKING:
    from duckdb import Statement

# The order matters: after the last one no setting can change, not even by a query.
_LOCKS = (
    "TimeZone = 'UTC'",
    "python_enable_replacements = false",  # Python variables are not tables
    "enable_external_access = false",
    "lock_configuration = true",
)


def answer(query: str, datasets: Mapping[str, Dataset], limit: int | None = None) -> pa.Table:
    """Return the result of a query.

    Parameters
    ----------
    query : str
        One SELECT; DESCRIBE, SHOW, SUMMARIZE and FROM are among them.
    datasets : mapping of str to pyarrow.dataset.Dataset
        By the names that the query knows them by.
    limit : int, optional
        Rows to compute at most.

    Raises
    ------
    DataError
        A query that is not one SELECT, that DuckDB refuses, or that asks for files.
    ParameterError
        A `limit` below 0.
    """
    import duckdb

    if limit is not None and limit < 0:
        raise ParameterError(f"limit={limit}", rule="limit is 0 or more.")
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"the query {query!r}: {error}", rule="a query is UTF-8 text.") from None
    with duckdb.connect(":memory:") as session:
        for name, dataset in datasets.items():
            session.register(name, _read_as_asked(dataset))
        for setting in _LOCKS:
            session.execute(f"set {setting}")
        try:
            _check_one_select(query, session.extract_statements(query))
            found = session.sql(query)
            return (found if limit is None else found.limit(limit)).to_arrow_table()
        except duckdb.Error as error:
            words = "\n".join(filter(None, str(error).splitlines()))
            raise DataError(
                f"the query: {words}",
                rule=f"tables of this store are {', '.join(datasets)}."
                if datasets
                else "this store holds no table.",
            ) from None


class _ReadAsAsked(FileSystemDataset):  # type: ignore[misc]
    """A dataset without read-ahead threads.

    A query with a limit abandons its scan; threads that still read at the exit of the process
    crash it.
    """

    def scanner(self, **options: Any) -> Any:
        return super().scanner(**options, use_threads=False)


def _read_as_asked(dataset: Dataset) -> Dataset:
    if not isinstance(dataset, FileSystemDataset):  # a table that does not exist: no rows
        return dataset
    fragments = list(dataset.get_fragments())
    return _ReadAsAsked(fragments, dataset.schema, dataset.format, dataset.filesystem)


def _check_one_select(query: str, statements: Sequence[Statement]) -> None:
    kinds = [statement.type.name for statement in statements]
    if kinds == ["SELECT"]:
        return
    raise DataError(
        f"the query {query!r} is {' and '.join(kinds) or 'empty'}",
        rule="a query is one SELECT.",
        # DuckDB makes several statements of a pivot over values that it has to look up.
        fix="Name the values of a pivot: on symbol in ('A', 'B')." if kinds == ["MULTI"] else "",
    )
