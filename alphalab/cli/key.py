"""``alphalab key``: make keys, and list those that are trusted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

KeysFlag = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FOLDER",
        help="The keyring.",
        show_default="ALPHALAB_KEYS, else ~/.alphalab/keys",
    ),
]
app = typer.Typer(help="Make Ed25519 keys, and list those that are trusted.", no_args_is_help=True)


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Of the key's owner.", show_default=False)
    ],
    days: Annotated[int, typer.Option(help="Days until it expires.")] = 365,
    keys: KeysFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Make a key pair: NAME.key stays secret, NAME.pub goes to whoever verifies."""
    from alphalab.artifact.keys import Keyring

    out = Output(json=json, quiet=quiet)
    ring = Keyring(keys)
    key = ring.new(name, now=time.time_ns(), days=days)
    if json:
        out.object("key.new", {"name": name, "id": key.key_id, "folder": str(ring.folder)})
        return
    out.text(f"{name}: key {key.key_id} in {ring.folder}")
    out.note(f"Give {name}.pub to whoever has to trust it, and {name}.key to nobody.")


@app.command("list")
def listing(
    keys: KeysFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the trusted keys, and which of them can sign here."""
    from alphalab.artifact.keys import Keyring
    from alphalab.data.clock.times import iso

    out = Output(json=json, quiet=quiet)
    ring = Keyring(keys)
    owned, now = ring.owned(), time.time_ns()
    found = [
        {
            "name": key.name,
            "id": key.key_id,
            "signs": key.name in owned,
            "expires": iso(key.expires),
            "expired": now >= key.expires,
        }
        for key in ring.public().values()
    ]
    if json:
        out.object("key.list", {"folder": str(ring.folder), "keys": found})
    elif not found:
        out.text(f"{ring.folder} holds no key: alphalab key new NAME makes one")
    else:
        rows = [
            (
                str(key["name"]),
                str(key["id"]),
                "yes" if key["signs"] else "no",
                f"{str(key['expires'])[:10]}{' (expired)' if key['expired'] else ''}",
            )
            for key in found
        ]
        out.table(rows, ("name", "id", "signs here", "expires"))
