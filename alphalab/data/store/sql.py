"""Questions in SQL: DuckDB over the tables of a store, and over nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from alphalab.errors import DataError

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

# In this order: after the last nothing can be set any more, by a query neither.
_LOCKS = (
    "TimeZone = 'UTC'",
    "python_enable_replacements = false",  # variables of this program are no tables
    "enable_external_access = false",
    "lock_configuration = true",
)


def answer(query: str, datasets: Mapping[str, Dataset], limit: int | None = None) -> pa.Table:
    """Return the answer to a query.

    Parameters
    ----------
    query : str
        One SELECT, or another statement that has an answer.
    datasets : mapping of str to pyarrow.dataset.Dataset
        By the names that the query knows them by.
    limit : int, optional
        Rows to compute at most.

    Raises
    ------
    DataError
        A query that is empty, that DuckDB refuses, or that asks for files.
    """
    import duckdb

    with duckdb.connect(":memory:") as session:
        for name, dataset in datasets.items():
            session.register(name, dataset)
        for setting in _LOCKS:
            session.execute(f"set {setting}")
        try:
            found = session.sql(query)
            if found is None:
                raise DataError(f"no answer to {query!r}", rule="a query reads select ...")
            return (found if limit is None else found.limit(limit)).to_arrow_table()
        except duckdb.Error as error:
            words = "\n".join(filter(None, str(error).splitlines()))
            raise DataError(
                f"the query: {words}",
                rule=f"tables of this store are {', '.join(datasets)}."
                if datasets
                else "this store holds no table.",
            ) from None
