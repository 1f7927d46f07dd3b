"""``alphalab live run``: trade artifacts at a venue, or go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alphalab.cli.artifact.options import PolicyFlag, policy_of
from alphalab.cli.data.options import EndFlag, StoreFlag
from alphalab.cli.key import KeysFlag
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab_live.commands.options import PinFlag


def run(
    artifact: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ARTIFACT",
            help="Folders of artifacts; none: go on with --run.",
            show_default="",
        ),
    ] = None,
    venue: Annotated[
        str, typer.Option(help="paper, or ccxt:NAME such as ccxt:binance, ccxt:binanceusdm.")
    ] = "paper",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="FOLDER", help="The folder of the run.", show_default="runs/ARTIFACT"
        ),
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Decide, and send nothing.")] = False,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file of live settings; see docs/live.md."),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(help="Length of the bars, such as 1m.", show_default="the artifact's data"),
    ] = None,
    account: Annotated[str, typer.Option(help="Name of the account.")] = "main",
    api_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="API keys, mode 0600.", show_default="environment, keyring"
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="WHY", help="Let a halted or killed run go on; it is journalled."),
    ] = None,
    ignore_holdings: Annotated[
        bool,
        typer.Option("--ignore-holdings", help="What the account holds already is not the run's."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="Paper: the market.", show_default="the artifact's data"),
    ] = None,
    store: StoreFlag = None,
    label: Annotated[
        Literal["close", "open", "session"],
        typer.Option(help="Paper: the instant that times of --data name."),
    ] = "close",
    end: EndFlag = None,
    funding: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Paper: funding rates: time, rate (and symbol)."),
    ] = None,
    pause: Annotated[
        float, typer.Option(min=0.0, help="Paper: seconds between two rows; 0: as fast as it goes.")
    ] = 0.0,
    pin: PinFlag = None,
    keys: KeysFlag = None,
    stages: PolicyFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Trade artifacts. Everything is journalled first, so a run can be killed and started again.

    Exit code 3: the start was refused. 1: the run has halted, and the message says why.
    """
    from alphalab_live.asked import Asked
    from alphalab_live.commands.status import read_status
    from alphalab_live.start import trade

    out = Output(json=json, quiet=quiet)
    asked = Asked(
        artifacts=tuple(artifact or ()),
        venue=venue,
        folder=folder,
        sends=not shadow,
        settings=settings,
        interval=interval,
        account=account,
        api_keys=api_keys,
        resume=resume,
        ignore_holdings=ignore_holdings,
        data=None if data is None else {"data": data, "store": store, "label": label, "end": end},
        funding=funding,
        pause=pause,
        pins=tuple(pin or ()),
        keys=keys,
        policy=policy_of(stages),
    )
    ran = trade(asked, out.note)
    found = read_status(ran)
    if json:
        out.object("live.run", {"folder": str(ran.path), **found})
        return
    equity = ", ".join(f"{engine['equity']:,.2f}" for engine in found["engines"] if engine["row"])
    out.text(f"{ran.path}: {found['state']} ({found['reason']}), equity {equity or 'n/a'}")
    out.note(f"Next: alphalab live verify {ran.path} --key NAME")
