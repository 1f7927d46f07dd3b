"""``alphalab live log``: what happened in a run, one line an event."""

from __future__ import annotations

from collections import deque
from typing import Annotated

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab_live.commands.options import RunArgument, clock


def log(
    run: RunArgument,
    limit: Annotated[int, typer.Option(min=1, help="Most lines, the last ones.")] = 50,
    rows: Annotated[bool, typer.Option("--rows", help="Show each row as well.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Show starts, states, orders, fills and differences; alphalab journal show has every byte."""
    from alphalab_live.run_folder import RunFolder
    from alphalab_live.sentences import sentence

    out = Output(json=json, quiet=quiet)
    lines: deque[tuple[int, str, str, str]] = deque(maxlen=limit)
    folder = RunFolder(run)
    with folder.reader() as reader:
        for entry, event in reader.events():
            said = sentence(event, rows=rows)
            if said:
                kind = type(event).__name__.lower()
                lines.append((entry.seq, clock(entry.time), kind, said))
    if json:
        names = ("seq", "time", "kind", "text")
        out.object("live.log", {"lines": [dict(zip(names, x, strict=True)) for x in lines]})
        return
    for seq, time, kind, said in lines:
        out.text(f"{seq:>6}  {time}  {kind:<9}  {said}")
