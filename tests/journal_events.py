"""One event of every kind of a live run, a small codec of two versions, and scripted writers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from alphalab.core.event_codec import Codec, Event, array_bytes, tag
from alphalab.core.events import (
    RUN_EVENTS,
    Answer,
    Command,
    Cursor,
    History,
    Intent,
    Observation,
    Reconcile,
    Refusal,
    Report,
    Row,
    Run,
    Sent,
    State,
)

NAN = float("nan")
STORED = Path(__file__).with_name("journals")

ONE_OF_EACH: tuple[Event, ...] = (
    Run(
        run="r1",
        artifacts=("a" * 64,),
        engines=("e" * 64,),
        capital=(1_000.0,),
        intervals=(60 * 10**9,),
        venue="paper",
        account="main",
        symbols=(("BTC", "ETH"),),
        columns=(("open", "close"),),
        sends=True,
        versions=(("alphalab", "0.1.0"), ("numpy", "2.4.6")),
    ),
    History(
        engine=0,
        times=np.array([1, 2], "<i8").tobytes(),
        values=array_bytes(np.full((2, 2, 2), 1.5)),
    ),
    Row(
        engine=0,
        time=1_700_000_000_000_000_000,
        values=array_bytes(np.array([[1.0, NAN], [2.0, 3.0]])),
        ledger=array_bytes(np.arange(9.0)),
        qty=array_bytes(np.array([0.0, -1.5])),
        decision=bytes(range(32)),
    ),
    Observation(name="news", known=1_700_000_000_000_000_001, values=array_bytes(np.array([0.5]))),
    Cursor(name="trades BTC", value=77),
    Intent(
        client_id="al-r1-1",
        engine=0,
        order=1,
        revision=0,
        action="submit",
        order_type="market",
        symbol="BTC",
        qty=-0.25,
        price=NAN,
        stop=NAN,
        trail=NAN,
        time_in_force="GTC",
        reduce_only=True,
        post_only=False,
    ),
    Sent(client_id="al-r1-1", method="POST", path="/api/v3/order", body="symbol=BTC&side=SELL"),
    Answer(
        client_id="al-r1-1",
        request="submit",
        outcome="unknown",
        status=200,
        code=0,
        body=b"<html>\xff",
    ),
    Report(
        engine=0,
        kind=4,
        time=1_700_000_060_000_000_000,
        order=1,
        asset=0,
        qty=-0.25,
        filled=-0.25,
        price=50_000.5,
        stop=NAN,
        fee=1.25,
        amount=0.0,
        rate=NAN,
        code=0,
        last=True,
        client_id="al-r1-1",
        final=True,
        venue_time=-1,
        venue_id="77",
    ),
    State(before="RUNNING", after="HALTED", reason="disk full"),
    Command(name="stop", arguments=(("flatten", "yes"),), who="anna", signature=b""),
    Refusal(engine=0, asset=1, code=4, wanted=1.5, allowed=1.0),
    Reconcile(subject="cash", expected="100.0", found="99.5", action="halt"),
)


class PriceV1(Event, frozen=True, tag=tag(1, version=1)):
    """As prices were written once: in cents, without a venue."""

    cents: int

    def newer(self) -> Event:
        return Price(value=self.cents / 100, venue="")


class Price(Event, frozen=True, tag=tag(1, version=2)):
    value: float
    venue: str


class Note(Event, frozen=True, tag=tag(2)):
    text: str


OLD_PRICES = Codec("prices", PriceV1, Note)
PRICES = Codec("prices", Price, PriceV1, Note)


def note(i: int, size: int = 10) -> tuple[int, Event]:
    """Return the i-th event of a scripted writer, with its time."""
    return 1_000 + i, Note(text=f"{i}".rjust(size, "."))


def start_writer(body: str, path: Path) -> subprocess.Popen[str]:
    """Start a process that runs a body with `path`, `Journal`, `PRICES` and `note` at hand."""
    head = (
        "import sys; from pathlib import Path\n"
        "from alphalab.core.journal import Journal\n"
        "from alphalab.errors import JournalError\n"
        "from journal_events import PRICES, note\n"
        "path = Path(sys.argv[1])\n"
    )
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", head + body, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": here},
    )


def write_stored_files() -> None:
    """Write the files in `journals/` that stand for old versions; run once, when they were new."""
    from alphalab.core.journal import Journal

    with Journal(STORED / "run_1.journal", RUN_EVENTS, meta={"run": "r1"}) as journal:
        journal.write([(10 + i, event) for i, event in enumerate(ONE_OF_EACH)])
        journal.write_snapshot("e" * 64, b"state")
    with Journal(STORED / "prices_1.journal", OLD_PRICES) as journal:
        journal.write([(1, PriceV1(cents=150)), (2, Note(text="old")), (3, PriceV1(cents=-75))])
