"""``alphalab data ingest``: bring files and data sets into a store."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.data.options import StoreFlag
from alphalab.cli.data.schema_flags import SchemaFlags
from alphalab.cli.flags import named_texts, with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.data.ingestion.ingest import Ingested

Kind = Literal[
    "bars",
    "trades",
    "funding",
    "actions",
    "delistings",
    "instruments",
    "observations",
    "universe",
]


@with_flags(SchemaFlags)
def ingest(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="CSV, Parquet or Feather files, or data sets (sp500, synthetic:...).",
            show_default=False,
        ),
    ],
    source: SchemaFlags,
    venue: Annotated[str, typer.Option(help="Venue of the data, such as binance.")] = "",
    interval: Annotated[str, typer.Option(help="Length of the bars, such as 1h.")] = "",
    kind: Annotated[Kind, typer.Option(help="Kind of the rows.")] = "bars",
    name: Annotated[str, typer.Option(help="Name of the observations or of the universe.")] = "",
    repair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP",
            help="A repair of the bars before they are checked; may be repeated; a wrong name"
            " lists all.",
        ),
    ] = None,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE",
            help="A field of the instruments of the bars, such as calendar=XNYS; may be repeated.",
        ),
    ] = None,
    revise: Annotated[
        bool, typer.Option("--revise", help="Replace stored rows whose values differ.")
    ] = False,
    store: StoreFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Bring files into a store: one commit for each file; a second run changes nothing."""
    from alphalab.data.ingestion.ingest import ingest as bring
    from alphalab.data.store.store import Store

    out = Output(json=json, quiet=quiet)
    keywords: dict[str, Any] = {
        "venue": venue,
        "interval": interval,
        "kind": kind,
        "name": name,
        "schema": source.read(),
        "repairs": repair or (),
        "instrument": _fields(instrument or []),
        "absent": "refuse" if len(files) == 1 else "note",
        "revise": revise,
        "store": Store(store),
    }
    done: list[Ingested] = []
    try:
        for file in _with_progress(out, files):
            done.append(bring(file, **keywords))
    except (Exception, KeyboardInterrupt) as error:
        kept = f"{len(done)} of {len(files)} files are in the store"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"{kept}, run it again to go on") from None
        if done:
            error.add_note(kept)
        raise
    if json:
        out.object("data.ingest", {"store": keywords["store"].url, "files": [*map(_object, done)]})
    else:
        _show(out, done, keywords["store"].url, store)


def _fields(given: list[str]) -> dict[str, str | float]:
    """Return fields of an instrument: numbers where the text is a number, else texts."""
    texts = named_texts("--instrument", given, "a field of an instrument is written field=value.")
    return {name: float(text) if _is_number(text) else text for name, text in texts.items()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_progress(out: Output, files: list[str]) -> Any:
    """Return the files, with a progress bar on a terminal if there are several."""
    if len(files) < 2 or not out.shows_progress:
        return files
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(files, "Ingesting", console=console, transient=True)


def _object(one: Ingested) -> dict[str, Any]:
    repairs = [{"step": r.step, "rows": r.n_rows, "said": r.said} for r in one.repairs]
    return {
        "source": one.source,
        "rows": one.n_rows,
        "symbols": one.symbols,
        "written": [written._asdict() for written in one.written],
        "repairs": repairs,
        "notes": [str(note) for note in one.notes],
        "start": one.start,
        "end": one.end,
        "address": one.address,
    }


def _show(out: Output, done: list[Ingested], url: str, given: str | None) -> None:
    sources_of: dict[str, list[str]] = {}
    for one in done:
        for note in one.notes:
            sources_of.setdefault(str(note), []).append(one.source)
    for text, sources in sources_of.items():
        out.note(f"{sources[0] if len(sources) == 1 else f'{len(sources)} files'}: {text}")
    rows = [
        (
            one.source,
            written.table,
            f"{written.n_new:,}",
            f"{written.n_revised:,}",
            f"{written.n_same:,}",
            str(written.version),
        )
        for one in done
        for written in one.written
    ]
    out.table(rows, ("source", "table", "new", "revised", "same", "version"), f"Store {url}")
    for one in done:
        out.text(f"{one.source}: {one.n_rows:,} rows from {one.start} to {one.end}")
    addresses = {one.address: None for one in done if one.address}
    if len(addresses) > 1:  # of one venue and interval
        addresses = {"/".join(address.split("/")[:2]): None for address in addresses}
    for address in addresses:
        where = "" if given is None else f" --store {quote(given)}"
        out.note(f"Next: alphalab data check {quote(address)}{where}")
