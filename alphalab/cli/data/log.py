"""``alphalab data log``: the versions of a store's tables and the command that wrote each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.data.store.log import Commit
    from alphalab.data.store.store import Store


def log(
    table: Annotated[str, typer.Argument(help="This table only.", show_default="all")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Versions to print, the newest first.")] = 20,
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the versions of tables, the newest first: time, rows written, and source."""
    from alphalab.data.store.store import Store
    from alphalab.data.store.tables import table_named

    out = Output(json=json, quiet=quiet)
    where = Store(store)
    names = [table_named(table).name] if table else list(where.tables())
    commits = [commit for name in names for commit in _commits(where, name)]
    commits.sort(key=lambda commit: commit["time"], reverse=True)
    shown = commits[:limit]
    if json:
        out.object("data.log", {"store": where.url, "versions": shown, "n": len(commits)})
    elif not commits:
        out.text(f"{where.url} holds no {table or 'table'}")
    else:
        rows = [_cells(commit) for commit in shown]
        out.table(rows, ("table", "version", "time", "new", "revised", "source"))
        if len(shown) < len(commits):
            out.note(f"{len(commits) - len(shown):,} older ones: --limit {len(commits)}")


def _commits(store: Store, name: str) -> list[dict[str, Any]]:
    return [_described(name, commit) for commit in store.history(name)]


def _described(name: str, commit: Commit) -> dict[str, Any]:
    from alphalab.data.clock.times import iso

    return {"table": name, **commit._asdict(), "time": iso(commit.time)}


def _cells(commit: dict[str, Any]) -> tuple[str, ...]:
    return (
        commit["table"],
        str(commit["version"]),
        commit["time"],
        f"{commit['n_new']:,}",
        f"{commit['n_revised']:,}",
        _source(commit["record"], commit["operation"]),
    )


def _source(record: dict[str, Any], operation: str) -> str:
    """Return the source of the rows and the repairs on one line."""
    if not record:
        return operation.lower()
    if operation == "RESTORE":
        return f"version {record['restored']} restored"
    repairs = [str(repair.get("said", repair)) for repair in record.get("repairs", ())]
    return "; ".join([str(record.get("source", "")), *repairs]).strip("; ")
