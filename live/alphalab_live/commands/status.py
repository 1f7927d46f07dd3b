"""``alphalab live status``: what a run is doing, from its journal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab_live.commands.options import RunArgument, clock

if TYPE_CHECKING:
    from alphalab.types import FloatArray
    from alphalab_live.run_folder import RunFolder


def status(
    run: RunArgument, json: JsonFlag = False, quiet: QuietFlag = False, debug: DebugFlag = False
) -> None:
    """Show state, equity, positions and living orders. It may be asked while the run trades."""
    from alphalab_live.run_folder import RunFolder

    out = Output(json=json, quiet=quiet)
    found = read_status(RunFolder(run))
    if json:
        out.object("live.status", found)
        return
    state = f"{found['state']} since {found['since']}"
    out.text(f"{found['run']}  {found['venue']}/{found['account']}  {state}")
    if found["reason"]:
        out.text(f"  {found['reason']}")
    rows = [
        (
            engine["artifact"],
            symbol,
            f"{units:g}",
            f"{engine['cash']:,.2f}",
            f"{engine['equity']:,.2f}",
            f"{engine['equity'] / engine['capital'] - 1:+.2%}",
            engine["row"],
        )
        for engine in found["engines"]
        for symbol, units in engine["units"].items()
    ]
    if rows:
        out.table(rows, ("artifact", "symbol", "units", "cash", "equity", "return", "last row"))
    for order in found["orders"]:
        out.text(
            f"{order['id']}  {order['state']}  {order['type']} {order['qty']:g} {order['symbol']}"
            f", filled {order['filled']:g}"
        )
    counts = f"rows {found['rows']:,}, starts {found['starts']}, events {found['events']:,}"
    out.note(f"{counts}, head {found['head'][:24]}")


def read_status(folder: RunFolder) -> dict[str, Any]:
    """Return what a journal says of its run, as plain data."""
    import numpy as np

    from alphalab.codes import ReportKind
    from alphalab.core.events import Answer, Intent, Report, Row, Run, Sent, State
    from alphalab_live.order_book import OrderBook
    from alphalab_live.trader import ledger_of

    starts, last, rows = [], {}, 0
    units: dict[int, FloatArray] = {}  # after the last row, and what was filled since
    state, since, reason = "LOADING", 0, ""
    orders = OrderBook()
    with folder.reader() as reader:
        head = reader.head
        for entry, event in reader.events():
            match event:
                case Run():
                    starts.append(event)
                case State():
                    state, since, reason = event.after, entry.time, event.reason
                case Row():
                    last[event.engine] = event
                    units[event.engine] = np.frombuffer(event.qty, "<f8").copy()
                    rows += 1
                case Report(kind=ReportKind.EXECUTED) if event.engine in units:
                    units[event.engine][event.asset] += event.qty
                    orders.apply(event)
                case Intent() | Sent() | Answer() | Report():
                    orders.apply(event)
        run = reader.meta.get("run", "")
    engines = []
    for place, symbols in enumerate(starts[-1].symbols if starts else ()):
        row = last.get(place)
        ledger = None if row is None else ledger_of(row)
        qty = [] if row is None else units[place].tolist()
        engines.append(
            {
                "artifact": folder.name_of(place),
                "capital": starts[-1].capital[place],
                "equity": None if ledger is None else float(ledger["equity"]),
                "cash": None if ledger is None else float(ledger["cash"]),
                "units": dict(zip(symbols, qty, strict=False)),
                "row": "" if row is None else clock(row.time),
            }
        )
    return {
        "run": run,
        "venue": starts[-1].venue if starts else "",
        "account": starts[-1].account if starts else "",
        "state": state,
        "since": clock(since),
        "reason": reason,
        "engines": engines,
        "orders": [
            {
                "id": order.terms.client_id,
                "state": order.state.value,
                "symbol": order.terms.symbol,
                "type": order.terms.order_type,
                "qty": order.terms.qty,
                "filled": order.filled,
            }
            for order in orders.living()
        ],
        "rows": rows,
        "starts": len(starts),
        "events": head.seq,
        "head": str(head),
    }
