"""``alphalab data sql``: query a store in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    import pyarrow as pa


def sql(
    query: Annotated[
        str,
        typer.Argument(
            help="One DuckDB select over the tables of the store.",
            show_default=False,
        ),
    ],
    version: Annotated[
        str,
        typer.Option(
            metavar="TABLE=N,...",
            help="Read tables at a version, such as bars=17.",
            show_default="the newest",
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Rows to compute and print.")] = 100,
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Query a store in SQL. A query can read the tables of the store, and nothing else."""
    from alphalab.data.store.address import parse_versions
    from alphalab.data.store.store import Store

    out = Output(json=json, quiet=quiet)
    versions = parse_versions(version) if version else None
    answer = Store(store).sql(query, versions=versions, limit=limit + 1)
    shown, more = answer.slice(0, limit), answer.num_rows > limit
    if json:
        rows = [dict(zip(shown.column_names, row, strict=True)) for row in _rows(shown)]
        out.object("data.sql", {"columns": shown.column_names, "rows": rows, "more": more})
        return
    out.table([list(map(_text, row)) for row in _rows(shown)], shown.column_names)
    if more:
        out.note(f"there are more rows than {limit:,}: see --limit")


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [_plain(column) for column in table.itercolumns()]
    return list(zip(*columns, strict=True))


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Return values as JSON has them; times become ISO text."""
    import pyarrow as pa

    from alphalab.data.clock.times import iso

    if pa.types.is_timestamp(column.type):
        ns = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64()).to_pylist()
        return [None if value is None else iso(value) for value in ns]
    if pa.types.is_decimal(column.type):
        return [None if value is None else float(value) for value in column.to_pylist()]
    return column.to_pylist()  # type: ignore[no-any-return]


def _text(value: Any) -> str:
    return "n/a" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
