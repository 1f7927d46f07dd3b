"""``alphalab data fetch``: as people run it, interrupt it and kill it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import IN_A_PROCESS, Run, on_a_terminal
from exchange_server import ExchangeServer, Fault
from fetching import HOUR, KLINES, START, candles_of, expected, hourly, listing, stored

from alphalab.data.store.store import Store

N_PAGES = 130


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    """130 pages of candles: three commits."""
    candles = hourly(N_PAGES * 10)
    with ExchangeServer([listing(candles)], START + N_PAGES * 10 * HOUR + HOUR, most=10) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def command(server: ExchangeServer, store: Store, *more: str) -> list[str]:
    fetch = ["data", "fetch", "binance", "BTC/USDT", "1h", "--start", "2021-01-01"]
    return [*fetch, "--url", server.url, "--store", store.url, "--retry-wait", "0.01", *more]


def signalled(arguments: list[str], server: ExchangeServer, n_pages: int, sent: int) -> Run:
    """Run the command, and send it a signal once it has asked for so many pages."""
    asked = server.n_asked(KLINES)
    child = subprocess.Popen(
        [sys.executable, "-c", IN_A_PROCESS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while server.n_asked(KLINES) < asked + n_pages and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(sent)
    said = child.communicate(timeout=60)
    return Run(child.returncode, *said)


def test_the_command_says_what_it_did(server, store, cli) -> None:
    run = cli(*command(server, store, "--end", "2021-01-05"))
    assert run.code == 0, run.err
    title, header, row = (line.split() for line in run.out.splitlines())
    assert title == ["binance", "into", store.url]
    assert header == ["symbol", "what", "new", "revised", "first", "last", "version"]
    span = ["2021-01-01T01:00:00Z", "2021-01-06T00:00:00Z"]
    assert row == ["BTC/USDT", "1h", "120", "0", *span, "0"]
    assert run.err == ""
    run = cli(*command(server, store, "--start", "2020-12-31", "--json"))
    assert run.object["schema"] == "alphalab.data.fetch/1"
    assert run.object["store"] == store.url
    [series] = run.object["series"]
    assert (series["n_new"], series["version"]) == (N_PAGES * 10 - 120, 3)
    assert series["notes"] == ["binance has nothing before 2021-01-01T00:00:00Z"]
    assert run.err == ""


@pytest.mark.parametrize("path", ["/time", "/exchangeInfo", KLINES])
@pytest.mark.parametrize("flag", [None, "--quiet", "--json"])
def test_waits_are_told_unless_one_asks_for_silence(path: str, flag, server, store, cli) -> None:
    server.faults = [Fault(path, times=2, status=503)]
    run = cli(*command(server, store, "--end", "2021-01-03", *filter(None, [flag])))
    assert run.code == 0, run.err
    said = [line.split(":")[0] for line in run.err.splitlines()]
    assert said == ([] if flag else ["no answer, 1 of 8", "no answer, 2 of 8"])
    assert run.err.count("trying again in 0.0") == len(said)


def test_errors_are_told_to_people_and_to_machines(server, store, cli) -> None:
    server.faults = [Fault(KLINES, skip=20, times=99, status=400)]
    run = cli(*command(server, store))
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("error[DATA]: binance refuses: BadRequest")
    assert "At BTC/USDT: 200 new rows are kept" in run.err
    run = cli(*command(server, store, "--json"))
    assert (run.code, run.err) == (2, "")
    assert run.object["error"]["code"] == "DATA"


def test_a_terminal_sees_how_far_it_is(server, store) -> None:
    shown = on_a_terminal(*command(server, store, "--end", "2021-01-05"))
    assert "120 rows" in shown
    assert "100%" in shown


def test_ctrl_c_keeps_what_came(server, store) -> None:
    run = signalled(command(server, store), server, 20, signal.SIGINT)
    rows = stored(store)
    assert run.code == 130
    kept = f"BTC/USDT: {len(rows)} new rows are kept; run it again to go on"
    assert run.err == f"error[INTERRUPTED]: interrupted, {kept}\n"
    assert len(rows) >= 190
    assert rows == expected(candles_of(server)[: len(rows)])


def test_killed_again_and_again_it_ends_as_if_undisturbed(
    server, store, cli, tmp_path: Path
) -> None:
    kept = []
    for n_pages in (5, 52, 54):
        run = signalled(command(server, store), server, n_pages, signal.SIGKILL)
        assert run.code == -signal.SIGKILL
        kept.append(len(stored(store)))
        assert stored(store) == expected(candles_of(server)[: kept[-1]])
    assert kept[0] == 0
    assert 0 < kept[1] < kept[2] < N_PAGES * 10
    run = cli(*command(server, store))
    assert run.code == 0, run.err
    assert run.out.split().count(str(N_PAGES * 10 - kept[-1])) == 1

    undisturbed = Store(tmp_path / "undisturbed")
    assert cli(*command(server, undisturbed)).code == 0
    assert store.read("bars").equals(undisturbed.read("bars"))
    assert [commit.n_new for commit in undisturbed.history("bars")] == [300, 500, 500]
