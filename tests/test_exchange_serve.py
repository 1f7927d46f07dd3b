"""``alphalab exchange serve``, and an exchange that plays by itself."""

from __future__ import annotations

import asyncio
import doctest
import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from alphalab_live.commands.exchange import app as exchange_commands
from alphalab_live.exchange import Account, LocalExchange
from commands import IN_A_PROCESS, Run
from exchange_cases import PERP, SETTINGS, SWING, run

from alphalab.cli.main import app, main
from alphalab.errors import StateError

ROOT = Path(__file__).parents[1]
POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that makes the entry points of pyproject.toml known, as an installation does."""
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "alphalab_commands-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alphalab-commands\nVersion: 0\n")
    lines = [f"{name} = {target}" for name, target in POINTS["alphalab.commands"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[alphalab.commands]", *lines, ""]))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bars and settings."""
    folder = tmp_path_factory.mktemp("market")
    frame = SWING.to_frame("long")
    frame.to_parquet(folder / "bars.parquet")
    (folder / "paper.toml").write_text(
        "cash = 5000\n[costs]\nfee_bps = 5\n[instrument]\ntick = 0.01\nlot = 0.001\n"
        'currency = "USDT"\n'
    )
    return folder


def command(installed: Path, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", IN_A_PROCESS, "exchange", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def ended(process: subprocess.Popen[str]) -> Run:
    out, err = process.communicate(timeout=120)
    return Run(process.returncode, out, err)


@contextmanager
def serving(installed: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """Return a context with a process that serves, and what it has printed as JSON."""
    process = command(installed, *arguments, "--json", "--port", "0")
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.rstrip() == "}":
                break
        yield process, json.loads("".join(lines))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_the_example_of_the_page_runs() -> None:
    failed, tried = doctest.testfile(
        str(ROOT / "docs" / "exchange.md"),
        module_relative=False,
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert (failed, tried > 5) == (0, True)


def test_every_entry_point_is_there() -> None:
    for target in POINTS["alphalab.commands"].values():
        module, _, name = target.partition(":")
        assert hasattr(import_module(module), name)


def test_it_serves_until_it_is_interrupted(installed: Path, files: Path) -> None:
    given = ("--data", str(files / "bars.parquet"), "--settings", str(files / "paper.toml"))
    more = ("--lockstep", "--account", "one=1", "--account", "two=2")
    with serving(installed, *given, *more) as (process, shown):
        assert shown["schema"] == "alphalab.exchange.serve/1"
        assert shown["keys"] == ["one", "two"]
        assert (shown["markets"], shown["interval"]) == (["BTC/USDT", "ETH/USDT"], "1m")
        with urllib.request.urlopen(f"{shown['url']}/api/v3/exchangeInfo", timeout=10) as answer:
            info = json.load(answer)
        assert {x["symbol"] for x in info["symbols"]} == {"BTCUSDT", "ETHUSDT"}
        process.send_signal(signal.SIGINT)
        done = ended(process)
        assert (done.code, done.err) == (0, "the exchange has stopped\n")


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """The command line in this process, with the commands of the exchange."""
    app.add_typer(exchange_commands, name="exchange")

    def call(*arguments: str) -> Run:
        code = main(["exchange", "serve", *arguments])
        return Run(code, *capsys.readouterr())

    return call


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--data", "{bars}"], "has no tick"),
        (["--data", "{bars}", "--settings", "{settings}", "--account", "x"], "KEY=SECRET"),
        (["--data", "{bars}", "--settings", "{settings}", "--name", "x"], "SYMBOL=BASE/QUOTE"),
        (["--data", "{bars}", "--settings", "{settings}", "--speed", "0"], "speed=0"),
        (["--data", "none.csv"], "none.csv"),
        ([], "Missing option '--data'"),
    ],
)
def test_wrong_use(here: Callable[..., Run], files: Path, given: list[str], said: str) -> None:
    names = {"bars": files / "bars.parquet", "settings": files / "paper.toml"}
    done = here(*(text.format(**names) for text in given))
    assert (done.code, done.out) == (2, "")
    assert said in done.err and "Traceback" not in done.err


def test_a_port_that_is_taken(here: Callable[..., Run], files: Path) -> None:
    given = ["--data", str(files / "bars.parquet"), "--settings", str(files / "paper.toml")]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = here(*given, "--port", str(taken.getsockname()[1]))
    assert (done.code, done.out) == (2, "")
    assert "the exchange cannot listen" in done.err


def test_an_exchange_with_a_speed_plays_by_itself() -> None:
    async def test() -> None:
        account = Account(settings=SETTINGS)
        async with LocalExchange(SWING, [account], lockstep=False, speed=400) as exchange:
            with pytest.raises(StateError, match="lockstep"):
                await exchange.step()
            client = ccxt.pro.binanceusdm(exchange.ccxt_config())
            try:
                await client.watch_ohlcv(PERP, "1m")
                sent = await client.create_order(PERP, "market", "buy", 1.0)
                found = sent
                while found["status"] == "open":
                    await asyncio.sleep(0.05)
                    found = await client.fetch_order(sent["id"], PERP)
                assert found["status"] == "closed"
                while not exchange.desk.tape.ended:
                    await asyncio.sleep(0.05)
                assert len(await client.fetch_ohlcv(PERP, "1m")) == SWING.n_rows
            finally:
                await client.close()

    run(test)
