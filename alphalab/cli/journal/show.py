"""``alphalab journal show``: the events of a journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.journal.options import PathArgument, codec_of
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import UnknownNameError

if TYPE_CHECKING:
    from alphalab.core.event_codec import Codec
    from alphalab.core.journal_reader import JournalReader

_WIDTH = 100


def show(
    path: PathArgument,
    kind: Annotated[str, typer.Option(help="Events of this kind only.", show_default="all")] = "",
    after: Annotated[int, typer.Option(min=0, help="Events behind this row only.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Events to print, the last ones.")] = 20,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Print the last events of a journal, the oldest of them first."""
    from alphalab.core.journal_reader import JournalReader

    out = Output(json=json, quiet=quiet)
    with JournalReader(path) as reader:
        codec = codec_of(reader.meta["codec"])
        if kind and (codec is None or kind not in codec.kinds()):
            raise UnknownNameError("kind of event", kind, codec.kinds() if codec else ())
        shown = deque(_rows(reader, codec, kind, after), limit)
        head, meta = reader.head, reader.meta
    if json:
        content = {"path": str(path), "meta": meta, "head": str(head), "events": list(shown)}
        out.object("journal.show", content)
        return
    rows = [(f"{x['seq']:,}", x["time"], x["kind"], _short(x["event"])) for x in shown]
    out.table(rows, ("row", "time", "kind", "event"))
    said = ", ".join(f"{key} {value}" for key, value in meta.items())
    out.note(f"{head.seq:,} events; {said}")


def _rows(
    reader: JournalReader, codec: Codec | None, kind: str, after: int
) -> Iterator[dict[str, Any]]:
    import msgspec

    from alphalab.data.clock.times import iso

    for entry in reader.entries(after):
        name = str(entry.kind) if codec is None else codec.name_of(entry.kind)
        if kind and name != kind:
            continue
        if codec is None:
            event: Any = entry.payload.hex()
        else:
            event = msgspec.structs.asdict(codec.decode(entry.payload))
        yield {
            "seq": entry.seq,
            "time": iso(entry.time),
            "kind": name,
            "event": event,
            "hash": entry.hash.hex(),
        }


def _short(event: Any) -> str:
    import msgspec

    text = event if isinstance(event, str) else msgspec.json.encode(event).decode()
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 4]} ..."
