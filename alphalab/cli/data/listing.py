"""``alphalab data list``: list the series of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.data.store.store import Store


def listing(
    table: Annotated[str, typer.Argument(help="This table only.", show_default="all")] = "",
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the series of a store with their rows, first and last times."""
    from alphalab.data.store.store import Store
    from alphalab.data.store.tables import table_named

    out = Output(json=json, quiet=quiet)
    where = Store(store)
    names = [table_named(table).name] if table else list(where.tables())
    tables = [_described(where, name) for name in names]
    if json:
        out.object("data.list", {"store": where.url, "tables": tables})
        return
    if not any(described["series"] for described in tables):
        out.text(f"{where.url} holds no {table or 'table'}")
    for described in tables:
        _show(out, described)


def _described(store: Store, name: str) -> dict[str, Any]:
    from alphalab.data.clock.times import iso
    from alphalab.data.store.tables import table_named

    version = store.version(name)
    series = [] if version is None else store.series(name, version)
    return {
        "table": name,
        "version": version,
        "rows": sum(one.n_rows for one in series),
        "series": [
            {
                **dict(zip(table_named(name).partition, one.names, strict=True)),
                "rows": one.n_rows,
                "first": iso(one.first),
                "last": iso(one.last),
                "files": one.n_files,
            }
            for one in series
        ],
    }


def _show(out: Output, described: dict[str, Any]) -> None:
    if not described["series"]:
        return
    title = f"{described['table']}, version {described['version']}, {described['rows']:,} rows"
    shown = [{**one, "rows": f"{one['rows']:,}"} for one in described["series"]]
    header = [name for name in shown[0] if name != "files"]
    out.table([[one[name] for name in header] for one in shown], header, title)
