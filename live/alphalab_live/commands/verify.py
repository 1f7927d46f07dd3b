"""``alphalab live verify``: replay a run, and certify that its decisions follow from its inputs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.key import KeysFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab_live.commands.options import PinFlag, RunArgument

if TYPE_CHECKING:
    from alphalab_live.run_folder import RunFolder


def verify(
    run: RunArgument,
    key: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Sign the certificate with this key.", show_default=""),
    ] = None,
    pin: PinFlag = None,
    keys: KeysFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Feed the recorded inputs in again, and compare every decision, intent and booking.

    Exit code 1 with the first divergence and both of its sides, or with the first damage of the
    journal.
    """
    from alphalab.artifact.keys import Keyring
    from alphalab_live.certificate import certificate, write_certificate
    from alphalab_live.promoted import check_same_engines, of_run
    from alphalab_live.replay import replay
    from alphalab_live.run_folder import RunFolder
    from alphalab_live.versions import versions

    out, folder, ring = Output(json=json, quiet=quiet), RunFolder(run), Keyring(keys)
    now = time.time_ns()
    signing = None if key is None else ring.signing(key, now=now)
    start = folder.first_start()
    traders = [
        one.trader(place, start.intervals[place], sends=start.sends)
        for place, one in enumerate(of_run(folder, start, ring, pin or ()))
    ]
    check_same_engines(traders, start)
    with folder.reader() as reader:
        damage = reader.verify()
        head = str(reader.head) if damage is None else ""
        found = replay(reader, traders) if damage is None else None
    wrong = damage if found is None else found.divergence
    content: dict[str, Any] = {"run": start.run, "verified": wrong is None, "head": head}
    if found is None or wrong is not None:
        content["problem"] = str(wrong)
        if found is not None and found.divergence is not None:
            content["divergence"] = found.divergence._asdict()
    else:
        made = certificate(found, start, head, versions(), now=now)
        content["certificate"] = made
        if signing is not None:
            content["file"] = str(write_certificate(folder.path, made, signing))
    _show(out, folder, content)
    if wrong is not None:
        raise typer.Exit(1)


def _show(out: Output, folder: RunFolder, content: dict[str, Any]) -> None:
    if out.json:
        out.object("live.verify", content)
        return
    if not content["verified"]:
        out.text(f"{folder.path}: {content['problem']}")
        return
    made = content["certificate"]
    out.text(
        f"{folder.path}: verified, {made.rows:,} rows, {made.events:,} events: every decision, "
        "intent and booking follows from the inputs"
    )
    out.text(f"  inputs     {made.inputs}")
    out.text(f"  decisions  {made.decisions}")
    out.text(f"  head       {made.head}")
    if "file" in content:
        out.text(f"  signed     {content['file']}")
    else:
        out.note("Sign it with --key NAME.")
