"""``alphalab live stop``: leave a command for a run."""

from __future__ import annotations

import getpass
import time
from typing import Annotated

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.errors import ParameterError
from alphalab_live.commands.options import RunArgument

_SAID = {
    "stop": "it stops after what it is doing; its orders and positions stay at the venue",
    "flatten": "it closes all positions on the next row, and stops",
    "pause": "it opens nothing until alphalab live stop --resume",
    "resume": "it trades again",
    "kill": "it sends nothing any more; its orders and positions stay at the venue",
}


def stop(
    run: RunArgument,
    flatten: Annotated[bool, typer.Option("--flatten", help="Close all positions first.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Open nothing, but go on.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="End a pause or a flattening.")] = False,
    kill: Annotated[
        bool, typer.Option("--kill", help="Send nothing any more, from this instant on.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Stop a run, or pause, flatten or kill it. The run takes the command before its next order."""
    from alphalab_live.run_folder import RunFolder

    asked = {"flatten": flatten, "pause": pause, "resume": resume, "kill": kill}
    chosen = [name for name, given in asked.items() if given] or ["stop"]
    if len(chosen) > 1:
        raise ParameterError(
            f"alphalab live stop with {', '.join('--' + x for x in chosen)}",
            rule="one command at a time.",
        )
    folder = RunFolder(run)
    folder.reader().close()  # it is a run
    folder.command(chosen[0], (), who=getpass.getuser(), now=time.time_ns())
    out = Output(json=json, quiet=quiet)
    if json:
        out.object("live.stop", {"run": str(run), "command": chosen[0]})
    else:
        out.text(f"{run}: {chosen[0]}: {_SAID[chosen[0]]}")
